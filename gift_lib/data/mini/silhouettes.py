"""Aircraft seen from above (or from the front): fine-grained outlines of wings, tails and rotors."""

import math

from gift_lib.data.mini.pen import DARK, SKY, STEEL, Pen, regular, ring


def _body(p: Pen, colour, length: float = 0.85, width: float = 0.1) -> None:
    p.poly(((0, -length), (width, -length + 0.25), (width, length - 0.3), (0.04, length), (-0.04, length),
            (-width, length - 0.3), (-width, -length + 0.25)), colour)  # fmt: skip


def _wings(p: Pen, colour, at: float, span: float, root: float, tip: float, sweep: float) -> None:
    p.both(((0.03, at), (span, at + sweep), (span, at + sweep + tip), (0.03, at + root)), colour)


def delta(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((0, -0.95), (0.75, 0.65), (0.2, 0.6), (0, 0.85), (-0.2, 0.6), (-0.75, 0.65)), c)
    p.oval(0, -0.3, 0.06, 0.18, SKY)


def airliner(p: Pen) -> None:
    c = p.any_colour()
    s = p.u(0.4, 0.55)
    _wings(p, c, -0.2, 0.9, 0.32, 0.1, s)
    _wings(p, c, 0.62, 0.36, 0.16, 0.08, 0.16)
    _body(p, c, 0.95, 0.11)
    p.pair(0.4, s / 2 - 0.14, 0.06, 0.14, DARK)


def biplane(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    for x in (-0.62, -0.3, 0.3, 0.62):
        p.line(((x, -0.4), (x, 0.2)), 0.06, DARK)
    p.box(-0.92, -0.5, 0.92, -0.34, c)
    p.box(-0.85, 0.12, 0.85, 0.28, c)
    p.oval(0, -0.06, 0.24, 0.3, d)
    p.line(((-0.15, 0.25), (-0.3, 0.6)), 0.06, DARK)
    p.line(((0.15, 0.25), (0.3, 0.6)), 0.06, DARK)
    p.pair(0.32, 0.62, 0.1, 0.14, DARK)


def glider(p: Pen) -> None:
    c = p.any_colour()
    _wings(p, c, -0.3, 1.05, 0.14, 0.08, p.u(-0.03, 0.03))
    _wings(p, c, 0.62, 0.26, 0.1, 0.08, 0.0)
    _body(p, c, 0.72, 0.055)
    p.oval(0, -0.45, 0.09, 0.2, c)


def flying_wing(p: Pen) -> None:
    c, s = p.any_colour(), p.u(0.55, 0.75)
    p.poly(((0, -0.5), (1, -0.5 + s), (0.95, -0.28 + s), (0.45, 0.12), (0.2, 0.3), (0, 0.12), (-0.2, 0.3),
            (-0.45, 0.12), (-0.95, -0.28 + s), (-1, -0.5 + s)), c)  # fmt: skip
    p.oval(0, -0.2, 0.09, 0.12, DARK)


def helicopter(p: Pen) -> None:
    c, t = p.any_colour(), p.u(0, math.pi)
    p.box(-0.05, 0.2, 0.05, 0.95, c)
    p.line(((-0.2, 0.88), (0.2, 0.88)), 0.08, DARK)
    p.oval(0, -0.15, 0.28, 0.45, c)
    p.oval(0, -0.35, 0.18, 0.2, SKY)
    for a in (t, t + math.pi / 2):
        x, y = 0.92 * math.cos(a), 0.92 * math.sin(a)
        p.line(((-x, -y - 0.1), (x, y - 0.1)), 0.09, DARK)


def seaplane(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.pair(0.42, -0.05, 0.12, 0.62, d)
    _wings(p, c, -0.25, 0.88, 0.26, 0.24, 0.0)
    _wings(p, c, 0.6, 0.3, 0.14, 0.12, 0.0)
    _body(p, c, 0.8, 0.11)


def twin_boom(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.5, 0.72, 0.5, 0.88, c)
    p.both(((0.36, -0.4), (0.46, -0.5), (0.5, 0.85), (0.36, 0.85)), c)
    _wings(p, c, -0.2, 0.98, 0.26, 0.16, 0.03)
    p.poly(((0, -0.75), (0.13, -0.5), (0.13, 0.15), (-0.13, 0.15), (-0.13, -0.5)), c)


def airship(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.both(((0.1, 0.4), (0.5, 0.75), (0.5, 0.98), (0.1, 0.85)), d)
    p.oval(0, -0.02, 0.36, 0.92, c)
    p.box(-0.05, -0.9, 0.05, 0.95, d)


def canard(p: Pen) -> None:
    c = p.any_colour()
    p.both(((0.05, -0.55), (0.42, -0.3), (0.42, -0.2), (0.05, -0.25)), c)
    p.both(((0.05, 0.05), (0.8, 0.6), (0.8, 0.78), (0.05, 0.7)), c)
    p.both(((0.1, 0.6), (0.3, 0.98), (0.12, 0.9)), DARK)
    _body(p, c, 0.95, 0.1)


def propeller(p: Pen) -> None:
    c = p.any_colour()
    p.line(((-0.32, -0.74), (0.32, -0.74)), 0.09, DARK)
    _wings(p, c, -0.38, 0.82, 0.38, 0.32, 0.04)
    _wings(p, c, 0.45, 0.36, 0.2, 0.16, 0.04)
    _body(p, c, 0.72, 0.16)
    p.oval(0, -0.2, 0.1, 0.14, SKY)


def quadcopter(p: Pen) -> None:
    c, d, r = p.any_colour(), p.any_colour(), p.u(0.26, 0.34)
    p.line(((-0.6, -0.6), (0.6, 0.6)), 0.14, c)
    p.line(((0.6, -0.6), (-0.6, 0.6)), 0.14, c)
    for x, y in ((-0.6, -0.6), (0.6, -0.6), (-0.6, 0.6), (0.6, 0.6)):
        p.poly(ring(x, y, r, r), d)
        p.oval(x, y, 0.08, 0.08, STEEL)
    p.poly(regular(4, 0.32, phase=math.pi / 4), c)


CLASSES = {
    "delta wing jet": delta, "swept wing airliner": airliner, "biplane": biplane, "glider": glider,
    "flying wing": flying_wing, "helicopter": helicopter, "seaplane": seaplane, "twin boom plane": twin_boom,
    "airship": airship, "canard jet": canard, "propeller plane": propeller, "quadcopter": quadcopter,
}  # fmt: skip
