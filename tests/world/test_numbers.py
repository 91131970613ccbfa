"""Numbers without dimension by hand and against the published tables, the ratios, and a harness that runs no method."""

import csv
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from gift_lib.config import experiment
from gift_lib.data import load_tasks
from gift_lib.data.mini import FAMILIES, worlds
from gift_lib.errors import ConfigError
from gift_lib.runs import published, sweeps
from gift_lib.tasks import ORDERS
from gift_lib.world import check, numbers, ratios, trials
from gift_lib.world.numbers import Rows, agrees
from gift_lib.world.settings import RUNS

ZERO = [40.0, 60.0, 50.0]
FINETUNE = [[80.0, 40.0, 50.0], [20.0, 90.0, 10.0], [70.0, 60.0, 70.0]]


def test_numbers_of_three_tasks_by_hand():
    gentle = [[80.0, 50.0, 50.0], [60.0, 90.0, 30.0], [80.0, 70.0, 75.0]]
    rows = Rows(("cars", "digits", "scenes"), ZERO, {"finetune": FINETUNE, "l2": gentle, "lwf": gentle}, [90, 90, 90])
    found = numbers.numbers(rows)
    # zero-shot 50, alone 90, learned 80, Last 66.7; Transfer (40 + 30) / 2 of 55; gentle: (50 + 40) / 2, Last 75
    assert found["gain_alone"] == pytest.approx(40 / 50) and found["gain_in_sequence"] == pytest.approx(30 / 50)
    assert found["gain_lost"] == pytest.approx((80 - 200 / 3) / 30)
    assert found["last_over_zero_shot"] == pytest.approx((200 / 3 - 50) / 40)
    assert found["transfer_lost"] == pytest.approx(20 / 55)
    assert found["l2_transfer_lost"] == found["lwf_transfer_lost"] == pytest.approx(10 / 20)
    assert found["l2_last"] == pytest.approx(25 / 40)
    assert found["lwf_gain_lost"] == pytest.approx((245 / 3 - 75) / (245 / 3 - 50))
    # the two others: 65 before the digits, 15 after, 70 once the next task is learned
    assert found["digits_dip"] == pytest.approx(50 / 65) and found["digits_recovery"] == pytest.approx(55 / 50)


def test_absent_rows_give_no_numbers():
    assert numbers.numbers(Rows(("a", "b", "c"), ZERO, {})) == {}
    alone = numbers.numbers(Rows(("a", "b", "c"), ZERO, {}, [90, 90, 90]))
    assert set(alone) == {"gain_alone"}
    assert set(numbers.numbers(Rows(("a", "b", "c"), ZERO, {"finetune": FINETUNE}))) == {
        "gain_in_sequence", "gain_lost", "transfer_lost",
    }  # fmt: skip


def test_orders_are_those_of_the_tasks_parts():
    tasks = [t.name for t in load_tasks(experiment())]
    rows = {"zero_shot": list(range(11)), "alone": [50.0] * 11}
    R = np.full((11, 11), 20.0)
    np.fill_diagonal(R, 60.0)
    found = numbers.by_order(tasks, rows | {"finetune-II": R.tolist()})
    # Order II begins with the cars (zero-shot 9), Order I with the silhouettes (zero-shot 0)
    assert found["II"]["transfer_lost"] == pytest.approx((4.6 - 20) / 4.6, abs=1e-3)
    assert set(found["I"]) == {"gain_alone"}


def test_published_numbers_follow_from_the_published_tables():
    with open(numbers.DATA / "published.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    alone = np.mean([float(x["Last"]) for x in lines if x["method"] == "upper-bound"])
    target = {(x["number"], x["order"]): float(x["published"]) for x in numbers.published()}
    for order, table in (("I", "table1"), ("II", "table2")):
        row = {x["method"]: {k: float(x[k]) for k in ("Transfer", "Last")} for x in lines if x["table"] == table}
        zero, tuned = row["zero-shot"], row["finetune"]
        lost = {m: zero["Transfer"] - row[m]["Transfer"] for m in ("finetune", "l2", "lwf")}
        expected = {
            "gain_alone": (alone - zero["Last"]) / (100 - zero["Last"]),
            "last_over_zero_shot": (tuned["Last"] - zero["Last"]) / (alone - zero["Last"]),
            "transfer_lost": lost["finetune"] / zero["Transfer"],
            "l2_transfer_lost": lost["l2"] / lost["finetune"],
            "lwf_transfer_lost": lost["lwf"] / lost["finetune"],
            "l2_last": (row["l2"]["Last"] - zero["Last"]) / (alone - zero["Last"]),
        }
        assert {k: target[k, order] for k in expected} == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("value", "target", "good"),
    [(0.3, 0.2, True), (0.31, 0.2, False), (0.135, 0.2, True), (0.13, 0.2, False), (-0.2, 0.2, False), (0, 0.2, False)],
)
def test_agreement_is_within_a_factor_and_of_the_same_sign(value, target, good):
    assert agrees(value, target) is good


