"""`python -m gift_lib.data list|prepare|verify|clear`: the real data sets from the command line.

python -m gift_lib.data list                       what each data set is, its size, licence, source and state
python -m gift_lib.data prepare --dry-run          what it would cost
python -m gift_lib.data prepare DTD EuroSAT        download, check, decode; goes on where it stopped
python -m gift_lib.data verify                     read every decoded byte and compare digests
python -m gift_lib.data clear DTD | --all          remove decoded images (never the original files)
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gift_lib.data import cache, mtil
from gift_lib.data.cache import Cost
from gift_lib.errors import ConfigError, DataError, GiftError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except GiftError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m gift_lib.data", description="The eleven data sets of MTIL.")
    commands = top.add_subparsers(required=True, metavar="list | prepare | verify | clear")
    for name, run in (("list", show), ("prepare", prepare), ("verify", verify), ("clear", clear)):
        command = commands.add_parser(name, help=(run.__doc__ or "").split(".")[0])
        command.set_defaults(run=run)
        command.add_argument("names", nargs="*", help="data sets; all when none is named")
        command.add_argument("--data", help="folder of the original data (else GIFT_DATA)")
        command.add_argument("--cache", help="folder of the decoded images (else GIFT_CACHE)")
        command.add_argument("--size", type=int, default=mtil.SIZE, help="shorter side in pixels (%(default)s)")
        command.add_argument("--source", action="append", default=[], metavar="NAME=hf:OWNER/REPO")
        if name == "prepare":
            command.add_argument("--dry-run", action="store_true", help="say what it would cost and stop")
            command.add_argument("--val", action="store_true", help="published validation splits too")
            command.add_argument("--no-download", action="store_true", help="only what is there: no mirror either")
            command.add_argument("--workers", type=int, help="decoding threads")
        if name == "clear":
            command.add_argument("--all", action="store_true")
    return top


def chosen(options: argparse.Namespace) -> list[mtil.Dataset]:
    return [mtil.dataset(n) for n in options.names] or list(mtil.DATASETS.values())


def source(options: argparse.Namespace, spec: mtil.Dataset) -> str:
    pairs = [s.split("=", 1) for s in options.source]
    if any(len(p) != 2 for p in pairs):
        raise ConfigError("--source must read NAME=hf:owner/name, NAME=files or NAME=auto.")
    return mtil.source_of(spec, dict(pairs))


# --- list ---------------------------------------------------------------------------------------------------------


def show(options: argparse.Namespace) -> int:
    """What each data set is, its size, licence, source and state."""
    for spec in chosen(options):
        ready = [s for s in ("train", "val", "test") if cache.stored(folder_of(options, spec, s))]
        print(f"{spec.name}: {spec.what}")
        print(f"  {spec.train} train, {spec.test} test, {len(spec.classes)} classes, {len(spec.templates)} templates")
        print(f"  download {spec.megabytes / 1000:.2f} GB, licence: {spec.licence}, from {spec.home}")
        if spec.mirror:
            print(f"  mirror: https://huggingface.co/datasets/{spec.mirror.split('@')[0]}")
        state = "there" if mtil.there(spec, options.data) else "absent"
        print(f"  original: {mtil.data_root(options.data) / spec.folder} ({state})")
        print(f"  decoded: {', '.join(ready) or 'nothing'}")
    total = 0
    for name, split, size, finished in cache.listing(options.cache):
        total += size
        print(f"cache {name}/{split}: {size / 1e6:.1f} MB{'' if finished else ' (unfinished)'}")
    print(f"cache {cache.images_root(options.cache)}: {total / 1e9:.2f} GB")
    return 0


def folder_of(options: argparse.Namespace, spec: mtil.Dataset, split: str) -> Path:
    return mtil.split_folder(spec, split, options.size, options.cache)


# --- prepare ------------------------------------------------------------------------------------------------------


def prepare(options: argparse.Namespace) -> int:
    """Download, check and decode; goes on where it stopped."""
    plans = [plan(options, spec) for spec in chosen(options)]
    total = sum((cost for _, cost in plans), Cost(0, 0, 0.0))
    print(f"total: {total}, in {cache.images_root(options.cache)}")
    if options.dry_run:
        return 0
    cache.require_space(cache.images_root(options.cache), total.bytes)
    failed = 0
    for spec, _ in plans:
        try:
            prepare_one(options, spec)
        except DataError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    print(f"{len(plans) - failed} of {len(plans)} data sets are ready.")
    return int(failed > 0)


def plan(options: argparse.Namespace, spec: mtil.Dataset) -> tuple[mtil.Dataset, Cost]:
    """What is left to do for a data set, printed: computed before the download, estimated from a sample after."""
    todo = missing(options, spec)
    cost, megabytes = mtil.cost(spec, todo, options.data, options.size, source(options, spec), options.workers)
    if not todo:
        print(f"{spec.name}: ready")
    elif megabytes:
        print(f"{spec.name}: download {megabytes / 1000:.2f} GB (licence: {spec.licence}), then {cost} (computed)")
    else:
        print(f"{spec.name}: {cost} (estimated from a sample)")
    return spec, cost


def missing(options: argparse.Namespace, spec: mtil.Dataset) -> list[str]:
    """The splits that are not decoded yet."""
    return mtil.undecoded(spec, options.cache, options.size, options.val)


def prepare_one(options: argparse.Namespace, spec: mtil.Dataset) -> None:
    """Bring one data set's splits into the cache and verify them."""
    where, todo = source(options, spec), missing(options, spec)
    if options.no_download and where == "auto":
        where = "files"
    if todo and where == "auto":
        mtil.download(spec, options.data)
    for split in todo:
        found = mtil.records(spec, split, options.data, where)
        folder = folder_of(options, spec, split)
        cache.build(found, folder, options.size, spec.native, options.workers)
        cache.Stored(folder).verify()
    print(f"{spec.name}: ready")


# --- verify, clear ------------------------------------------------------------------------------------------------


def verify(options: argparse.Namespace) -> int:
    """Read every decoded byte and compare digests; compare with the original files where they are there."""
    failed = 0
    for spec in chosen(options):
        for split in ("train", "val", "test"):
            if found := cache.stored(folder_of(options, spec, split)):
                try:
                    found.verify()
                    compare(options, spec, split, found)
                    print(f"{spec.name}/{split}: whole, {found.bytes / 1e6:.1f} MB")
                except DataError as error:
                    failed += 1
                    print(f"error: {error}", file=sys.stderr)
    return int(failed > 0)


def compare(options: argparse.Namespace, spec: mtil.Dataset, split: str, found: cache.Stored) -> None:
    if source(options, spec).startswith("hf:") or not mtil.there(spec, options.data):
        return
    if mtil.records(spec, split, options.data, "files").digest != found.manifest["records"]:
        raise DataError(
            f"{found.folder} was decoded from other pictures than {mtil.data_root(options.data) / spec.folder} holds. "
            f"Run `python -m gift_lib.data clear {spec.name}` and prepare it again."
        )


def clear(options: argparse.Namespace) -> int:
    """Remove decoded images, never the original files."""
    if not options.names and not options.all:
        raise ConfigError("name the data sets to clear, or say --all.")
    known = {name for name, *_ in cache.listing(options.cache)}
    for name in sorted(known) if options.all else options.names:
        if name not in known:
            mtil.dataset(name)
        print(f"{name}: {cache.clear(name, options.cache) / 1e6:.1f} MB freed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
