"""The forest of claims shows what the verdicts hang on, claim by claim, and takes no text as HTML."""

import re

import numpy as np
import pytest
from fixtures_records import frame, sweep_records

from gift_lib.book import verdicts
from gift_lib.evidence import claims
from gift_lib.evidence.claims import Comparison

LEVEL = {"Contrastive": 60.0, "Feat. Dist.": 50.0, "Image-only": 60.0, "Text-only": 60.0}


@pytest.fixture(scope="module")
def judged():
    return claims.evaluate(frame(sweep_records("ablation-loss", LEVEL.get)))


def test_the_axis_is_odd_and_grows_to_its_ends():
    x = np.linspace(-200, 200, 401)
    at = np.array([verdicts.place(v) for v in x])
    assert at == pytest.approx(100 - at[::-1]) and (np.diff(at) >= 0).all() and (at[0], at[200], at[-1]) == (0, 50, 100)
    assert all(0 < verdicts.place(t) < 100 for t in verdicts.TICKS) and verdicts.place(float("inf")) == 100


@pytest.mark.parametrize("test", claims.TESTS)
def test_the_tinted_field_is_where_the_test_passes(test):
    c = Comparison("a", "" if test == "above" else "b", "Last", test, 2.0)
    low, high = verdicts._claimed(c)
    for x in np.arange(-5, 6, 0.5):
        assert (claims._reserve(c, x, x) > 0) == (low < x - (2.0 if test == "above" else 0.0) < high)


def test_every_claim_has_a_line_with_its_verdict_and_every_comparison(judged):
    shown = verdicts.forest(judged)
    rows = re.findall(r'<li data-verdict="([^"]+)" data-part="([^"]+)">(.*?)</li>', shown, re.DOTALL)
    assert [r[0] for r in rows] == [j.verdict for j in judged] and len(rows) == len(claims.load())
    for j, (_, _, inner) in zip(judged, rows, strict=True):
        assert inner.count("<tr") == 1 + len(j.outcomes) and inner.count("<svg role") == 1
        assert inner.count("<circle") == (j.verdict != "no records yet")
        assert inner.count("\u25c7") == (j.deciding.paper is not None)
        assert inner.count("Written after its records") == j.claim.after_records
        assert inner.count(" Here: ") == bool(j.claim.here)
    (known,) = [r[2] for r in rows if "Feat. Dist." in r[2] and "over 5 seeds" in r[2]]
    assert "+10.0" in known and "published" in known
    assert "make sweep NAME=table1" in shown and "`" not in shown.split("<script>")[0]


def test_in_a_notebook_it_brings_its_looks_and_its_script(judged, monkeypatch):
    live = verdicts.forest(judged[:1])
    monkeypatch.setenv("GIFT_STATIC", "1")
    on_page = verdicts.forest(judged[:1])
    look, _, rest = live.partition("</style>")
    assert look.startswith("<style>") and on_page.endswith("</script>")
    told, shown = (re.sub(r'id="gift-\w+"', "", text) for text in (rest, on_page))
    assert told.replace("bibliography.md#", "bibliography.html#") == shown != told  # each leads to the slides


def test_filters_offer_the_verdicts_and_parts_that_there_are(judged):
    shown = verdicts.forest(judged)
    offered = re.findall(r'data-verdict="([^"]+)"> [^(]+\((\d+)\)', shown)
    assert {v: int(n) for v, n in offered} == {v: n for v, n in claims.count(judged).items() if n}
    assert shown.count("<option>") == 1 + len({j.claim.part for j in judged})


def test_a_text_is_no_html(judged):
    import dataclasses

    evil = dataclasses.replace(judged[0].claim, text="<b onclick=x>", where='"><i>', part="<u>")
    shown = verdicts.forest([dataclasses.replace(judged[0], claim=evil)])
    assert "<b onclick" not in shown and "<i>" not in shown and "<u>" not in shown and "&lt;b onclick=x&gt;" in shown