def test_verdicts_say_miss_and_leave_out_what_was_not_measured():
    lines = numbers.verdicts({"I": {"gain_alone": 0.7, "transfer_lost": 0.1}, "II": {}})
    assert [(v["number"], v["verdict"]) for v in lines] == [("gain_alone", "agrees"), ("transfer_lost", "MISS")]
    assert "MISS" in numbers.table({"I": {"transfer_lost": 0.1}})


def test_ratios_of_world_1():
    e = experiment(**RUNS["1"])
    found = ratios.ratios(e, load_tasks(e), 16.2)
    assert found.keys() == ratios.published().keys()
    assert found["learning rates"] == "1 : 1" and found["passes over synthetic pictures"] == "10"
    assert found["synthetic to real in a step"] == "1 : 1"
    assert found["classes per task"] == "10 to 12" and found["synthetic pictures per name"].startswith("2.5, ")
    two = e.replace(lr_per_task={"silhouettes": 5e-3}, steps=160, batch_size=16)
    assert ratios.ratios(two, load_tasks(two), 16.2)["learning rates"] == "5 : 1"
    assert ratios.epochs(two, load_tasks(two)[0]) == pytest.approx(160 * 16 / (96 * 12))
    two = experiment(**RUNS["2"])
    found_2 = ratios.ratios(two, load_tasks(two), 16.2)
    assert found_2["passes over synthetic pictures"] == "53.3", "120 pictures are 48, 48 and 24"
    assert found_2["synthetic to real in a step"] == "3 : 1"
    assert "5 : 1" in ratios.table(found)


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "LOG", tmp_path / "log.jsonl")
    monkeypatch.setattr(worlds, "WORLDS", dict(worlds.WORLDS))
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "log.jsonl"


def test_calibration_runs_reference_rows_on_seeds_for_choosing_only():
    with pytest.raises(ConfigError, match="only, not gift"):
        trials.Trial("t", "why", rows=("finetune", "gift"))
    with pytest.raises(ConfigError, match="1000 and up"):
        trials.Trial("t", "why", seed=0)


def test_a_trial_is_logged_after_each_row_and_never_run_twice(log, monkeypatch):
    small = {"train": 1, "val": 1, "test": 1}
    monkeypatch.setattr(worlds, "COUNTS", small)
    settings = {"steps": 1, "batch_size": 2, "tasks": ["cars", "digits", "terrain"]}
    trial = trials.Trial("first", "to see", {"narrow": 0.5}, settings, rows=("finetune", "alone"), orders=("I",))
    lines = list(trials.run(trial))
    assert len(lines) == 3 and list(lines[-1]["rows"]) == ["zero_shot", "finetune-I", "alone"]
    assert np.shape(lines[-1]["rows"]["finetune-I"]) == (3, 3) and "gain_alone" in lines[-1]["numbers"]["I"]
    monkeypatch.setattr(trials, "fit", lambda *_, **__: pytest.fail("it has run before"))
    again = list(trials.run(trial))[-1]
    assert again["rows"] == lines[-1]["rows"]
    for line in lines:
        trials.write(line)
    trials.leave("first", "too small")
    assert [json.loads(x)["left"] for x in log.read_text().splitlines()] == ["too small"]
    trials.write(lines[-1])
    assert trials.lines()[0]["left"] == "too small" and trials.lines()[0]["knobs"] == {"narrow": 0.5}
    assert trials.named("first") == replace(trial, rows=("finetune",), orders=("I", "II"))
    with pytest.raises(ConfigError, match="no trial 'second'"):
        trials.leave("second", "")


def test_the_log_names_reference_rows_and_choosing_seeds_only():
    for line in trials.lines():
        rows = {name.split("-")[0] for name in line["rows"]}
        assert rows <= {"zero_shot", *trials.ROWS} and line["seed"] >= 1000
        assert line["numbers"] == numbers.by_order(line["tasks"], line["rows"]), line["trial"]


