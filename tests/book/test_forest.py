"""The forest of all ablations: its rows are the tables' own, its colours their tests, its words no more than both."""

import pytest
from fixtures_records import frame, sweep_records
from matplotlib.colors import to_hex

from gift_lib.book import findings, forest, openings, pages
from gift_lib.evidence import tables
from gift_lib.intervals import Estimate
from gift_lib.runs import sweeps
from gift_lib.runs.published import METRICS
from gift_lib.runs.repository import ROOT

LEVELS = {"beta=0.0": 60.0, "beta=0.25": 60.0, "beta=0.5": 65.0, "beta=1.0": 50.0}


@pytest.fixture(scope="module")
def rows():
    return forest.rows(frame(sweep_records("ablation-ita", LEVELS.get)))


def test_every_setting_but_the_default_has_the_tables_own_numbers(rows):
    table = tables.ablation(frame(sweep_records("ablation-ita", LEVELS.get)), "ablation-ita")
    mine = rows[rows["sweep"] == "ablation-ita"]
    assert set(mine["setting"]) == set(LEVELS) - {"beta=0.25"} and len(mine) == 3 * len(METRICS)
    for _, row in mine.iterrows():
        block = table[row["metric"]]
        assert (row["Δ"], row["p"]) == (block.at[row["setting"], "Δ"], block.at[row["setting"], "p"])
        gap = block.at[row["setting"], "published"] - block.at["beta=0.25", "published"]
        assert row["published"] == pytest.approx(gap)


def test_what_a_page_pairs_is_paired_here_too():
    level = {"1K, medium": 60.0, "1K, small": 65.0, "3K, small": 50.0, "3K, medium": 50.0}
    made = frame(sweep_records("ablation-guidance", level.get))
    found = forest.rows(made).set_index(["setting", "metric"])
    assert found.at[("guidance 2.5 at 3K", "Last"), "Δ"] == pytest.approx(0, abs=0.5), "not less 1K, medium"
    assert found.at[("guidance 2.5 at 1K", "Last"), "Δ"] > 4
    assert "against guidance 7.5 on as many images" in set(forest.rows(made, only="ablation-guidance")["head"])
    assert "against *guidance 7.5 on as many images*" in forest.said(forest.rows(made))


def test_no_two_ablations_tell_the_same_difference():
    seen = {}
    for name in (n for n in sweeps.names("mini") if n not in forest.ELSEWHERE):
        sweep = sweeps.load(name)
        runs = {v: frozenset(c.experiment.digest for c in sweep.cells if c.variant == v) for v in sweep.variants}
        pairs = findings.question(name).get("pairs") or findings.against_default(sweep)
        for pair in pairs.values():
            key = frozenset(runs[v] for v in pair)
            assert key not in seen, (name, pair, seen[key])
            seen[key] = name, pair


def test_only_clear_differences_have_a_colour(rows):
    found = {r["setting"]: forest.verdict(r) for _, r in rows[rows["metric"] == "Last"].iterrows()}
    assert found["beta=0.5"] == forest.ABOVE and found["beta=1.0"] == forest.BELOW
    assert forest.verdict(rows.iloc[0].replace({rows.iloc[0]["p"]: float("nan")})) == forest.UNCLEAR


def test_the_picture_holds_a_mark_for_each_row_and_a_diamond_for_each_published_one(rows):
    figure = forest.draw(rows)
    assert len({panel.get_xlim() for panel in figure.axes}) == 1, "equal lengths are equal points"
    for panel, metric in zip(figure.axes, METRICS, strict=True):
        own = rows[rows["metric"] == metric]
        marks = [line for line in panel.lines if line.get_marker() == "o"]
        diamonds = [line for line in panel.lines if line.get_marker() == "D"]
        assert len(marks) == len(own) and len(diamonds) == own["published"].notna().sum()
        assert sorted(to_hex(m.get_color()) for m in marks) == sorted(forest.verdict(r) for _, r in own.iterrows())
        assert sorted(float(m.get_xdata()[0]) for m in marks) == pytest.approx(sorted(own["Δ"]))


