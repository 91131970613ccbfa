"""Figures on dark pages: light ink in drawings, and not a pixel of a picture changed."""

import base64
import io
import re

import dark
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from gift_lib.book import plots, theme
from gift_lib.runs.repository import ROOT

PAGES = ("#121212", "#14181e")  # the theme's dark grounds


def pixels(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)).convert("RGBA"))


def drawn(figure) -> bytes:
    return figure._repr_png_()


def test_light_ink_is_readable_on_the_dark_page():
    for page in PAGES:
        low, high = (theme.luminance(to_rgb(c)) for c in (page, dark.LIGHT))
        assert (high + 0.05) / (low + 0.05) >= 7


@pytest.fixture(scope="module")
def line() -> bytes:
    return drawn(plots.lines({"a name": ([1, 2], [3.0, 4.0])}, xlabel="steps"))


def test_only_ink_becomes_light_and_nothing_moves(line):
    before, after = pixels(line), pixels(dark.inked(line))
    changed = (before != after).any(-1)
    assert changed.any() and (before[..., 3] == after[..., 3]).all()
    assert np.abs(before[changed][:, :3] - 255 * np.array(to_rgb(theme.INK))).max() <= 6
    assert (after[changed][:, :3] == np.round(255 * np.array(to_rgb(dark.LIGHT)))).all()


def test_pictures_stay_as_they_are():
    grey = torch.full((2, 3, 8, 8), 0x75, dtype=torch.uint8)
    assert dark.inked(drawn(plots.pictures(grey, ["one", "two"]))) is None
    photo = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 0x75, np.uint8)).save(photo, "PNG")
    assert dark.inked(photo.getvalue()) is None


def test_a_page_shows_a_figure_or_its_twin_and_a_second_build_changes_nothing():
    figure = '<p><img alt="A plot" src="../_images/{}.png" /></p>'
    page = figure.format("ab1") + figure.format("cd2")
    once = dark.paired(page, {"ab1"})
    assert once.count("<img") == 3 and once.count('alt="A plot"') == 3
    assert 'class="only-dark" loading="lazy" alt="A plot" src="../_images/ab1-dark.webp"' in once
    assert 'class="only-light" alt="A plot" src="../_images/ab1.webp"' in once and "cd2-dark" not in once
    assert dark.paired(once, {"ab1"}) == once


class App:
    def __init__(self, out, kind="html"):
        self.outdir, self.builder = str(out), type("Builder", (), {"format": kind})


@pytest.mark.parametrize("kind", ["html", "latex"])
def test_a_finished_build_has_twins_where_they_are_shown(tmp_path, line, kind):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "ab1.png").write_bytes(line)
    (tmp_path / "page.html").write_text('<img alt="é" src="_images/ab1.png" />', encoding="utf-8")
    for _ in range(2):
        dark.add_twins(App(tmp_path, kind), None)
        names = sorted(p.name for p in tmp_path.glob("_images/*"))
        assert names == (["ab1-dark.webp", "ab1.png", "ab1.webp"] if kind == "html" else ["ab1.png"])
        assert (tmp_path / "page.html").read_text(encoding="utf-8").count("<img") == (2 if kind == "html" else 1)


def test_a_caption_belongs_to_both_twins():
    css = (ROOT / "book" / "static" / "gift.css").read_text(encoding="utf-8")
    rule = "figure > img.only-dark + img.only-light ~ figcaption { display: block !important; }"
    assert rule in css, "the theme hides what follows a hidden picture"


def test_the_light_twin_is_the_picture_itself_and_smaller(line):
    same = dark.inked(line, theme.INK)
    assert (pixels(same) == pixels(line)).all() and len(same) < 0.7 * len(line)


def inline(png: bytes) -> str:
    return f'<img class="gift-figure" alt="A path" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def test_a_figure_of_a_control_has_its_twin_in_the_page(line):
    once = dark.paired(f"<p>{inline(line)}</p>", set())
    form = r'<img class="gift-drawn only-(\w+)" alt="A path" src="data:image/webp;base64,(.+?)"'
    found = dict(re.findall(form, once))
    assert found.keys() == {"dark", "light"} and once.startswith("<p><img") and once.endswith("></p>")
    assert (pixels(base64.b64decode(found["light"])) == pixels(line)).all()
    assert (pixels(base64.b64decode(found["dark"])) == pixels(dark.inked(line))).all()
    assert dark.paired(once, set()) == once


def test_a_picture_in_a_control_stays_as_it_is():
    photo = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 0x75, np.uint8)).save(photo, "PNG")
    assert dark.paired(inline(photo.getvalue()), set()) == inline(photo.getvalue())
