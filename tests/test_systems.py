"""Where the library runs, and with what: systems, Pythons, declared packages and their versions."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib

import pytest

from gift_lib import ELSEWHERE
from gift_lib.generation import pipeline
from gift_lib.runs.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: Distributions whose module has another name.
DISTRIBUTION = {"PIL": "pillow", "open_clip": "open-clip-torch", "sklearn": "scikit-learn", "yaml": "pyyaml"}
#: Modules that are there, or asked for, only in Colab.
COLAB = {"google"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """The distributions that the project and some of its extras ask for."""
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    return {normal(re.match(r"[\w.-]+", d)[0]) for group in groups for d in group}


def imported(source: str) -> set[str]:
    """The distributions that a source imports, wherever its imports stand."""
    tops = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            tops |= {a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            tops.add(node.module.partition(".")[0])
    return {normal(DISTRIBUTION.get(t, t)) for t in tops - sys.stdlib_module_names - COLAB - {"gift_lib"}}


def undeclared(folder, known: set[str]) -> dict[str, set[str]]:
    """What the modules of a folder import that is neither declared nor a module of the folder's own."""
    own = {normal(p.stem) for p in folder.rglob("*.py")} | {folder.name}
    found = {p.name: imported(p.read_text(encoding="utf-8")) - known - own for p in sorted(folder.rglob("*.py"))}
    return {name: lacking for name, lacking in found.items() if lacking}


def test_every_import_of_the_library_is_declared():
    """Controls ask for ipywidgets, mirrors of data sets for datasets, runs of a batch for papermill: extras."""
    optional = {"datasets", "ipywidgets", "onnx", "papermill", "traitlets"}
    assert undeclared(ROOT / "gift_lib", declared() | optional) == {}
    assert optional <= declared("data", "book", "sweep")
    assert {"ipython", "huggingface-hub", "tokenizers"} <= declared()


def test_every_import_of_the_tests_is_declared():
    ours = {normal(p.stem) for p in (ROOT / "book" / "_ext").glob("*.py")}
    known = declared("test", "data", "book", "sweep") | {
        "docutils",
        "jupyter-cache",
        "markdown-it",
        "mdit-py-plugins",
    }  # of jupyter-book
    assert undeclared(ROOT / "tests", known | ours) == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from IPython.display import HTML", {"ipython"}),
        ("def f():\n    import PIL.Image, os", {"pillow"}),
        ("from . import a\nimport gift_lib.pool\nfrom google.colab import drive", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(source, found):
    assert imported(source) == found


def said_on(system: str, machine: str) -> subprocess.CompletedProcess:
    """`import gift_lib` where Python says that it runs on another system."""
    pretend = (
        f"import platform, sys; sys.platform = {system!r}; platform.machine = lambda: {machine!r}; import gift_lib"
    )
    return subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("system", "machine"), [("win32", "AMD64"), ("darwin", "x86_64"), ("freebsd14", "amd64")])
def test_a_system_without_the_library_is_told_which_ones_have_it(system, machine):
    done = said_on(system, machine)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == f"ImportError: {ELSEWHERE}"
    assert "WSL" in ELSEWHERE and "Apple silicon" in ELSEWHERE and "fcntl" not in done.stderr


@pytest.mark.parametrize(("system", "machine"), [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")])
def test_the_systems_that_have_it_say_nothing(system, machine):
    done = said_on(system, machine)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_names_the_systems_in_one_line():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (said,) = (line for line in lines if "WSL" in line)
    assert all(word in said for word in ("Linux", "Apple silicon", "Windows"))


def test_the_tested_pythons_are_those_declared():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    tested = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", workflow)[1])
    listed = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    assert {"3.11", "3.13"} <= set(tested) <= set(listed)
    assert PROJECT["requires-python"] == f">={listed[0]}"


def test_loading_weights_warns_of_nothing_whatever_diffusers_calls_the_precision():
    """By both loaders, in a process of its own: a warning of diffusers or transformers goes straight to stderr."""
    program = (
        "from gift_lib.generation.pipeline import MINI, load_pipeline; from gift_lib.world import diffusion\n"
        "for pipe in (load_pipeline('mini'), load_pipeline('mini', precision='bf16'), diffusion.load(MINI)):\n"
        "    print(*{str(pipe.components[n].dtype) for n in ('unet', 'vae', 'text_encoder')})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["torch.float32", "torch.bfloat16", "torch.float32"]
    said = re.split(r"[\r\n]", done.stderr)
    assert [line for line in said if line.strip() and not re.search(r"Loading .*\d+%", line)] == [], "but for bars"


@pytest.mark.parametrize(("version", "name"), [("0.39.0", "torch_dtype"), ("0.40.0", "dtype"), ("1.2.0.dev0", "dtype")])
def test_the_precision_has_the_name_of_the_version(version, name):
    source = inspect.getsource(pipeline)
    (line,) = re.findall(r"^DTYPE = .*$", source, re.MULTILINE)
    exec(line, {"version": lambda package: version}, found := {})
    assert found == {"DTYPE": name}