def test_the_words_name_the_largest_clear_effect_and_the_page(rows):
    said = forest.said(rows)
    assert "(ablation_ita.ipynb), against *beta=0.25*" in said and "with *beta=1.0*" in said and "beta=0.0" not in said


def test_a_name_that_ends_in_a_full_stop_ends_its_line(rows):
    named = rows.assign(setting=rows["setting"].replace("beta=1.0", "Feat. Dist."))
    said = pages.typeset(forest.said(named))
    assert "with *Feat. Dist.*" in said and "*." not in said


def test_the_forest_of_one_sweep_has_a_place_for_every_setting_and_the_published_values():
    few = frame(sweep_records("ablation-ita", {"beta=0.25": 60.0, "beta=0.5": 65.0}.get))
    rows = forest.rows(few, only="ablation-ita")
    assert set(rows["setting"]) == set(LEVELS) - {"beta=0.25"} and set(rows["head"]) == {"against beta=0.25"}
    assert set(rows.loc[rows["Δ"].notna(), "setting"]) == {"beta=0.5"}
    panel = forest.draw(rows).axes[0]
    labels = [t.get_text().strip() for t in panel.get_yticklabels()]
    assert labels == ["against beta=0.25", "beta=0.0", "beta=0.5", "beta=1.0"], "a missing one is seen to be missing"
    assert len([line for line in panel.lines if line.get_marker() == "D"]) == rows["published"].notna().sum() / 3 > 0
    assert forest.rows(few, only="own-orders").empty, "a sweep without a default"


def test_without_records_the_page_says_so():
    empty = forest.rows(frame([]))
    assert "no records yet" in forest.said(empty).lower() or "No ablation has records yet" in forest.said(empty)
    assert forest.draw(empty)._repr_png_().startswith(b"\x89PNG")


def test_each_ablation_has_the_page_that_its_line_links_to():
    told = [n for n in sweeps.names("mini") if n.startswith(("ablation-", "own-")) and n not in forest.ELSEWHERE]
    assert all((ROOT / "notebooks" / forest.page_of(n)).is_file() for n in told)


def contrast(name, where, p, published=None, mean=1.0):
    return openings.Contrast(name, where, "Last", Estimate(mean, 0.5, 5), published, p)


def test_contrasts_stand_in_their_places_below_their_name():
    found = [contrast("ZSCL", "(1)", 0.01, 2.0), contrast("LwF", "(1)", 0.9, mean=-2.0), contrast("LwF", "(2)", None)]
    table = forest.of(found)
    assert list(table["head"]) == ["GIFT minus ZSCL", "GIFT minus LwF", "GIFT minus LwF"]
    assert [forest.verdict(row) for _, row in table.iterrows()] == [forest.ABOVE, forest.UNCLEAR, forest.UNCLEAR]
    figure = forest.draw(table)
    marks = {(m.get_xdata()[0], m.get_ydata()[0]) for m in figure.axes[2].lines if m.get_marker() == "o"}
    assert len({y for _, y in marks}) == 3 and {x for x, _ in marks} == {1.0, -2.0}, "no two share a line"
    assert figure.get_supxlabel() == "points"
    assert list(forest.of([contrast("Zero-shot", "", 0.01)])["setting"]) == ["Zero-shot"]


def test_references_stand_beside_zero_shot_with_gift_as_zero(monkeypatch):
    others = {"Individual fine-tune": 70.0, "Joint training": 72.0, "GIFT with real images": 66.0}
    level = {"Zero-shot": 50.0, "GIFT": 65.0}
    records = [*sweep_records("table1", level.get), *sweep_records("references", others.get, noise=0.4)]
    monkeypatch.setattr(pages, "records", lambda: frame(records))
    panels = pages.points("references").axes
    assert {"  Zero-shot", *(f"  {name}" for name in others)} < {t.get_text() for t in panels[0].get_yticklabels()}
    assert all(any(line.get_marker() == "o" for line in panel.lines) for panel in panels)
