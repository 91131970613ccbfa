"""The library installed by itself, in an empty folder with no clone around it: every page finds what it reads."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gift_lib import results
from gift_lib.evidence import claims
from gift_lib.runs import published, repository, sweeps

NOTEBOOKS = sorted((repository.ROOT / "notebooks").glob("*.ipynb"))

#: Run beside an installed library: what each page imports, and every call of it that reads what the book holds and
#: that its parameters alone decide. One line of JSON per page: its calls, and those that failed.
READ = """
import ast, functools, json, sys
from gift_lib.book import pages
pages.records = functools.cache(pages.records)
FIGURES = ("points", "curve", "matrix", "transfer_last")  # draw what others say, slowly
READERS = {"pages": {*dir(pages)} - {*FIGURES}, "sweeps": {"load"}, "claims": {"untested"}, "tables": {"published"}}

def reads(call):
    f = call.func
    owner = f.value.id if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) else None
    return owner in READERS and f.attr in READERS[owner]

for path in sys.argv[1:]:
    cells = [c for c in json.load(open(path))["cells"] if c["cell_type"] == "code"]
    tree, names = ast.parse("\\n".join("".join(c["source"]) for c in cells[1:])), {}
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            exec(ast.unparse(node), names)
    exec("".join(next(c for c in cells if "parameters" in c["metadata"].get("tags", []))["source"]), names)
    done, failed = 0, []
    for text in sorted({ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Call) and reads(n)}):
        try:
            eval(text, names)
            done += 1
        except NameError:  # of what the page has computed
            pass
        except Exception as error:
            failed.append(f"{text}: {error!r}")
    print(json.dumps({"page": path, "done": done, "failed": failed}), flush=True)
"""


def outside(program: str, target: Path, folder: Path, *arguments: str | Path) -> str:
    """The output of a program that sees the library in `target` alone and runs in `folder`."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIFT_")}
    variables |= {"PYTHONPATH": str(target), "PYTHONWARNINGS": "ignore", "GIFT_CACHE": str(folder.parent / "cache")}
    asked = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(asked, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(a folder with the library of a built wheel, an empty folder, copies of all notebooks elsewhere)."""
    folder = tmp_path_factory.mktemp("installed")
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    pip = [sys.executable, "-m", "pip"]
    # In the tree's own build/ setuptools would also pack what an earlier build left and the tree no longer has.
    (folder / "build.cfg").write_text(f"[build]\nbuild_base = {folder / 'build'}\n")
    env = {**os.environ, "DIST_EXTRA_CONFIG": str(folder / "build.cfg")}
    build = [*pip, "wheel", *quiet, "--no-build-isolation", "-w", folder / "wheel", repository.ROOT]
    subprocess.run(build, check=True, capture_output=True, env=env)
    (wheel,) = (folder / "wheel").glob("*.whl")
    subprocess.run([*pip, "install", *quiet, "--no-index", "--target", folder / "library", wheel], check=True)
    (folder / "empty").mkdir()
    shutil.copytree(repository.ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("sweeps"))
    return folder / "library", folder / "empty", sorted((folder / "notebooks").glob("*.ipynb"))


def test_the_installed_library_is_another_and_stands_alone(installed):
    library, empty, _ = installed
    ask = "import gift_lib; from gift_lib.runs import repository as r; print(gift_lib.__file__, r.home() == r.SHIPPED)"
    where, alone = outside(ask, library, empty).split()
    assert Path(where).is_relative_to(library) and alone == "True"
    assert not [p for p in library.rglob("*") if p.is_symlink()], "what was shipped are files, not links"


def test_it_brings_the_records_sweeps_claims_and_numbers_of_the_book(installed):
    library, empty, _ = installed
    ask = """
import json
from gift_lib import results
from gift_lib.book import widgets
from gift_lib.evidence import claims
from gift_lib.runs import published, repository, sweeps
records = [r["key"] for folder in repository.records_folders() for r in results.read_all(folder)]
bench = sorted(p.name for p in (repository.book_folder() / "bench").glob("*.json"))
print(json.dumps([sorted(records), sweeps.names(), [c.id for c in claims.load()], len(published.load()), bench,
                  widgets.SCRIPT.exists() and widgets.STYLE.exists()]))"""
    found = json.loads(outside(ask, library, empty))
    keys = sorted(r["key"] for r in results.read_all(repository.ROOT / "book" / "results"))
    assert found[0] == keys and len(keys) > 300
    assert found[1:4] == [sweeps.names(), [c.id for c in claims.load()], len(published.load())]
    assert found[4] == sorted(p.name for p in (repository.ROOT / "book" / "bench").glob("*.json"))
    assert found[5], "controls need their script and their looks"


def test_every_page_finds_what_it_reads(installed):
    library, empty, notebooks = installed
    assert len(notebooks) == len(NOTEBOOKS) >= 35
    lines = [json.loads(line) for line in outside(READ, library, empty, *notebooks).splitlines()]
    assert [Path(line["page"]).name for line in lines] == [p.name for p in notebooks]
    assert {Path(line["page"]).stem: line["failed"] for line in lines if line["failed"]} == {}
    assert sum(line["done"] for line in lines) > 60
    assert list(empty.iterdir()) == [], "reading leaves nothing"


WHERE = """
from gift_lib.runs import repository as r, sweeps
print(r.home(), r.records_folder(), sweeps.RESULTS, *r.records_folders(), *sweeps.names())"""


def test_new_records_go_to_the_current_folder_and_are_read_beside_the_books(installed):
    library, empty, _ = installed
    shipped = library / "gift_lib" / "shipped"
    home, written, results_of_sweeps, *read = outside(WHERE, library, empty).split()
    assert (home, written, results_of_sweeps) == (str(shipped), "results", "results")
    assert read[:2] == [str(shipped / "book" / "results"), "results"] and read[2:] == sweeps.names()


@pytest.mark.parametrize("inside", ["notebooks", "notebooks/sweeps"])
def test_in_a_clone_its_files_win(installed, tmp_path, inside):
    """A notebook of a clone with an installed library shows the clone's records, wherever in it the kernel starts."""
    library, _, _ = installed
    for name in ("book/_toc.yml", "gift_lib/__init__.py", "notebooks/sweeps/mine.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("title: Mine\nvariants: {a: {}}\n")
    kept = str(tmp_path / "book" / "results")
    assert outside(WHERE, library, tmp_path / inside).split() == [str(tmp_path), kept, kept, kept, "mine"]


def test_in_this_clone_the_shipped_folder_holds_links_and_no_copies():
    links = [p for p in repository.SHIPPED.rglob("*") if p.is_symlink()]
    assert sorted(str(p.relative_to(repository.SHIPPED)) for p in links) == [
        "book/bench", "book/data", "book/results", "notebooks/sweeps",
    ]  # fmt: skip
    assert all(p.resolve() == repository.ROOT / p.relative_to(repository.SHIPPED) for p in links)
    assert not [p for p in repository.SHIPPED.rglob("*") if p.is_file() and not p.is_symlink()]
