"""The environments in env/ hold the same pins, what they name is there, and what is fetched is named by its hash."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from gift_lib.runs.repository import ROOT

ENV = ROOT / "env"


def pins(path) -> dict[str, str]:
    """Package (normalised name) to version of a file of `name==version` lines."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE)
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
    text = (ENV / "environment.yml").read_text()
    dependencies = yaml.safe_load(text)["dependencies"]
    assert "python=3.11" in dependencies
    (line,) = dependencies[-1]["pip"]
    assert line == "-r requirements.lock" and (ENV / "requirements.lock").exists()
    assert "pip install --no-deps --no-build-isolation -e ." in text, "the library itself: a folder has no hash"


def test_the_crate_is_made_and_checked_by_one_version():
    checked, made = pins(ENV / "crate" / "requirements.txt"), pins(ROOT / "requirements.txt")
    assert checked["rocrate"] == made["rocrate"] and "roc-validator" in checked


def unhashed(text: str) -> list[str]:
    """The packages of a lock file that no hash names, or no exact version."""
    entries = text.replace("\\\n", " ").splitlines()
    entries = [e for e in entries if e.strip() and not e.startswith("#")]
    return [
        e.split()[0] for e in entries if not re.match(r"[\w.-]+==[^\s;*]+( ;[^#]*)? +--hash=sha256:[0-9a-f]{64}\b", e)
    ]


@pytest.mark.parametrize("path", ["requirements.lock", "slurm/requirements.txt", "crate/requirements.txt"])
def test_every_locked_package_has_hashes(path):
    text = (ENV / path).read_text()
    assert unhashed(text) == []
    assert text.count("--hash=sha256:") > text.count("==")
    assert "://" not in text, "an index is the reader's own choice"


@pytest.mark.parametrize(
    "line", ["a==1", "a>=1 --hash=sha256:" + "0" * 64, "a==1 --hash=sha256:12", "a==1.* --hash=md5:0"]
)
def test_a_package_without_a_hash_is_found(line):
    good = "b==2 ; python_version < '3.12' \\\n    --hash=sha256:" + "a" * 64
    assert unhashed(f"# a comment\n{good}\n{line}\n") == [line.split()[0]]


def test_what_make_installs_is_checked_against_the_hashes():
    recipe = (ROOT / "Makefile").read_text()
    installs = [line for line in recipe.splitlines() if "pip install" in line]
    assert [line.split("install ")[1] for line in installs] == [
        "--disable-pip-version-check --require-hashes -r env/requirements.lock",
        "--disable-pip-version-check --no-deps --no-build-isolation -e .",
        "--disable-pip-version-check --quiet --require-hashes -r env/crate/requirements.txt",
    ]


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def loose(text: str) -> list[str]:
    """What a workflow fetches by a name that can come to mean something else: actions by tag, packages without pin."""
    actions = re.findall(r"uses: (\S+)(.*)", text)
    pinned = r"[\w./-]+@[0-9a-f]{40}"
    found = [a for a, tag in actions if not (re.fullmatch(pinned, a) and re.match(r" # v\d+\.\d+\.\d+$", tag))]
    images = re.findall(r"(?:image|container): *(?!$)(\S+)|uses: docker://(\S+)", text)
    found += [name for one in images for name in one if name and not re.search(r"@sha256:[0-9a-f]{64}$", name)]
    installs = re.findall(r"pip install (.*)", text)
    return found + [i for i in installs if "--require-hashes" not in i and not re.fullmatch(r"[\w-]+==[\d.]+", i)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_names_what_it_fetches_by_hash(path):
    text = path.read_text()
    assert loose(text) == [] and text.count("uses: ") >= 2
    assert yaml.safe_load(text)["jobs"] and yaml.safe_load(text)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(
    "line",
    [
        "uses: a/b@v4",
        "uses: a/b@main",
        f"uses: a/b@{'0' * 40}",
        "image: python:3.11",
        "run: pip install x",
        "run: pip install x>=1",
    ],
)
def test_a_name_that_can_change_is_found(line):
    assert loose(f"      - {line}\n      - uses: a/b@{'f' * 40} # v1.2.3\n") == [
        line.split(" ", 1)[1].removeprefix("pip install ")
    ]


def test_one_version_of_each_action():
    used = {a for p in WORKFLOWS for a in re.findall(r"uses: (\S+)@(\S+)", p.read_text())}
    assert len(used) == len({name for name, _ in used}) >= 4


def test_the_versions_of_other_times_are_tried_every_week():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "bounds.yml").read_text())
    assert workflow[True]["schedule"], "yaml reads `on` as true"
    job = workflow["jobs"]["bounds"]
    assert job["strategy"]["matrix"] == {"which": ["lowest", "newest"], "python": ["3.11", "3.13"]}
    assert job["steps"][-1]["run"].startswith("env/bounds.sh ")
    script = (ROOT / "env" / "bounds.sh").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {*re.findall(r"--extra (\w+)", script)} == extras.keys() - {"data"}, "what the tests import"


@pytest.fixture
def colab():
    spec = importlib.util.spec_from_file_location("resolve_colab", ENV / "colab.py")
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


def test_colabs_list_is_within_the_declared_bounds(colab):
    """What needs no index: no version that Colab is known to have is below a bound, or above one."""
    from packaging.requirements import Requirement

    text = (ENV / "colab.txt").read_text()
    listed = colab.pins(text)
    assert colab.python_of(text) == "3.13" and listed["torch"] == "2.11.0" and listed["diffusers"] == "0.39.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {colab.normal(r.name): r.specifier for r in map(Requirement, project["dependencies"])}
    assert {n: listed[n] for n in asked.keys() & listed.keys() if not asked[n].contains(listed[n])} == {}
    assert asked.keys() - listed.keys() == {"open-clip-torch", "jaxtyping", "safetensors"}, "not there, or not known"


def test_a_package_that_would_change_is_named(colab):
    listed = {"torch": "2.11.0", "numpy": "2.1.3", "pandas": "2.2.3"}
    found = {"torch": "2.11.0+cu128", "numpy": "2.4.6", "jaxtyping": "0.3.11"}
    assert colab.changed(found, listed) == {"numpy": ("2.1.3", "2.4.6")}


@pytest.mark.slow
def test_the_library_goes_over_colabs_packages_and_changes_none(colab, capsys):
    """Through pip and its index, for Colab's Python, whatever the Python that asks."""
    assert colab.main() == 0
    said = capsys.readouterr().out
    assert "of Colab's packages stay" in said and "would change" not in said


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
