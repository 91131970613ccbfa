"""The built book in a browser, at two widths, with every other host blocked; what its controls do; where links lead."""

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from browser import CELLS, SHOWN, WIDTHS, axe, barriers, choose, chromium, dress, frames, resize, served, visit

from gift_lib.runs.repository import ADDRESS as REPOSITORY
from gift_lib.runs.repository import ROOT, slug

BUILT = ROOT / "_build" / "html"
PAGE_LIMIT = 3 * 2**20
#: Seconds that executing a page may take, and their mean; the experiment page may have to run its experiment.
SECONDS, MEAN_SECONDS, EXPERIMENT_SECONDS = 60, 25, 240

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site():
    if not (BUILT / "index.html").exists():
        pytest.skip("there is no built book: make book")
    with served(BUILT) as address:
        yield address


@pytest.fixture
def browser():
    with chromium() as driven:
        resize(driven, WIDTHS[0])
        yield driven


def pages() -> list[str]:
    """Every page of the built book."""
    folders = (BUILT / "book", BUILT / "notebooks")
    return sorted(p.relative_to(BUILT).as_posix() for f in folders for p in f.rglob("*.html"))


def read(page: str) -> str:
    return (BUILT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_whole_offline_and_no_wider_than_the_screen(site, browser, width):
    resize(browser, width)
    faults = {page: found for page in pages() if (found := visit(browser, f"{site}/{page}"))}
    assert faults == {}


def test_every_page_weighs_less_than_its_limit(site, browser):
    weigh = "return performance.getEntries().reduce((n, e) => n + (e.encodedBodySize || 0), 0)"
    weights = {}
    for page in pages():
        visit(browser, f"{site}/{page}")
        weights[page] = browser.execute_script(weigh)
    assert {p: w for p, w in weights.items() if w > PAGE_LIMIT} == {}
    assert min(weights.values()) > 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_barrier(site, browser, theme, width):
    script = axe()
    resize(browser, width)
    dress(browser, site, theme)
    found = {}
    for page in pages():
        found[page] = visit(browser, f"{site}/{page}") + barriers(browser, script)
    assert {page: b for page, b in found.items() if b} == {}


def test_the_book_opens_from_disk(site, browser):
    for page in ("book/intro.html", "notebooks/metrics.html", "notebooks/image_generation.html"):
        assert visit(browser, f"{BUILT.as_uri()}/{page}") == []


def test_every_internal_link_leads_to_a_place():
    if not BUILT.exists():
        pytest.skip("there is no built book: make book")
    anchors = {page: set(re.findall(r'\b(?:id|name)="([^"]+)"', read(page))) for page in pages()}
    broken = []
    for page in pages():
        for target in set(re.findall(r'\b(?:href|src)="([^"]*)"', read(page))):
            parts = urlsplit(unescape(target))
            if parts.scheme or parts.netloc or target in ("", "#"):
                continue
            path = ((BUILT / page).parent / unquote(parts.path)).resolve() if parts.path else BUILT / page
            name = path.relative_to(BUILT).as_posix()
            if not path.exists() or (parts.fragment and name in anchors and parts.fragment not in anchors[name]):
                broken.append(f"{page}: {target}")
    assert broken == []


EXECUTED = re.compile(r"Executed on \d+ \w+ \d{4} in (\d+) s with gift_lib [\d.]+, code and records [0-9a-f]{12}")


@pytest.fixture
def executed() -> list[str]:
    """The pages that are notebooks."""
    found = [p for p in pages() if p.startswith("notebooks/")]
    return found or pytest.skip("there is no built book: make book")


def test_every_notebook_says_how_it_came_to_be_and_can_be_taken_away(executed):
    for page in executed:
        text, name = read(page), Path(page).stem
        assert EXECUTED.search(text), page
        assert f"https://colab.research.google.com/github/{slug(REPOSITORY)}/blob/main/notebooks/{name}.ipynb" in text
        assert f"{name}.ipynb" in text.split("btn-download-source-button")[0].rsplit("href", 1)[1]


def test_no_page_takes_long(executed):
    """Build the book on a machine that does nothing else before asking this."""
    seconds = {page: int(EXECUTED.search(read(page))[1]) for page in executed}
    experiment = seconds.pop("notebooks/experiment.html", 0)
    assert {p: s for p, s in seconds.items() if s >= SECONDS} == {}
    assert experiment < EXPERIMENT_SECONDS
    assert sum(seconds.values()) / len(seconds) <= MEAN_SECONDS


# The controls


def test_the_matrix_changes_with_its_choices(site, browser):
    assert visit(browser, f"{site}/notebooks/metrics.html") == []
    text = browser.execute_script("return document.querySelector('[data-kind=explorer] script').textContent")
    runs = json.loads(text)["runs"]
    for run in [runs[0], runs[-1], runs[len(runs) // 2]]:
        choose(browser, method=run["method"], order=run["order"], seed=run["seed"], cells_of="all")
        rows = browser.execute_script(CELLS)
        assert [r[0] for r in rows] == ["zero-shot", *run["tasks"]]
        np.testing.assert_allclose([[float(v) for v in r[1:]] for r in rows[1:]], run["R"], atol=0.5)


def test_guidance_and_steps_change_the_pictures(site, browser):
    visit(browser, f"{site}/notebooks/image_generation.html")
    seen = frames(browser, [(0, 0), (1, 0), (0, 2), (1, 3)])
    assert len({one["picture"] for one in seen}) == 4
    for one in seen:
        w, steps = one["said"]
        assert one["text"].startswith(f"w = {float(w):g}, {steps} steps: alignment 0.")
        assert one["width"] > 200


def test_the_pool_grows_with_the_slider(site, browser):
    visit(browser, f"{site}/notebooks/class_pool.html")
    first, middle, last = frames(browser, [(0, 0), (0, 5), (0, 10)])
    parts = [one["picture"].count("<span") for one in (first, middle, last)]
    assert parts == [1, 6, 11]
    shares = [int(re.search(r"(\d+) % of", one["text"])[1]) for one in (first, middle, last)]
    assert shares[0] == 0 < shares[1] < shares[2]
    assert [one["said"][0].split()[0] for one in (first, middle, last)] == ["1", "6", "11"]


def test_walking_between_two_models_moves_both_numbers(site, browser):
    visit(browser, f"{site}/notebooks/baselines_regularisation.html")
    seen = frames(browser, [(0, at) for at in range(5)])
    numbers = [
        re.fullmatch(r"w = ([\d.]+): Transfer ([\d.]+) %, Last ([\d.]+) %", one["text"]).groups() for one in seen
    ]
    assert [float(w) for w, _, _ in numbers] == sorted(float(w) for w, _, _ in numbers)
    assert len({one["picture"] for one in seen}) == len({n[1:] for n in numbers}) == 5
    assert float(numbers[0][1]) > float(numbers[-1][1]), "Transfer falls on the way from the untouched model"


def test_controls_obey_the_keyboard(site, browser):
    from selenium.webdriver.common.keys import Keys

    visit(browser, f"{site}/notebooks/class_pool.html")
    (before,) = browser.execute_script(SHOWN)
    browser.find_element("css selector", "[data-kind=frames] input[type=range]").send_keys(Keys.ARROW_RIGHT)
    (after,) = browser.execute_script(SHOWN)
    assert int(after["said"][0].split()[0]) == int(before["said"][0].split()[0]) + 1


def test_a_term_says_what_it_means_and_a_solution_unfolds(site, browser):
    visit(browser, f"{site}/notebooks/metrics.html")
    focused = "document.querySelector('a[data-tip*=\"last row\"]').focus(); return document.querySelector('.gift-tip')"
    assert browser.execute_script(f"{focused}.textContent").startswith("The mean of the last row")
    assert not browser.execute_script(f"{focused}.hidden")
    opened = (
        "addEventListener('hashchange', () => setTimeout(arguments[0])); document.querySelector('.gift-way a').click()"
    )
    browser.execute_async_script(opened)
    assert browser.execute_script("return document.querySelector('details:has([id^=solution-])').open")


def test_a_table_is_sorted_by_the_column_that_is_pressed(site, browser):
    visit(browser, f"{site}/notebooks/table_1.html")
    column = """
    const table = [...document.querySelectorAll("table")].find(t => t.tHead.textContent.includes("Avg ours"));
    const heads = [...table.tHead.querySelectorAll("th")];
    const k = heads.findIndex(h => h.innerText.trim().startsWith("Avg ours"));
    heads[k].querySelector("button").click();
    return [heads[k].ariaSort, [...table.tBodies[0].rows].map(r => parseFloat(r.cells[k].innerText))];
    """
    down, up = browser.execute_script(column), browser.execute_script(column)
    assert (down[0], up[0]) == ("descending", "ascending")
    assert down[1] == sorted(down[1], reverse=True) == up[1][::-1]
    assert len(down[1]) == 10
