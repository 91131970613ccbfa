"""Batches: a YAML file of variants and seeds becomes a list of experiments, and a table finds their records."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gift_lib.config import SCALES, Experiment, experiment
from gift_lib.errors import ConfigError, DataError, GiftError, nearest
from gift_lib.runs.repository import home, records_folder

FOLDER = home() / "notebooks" / "sweeps"
RESULTS = records_folder()
#: Keys of a sweep's file with the type of their values.
KEYS = {
    "title": str, "paper": str, "scales": list, "counts": str, "base": dict, "at_scale": dict, "seeds": int,
    "variants": dict,
}  # fmt: skip
#: Settings whose numbers are counts of a scale: a sweep that names its scale (`counts`) has them translated.
COUNTS = ("images_per_task", "denoising_steps")


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: the variant (a row of the table) and its experiment."""

    sweep: str
    variant: str
    experiment: Experiment


@dataclass(frozen=True)
class Sweep:
    """A named batch. `paper` names the published table it repeats ('' for our own)."""

    name: str
    title: str
    paper: str
    cells: tuple[Cell, ...]

    @property
    def variants(self) -> list[str]:
        """The rows, in the file's order."""
        return list(dict.fromkeys(c.variant for c in self.cells))


def names(scale: str | None = None) -> list[str]:
    """All sweeps by name, or those that a scale can run."""
    found = sorted(p.stem for p in FOLDER.glob("*.yml"))
    return [n for n in found if scale is None or scale in _scales(_read(n))]


def load(name: str, scale: str = "mini", seeds: Sequence[int] | None = None) -> Sweep:
    """Read `notebooks/sweeps/<name>.yml`, or the file that `name` is the path of, and expand it.

    `seeds` replaces the file's. Raises ConfigError for an unknown sweep, key or setting, DataError for a broken file.
    """
    spec = _read(name)
    if scale not in _scales(spec):
        raise ConfigError(f"sweep {name!r} needs what scale {scale!r} does not have: use {' or '.join(_scales(spec))}.")
    return expand(name, spec, scale, seeds)


def _read(name: str) -> dict[str, Any]:
    path = Path(name).expanduser() if name.endswith(".yml") else FOLDER / f"{name}.yml"
    if not path.exists():
        raise ConfigError(f"there is no sweep {name!r}; {nearest(name, names())}")
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read ({error}). Write it as in book/batches.md.") from error
    _check(name, spec)
    return spec


def _scales(spec: dict[str, Any]) -> list[str]:
    return list(spec.get("scales", SCALES))


def expand(name: str, spec: dict[str, Any], scale: str, seeds: Sequence[int] | None = None) -> Sweep:
    """The cells of a sweep: `base`, what `at_scale` says of this scale, and each variant over both, once per seed."""
    cells = []
    base = {**spec.get("base", {}), **spec.get("at_scale", {}).get(scale, {})}
    for variant, own in spec["variants"].items():
        settings = {**base, **(own or {})}
        count = settings.pop("seeds", spec.get("seeds", 5))
        settings |= _translated(settings, spec.get("counts", scale), scale)
        for seed in seeds if seeds is not None else range(count):
            cells.append(Cell(name, str(variant), experiment(scale, seed=seed, **settings)))
    return Sweep(name, spec["title"], spec.get("paper", ""), tuple(cells))


def _translated(settings: dict[str, Any], source: str, scale: str) -> dict[str, int]:
    """Counts of one scale in another's: 256 images are 1000 at paper scale, 20 denoising steps 50."""
    a, b = experiment(source), experiment(scale)
    numbers = {k: settings[k] for k in COUNTS if isinstance(settings.get(k), int)}  # others: `experiment` refuses them
    return {k: max(1, round(n * getattr(b, k) / getattr(a, k))) for k, n in numbers.items()}


