"""Run committed records again and compare them byte for byte."""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from gift_lib import results, sweeps
from gift_lib.config import from_dict
from gift_lib.errors import GiftError
from gift_lib.files import canonical_json
from gift_lib.training import LOCAL, Runtime, identity_of, run


def differences(old: results.Record, new: results.Record) -> list[str]:
    """The parts of the `result` blocks that are not equal to the byte."""
    a, b = old["result"], new["result"]
    return [k for k in sorted(a.keys() | b.keys()) if canonical_json(a.get(k)) != canonical_json(b.get(k))]


def current(folder: Path) -> list[results.Record]:
    """The records that the library, world and weights of today would write, and not others'."""
    return [r for r in results.read_all(folder) if r["identity"] == identity_of(from_dict(r["config"]))]


def verify(records: Sequence[results.Record], runtime: Runtime = LOCAL) -> int:
    """Run each again, print a line each; the number of those that came out otherwise."""
    wrong = 0
    for record in records:
        again = run(from_dict(record["config"]), runtime)
        different = differences(record, again)
        wrong += bool(different)
        kinds = "" if record["run"]["cpu_capability"] == again["run"]["cpu_capability"] else " (another kind of CPU)"
        verdict = f"DIFFERS in {', '.join(different)}{kinds}" if different else "equal"
        c = record["config"]
        print(f"{c['method']:12s} order {c['order']:3s} seed {c['seed']}  {record['key']}  {verdict}", flush=True)
    return wrong


def compare(folder: Path, other: Path) -> int:
    """Compare every record under `folder` with its namesake under `other`; the number that differ or lack."""
    wrong = 0
    for path in sorted(folder.rglob("*-s*-*.json")):
        twin = other / path.relative_to(folder)
        different = differences(results.read(path), results.read(twin)) if twin.exists() else ["missing"]
        wrong += bool(different)
        print(f"{path.name}  {', '.join(different) or 'equal'}")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m gift_lib.verify --sample 3`, or `--against FOLDER` after a batch into another folder."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.verify", description=__doc__)
    parser.add_argument("--sample", type=int, default=3, help="how many records, drawn at random")
    parser.add_argument("--seed", type=int, default=None, help="of the draw")
    parser.add_argument("--results", type=Path, default=sweeps.RESULTS)
    parser.add_argument("--against", type=Path, help="compare with the records in this folder instead of running")
    args = parser.parse_args(arguments)
    try:
        if args.against:
            return int(compare(args.results, args.against) > 0)
        records = current(args.results)
        print(json.dumps({"current records": len(records), "of": len(results.read_all(args.results))}))
        chosen = random.Random(args.seed).sample(records, min(args.sample, len(records)))
        return int(verify(chosen) > 0)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
