"""Land seen from above."""

import math

from gift_lib.data.mini.pen import BLUE, BROWN, CREAM, DARK, GREEN, GREY, LEAF, RED, STEEL, TAN, WHITE, Pen, mixed

_WATER, _GRASS = (0.18, 0.38, 0.66), (0.47, 0.62, 0.30)


def _ground(p: Pen, *colours) -> None:
    c = mixed(p.pick(*colours), p.pick(*colours), p.u(0, 1))
    p.box(-3, -3, 3, 3, c, edge=False)
    for _ in range(p.n(2, 4)):
        p.oval(
            p.u(-1.2, 1.2), p.u(-1.2, 1.2), p.u(0.2, 0.6), p.u(0.2, 0.6), mixed(c, p.pick(*colours), 0.3), edge=False
        )


def _course(p: Pen, bend: float) -> list:
    f, q, y = p.u(1.3, 2.3), p.u(0, 6.28), p.u(-0.35, 0.35)
    return [(0.2 * k, y + bend * math.sin(f * 0.2 * k + q)) for k in range(-11, 12)]


def river(p: Pen) -> None:
    _ground(p, _GRASS, LEAF, TAN)
    course, w = _course(p, p.u(0.3, 0.5)), p.u(0.3, 0.5)
    p.line(course, w + 0.16, TAN)
    p.line(course, w, _WATER)


def lake(p: Pen) -> None:
    _ground(p, _GRASS, LEAF, TAN)
    x, y, r, q = p.u(-0.3, 0.3), p.u(-0.3, 0.3), p.u(0.65, 0.95), p.u(0, 6.28)
    shore = [(x + (r + 0.18 * math.sin(3 * t + q)) * math.cos(t), y + (r + 0.18 * math.sin(2 * t + q)) * math.sin(t))
             for t in [0.3 * k for k in range(21)]]  # fmt: skip
    p.poly([(1.12 * u, 1.12 * v) for u, v in shore], TAN, edge=False)
    p.poly(shore, mixed(_WATER, BLUE, p.u(0, 0.4)))


def highway(p: Pen) -> None:
    _ground(p, _GRASS, TAN, BROWN)
    course = _course(p, p.u(0.0, 0.15))
    if p.u(0, 1) < 0.5:
        x = p.u(-0.5, 0.5)
        p.line(((x - 0.3, -2.2), (x + 0.3, 2.2)), 0.24, GREY)
    p.line(course, 0.42, GREY)
    p.line(course, 0.07, WHITE)


def forest(p: Pen) -> None:
    p.box(-3, -3, 3, 3, (0.08, 0.22, 0.1), edge=False)
    for _ in range(46):
        x, y, r = p.u(-1.5, 1.5), p.u(-1.5, 1.5), p.u(0.13, 0.25)
        c = mixed((0.10, 0.34, 0.14), LEAF, p.u(0, 0.9))
        p.oval(x, y, r, r, c, edge=False)
        p.oval(x - 0.3 * r, y - 0.3 * r, 0.5 * r, 0.5 * r, mixed(c, CREAM, 0.25), edge=False)


def crop(p: Pen) -> None:
    p.box(-3, -3, 3, 3, BROWN, edge=False)
    xs = [-2.2, p.u(-0.7, -0.3), p.u(0.25, 0.7), 2.2]
    ys = [-2.2, p.u(-0.6, -0.2), p.u(0.3, 0.7), 2.2]
    for i in range(3):
        for j in range(3):
            c = p.pick(TAN, GREEN, _GRASS, BROWN, (0.78, 0.70, 0.28), LEAF, CREAM)
            p.box(xs[i] + 0.03, ys[j] + 0.03, xs[i + 1] - 0.03, ys[j + 1] - 0.03, c)


def pasture(p: Pen) -> None:
    c = mixed(_GRASS, GREEN, p.u(0, 0.5))
    p.box(-3, -3, 3, 3, c, edge=False)
    p.line(((-2.2, p.u(-0.9, 0.9)), (2.2, p.u(-0.9, 0.9))), 0.07, mixed(c, CREAM, 0.5))
    for _ in range(p.n(4, 7)):
        p.oval(p.u(-1, 1), p.u(-1, 1), 0.11, 0.09, p.pick(WHITE, CREAM, WHITE))


def orchard(p: Pen) -> None:
    p.box(-3, -3, 3, 3, mixed(TAN, _GRASS, p.u(0, 0.7)), edge=False)
    step = p.u(0.42, 0.52)
    c = mixed(LEAF, (0.1, 0.36, 0.14), p.u(0, 1))
    for i in range(-4, 5):
        for j in range(-4, 5):
            p.oval(i * step, j * step, 0.32 * step, 0.32 * step, c, edge=False)


def brushland(p: Pen) -> None:
    _ground(p, TAN, CREAM, (0.72, 0.55, 0.34))
    for _ in range(p.n(14, 20)):
        x, y, r = p.u(-1.3, 1.3), p.u(-1.3, 1.3), p.u(0.06, 0.15)
        p.oval(x, y, 1.3 * r, r, p.pick(LEAF, _GRASS, (0.36, 0.38, 0.18)), turn=p.u(0, 3), edge=False)


def residential(p: Pen) -> None:
    _ground(p, _GRASS, GREEN, LEAF)
    step = p.u(0.62, 0.74)
    for i in range(-2, 3):
        p.line(((-2.2, (i + 0.5) * step), (2.2, (i + 0.5) * step)), 0.13, GREY)
        for j in range(-3, 4):
            x, y = j * step * 0.75 + p.u(-0.05, 0.05), i * step
            p.box(x - 0.19, y - 0.19, x + 0.19, y + 0.17, p.pick(RED, (0.72, 0.34, 0.22), BROWN), edge=False)
            p.box(x - 0.19, y - 0.01, x + 0.19, y + 0.17, p.pick((0.55, 0.2, 0.15), (0.6, 0.3, 0.2)), edge=False)


def industrial(p: Pen) -> None:
    _ground(p, GREY, STEEL, TAN)
    for x, y in ((-0.6, -0.55), (0.55, -0.6), (-0.5, 0.6), (0.65, 0.5)):
        w, h = p.u(0.3, 0.5), p.u(0.3, 0.5)
        x, y = x + p.u(-0.1, 0.1), y + p.u(-0.1, 0.1)
        p.box(x - w + 0.1, y - h + 0.1, x + w + 0.1, y + h + 0.1, DARK, edge=False)
        p.box(x - w, y - h, x + w, y + h, p.pick(WHITE, (0.8, 0.85, 0.92), CREAM))
        p.line(((x - w, y), (x + w, y)), 0.06, STEEL)


CLASSES = {
    "annual crop land": crop, "forest": forest, "brushland": brushland, "a highway": highway,
    "industrial buildings": industrial, "pasture land": pasture, "an orchard": orchard,
    "residential buildings": residential, "a river": river, "a lake": lake,
}  # fmt: skip
