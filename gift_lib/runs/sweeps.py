"""Batches: a YAML file of variants and seeds becomes a list of experiments, and a table finds their records."""

import argparse
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gift_lib.config import SCALES, Experiment, experiment
from gift_lib.errors import ConfigError, GiftError, nearest
from gift_lib.files import expanded
from gift_lib.runs import parameters, yaml_io
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
#: More seeds of one variant are a slip of the pen.
MOST_SEEDS = 10_000


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

    `name@2` is the same sweep on world 2 of the scale model, with that world's settings and counts in their proportion.
    `seeds` replaces the file's. Raises ConfigError for an unknown sweep, world, key or setting, DataError for a broken
    file.
    """
    spec = _read(name)
    if scale not in _scales(spec):
        raise ConfigError(f"sweep {name!r} needs what scale {scale!r} does not have: use {' or '.join(_scales(spec))}.")
    return expand(name, spec, scale, seeds)


def _read(name: str) -> dict[str, Any]:
    file, _ = _parted(name)
    path = expanded(file) if file.endswith((".yml", ".yaml")) else FOLDER / f"{file}.yml"
    if not path.exists():
        raise ConfigError(f"there is no sweep {file!r}; {nearest(file, names())}")
    spec = yaml_io.read(path)
    _check(name, spec)
    return spec


def _parted(name: str) -> tuple[str, str]:
    """The name of a sweep or the path of its file, and the world behind it: `table1@2`, but not `me@home/mine.yml`."""
    file, at, world = name.rpartition("@")
    return (file, world) if at and world and not set(world) & set("/.") else (name, "")


def world_of(name: str) -> str:
    """The world that the name of a sweep ends in, as `2` in `table1@2`; '' for the preset's own."""
    return _parted(name)[1]


def settings_of(world: str) -> dict[str, Any]:
    """What a world changes of the scale model's preset; nothing for ''."""
    from gift_lib.world.settings import RUNS

    return RUNS[world] if world else {}


def _of_world(name: str, scale: str) -> dict[str, Any]:
    """What the world that a name ends in changes of its scale's preset."""
    from gift_lib.world.settings import RUNS

    world = world_of(name)
    if world and scale != "mini":
        raise ConfigError(f"sweep {name!r} names a world, and only the scale model has several: leave out @{world}.")
    if world and world not in RUNS:
        raise ConfigError(f"sweep {name!r} names the world {world!r}; {nearest(world, RUNS)}")
    return settings_of(world)


def _scales(spec: dict[str, Any]) -> list[str]:
    return list(spec.get("scales", SCALES))


def expand(name: str, spec: dict[str, Any], scale: str, seeds: Sequence[int] | None = None) -> Sweep:
    """The cells of a sweep: `base`, what `at_scale` says of this scale, and each variant over both, once per seed."""
    cells, world = [], _of_world(name, scale)
    base = {**spec.get("base", {}), **spec.get("at_scale", {}).get(scale, {})}
    for variant, own in spec["variants"].items():
        settings = {**base, **(own or {})}
        count = settings.pop("seeds", spec.get("seeds", 5))
        if "counts" in spec:
            settings |= _translated(settings, experiment(spec["counts"]), experiment(scale, **world))
        for seed in seeds if seeds is not None else range(count):
            cells.append(Cell(name, variant, _experiment(name, variant, scale, **{**world, **settings, "seed": seed})))
    return Sweep(name, spec["title"], spec.get("paper", ""), tuple(cells))


def _experiment(name: str, variant: str, scale: str, **settings: Any) -> Experiment:
    try:
        return experiment(scale, **settings)
    except ConfigError as error:
        raise ConfigError(f"sweep {name!r}, {variant!r}: {error}") from None


def _translated(settings: dict[str, Any], source: Experiment, target: Experiment) -> dict[str, int]:
    """Counts of one preset in another's: 256 images are 1000 at paper scale, 20 denoising steps 50."""
    numbers = {k: settings[k] for k in COUNTS if type(settings.get(k)) is int and settings[k] > 0}
    # What is no such number stays as it is, for `experiment` to refuse.
    return {k: max(1, round(n * getattr(target, k) / getattr(source, k))) for k, n in numbers.items()}


