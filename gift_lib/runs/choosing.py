"""Choosing a better GIFT: variants on validation pictures and seeds of 1000 and up, one change at a time, all logged.

`python -m gift_lib.runs.choosing run NAME "WHY" beta=0.5 method_options.ensemble=true` runs one on world 2 and writes a
line per order and seed to `book/data/choosing.jsonl`; what is there is not run again. WHY is written before it runs;
`python -m gift_lib.runs.choosing leave NAME "WHY"` says afterwards why it was left, or kept. Records of the book take
seeds from 0 and test pictures: nothing that is chosen here was looked at there.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from gift_lib import data, intervals, metrics
from gift_lib.config import Experiment, experiment
from gift_lib.errors import ConfigError, GiftError, nearest
from gift_lib.files import digest, read_lines, write_lines
from gift_lib.runs.published import METRICS
from gift_lib.runs.repository import book_folder
from gift_lib.training import numerics
from gift_lib.world.settings import RUNS
from gift_lib.world.trials import sequence

WORLD = "2"
ORDERS, SEEDS = ("I", "II"), (1000, 1001)
#: What all variants are compared with.
BASE = "GIFT"


@dataclass(frozen=True)
class Variant:
    """What differs from GIFT's own settings, and why it might help: written before it runs."""

    name: str
    why: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def experiment(self, order: str, seed: int) -> Experiment:
        """The run in an order; a ConfigError for a seed that is for reporting."""
        if seed < 1000:
            raise ConfigError(f"seed {seed} is for reporting: choosing takes seeds of 1000 and up.")
        return experiment(**RUNS[WORLD] | {"method": "gift", "order": order, "seed": seed} | dict(self.settings))


def log_file() -> Path:
    """Where the lines are kept."""
    return book_folder() / "data" / "choosing.jsonl"


def lines() -> list[dict[str, Any]]:
    """All lines of the log, the oldest first; a DataError for one that cannot be read."""
    return read_lines(log_file())


def run(variant: Variant, orders: Sequence[str] = ORDERS, seeds: Sequence[int] = SEEDS) -> Iterator[dict[str, Any]]:
    """A line for each order and seed that the log has none for."""
    wanted = [variant.experiment(order, seed) for seed in seeds for order in orders]
    known = {line["digest"] for line in lines()}
    for e in wanted:
        if _digest(e) not in known:
            yield _line(variant, e)


def _digest(e: Experiment) -> str:
    return digest([e.to_dict(), "validation"])


def _line(variant: Variant, e: Experiment) -> dict[str, Any]:
    used = time.process_time()
    with numerics("cpu"):
        R = sequence(e, places=2)
    found = {m: round(v, 2) for m, v in metrics.summary(R).items() if m in METRICS}
    return {
        "variant": variant.name, "why": variant.why, "left": "", "settings": dict(variant.settings), "order": e.order,
        "seed": e.seed, "digest": _digest(e), "world": data.world_hash(e), **found, "R": R,
        "cpu_seconds": round(time.process_time() - used),
    }  # fmt: skip


def write(line: Mapping[str, Any]) -> None:
    """Add a line to the log."""
    write_lines(log_file(), [*lines(), line])


def leave(name: str, why: str) -> None:
    """Say in every line of a variant why it was left or kept; a ConfigError where there is none."""
    found = lines()
    if name not in {line["variant"] for line in found}:
        raise ConfigError(f"no variant {name!r} was run; {nearest(name, {line['variant'] for line in found})}")
    write_lines(log_file(), [line | {"left": why} if line["variant"] == name else line for line in found])


def pairs(found: Sequence[Mapping[str, Any]], base: str = BASE) -> pd.DataFrame:
    """A row per variant, order, seed and metric that the base was run in, too: the `points` above the base."""
    at = {(line["variant"], line["order"], line["seed"]): line for line in found}
    shared = [(k, (base, *k[1:])) for k in at if k[0] != base and (base, *k[1:]) in at]
    rows = [(*k, m, round(at[k][m] - at[b][m], 2)) for k, b in shared for m in METRICS]
    return pd.DataFrame(rows, columns=["variant", "order", "seed", "metric", "points"])


def differences(found: Sequence[Mapping[str, Any]], base: str = BASE) -> pd.DataFrame:
    """A row per variant: mean differences to the base in points over shared orders and seeds, half-widths, runs.

    Columns: for each metric its difference and "±" (half the 95 % t interval), in how many orders it ran, n, `why` and
    `left`.
    """
    table, rows = pairs(found, base), {}
    for name in dict.fromkeys(line["variant"] for line in found if line["variant"] != base):
        mine = table[table["variant"] == name]
        row: dict[str, Any] = {}
        for m in METRICS if len(mine) else ():
            e = intervals.interval(mine.loc[mine["metric"] == m, "points"].tolist())
            row |= {m: e.mean, f"{m} ±": e.half_width}
        last = next(line for line in reversed(found) if line["variant"] == name)
        row |= {"orders": mine["order"].nunique(), "n": len(mine) // len(METRICS)}
        rows[name] = row | {"why": last["why"], "left": last["left"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")


def best(table: pd.DataFrame) -> str | None:
    """The rule, written before the runs: of `differences`, above the base in Avg and Last and not below it in Transfer.

    Of several the one with the largest Avg; None where no variant is so. Means decide, as the runs are few: what they
    pick is still to be judged, on other seeds and on test pictures. A variant that lacks an order is not compared.
    """
    if not set(METRICS) <= set(table.columns):
        return None
    table = table[table["orders"] == len(ORDERS)]
    good = table[(table["Transfer"] >= 0) & (table["Avg"] > 0) & (table["Last"] > 0)]
    return None if good.empty else str(good["Avg"].idxmax())


def settings_of(texts: Sequence[str]) -> dict[str, Any]:
    """`beta=0.5` and `method_options.ensemble=true` as settings; a ConfigError for what is no NAME=VALUE."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ConfigError(f"{text!r} should read NAME=VALUE, as in beta=0.5.")
        outer, dot, inner = name.partition(".")
        read = yaml.safe_load(value)
        found |= {outer: found.get(outer, {}) | {inner: read}} if dot else {name: read}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.choosing", description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=("run", "leave"))
    parser.add_argument("name")
    parser.add_argument("why")
    parser.add_argument("settings", nargs="*", help="NAME=VALUE, what differs from GIFT")
    parser.add_argument("--orders", nargs="+", default=ORDERS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    options = parser.parse_args(arguments)
    try:
        if options.action == "leave":
            leave(options.name, options.why)
            return 0
        variant = Variant(options.name, options.why, settings_of(options.settings))
        for line in run(variant, options.orders, options.seeds):
            write(line)
            print(*(line[k] for k in ("variant", "order", "seed", *METRICS, "cpu_seconds")), flush=True)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