@pytest.mark.parametrize("order", ["I", "II"])
def test_the_sweeps_of_world_2_run_what_was_calibrated(order):
    for cell in sweeps.load(f"table{len(order)}@2").cells:
        e = cell.experiment
        assert e == experiment(**RUNS["2"] | {"method": e.method, "order": order, "seed": e.seed, "world": "2"})
    assert dict(e.lr_per_task) == pytest.approx({"silhouettes": 5 * e.lr, "digits": 5 * e.lr})
    epochs = {t.stands_for: ratios.epochs(e, t) for t in load_tasks(e)}
    published = dict(zip(ORDERS["I"], ratios.published()["epochs per task"].split(", "), strict=True))
    assert epochs == pytest.approx({k: float(v) for k, v in published.items()}, rel=0.02)


def records_of(rows, tasks, alone=()):
    """Records as runs write them, tasks in each one's own order."""
    for (method, order), R in rows.items():
        result = {"tasks": tasks[order], "R": R, "zero_shot": [10.0 + len(t) for t in tasks[order]]}
        yield {"config": {"method": method, "order": order}, "result": result}
    for values in alone:
        R = np.diag([values[t] for t in tasks["I"]]).tolist()
        yield {
            "config": {"method": "upper-bound", "order": "I"},
            "result": {"tasks": tasks["I"], "R": R, "zero_shot": None},
        }


def test_the_numbers_of_records_are_those_of_their_means():
    rng = np.random.default_rng(0)
    parts = {f.stands_for: f.name for f in FAMILIES}
    tasks = {order: [parts[s] for s in sets] for order, sets in ORDERS.items()}
    rows = {(m, o): rng.uniform(20, 90, (11, 11)).tolist() for m in (*numbers.METHODS, "gift") for o in tasks}
    alone = [{t: 80.0 + k + len(t) for t in tasks["I"]} for k in (0, 2)]
    found = numbers.of_records([*records_of(rows, tasks, alone), *records_of(rows, tasks)])
    names = sorted(tasks["I"])
    given = {f"{m}-{o}": R for (m, o), R in rows.items() if m != "gift"}
    given |= {"zero_shot": [10.0 + len(t) for t in names], "alone": [81.0 + len(t) for t in names]}
    assert found == numbers.by_order(names, given) and set(found["I"]) == {
        line["number"] for line in numbers.published()
    }
    assert numbers.of_records([]) == {}
    part = numbers.of_records(records_of({k: R for k, R in rows.items() if k == ("lwf", "II")}, tasks))
    assert part == {"I": {}, "II": {"lwf_gain_lost": found["II"]["lwf_gain_lost"]}}


def test_the_steps_between_the_worlds_change_one_thing_each():
    one, narrow, looks, two = (worlds.WORLDS[name] for name in ("1", "narrow", "looks", "2"))
    steps = [(one, narrow), (narrow, looks), (looks, two)]
    changed = [{k for k in {*a.knobs, *b.knobs} if a.knobs.get(k) != b.knobs.get(k)} - {"version"} for a, b in steps]
    assert changed == [{"narrow", "narrow_of"}, {"looks", "strength", "grounds"}, {"pictures"}]
    for cell in sweeps.load("own-world").cells:
        e = cell.experiment
        assert e == experiment(**RUNS["2"] | {"method": e.method, "seed": e.seed, "world": e.world})
        assert {"1": "settings", "2": "epochs", "narrow": "narrow tasks"}.get(e.world, e.world) in cell.variant


def test_reasons_on_world_2_change_one_thing_of_its_rows():
    sweep = sweeps.load("own-why-2")
    for row, cells in itertools.groupby(sweep.cells, lambda c: c.variant.partition(", ")[0]):
        plain, *changed = {c.variant: c.experiment.replace(seed=0) for c in cells}.values()
        assert plain == experiment(**RUNS["2"] | {"method": plain.method}) and published.title(plain.method) == row
        for e in changed:
            a, b = plain.to_dict(), e.to_dict()
            assert len([k for k in a if a[k] != b[k]]) == 1


def test_the_check_takes_a_committed_record_and_makes_any_other(monkeypatch):
    made = []
    monkeypatch.setattr(check, "run", lambda e, *more: made.append(e) or {"made": True})
    (e,) = {c.experiment for c in sweeps.load("table1@2").cells if (c.variant, c.experiment.seed) == ("LwF", 0)}
    assert check.record_of(e)["config"] == e.to_dict() and not made
    assert check.record_of(e.replace(seed=1000)) == {"made": True} and [m.seed for m in made] == [1000]
