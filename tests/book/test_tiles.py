"""Tiles: a colour and a number for each cell, blank where nothing is known."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from gift_lib.book import theme, tiles
from gift_lib.book.findings import Contrast
from gift_lib.book.why import FATES
from gift_lib.intervals import Estimate

TABLE = pd.DataFrame(
    {"a": [12.4, -3.0, np.nan], "b": [0.4, -12.4, np.nan], "mean": [6.4, -7.7, np.nan]}, index=["GIFT", "LwF", "ZSCL"]
)


def contrast(a, b):
    low, high = sorted((theme.luminance(a), theme.luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_gains_have_a_number_each_and_a_colour_by_their_sign():
    figure = tiles.gains(TABLE, "Last")
    ax, bar = figure.axes
    assert [t.get_text() for t in ax.texts] == ["+12", "0", "6.4", "−3", "−12", "−7.7"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["GIFT", "LwF", "ZSCL (no records)"]
    assert bar.get_xlabel() == "Last: points against zero-shot"
    colours = ax.collections[0].get_facecolors()
    assert colours[0][2] > colours[0][0] and colours[4][0] > colours[4][2], "blue above, orange below"
    assert all(contrast(c[:3], (0, 0, 0)) >= 4.5 for c in colours[:6]) and all(
        t.get_color() == "black" for t in ax.texts
    )
    low, high = ax.collections[0].get_clim()
    assert low == -high, "white is zero"


def test_fates_stand_under_their_metric_and_are_blank_where_a_change_touches_neither():
    pairs = [Contrast("", "", m, Estimate(-1.0, 0.5, 5), 1.0, 0.01, "ZSCL", "GIFT") for m in ("Avg", "Last")]
    e = Estimate(0.0, 1.0, 5)
    found = [(pairs[0], {"x": (FATES[0], e)}), (pairs[1], {"x": (FATES[1], e), "y": (FATES[2], e)})]
    figure = tiles.fates(found, ["x", "y"])
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Avg", "GIFT > ZSCL", "Last", "GIFT > ZSCL"]
    places = {(t.get_position()[0], t.get_position()[1]): t.get_text() for t in ax.texts if t.get_text()}
    assert places == {(0.5, 1.5): "✓", (0.5, 3.5): "?", (1.5, 3.5): "✗"}
    assert [t.get_text()[2:] for t in figure.legends[0].get_texts()] == list(FATES)
    assert all(contrast(to_rgb(c), (0, 0, 0)) >= 4.5 for c in tiles._SHADES)
    assert figure._repr_png_().startswith(b"\x89PNG")
