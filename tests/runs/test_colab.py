"""Colab: what its first cell does, and a whole notebook as Colab runs it, in an environment that has torch already."""

import ast
import importlib.machinery
import json
import os
import resource
import shutil
import site
import subprocess
import sys
import sysconfig
import time
import types
from pathlib import Path

import pytest

from gift_lib import files, generate, methods
from gift_lib.config import experiment
from gift_lib.data import cache, mtil
from gift_lib.errors import ConfigError
from gift_lib.generation import painter
from gift_lib.runs import colab, repository
from gift_lib.training import Runtime, run

#: What Colab does not come with. Everything else that is installed here stands in for what it has.
ABSENT = ("gift_lib", "__editable__", "open_clip", "jaxtyping", "wadler_lindig", "ftfy", "distutils-precedence")
#: Seconds: the first cell's bar, of processor time here, since a test may share its machine.
BAR = 120
SMALL = {"overrides": {"tasks": ["terrain", "digits"], "steps": 2, "images_per_task": 4, "denoising_steps": 1,
                       "batch_size": 4, "synthetic_batch_size": 2}, "workers": 1}  # fmt: skip


# --- quick --------------------------------------------------------------------------------------------------------


def test_the_first_cell_does_nothing_where_the_library_is(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("installed something"))
    exec(repository.first_cell(), {})


@pytest.fixture
def commands(monkeypatch):
    """What the first cell would run where the library is not importable, without running it."""
    import importlib.util

    calls, honest = [], importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "gift_lib" else honest(n))
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return calls


def test_the_first_cell_keeps_the_torch_that_is_there(commands, monkeypatch, tmp_path):
    import importlib.metadata

    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    exec(repository.first_cell(), {})
    ((*start, library, torch, vision),) = commands
    assert start == [sys.executable, "-m", "pip", "install", "-q"] and sys.path == before
    assert library == f"gift-lib @ git+{repository.ADDRESS}"
    assert torch == f"torch=={importlib.metadata.version('torch')}" and vision.startswith("torchvision==")


@pytest.mark.parametrize("inside", ["notebooks", ".", "notebooks/my own/deeper"])
def test_the_first_cell_installs_the_clone_around_it(commands, monkeypatch, tmp_path, inside):
    """With a kernel that lacks the library; it is importable at once, although pip's link is read at the next start."""
    clone = tmp_path / "a clone"
    for name in (f"{inside}/page.ipynb", "gift_lib/__init__.py"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("")
    monkeypatch.chdir(clone / inside)
    exec(repository.first_cell(), {})
    ((*start, flag, library, torch, _),) = commands
    assert start == [sys.executable, "-m", "pip", "install", "-q"] and (flag, library) == ("-e", str(clone))
    assert torch.startswith("torch==") and sys.path[-1] == str(clone)


@pytest.fixture
def drive(monkeypatch, tmp_path):
    """A module `google.colab` whose Drive is a folder."""
    fake = types.ModuleType("google.colab")
    fake.__spec__ = importlib.machinery.ModuleSpec("google.colab", None)  # other libraries ask whether this is Colab
    fake.drive = types.SimpleNamespace(mount=lambda where: Path(where, "MyDrive").mkdir(parents=True, exist_ok=True))
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", fake)
    for name in ("GIFT_CACHE", "GIFT_DECODED", "GIFT_DATA"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path / "drive"


def test_state_goes_to_the_drive_and_what_is_large_does_not(drive, tmp_path):
    kept = colab.keep_on_drive("mine", mount=drive, local=tmp_path / "local")
    assert kept == drive / "MyDrive" / "mine" == files.cache_root()
    assert cache.images_root() == tmp_path / "local" / "images"
    assert mtil.data_root() == tmp_path / "local" / "downloads"


def test_a_run_goes_on_from_the_drive_after_a_disconnect(drive, tmp_path, monkeypatch):
    """The machine is gone, the Drive is not: the second machine resumes the first one's run and draws nothing twice."""
    e = experiment(seed=201, **{**SMALL["overrides"], "tasks": ("terrain", "digits")})
    runtime = Runtime(progress=False, checkpoint_every=1)
    colab.keep_on_drive(mount=drive, local=tmp_path / "first machine")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(methods.Method, "after_task", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run(e, runtime)
    colab.keep_on_drive(mount=drive, local=tmp_path / "second machine")
    drawn = []
    honest = painter.fill
    monkeypatch.setattr(painter, "fill", lambda p, chunk, c: (drawn.extend(chunk), honest(p, chunk, c)))
    record = run(e, runtime)
    first = set(generate.plan(e, generate.data.load_tasks(e))[0])
    assert record["run"]["resumed"] and drawn and not first & set(drawn)


def test_no_drive_outside_colab():
    with pytest.raises(ConfigError, match="GIFT_CACHE"):
        colab.keep_on_drive()


# --- as Colab would -----------------------------------------------------------------------------------------------


def environment(folder: Path) -> Path:
    """A virtual environment that finds torch and the rest of this one's packages, but not the library: its python."""
    base = folder / "comes with the machine"
    base.mkdir()
    for path in map(Path, {*site.getsitepackages(), sysconfig.get_path("purelib")}):
        for entry in path.iterdir() if path.is_dir() else ():
            if not entry.name.startswith((*ABSENT, "_distutils")) and entry.suffix != ".pth":
                (base / entry.name).symlink_to(entry)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "uninstall", "-qy", "setuptools"], check=True)  # the machine's counts
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    inside = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    Path(inside, "machine.pth").write_text(f"{base}\n")
    return python


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """(python, its environment variables, an empty folder, the clone that stands for the repository)."""
    folder = tmp_path_factory.mktemp("colab")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", f"file://{repository.ROOT}", clone], check=True)
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("GIFT_", "PYTHON", "VIRTUAL_ENV"))}
    variables |= {
        # the notebook's own address, served from the clone
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{clone}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository.ADDRESS, "GIFT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "data"), "MPLCONFIGDIR": str(folder / "mpl"),
    }  # fmt: skip
    (folder / "content").mkdir()
    return environment(folder), variables, folder / "content", clone


