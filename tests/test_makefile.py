"""What a caller sets reaches a command as it is: no value is expanded by make or read by a shell."""

import os
import subprocess
from pathlib import Path

import pytest

from gift_lib.runs.repository import ROOT

ODD = 'a b$c\'d `e` "f" $(touch marker) ; touch marker'
TARGETS = {
    "sweep": ("NAME", "SCALE", "DEVICE", "SEEDS", "JOBS"),
    "sweep-status": ("NAME", "SCALE", "SEEDS", "JOBS"),
    "table": ("NAME", "SCALE"),
    "row": ("FILE", "ORDER", "SCALE", "DEVICE", "JOBS"),
    "verify": ("N",),
    "live": ("METHODS",),
    "zero-shot": ("SCALE", "DEVICE"),
    "dry-run": ("SCALE", "METHOD", "DEVICE"),
    "world": ("DEVICE",),
    "bench": ("DEVICE",),
    "bench-against": ("REV", "PAIRS"),
}
#: Stands for every program of the environment: it prints its arguments, one a line.
PROGRAM = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"


@pytest.fixture
def clone(tmp_path):
    """The Makefile with an environment whose programs only say how they were called."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "env/requirements.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("python", "snakemake"):
        (binaries / name).write_text(PROGRAM)
        (binaries / name).chmod(0o755)
    stamp = "cat requirements.txt env/requirements.lock pyproject.toml | cksum | cut -d' ' -f1"
    digest = subprocess.run(stamp, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / ".venv" / f".installed-{digest}").touch()
    return tmp_path


def made(clone: Path, *words: str, **environment: str) -> list[str]:
    """The arguments that the program of a target was called with."""
    ran = subprocess.run(["make", "-s", *words], cwd=clone, env={**os.environ, **environment}, capture_output=True,
                         text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert not list(clone.rglob("marker"))
    return ran.stdout.splitlines()


@pytest.mark.parametrize("target", TARGETS)
def test_values_are_text(clone, target):
    words = made(clone, target, *(f"{name}={ODD}" for name in TARGETS[target]))
    assert sum(ODD in word for word in words) == len(TARGETS[target])


def test_values_of_the_environment_are_text_too(clone):
    assert f"name={ODD}" in made(clone, "sweep", NAME=ODD)


def test_defaults_and_what_depends_on_them(clone):
    words = made(clone, "sweep")
    assert words[:1] == ["--cores=2"] and words[-4:] == ["name=all", "scale=mini", "device=cpu", "seeds="]
    assert "--fresh" not in made(clone, "verify") and "--fresh" in made(clone, "verify", "FRESH=1")
    row = made(clone, "row", "FILE=mine.py")
    assert row[row.index("--seeds") + 1] == "0-4"
