"""Things of many kinds, small among clutter."""

import math

from gift_lib.data.mini.pen import (
    BLACK,
    BLUE,
    BROWN,
    DARK,
    GREEN,
    GREY,
    LEAF,
    ORANGE,
    RED,
    SKY,
    STEEL,
    WHITE,
    YELLOW,
    Pen,
)


def apple(p: Pen) -> None:
    c = p.pick(RED, GREEN, YELLOW)
    p.oval(-0.3, 0.15, 0.5, 0.62, c, edge=False)
    p.oval(0.3, 0.15, 0.5, 0.62, c, edge=False)
    p.line(((0, -0.35), (0.08, -0.85)), 0.13, BROWN)
    p.oval(0.35, -0.65, 0.3, 0.14, LEAF, turn=-0.5)


def bottle(p: Pen) -> None:
    c, d = p.pick(GREEN, BLUE, BROWN, STEEL), p.any_colour()
    p.poly(((-0.14, -0.95), (0.14, -0.95), (0.14, -0.45), (0.36, -0.1), (0.36, 0.95), (-0.36, 0.95), (-0.36, -0.1),
            (-0.14, -0.45)), c)  # fmt: skip
    p.box(-0.36, 0.15, 0.36, 0.62, d)
    p.box(-0.17, -1, 0.17, -0.82, DARK)


def mushroom(p: Pen) -> None:
    c = p.pick(RED, BROWN, ORANGE)
    p.box(-0.26, -0.05, 0.26, 0.9, WHITE)
    cap = [(0.92 * math.cos(math.pi + math.pi * k / 12), 0.85 * math.sin(math.pi + math.pi * k / 12))
           for k in range(13)]  # fmt: skip
    p.poly([(x, y + 0.1) for x, y in cap], c)
    for x, y in ((-0.45, -0.2), (0.05, -0.48), (0.48, -0.2)):
        p.oval(x, y, 0.15, 0.15, WHITE)


