"""The environments in env/ hold the same pins, and what they name is there."""

import re
import shutil
import subprocess
import sys
import tomllib

import yaml

from gift_lib.runs.repository import ROOT

ENV = ROOT / "env"


def pins(path) -> dict[str, str]:
    """Package (normalised name) to version of a file of `name==version` lines."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in lines}


def copied() -> list[list[str]]:
    """The sources of every COPY of the image, in order."""
    return [line.split()[1:-1] for line in (ENV / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]


def test_the_lock_holds_every_pin():
    wanted, lock = pins(ROOT / "requirements.txt"), pins(ENV / "requirements.lock")
    assert {name: lock.get(name) for name in wanted} == wanted
    assert len(lock) > len(wanted) > 20


def test_every_direct_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *(v for k, v in project["optional-dependencies"].items() if k != "data")]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", d)[0]).lower() for group in groups for d in group}
    assert names - pins(ROOT / "requirements.txt").keys() == set()


def test_conda_brings_python_and_takes_the_pins():
    dependencies = yaml.safe_load((ENV / "environment.yml").read_text())["dependencies"]
    assert "python=3.11" in dependencies
    lines = [line.split() for line in dependencies[-1]["pip"]]
    assert [flag for flag, _ in lines] == ["-r", "-c", "-e"]
    assert all((ENV / path).exists() for _, path in lines)


def test_the_image_copies_what_is_there_and_enough_to_install(tmp_path):
    """The layer of packages is built before the library is copied: its files alone must be installable."""
    *early, everything = copied()
    assert everything == ["."]
    for name in (name for names in early for name in names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    quiet = ["--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "-e", "."], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Would install gift-lib" in done.stdout
