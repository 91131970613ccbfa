"""The book as one PDF file."""

import shutil

import pytest

from gift_lib.runs.repository import ROOT


@pytest.fixture
def printer(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    import print_pdf

    return print_pdf


@pytest.fixture
def single(tmp_path):
    """What Sphinx's singlehtml leaves: the page one folder below the files that it names."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "intro.html").write_text("<h1>A book</h1><img src='picture.svg'>")
    (tmp_path / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    return tmp_path


def test_the_page_lies_beside_what_it_names(printer, single):
    assert printer.page(single).parent == single


def test_no_book_and_no_browser_are_one_clear_error_each(printer, single, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="make pdf"):
        printer.page(tmp_path / "elsewhere")
    monkeypatch.setattr(printer, "BROWSERS", ("no-such-browser",))
    with pytest.raises(SystemExit, match="apt-get install chromium"):
        printer.print_page(printer.page(single), tmp_path / "book.pdf")


@pytest.mark.slow
def test_a_page_becomes_a_pdf(printer, single, tmp_path, monkeypatch, capsys):
    if not any(map(shutil.which, printer.BROWSERS)):
        pytest.skip("needs Chromium, for example: apt-get install chromium")
    monkeypatch.setattr("sys.argv", ["print_pdf.py", str(single), str(tmp_path / "book.pdf")])
    printer.main()
    assert (tmp_path / "book.pdf").read_bytes()[:5] == b"%PDF-"
    assert "MB" in capsys.readouterr().out