def butterfly(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.pair(0.48, -0.4, 0.5, 0.36, c, -0.6)
    p.pair(0.4, 0.38, 0.4, 0.3, c, 0.7)
    p.pair(0.5, -0.42, 0.2, 0.15, d, -0.6)
    p.oval(0, 0, 0.11, 0.7, BLACK)
    p.line(((-0.3, -0.95), (0, -0.55), (0.3, -0.95)), 0.06, BLACK)


def crab(p: Pen) -> None:
    c = p.pick(RED, ORANGE, BLUE)
    for s in (-1, 1):
        for y in (0.15, 0.35, 0.55):
            p.line(((0.4 * s, y - 0.1), (0.75 * s, y), (0.9 * s, y + 0.3)), 0.09, c)
        p.line(((0.4 * s, -0.1), (0.8 * s, -0.35), (0.7 * s, -0.6)), 0.13, c)
        p.poly(((0.45 * s, -0.65), (0.62 * s, -0.98), (0.7 * s, -0.7), (0.95 * s, -0.95), (0.92 * s, -0.5),
                (0.65 * s, -0.42)), c)  # fmt: skip
    p.oval(0, 0.15, 0.58, 0.4, c)
    p.pair(0.2, -0.25, 0.11, 0.15, WHITE)


def rocket(p: Pen) -> None:
    c, d = p.pick(WHITE, STEEL, p.any_colour()), p.any_colour()
    p.both(((0.25, 0.1), (0.65, 0.7), (0.25, 0.6)), d)
    p.poly(((-0.25, 0.6), (0, 1.05), (0.25, 0.6)), ORANGE)
    p.poly(((0, -1), (0.28, -0.45), (0.3, 0.62), (-0.3, 0.62), (-0.28, -0.45)), c)
    p.poly(((0, -1), (0.28, -0.45), (-0.28, -0.45)), d)
    p.oval(0, -0.1, 0.16, 0.16, SKY)


def tractor(p: Pen) -> None:
    c = p.pick(RED, GREEN, BLUE, YELLOW)
    p.box(-0.1, -0.15, 0.85, 0.35, c)
    p.box(-0.65, -0.75, 0.05, 0.3, c)
    p.box(-0.52, -0.62, -0.05, -0.15, SKY)
    p.box(0.5, -0.6, 0.62, -0.1, DARK)
    p.oval(-0.42, 0.38, 0.5, 0.5, BLACK)
    p.oval(-0.42, 0.38, 0.22, 0.22, YELLOW)
    p.oval(0.62, 0.6, 0.27, 0.27, BLACK)


def whale(p: Pen) -> None:
    c = p.pick(BLUE, GREY, DARK, SKY)
    p.poly(((0.5, 0.25), (0.75, -0.25), (0.6, -0.65), (0.85, -0.5), (1, -0.7), (0.98, -0.2), (0.75, 0.45)), c)
    p.oval(-0.15, 0.2, 0.82, 0.5, c)
    p.oval(-0.25, 0.5, 0.55, 0.18, WHITE, edge=False)
    p.oval(-0.6, 0.1, 0.08, 0.08, BLACK)
    for dx in (-0.22, 0.22):
        p.line(((-0.3, -0.3), (-0.3, -0.6), (-0.3 + dx, -0.85)), 0.08, SKY)


def palm(p: Pen) -> None:
    p.line(((0.15, 0.95), (0.02, 0.2), (0.05, -0.35)), 0.18, BROWN)
    for a in (-2.9, -2.3, -1.57, -0.85, -0.25, 0.35, 2.8):
        x, y = math.cos(a), math.sin(a)
        p.poly(((0.05, -0.45), (0.05 + 0.5 * x + 0.13, -0.5 + 0.5 * y), (0.05 + 0.95 * x, -0.25 + 0.7 * y),
                (0.05 + 0.45 * x - 0.1, -0.32 + 0.45 * y)), GREEN)  # fmt: skip


def skyscraper(p: Pen) -> None:
    c, d = p.any_colour(), p.pick(YELLOW, SKY, WHITE)
    p.box(-0.04, -1.05, 0.04, -0.7, DARK)
    p.box(-0.38, -0.8, 0.38, 0.95, c)
    for y in (-0.6, -0.25, 0.1, 0.45):
        for x in (-0.24, 0.06):
            p.box(x, y, x + 0.18, y + 0.2, d, edge=False)


def bicycle(p: Pen) -> None:
    c = p.any_colour()
    for x in (-0.55, 0.55):
        p.arc(x, 0.35, 0.4, 0, 2 * math.pi, 0.11, DARK)
    p.line(((-0.55, 0.35), (-0.2, -0.3), (0.35, -0.3), (0, 0.35), (-0.55, 0.35)), 0.1, c)
    p.line(((-0.2, -0.3), (0, 0.35)), 0.1, c)
    p.line(((0.55, 0.35), (0.3, -0.6), (0.55, -0.65)), 0.1, c)
    p.line(((-0.38, -0.42), (-0.05, -0.42)), 0.12, DARK)


def castle(p: Pen) -> None:
    c, d = p.pick(GREY, STEEL, p.any_colour()), p.any_colour()
    p.box(-0.6, -0.1, 0.6, 0.85, c)
    for x in (-0.65, 0.65):
        p.box(x - 0.25, -0.5, x + 0.25, 0.85, c)
        p.poly(((x - 0.32, -0.48), (x, -1), (x + 0.32, -0.48)), d)
    for x in (-0.28, 0, 0.28):
        p.box(x - 0.08, -0.28, x + 0.08, -0.08, c)
    p.poly(((-0.2, 0.85), (-0.2, 0.4), (0, 0.22), (0.2, 0.4), (0.2, 0.85)), BLACK)


CLASSES = {
    "apple": apple, "bottle": bottle, "mushroom": mushroom, "butterfly": butterfly, "crab": crab, "rocket": rocket,
    "tractor": tractor, "whale": whale, "palm tree": palm, "skyscraper": skyscraper, "bicycle": bicycle,
    "castle": castle,
}  # fmt: skip
