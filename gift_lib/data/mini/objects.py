"""Everyday objects, one large in each picture."""

import math

from gift_lib.data.mini.pen import BLACK, BROWN, DARK, GOLD, SKY, STEEL, WHITE, YELLOW, Pen, ring


def umbrella(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.line(((0, -0.8), (0, 0.7)), 0.08, BROWN)
    p.arc(0.15, 0.7, 0.15, math.pi, 0, 0.08, BROWN)
    top = [(0.9 * math.cos(math.pi + math.pi * k / 12), 0.85 * math.sin(math.pi + math.pi * k / 12)) for k in range(13)]
    p.poly([*top, (0.6, -0.18), (0.3, 0), (0, -0.18), (-0.3, 0), (-0.6, -0.18)], c)
    p.poly(((0, -0.85), (0.3, 0), (0, -0.18), (-0.3, 0)), d)


def anchor(p: Pen) -> None:
    c = p.any_colour()
    p.arc(0, -0.72, 0.17, 0, 2 * math.pi, 0.1, c)
    p.line(((0, -0.55), (0, 0.8)), 0.15, c)
    p.line(((-0.42, -0.32), (0.42, -0.32)), 0.14, c)
    p.arc(0, 0.12, 0.68, 0.15, math.pi - 0.15, 0.15, c)
    p.both(((0.5, 0.25), (0.85, 0.25), (0.72, -0.1)), c)


def chair(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    for x in (-0.5, 0.45):
        p.box(x - 0.06, 0.15, x + 0.06, 0.95, d)
    p.box(-0.58, -0.95, -0.42, 0.2, d)
    p.box(-0.58, -0.95, -0.36, -0.3, c)
    p.box(-0.58, 0.05, 0.55, 0.28, c)
    p.line(((-0.5, 0.65), (0.45, 0.65)), 0.07, d)


def mug(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.arc(0.5, 0.0, 0.32, -1.5, 1.5, 0.15, c)
    p.box(-0.6, -0.6, 0.5, 0.7, c)
    p.oval(-0.05, -0.6, 0.55, 0.16, BROWN)
    p.box(-0.6, p.u(0, 0.2), 0.5, 0.4, d)


def lamp(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.box(-0.06, -0.2, 0.06, 0.8, d)
    p.oval(0, 0.82, 0.42, 0.13, d)
    p.poly(((-0.3, -0.9), (0.3, -0.9), (0.65, -0.1), (-0.65, -0.1)), c)
    p.box(-0.55, -0.2, 0.55, -0.1, YELLOW)


def hammer(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.poly(((-0.1, -0.5), (0.1, -0.5), (0.13, 0.95), (-0.13, 0.95)), c)
    p.poly(((-0.5, -0.85), (0.15, -0.85), (0.7, -0.62), (0.15, -0.45), (-0.5, -0.45)), d)
    p.box(-0.65, -0.92, -0.42, -0.38, d)


def scissors(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.1, 0.2), (0.45, -0.95), (0.3, -0.95), (-0.2, 0.1)), STEEL)
    p.poly(((0.1, 0.2), (-0.45, -0.95), (-0.3, -0.95), (0.2, 0.1)), STEEL)
    for side in (-1, 1):
        p.line(((-0.05 * side, 0.1), (0.25 * side, 0.4)), 0.14, c)
        p.arc(0.36 * side, 0.62, 0.24, 0, 2 * math.pi, 0.13, c)


def guitar(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.08, -0.85, 0.08, 0.1, BROWN)
    p.box(-0.15, -1, 0.15, -0.75, DARK)
    p.oval(0, 0.1, 0.34, 0.28, c)
    p.oval(0, 0.55, 0.5, 0.42, c)
    p.oval(0, 0.3, 0.15, 0.15, BLACK)
    p.line(((0, -0.8), (0, 0.65)), 0.05, WHITE)


def bell(p: Pen) -> None:
    c = p.pick(GOLD, p.any_colour())
    p.oval(0, 0.72, 0.17, 0.17, DARK)
    p.oval(0, -0.78, 0.12, 0.12, c)
    p.poly(((-0.2, -0.7), (0.2, -0.7), (0.42, -0.35), (0.48, 0.25), (0.8, 0.6), (-0.8, 0.6), (-0.48, 0.25),
            (-0.42, -0.35)), c)  # fmt: skip
    p.line(((-0.6, 0.42), (0.6, 0.42)), 0.07, DARK)


def camera(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.box(-0.35, -0.65, 0.25, -0.4, d)
    p.box(-0.9, -0.45, 0.9, 0.6, c)
    p.oval(0, 0.08, 0.42, 0.42, DARK)
    p.oval(0, 0.08, 0.26, 0.26, SKY)
    p.box(0.55, -0.32, 0.78, -0.14, WHITE)


def laptop(p: Pen) -> None:
    c, d = p.pick(STEEL, DARK, p.any_colour()), p.pick(SKY, WHITE, p.any_colour())
    p.poly(((-0.65, -0.75), (0.65, -0.75), (0.65, 0.2), (-0.65, 0.2)), c)
    p.box(-0.52, -0.63, 0.52, 0.08, d)
    p.poly(((-0.65, 0.22), (0.65, 0.22), (0.95, 0.65), (-0.95, 0.65)), c)
    p.poly(((-0.5, 0.3), (0.5, 0.3), (0.6, 0.45), (-0.6, 0.45)), DARK)


def wrench(p: Pen) -> None:
    c = p.pick(STEEL, p.any_colour())
    p.box(-0.14, -0.5, 0.14, 0.6, c)
    for y, mouth in ((-0.62, -1), (0.68, 1)):
        head = [q for q in ring(0, y, 0.36, 0.33) if not (abs(q[0]) < 0.18 and (q[1] - y) * mouth > 0)]
        side = sorted(head, key=lambda q: math.atan2((q[1] - y) * mouth, q[0]))
        left = [q for q in side if math.atan2((q[1] - y) * mouth, q[0]) <= math.pi / 2]
        right = [q for q in side if math.atan2((q[1] - y) * mouth, q[0]) > math.pi / 2]
        p.poly([*left, (0.13, y), (-0.13, y), *right], c)


CLASSES = {
    "umbrella": umbrella, "anchor": anchor, "chair": chair, "mug": mug, "lamp": lamp, "hammer": hammer,
    "scissors": scissors, "guitar": guitar, "bell": bell, "camera": camera, "laptop": laptop, "wrench": wrench,
}  # fmt: skip
