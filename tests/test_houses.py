"""The houses of the library: who may import whom, and how large they may grow."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import gift_lib

ROOT = Path(gift_lib.__file__).parent
#: From the ground up: a module imports from its own floor and from those before it.
FLOORS = (
    "errors files device speed tasks config", "data", "concepts pool", "pictures", "generation", "generate",
    "clip losses consolidation", "methods", "metrics intervals evaluation checkpoint results", "training",
    "world", "runs", "evidence", "book live",
)  # fmt: skip


def floor_of(module: str) -> int:
    """The floor of `gift_lib.<room>...`."""
    room = module.split(".")[1]
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms.split())


@cache
def modules() -> dict[str, Path]:
    """Every module of the library by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("gift_lib", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(p for p in parts if p != "__init__")] = path
    return found


def imports(source: str) -> set[str]:
    """The modules of the library that a source names in its imports, wherever they stand."""
    named = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return {n for n in named if n in modules() and n != "gift_lib"}


def upward(name: str, source: str) -> list[str]:
    """`a -> b` for each import of module `name` from a floor above its own."""
    return [f"{name} -> {other}" for other in sorted(imports(source)) if floor_of(other) > floor_of(name)]


def test_no_import_runs_up():
    found = {n: p.read_text(encoding="utf-8") for n, p in modules().items() if n != "gift_lib"}
    assert not [arrow for name, source in found.items() for arrow in upward(name, source)]


def test_an_import_that_runs_up_is_named_with_both_ends():
    inside = "def f():\n    from gift_lib.evidence import tables\n"
    assert upward("gift_lib.training", inside) == [
        "gift_lib.training -> gift_lib.evidence", "gift_lib.training -> gift_lib.evidence.tables",
    ]  # fmt: skip
    assert upward("gift_lib.book.plots", "from gift_lib.runs import sweeps\nimport gift_lib.metrics") == []


def test_no_import_of_whole_modules_runs_in_a_circle():
    tops = {n: _at_top(p.read_text(encoding="utf-8")) & modules().keys() for n, p in modules().items()}

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        for other in tops[name]:
            if not name.startswith(f"{other}.") and other != name:  # a part may name its own house
                if other in done:
                    continue
                visit(other, (*way, name))
        done.add(name)

    done: set[str] = set()
    for name in tops:
        visit(name, ())


def test_pages_and_commands_import_what_draws_only_where_something_is_drawn():
    """Seaborn and pyplot take as long to load as all else: who prints a table does not wait for them."""
    sources = {n: p.read_text(encoding="utf-8") for n, p in modules().items()}
    drawing = {n for n, s in sources.items() if re.search(r"^import (seaborn|matplotlib\.pyplot)\b", s, re.MULTILINE)}
    assert {"gift_lib.book.plots", "gift_lib.book.theme"} <= drawing, "it would be found"
    reached, waiting = (
        set(),
        ["gift_lib.book.pages", "gift_lib.book.__main__", "gift_lib.evidence.row", "gift_lib.evidence.claims"],
    )
    while waiting:
        reached.add(name := waiting.pop())
        waiting += [n for n in _at_top(sources[name]) - reached if n != "gift_lib"]
    assert not reached & drawing and not any(
        "seaborn" in sources[n] for n in sources if not n.startswith("gift_lib.book.")
    )


def _at_top(source: str) -> set[str]:
    """Modules imported when the module itself is: not those that a function asks for."""
    body = [n for n in ast.parse(source).body if isinstance(n, (ast.Import, ast.ImportFrom))]
    return imports(ast.unparse(ast.Module(body, [])))


def test_the_core_stays_small():
    core = sorted(ROOT.glob("*.py"))
    assert len(core) <= 18, [p.name for p in core]
    assert all(_lines(p) < 400 for p in core)
    houses = [p.parent for p in ROOT.rglob("__init__.py") if p.parent != ROOT]
    sizes = {h.name: sum(_lines(f) for f in h.glob("*.py")) for h in houses}
    assert all(lines < 3000 for lines in sizes.values()), sizes


def test_the_tests_mirror_the_houses():
    tests = Path(__file__).parent
    folders = {d.name for d in tests.iterdir() if any(d.glob("test_*.py"))}
    assert folders == {"data", "methods", "speed", "world", "runs", "evidence", "book", "live"}
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders)


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("batch", "runs.batch"),
        ("tables", "evidence.tables"),
        ("book.claims", "evidence.claims"),
        ("pages", "book.pages"),
    ],
)
def test_an_old_name_tells_the_new_one(old, new):
    asked = subprocess.run([sys.executable, "-m", f"gift_lib.{old}"], capture_output=True, text=True, check=False)
    assert asked.returncode and f"gift_lib.{old} is now gift_lib.{new}." in asked.stderr
    with pytest.raises(ModuleNotFoundError, match=f"gift_lib.{new}"):
        __import__(f"gift_lib.{old}")


def missing(source: str) -> list[str]:
    """`a.b` for each name that a source takes of an imported module of the library, and that is not there.

    A module whose name is also that of something else in the source is left out.
    """
    nodes = list(ast.walk(ast.parse(source)))
    lines = [
        (f"{n.module}.{a.name}", a.asname or a.name) for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names
    ]
    named = {name: module for module, name in lines if module in modules()}
    others = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    others |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    reads = [n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)]
    taken = {
        (n.value.id, n.attr) for n in reads if isinstance(n.value, ast.Name) and n.value.id in named.keys() - others
    }
    gone = [(m, attr) for m, attr in sorted(taken) if not hasattr(importlib.import_module(named[m]), attr)]
    return [f"{name}.{attr}" for name, attr in gone]


def test_what_a_module_takes_of_another_is_there():
    found = {n: missing(p.read_text(encoding="utf-8")) for n, p in modules().items()}
    assert not {n: names for n, names in found.items() if names}
    assert missing("from gift_lib import results\nresults.find(1)") == ["results.find"]
    assert missing("from gift_lib import results\ndef f(results):\n    results.find(1)") == []
