"""Why the order differs: changes find their rows, effects are paired, and a turned pair is called turned."""

import pandas as pd
import pytest
from fixtures_records import frame, sweep_records

from gift_lib.book import why
from gift_lib.evidence import tables
from gift_lib.runs import sweeps

EMPTY = pd.DataFrame(columns=["scale", "method", "record"])
LEVELS = {
    "LwF-VR": 65.0,
    "ZSCL": 60.0,
    "ZSCL, no l2": 70.0,
    "ZSCL, no ensemble": 61.0,
    "LwF-VR, a fifth of the vocabulary": 64.0,
}


@pytest.fixture(scope="module")
def some() -> pd.DataFrame:
    """ZSCL below LwF-VR, against the paper; one change turns the pair, two do not."""
    records = sweep_records("table1", {k: v for k, v in LEVELS.items() if ", " not in k}.get, noise=0.05)
    return frame([*records, *sweep_records(why.SWEEP, LEVELS.get, noise=0.05)])


def test_every_change_is_of_a_row_of_table_1_that_stands_beside_it():
    sweep, rows = sweeps.load(why.SWEEP), sweeps.load(tables.MAIN["I"])
    changed = why.changes(sweep)
    assert set(changed.values()) == set(sweep.variants) - set(changed) <= set(rows.variants)
    of = {c.variant: c.experiment for s in (rows, sweep) for c in s.cells if c.experiment.seed == 0}
    assert all(
        of[row] == c.experiment
        for row in changed.values()
        for c in rows.cells
        if c.variant == row and not c.experiment.seed
    )
    for v, row in changed.items():
        a, b = of[v].to_dict(), of[row].to_dict()
        assert sum(a[k] != b[k] for k in a) == 1 and len(a["method_options"]) <= 1, f"{v} changes more than one thing"


def test_effects_are_differences_to_the_row(some):
    found = why.effects(some)
    (row,) = [c for c in found if (c.name, c.metric) == ("ZSCL, no l2", "Last")]
    assert row.ours.mean == pytest.approx(10.0, abs=0.2) and row.ours.n == 3 and row.second == "ZSCL"
    assert {c.metric for c in found} == set(why.METRICS) and "GIFT, no AWC" not in {c.name for c in found}
    text = why.shown(found)
    assert text.loc["ZSCL, no l2", "Δ Last"].startswith("+10") and text.loc["ZSCL, no l2", "n"] == "3"


def test_sentences_name_what_is_clear():
    records = sweep_records(why.SWEEP, {"ZSCL": 60.0}.get, noise=0.3)
    records += sweep_records(why.SWEEP, {"ZSCL, no l2": 70.0, "ZSCL, no ensemble": 60.0}.get, noise=0.5)
    clear, unclear = why.sentences(why.effects(frame(records)))
    assert clear.startswith("- **ZSCL, no l2.** It raises Transfer (+10.") and "Last (+10." in clear
    assert unclear.startswith("- **ZSCL, no ensemble.** No clear effect, all changes tested at once: Transfer (")


def test_a_reversed_pair_and_its_fates(some):
    (pair,) = [p for p, _ in why.fates(some) if p.metric == "Last"]
    assert (pair.first, pair.second) == ("ZSCL", "LwF-VR")
    (under,) = [u for p, u in why.fates(some) if p.metric == "Last"]
    assert {v: fate for v, (fate, _) in under.items()} == {
        "ZSCL, no l2": "as published",
        "ZSCL, no ensemble": "still reversed",
        "LwF-VR, a fifth of the vocabulary": "still reversed",
    }
    count, most = why.summed(why.fates(some)), why.turning(why.fates(some))
    assert count.startswith("Of 3 pairs that stand reversed here 3 stand as published under some change, 0 more")
    assert most.endswith("most pairs are set right by *ZSCL, no l2* (3 of its 3 pairs).")
    line = why.items(why.fates(some)).splitlines()[-1]
    assert "LwF-VR above ZSCL by 5.0 (published 7.0 below)" in line
    assert "As published with *ZSCL, no l2* (-5." in line
    assert "Still reversed with" in line and "*ZSCL, no ensemble* (+4." in line


def test_a_difference_that_covers_zero_is_undecided(some):
    names = ("first", "second")
    records = [
        sweep_records("ablation-loss", {v: 60.0}.get, noise=n) for v, n in (("Contrastive", 0.5), ("Image-only", 1))
    ]
    found = dict(zip(names, [{r["config"]["seed"]: r for r in rs} for rs in records], strict=True))
    pair = why.Contrast("", "", "Last", why.Estimate(-3.0, 1.0, 5), 1.0, 0.01, "second", "other")
    ((_, (fate, e)),) = why._under(pair, {"first": "other"}, found)
    assert fate == "undecided" and e.low < 0 < e.high


def test_learned_and_forgotten_make_last(some):
    table = why.parts(some)
    assert list(table.columns) == ["Last", "Learned", "Forgetting"] and table.loc["GIFT"].tolist() == [""] * 3
    last, learned, forgetting = (float(x.split(" ±")[0]) for x in table.loc["ZSCL"])
    assert last == pytest.approx(learned - 3 / 4 * forgetting, abs=0.1)


def test_nothing_is_said_without_records():
    assert why.effects(EMPTY) == why.sentences([]) == why.fates(EMPTY) == [] and why.shown([]).empty
    assert (why.parts(EMPTY) == "").all(axis=None)


def test_reversed_pairs_without_any_change_to_them_explain_nothing():
    found = why.fates(frame(sweep_records("table1", {"LwF-VR": 65.0, "ZSCL": 60.0}.get, noise=0.05)))
    assert len(found) == 3
    assert "0 more become undecided and 0 stay reversed under every one; for 3 none was tried." in why.summed(found)


def test_pairs_that_no_change_turns_are_counted():
    """One stays reversed under its change, one has none."""
    records = sweep_records("table1", {"LwF-VR": 65.0, "ZSCL": 60.0}.get, noise=0.05)
    found = why.fates(frame([*records, *sweep_records(why.SWEEP, {"ZSCL, no l2": 60.0}.get, noise=0.05)]))
    said = why.summed([found[0], (found[1][0], {})])
    assert "0 stand as published" in said and "1 stay reversed under every one; for 1 none was tried." in said
    assert why.turning([found[0]]) == "", "no change turns a pair"


def test_names_that_sentences_cover():
    assert why.covered([[1, 2], [3]], [[1], [2, 3], [4], [1, 4]]) == 50.0
