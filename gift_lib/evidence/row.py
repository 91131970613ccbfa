"""A row of a reader's own: a method that lies outside the package, beside the committed rows of Table 1 or 2.

`python -m gift_lib.evidence.row my_method.py` (or `make row FILE=my_method.py`) runs the method that the file
registers on the table's seeds, and prints the table with one row more. Its records stay under `build/rows`; they name
the file's digest, so that an edited method runs anew and an interrupted one goes on where it stopped.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gift_lib import methods, results
from gift_lib.config import Experiment, experiment
from gift_lib.device import find_device
from gift_lib.errors import ConfigError, GiftError
from gift_lib.evidence import tables
from gift_lib.methods.outside import load_file
from gift_lib.runs import batch, side_by_side, sweeps
from gift_lib.runs.repository import ROOT, records_folder

FOLDER = ROOT / "build" / "rows"


def runs(method: str, order: str, seeds: Sequence[int], scale: str = "mini") -> list[Experiment]:
    """The experiments of a row: the method with its defaults, once per seed."""
    if order not in tables.MAIN:
        raise ConfigError(f"the tables are of order I and II, not {order!r}.")
    return [experiment(scale, method=method, order=order, seed=seed) for seed in seeds]


def table(own: Sequence[results.Record], order: str, scale: str = "mini") -> str:
    """The committed rows with the new one below, as text.

    The new one stands alone where the committed ones are of another kind of machine: these round differently.
    """
    committed = batch.standing_records(records_folder())
    frame, said = results.load_frame([*committed, *own]), []
    # Records of another world may be of another kind of machine: they are not in this table.
    rows = tables.by_variant(results.load_frame(committed), sweeps.load(tables.MAIN[order], scale))
    here, there = results.kind_of(own[0]), {results.kind_of(r) for of in rows.values() for r in of.values()}
    if there - {here}:
        frame = results.load_frame(own)
        said = [
            f"This row was made on {here}, the committed ones on {', '.join(sorted(there))}: they round differently "
            "and do not stand in one table. `make sweep NAME=table1` makes the others here."
        ]
    shown = tables.pretty(tables.main(frame, order, scale))
    filled = shown[shown["", "n"] != "0"]
    parts = [tables.markdown(part) for part in tables.halves(filled)]
    return "\n\n".join([*parts, *said, *filter(None, [tables.age(frame, tables.main_sweep(frame, order, scale))])])


def summary(own: Sequence[results.Record]) -> str:
    """One line per seed: the three numbers of the table, and how long the run took."""
    rows = results.load_frame(sorted(own, key=lambda r: r["config"]["seed"]))
    shown = pd.DataFrame({m: rows[m].map("{:.1f}".format) for m in tables.METRICS})
    shown["minutes"] = (rows["seconds"] / 60).map("{:.1f}".format)
    return tables.markdown(shown.set_index(rows["seed"].rename("seed")))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: run the row, print its seeds and the table."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.evidence.row", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="a Python file with one method, as on the page 'A method of your own'")
    parser.add_argument("--order", default="I")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--results", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    try:
        print(_act(options))
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _act(options: argparse.Namespace) -> str:
    device = find_device(options.device)
    started, method = time.perf_counter(), load_file(options.file)
    if options.jobs < 1:
        raise ConfigError(f"--jobs {options.jobs}: at least one run at a time.")
    wanted = runs(method, options.order, sweeps.seed_list(options.seeds) or range(5), options.scale)
    methods.check(wanted[0])
    print(f"{method}: {len(wanted)} runs of order {options.order}, {options.jobs} at a time", flush=True)
    own = []
    for record in side_by_side.make(options.file, wanted, options.results, options.jobs, device):
        own.append(record)
        print(f"  seed {record['config']['seed']} is done ({len(own)} of {len(wanted)})", flush=True)
    minutes = (time.perf_counter() - started) / 60
    return f"\n{summary(own)}\n\n{table(own, options.order, options.scale)}\n\n{minutes:.1f} minutes in all"


if __name__ == "__main__":
    sys.exit(main())
