"""Findings: sentences that follow records made by hand."""

import re

import pandas as pd
import pytest
import yaml
from fixtures_records import frame, record, sweep_records

from gift_lib.book import findings, tables
from gift_lib.intervals import Estimate
from gift_lib.runs import published, sweeps
from gift_lib.runs.repository import ROOT

EMPTY = pd.DataFrame(columns=["scale", "method", "record"])


def as_published(variant: str) -> float:
    """The published Avg: then every pair that differs clearly stands in the published order."""
    rows = published.rows("table1").set_index("row")["Avg"]
    return float(rows[variant])


def test_pairs_follow_the_published_order():
    found = findings.pairs(frame(sweep_records("table1", as_published, noise=0.01)))
    assert len(found) == 9 * 8 / 2
    assert {p.verdict for p in found} == {"as published"}
    assert all(p.published > 0 for p in found)


def test_a_reversed_pair_is_named():
    level = {"ZSCL": 70.0, "GIFT": 60.0}
    found = frame(sweep_records("table1", level.get, noise=0.05))
    (pair,) = findings.pairs(found)
    assert (pair.first, pair.second, pair.verdict) == ("GIFT", "ZSCL", "reversed")
    texts = findings.ranking(found)
    text = texts[1]
    assert "Of 1 pairs of methods 0 stand in the published order, 1 in the reverse one" in text
    assert "| Avg | ZSCL | GIFT | +10.0 | -1.9 |" in texts[-1]


@pytest.mark.parametrize(
    ("p", "ours", "gap", "verdict"),
    [
        (0.001, 2.0, 1.0, "as published"),
        (0.001, -2.0, 1.0, "reversed"),
        (0.2, -2.0, 1.0, "undecided"),
        (None, 2.0, 1.0, "undecided"),
        (0.001, 2.0, 0.0, "undecided"),
    ],
)
def test_verdicts(p, ours, gap, verdict):
    assert findings.Pair("Avg", "a", "b", Estimate(ours, 1.0, 5), p, gap).verdict == verdict


def test_nothing_is_said_without_records():
    assert findings.ranking(EMPTY) == []
    assert findings.differences(EMPTY, "ablation-loss") == []


def test_differences_tell_clear_from_unclear_and_quote_the_paper():
    worse = sweep_records("ablation-loss", {"Feat. Dist.": 50.0}.get, noise=0.3)  # other noise: differences scatter
    alike = sweep_records("ablation-loss", {"Contrastive": 60.0, "Image-only": 60.0, "Text-only": 60.0}.get)
    text = findings.differences(frame([*worse, *alike]), "ablation-loss")
    assert [t.split("**")[1].rstrip(".") for t in text] == list(published.METRICS)
    clear, unclear = text[2].split("Not clearly different from *Contrastive*")
    assert "Clearly below *Contrastive*: *Feat. Dist.* (-10" in clear and "published -4.5" in clear
    assert "*Image-only*" in unclear and "*Text-only*" in unclear


TEXTS = {"above": "it is more", "below": "it is less"}


def test_readings_say_only_what_the_records_say():
    found = [*sweep_records("ablation-loss", {"Contrastive": 60.0, "Text-only": 60.0}.get)]
    found += sweep_records("ablation-loss", {"Feat. Dist.": 50.0, "Image-only": 70.0}.get, noise=0.3)
    of = dict.fromkeys(["Feat. Dist.", "Image-only", "Text-only"], TEXTS)
    less, more, alike = findings.readings(frame(found), "ablation-loss", of)
    assert less == "- *Feat. Dist.* is clearly below *Contrastive* in Transfer, Avg and Last: it is less."
    assert more == "- *Image-only* is clearly above *Contrastive* in Transfer, Avg and Last: it is more."
    ends = r"Transfer \([-+]0\.\d to [-+]0\.\d\), Avg \([-+]0\.\d to [-+]0\.\d\) and Last \([-+]0\.\d to [-+]0\.\d\)\."
    assert re.fullmatch(rf"- \*Text-only\* is not clearly different from \*Contrastive\* in {ends}", alike)
    assert findings.readings(EMPTY, "ablation-loss", of) == []
    assert findings.readings(frame(found[:5]), "ablation-loss", of) == [], "the default alone says nothing"


