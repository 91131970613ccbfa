"""Contact sheets show what they say."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from gift_lib.book import gallery
from gift_lib.book.theme import SERIES_COLOURS
from gift_lib.errors import ConfigError
from gift_lib.tasks import Split, Task, TensorImages


def a_task(classes: int = 5) -> Task:
    """Every picture has its class as its colour; the labels come in reverse."""
    labels = torch.arange(classes).flip(0).repeat(2)
    pixels = labels.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8).contiguous()
    split = Split(TensorImages(pixels), labels)
    return Task("t", tuple(map(str, range(classes))), ("{c}",), lambda _: split)


def test_examples_are_of_their_classes():
    assert gallery.examples(a_task(), [3, 0])[:, 0, 0, 0].tolist() == [3, 0]


def test_spread_reaches_both_ends_and_never_repeats():
    assert gallery.spread(a_task(5), 3) == [0, 2, 4]
    assert gallery.spread(a_task(2), 6) == [0, 1]


def test_sheet_has_a_row_per_task_and_shows_the_bytes():
    pictures = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    figure = gallery.contact_sheet({"a": [pictures, pictures], "b": [pictures, pictures]}, ("real", "generated"))
    assert len(figure.axes) == 4
    shown = figure.axes[1].images[0].get_array()
    assert np.array_equal(np.moveaxis(np.asarray(shown)[:, 10:18, :3], -1, 0), pictures[1].numpy())
    assert (np.asarray(shown)[:, 8:10, 3] == 0).all()


def test_a_missing_block_is_one_clear_error():
    with pytest.raises(ConfigError, match="2 blocks"):
        gallery.contact_sheet({"a": [torch.zeros(1, 3, 8, 8, dtype=torch.uint8)]}, ("real", "generated"))


def test_bars_show_every_value_in_the_given_order():
    figure = gallery.bars({"ours": pd.Series({"b": 30.0, "a": 70.0}), "chance": {"a": 10.0, "b": 20.0}})
    axis = figure.axes[0]
    assert [bar.get_width() for bar in axis.patches] == [30.0, 70.0]
    assert axis.lines[0].get_xdata().tolist() == [20.0, 10.0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["b", "a"]
    assert [(t.get_text(), t.xy[0]) for t in axis.texts] == [("30", 0), ("70", 0)], "within its own bar"
    low = gallery.bars({"ours": {"a": 3.0, "b": 60.0}, "chance": {"a": 8.0, "b": 20.0}}).axes[0].texts[0]
    assert (low.get_text(), low.xy[0]) == ("3", 8.0), "too short a bar: beyond every mark, in the bar's colour"


def test_own_prompts_are_told_from_others():
    """Six pictures of three prompts: each panel counts 6 own pairs and 12 others, on shared bins."""
    own = torch.arange(3).repeat_interleave(2)
    near = torch.nn.functional.one_hot(own, 3).float()
    figure = gallery.own_and_other({"drawn": near, "real": 0.5 * near}, own)
    assert [panel.get_title() for panel in figure.axes] == ["drawn", "real"]
    for panel, at in zip(figure.axes, (1.0, 0.5), strict=True):
        steps = {to_hex(c.get_facecolor()[0]): c.get_paths()[0].vertices for c in panel.collections}
        own_steps, other_steps = (steps[to_hex(SERIES_COLOURS[k])] for k in (1, 5))
        x, y = own_steps.T
        assert x[y > 0].min() - 1e-6 <= at <= x[y > 0].max() + 1e-6
        assert other_steps[other_steps[:, 1] > 0, 0].max() < at


def test_landscape_shows_the_plane_in_which_the_first_sets_vary():
    """Points that vary in two of five directions keep their distances; a set far outside the plane falls into it."""
    flat = torch.zeros(8, 5).index_copy_(1, torch.tensor([1, 3]), torch.randn(8, 2))
    above = flat + torch.tensor([9.0, 0, 0, 0, 0])
    figure = gallery.landscape(
        {"a": {"real": flat[:4], "drawn": above[:4]}, "b": {"real": flat[4:], "drawn": above[4:]}}
    )
    left, right = (np.concatenate([p.collections[0].get_offsets()[k : k + 4] for p in figure.axes]) for k in (0, 4))
    assert np.allclose(left, right, atol=1e-5)
    assert np.allclose(np.linalg.norm(left[0] - left[5]), float((flat[0] - flat[5]).norm()), atol=1e-5)


def test_matrices_share_one_range_and_stand_beside_their_pictures():
    pictures = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    named = {"teacher": torch.eye(3), "student": 2 * torch.ones(3, 3)}
    figure = gallery.matrices(named, pictures, ["one", "two", "three"], "M")
    strip, teacher, student, bar = figure.axes
    assert np.array_equal(np.asarray(strip.images[0].get_array())[8:16], np.moveaxis(pictures[1].numpy(), 0, -1))
    assert teacher.images[0].get_clim() == student.images[0].get_clim() == (0.0, 2.0)
    assert np.array_equal(np.asarray(teacher.images[0].get_array()), np.eye(3)) and bar.get_ylabel() == "M"
    assert [t.get_text() for t in student.get_xticklabels()] == ["one", "two", "three"]
    with pytest.raises(ConfigError, match="3 x 3"):
        gallery.matrices({"teacher": torch.eye(2)}, pictures, ["one", "two", "three"], "M")


def test_prompts_are_shortened_to_what_tells_them_apart():
    assert gallery._short(["a photo of a red star.", "a photo of a table."]) == ["red star", "table"]
    assert gallery._short(["a photo of a cat."] * 2) == ["a photo of a cat"] * 2
    assert gallery._short(["flower one", "photo two"]) == ["flower one", "photo two"]
