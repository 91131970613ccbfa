"""Scenes that fill the picture, from beaches to bedrooms; time of day and layout vary."""

import math

from gift_lib.data.mini.pen import (
    BLUE,
    BROWN,
    CREAM,
    CYAN,
    DARK,
    GREEN,
    GREY,
    LEAF,
    ORANGE,
    PINK,
    RED,
    SKY,
    STEEL,
    TAN,
    WHITE,
    YELLOW,
    Pen,
    mixed,
)

_SAND, _SEA = (0.90, 0.80, 0.56), (0.16, 0.45, 0.68)


def _sky(p: Pen) -> None:
    c = p.pick(SKY, SKY, (0.95, 0.70, 0.50), (0.20, 0.24, 0.45), (0.75, 0.80, 0.84))
    p.box(-3, -3, 3, 3, c, edge=False)
    if p.u(0, 1) < 0.4:
        p.oval(p.u(-0.8, 0.8), p.u(-0.9, -0.6), 0.16, 0.16, p.pick(YELLOW, WHITE), edge=False)


def beach(p: Pen) -> None:
    _sky(p)
    y, s = p.u(-0.3, 0.0), p.u(0.2, 0.5)
    p.box(-3, y, 3, 3, _SEA, edge=False)
    p.poly(((-3, y + s), (-0.3, y + s + 0.05), (3, y + s + 0.4), (3, 3), (-3, 3)), _SAND, edge=False)
    p.line(((-3, y + s), (-0.3, y + s + 0.05), (3, y + s + 0.4)), 0.09, WHITE)
    x = p.u(-0.7, 0.4)
    p.line(((x, y + s + 0.55), (x, y + s + 0.05)), 0.06, BROWN)
    p.poly(((x - 0.3, y + s + 0.12), (x, y + s - 0.15), (x + 0.3, y + s + 0.12)), p.pick(RED, YELLOW, PINK, GREEN))


def mountains(p: Pen) -> None:
    _sky(p)
    c = p.pick(GREY, (0.40, 0.42, 0.55), BROWN, (0.35, 0.45, 0.42))
    for x, y, w in ((p.u(-0.8, -0.4), p.u(-0.7, -0.3), 0.9), (p.u(0.3, 0.8), p.u(-0.8, -0.4), 1.0)):
        p.poly(((x - w, 0.6), (x, y), (x + w, 0.6)), c)
        p.poly(((x - 0.3 * w, y + 0.3), (x, y), (x + 0.3 * w, y + 0.3), (x + 0.1 * w, y + 0.24), (x, y + 0.38)), WHITE)
    p.box(-3, 0.55, 3, 3, p.pick(LEAF, GREEN, _SEA), edge=False)


def downtown(p: Pen) -> None:
    _sky(p)
    x = -1.5
    while x < 1.4:
        w, y = p.u(0.34, 0.52), p.u(-0.85, -0.05)
        c = p.pick(GREY, STEEL, DARK, BROWN, (0.45, 0.5, 0.6))
        p.box(x, y, x + w, 2, c)
        for k in range(4):
            for u in (0.08, w - 0.2):
                p.box(x + u, y + 0.12 + 0.28 * k, x + u + 0.12, y + 0.26 + 0.28 * k, YELLOW, edge=False)
        x += w + 0.02
    p.box(-3, 0.75, 3, 3, DARK, edge=False)


def forest_path(p: Pen) -> None:
    p.box(-3, -3, 3, 3, p.pick((0.45, 0.62, 0.35), (0.75, 0.72, 0.40), (0.35, 0.5, 0.4)), edge=False)
    p.box(-3, 0.25, 3, 3, p.pick(LEAF, GREEN, BROWN), edge=False)
    x = p.u(-0.2, 0.2)
    p.poly(((x - 0.08, 0.25), (x + 0.08, 0.25), (0.6, 1.6), (-0.6, 1.6)), TAN, edge=False)
    for u in (-0.95, -0.55, 0.5, 0.9, -1.4, 1.35):
        u, w = u + p.u(-0.08, 0.08), p.u(0.16, 0.26)
        p.box(u - w / 2, -2, u + w / 2, p.u(0.4, 0.75), mixed(BROWN, DARK, p.u(0, 0.6)))
    for _ in range(5):
        p.oval(p.u(-1.2, 1.2), p.u(-1.2, -0.75), 0.4, 0.25, p.pick(LEAF, GREEN, (0.15, 0.35, 0.12)), edge=False)


def desert(p: Pen) -> None:
    _sky(p)
    c = p.pick(_SAND, TAN, ORANGE)
    p.box(-3, 0.1, 3, 3, mixed(c, BROWN, 0.25), edge=False)
    x = p.u(-0.5, 0.5)
    p.poly(((-3, 0.5), (x - 0.4, -0.1), (x + 0.9, 0.4), (3, 0.1), (3, 3), (-3, 3)), c, edge=False)
    u, s = p.u(-0.7, 0.7), p.pick(-1, 1)
    p.line(((u, 0.8), (u, -0.25)), 0.2, LEAF)
    p.line(((u, 0.35), (u + 0.3 * s, 0.3), (u + 0.3 * s, -0.05)), 0.14, LEAF)
    p.line(((u, 0.5), (u - 0.28 * s, 0.45), (u - 0.28 * s, 0.15)), 0.13, LEAF)


