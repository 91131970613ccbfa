"""The table of a batch in a terminal."""

import pytest
from fixtures_records import record

from gift_lib import results
from gift_lib.book.__main__ import main
from gift_lib.config import experiment
from gift_lib.runs import batch

MINE = "title: Temperatures\nbase: {consolidation: none}\nseeds: 2\nvariants:\n  on: {}\n  off: {temperature: 8.0}\n"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A sweep of a reader's own with three of its four records, in a folder of its own."""
    monkeypatch.setattr(batch, "identity", lambda e: results.identity("world", "clip", "pipeline"))
    (tmp_path / "mine.yml").write_text(MINE)
    for settings in ({"seed": 0}, {"seed": 1}, {"seed": 0, "temperature": 8.0}):
        results.write(record(experiment(consolidation="none", **settings)), tmp_path / "records")
    return tmp_path


def test_a_table_of_one_s_own_sweep_shows_what_is_there_and_says_what_is_missing(mine, capsys):
    assert main([str(mine / "mine.yml"), "--results", str(mine / "records")]) == 0
    told = capsys.readouterr().out
    assert "Temperatures: 3 of 4 runs have records." in told
    assert f"make sweep NAME={mine}/mine.yml" in told
    rows = [line.split("|")[1].strip() for line in told.splitlines() if line.startswith("|")]
    assert rows.count("on") == 1 and "off" in rows


def test_one_without_records_says_how_to_make_them(mine, capsys):
    (mine / "none").mkdir()
    assert main([str(mine / "mine.yml"), "--results", str(mine / "none")]) == 0
    assert "no records yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine"], "there is no sweep 'mine'"),
        ([","], "names no sweep"),
        (["table1", "--scale", "foo"], "there is no scale"),
        (["table1", "--results", "/nowhere"], "there is no folder /nowhere"),
    ],
)
def test_bad_commands_are_one_clear_error(capsys, words, said):
    assert main(words) == 2
    assert said in capsys.readouterr().err