def _check(name: str, spec: Any) -> None:
    if not isinstance(spec, dict) or not isinstance(spec.get("variants"), dict) or not spec["variants"]:
        raise ConfigError(f"sweep {name!r} must map `variants` to at least one of them: see book/batches.md.")
    for key, value in spec.items():
        if key not in KEYS:
            raise ConfigError(f"sweep {name!r} has no key {key!r}; {nearest(str(key), KEYS)}")
        _of_type(name, key, value, KEYS[key])
    for variant, own in spec["variants"].items():
        _of_type(name, f"variants: {variant}", {} if own is None else own, dict)
    for seeds in (spec, *filter(None, spec["variants"].values())):
        _of_type(name, "seeds", seeds.get("seeds", 1), int)
        if seeds.get("seeds", 1) < 1:
            raise ConfigError(f"sweep {name!r} has `seeds: {seeds['seeds']}`: it needs at least one.")
    for at, own in spec.get("at_scale", {}).items():
        _of_type(name, f"at_scale: {at}", own, dict)
    for scale in (*spec.get("scales", ()), *spec.get("at_scale", ()), spec.get("counts", "mini")):
        if scale not in SCALES:
            raise ConfigError(f"sweep {name!r} names the scale {scale!r}; {nearest(str(scale), SCALES)}")
    if "title" not in spec:
        raise ConfigError(f"sweep {name!r} has no title: give it one, as in `title: Two temperatures`.")


def _of_type(name: str, key: str, value: Any, wanted: type) -> None:
    if not isinstance(value, wanted):
        form = {dict: "settings, as in {beta: 0.5}", list: "a list", int: "a whole number", str: "text"}[wanted]
        raise ConfigError(f"sweep {name!r} has `{key}: {value}`, which should be {form}: see book/batches.md.")


def load_many(text: str, scale: str = "mini", seeds: Sequence[int] | None = None) -> list[Sweep]:
    """Several sweeps: names separated by commas, or `all`."""
    wanted = names(scale) if text == "all" else [n.strip() for n in text.split(",") if n.strip()]
    return [load(n, scale, seeds) for n in wanted]


def runs(sweeps: Iterable[Sweep]) -> dict[str, Experiment]:
    """The distinct experiments of several sweeps by digest: a run that two tables need is one run."""
    return {c.experiment.digest: c.experiment for s in sweeps for c in s.cells}


def parameters(e: Experiment) -> dict[str, Any]:
    """The parameters of notebooks/experiment.ipynb that make this experiment: what differs from its scale's preset."""
    preset = experiment(scale=e.scale).to_dict()
    named = {k: getattr(e, k) for k in ("method", "order", "seed", "scale")}
    changed = {k: v for k, v in e.to_dict().items() if v != preset[k] and k not in named}
    return {**named, "overrides": changed}


def command(e: Experiment, output: str = "/dev/null", device: str = "cpu") -> str:
    """The plain papermill line that makes one record on a device."""
    values = json.dumps(parameters(e) | ({} if device == "cpu" else {"device": device}), sort_keys=True)
    return f"papermill notebooks/experiment.ipynb {output} -y {shlex.quote(values)}"


def seed_list(text: str) -> list[int] | None:
    """`0-4,7` as numbers; '' means the sweep's own."""
    if not text:
        return None
    numbers = []
    try:
        for part in text.split(","):
            low, _, high = part.partition("-")
            numbers += range(int(low), int(high or low) + 1)
        if not numbers:
            raise ValueError
    except ValueError:
        raise ConfigError(f"seeds cannot be {text!r}: write numbers and ranges, such as 0-4,7.") from None
    return numbers


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m gift_lib.runs.sweeps list | commands NAME`."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.sweeps", description=__doc__)
    parser.add_argument("action", choices=("list", "commands"))
    parser.add_argument("name", nargs="?", default="all", help="sweep names separated by commas, or all")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--seeds", default="", help="for example 0-9")
    args = parser.parse_args(arguments)
    try:
        _act(args.action, load_many(args.name, args.scale, seed_list(args.seeds)))
    except (ConfigError, DataError, GiftError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _act(action: str, sweeps: list[Sweep]) -> None:
    if action == "commands":
        for e in runs(sweeps).values():
            print(command(e))
        return
    for sweep in sweeps:
        print(f"{sweep.name}: {sweep.title} ({len(sweep.cells)} runs, {len(sweep.variants)} variants)")


if __name__ == "__main__":
    sys.exit(main())