def bedroom(p: Pen) -> None:
    wall = p.pick(CREAM, PINK, SKY, (0.75, 0.85, 0.72), STEEL)
    p.box(-3, -3, 3, 3, wall, edge=False)
    p.box(-3, 0.45, 3, 3, BROWN, edge=False)
    s = p.pick(-1, 1)
    c = p.pick(RED, BLUE, GREEN, WHITE, YELLOW)
    p.poly(((-0.95 * s, -0.15), (-0.8 * s, -0.15), (-0.8 * s, 0.8), (-0.95 * s, 0.8)), BROWN)
    p.poly(((-0.8 * s, 0.2), (0.7 * s, 0.2), (0.7 * s, 0.7), (-0.8 * s, 0.7)), c)
    p.poly(((-0.8 * s, 0.05), (-0.4 * s, 0.05), (-0.4 * s, 0.25), (-0.8 * s, 0.25)), WHITE)
    p.poly(((0.15 * s, -0.75), (0.7 * s, -0.75), (0.7 * s, -0.2), (0.15 * s, -0.2)), WHITE)
    p.poly(((0.22 * s, -0.68), (0.63 * s, -0.68), (0.63 * s, -0.27), (0.22 * s, -0.27)), p.pick(SKY, DARK))


def bridge(p: Pen) -> None:
    _sky(p)
    c = p.pick(RED, GREY, DARK, WHITE)
    p.box(-3, 0.4, 3, 3, p.pick(_SEA, CYAN, BLUE), edge=False)
    for x in (-0.6, 0.6):
        p.box(x - 0.07, -0.75, x + 0.07, 0.7, c)
    for x0 in (-1.8, -0.6, 0.6):
        p.line([(x0 + 0.12 * k, -0.7 + 0.8 * (1 - ((k - 5) / 5) ** 2)) for k in range(11)], 0.07, c)
    p.box(-3, 0.15, 3, 0.28, c, edge=False)


def harbour(p: Pen) -> None:
    _sky(p)
    y = p.u(-0.2, 0.1)
    p.box(-3, y, 3, 3, _SEA, edge=False)
    p.box(-3, y - 0.08, 3, y + 0.04, p.pick(LEAF, GREY, BROWN), edge=False)
    for x in (p.u(-0.75, -0.45), p.u(0.3, 0.7)):
        z = y + p.u(0.3, 0.55)
        c = p.pick(WHITE, RED, DARK)
        p.line(((x, z), (x, z - 0.95)), 0.06, DARK)
        p.poly(((x + 0.05, z - 0.9), (x + 0.45, z - 0.12), (x + 0.05, z - 0.12)), p.pick(WHITE, CREAM, ORANGE))
        p.poly(((x - 0.4, z), (x + 0.45, z), (x + 0.3, z + 0.22), (x - 0.28, z + 0.22)), c)


def waterfall(p: Pen) -> None:
    p.box(-3, -3, 3, 3, p.pick(SKY, (0.8, 0.85, 0.85)), edge=False)
    c = p.pick(GREY, BROWN, LEAF, (0.35, 0.38, 0.36))
    y, x, w = p.u(-0.7, -0.4), p.u(-0.3, 0.3), p.u(0.22, 0.36)
    p.box(-3, y, 3, 3, c, edge=False)
    p.oval(-0.9, y, 0.5, 0.16, GREEN, edge=False)
    p.oval(0.95, y, 0.5, 0.16, GREEN, edge=False)
    p.box(x - w, y, x + w, 0.75, (0.85, 0.93, 0.98), edge=False)
    for u in (-0.5, 0.0, 0.5):
        p.line(((x + u * w, y), (x + u * w, 0.6)), 0.05, SKY)
    p.box(-3, 0.7, 3, 3, _SEA, edge=False)
    p.oval(x, 0.72, 1.5 * w, 0.16, WHITE, edge=False)


def lighthouse(p: Pen) -> None:
    _sky(p)
    p.box(-3, 0.45, 3, 3, _SEA, edge=False)
    x, c = p.u(-0.5, 0.5), p.pick(RED, BLUE, DARK)
    p.oval(x, 0.75, 0.7, 0.35, p.pick(GREY, BROWN, LEAF))
    p.poly(((x - 0.16, -0.5), (x + 0.16, -0.5), (x + 0.26, 0.6), (x - 0.26, 0.6)), WHITE)
    for y in (-0.3, 0.1):
        p.poly(((x - 0.19, y), (x + 0.19, y), (x + 0.22, y + 0.2), (x - 0.22, y + 0.2)), c, edge=False)
    p.box(x - 0.14, -0.72, x + 0.14, -0.5, YELLOW)
    p.poly(((x - 0.2, -0.7), (x, -0.95), (x + 0.2, -0.7)), c)


def stadium(p: Pen) -> None:
    _sky(p)
    crowd = p.pick(GREY, RED, BLUE, ORANGE)
    p.oval(0, 0.15, 1.25, 0.85, STEEL)
    p.oval(0, 0.2, 1.1, 0.7, crowd)
    p.oval(0, 0.32, 0.8, 0.45, p.pick(RED, TAN, GREEN))
    p.oval(0, 0.32, 0.62, 0.32, GREEN)
    p.line(((0, 0.05), (0, 0.62)), 0.06, WHITE)
    for k in range(9):
        a = math.pi + math.pi * k / 8
        p.oval(0.97 * math.cos(a), 0.22 + 0.6 * math.sin(a), 0.06, 0.06, WHITE, edge=False)


CLASSES = {
    "beach": beach, "mountains": mountains, "downtown": downtown, "forest path": forest_path, "desert": desert,
    "bedroom": bedroom, "bridge": bridge, "harbour": harbour, "waterfall": waterfall, "lighthouse": lighthouse,
    "stadium": stadium,
}  # fmt: skip
