"""Pages that are executed side by side are what the build finds in its cache; what fails is left to the build."""

import nbformat
import pytest
import yaml
from jupyter_cache import get_cache

from gift_lib.runs.repository import ROOT


@pytest.fixture
def ahead(monkeypatch):
    """The module, from the book's extensions; changes of the environment do not outlive the test."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    for name in ("PYTHONPATH", "GIFT_STATIC", "TQDM_DISABLE"):
        monkeypatch.setenv(name, "")
    import execute_ahead

    return execute_ahead


@pytest.fixture
def book(tmp_path, ahead, monkeypatch):
    """A book of one page that works, one that fails, and one of prose."""
    sources = {"works": "print(6 * 7)", "fails": "1 / 0"}
    (tmp_path / "book").mkdir()
    contents = {"root": "intro", "parts": [{"chapters": [{"file": name} for name in (*sources, "prose")]}]}
    (tmp_path / "book" / "_toc.yml").write_text(yaml.safe_dump(contents))
    (tmp_path / "_config.yml").write_text(yaml.safe_dump({"execute": {"timeout": 60}}))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name, source in sources.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata=kernel)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(ahead, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["execute_ahead.py", "--jobs", "2"])
    return tmp_path


def test_it_knows_every_notebook_of_the_contents(ahead):
    assert {p.stem for p in ahead.pages(ROOT)} == {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}


def test_what_was_executed_is_found_by_the_build_and_what_failed_is_not(ahead, book, capsys):
    ahead.main()
    said = capsys.readouterr().out
    assert "2 of 2 pages" in said
    assert "left to the build" in said
    cache = get_cache(ahead.cache_folder(book))
    assert not ahead.is_cached(cache, book / "fails.ipynb")
    _, merged = cache.merge_match_into_notebook(nbformat.read(book / "works.ipynb", 4))
    assert merged.cells[0].outputs[0].text == "42\n"
    ahead.main()
    assert "1 of 2 pages" in capsys.readouterr().out
