"""Controls without a book around them: their HTML alone in a browser, from made-up records."""

import json

import numpy as np
import pytest
from browser import CELLS, SHOWN, axe, barriers, choose, chromium, frames, resize, served, visit
from fixtures_records import frame, sweep_records

from gift_lib import metrics
from gift_lib.book import plots, verdicts, widgets
from gift_lib.evidence import claims
from gift_lib.runs.repository import ROOT

pytestmark = pytest.mark.slow

COUNT = "return document.querySelector('[data-kind=claims] output').textContent"

LOSS = {"Contrastive": 60.0, "Feat. Dist.": 50.0, "Image-only": 60.0, "Text-only": 60.0}
LEVELS = {"table1": {"GIFT": 60.0, "ZSCL": 35.0}, "table2": {"GIFT": 80.0}}
GUIDANCE, STEPS = [1.0, 7.5], [3, 5, 10]


def drawn(w, n):
    figure = plots.trail({1.0: (w, n), 2.0: (n, w)}, 1.0)
    return widgets.Frame(widgets.picture(figure, f"at {w} and {n}"), f"w = {w:g}, {n} steps")


def page(body: str) -> str:
    css = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "book" / "static" / "gift.css", widgets.STYLE))
    return (
        '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>controls</title>'
        f"<style>{css} body {{ margin: 0 8px; }}</style><main class='bd-article'><h1>controls</h1>{body}</main></html>"
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIFT_STATIC", "1")
        records = [r for name, level in LEVELS.items() for r in sweep_records(name, level.get)]
        made_up = {"tasks": ["x", "y"], "R": [[80.0, 60.0], [70.0, 90.0]], "zero_shot": [50.0, 51.0]}
        controls = widgets.control({"guidance": GUIDANCE, "steps": STEPS}, drawn, (7.5, 5))
        explorer = widgets.explorer(frame(records), made_up)
        forest = verdicts.forest(claims.evaluate(frame(sweep_records("ablation-loss", LOSS.get))))
    live = '<!doctype html><html lang="en"><meta charset="utf-8"><title>a notebook</title>'
    live += widgets.explorer(frame(records), made_up).data
    (folder / "book").mkdir()
    (folder / "book" / "live.html").write_text(live, encoding="utf-8")
    (folder / "book" / "index.html").write_text(page(controls.data + explorer.data + forest), encoding="utf-8")
    (folder / "favicon.ico").write_bytes(b"")
    with served(folder) as address:
        yield f"{address}/book/index.html"


@pytest.fixture(scope="module")
def opened():
    with chromium() as driven:
        resize(driven, 390)
        yield driven


@pytest.fixture
def browser(site, opened):
    assert visit(opened, site) == []
    return opened


def test_one_frame_is_seen_and_it_is_the_chosen_one(browser):
    (first,) = browser.execute_script(SHOWN)
    assert (first["text"], first["said"]) == ("w = 7.5, 5 steps", ["7.5", "5"])
    seen = frames(browser, [(0, 0), (1, 2), (1, 0)])
    assert [one["text"] for one in seen] == ["w = 1, 5 steps", "w = 1, 10 steps", "w = 1, 3 steps"]
    assert len({one["picture"] for one in seen}) == 3
    assert all(one["width"] > 200 for one in seen)


def test_the_matrix_is_that_of_the_chosen_run(browser):
    runs = json.loads(
        browser.execute_script("return document.querySelector('[data-kind=explorer] script').textContent")
    )
    for run in runs["runs"]:
        choose(browser, method=run["method"], order=run["order"], seed=run["seed"])
        rows = browser.execute_script(CELLS)
        assert [r[0] for r in rows] == ["zero-shot", *run["tasks"]]
        np.testing.assert_allclose([[float(v) for v in r[1:]] for r in rows[1:]], run["R"], atol=0.5)
        numbers = "return [...document.querySelectorAll('.gift-numbers dd')].map(e => parseFloat(e.textContent))"
        assert browser.execute_script(numbers) == list(run["numbers"].values())


def test_only_runs_with_a_record_can_be_chosen(browser):
    offered = "return [...document.querySelectorAll(`[data-choice=${arguments[0]}] option`)].map(o => o.value)"
    assert browser.execute_script(offered, "method") == ["GIFT", "made up", "ZSCL"]
    choose(browser, method="ZSCL")
    assert browser.execute_script(offered, "order") == ["I"]
    choose(browser, method="GIFT")
    assert browser.execute_script(offered, "order") == ["I", "II"]
    choose(browser, order="II")
    assert browser.execute_script(CELLS)[1][0] == "a"


def test_no_choice_in_a_notebook_ends_without_a_record(browser, site):
    """The explorer as a notebook shows it, with nothing of the book around it: every order of choosing ends well."""
    bare = site.replace("index.html", "live.html")
    assert visit(browser, bare) == []
    offered = "return [...document.querySelectorAll(`[data-choice='${arguments[0]}'] option`)].map(o => o.value)"
    seen = set()
    for method in browser.execute_script(offered, "method"):
        for order in ("II", "I", "none"):
            choose(browser, method=method)
            choose(browser, order=order)  # offered or not
            for name in browser.execute_script(offered, "cells of"):
                choose(browser, cells_of=name)
                now = "return [...document.querySelectorAll('[data-kind=explorer] select')].map(s => s.value)"
                seen.add(tuple(browser.execute_script(now)[:2]))
                assert len(browser.execute_script(CELLS)) > 2 and all(browser.execute_script(now))
    assert seen == {("made up", "none"), ("GIFT", "I"), ("GIFT", "II"), ("ZSCL", "I")}
    dimmed = "return getComputedStyle(document.querySelector('.gift-unused')).opacity"
    assert float(browser.execute_script(dimmed)) < 0.3, "it brings its own looks"


def test_a_metric_shows_its_cells_and_its_means(browser):
    choose(browser, method="GIFT", order="I", seed="0")
    R = [[float(v) for v in row[1:]] for row in browser.execute_script(CELLS)[1:]]
    n = len(R)
    used = "return document.querySelectorAll('.gift-matrix tbody td:not(.gift-unused):not(.gift-margin)').length"
    margins = "return [...document.querySelectorAll('.gift-margin')].map(e => e.textContent).filter(t => t)"
    counts = {"all": n * (n + 1), "Avg": n * n, "Last": n, "Learned": n, "Forgetting": 2 * (n - 1)}
    counts |= dict.fromkeys(("Transfer", "Transfer (rows)"), n * (n - 1) // 2)
    assert counts.keys() == {"all", *metrics.METRICS}
    for name, count in counts.items():
        choose(browser, cells_of=name)
        assert browser.execute_script(used) == count, name
    choose(browser, cells_of="Transfer")
    np.testing.assert_allclose(
        [float(m) for m in browser.execute_script(margins)], metrics.transfer_per_task(R), atol=1.1
    )
    choose(browser, cells_of="Forgetting")
    lost = [float(m) for m in browser.execute_script(margins)]
    np.testing.assert_allclose(lost, metrics.forgetting_per_task(R), atol=1.1)


def test_claims_are_filtered_by_verdict_and_part(browser):
    rows = "[...document.querySelectorAll('[data-kind=claims] li')].filter(e => e.offsetHeight)"
    seen = f"return {rows}.map(e => [e.dataset.verdict, e.dataset.part])"
    every = browser.execute_script(seen)
    n = len(claims.load())
    assert len(every) == n and browser.execute_script(COUNT) == f"{n} of {n} claims"
    lacking = "[data-kind=claims] input[data-verdict='no records yet']"
    browser.execute_script("document.querySelector(arguments[0]).click()", lacking)
    left = [row for row in every if row[0] != "no records yet"]
    assert browser.execute_script(seen) == left and 0 < len(left) < len(every)
    part = left[0][1]
    browser.execute_script(
        "const s = document.querySelector('[data-kind=claims] select'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('change'))", part,
    )  # fmt: skip
    assert browser.execute_script(seen) == [row for row in left if row[1] == part]
    browser.execute_script("document.querySelector('[data-kind=claims] li:not([hidden]) summary').click()")
    assert browser.execute_script("return document.querySelector('[data-kind=claims] [open] table').offsetHeight") > 0


def test_the_controls_are_within_reach_of_everybody(browser):
    from selenium.webdriver.common.keys import Keys

    browser.find_element("css selector", "[data-kind=frames] input[type=range]").send_keys(Keys.ARROW_LEFT)
    (one,) = browser.execute_script(SHOWN)
    assert one["text"] == "w = 1, 5 steps"
    assert barriers(browser, axe()) == []
