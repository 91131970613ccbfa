"""Everything that this library keeps outside a clone, in one place: a listing with sizes, and a way to clear it.

python -m gift_lib.runs.caches                          what is there, how much, and what it is for
python -m gift_lib.runs.caches clear decoded runs       remove some of it; it is made again when it is needed
python -m gift_lib.runs.caches clear --all              all but the original data sets
python -m gift_lib.runs.caches clear originals          those that this library downloaded, after a question (or --yes)

Only what the library itself made or fetched is listed and cleared: what else lies in those folders stays.

The place is the environment variable GIFT_CACHE, else ~/.cache/gift. Decoded images may lie elsewhere (GIFT_DECODED),
and so may the original data sets (GIFT_DATA). Weights and mirrors from the Hugging Face hub stay in the hub's own
cache, which other programs share: it is listed, not cleared.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import scan_cache_dir
from huggingface_hub.constants import HF_HUB_CACHE

from gift_lib import checkpoint
from gift_lib.data import download
from gift_lib.data.cache import GENERATED, at_work, images_root, is_ours
from gift_lib.data.mtil import data_root
from gift_lib.errors import ConfigError, GiftError, nearest
from gift_lib.files import cache_root
from gift_lib.runs import batch

KINDS = {
    "rendered": "pictures of the scale model's tasks, rendered by their programs",
    "pictures": "generated pictures, a folder per sampler",
    "decoded": "decoded images of real data sets",
    "runs": "states of unfinished runs",
    "models": "models after each task, of runs that were asked to keep them",
    "originals": "original files of real data sets that this library downloaded",
}
#: What a run's state consists of.
_STATE = re.compile(r"lock|state\.safetensors|\..*\.tmp")
#: What the models of a run consist of.
_MODELS = re.compile(r"\d\d\.safetensors|[^/]*-s\d+-[0-9a-f]+\.json|\..*\.tmp")
#: What `--all` leaves alone: it may have taken a night to download.
KEPT = ("originals",)


@dataclass(frozen=True)
class Entry:
    """One folder of the cache: its kind, a name to show, and what is in it."""

    kind: str
    path: Path
    files: int
    bytes: int


def entries(kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Entry]:
    """Every folder of these kinds, sorted by kind and name."""
    for kind in kinds:
        for path in _folders(kind):
            sizes = [p.stat().st_size for p in path.rglob("*") if p.is_file()]
            yield Entry(kind, path, len(sizes), sum(sizes))


def _folders(kind: str) -> list[Path]:
    if kind == "originals":
        return download.ours(data_root())
    if kind in ("pictures", "decoded"):
        roots = {cache_root() / "images", images_root()}
        found = [p for root in sorted(roots) for p in _subfolders(root)]
        found = [p for p in found if bool(GENERATED.fullmatch(p.name)) == (kind == "pictures")]
        if kind == "decoded":
            return [p for p in found if is_ours(p)]
        if batch.drawn_folder().is_dir():
            found.append(batch.drawn_folder())
        return found
    if kind == "rendered":
        return [p for p in _subfolders(cache_root() / "mini") if GENERATED.fullmatch(p.name)]
    wanted = {"runs": _STATE, "models": _MODELS}[kind]
    return [p for p in _subfolders(cache_root() / kind) if all(wanted.fullmatch(q.name) for q in p.iterdir())]


def _subfolders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []


def clear(kinds: Sequence[str]) -> Iterator[Entry]:
    """Remove everything of these kinds; what was removed. What a process is working on stays, and what is not ours."""
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"the cache holds nothing called {kind!r}; {nearest(kind, KINDS)}")
    for entry in entries(kinds):
        busy = {"runs": checkpoint.at_work, "decoded": at_work}.get(entry.kind)
        if busy and busy(entry.path):
            continue
        shutil.rmtree(entry.path, ignore_errors=True)
        yield entry


def ask(kinds: Sequence[str]) -> None:
    """Show what took long to download and ask; a ConfigError where the answer is no, or nobody is there to answer."""
    for e in entries([k for k in kinds if k in KEPT]):
        print(f"{e.kind}: {e.bytes / 1e6:.1f} MB in {e.files} files, {e.path}")
    if not sys.stdin.isatty():
        raise ConfigError("nothing was removed: say --yes where nobody can be asked.")
    if input("Remove them? They must be downloaded again. [y/N] ").strip().lower() not in ("y", "yes"):
        raise ConfigError("nothing was removed.")


def hub_bytes(folder: str | Path = HF_HUB_CACHE) -> int:
    """The size of the Hugging Face hub's cache, other programs' share included."""
    return scan_cache_dir(folder).size_on_disk if Path(folder).is_dir() else 0


def show() -> None:
    """Print the listing."""
    total = 0
    print(f"{cache_root()}")
    for kind, what in KINDS.items():
        found = list(entries((kind,)))
        size = sum(e.bytes for e in found)
        total += size
        print(f"  {kind:10} {size / 1e6:10.1f} MB  {what}")
        for e in found:
            print(f"    {e.bytes / 1e6:10.1f} MB {e.files:7} files  {e.path}")
    print(f"  {'in all':10} {total / 1e6:10.1f} MB")
    print(f"  {'beside':10} {hub_bytes() / 1e6:10.1f} MB  {HF_HUB_CACHE} (`hf cache` lists and clears it)")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.caches", description=__doc__.split("\n")[0])
    parser.add_argument("action", nargs="?", choices=("list", "clear"), default="list")
    parser.add_argument("kinds", nargs="*", help=", ".join(KINDS))
    parser.add_argument("--all", action="store_true", help=f"every kind but {', '.join(KEPT)}")
    parser.add_argument("--yes", action="store_true", help=f"do not ask before {', '.join(KEPT)} are removed")
    options = parser.parse_args(arguments)
    try:
        if options.action == "list":
            show()
            return 0
        if not options.kinds and not options.all:
            raise ConfigError(f"name what to clear ({', '.join(KINDS)}), or say --all.")
        kinds = [k for k in KINDS if k not in KEPT] if options.all else options.kinds
        if set(kinds) & set(KEPT) and not options.yes:
            ask(kinds)
        for e in clear(kinds):
            print(f"{e.kind}: {e.bytes / 1e6:.1f} MB freed, {e.path}")
    except GiftError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
