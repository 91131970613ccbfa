"""The cover figure: `python book/cover.py` draws it from names, with the shipped diffusion model.

Two layouts of one loop into book/static: cover.png for wide screens and the README, cover-tall.png for phones.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from gift_lib.book.plots import METHOD_COLOURS, SERIES_COLOURS
from gift_lib.config import experiment
from gift_lib.data import mini
from gift_lib.generate import PipelineSpec, draws, generate, sampler_of

STATIC = Path(__file__).resolve().parent / "static"
#: What is drawn: (task, class), or a concept by itself.
NAMES = (
    ("flowers", "daisy"), ("cars", "sedan"), ("", "magnet"),
    ("digits", "2 - two"), ("dishes", "hamburger"), ("textures", "spiralled"),
)  # fmt: skip
PAPER, INK, SOFT = "#fdf6ee", "#2b2530", "#efdfcd"
BLUE, ORANGE, GREY = SERIES_COLOURS[0], METHOD_COLOURS["gift"], "#6f6a75"
#: The four stations: what they are called, and what that means.
STATIONS = {
    "names": "all that is kept",
    "draw": "a diffusion model",
    "drawings": "for data that is gone",
    "rehearse": "and learn the next task",
}


def prompts() -> list[str]:
    """The prompt of every name."""
    tasks = mini.tasks()
    concept = mini.CONCEPT_TEMPLATE.replace
    return [tasks[t].prompts()[tasks[t].classes.index(c)] if t else concept("{c}", c) for t, c in NAMES]


def pictures() -> np.ndarray:
    """One generated picture per name, n x h x w x 3."""
    setting = experiment("mini")
    spec = PipelineSpec.of(setting)
    drawn = generate(spec, draws(prompts(), 3), sampler_of(setting, spec), progress=False)
    return drawn.images.pixels.permute(0, 2, 3, 1).numpy()


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure in units of inches on a rounded sheet of paper."""
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1))
    shape = "round,pad=0,rounding_size=0.2"
    axis.add_patch(FancyBboxPatch((0.05, 0.05), width - 0.1, height - 0.1, boxstyle=shape, color=PAPER))
    axis.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axis.axis("off")
    return figure, axis


def label(axis: Axes, x: float, y: float, name: str) -> None:
    """What a station is called, below it."""
    axis.text(x, y, name, ha="center", va="top", color=INK, fontsize=14, fontweight="bold")
    axis.text(x, y - 0.27, STATIONS[name], ha="center", va="top", color=INK, fontsize=11)


def names(axis: Axes, x: float, y: float) -> None:
    """Six names in rounded boxes around (x, y)."""
    for k, (_, name) in enumerate(NAMES):
        low = y + 0.76 - 0.34 * k
        style = {"boxstyle": "round,pad=0.02,rounding_size=0.12", "facecolor": "white", "edgecolor": SOFT}
        axis.add_patch(FancyBboxPatch((x - 0.65, low), 1.3, 0.25, linewidth=1.4, **style))
        text = name.split(" - ")[-1]
        axis.text(x, low + 0.115, text, ha="center", va="center", color=INK, fontsize=11)


def parcel(axis: Axes, x: float, y: float) -> None:
    """A parcel with a ribbon, the diffusion model, around (x, y)."""
    axis.add_patch(Rectangle((x - 0.5, y - 0.7), 1.0, 0.8, color=BLUE))
    axis.add_patch(Rectangle((x - 0.57, y + 0.08), 1.14, 0.24, color="#005d92"))
    axis.add_patch(Rectangle((x - 0.09, y - 0.7), 0.18, 1.02, color=ORANGE))
    t = np.linspace(0, np.pi, 40)
    for side in (-1, 1):
        loop = x + side * 0.4 * np.sin(t), y + 0.34 + 0.44 * np.sin(t) * np.cos(t / 2)
        axis.plot(*loop, color=ORANGE, linewidth=4)


def drawings(axis: Axes, x: float, y: float, pixels: np.ndarray, columns: int) -> None:
    """Six pictures around (x, y)."""
    rows, side, gap = len(pixels) // columns, 0.72, 0.06
    left, top = x - columns * (side + gap) / 2 + gap / 2, y + rows * (side + gap) / 2 - gap / 2
    for k, picture in enumerate(pixels):
        x0, y1 = left + (side + gap) * (k % columns), top - (side + gap) * (k // columns)
        axis.imshow(picture, extent=(x0, x0 + side, y1 - side, y1), interpolation="nearest", zorder=2)


def models(axis: Axes, x: float, y: float) -> None:
    """Teacher and student, which must agree on the drawings, around (x, y)."""
    for dy, name, colour in ((0.56, "teacher", GREY), (-0.56, "student", "#b84f00")):
        axis.add_patch(Circle((x, y + dy), 0.41, color=colour))
        axis.text(x, y + dy, name, ha="center", va="center", color="white", fontsize=11, fontweight="bold")
    axis.text(x, y, "agree", ha="center", va="center", color=INK, fontsize=11, style="italic")


def arrow(axis: Axes, start, end, bend: float = 0.0, colour: str = INK) -> None:
    """An arrow, bent by `bend`."""
    shape = {"arrowstyle": "-|>,head_width=4,head_length=6", "connectionstyle": f"arc3,rad={bend}"}
    axis.add_patch(FancyArrowPatch(start, end, color=colour, linewidth=2, shrinkA=2, shrinkB=2, **shape))


def back(axis: Axes, x: float, y: float, text: str) -> None:
    """What the arrow that closes the loop carries."""
    behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 3}
    axis.text(x, y, text, ha="center", va="center", color="#b84f00", fontsize=11, bbox=behind)


def wide(pixels: np.ndarray) -> Figure:
    """The loop from left to right."""
    figure, axis = sheet(9, 3.6)
    y = 1.87
    names(axis, 1.05, y), parcel(axis, 3.0, y), drawings(axis, 5.25, y, pixels, 3), models(axis, 7.85, y)
    for x0, x1 in ((1.82, 2.35), (3.65, 4.0), (6.5, 7.3)):
        arrow(axis, (x0, y), (x1, y))
    arrow(axis, (7.85, y + 1.02), (1.05, y + 1.08), bend=0.075, colour="#b84f00")
    back(axis, 4.45, 3.12, "a finished task leaves its names")
    for x, name in zip((1.05, 3.0, 5.25, 7.85), STATIONS, strict=True):
        label(axis, x, 0.72, name)
    return figure


def tall(pixels: np.ndarray) -> Figure:
    """The loop as a square, clockwise from the top left."""
    figure, axis = sheet(4.6, 6.4)
    left, right, high, low = 1.2, 3.35, 5.2, 1.85
    names(axis, left, high), parcel(axis, right, high)
    drawings(axis, right, low, pixels, 2), models(axis, left, low)
    arrow(axis, (2.0, high), (2.7, high))
    arrow(axis, (right, 3.5), (right, 3.08))
    arrow(axis, (2.5, low), (1.72, low))
    arrow(axis, (0.72, low + 0.72), (0.42, high - 0.75), bend=-0.2, colour="#b84f00")
    back(axis, 1.4, 3.25, "a finished task\nleaves its names")
    for x, y, name in zip((left, right, right, left), (4.12, 4.12, 0.62, 0.62), STATIONS, strict=True):
        label(axis, x, y, name)
    return figure


def main() -> None:
    """Draw and save both."""
    pixels = pictures()
    for name, figure in (("cover.png", wide(pixels)), ("cover-tall.png", tall(pixels))):
        figure.savefig(STATIC / name, dpi=200, transparent=True)
        print(f"book/static/{name}: {(STATIC / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
