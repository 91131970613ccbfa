"""Digits: scikit-learn's handwritten ones (real) for the task, drawn glyphs for the web."""

import importlib.util
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from gift_lib.data.mini.pen import Pen

#: Shares of every digit's real pictures, as consecutive ranges of their order in the data set (about 178 each).
#: Test and validation pictures can never be anything else; the web gets a range of its own for its small leak.
RANGES = {"train": (0, 60), "val": (60, 80), "test": (80, 120), "leak": (120, 170)}

_STROKES = {
    0: (((0.0, 0.0, 0.42, 0.7, 0.0, 2 * math.pi),), ()),
    1: ((), (((-0.25, -0.45), (0.05, -0.75), (0.05, 0.75)),)),
    2: (((0.0, -0.35, 0.4, 0.38, -math.pi, 0.5),), (((0.35, -0.15), (-0.42, 0.72), (0.48, 0.72)),)),
    3: (((-0.02, -0.37, 0.38, 0.36, -2.6, 1.5), (-0.02, 0.36, 0.44, 0.38, -1.5, 2.6)), ()),
    4: ((), (((0.2, 0.78), (0.2, -0.75), (-0.48, 0.3), (0.5, 0.3)),)),
    5: (((-0.05, 0.3, 0.44, 0.44, -1.9, 2.5),), (((0.4, -0.72), (-0.3, -0.72), (-0.34, -0.08)),)),
    6: (((0.0, 0.33, 0.4, 0.4, 0.0, 2 * math.pi),), (((0.28, -0.75), (-0.15, -0.4), (-0.4, 0.3)),)),
    7: ((), (((-0.45, -0.72), (0.45, -0.72), (-0.1, 0.78)),)),
    8: (((0.0, -0.37, 0.34, 0.34, 0.0, 2 * math.pi), (0.0, 0.37, 0.42, 0.38, 0.0, 2 * math.pi)), ()),
    9: (((0.0, -0.33, 0.4, 0.4, 0.0, 2 * math.pi),), (((0.4, -0.3), (0.32, 0.3), (-0.1, 0.78)),)),
}


@lru_cache(maxsize=1)
def scans() -> tuple[np.ndarray, ...]:
    """Ten arrays of real handwritten digits, each n x 8 x 8 with values 0..16, in the data set's order."""
    table = np.loadtxt(_file(), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    return tuple(images[labels == d] for d in range(10))


def _file() -> Path:
    """The table of `sklearn.datasets.load_digits`, in scikit-learn's folder: to import scikit-learn takes seconds."""
    folder = importlib.util.find_spec("sklearn").submodule_search_locations[0]
    return Path(folder) / "datasets" / "data" / "digits.csv.gz"


def scan(p: Pen, digit: int, part: str) -> None:
    """Paste one real digit of a part of RANGES, in one colour, placed by the picture's camera."""
    low, high = RANGES[part]
    pixels = scans()[digit][p.n(low, high - 1)].astype(np.float32)
    ink = Image.fromarray(np.uint8(np.clip(pixels * 16, 0, 255))).resize((64, 64), Image.BICUBIC)
    a, b, tx, c, d, ty = p.look.camera
    inverse = np.linalg.inv(np.array([[a, b, tx], [c, d, ty], [0, 0, 1]]))
    to_scan = np.array([[36.0, 0, 32.0], [0, 36.0, 32.0], [0, 0, 1]]) @ inverse
    mask = ink.transform(p.image.size, Image.AFFINE, to_scan[:2].ravel().tolist(), Image.BILINEAR)
    p.image.paste(p.paint(p.any_colour()), (0, 0), mask)


def glyph(digit: int):
    """The program that draws a digit with strokes, as signs and screens show it."""

    def draw(p: Pen) -> None:
        colour, width = p.any_colour(), p.u(0.14, 0.26)
        arcs, lines = _STROKES[digit]
        for x, y, rx, ry, start, end in arcs:
            angles = [start + (end - start) * k / 16 for k in range(17)]
            p.line([(x + rx * math.cos(t), y + ry * math.sin(t)) for t in angles], width, colour)
        for line in lines:
            p.line(line, width, colour)

    return draw


def handwritten(digit: int, part: str):
    """The program that shows a real digit of one part."""
    return lambda p: scan(p, digit, part)


_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASSES = {f"{d} - {name}": glyph(d) for d, name in enumerate(_NAMES)}
