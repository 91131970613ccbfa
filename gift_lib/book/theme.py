"""How the book's figures look: colours and markers of methods, fonts, and a figure to draw into.

Figures are about as wide as a phone's screen in points, so that text stays readable there. They are transparent:
colours keep a contrast of 3:1 on white and on dark pages, INK keeps 4.5:1 on white; on dark pages it is made light
(`book/_ext/dark.py`), or has black below it. A marker or a shape always says the same as the colour.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: One colour per method, the same in every plot and page.
METHOD_COLOURS = {
    "zero-shot": "#7d7d7d", "finetune": "#cd0022", "l2": "#d021fe", "lwf": "#7593d3", "icarl": "#00707b",
    "lwf-vr": "#b142d0", "wise-ft": "#935e53", "zscl": "#0072b2", "moe-adapter": "#6ca06a", "gift": "#d55e00",
    "upper-bound": "#9a909e", "joint": "#4389aa",
}  # fmt: skip
#: One marker per method: twelve hues cannot all be told apart by everybody.
METHOD_MARKERS = dict(zip(METHOD_COLOURS, "oXsv^<>DP*hd", strict=True))
#: Colours of a reader's own methods and of series that are no methods.
SERIES_COLOURS = ("#0072b2", "#d55e00", "#3f9142", "#b142d0", "#8a6d1d", "#7d7d7d")

INK, GRID = "#757575", "#8a8a8a55"
#: The comment in the file of a figure that holds pictures: no pixel of theirs is changed on dark pages.
PHOTOS = "pictures"
WIDTH = 5.0  # inches: at 11 points, text keeps about 11 CSS pixels on a 360 pixel wide screen


class Drawing(Figure):
    """A Figure that a notebook shows where it is a cell's last value, once, without pyplot and its state."""

    def _repr_png_(self) -> bytes:
        kind = {"Comment": PHOTOS} if any(ax.images for ax in self.axes) else {}
        self.savefig(buffer := io.BytesIO(), format="png", metadata=kind)
        return buffer.getvalue()


def colour(method: str) -> str:
    """The colour of a method; a fixed one of SERIES_COLOURS for a method that is not in the tables."""
    return METHOD_COLOURS.get(method) or SERIES_COLOURS[sum(method.encode()) % len(SERIES_COLOURS)]


def luminance(rgb: Sequence) -> float:
    """WCAG relative luminance of an sRGB colour with channels in 0..1."""
    c = np.asarray(rgb, dtype=float)
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))


@contextmanager
def style() -> Iterator[None]:
    """Within, or in a function that it decorates: fonts and colours of the book."""
    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color")
    settings = {
        "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11, "xtick.labelsize": 10, "ytick.labelsize": 10,
        "legend.fontsize": 10, "legend.frameon": False, "lines.linewidth": 1.8, "lines.markersize": 6,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "grid.color": GRID,
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "figure.dpi": 150,
        "legend.labelcolor": INK, "text.parse_math": False,  # a dollar in a task's name is a dollar
    }  # fmt: skip
    with mpl.rc_context(settings | dict.fromkeys(ink, INK)):
        yield


def new(height: float) -> tuple[Figure, Axes]:
    """A figure of the book's width with one pair of axes."""
    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


#: To seaborn's grids: draw no legend outside the panels, where finding its place costs two drawings; `framed` moves it.
INSIDE = {"legend_out": False}


def framed(panels: sns.FacetGrid, height: float, columns: int = 3) -> Figure:
    """The figure of a seaborn grid: out of pyplot's hands, as wide as all others, its legend above the panels."""
    figure = panels.figure
    plt.close(figure)
    figure.__class__ = Drawing
    figure.set_size_inches(WIDTH, height)
    figure.set_layout_engine("constrained")
    if panels.legend:
        sns.move_legend(panels, "outside upper left", ncols=columns, title=None, columnspacing=1.2, handletextpad=0.4)
    return figure
