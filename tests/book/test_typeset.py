"""Numbers on a built page: minus signs, columns, empty heads; nothing else changes."""

import pytest

from gift_lib.runs.repository import ROOT


@pytest.fixture
def typeset(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from typeset import typeset

    return typeset


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("<p>It loses -1.2 points (-2.0 to -0.4).</p>", "<p>It loses −1.2 points (−2.0 to −0.4).</p>"),
        ("<p>65.2 ± 0.4</p>", "<p>65.2\u00a0±\u00a00.4</p>"),
        ("<p>[-3, -.5]</p>", "<p>[−3, −.5]</p>"),
    ],
)
def test_a_hyphen_before_a_number_is_a_minus(typeset, given, wanted):
    assert typeset(given) == wanted


@pytest.mark.parametrize(
    "kept",
    [
        '<a href="x -1.html" style="margin: -4px">two-4 seeds 0-4, 2026-11-27, ViT-16</a>',
        "<pre>x = -1</pre> <code>-1</code>",
        "<pre><span>a</span> -1</pre>",
        '<span class="math">\\(x -1 ± 2\\)</span>',
        "<script>let x = -1;</script><!-- -1 -->",
        "<textarea> -1</textarea>",
    ],
)
def test_code_addresses_and_formulas_stay_as_they_were_typed(typeset, kept):
    assert typeset(kept) == kept


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("<td>65.2 ± 0.4</td>", True),
        ("<td><p>-1.3</p></td>", True),
        ('<td class="x"><p>+0.2</p></td>', True),
        ("<td>&lt; 0.001</td>", True),
        ("<td><p><strong>12</strong></p></td>", True),
        ("<td>textures</td>", False),
        ("<td></td>", False),
        ("<th>256 pictures</th>", False),
    ],
)
def test_cells_with_numbers_are_marked(typeset, cell, number):
    made = typeset(cell)
    assert ("gift-number" in made) == number and made.count("class=") <= 1


def test_an_empty_head_is_no_head(typeset):
    table = '<thead><tr><th></th><th class="head"><p></p></th><th>Last</th></tr></thead>'
    assert typeset(table) == '<thead><tr><td></td><td class="head"></td><th>Last</th></tr></thead>'
