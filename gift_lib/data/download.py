"""Original data sets fetched by torchvision: into a folder of their own, moved into place when they are whole.

So a download or an extraction that was cut off is never taken for a data set: the next one keeps the archives
that are whole, throws the rest away and goes on from there. What lies in place already is not touched.
"""

import gzip
import os
import shutil
import zipfile
import zlib
from pathlib import Path

from gift_lib.files import make_folder, read_json, write_json

#: In a folder of original data: the note of what was fetched into it, and the folder of mirrors' files.
FETCHED, MIRRORS = ".fetched.json", "mirrors"
ARCHIVES = (".gz", ".tgz", ".zip", ".tar")
#: CIFAR-100's binary version: torchvision's own is a pickle.
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
CIFAR_MD5 = "03b5dce01913d631647c71ecec9e9cb8"


def fetched(root: Path) -> list[str]:
    """The folders in `root` that the library itself put there; what somebody else did is never removed."""
    return read_json(root / FETCHED) if (root / FETCHED).is_file() else []


def ours(root: Path) -> list[Path]:
    """What of a folder of original data the library fetched: data sets, unfinished ones, and mirrors' files."""
    names = [n for n in fetched(root) if isinstance(n, str) and Path(n).name == n]
    return [p for p in (root / n for n in (*names, ".unfinished", MIRRORS)) if p.is_dir() and not p.is_symlink()]


def staging(root: Path, name: str) -> Path:
    """Where a data set is while it is being fetched."""
    return root / ".unfinished" / name


def fetch(name: str, kind: str, arguments: dict, root: Path) -> None:
    """Download and extract a data set (`kind`: torchvision's class) and move it into `root`, without its archives.

    Raises whatever the network, the archive and torchvision raise.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import download_and_extract_archive

    place = make_folder(staging(root, name))
    keep_whole_archives(place)
    if kind:
        getattr(datasets, kind)(root=str(place), download=True, **arguments)
    else:
        download_and_extract_archive(CIFAR_URL, str(place), md5=CIFAR_MD5)
    for path in [p for p in place.rglob("*") if p.suffix in ARCHIVES]:
        path.unlink()
    folders = [p for p in place.iterdir() if p.is_dir()]
    write_json(root / FETCHED, sorted({*fetched(root), *(f.name for f in folders)}))
    for folder in folders:
        os.replace(folder, root / folder.name)
    shutil.rmtree(place)


def keep_whole_archives(folder: Path) -> None:
    """Remove everything else: torchvision would take a folder that it has not filled, or half a file, for done."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not (path.suffix in ARCHIVES and whole(path)):
            path.unlink()


def whole(archive: Path) -> bool:
    """Whether an archive can be read to its end; a few seconds per gigabyte."""
    try:
        if archive.suffix == ".zip":
            return zipfile.ZipFile(archive).testzip() is None
        with gzip.open(archive) as file:
            while file.read(1 << 24):
                pass
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        return False
    return True