def test_every_reading_is_of_a_setting_that_there_is():
    texts = yaml.safe_load((ROOT / "book" / "data" / "readings.yml").read_text(encoding="utf-8"))
    for name, of in texts.items():
        sweep = sweeps.load(name)
        assert tables.default_variant(sweep) and set(of) <= set(sweep.variants) - {tables.default_variant(sweep)}
        for t in of.values():
            assert t.keys() == TEXTS.keys() and not any(s.endswith(".") for s in t.values())


def test_pairs_say_how_far_apart_they_may_be():
    of = [("Image-only", "Contrastive")]
    found = [*sweep_records("ablation-loss", {"Contrastive": 60.0}.get)]
    found += sweep_records("ablation-loss", {"Image-only": 50.0}.get, noise=0.4)
    said = findings.within(frame(found), "ablation-loss", of)
    assert said.startswith("On one side of zero: 3 of 3 intervals. All of them lie within ±10.")
    assert findings.within(EMPTY, "ablation-loss", of) == ""


def test_scores_begin_with_the_untouched_model():
    e = sweeps.load("table1").cells[-1].experiment
    table = findings.scores({"GIFT": record(e, level=60.0, noise=0.0)})
    assert list(table.index) == ["Zero-shot", "GIFT"]
    assert table.loc["Zero-shot"].tolist() == [50.0, 50.0, 50.0]
    assert table.loc["GIFT"].tolist() == [60.0, 60.0, 60.0]


def test_tasks_that_clearly_differ_are_named():
    columns = {"x": [1.0] * 3, "y": [0.0] * 3, "Δ": [1.0, -1.0, 5.0], "Δ ±": [0.1] * 3, "p": [0.01, 0.04, 0.05]}
    said = findings.tasks(pd.DataFrame(columns, index=["a", "b", "c"]), "Last")
    assert said == "Of 3 tasks, Last is clearly higher with *x* than with *y* in: a; lower in: b."


def test_an_opening_says_what_came_out_how_sure_and_what_it_contradicts():
    level = {"beta=0.0": 60.0, "beta=0.25": 60.0, "beta=0.5": 65.0, "beta=1.0": 50.0}
    said = findings.opening(frame(sweep_records("ablation-ita", level.get)), "ablation-ita").split("\n>\n")
    assert [line.split("**")[1] for line in said[:3]] == ["What came out.", "How sure.", "Beside the paper."]
    assert said[3] == f"> {findings.LEGEND}"
    first, others = said[0].split(" (the largest clear differences).")
    assert "compared with the default, *beta=0.25*, with *beta=1.0* Transfer falls by " in first
    assert "rises" not in first and "*beta=0.5*" not in first
    assert others.startswith(" Clear, too: *beta=0.5* (Transfer +") and " Undecided: *beta=0.0*, by intervals" in others
    assert "5 seeds per setting; 6 of 9 differences are clear (corrected, in each metric, for the number" in said[1]
    # published: beta 0.5 and 1.0 both cost Transfer, Avg and Last
    assert said[2].count("*beta=0.5*") == 3 and "*beta=1.0*" not in said[2]
    assert "numbers for 6 of the clear differences: 3 have the other sign, *beta=0.5*" in said[2]


def test_an_opening_without_a_clear_difference_claims_nothing():
    said = findings.opening(frame(sweep_records("ablation-ita", lambda v: 60.0)), "ablation-ita")
    assert "no setting clearly differs" in said and "0 of 9 differences are" in said and "no number" in said


def test_an_opening_of_one_setting_corrects_nothing_and_an_own_ablation_has_no_paper():
    level = {"F / mean(F)": 60.0, "F": 50.0}
    said = findings.opening(frame(sweep_records("own-awc-normalisation", level.get)), "own-awc-normalisation")
    assert "3 of 3 differences are clear, ±" in said and "The paper has no such experiment." in said