def _check(name: str, spec: Any) -> None:
    if not isinstance(spec, dict) or not isinstance(spec.get("variants"), dict) or not spec["variants"]:
        raise ConfigError(f"sweep {name!r} must map `variants` to at least one of them: see book/batches.md.")
    for key, value in spec.items():
        if key not in KEYS:
            raise ConfigError(f"sweep {name!r} has no key {key!r}; {nearest(str(key), KEYS)}")
        _of_type(name, key, value, KEYS[key])
    for variant, own in spec["variants"].items():
        _of_type(name, f"variants: {variant}", {} if own is None else own, dict)
    for at, own in spec.get("at_scale", {}).items():
        _of_type(name, f"at_scale: {at}", own, dict)
    several = (spec.get("base", {}), *spec.get("at_scale", {}).values(), *filter(None, spec["variants"].values()))
    for seeds in (spec, *several):
        _of_type(name, "seeds", seeds.get("seeds", 1), int)
        if not 1 <= seeds.get("seeds", 1) <= MOST_SEEDS:
            raise ConfigError(f"sweep {name!r} has `seeds: {seeds['seeds']}`: it needs 1 to {MOST_SEEDS}.")
    for settings in several:
        _check_settings(name, settings)
    for scale in (*spec.get("scales", ()), *spec.get("at_scale", ()), spec.get("counts", "mini")):
        if not isinstance(scale, str) or scale not in SCALES:
            raise ConfigError(f"sweep {name!r} names the scale {scale!r}; {nearest(str(scale), SCALES)}")
    if "title" not in spec:
        raise ConfigError(f"sweep {name!r} has no title: give it one, as in `title: Two temperatures`.")


def _check_settings(name: str, settings: dict[str, Any]) -> None:
    """What a variant cannot set: the seed and the scale, which the batch itself goes through."""
    if "seed" in settings:
        raise ConfigError(f"sweep {name!r} sets `seed: {settings['seed']}`: say how many, as in `seeds: 5`.")
    if "scale" in settings:
        raise ConfigError(f"sweep {name!r} sets `scale: {settings['scale']}`: name it at the start, as in SCALE=mini.")


def _of_type(name: str, key: str, value: Any, wanted: type) -> None:
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        form = {dict: "settings, as in {beta: 0.5}", list: "a list", int: "a whole number", str: "text"}[wanted]
        raise ConfigError(f"sweep {name!r} has `{key}: {value}`, which should be {form}: see book/batches.md.")


def load_many(text: str, scale: str = "mini", seeds: Sequence[int] | None = None) -> list[Sweep]:
    """Several sweeps: names separated by commas, `all`, or `all@2`. ConfigError where that names none, or no scale."""
    if scale not in SCALES:
        raise ConfigError(f"there is no scale {scale!r}; {nearest(str(scale), SCALES)}")
    several, world = _parted(text.strip())
    wanted = [n.strip() for n in text.split(",") if n.strip()]
    if several == "all":
        wanted = [f"{n}@{world}" if world else n for n in names(scale)]
    if not wanted:
        raise ConfigError(f"{text!r} names no sweep; {nearest(text, [*names(scale), 'all'])}")
    return [load(n, scale, seeds) for n in wanted]


def runs(sweeps: Iterable[Sweep]) -> dict[str, Experiment]:
    """The distinct experiments of several sweeps by digest: a run that two tables need is one run."""
    return {c.experiment.digest: c.experiment for s in sweeps for c in s.cells}


def command(e: Experiment, output: str = "/dev/null", device: str = "cpu") -> str:
    """The plain papermill line that makes one record on a device, as a shell reads it."""
    values = yaml_io.line(parameters.of(e) | ({} if device == "cpu" else {"device": device}))
    return f"papermill notebooks/experiment.ipynb {shlex.quote(output)} -y {shlex.quote(values)}"


def seed_list(text: str) -> list[int] | None:
    """`0-4,7` as numbers, each once; '' means the sweep's own."""
    if not text:
        return None
    numbers: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,18})(?:\s*-\s*([0-9]{1,18}))?\s*", part)
        if not match:
            raise ConfigError(f"seeds cannot be {text!r}: write numbers and ranges, such as 0-4,7.")
        low, high = int(match[1]), int(match[2] or match[1])
        if not low <= high < low + MOST_SEEDS:
            raise ConfigError(f"seeds cannot be {text!r}: {part!r} is not 1 to {MOST_SEEDS} of them. Write 0-4,7.")
        numbers |= dict.fromkeys(range(low, high + 1))
    return list(numbers)


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
    except GiftError as error:
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
