"""The pen: polygons, ovals and strokes in a square of [-1, 1] x [-1, 1], drawn through one picture's look."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[float, float, float]
Point = tuple[float, float]

#: Pixels along one side of the drawing, four times those of the finished picture.
CANVAS = 128

WHITE, BLACK, GREY = (0.96, 0.96, 0.96), (0.08, 0.08, 0.09), (0.55, 0.55, 0.57)
RED, ORANGE, YELLOW, GREEN = (0.86, 0.16, 0.14), (0.95, 0.53, 0.12), (0.97, 0.84, 0.18), (0.22, 0.63, 0.24)
BLUE, PURPLE, PINK, BROWN = (0.16, 0.36, 0.84), (0.54, 0.25, 0.70), (0.95, 0.55, 0.70), (0.50, 0.31, 0.16)
CYAN, TAN, DARK, CREAM = (0.25, 0.74, 0.80), (0.82, 0.68, 0.46), (0.22, 0.22, 0.26), (0.97, 0.92, 0.78)
SKY, LEAF, STEEL, GOLD = (0.55, 0.77, 0.93), (0.28, 0.52, 0.20), (0.66, 0.69, 0.73), (0.88, 0.70, 0.22)

NAMED = {"red": RED, "orange": ORANGE, "yellow": YELLOW, "green": GREEN, "blue": BLUE, "purple": PURPLE,
         "pink": PINK, "brown": BROWN, "black": BLACK, "white": WHITE}  # fmt: skip
VIVID = (RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK, BROWN, CYAN, WHITE, DARK, STEEL)

CIRCLE = tuple((math.cos(2 * math.pi * k / 20), math.sin(2 * math.pi * k / 20)) for k in range(20))


@dataclass(frozen=True)
class Look:
    """What is drawn once per picture: camera, wobble, palette map and outline."""

    camera: tuple[float, float, float, float, float, float]  # a b tx c d ty, unit square -> canvas pixels
    wobble: tuple[float, float, float, float]  # amplitude, frequency, two phases
    palette: tuple[tuple[float, float, float], ...]  # rows of a 3 x 3 matrix
    lift: tuple[float, float, float]  # added after it
    ink: Colour | None  # outline colour (None: no outline)
    edge: float  # outline width, canvas pixels
    mono: float  # 0: own colours .. 1: one colour for everything
    tone: Colour  # that colour
    ground: Colour  # mean colour of the background


def mixed(a: Colour, b: Colour, t: float) -> Colour:
    """The colour a share `t` of the way from `a` to `b`."""
    return tuple(x + t * (y - x) for x, y in zip(a, b, strict=True))


class Pen:
    """A picture being drawn. Programs call its methods with unit coordinates (y grows downwards)."""

    def __init__(self, image: Image.Image, rng: np.random.Generator, look: Look):
        self.image, self.rng, self.look = image, rng, look
        self._draw = ImageDraw.Draw(image)
        self._mixed: dict[Colour, tuple[int, int, int]] = {}

    def u(self, low: float, high: float) -> float:
        """A uniform number."""
        return low + (high - low) * self.rng.random()

    def n(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(low + self.rng.random() * (high - low + 1))

    def pick(self, *things):
        """One of the arguments."""
        return things[int(self.rng.random() * len(things))]

    def any_colour(self, *, other: Colour | None = None) -> Colour:
        """A vivid colour that stands out from the ground (and from `other`)."""
        avoid = [self.look.ground] if other is None else [self.look.ground, other]
        for _ in range(8):
            colour = self.pick(*VIVID)
            if all(sum(abs(x - y) for x, y in zip(colour, a, strict=True)) > 0.6 for a in avoid):
                break
        return colour

    def paint(self, colour: Colour) -> tuple[int, int, int]:
        """The colour as this picture's palette shows it, 0..255."""
        if colour not in self._mixed:
            look = self.look
            mapped = [sum(m * x for m, x in zip(row, colour, strict=True)) for row in look.palette]
            mapped = tuple(x + lift for x, lift in zip(mapped, look.lift, strict=True))
            shown = mixed(mapped, look.tone, look.mono)
            self._mixed[colour] = tuple(min(255, max(0, round(255 * x))) for x in shown)
        return self._mixed[colour]

    def place(self, points: Iterable[Point]) -> list[Point]:
        """Canvas pixels of unit points, through wobble and camera."""
        a, b, tx, c, d, ty = self.look.camera
        amplitude, f, p, q = self.look.wobble
        sin, placed = math.sin, []
        for x, y in points:
            x, y = x + amplitude * sin(f * y + p), y + amplitude * sin(f * x + q)
            placed.append((round(a * x + b * y + tx, 2), round(c * x + d * y + ty, 2)))
        return placed

    def poly(self, points: Sequence[Point], colour: Colour, *, edge: bool = True) -> None:
        """A filled polygon with the look's outline."""
        placed = self.place(points)
        self._draw.polygon(placed, fill=self.paint(colour))
        if edge and self.look.ink and self.look.edge >= 1:
            self._draw.line([*placed, placed[0]], fill=self.paint(self.look.ink), width=round(self.look.edge))

    def both(self, points: Sequence[Point], colour: Colour) -> None:
        """A polygon and its mirror image in the line x = 0."""
        self.poly(points, colour)
        self.poly([(-x, y) for x, y in points], colour)

    def oval(self, x: float, y: float, rx: float, ry: float | None = None, colour: Colour = BLACK, *,
             turn: float = 0.0, edge: bool = True) -> None:  # fmt: skip
        """An ellipse with half axes rx, ry (a disc without ry), turned by `turn` radians."""
        if max(abs(x), abs(y)) > 1.2 and self._outside(x, y, max(rx, ry or 0.0)):
            return
        self.poly(ring(x, y, rx, rx if ry is None else ry, turn), colour, edge=edge)

    def _outside(self, x: float, y: float, r: float) -> bool:
        """Whether a disc lies wholly outside the picture (most of an endless texture does)."""
        a, b, _, c, d, _ = self.look.camera
        reach = 1.5 * (r + self.look.wobble[0]) * max(abs(a) + abs(b), abs(c) + abs(d))
        ((u, v),) = self.place(((x, y),))
        return not (-reach < u < CANVAS + reach and -reach < v < CANVAS + reach)

    def pair(self, x: float, y: float, rx: float, ry: float, colour: Colour, turn: float = 0.0) -> None:
        """An ellipse and its mirror image."""
        self.both(ring(x, y, rx, ry, turn), colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, *, edge: bool = True) -> None:
        """An axis-aligned rectangle (before the camera)."""
        self.poly(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), colour, edge=edge)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A stroke of unit width `width` through the points."""
        a, b, _, c, d, _ = self.look.camera
        pixels = max(1, round(width * math.sqrt(abs(a * d - b * c))))
        self._draw.line(self.place(points), fill=self.paint(colour), width=pixels, joint="curve")

    def arc(self, x: float, y: float, r: float, start: float, end: float, width: float, colour: Colour) -> None:
        """A stroked arc of a circle, from angle `start` to `end` (radians, clockwise from the right)."""
        steps = max(4, int(abs(end - start) * 4))
        angles = [start + (end - start) * k / steps for k in range(steps + 1)]
        self.line([(x + r * math.cos(t), y + r * math.sin(t)) for t in angles], width, colour)

    def petals(self, n: int, inner: float, outer: float, width: float, colour: Colour, *, x: float = 0.0,
               y: float = 0.0, phase: float = 0.0, pointed: bool = False) -> None:  # fmt: skip
        """n petals around (x, y), from radius inner to outer, round or pointed."""
        for k in range(n):
            t = phase + 2 * math.pi * k / n
            c, s, middle = math.cos(t), math.sin(t), (inner + outer) / 2
            if pointed:
                leaf = ((inner, 0), (middle, width), (outer, 0), (middle, -width))
                self.poly([(x + c * u - s * v, y + s * u + c * v) for u, v in leaf], colour)
            else:
                self.oval(x + c * middle, y + s * middle, (outer - inner) / 2, width, colour, turn=t)

    def clipped(self, points: Sequence[Point], paint) -> None:
        """Call `paint(pen)` on a copy of the picture and keep what lies inside the polygon."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(self.place(points), fill=255)
        copy = self.image.copy()
        paint(Pen(copy, self.rng, self.look))
        self.image.paste(copy, (0, 0), mask)
        if self.look.ink and self.look.edge >= 1:
            placed = self.place(points)
            self._draw.line([*placed, placed[0]], fill=self.paint(self.look.ink), width=round(self.look.edge))


def ring(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> list[Point]:
    """Twenty points around an ellipse."""
    c, s = math.cos(turn), math.sin(turn)
    return [(x + c * rx * u - s * ry * v, y + s * rx * u + c * ry * v) for u, v in CIRCLE]


def regular(n: int, r: float = 1.0, x: float = 0.0, y: float = 0.0, phase: float = -math.pi / 2,
            inner: float | None = None) -> list[Point]:  # fmt: skip
    """A regular polygon, or with `inner` a star of n points."""
    corners = n if inner is None else 2 * n
    radius = (r, r if inner is None else inner)
    return [(x + radius[k % 2] * math.cos(phase + 2 * math.pi * k / corners),
             y + radius[k % 2] * math.sin(phase + 2 * math.pi * k / corners)) for k in range(corners)]  # fmt: skip
