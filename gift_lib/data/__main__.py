"""`python -m gift_lib.data look|list|prepare|verify|clear`: pictures from the command line.

python -m gift_lib.data look my_birds --sheet birds.png   what a folder of one's own pictures would become
python -m gift_lib.data list                       what each data set is, its size, licence, source and state
python -m gift_lib.data prepare --dry-run          what it would cost
python -m gift_lib.data prepare DTD EuroSAT        download, check, decode; goes on where it stopped
python -m gift_lib.data verify                     read every decoded byte and compare digests
python -m gift_lib.data clear DTD | --all          remove decoded images (never the original files)
"""

import argparse
import sys
from collections.abc import Sequence

from gift_lib.data import cache, decode, layout, mtil
from gift_lib.data import look as looking
from gift_lib.data import prepare as preparing
from gift_lib.data.decode import Cost
from gift_lib.data.prepare import Place
from gift_lib.errors import ConfigError, DataError, GiftError
from gift_lib.files import expanded

COMMANDS = ("look", "list", "prepare", "verify", "clear")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except GiftError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m gift_lib.data", description="Own pictures, and MTIL's data sets.")
    commands = top.add_subparsers(required=True, metavar=" | ".join(COMMANDS))
    for name, run in zip(COMMANDS, (look, show, prepare, verify, clear), strict=True):
        command = commands.add_parser(name, help=(run.__doc__ or "").split(".")[0])
        command.set_defaults(run=run)
        (_look_options if name == "look" else _data_options)(command)
        if name == "prepare":
            command.add_argument("--dry-run", action="store_true", help="say what it would cost and stop")
            command.add_argument("--val", action="store_true", help="published validation splits too")
            command.add_argument("--no-download", action="store_true", help="only what is there: no mirror either")
            command.add_argument("--workers", type=int, help="decoding threads")
        if name == "clear":
            command.add_argument("--all", action="store_true")
    return top


def _look_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", help="one subfolder of pictures per class, with or without train and test")
    command.add_argument("--names", help="list of class names (else classes.txt in the folder)")
    command.add_argument("--template", default="a photo of a {c}.", help="prompt, {c} for the class (%(default)s)")
    command.add_argument("--sheet", help="picture file to write the first pictures of each class to")


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("names", nargs="*", help="data sets; all when none is named")
    command.add_argument("--data", help="folder of the original data (else GIFT_DATA)")
    command.add_argument("--cache", help="folder of the decoded images (else GIFT_CACHE)")
    command.add_argument("--size", type=int, default=mtil.SIZE, help="shorter side in pixels (%(default)s)")
    command.add_argument("--source", action="append", default=[], metavar="NAME=hf:OWNER/REPO")


def look(options: argparse.Namespace) -> int:
    """What a folder of one's own pictures would become."""
    found = layout.read(expanded(options.folder), expanded(options.names) if options.names else None)
    print(found)
    print(looking.table(found, options.template))
    seen = looking.examine(found)
    print(seen)
    if options.sheet and not seen.broken:
        looking.save_sheet(found, expanded(options.sheet))
        print(f"the first pictures of each class: {options.sheet}")
    return int(bool(seen.broken))


def chosen(options: argparse.Namespace) -> list[mtil.Dataset]:
    return [mtil.dataset(n) for n in options.names] or list(mtil.DATASETS.values())


def place(options: argparse.Namespace) -> Place:
    pairs = [s.split("=", 1) for s in options.source]
    if any(len(p) != 2 for p in pairs):
        raise ConfigError("--source must read NAME=hf:owner/name, NAME=files or NAME=auto.")
    return Place(options.data, options.cache, options.size, dict(pairs), getattr(options, "workers", None))


def show(options: argparse.Namespace) -> int:
    """What each data set is, its size, licence, source and state."""
    for spec in chosen(options):
        print(f"{spec.name}: {spec.what}")
        print(f"  {spec.train} train, {spec.test} test, {len(spec.classes)} classes, {len(spec.templates)} templates")
        print(f"  download {spec.megabytes / 1000:.2f} GB, licence: {spec.licence}, from {spec.home}")
        if spec.mirror:
            print(f"  mirror: https://huggingface.co/datasets/{spec.mirror.split('@')[0]}")
        state = "there" if mtil.there(spec, options.data) else "absent"
        print(f"  original: {mtil.data_root(options.data) / spec.folder} ({state})")
        print(f"  decoded: {', '.join(mtil.decoded(spec, options.cache, options.size)) or 'nothing'}")
    total = 0
    for name, split, size, finished in cache.listing(options.cache):
        total += size
        print(f"cache {name}/{split}: {size / 1e6:.1f} MB{'' if finished else ' (unfinished)'}")
    print(f"cache {cache.images_root(options.cache)}: {total / 1e9:.2f} GB")
    return 0


def prepare(options: argparse.Namespace) -> int:
    """Download, check and decode; goes on where it stopped."""
    where = place(options)
    left = {s.name: mtil.undecoded(s, where.cache, where.size, options.val) for s in chosen(options)}
    costs = [(s, preparing.plan(where, s, left[s.name])) for s in chosen(options)]
    print(f"total: {sum((cost for _, cost in costs), Cost(0, 0, 0.0))}, in {cache.images_root(options.cache)}")
    if options.dry_run:
        return 0
    # What is absent and may not be downloaded takes no room: its own error says how to get it.
    needed = sum(cost.bytes for s, cost in costs if where.reaches(s, not options.no_download))
    decode.require_space(cache.images_root(options.cache), needed)
    failed = 0
    for spec in chosen(options):
        try:
            preparing.prepare(where, spec, left[spec.name], not options.no_download)
        except DataError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    print(f"{len(left) - failed} of {len(left)} data sets are ready.")
    return int(failed > 0)


def verify(options: argparse.Namespace) -> int:
    """Read every decoded byte and compare digests; compare with the original files where they are there."""
    failed, where = 0, place(options)
    for spec in chosen(options):
        for split in mtil.decoded(spec, where.cache, where.size):
            try:
                cache.Stored(where.folder(spec, split)).verify()
                found = where.check(spec, split)
                print(f"{spec.name}/{split}: whole, {found.bytes / 1e6:.1f} MB")
            except DataError as error:
                failed += 1
                print(f"error: {error}", file=sys.stderr)
    return int(failed > 0)


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
