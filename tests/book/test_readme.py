"""The README says what the records say."""

import subprocess

import pytest
import write_readme
from fixtures_records import frame, sweep_records

from gift_lib import results
from gift_lib.errors import DataError
from gift_lib.evidence import claims
from gift_lib.runs import sweeps
from gift_lib.runs.repository import ROOT

MARKERS = "a\n<!-- results -->\nold\n<!-- /results -->\nb\n"


def committed() -> list[dict]:
    """The records that git knows; all that are there outside a repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "book/results"], cwd=ROOT, capture_output=True, text=True)
    known = {ROOT / name for name in listed.stdout.split("\0") if name}
    paths = [p for p in sorted(sweeps.RESULTS.rglob("*.json")) if p in known or listed.returncode]
    return [results.read(p) for p in paths]


def test_the_readme_agrees_with_the_committed_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert write_readme.written(text, results.load_frame(committed())) == text, "run: make readme"


def test_without_records_it_names_the_command():
    text = write_readme.written(MARKERS, frame([]))
    assert "old" not in text
    assert "no records yet. `make sweep NAME=table1" in text
    assert "Accuracy in percent" not in text, "there is none"
    assert text.startswith("a\n<!-- results -->\n") and text.endswith("<!-- /results -->\nb\n")
    assert write_readme.written(text, frame([])) == text


def test_it_shows_the_rows_that_have_records_beside_the_paper():
    text = write_readme.written(MARKERS, frame(sweep_records("table1", {"GIFT": 60.0, "ZSCL": 55.0}.get)))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [r.split(" | ")[0].strip("| ") for r in rows] == ["Order I", "---" * 1 + "|---" * 6, "ZSCL", "GIFT"]
    assert " 69.3 " in rows[-1] and " ± " in rows[-1]
    assert "no records yet. `make sweep NAME=table2" in text


def test_it_counts_the_claims():
    text, n = write_readme.written(MARKERS, frame([])), sum(not c.after_records for c in claims.load())
    assert f"Of {n} claims taken from the slides' text and tables, on the scale model: {n} no records yet." in text


def test_a_readme_without_markers_is_refused():
    with pytest.raises(DataError, match="put the two lines back"):
        write_readme.written("text", frame([]))


def test_the_command_writes_once(tmp_path, capsys):
    path = tmp_path / "README.md"
    path.write_text(MARKERS, encoding="utf-8")
    assert write_readme.main(path, tmp_path) == 0
    assert write_readme.main(path, tmp_path) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["README.md was written anew", "README.md is up to date"]
