"""Packs: files that a page loads together, as scripts, since a page opened from a disk may fetch nothing else."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gift_lib.files import atomic_write, read_json, write_json

#: Bytes of one script before base64: small enough for a progress bar that moves.
PART = 2**19
#: What is known of the packs in a folder.
INDEX = "packs.json"


@dataclass(frozen=True)
class Pack:
    """A pack in the making: `mark` is the digest of all that its files depend on."""

    name: str
    mark: str
    make: Callable[[], Mapping[str, bytes]]


def write(folder: Path, packs: list[Pack]) -> tuple[dict[str, Any], bool]:
    """Write those packs of which the folder has none of the same mark; what to tell of all, and whether any was new.

    What the folder held beside them goes, and a writer that was killed goes on where it stopped.
    """
    old = read_json(folder / INDEX) if (folder / INDEX).exists() else {}
    found: dict[str, Any] = {}
    for pack in packs:
        known = old.get(pack.name)
        current = known and known["mark"] == pack.mark and all(p.exists() for p in scripts(folder, pack.name, known))
        found[pack.name] = known if current else {**write_scripts(folder, pack.name, pack.make()), "mark": pack.mark}
        write_json(folder / INDEX, old | found)
    keep = {p for name, told in found.items() for p in scripts(folder, name, told)}
    for stray in set(folder.glob("*-[0-9]*.js")) - keep:
        stray.unlink()
    write_json(folder / INDEX, found)
    return found, found != old


def scripts(folder: Path, name: str, told: Mapping[str, Any]) -> list[Path]:
    """The scripts of a pack."""
    return [folder / f"{name}-{i}.js" for i in range(told["parts"])]


def write_scripts(folder: Path, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Files as scripts `<name>-<i>.js`, gzipped together and in base64; what the page must know to read them."""
    packed = gzip.compress(b"".join(files.values()), 9, mtime=0)
    parts = [packed[i : i + PART] for i in range(0, len(packed), PART)]
    told = {"parts": len(parts), "bytes": len(packed), "files": [[k, len(v)] for k, v in files.items()]}
    for i, path in enumerate(scripts(folder, name, told)):
        text = base64.b64encode(parts[i]).decode()
        write_script(path, f"giftLive.part({json.dumps(name)},{i},{json.dumps(text)});")
    return told


def write_script(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
