"""Findings: sentences that follow records made by hand."""

import re

import pandas as pd
import pytest
import yaml
from fixtures_records import frame, record, sweep_records

from gift_lib.book import findings
from gift_lib.evidence import tables
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


def test_nothing_is_said_without_records():
    assert findings.ranking(EMPTY) == []
    assert findings.compared(EMPTY, sweeps.load("ablation-loss")) == []


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
            assert t.keys() - {"expected"} == TEXTS.keys() and not any(str(s).endswith(".") for s in t.values())
            assert all(m in published.METRICS and k in TEXTS for m, k in t.get("expected", {}).items())


def test_what_was_expected_came_or_not_or_the_reverse():
    """Three seeds of settings whose Last is below, level with and above the default's."""
    found = [*sweep_records("ablation-loss", {"Contrastive": 60.0, "Text-only": 60.0}.get)]
    found += sweep_records("ablation-loss", {"Feat. Dist.": 50.0, "Image-only": 70.0}.get, noise=0.3)
    of = dict.fromkeys(["Feat. Dist.", "Image-only", "Text-only"], TEXTS | {"expected": {"Last": "below"}})
    ends = [line.split(" One would expect it below in Last: ")[1] for line in findings.readings(frame(found),
            "ablation-loss", of)]  # fmt: skip
    assert ends == ["it is.", "the reverse is clear.", "that is not borne out."]


def test_compared_settings_have_the_tables_own_tests_and_published_differences():
    made = frame(sweep_records("ablation-ita", {"beta=0.25": 60.0, "beta=0.5": 65.0, "beta=1.0": 50.0}.get))
    table = tables.ablation(made, "ablation-ita")
    found = findings.compared(made, sweeps.load("ablation-ita"))
    assert {(c.name, c.metric) for c in found} == {(v, m) for v in ("beta=0.5", "beta=1.0") for m in published.METRICS}
    for c in found:
        block = table[c.metric]
        assert (c.ours.mean, c.p) == (block.at[c.name, "Δ"], block.at[c.name, "p"])
        gap = block.at[c.name, "published"] - block.at["beta=0.25", "published"]
        assert c.published == pytest.approx(gap) and (c.first, c.second) == (c.name, "beta=0.25")


def test_pairs_say_how_far_apart_they_may_be():
    of = {"one side": ("Image-only", "Contrastive")}
    found = [*sweep_records("ablation-loss", {"Contrastive": 60.0}.get)]
    found += sweep_records("ablation-loss", {"Image-only": 50.0}.get, noise=0.4)
    said = findings.within(findings.compared(frame(found), sweeps.load("ablation-loss"), of))
    assert said.startswith("On one side of zero: 3 of 3 intervals. All of them lie within ±10.")
    assert findings.within([]) == ""


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
    said = findings.tasks(pd.DataFrame(columns | {"p": [0.1] * 3}, index=["a", "b", "c"]), "Forgetting")
    assert said == "In none of 3 tasks Forgetting clearly differs between *x* and *y*."


def test_lists_part_names_that_hold_commas_by_semicolons():
    assert findings.listed(["*a*", "*b*", "*c*"]) == "*a*, *b* and *c*"
    assert findings.listed(["*1K, large*", "*3K, small*", "*c*"]) == "*1K, large*; *3K, small* and *c*"
    assert findings.listed(["*a* (1, 2)", "*b*", "*c*"]) == "*a* (1, 2), *b* and *c*"


def test_nothing_is_expected_of_one_seed():
    texts = {"above": "a", "below": "b", "expected": {"Last": "below"}}
    one = frame([r for r in sweep_records("ablation-ita", lambda v: 60.0) if r["config"]["seed"] == 0])
    assert not any("expect" in line for line in findings.readings(one, "ablation-ita", {"beta=0.0": texts}))
