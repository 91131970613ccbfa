"""The table of a batch in a terminal: `python -m gift_lib.book mine.yml`, or `make table NAME=mine.yml`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gift_lib.book import pages
from gift_lib.errors import DataError, GiftError
from gift_lib.runs import sweeps


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.book", description=__doc__)
    parser.add_argument("name", help="names of sweeps, or paths of their files, separated by commas; or all")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--results", type=Path, help="the folder of the records; the book's own by default")
    options = parser.parse_args(arguments)
    try:
        if options.results and not options.results.is_dir():
            raise DataError(f"there is no folder {options.results}: give the one that holds the records.")
        for sweep in sweeps.load_many(options.name, options.scale):
            print(pages.evidence(sweep.name, options.scale, options.results).data, end="\n\n")
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
