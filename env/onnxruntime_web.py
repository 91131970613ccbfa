"""Bring onnxruntime-web, which runs networks in a browser, from npm's registry: one pinned version, its digest checked.

    python env/onnxruntime_web.py build/onnxruntime-web

Needs npm, nothing else. The folder then holds the two files that the page needs and the licence.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "onnxruntime-web@1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
#: The package names its licence (MIT) without the text; this is the text of onnxruntime's own repository.
LICENSE = Path(__file__).parent / "onnxruntime-web-LICENSE"


def fetch(folder: Path) -> Path:
    """The package's archive, as npm brings it."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("onnxruntime-web comes through npm, which is not here (for example: apt-get install npm).")
    patience = ["--fetch-retries=1", "--fetch-timeout=20000"]  # where there is no network, a build must not wait long
    command = [npm, "pack", "--silent", *patience, "--pack-destination", str(folder), PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    found = list(folder.glob("*.tgz"))
    if done.returncode or not found:
        raise SystemExit(f"npm did not bring {PACKAGE} ({done.stderr.strip()[-200:]}). Is there a network?")
    return found[0]


def unpack(archive: Path, folder: Path) -> None:
    """The files that are needed, after a check that the archive is the pinned one."""
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise SystemExit(f"{PACKAGE} is not the archive that was pinned (SHA-512 {found}): nothing was installed.")
    with tarfile.open(archive) as files:
        for name in FILES:
            (folder / name).write_bytes(files.extractfile(f"package/dist/{name}").read())
    shutil.copy(LICENSE, folder / "LICENSE")


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    target = Path(sys.argv[1]).resolve()
    version = target / "VERSION"
    if version.exists() and version.read_text() == PACKAGE:
        return
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        unpack(fetch(Path(folder)), target)
    version.write_text(PACKAGE)
    print(f"{PACKAGE} is in {target}")


if __name__ == "__main__":
    main()
