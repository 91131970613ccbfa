"""Run committed records again and compare them byte for byte."""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from gift_lib import checkpoint, results
from gift_lib.config import NUMERICS_VERSION, from_dict
from gift_lib.errors import DataError, GiftError
from gift_lib.files import canonical_json, expanded
from gift_lib.runs import batch, numerics, sweeps
from gift_lib.runs.arguments import at_least
from gift_lib.training import LOCAL, Runtime, run, state_of


def differences(old: results.Record, new: results.Record) -> list[str]:
    """The parts of the `result` blocks that are not equal to the byte."""
    a, b = old["result"], new["result"]
    return [k for k in sorted(a.keys() | b.keys()) if canonical_json(a.get(k)) != canonical_json(b.get(k))]


def current(folder: Path) -> tuple[list[results.Record], dict[str, int]]:
    """The records that the library, world and weights of today would write; how many others there are, by reason.

    A record whose weights are not here (those that are made, not shipped) cannot be run again: it is left out too.
    """
    return _current(results.read_all(folder))


def _some(records: Sequence[results.Record], folder: Path, others: Mapping[str, int]) -> Sequence[results.Record]:
    """The records, or a DataError where there are none: to have compared nothing is no success."""
    if not records:
        reasons = "; ".join(f"{n} {reason.rstrip('.')}" for reason, n in others.items()) or "it holds none"
        raise DataError(f"there is nothing to verify: no record under {folder} is current ({reasons}).")
    return records


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: give the one that holds the records.")
    return path


def _current(found: Sequence[results.Record]) -> tuple[list[results.Record], dict[str, int]]:
    records, others = [], Counter()
    for record in found:
        try:
            same = batch.is_current(record)
        except DataError as error:
            others[str(error)] += 1
            continue
        if same:
            records.append(record)
        elif batch.same_world(record):
            others[f"made with another version of the numerics than {NUMERICS_VERSION}"] += 1
        else:
            others["of another world or other weights"] += 1
    return records, dict(others)


def verify(records: Sequence[results.Record], runtime: Runtime = LOCAL) -> int:
    """Run each again from its first step, print a line each; the number of those that came out otherwise.

    Pictures that the cache holds are used, as in any run: the record says by digest which they must be.
    """
    wrong = 0
    for record in records:
        checkpoint.discard(state_of(record["key"], runtime))
        again = run(from_dict(record["config"]), runtime)
        different = differences(record, again)
        wrong += bool(different)
        kinds = "" if record["run"]["cpu_capability"] == again["run"]["cpu_capability"] else " (another kind of CPU)"
        verdict = f"DIFFERS in {', '.join(different)}{kinds}" if different else "equal"
        c = record["config"]
        print(f"{c['method']:12s} order {c['order']:3s} seed {c['seed']}  {record['key']}  {verdict}", flush=True)
    return wrong


def compare(folder: Path, other: Path, name: str = "all") -> int:
    """Compare the current records under `folder` with their namesakes under `other`; how many differ or lack.

    A run of which `folder` has records, but none of the weights that are here, has not been made again either; one
    with a record of an older numerics version has, where `other` holds the current one.
    Only the runs of these sweeps are compared: no batch makes a record with a seed beyond them again.
    """
    found, wrong = results.read_all(_folder(folder)), 0
    records, others = _current(found)
    wanted = sweeps.runs(sweeps.load_many(name))
    if not any(r["digest"] in wanted for r in found):
        raise DataError(f"there is nothing to compare: {folder} holds no record of {name!r}.")
    _folder(other)
    if name == "all" and (beyond := sum(r["digest"] not in wanted for r in records)):
        others["of no sweep or of seeds beyond its own"] = beyond
    records = [r for r in records if r["digest"] in wanted]
    for record in records:
        twin = results.place_of(other, record)
        different = differences(record, results.read(twin)) if twin.exists() else ["missing"]
        wrong += bool(different)
        print(f"{twin.name}  {', '.join(different) or 'equal'}")
    done = {r["digest"] for r in records}
    for record in (r for r in found if r["digest"] in wanted.keys() - done):
        anew = _anew(record, other)
        wrong += not anew
        said = f"made anew as {anew}" if anew else "not made again"
        print(f"{results.place_of(folder, record).name}  {said}: its numerics, weights or world are not today's")
    _tell(len(records), others)
    return wrong


def _anew(record: results.Record, other: Path) -> str:
    """The name of the current record under `other` of a run whose own is of an older numerics version, or ''."""
    try:
        path = batch.record_path(other, from_dict(record["config"]))
    except DataError:  # its weights are not here
        return ""
    return path.name if numerics.is_older(record) and path.exists() else ""


def adopt(made: Path, folder: Path) -> None:
    """Compare records just made with their committed namesakes, a line each; one without a namesake is kept.

    A difference is told, not an error: another kind of CPU rounds otherwise.
    """
    records, others = current(_folder(made))
    for record in _some(records, made, others):
        twin = results.place_of(folder, record)
        if not twin.exists():
            print(f"{twin.name}  new: kept as {results.write(record, folder)}")
            continue
        old = results.read(twin)
        different = differences(old, record)
        machine = "the same" if old["run"]["cpu_capability"] == record["run"]["cpu_capability"] else "another"
        verdict = f"differs in {', '.join(different)} ({machine} kind of CPU)" if different else "equal"
        print(f"{twin.name}  made again: {verdict}")


def _tell(count: int, others: Mapping[str, int]) -> None:
    print(
        f"{count} current records.", *(f"{n} left out: {reason}" for reason, n in others.items()), sep="\n", flush=True
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m gift_lib.runs.verify --sample 3`, or `--against FOLDER` after a batch into another folder."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.verify", description=__doc__)
    parser.add_argument("--sample", type=at_least(1), default=3, help="how many records, sampled at random")
    parser.add_argument("--seed", type=int, default=None, help="of the draw")
    parser.add_argument("--fresh", action="store_true", help="draw the pictures again too, in a cache of its own")
    parser.add_argument("--results", type=expanded, default=sweeps.RESULTS)
    parser.add_argument("--against", type=expanded, help="compare with the records in this folder instead of running")
    parser.add_argument("--name", default="all", help="with --against: only the runs of these sweeps")
    parser.add_argument(
        "--adopt", type=expanded, help="compare the records in this folder, just made, with the committed"
    )
    args = parser.parse_args(arguments)
    try:
        if args.adopt:
            adopt(args.adopt, args.results)
            return 0
        if args.against:
            return int(compare(args.results, args.against, args.name) > 0)
        records, others = current(_folder(args.results))
        _tell(len(records), others)
        _some(records, args.results, others)
        chosen = random.Random(args.seed).sample(records, min(args.sample, len(records)))
        with tempfile.TemporaryDirectory() if args.fresh else nullcontext() as cache:
            return int(verify(chosen, Runtime(cache_dir=cache)) > 0)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
