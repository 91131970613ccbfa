"""Choosing: validation pictures and seeds that no record has, a log that is never run twice, differences by pairs."""

import json

import pandas as pd
import pytest

from gift_lib.errors import ConfigError, DataError
from gift_lib.runs import choosing
from gift_lib.runs.choosing import Variant
from gift_lib.runs.published import METRICS
from gift_lib.world import trials

TINY = {"tasks": ["terrain", "digits"], "steps": 2, "images_per_task": 4, "batch_size": 4, "synthetic_batch_size": 2,
        "synthetic_source": "real"}  # fmt: skip


@pytest.fixture(autouse=True)
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "log_file", lambda: tmp_path / "choosing.jsonl")
    return tmp_path / "choosing.jsonl"


def test_a_variant_is_run_once_on_validation_pictures_and_may_be_left(log, monkeypatch, capsys):
    looked = []
    honest = trials.evaluate
    monkeypatch.setattr(trials, "evaluate", lambda m, t, split: looked.append(split) or honest(m, t, split))
    command = ["run", "GIFT", "the base", *(f"{k}={json.dumps(v)}" for k, v in TINY.items()), "--orders", "I"]
    assert choosing.main([*command, "--seeds", "1000"]) == 0 and looked == ["val", "val"]
    (line,) = choosing.lines()
    assert (line["variant"], line["order"], line["seed"], len(line["R"])) == ("GIFT", "I", 1000, 2)
    assert choosing.main([*command, "--seeds", "1000"]) == 0 and len(looked) == 2, "what is there is not run again"
    assert choosing.main(["leave", "GIFT", "kept"]) == 0 and choosing.lines() == [line | {"left": "kept"}]
    assert choosing.main(["leave", "GFIT", "kept"]) == 2 and "did you mean 'GIFT'" in capsys.readouterr().err


def test_seeds_for_reporting_are_refused_before_anything_runs(capsys):
    assert choosing.main(["run", "GIFT", "x", "--seeds", "1000", "3"]) == 2
    assert "seed 3 is for reporting" in capsys.readouterr().err and choosing.lines() == []


def test_settings_by_name_and_within_the_methods_own():
    given = choosing.settings_of(["beta=0.5", "method_options.ensemble=true", "method_options.snapshots=5"])
    assert given == {"beta": 0.5, "method_options": {"ensemble": True, "snapshots": 5}}
    e = Variant("x", "", given).experiment("II", 1000)
    assert (e.world, e.order, e.beta, dict(e.method_options)) == ("2", "II", 0.5, given["method_options"])
    with pytest.raises(ConfigError, match="should read NAME=VALUE"):
        choosing.settings_of(["beta"])


def test_differences_are_those_of_the_same_order_and_seed():
    def line(name, order, value):
        return {"variant": name, "order": order, "seed": 1000, "why": "w", "left": "l", **dict.fromkeys(METRICS, value)}

    found = [line("GIFT", "I", 50.0), line("GIFT", "II", 70.0), line("a", "I", 51.0), line("a", "II", 73.0)]
    table = choosing.differences([*found, line("b", "III", 1.0)])
    assert table.loc["a", [*METRICS, "orders", "n"]].tolist() == [2.0, 2.0, 2.0, 2, 2] and table.at["b", "n"] == 0
    assert table.at["a", "Last ±"] == pytest.approx(12.706, abs=0.01), "t of one degree of freedom"


def test_the_best_gains_twice_and_loses_nothing():
    rows = {"gains": (0.0, 0.2, 0.1), "more": (0.1, 0.3, 0.1), "forgets": (-0.1, 9.0, 9.0), "idle": (9.0, 9.0, 0.0)}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["Transfer", "Avg", "Last"]).assign(orders=2)
    assert choosing.best(table) == "more" and choosing.best(table.loc[["gains"]]) == "gains"
    assert choosing.best(table.loc[["forgets", "idle"]]) is None
    assert choosing.best(choosing.differences([])) is None
    table.loc["more", "orders"] = 1
    assert choosing.best(table) == "gains", "one order alone is no comparison"


def test_a_broken_line_is_one_clear_error(log):
    log.write_text('{"variant": "GIFT"}\n{"vari')
    with pytest.raises(DataError, match="holds a line that is no JSON"):
        choosing.lines()


def test_the_book_s_log_has_seeds_for_choosing_only(monkeypatch):
    monkeypatch.undo()
    assert all(line["seed"] >= 1000 and line["world"] for line in choosing.lines())
