"""Where the project lives: its address on the network, kept here alone, and its folders on disk.

A library that was installed by itself brings what pages read (records, sweeps, claims, published numbers) in
`gift_lib/shipped`. In a clone the same folder holds links to the files themselves.

`python -m gift_lib.runs.repository https://github.com/OWNER/NAME` writes a new address here and in every file that
repeats it, because it must (a notebook opened in Colab is all that Colab has).
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from gift_lib.errors import ConfigError, GiftError
from gift_lib.files import atomic_write, expanded

ADDRESS = "https://github.com/gift-book/gift-book"

#: The clone that this library runs from (meaningless where it was installed by itself: see `in_clone`).
ROOT = Path(__file__).resolve().parents[2]

#: What an installed library brings of `book/` and `notebooks/`, laid out as in a clone.
SHIPPED = Path(__file__).resolve().parents[1] / "shipped"

#: Files that may repeat the address, relative to the clone.
PLACES = (
    "*.md",
    "*.toml",
    "*.cff",
    "_config.yml",
    "book/**/*.md",
    "notebooks/**/*.ipynb",
    "gift_lib/runs/repository.py",
)

#: The first cell of every notebook: installs the library where it is not importable, from the clone around the
#: notebook if there is one, and never touches torch.
FIRST_CELL = """\
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("gift_lib") is None:  # for example in Colab
    here, inside = Path.cwd(), "gift_lib/__init__.py"
    above = (here, *here.parents)
    clone = [str(p) for p in above if (p / inside).is_file()]
    address = "gift-lib @ git+{address}"
    library = ["-e", clone[0]] if clone else [address]
    for name in filter(importlib.util.find_spec, ("torch", "torchvision")):
        library.append(f"{{name}}=={{importlib.metadata.version(name)}}")
    install = [sys.executable, "-m", "pip", "install", "-q", *library]
    subprocess.run(install, check=True)
    # A kernel that runs already learns of it in this way
    sys.path += clone[:1]"""


def first_cell() -> str:
    """The source of every notebook's first code cell."""
    return FIRST_CELL.format(address=ADDRESS)


def is_clone(folder: Path) -> bool:
    """Whether a folder is a clone of the project, with the book in it."""
    return (folder / "book" / "_toc.yml").is_file() and (folder / "gift_lib" / "__init__.py").is_file()


def in_clone() -> bool:
    """Whether the library runs from a clone of the project, with the book beside it."""
    return is_clone(ROOT)


def home() -> Path:
    """The folder with `book` and `notebooks/sweeps` in it: the clone around the library, else the one around the
    working folder, else what the installed library brought."""
    return next(filter(is_clone, (ROOT, Path.cwd(), *Path.cwd().parents)), SHIPPED)


def book_folder() -> Path:
    """The `book` folder of `home()`, or the one that the environment variable GIFT_BOOK names."""
    named = os.environ.get("GIFT_BOOK")
    return expanded(named) if named else home() / "book"


def records_folder() -> Path:
    """Where records are written: the book's own in a clone, else `results` in the current folder."""
    return Path("results") if home() == SHIPPED else home() / "book" / "results"


def records_folders() -> list[Path]:
    """Where records are read: those that came with an installed library, then the reader's own."""
    return list(dict.fromkeys([home() / "book" / "results", records_folder()]))


def slug(address: str) -> str:
    """`OWNER/NAME` of a GitHub address; ConfigError for any other address (Colab opens no other)."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?/?", address)
    if not match:
        raise ConfigError(f"{address!r} is no address of the form https://github.com/OWNER/NAME. Give one that is.")
    return match[1]


def forms(address: str) -> dict[str, str]:
    """The ways in which the address is written: repository, in launch links, and as the published book."""
    owner, name = slug(address).split("/")
    return {
        "repository": f"github.com/{owner}/{name}",
        "launch": f"/github/{owner}/{name}",
        "short": f"/gh/{owner}/{name}",
        "book": f"https://{owner.lower()}.github.io/{name}",
    }


def places(root: Path = ROOT) -> Iterator[Path]:
    """Every file under `root` that may repeat the address."""
    for pattern in PLACES:
        yield from sorted(p for p in root.glob(pattern) if ".ipynb_checkpoints" not in p.parts)


def rewrite(new: str, root: Path = ROOT, old: str = ADDRESS) -> list[Path]:
    """Replace the address `old` by `new` in every file; the files that changed."""
    before, after = forms(old), forms(new)
    changed = []
    for path in places(root):
        text = path.read_text(encoding="utf-8")
        for name, form in before.items():
            text = re.sub(rf"{re.escape(form)}(?![\w-])", after[name], text)
        if text != path.read_text(encoding="utf-8"):
            with atomic_write(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main(arguments: list[str] | None = None) -> int:
    """The command: rewrite the address everywhere and list the files."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.repository", description=__doc__.splitlines()[0])
    parser.add_argument("address", help="https://github.com/OWNER/NAME")
    try:
        for path in rewrite(parser.parse_args(arguments).address):
            print(path.relative_to(ROOT))
    except GiftError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
