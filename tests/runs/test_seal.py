"""Sealing records from before there were seals."""

import json
import shutil

import pytest
import write_readme
from fixtures_records import record

from gift_lib import results
from gift_lib.config import experiment
from gift_lib.runs import batch, jobs, seal


@pytest.fixture
def old(tmp_path):
    """{path: its text with a seal} of three records whose files have lost their seals."""
    texts = {}
    for e in (experiment(), experiment(seed=1), experiment(method="joint", beta=1e-5)):
        path = results.write(record(e), tmp_path)
        texts[path] = path.read_text()
        unseal(path)
    return texts


def unseal(path):
    content = json.loads(path.read_text())
    del content["seal"]
    path.write_text(json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def test_a_seal_is_one_line_more_and_nothing_else(old, tmp_path, capsys):
    before = {path: path.read_text() for path in old}
    assert seal.main([str(tmp_path)]) == 0 and "3 records sealed, 0 had their seal" in capsys.readouterr().out
    for path, text in old.items():
        assert path.read_text() == text, "as if it had been written with its seal"
        more = set(text.splitlines()) - set(before[path].splitlines())
        assert sorted(line.split(":")[0].strip() for line in more) == ['"schema"', '"seal"'], "a comma, and the seal"
    assert seal.main([str(tmp_path)]) == 0 and "0 records sealed, 3 had their seal" in capsys.readouterr().out


def change(path):
    content = json.loads(path.read_text())
    content["result"]["R"][-1][0] = 99.0
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda p: (p.write_text(results_text(p)), change(p)), "changed after it was written"),
        (lambda p: p.write_text(p.read_text()[:200]), "cannot be read as JSON"),
        (lambda p: shutil.copy(p, p.with_stem(p.stem.replace("s0", "s7"))), "holds the record of another run"),
        (lambda p: p.write_text(p.read_text().replace('"seed": 0', '"seed": 5')), "does not agree with its own key"),
    ],
)
def test_what_is_wrong_gets_no_seal(old, tmp_path, damage, told, capsys):
    path = next(p for p in old if "gift-I-s0" in p.name)
    damage(path)
    files = {p: p.read_text() for p in path.parent.glob("gift*.json")}
    assert seal.main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
    left = {p: "seal" in json.loads(p.read_text()) for p in files if p.read_text() != files[p]}
    assert all(left.values()), "what was written is whole and sealed"
    assert path.read_text() == files[path] or "another run" in told


def results_text(path):
    return json.dumps(results.sealed(json.loads(path.read_text())))


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert seal.main([str(tmp_path / "no")]) == 2 and "there is no folder" in capsys.readouterr().err


def test_no_batch_replaces_a_record_that_only_lacks_its_seal(old, tmp_path):
    path = next(iter(old))
    with pytest.raises(results.Unsealed, match=r"gift_lib\.runs\.seal"):
        jobs.run({}, 0, path.with_suffix(".ipynb"), path)
    with pytest.raises(results.Unsealed, match=r"gift_lib\.runs\.seal"):
        batch.to_do({path.stem: experiment()}, tmp_path, "mini")
    assert "seal" not in json.loads(path.read_text())


def test_a_changed_record_stops_every_table_with_one_line(tmp_path, capsys):
    path = results.write(record(experiment()), tmp_path)
    change(path)
    page = tmp_path / "README.md"
    page.write_text("<!-- results -->\n<!-- /results -->\n")
    assert write_readme.main(page, tmp_path) == 1
    said = capsys.readouterr().err
    assert str(path) in said and "changed after it was written" in said and said.count("\n") == 1
