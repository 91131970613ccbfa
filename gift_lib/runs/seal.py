"""Seal records from before there were seals. Nothing is derived anew: each file gets one line more.

python -m gift_lib.runs.seal                 the book's own records
python -m gift_lib.runs.seal FOLDER          those under a folder

A seal says that a record is as it was when it was sealed. What was changed before, nobody can tell: seal only records
that you trust.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gift_lib import results
from gift_lib.errors import DataError, GiftError
from gift_lib.files import expanded, read_json, write_json
from gift_lib.runs import sweeps


def seal(folder: Path) -> tuple[int, int]:
    """Seal every record under a folder that has no seal; how many were sealed now and before.

    DataError for a record that is broken, or whose seal does not fit: no record gets a second seal. Those before it
    are sealed.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}.")
    now, before = 0, 0
    for path in sorted(folder.rglob("*-s*-*.json")):
        try:
            results.read(path)
            before += 1
        except results.Unsealed:
            record = read_json(path)
            results.check(record, path)
            write_json(path, results.sealed(record))
            now += 1
    return now, before


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.seal", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=expanded, default=sweeps.RESULTS)
    try:
        now, before = seal(parser.parse_args(arguments).folder)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{now} records sealed, {before} had their seal.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
