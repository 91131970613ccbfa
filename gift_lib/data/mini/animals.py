"""Faces of animals: breeds and kinds told apart by ears, muzzle and markings; coats vary."""

from gift_lib.data.mini.pen import (
    BLACK,
    BROWN,
    CREAM,
    DARK,
    GREY,
    ORANGE,
    PINK,
    STEEL,
    TAN,
    WHITE,
    YELLOW,
    Pen,
    mixed,
)


def _eyes(p: Pen, x: float = 0.28, y: float = -0.1, r: float = 0.1, colour=BLACK) -> None:
    p.pair(x, y, r, r, colour)


def _nose(p: Pen, y: float = 0.28, r: float = 0.12, colour=BLACK) -> None:
    p.poly(((-r, y - 0.5 * r), (r, y - 0.5 * r), (0, y + r)), colour)


def tabby(p: Pen) -> None:
    c = p.pick(ORANGE, GREY, BROWN, TAN)
    d = mixed(c, BLACK, 0.55)
    p.both(((0.15, -0.55), (0.75, -1.0), (0.75, -0.2)), c)
    p.oval(0, 0.1, 0.8, 0.7, c)
    for x in (-0.25, 0, 0.25):
        p.line(((x, -0.55), (x, -0.22)), 0.09, d)
    for y in (0.12, 0.38):
        p.line(((0.45, y), (0.85, y - 0.05)), 0.08, d)
        p.line(((-0.45, y), (-0.85, y - 0.05)), 0.08, d)
    _eyes(p, 0.32, 0.02, 0.12, p.pick(YELLOW, (0.4, 0.7, 0.3)))
    _nose(p, 0.35, 0.1, PINK)


def siamese(p: Pen) -> None:
    c, d = p.pick(CREAM, WHITE, (0.9, 0.82, 0.7)), p.pick(BROWN, DARK, BLACK)
    p.both(((0.15, -0.5), (0.85, -1.0), (0.72, -0.15)), d)
    p.poly(((-0.7, -0.4), (0.7, -0.4), (0.62, 0.2), (0, 0.9), (-0.62, 0.2)), c)
    p.oval(0, 0.3, 0.4, 0.48, d, edge=False)
    _eyes(p, 0.36, -0.08, 0.13, (0.3, 0.6, 0.95))


def beagle(p: Pen) -> None:
    c, d = p.pick(BROWN, TAN, ORANGE), p.pick(BROWN, DARK)
    p.oval(0, 0.05, 0.62, 0.75, c)
    p.poly(((-0.13, -0.7), (0.13, -0.7), (0.3, 0.6), (-0.3, 0.6)), WHITE, edge=False)
    p.oval(0, 0.45, 0.36, 0.3, WHITE)
    p.pair(0.68, 0.15, 0.22, 0.6, d)
    _eyes(p, 0.3, -0.12, 0.1)
    _nose(p, 0.35, 0.16)


def bulldog(p: Pen) -> None:
    c = p.pick(TAN, WHITE, GREY, BROWN)
    p.both(((0.4, -0.55), (0.8, -0.75), (0.75, -0.35)), mixed(c, BLACK, 0.4))
    p.oval(0, 0.08, 0.92, 0.78, c)
    p.pair(0.34, 0.45, 0.42, 0.36, mixed(c, WHITE, 0.5))
    p.line(((-0.4, 0.6), (0, 0.42), (0.4, 0.6)), 0.08, BLACK)
    _eyes(p, 0.42, -0.12, 0.1)
    p.oval(0, 0.18, 0.24, 0.15, BLACK)


def poodle(p: Pen) -> None:
    c = p.pick(WHITE, BLACK, TAN, GREY, BROWN)
    d = mixed(c, GREY, 0.35)
    for x, y in ((-0.35, -0.65), (0.35, -0.65), (0, -0.75), (-0.7, 0.0), (0.7, 0.0), (-0.75, 0.4), (0.75, 0.4)):
        p.oval(x, y, 0.33, 0.33, c)
    p.oval(0, 0.1, 0.45, 0.65, d)
    p.oval(0, 0.5, 0.22, 0.26, c)
    _eyes(p, 0.2, -0.08, 0.09)
    _nose(p, 0.45, 0.12)


