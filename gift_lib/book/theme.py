"""How the book's figures look: colours and markers of methods, light and dark, fonts, and the axes to draw into.

Figures are about as wide as a phone's screen in points, so that text stays readable there; colours keep a
contrast of 3:1 on white and on the dark theme's background, and a marker or a shape always says the same
as the colour. A theme is "both" (transparent, mid-grey text: readable on either), "light" or "dark".
"""

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gift_lib.errors import ConfigError, nearest

#: One colour per method, the same in every plot and page.
METHOD_COLOURS = {
    "zero-shot": "#7d7d7d",
    "finetune": "#cd0022",
    "l2": "#d021fe",
    "lwf": "#7593d3",
    "icarl": "#00707b",
    "lwf-vr": "#b142d0",
    "wise-ft": "#935e53",
    "zscl": "#0072b2",
    "moe-adapter": "#6ca06a",
    "gift": "#d55e00",
    "upper-bound": "#9a909e",
    "joint": "#4389aa",
}
#: One marker per method: twelve hues cannot all be told apart by everybody.
METHOD_MARKERS = dict(zip(METHOD_COLOURS, "oXsv^<>DP*hd", strict=True))
#: Colours of a reader's own methods and of series that are no methods.
SERIES_COLOURS = ("#0072b2", "#d55e00", "#3f9142", "#b142d0", "#8a6d1d", "#7d7d7d")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

THEMES = {
    "both": {"ink": "#757575", "grid": "#8a8a8a55", "paper": "none"},
    "light": {"ink": "#222832", "grid": "#00000022", "paper": "#ffffff"},
    "dark": {"ink": "#ced6dd", "grid": "#ffffff2a", "paper": "#14181e"},
}
WIDTH = 5.0  # inches: at 11 points, text keeps about 11 CSS pixels on a 360 pixel wide screen


class Drawing(Figure):
    """A Figure that a notebook shows where it is a cell's last value, once, without pyplot and its state."""

    def _repr_png_(self) -> bytes:
        self.savefig(buffer := io.BytesIO(), format="png")
        return buffer.getvalue()


def colour(method: str) -> str:
    """The colour of a method; a fixed one of SERIES_COLOURS for a method that is not in the tables."""
    return METHOD_COLOURS.get(method) or SERIES_COLOURS[sum(method.encode()) % len(SERIES_COLOURS)]


def marker(method: str) -> str:
    """The marker of a method."""
    return METHOD_MARKERS.get(method, "p")


def luminance(rgb: Sequence) -> float:
    """WCAG relative luminance of an sRGB colour with channels in 0..1."""
    c = np.asarray(rgb, dtype=float)
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))


@contextmanager
def style(theme: str = "both") -> Iterator[dict[str, str]]:
    """Within: fonts and colours of the book; yields the theme's colours."""
    if theme not in THEMES:
        raise ConfigError(f"there is no theme {theme!r}; {nearest(theme, THEMES)}")
    ink, grid, paper = THEMES[theme]["ink"], THEMES[theme]["grid"], THEMES[theme]["paper"]
    settings = {
        "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11, "xtick.labelsize": 10, "ytick.labelsize": 10,
        "legend.fontsize": 10, "legend.frameon": False, "lines.linewidth": 1.8, "lines.markersize": 6,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "grid.color": grid,
        "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": ink, "axes.titlecolor": ink,
        "xtick.color": ink, "ytick.color": ink, "legend.labelcolor": ink,
        "figure.facecolor": paper, "axes.facecolor": "none", "savefig.facecolor": paper, "figure.dpi": 150,
        "text.parse_math": False,  # a dollar in a task's name is a dollar
    }  # fmt: skip
    with mpl.rc_context(settings):
        yield THEMES[theme]


def themed(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Run a plot within `style(theme)`; the keyword `theme` of every function here comes from this."""

    @functools.wraps(function)
    def draw(*arguments: Any, theme: str = "both", **options: Any) -> Figure:
        with style(theme):
            return function(*arguments, **options)

    return draw


def axis(ax: Axes | None, height: float) -> tuple[Figure, Axes]:
    """The given axis with its figure, or a new figure."""
    if ax is not None:
        return ax.get_figure(root=True), ax
    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def grid(ax: Axes | None, rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, np.ndarray]:
    """A grid of axes in a new figure, or in the place of the given axis."""
    if ax is None:
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **options)
    figure, place = ax.get_figure(root=True), ax.get_subplotspec()
    if place is None:
        raise ConfigError("this axis stands outside a grid: make it by subplots, or leave it out.")
    ax.remove()
    return figure, place.subgridspec(rows, columns).subplots(squeeze=False, **options)
