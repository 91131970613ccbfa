"""Whether the library goes over the packages that Colab comes with (env/colab.txt) without changing one of them.

`python env/colab.py` builds the library's wheel and lets pip resolve it for Colab's Python with Colab's versions as
constraints. Nothing is installed. It needs a package index.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("colab.txt")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """Version by package of the lines `name==version`."""
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}


def python_of(text: str) -> str:
    """The Python that a list names in a comment."""
    return re.search(r"^# Python (\d+\.\d+)", text, re.MULTILINE)[1]


def resolve(wheel: Path, listed: Path = LIST) -> dict[str, str]:
    """Version by package of all that pip would install for a wheel into an empty Colab; its error where it cannot."""
    python = python_of(listed.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        where = ("--dry-run", "--target", folder, "--python-version", python, "--only-binary", ":all:")
        asked = (*PIP, "install", *where, "--report", report, "--constraint", listed, wheel)
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr.strip())
        found = [entry["metadata"] for entry in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return {normal(m["name"]): m["version"] for m in found}


def changed(found: dict[str, str], listed: dict[str, str]) -> dict[str, tuple[str, str]]:
    """(Colab's version, resolved version) of each package that would not stay as it is."""
    return {n: (listed[n], v) for n, v in found.items() if n in listed and v.partition("+")[0] != listed[n]}


def main() -> int:
    listed = pins(LIST.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*PIP, "wheel", "--no-deps", "-w", folder, ROOT], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        found = resolve(wheel)
    other = changed(found, listed)
    kept = len(found.keys() & listed.keys()) - len(other)
    print(f"{kept} of Colab's packages stay as they are; {len(found.keys() - listed.keys())} more are needed.")
    for name, (before, after) in other.items():
        print(f"{name} would change from {before} to {after}")
    return bool(other)


if __name__ == "__main__":
    sys.exit(main())