def husky(p: Pen) -> None:
    c = p.pick(GREY, DARK, STEEL, BROWN)
    p.both(((0.2, -0.5), (0.62, -1.0), (0.75, -0.3)), c)
    p.oval(0, 0.05, 0.78, 0.78, c)
    p.pair(0.36, 0.12, 0.3, 0.26, WHITE)
    p.poly(((-0.5, 0.3), (0.5, 0.3), (0.2, 0.9), (-0.2, 0.9)), WHITE, edge=False)
    p.poly(((-0.07, -0.7), (0.07, -0.7), (0.15, 0.4), (-0.15, 0.4)), WHITE, edge=False)
    _eyes(p, 0.33, 0.02, 0.11, (0.25, 0.5, 0.9))
    _nose(p, 0.42, 0.15)


def rabbit(p: Pen) -> None:
    c = p.pick(WHITE, TAN, GREY, BROWN)
    s = p.u(-0.1, 0.25)
    for x in (-0.28, 0.28):
        p.oval(x + (s if x > 0 else -s) / 2, -0.58, 0.16, 0.48, c, turn=s if x > 0 else -s)
        p.oval(x + (s if x > 0 else -s) / 2, -0.58, 0.08, 0.34, PINK, turn=s if x > 0 else -s, edge=False)
    p.oval(0, 0.35, 0.58, 0.52, c)
    _eyes(p, 0.3, 0.22, 0.09)
    _nose(p, 0.45, 0.1, PINK)
    p.box(-0.1, 0.58, 0.1, 0.76, WHITE)


def fox(p: Pen) -> None:
    c = p.pick(ORANGE, RUST, BROWN, GREY)
    p.both(((0.2, -0.4), (0.72, -1.0), (0.85, -0.15)), c)
    p.poly(((-0.85, -0.2), (0, -0.55), (0.85, -0.2), (0, 0.95)), c)
    p.both(((0.85, -0.18), (0.15, 0.2), (0.03, 0.9)), WHITE)
    _eyes(p, 0.3, 0.0, 0.09)
    p.oval(0, 0.82, 0.14, 0.12, BLACK)


def owl(p: Pen) -> None:
    c = p.pick(BROWN, GREY, TAN, WHITE)
    p.both(((0.1, -0.6), (0.65, -1.0), (0.7, -0.4)), c)
    p.oval(0, 0.1, 0.8, 0.85, c)
    p.pair(0.36, -0.15, 0.37, 0.37, mixed(c, WHITE, 0.6))
    p.pair(0.34, -0.15, 0.24, 0.24, p.pick(YELLOW, ORANGE))
    _eyes(p, 0.34, -0.15, 0.12)
    p.poly(((-0.13, 0.1), (0.13, 0.1), (0, 0.42)), ORANGE)


def pig(p: Pen) -> None:
    c = p.pick(PINK, (0.85, 0.6, 0.55), TAN)
    p.both(((0.3, -0.6), (0.85, -0.85), (0.7, -0.2)), mixed(c, BROWN, 0.3))
    p.oval(0, 0.05, 0.8, 0.78, c)
    p.oval(0, 0.3, 0.42, 0.3, mixed(c, (0.8, 0.25, 0.35), 0.4))
    p.pair(0.15, 0.3, 0.08, 0.12, BLACK)
    _eyes(p, 0.38, -0.2, 0.09)


def panda(p: Pen) -> None:
    c = p.pick(BLACK, DARK, (0.3, 0.2, 0.15))
    p.pair(0.62, -0.6, 0.3, 0.3, c)
    p.oval(0, 0.08, 0.85, 0.78, WHITE)
    p.pair(0.36, -0.02, 0.2, 0.28, c, turn=0.5)
    _eyes(p, 0.33, -0.05, 0.08, WHITE)
    p.oval(0, 0.36, 0.16, 0.11, c)
    p.line(((-0.2, 0.6), (0, 0.66), (0.2, 0.6)), 0.06, c)


def elephant(p: Pen) -> None:
    c = p.pick(GREY, STEEL, (0.5, 0.45, 0.45))
    p.pair(0.72, -0.15, 0.4, 0.58, mixed(c, PINK, 0.25))
    p.oval(0, -0.15, 0.5, 0.62, c)
    p.poly(((-0.2, 0.1), (0.2, 0.1), (0.15, 0.75), (0.35, 0.95), (-0.02, 1.0), (-0.15, 0.8)), c)
    p.both(((0.22, 0.3), (0.36, 0.3), (0.42, 0.7)), WHITE)
    _eyes(p, 0.28, -0.25, 0.08)


RUST = (0.75, 0.35, 0.15)

CLASSES = {
    "tabby cat": tabby, "siamese cat": siamese, "beagle": beagle, "bulldog": bulldog, "poodle": poodle,
    "husky": husky, "rabbit": rabbit, "fox": fox, "owl": owl, "pig": pig, "panda": panda, "elephant": elephant,
}  # fmt: skip
