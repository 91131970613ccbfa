"""The page on what is left where no task is told, on records made by hand."""

import numpy as np
import pytest
from fixtures_records import TASKS, frame, sweep_records

from gift_lib import results
from gift_lib.book import identity
from gift_lib.errors import ConfigError
from gift_lib.intervals import Estimate

#: Last with the task told; how much of it is lost where it is not.
LEVELS = {"MoE-Adapter": (80.0, 10.0), "GIFT": (70.0, 5.0), "LwF": (60.0, 40.0), "ZSCL": (50.0, 5.0),
          "Zero-shot": (40.0, 4.0)}  # fmt: skip


def records(sweep: str, levels=LEVELS) -> list[dict]:
    """Records of a sweep that hold both answers."""
    found = sweep_records(sweep, {k: v[0] for k, v in levels.items()}.get)
    lost = {"moe-adapter": "MoE-Adapter", "gift": "GIFT", "lwf": "LwF", "zscl": "ZSCL", "zero-shot": "Zero-shot"}
    for record in found:
        R = np.array(record["result"]["R"]) - levels[lost[record["config"]["method"]]][1]
        learned = [[v if j <= i else None for j, v in enumerate(row)] for i, row in enumerate(R.tolist())]
        record["result"] |= {"R_all": R.tolist(), "R_learned": learned}
    return found


def test_a_fall_is_taken_seed_by_seed():
    found = identity.answered(frame(records("table1@2")), "I")
    table, falls = identity.numbers(found), identity.falls(found)
    assert set(falls) == set(LEVELS) and list(falls)[3:] == ["MoE-Adapter", "LwF"]
    assert falls["MoE-Adapter"].mean == pytest.approx(10) and falls["MoE-Adapter"].half_width == pytest.approx(
        0, abs=1e-6
    )
    assert falls["MoE-Adapter"].n == 10 and falls["LwF"].n == 5
    assert set(table["metric"]) == {"Transfer", "Avg", "Last"} and set(table["kind"]) == set(identity.KINDS)


def test_only_pairs_that_clearly_change_places_are_named():
    pairs = identity.turned(identity.answered(frame(records("table1@2")), "I"))
    assert sorted(pairs.iloc[:, :2].to_numpy().tolist()) == [["LwF", "ZSCL"], ["LwF", "Zero-shot"]]
    pairs = pairs.set_index("first where it is not")
    told, untold = pairs[identity.TOLD], pairs[identity.UNTOLD]
    one = "one value for all seeds"
    assert told["Zero-shot"].startswith(("+19.", "+20.")) and untold["Zero-shot"].startswith(("-15.", "-16.")), one
    assert told["ZSCL"].startswith(("+9.", "+10.")) and untold["ZSCL"].startswith(("-24.", "-25."))


def test_that_pairs_change_places_is_corrected_for_their_number(monkeypatch):
    """The p of a pair is the larger one of its two, and by itself clear; among six pairs it is not."""

    def compare(found, a, b, metric):
        turns = {a, b} == {"LwF", "ZSCL"}
        told, sign = metric == "Last", 1 if a < b else -1
        mean, p = (2.0 if told else -1.0, 0.03 if told else 0.02) if turns else (3.0, 1e-6)
        return Estimate(sign * mean, 1.0, 5, 0.95, p)

    monkeypatch.setattr(identity.tables, "compare", compare)
    pair = identity.turned(dict.fromkeys(["ZSCL", "LwF"]))
    assert pair.to_numpy().tolist() == [["LwF", "ZSCL", "+2.0 ± 1.0", "-1.0 ± 1.0", "0.030"]]
    assert identity.turned(dict.fromkeys(["ZSCL", "LwF", "GIFT", "l2"])).empty


def test_a_method_that_loses_nothing_is_named():
    said = str(identity.opening(frame(records("table1@2", LEVELS | {"ZSCL": (50.0, -2.0)}))))
    assert "every method loses points of Last (not *ZSCL* in Order I)." in said


def test_the_box_names_both_ends_who_is_first_and_the_published_fall():
    said = str(identity.opening(frame([*records("table1@2"), *records("table2@2")])))
    assert "most *LwF* (40.0 ± 0.0), GIFT 5.0 ± 0.0; *MoE-Adapter* stays first" in said
    assert "clearly change places (corrected for all pairs of an order): 2 in Order I and 2 in Order II." in said
    assert "from 85.0 to 66.9, by 18.1 points; here by 10.0 ± 0.0 (Order I) and 10.0 ± 0.0 (Order II)." in said


def test_another_first_is_named():
    levels = LEVELS | {"MoE-Adapter": (80.0, 30.0)}
    assert "*GIFT* takes the place of *MoE-Adapter*" in str(identity.opening(frame(records("table1@2", levels))))


def test_records_without_the_second_answer_count_as_none():
    old = frame(sweep_records("table1@2", {"GIFT": 70.0}.get))
    found = identity.answered(old, "I")
    assert identity.numbers(found).empty and identity.opening(old) is None and identity.per_task(found).empty


def test_each_task_has_its_loss():
    table = identity.per_task(identity.answered(frame(records("table1@2")), "I"))
    assert list(table.columns) == TASKS and table.loc["LwF"].tolist() == pytest.approx([40.0] * len(TASKS))


def test_an_order_that_does_not_exist_is_one_clear_error():
    with pytest.raises(ConfigError, match="no order 'III'"):
        identity.answered(results.load_frame([]), "III")
