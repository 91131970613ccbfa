"""The RO-Crate of the book: what a machine finds in it."""

import json
import shutil
import sys
from datetime import date

import make_crate
import pytest
from fixtures_records import record

from gift_lib import results
from gift_lib.config import experiment
from gift_lib.runs.repository import ROOT

RECORDS = [record(experiment(seed=s, method=m)) for s, m in ((0, "gift"), (1, "gift"), (0, "finetune"))]


@pytest.fixture(scope="module")
def entities(tmp_path_factory) -> dict[str, dict]:
    """{@id: entity} of the crate of a small clone."""
    root = tmp_path_factory.mktemp("clone")
    for name in ("CITATION.cff", "README.md"):
        shutil.copy(ROOT / name, root)
    for one in RECORDS:
        results.write(one, root / "book" / "results")
    make_crate.make(root, date(2026, 1, 2)).write(root / "crate")
    graph = json.loads((root / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    assert all((root / "crate" / e["@id"]).is_file() for e in graph if e["@type"] == "File")
    return {e["@id"]: e for e in graph}


def test_the_root_says_what_it_is_and_under_which_licence(entities):
    root = entities["./"]
    assert root["name"].startswith("GIFT, the executable book") and root["datePublished"].startswith("2026-01-02")
    assert root["license"] == {"@id": make_crate.LICENCE} and make_crate.LICENCE in entities
    assert entities["ro-crate-metadata.json"]["conformsTo"]["@id"].endswith("/ro/crate/1.3")


def test_every_record_is_the_result_of_a_run_with_its_settings_and_weights(entities):
    runs = [e for e in entities.values() if e["@type"] == "CreateAction"]
    assert len(runs) == len(RECORDS) == len({r["result"]["@id"] for r in runs})
    for one in RECORDS:
        run = entities[f"#run-{one['key']}"]
        assert entities[run["result"]["@id"]]["encodingFormat"] == "application/json"
        assert entities[run["instrument"]["@id"]]["name"] == "gift_lib" and run["agent"]["@id"] in entities
        said = {entities[o["@id"]]["name"]: entities[o["@id"]]["value"] for o in run["object"]}
        assert said["digest"] == one["digest"] and said["method"] == one["config"]["method"]
        used = {k: v for k, v in one["identity"].items() if v != ""}
        assert {k: said[k] for k in used} == used
    assert {r["@id"] for r in entities["./"]["mentions"]} == {r["@id"] for r in runs}


def test_a_folder_that_is_no_crate_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["make_crate.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds no crate"):
        make_crate.main()
    assert (tmp_path / "mine.txt").read_text() == "mine"
