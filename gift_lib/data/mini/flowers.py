"""Flowers told apart by the structure of their petals; colours overlap between classes."""

import math

from gift_lib.data.mini.pen import (
    BLUE,
    BROWN,
    CREAM,
    DARK,
    GREEN,
    LEAF,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    WHITE,
    YELLOW,
    Pen,
    mixed,
)


def _stem(p: Pen, top: float = 0.0) -> None:
    p.line(((0, top), (p.u(-0.1, 0.1), 1.1)), 0.1, LEAF)
    if p.u(0, 1) < 0.6:
        s = p.pick(-1, 1)
        p.oval(0.3 * s, 0.75, 0.28, 0.1, GREEN, turn=-0.6 * s)


def daisy(p: Pen) -> None:
    _stem(p)
    p.petals(p.n(11, 14), 0.15, 0.9, 0.11, p.pick(WHITE, WHITE, PINK, YELLOW), phase=p.u(0, 1))
    p.oval(0, 0, 0.24, 0.24, p.pick(YELLOW, ORANGE))


def sunflower(p: Pen) -> None:
    _stem(p)
    p.petals(14, 0.35, 1.0, 0.16, p.pick(YELLOW, ORANGE, RED), phase=p.u(0, 1), pointed=True)
    p.oval(0, 0, 0.55, 0.55, p.pick(BROWN, DARK))
    p.oval(0, 0, 0.28, 0.28, mixed(BROWN, YELLOW, 0.3), edge=False)


def tulip(p: Pen) -> None:
    _stem(p, 0.2)
    c = p.pick(RED, YELLOW, PINK, PURPLE, ORANGE)
    d = mixed(c, (0, 0, 0), 0.22)
    p.poly(((0, 0.35), (-0.5, 0.15), (-0.55, -0.75), (-0.25, -0.35), (0, -0.85), (0.25, -0.35), (0.55, -0.75),
            (0.5, 0.15)), c)  # fmt: skip
    p.poly(((0, 0.3), (-0.25, -0.1), (0, -0.75), (0.25, -0.1)), d)


def rose(p: Pen) -> None:
    _stem(p)
    c = p.pick(RED, PINK, YELLOW, WHITE, ORANGE)
    d = mixed(c, (0, 0, 0), 0.35)
    p.oval(0, -0.1, 0.72, 0.72, c)
    t = p.u(0, 6.28)
    path = [((0.06 + 0.055 * a) * math.cos(a + t), -0.1 + (0.06 + 0.055 * a) * math.sin(a + t))
            for a in [0.45 * k for k in range(25)]]  # fmt: skip
    p.line(path, 0.1, d)


def lily(p: Pen) -> None:
    c = p.pick(WHITE, ORANGE, PINK, YELLOW)
    _stem(p)
    p.petals(6, 0.0, 1.0, 0.2, c, phase=p.u(0, 1), pointed=True)
    for k in range(6):
        a = k * math.pi / 3 + 0.5
        p.line(((0, 0), (0.4 * math.cos(a), 0.4 * math.sin(a))), 0.05, BROWN)


def poppy(p: Pen) -> None:
    c = p.pick(RED, ORANGE, RED, PINK, WHITE)
    _stem(p)
    p.petals(4, 0.0, 0.95, 0.52, c, phase=p.u(0, 1.5))
    p.oval(0, 0, 0.26, 0.26, DARK)


def bluebell(p: Pen) -> None:
    c = p.pick(BLUE, PURPLE, BLUE, WHITE, PINK)
    s = p.pick(-1, 1)
    p.line(((-0.6 * s, 1.1), (-0.5 * s, 0.0), (-0.1 * s, -0.75), (0.5 * s, -0.8)), 0.08, LEAF)
    for x, y in ((-0.28, -0.45), (0.15, -0.55), (0.6, -0.5)):
        q = x * s
        p.poly(((q - 0.1, y - 0.2), (q + 0.1, y - 0.2), (q + 0.18, y + 0.3), (q + 0.28, y + 0.5), (q, y + 0.38),
                (q - 0.28, y + 0.5), (q - 0.18, y + 0.3)), c)  # fmt: skip


def thistle(p: Pen) -> None:
    c = p.pick(PURPLE, PINK, BLUE, PURPLE)
    _stem(p, 0.3)
    for k in range(9):
        a = -math.pi / 2 + (k - 4) * 0.24
        p.line(((0, 0.0), (1.0 * math.cos(a), 0.95 * math.sin(a))), 0.1, c)
    p.oval(0, 0.25, 0.42, 0.38, LEAF)
    for x in (-0.2, 0, 0.2):
        p.line(((x, 0.0), (x, 0.5)), 0.05, DARK)


def lavender(p: Pen) -> None:
    c = p.pick(PURPLE, BLUE, PURPLE, PINK)
    for x in (-0.5, 0.02, 0.5):
        y0 = p.u(-0.15, 0.1)
        p.line(((0.3 * x, 1.1), (x, y0 - 0.8)), 0.07, LEAF)
        for k in range(4):
            y = y0 - 0.75 + 0.24 * k
            u = x * (0.97 - 0.05 * k)
            p.oval(u - 0.09, y, 0.12, 0.12, c)
            p.oval(u + 0.09, y, 0.12, 0.12, c)


def pansy(p: Pen) -> None:
    c, d = p.pick(PURPLE, YELLOW, BLUE, ORANGE), p.pick(WHITE, YELLOW, PINK)
    p.pair(0.34, -0.42, 0.46, 0.42, c)
    p.pair(0.44, 0.12, 0.44, 0.36, d)
    p.oval(0, 0.45, 0.5, 0.42, d)
    p.oval(0, 0.22, 0.28, 0.3, DARK, edge=False)
    p.oval(0, 0.05, 0.12, 0.1, YELLOW)


def lotus(p: Pen) -> None:
    c = p.pick(PINK, WHITE, CREAM, PURPLE)
    d = mixed(c, RED, 0.25)
    p.oval(0, 0.62, 0.95, 0.24, GREEN)
    for a, shade in ((-1.25, d), (1.25, d), (-0.7, c), (0.7, c), (0.0, d)):
        s, k = math.sin(a), math.cos(a)
        p.poly(((0, 0.55), (0.55 * s - 0.22 * k, 0.15 - 0.4 * k), (0.98 * s, 0.45 - 1.1 * k),
                (0.55 * s + 0.22 * k, 0.2 - 0.4 * k)), shade)  # fmt: skip


CLASSES = {
    "daisy": daisy, "sunflower": sunflower, "tulip": tulip, "rose": rose, "lily": lily, "poppy": poppy,
    "bluebell": bluebell, "thistle": thistle, "lavender": lavender, "pansy": pansy, "lotus": lotus,
}  # fmt: skip
