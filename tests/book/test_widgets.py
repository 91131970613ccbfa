"""Controls: what is drawn beforehand for a page, and what a kernel draws."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
import torch
from fixtures_records import frame, sweep_records
from IPython.display import HTML, Markdown
from PIL import Image

from gift_lib import metrics
from gift_lib.book import theme, widgets
from gift_lib.config import experiment
from gift_lib.data import load_tasks
from gift_lib.errors import ConfigError
from gift_lib.pool import prompt_stream

AXES = {"guidance": [1.0, 7.5], "steps": [3, 5, 10]}


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("GIFT_STATIC", "1")


def drawn(w, n):
    return widgets.Frame(f"<b>{w} {n}</b>", f"w < {w}, {n} steps")


def embedded(control: HTML) -> dict:
    """What a page's script reads."""
    found = re.search(r'<script type="application/json">(.*?)</script>', control.data, re.DOTALL)
    return json.loads(found[1])


def test_a_page_holds_a_frame_per_point_and_shows_the_first_choice(page):
    text = widgets.control(AXES, drawn, (7.5, 5)).data
    frames = re.findall(r'<div data-frame="(\d) (\d)"( hidden)?><b>([\d.]+) (\d+)</b>', text)
    assert [(w, n) for _, _, _, w, n in frames] == [(str(w), str(n)) for w in AXES["guidance"] for n in AXES["steps"]]
    assert [(w, n) for _, _, hidden, w, n in frames if not hidden] == [("7.5", "5")]
    assert "w &lt; 7.5" in text
    assert widgets.SCRIPT.read_text() in text
    shown = [json.loads(html.unescape(v)) for v in re.findall(r'data-values="([^"]*)"', text)]
    assert shown == [[str(v) for v in values] for values in AXES.values()]


def test_a_kernel_draws_what_is_chosen_and_nothing_else(monkeypatch):
    monkeypatch.delenv("GIFT_STATIC", raising=False)
    asked = []
    live = widgets.control(AXES, lambda w, n: asked.append((w, n)) or drawn(w, n))
    sliders = live.children[:2]
    assert [s.description for s in sliders] == list(AXES)
    live.update()
    sliders[1].value = 10
    assert asked[0] == (1.0, 3)
    assert asked[-1] == (1.0, 10)
    assert (7.5, 5) not in asked


@pytest.mark.parametrize("start", [(3.0, 5), (1.0,)])
def test_a_start_outside_the_axes_is_refused(start):
    with pytest.raises(ConfigError, match="cannot start"):
        widgets.control(AXES, drawn, start)


def test_pictures_bring_their_bytes_and_say_what_they_are():
    pixels = torch.randint(256, (5, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    made = widgets.strip(pixels, 'a "b"'), widgets.picture(theme.Drawing(figsize=(1, 1)), 'a "b"')
    assert all('alt="a &quot;b&quot;"' in m for m in made)
    assert 'src="data:image/png;base64,iVBOR' in made[1]
    content = base64.b64decode(made[0].partition("data:image/webp;base64,")[2].partition('"')[0])
    shown = np.asarray(Image.open(io.BytesIO(content)))
    assert (shown[:8, 10:18, :3] == np.moveaxis(pixels[1].numpy(), 0, -1)).all(), "to the last bit"


def test_the_explorer_has_every_record_and_the_numbers_of_the_library(page):
    level = {"GIFT": 60.0, "ZSCL": 55.0}
    kept = frame(sweep_records("table1", level.get))
    R = [[80.0, 60.0], [70.0, 90.0]]
    made_up = {"tasks": ["x", "</script>"], "R": R, "zero_shot": [1.0, 2.0]}
    runs = embedded(widgets.explorer(kept, made_up))["runs"]
    assert runs[0]["method"] == "GIFT"
    (invented,) = [r for r in runs if r["method"] == "made up"]
    assert invented["tasks"] == ["x", "</script>"]
    assert invented["numbers"]["Transfer"] == 60.0
    assert {r["method"] for r in runs} == {"made up", "GIFT", "ZSCL"}
    gift = [r for r in runs if r["method"] == "GIFT"]
    assert [r["seed"] for r in gift] == ["mean of 10", *map(str, range(10))]
    assert {r["order"] for r in gift} == {"I"}
    np.testing.assert_allclose(gift[0]["R"], np.mean([r["R"] for r in gift[1:]], axis=0), atol=0.11)
    assert gift[1]["numbers"].keys() == metrics.METRICS.keys()


def test_without_records_the_explorer_names_the_commands(page):
    shown = widgets.explorer(frame([]))
    assert isinstance(shown, Markdown)
    assert "make sweep NAME=table1" in shown.data and "make sweep NAME=table2" in shown.data
    made_up = {"tasks": ["a", "b"], "R": [[1.0, 2.0], [3.0, 4.0]], "zero_shot": [0.0, 0.0]}
    assert [r["method"] for r in embedded(widgets.explorer(frame([]), made_up))["runs"]] == ["made up"]


def test_the_explorer_is_the_same_where_a_kernel_runs_and_brings_its_looks(monkeypatch):
    kept = frame(sweep_records("table1", {"GIFT": 60.0, "ZSCL": 55.0}.get))
    monkeypatch.setenv("GIFT_STATIC", "1")
    on_page = widgets.explorer(kept).data
    monkeypatch.delenv("GIFT_STATIC")
    live = widgets.explorer(kept).data
    look, _, rest = live.partition("</style>")
    assert rest == on_page and "<style>" not in on_page and ".gift-unused" in look
    assert all(f"data-choice='{name}'" in rest for name in widgets.CHOICES) and "cells of" in widgets.CHOICES


def test_a_live_control_brings_its_looks_too(monkeypatch, capsys):
    monkeypatch.delenv("GIFT_STATIC", raising=False)
    shown = []
    monkeypatch.setattr(widgets, "display", lambda *parts: shown.extend(parts))
    widgets._live(AXES, drawn, (1.0, 3)).update()
    assert shown[0].data.startswith("<style>")
    assert shown[0].data.endswith("<p>w &lt; 1.0, 3 steps</p>"), "no name in the sentence is read as Markdown or HTML"


def test_looks_outside_the_book_need_none_of_its_colours():
    style = widgets.STYLE.read_text(encoding="utf-8")
    bare, own = set(re.findall(r"var\((--[\w-]+)\)", style)), set(re.findall(r"(--gift-[\w-]+):", style))
    assert bare == {"--gift-method"} | own, "each control sets these itself"
    assert ".bd-article" not in style


def test_the_pool_shows_its_names_and_prompts(page):
    setting = experiment("mini", tasks=("textures", "terrain"), images_per_task=16)
    tasks = load_tasks(setting)
    text = html.unescape(widgets.pool_growth(setting, tasks, shown=4).data)
    first, second = text.split('data-frame="1"')
    assert "textures</span>" not in first and "textures</span>" in second
    for prompts, part in zip(prompt_stream(setting, tasks), (first, second), strict=True):
        assert all(f"<li>{p} <em>" in part for p in prompts[:4])
