"""The built book in a browser, at two widths, with every other host blocked."""

import pytest
from browser import WIDTHS, chromium, resize, served, visit

from gift_lib.repository import ROOT

BUILT = ROOT / "_build" / "html"
PAGE_LIMIT = 3 * 2**20


@pytest.fixture(scope="module")
def site():
    if not (BUILT / "index.html").exists():
        pytest.skip("there is no built book: make book")
    with served(BUILT) as address:
        yield address


def pages() -> list[str]:
    """Every page of the built book."""
    folders = (BUILT / "book", BUILT / "notebooks")
    return sorted(p.relative_to(BUILT).as_posix() for f in folders for p in f.rglob("*.html"))


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_whole_offline_and_no_wider_than_the_screen(site, width):
    with chromium() as browser:
        resize(browser, width)
        faults = {page: found for page in pages() if (found := visit(browser, f"{site}/{page}"))}
    assert faults == {}


@pytest.mark.slow
def test_every_page_weighs_less_than_its_limit(site):
    weigh = "return performance.getEntries().reduce((n, e) => n + (e.encodedBodySize || 0), 0)"
    with chromium() as browser:
        resize(browser, WIDTHS[0])
        weights = {}
        for page in pages():
            visit(browser, f"{site}/{page}")
            weights[page] = browser.execute_script(weigh)
    assert {p: w for p, w in weights.items() if w > PAGE_LIMIT} == {}
    assert min(weights.values()) > 0