def ask(machine, code: str) -> str:
    python, variables, content, _ = machine
    done = subprocess.run([python, "-c", code], env=variables, cwd=content, check=True, capture_output=True, text=True)
    return done.stdout.strip()


TORCH = "import torch; print(torch.__file__, torch.__version__)"
LISTED = "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions()))"


@pytest.fixture(scope="module")
def ready(machine):
    """The machine after a notebook's first cell, run twice: (wall, processor) seconds of each; packages before."""
    absent = "import importlib.util as u; print([n for n in ('gift_lib', 'open_clip', 'torch') if u.find_spec(n)])"
    assert ask(machine, absent) == "['torch']"
    before, seconds = (ask(machine, LISTED), ask(machine, TORCH)), []
    python, variables, content, _ = machine
    for _ in range(2):
        start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, "-c", repository.first_cell()], env=variables, cwd=content, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append((time.perf_counter() - start, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime))
    return seconds, *before


@pytest.mark.slow
def test_the_first_cell_installs_the_library_and_leaves_the_rest(machine, ready):
    """Empty folder, torch already there, installed from git by the notebook's first cell."""
    seconds, listed, torch = ready
    print([f"{wall:.1f} s, {cpu:.1f} s of processor time" for wall, cpu in seconds])
    assert seconds[0][1] < BAR and seconds[1][1] < 10
    assert ask(machine, TORCH) == torch
    before, after = (set(ast.literal_eval(text)) for text in (listed, ask(machine, LISTED)))
    assert before - after == set() and {name for name, _ in after - before} >= {"gift-lib", "jaxtyping"}
    inside = Path(ask(machine, "import gift_lib; print(gift_lib.__file__)")).parent.parent
    assert not [p.name for p in inside.iterdir() if p.name.startswith(("torch-", "torchvision-", "nvidia", "triton"))]
    assert (inside / "gift_lib" / "weights" / "mini" / "clip" / "open_clip_model.safetensors").exists()


@pytest.mark.slow
def test_a_notebook_as_colab_runs_it(machine, ready):
    """After the first cell, in the empty folder, by papermill and with parameters of its own."""
    python, variables, content, clone = machine
    shutil.copy(clone / "notebooks" / "experiment.ipynb", content)
    command = [python, "-m", "papermill", "experiment.ipynb", "out.ipynb", "-y", json.dumps(SMALL),
               "--no-progress-bar"]  # fmt: skip
    done = subprocess.run(command, env=variables, cwd=content, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (record,) = (content / "results").rglob("*.json")
    assert json.loads(record.read_text())["result"]["tasks"] == ["terrain", "digits"]


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(p.stem for p in (repository.ROOT / "notebooks").glob("*.ipynb")))
def test_every_page_runs_in_full_as_colab_runs_it(machine, ready, page, tmp_path):
    """Top to bottom, in an empty folder, with nothing of the clone around it: half an hour for all on two cores."""
    python, variables, _, clone = machine
    shutil.copy(clone / "notebooks" / f"{page}.ipynb", tmp_path)
    command = [python, "-m", "papermill", f"{page}.ipynb", "out.ipynb", "--no-progress-bar"]
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (tmp_path / "book").exists(), "what a page reads it brought along"