@pytest.mark.parametrize(("sweep", "level"), [
    ("ablation-consolidation", {"AWC": 60.0, "none": 50.0}), ("ablation-images", {"256": 60.0, "32": 50.0}),
    ("ablation-source", {"both": 60.0, "concepts only": 50.0}),
])  # fmt: skip
def test_an_experiment_of_the_paper_without_numbers_of_its_table_is_not_called_ours(sweep, level):
    said = findings.opening(frame(sweep_records(sweep, level.get)), sweep)
    assert "Beside the paper.** The paper has no number for" in said or "numbers for" in said
    assert "no such experiment" not in said


def test_a_box_says_that_runs_are_of_an_earlier_version_and_where_it_matters():
    level = {"Contrastive": 60.0, "Image-only": 50.0, "Feat. Dist.": 55.0}
    new = sweep_records("ablation-loss", level.get)
    old = [{**r, "identity": {**r["identity"], "numerics": 1}} for r in new]
    assert "earlier version" not in findings.opening(frame(new), "ablation-loss")
    said = findings.opening(frame(old), "ablation-loss")
    assert "of an earlier version of this code" in said and "it reaches further in *Image-only* (†)." in said


def test_lists_part_names_that_hold_commas_by_semicolons():
    assert findings.listed(["*a*", "*b*", "*c*"]) == "*a*, *b* and *c*"
    assert findings.listed(["*1K, large*", "*3K, small*", "*c*"]) == "*1K, large*; *3K, small* and *c*"
    assert findings.listed(["*a* (1, 2)", "*b*", "*c*"]) == "*a* (1, 2), *b* and *c*"


@pytest.mark.parametrize("sweep", ["ablation-ita", "own-orders"])
def test_an_opening_without_records_or_default_is_empty(sweep):
    assert findings.opening(frame([]), sweep) == ""


def test_the_opening_of_a_table_names_the_leader_and_counts_the_pairs():
    def level(variant):
        return {"GIFT": 70.0, "Zero-shot": 80.0, "Continual Finetune": 65.0}.get(variant, 50.0)

    said = findings.opening_of_table(frame(sweep_records("table1", level)), "I")
    assert re.search(r"in Transfer ahead of Continual Finetune by [45]\.\d \(clear\); in Avg ahead of", said)
    assert "5 to 10 seeds per method" in said and "Continual Finetune above" in said
    assert (
        "There GIFT leads the trained methods in Transfer, Avg and Last; here it does so clearly in Transfer, Avg and"
        in said
    )
    assert "Of 108 comparisons" in said
    assert findings.opening_of_table(frame([]), "I") == ""


def test_a_table_says_whom_gift_is_behind_and_whether_that_is_clear():
    def level(variant):
        return {"GIFT": 60.0, "ZSCL": 60.0, "LwF": 70.0}.get(variant)

    behind = findings.opening_of_table(frame(sweep_records("table1", level)), "I")
    assert re.search(r"in Last behind LwF by (9|10)\.\d \(clear\)", behind)
    alike = findings.opening_of_table(frame(sweep_records("table1", {"GIFT": 60.0, "ZSCL": 60.0}.get)), "I")
    assert len(re.findall(r"(ahead of|behind) ZSCL by 0\.[1-9] \(not clear\)|level with ZSCL", alike)) == 3
    assert "by 0.0" not in alike and "here it does so clearly in none of the three" in alike
    alone = findings.opening_of_table(frame(sweep_records("table1", {"GIFT": 60.0}.get)), "I")
    assert alone == "", "nothing to compare it with"


def test_a_name_that_ends_in_a_full_stop_ends_its_sentence():
    assert "Clear: *Feat. Dist.*\n" in findings.quotation("Clear: *Feat. Dist.*.", "", "")
    assert "*a photo of a {c}.* Then" in findings.quotation("", "By *a photo of a {c}.*. Then", "")
