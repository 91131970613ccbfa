"""C0: a hundred general concepts - simple things, coloured shapes, patterned shapes - none of them a task's class."""

import math
from collections.abc import Callable

from gift_lib.data.mini.pen import (
    BLACK,
    BLUE,
    BROWN,
    CREAM,
    CYAN,
    DARK,
    GREEN,
    GREY,
    LEAF,
    NAMED,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    SKY,
    STEEL,
    TAN,
    WHITE,
    YELLOW,
    Pen,
    regular,
    ring,
)

Program = Callable[[Pen], None]


def house(p: Pen) -> None:
    p.box(-0.6, -0.1, 0.6, 0.8, p.any_colour())
    p.poly(((-0.8, -0.1), (0, -0.85), (0.8, -0.1)), p.pick(RED, BROWN, DARK))
    p.box(-0.15, 0.3, 0.15, 0.8, BROWN)
    p.box(0.28, 0.1, 0.48, 0.32, SKY)


def tree(p: Pen) -> None:
    p.box(-0.12, 0.2, 0.12, 0.95, BROWN)
    for x, y in ((-0.35, -0.1), (0.35, -0.1), (0, -0.45)):
        p.oval(x, y, 0.45, 0.42, p.pick(GREEN, LEAF))


def boat(p: Pen) -> None:
    p.line(((0, 0.4), (0, -0.9)), 0.08, BROWN)
    p.poly(((0.06, -0.85), (0.7, 0.25), (0.06, 0.25)), p.any_colour())
    p.poly(((-0.85, 0.35), (0.85, 0.35), (0.55, 0.8), (-0.55, 0.8)), p.any_colour())


def sun(p: Pen) -> None:
    p.petals(10, 0.6, 1.0, 0.09, ORANGE, pointed=True)
    p.oval(0, 0, 0.5, 0.5, YELLOW)


def moon(p: Pen) -> None:
    p.oval(0, 0, 0.8, 0.8, p.pick(YELLOW, WHITE, STEEL))
    p.oval(0.38, -0.15, 0.65, 0.65, p.look.ground, edge=False)


def cloud(p: Pen) -> None:
    c = p.pick(WHITE, GREY, SKY)
    for x, y, r in ((-0.5, 0.15, 0.38), (0.5, 0.15, 0.36), (0, -0.1, 0.5), (0, 0.25, 0.4)):
        p.oval(x, y, r, r, c, edge=False)


def key(p: Pen) -> None:
    c = p.any_colour()
    p.arc(0, -0.55, 0.3, 0, 2 * math.pi, 0.16, c)
    p.line(((0, -0.25), (0, 0.9)), 0.16, c)
    p.line(((0, 0.8), (0.35, 0.8)), 0.16, c)
    p.line(((0, 0.45), (0.28, 0.45)), 0.16, c)


def fish(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((0.4, 0), (0.95, -0.45), (0.95, 0.45)), c)
    p.oval(-0.15, 0, 0.7, 0.42, c)
    p.oval(-0.5, -0.1, 0.09, 0.09, BLACK)


def fish_bone(p: Pen) -> None:
    c = p.pick(WHITE, DARK, CREAM)
    p.line(((-0.6, 0), (0.8, 0)), 0.12, c)
    for x in (-0.15, 0.15, 0.45):
        p.line(((x, -0.4), (x, 0.4)), 0.1, c)
    p.poly(((-0.95, 0), (-0.45, -0.35), (-0.45, 0.35)), c)
    p.line(((0.95, -0.35), (0.75, 0), (0.95, 0.35)), 0.12, c)


def ladder(p: Pen) -> None:
    c = p.any_colour()
    for x in (-0.35, 0.35):
        p.line(((x, -0.95), (x, 0.95)), 0.13, c)
    for y in (-0.7, -0.3, 0.1, 0.5):
        p.line(((-0.35, y + 0.1), (0.35, y + 0.1)), 0.1, c)


def heart(p: Pen) -> None:
    c = p.any_colour()
    p.oval(-0.38, -0.3, 0.45, 0.42, c, edge=False)
    p.oval(0.38, -0.3, 0.45, 0.42, c, edge=False)
    p.poly(((-0.78, -0.1), (0, -0.3), (0.78, -0.1), (0, 0.85)), c, edge=False)


def arrow(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.9, -0.18), (0.2, -0.18), (0.2, -0.55), (0.95, 0), (0.2, 0.55), (0.2, 0.18), (-0.9, 0.18)), c)


def flag(p: Pen) -> None:
    p.line(((-0.6, -0.95), (-0.6, 0.95)), 0.1, BROWN)
    c, d = p.any_colour(), p.any_colour()
    p.box(-0.55, -0.9, 0.85, -0.5, c)
    p.box(-0.55, -0.5, 0.85, -0.1, d)


def envelope(p: Pen) -> None:
    p.box(-0.85, -0.5, 0.85, 0.6, p.pick(WHITE, CREAM, SKY, PINK))
    p.line(((-0.85, -0.5), (0, 0.15), (0.85, -0.5)), 0.09, DARK)


def candle(p: Pen) -> None:
    p.box(-0.22, -0.2, 0.22, 0.9, p.any_colour())
    p.poly(((0, -0.95), (0.2, -0.5), (0, -0.25), (-0.2, -0.5)), p.pick(ORANGE, YELLOW))


def balloon(p: Pen) -> None:
    p.line(((0, 0.4), (0.08, 0.7), (-0.05, 1.0)), 0.06, DARK)
    p.oval(0, -0.25, 0.55, 0.68, p.any_colour())


def book(p: Pen) -> None:
    c = p.any_colour()
    p.both(((0, -0.45), (0.85, -0.6), (0.85, 0.5), (0, 0.65)), c)
    p.both(((0.05, -0.35), (0.75, -0.48), (0.75, 0.4), (0.05, 0.52)), WHITE)


def fork(p: Pen) -> None:
    c = p.pick(STEEL, GREY, DARK)
    p.line(((0, -0.1), (0, 0.95)), 0.16, c)
    p.line(((-0.28, -0.95), (-0.28, -0.25), (0.28, -0.25), (0.28, -0.95)), 0.11, c)
    p.line(((0, -0.95), (0, -0.2)), 0.11, c)


def spoon(p: Pen) -> None:
    c = p.pick(STEEL, GREY, BROWN)
    p.line(((0, -0.1), (0, 0.95)), 0.15, c)
    p.oval(0, -0.55, 0.32, 0.42, c)


def snowman(p: Pen) -> None:
    for y, r in ((0.55, 0.42), (-0.02, 0.32), (-0.48, 0.24)):
        p.oval(0, y, r, r, WHITE)
    p.box(-0.22, -0.98, 0.22, -0.65, DARK)
    p.poly(((0, -0.5), (0.3, -0.43), (0, -0.4)), ORANGE)


def fence(p: Pen) -> None:
    c = p.pick(WHITE, BROWN, p.any_colour())
    for y in (-0.2, 0.35):
        p.box(-0.95, y, 0.95, y + 0.15, c)
    for x in (-0.75, -0.25, 0.25, 0.75):
        p.poly(((x - 0.13, 0.8), (x - 0.13, -0.5), (x, -0.75), (x + 0.13, -0.5), (x + 0.13, 0.8)), c)


def stairs(p: Pen) -> None:
    c = p.any_colour()
    for k in range(4):
        p.box(-0.85 + 0.42 * k, 0.45 - 0.4 * k, -0.43 + 0.42 * k, 0.85, c)


def tent(p: Pen) -> None:
    p.poly(((0, -0.7), (0.95, 0.65), (-0.95, 0.65)), p.any_colour())
    p.poly(((0, -0.2), (0.28, 0.65), (-0.28, 0.65)), DARK)


def drum(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.65, -0.35, 0.65, 0.5, c)
    p.oval(0, 0.5, 0.65, 0.22, c)
    p.oval(0, -0.35, 0.65, 0.24, WHITE)
    p.line(((-0.6, -0.1), (-0.3, 0.6), (0, -0.1), (0.3, 0.6), (0.6, -0.1)), 0.06, WHITE)


def die(p: Pen) -> None:
    p.box(-0.7, -0.7, 0.7, 0.7, p.any_colour())
    for x, y in ((-0.38, -0.38), (0.38, 0.38), (0, 0), (0.38, -0.38), (-0.38, 0.38)):
        p.oval(x, y, 0.15, 0.15, WHITE)


def comb(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.85, -0.45, 0.85, -0.15, c)
    for k in range(6):
        p.box(-0.82 + 0.31 * k, -0.15, -0.68 + 0.31 * k, 0.5, c, edge=False)


def leaf(p: Pen) -> None:
    c = p.pick(GREEN, LEAF, ORANGE, RED)
    p.poly(((0, -0.95), (0.45, -0.3), (0.4, 0.3), (0, 0.65), (-0.4, 0.3), (-0.45, -0.3)), c)
    p.line(((0, -0.7), (0, 1.0)), 0.07, BROWN)


def kite(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.line(((0, 0.4), (0.2, 0.65), (-0.1, 1.0)), 0.06, DARK)
    p.poly(((0, -0.95), (0.55, -0.25), (0, 0.5), (-0.55, -0.25)), c)
    p.poly(((0, -0.95), (0.55, -0.25), (0, -0.25)), d)
    p.poly(((0, 0.5), (-0.55, -0.25), (0, -0.25)), d)


def magnet(p: Pen) -> None:
    p.arc(0, -0.15, 0.5, math.pi, 2 * math.pi, 0.34, RED)
    for x in (-0.5, 0.5):
        p.box(x - 0.17, -0.18, x + 0.17, 0.35, RED, edge=False)
        p.box(x - 0.17, 0.35, x + 0.17, 0.75, STEEL)


def wheel(p: Pen) -> None:
    p.arc(0, 0, 0.75, 0, 2 * math.pi, 0.2, p.pick(DARK, BROWN))
    for a in (0, math.pi / 3, 2 * math.pi / 3):
        p.line(((-0.7 * math.cos(a), -0.7 * math.sin(a)), (0.7 * math.cos(a), 0.7 * math.sin(a))), 0.09, STEEL)


def target(p: Pen) -> None:
    c = p.pick(RED, BLUE, BLACK)
    for k, r in enumerate((0.9, 0.68, 0.46, 0.24)):
        p.oval(0, 0, r, r, WHITE if k % 2 else c)


def hourglass(p: Pen) -> None:
    p.both(((0, 0), (0.5, -0.75), (0, -0.75)), p.pick(SKY, CYAN))
    p.both(((0, 0), (0.5, 0.75), (0, 0.75)), TAN)
    for y in (-0.85, 0.85):
        p.box(-0.6, y - 0.1, 0.6, y + 0.1, BROWN)


def crown(p: Pen) -> None:
    p.poly(((-0.8, 0.55), (-0.85, -0.5), (-0.4, 0.0), (0, -0.7), (0.4, 0.0), (0.85, -0.5), (0.8, 0.55)), YELLOW)
    for x in (-0.4, 0, 0.4):
        p.oval(x, 0.3, 0.1, 0.1, p.pick(RED, BLUE, GREEN))


def windmill(p: Pen) -> None:
    p.poly(((-0.2, -0.3), (0.2, -0.3), (0.4, 0.95), (-0.4, 0.95)), p.any_colour())
    t = p.u(0, 1.5)
    for k in range(4):
        a = t + k * math.pi / 2
        p.line(((0, -0.3), (0.75 * math.cos(a), -0.3 + 0.75 * math.sin(a))), 0.17, WHITE)


def bow_tie(p: Pen) -> None:
    c = p.any_colour()
    p.both(((0, 0), (0.85, -0.5), (0.85, 0.5)), c)
    p.box(-0.15, -0.18, 0.15, 0.18, c)


def lollipop(p: Pen) -> None:
    c = p.any_colour()
    p.line(((0, 0.1), (0, 1.0)), 0.1, WHITE)
    p.oval(0, -0.3, 0.58, 0.58, c)
    p.arc(0, -0.3, 0.32, 0.5, 6.0, 0.13, WHITE)


def traffic_light(p: Pen) -> None:
    p.box(-0.35, -0.9, 0.35, 0.9, DARK)
    for y, c in ((-0.55, RED), (0, YELLOW), (0.55, GREEN)):
        p.oval(0, y, 0.22, 0.22, c)


def snowflake(p: Pen) -> None:
    c = p.pick(WHITE, SKY, BLUE, CYAN)
    for k in range(6):
        a = k * math.pi / 3
        x, y = math.cos(a), math.sin(a)
        p.line(((0, 0), (0.95 * x, 0.95 * y)), 0.1, c)
        p.line(((0.6 * x - 0.25 * y, 0.75 * y + 0.2 * x), (0.5 * x, 0.5 * y), (0.7 * x + 0.25 * y, 0.65 * y - 0.2 * x)),
               0.08, c)  # fmt: skip


def pencil(p: Pen) -> None:
    c = p.pick(YELLOW, RED, BLUE, GREEN)
    p.box(-0.16, -0.75, 0.16, 0.5, c)
    p.poly(((-0.16, 0.5), (0.16, 0.5), (0, 0.95)), TAN)
    p.box(-0.16, -0.95, 0.16, -0.72, PINK)


def bone(p: Pen) -> None:
    c = p.pick(WHITE, CREAM)
    for x in (-0.65, 0.65):
        for y in (-0.2, 0.2):
            p.oval(x, y, 0.24, 0.24, c)
    p.box(-0.6, -0.16, 0.6, 0.16, c)


def rainbow(p: Pen) -> None:
    for k, c in enumerate((RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE)):
        p.arc(0, 0.5, 0.95 - 0.12 * k, math.pi, 2 * math.pi, 0.13, c)


def lightning(p: Pen) -> None:
    p.poly(((0.15, -0.95), (-0.5, 0.15), (-0.05, 0.15), (-0.2, 0.95), (0.5, -0.2), (0.05, -0.2), (0.4, -0.95)),
           p.pick(YELLOW, ORANGE, BLUE))  # fmt: skip


def snake(p: Pen) -> None:
    c = p.pick(GREEN, BROWN, p.any_colour())
    p.line([(0.2 * k - 0.9, 0.35 * math.sin(1.1 * k)) for k in range(10)], 0.24, c)
    p.oval(0.9, 0.35 * math.sin(9.9), 0.2, 0.17, c)


def spiral(p: Pen) -> None:
    c, t = p.any_colour(), p.u(0, 6.28)
    p.line([(0.052 * a * math.cos(a + t), 0.052 * a * math.sin(a + t)) for a in [0.4 * k for k in range(44)]], 0.14, c)


def bird(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((0.4, 0.1), (1.0, 0.0), (0.9, 0.3)), c)
    p.oval(0.05, 0.15, 0.6, 0.38, c)
    p.oval(-0.5, -0.3, 0.3, 0.28, c)
    p.poly(((-0.75, -0.35), (-1.05, -0.2), (-0.75, -0.15)), ORANGE)
    p.poly(((0.0, 0.0), (0.5, -0.65), (0.4, 0.15)), DARK)
    p.oval(-0.55, -0.35, 0.07, 0.07, WHITE)


def face(p: Pen) -> None:
    p.oval(0, 0, 0.85, 0.85, p.pick(YELLOW, TAN, CREAM, PINK))
    p.pair(0.3, -0.2, 0.11, 0.15, BLACK)
    p.arc(0, 0.1, 0.45, 0.3, math.pi - 0.3, 0.1, p.pick(RED, DARK))


def dog(p: Pen) -> None:
    c = p.pick(BROWN, TAN, GREY, DARK)
    for x in (-0.45, 0.4):
        p.box(x - 0.1, 0.2, x + 0.1, 0.85, c)
    p.line(((0.5, 0.0), (0.85, -0.4)), 0.14, c)
    p.oval(0, 0.05, 0.65, 0.32, c)
    p.oval(-0.6, -0.35, 0.33, 0.28, c)
    p.oval(-0.45, -0.3, 0.12, 0.28, DARK)


def horse(p: Pen) -> None:
    c = p.pick(BROWN, TAN, WHITE, DARK)
    for x in (-0.4, -0.15, 0.35, 0.55):
        p.box(x - 0.07, 0.1, x + 0.07, 0.95, c)
    p.oval(0.08, 0.05, 0.62, 0.3, c)
    p.poly(((-0.55, 0.1), (-0.2, -0.1), (-0.5, -0.75), (-0.95, -0.4), (-0.85, -0.25), (-0.62, -0.35)), c)
    p.line(((-0.45, -0.75), (-0.15, -0.1)), 0.13, BLACK)


def train(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.9, -0.6, -0.2, 0.4, c)
    p.box(-0.2, -0.2, 0.8, 0.4, c)
    p.box(0.45, -0.65, 0.68, -0.2, DARK)
    p.box(-0.75, -0.45, -0.35, -0.1, SKY)
    for x in (-0.65, -0.05, 0.5):
        p.oval(x, 0.5, 0.23, 0.23, BLACK)


def table(p: Pen) -> None:
    c = p.pick(BROWN, TAN, p.any_colour())
    p.box(-0.95, -0.3, 0.95, -0.08, c)
    for x in (-0.75, 0.75):
        p.box(x - 0.09, -0.08, x + 0.09, 0.8, c)


def sword(p: Pen) -> None:
    p.poly(((0, -1), (0.13, -0.75), (0.13, 0.4), (-0.13, 0.4), (-0.13, -0.75)), STEEL)
    p.box(-0.42, 0.38, 0.42, 0.54, p.pick(BROWN, YELLOW))
    p.box(-0.09, 0.5, 0.09, 0.95, BROWN)


THINGS: dict[str, Program] = {
    "house": house, "tree": tree, "boat": boat, "sun": sun, "moon": moon, "cloud": cloud, "key": key, "fish": fish,
    "fish bone": fish_bone, "ladder": ladder, "heart": heart, "arrow": arrow, "flag": flag, "envelope": envelope,
    "candle": candle, "balloon": balloon, "book": book, "fork": fork, "spoon": spoon, "snowman": snowman,
    "fence": fence, "stairs": stairs, "tent": tent, "drum": drum, "die": die, "comb": comb, "leaf": leaf,
    "kite": kite, "magnet": magnet, "wheel": wheel, "target": target, "hourglass": hourglass, "crown": crown,
    "windmill": windmill, "bow tie": bow_tie, "lollipop": lollipop, "traffic light": traffic_light,
    "snowflake": snowflake, "pencil": pencil, "bone": bone, "rainbow": rainbow, "lightning bolt": lightning,
    "snake": snake, "spiral": spiral, "bird": bird, "smiling face": face, "dog": dog, "horse": horse,
    "train": train, "table": table, "sword": sword,
}  # fmt: skip

SHAPES = {
    "circle": ring(0, 0, 0.8, 0.8), "square": regular(4, 1.0, phase=math.pi / 4), "triangle": regular(3, 1.0),
    "star": regular(5, 1.0, inner=0.42), "hexagon": regular(6, 0.9), "diamond": [(0, -1), (0.6, 0), (0, 1), (-0.6, 0)],
    "cross": [(-0.28, -0.9), (0.28, -0.9), (0.28, -0.28), (0.9, -0.28), (0.9, 0.28), (0.28, 0.28), (0.28, 0.9),
              (-0.28, 0.9), (-0.28, 0.28), (-0.9, 0.28), (-0.9, -0.28), (-0.28, -0.28)],
    "oval": ring(0, 0, 0.95, 0.55),
}  # fmt: skip

#: Every colour meets four shapes, every pattern five: both words must be read to tell the concepts apart.
_COLOURED = tuple((c, s) for i, c in enumerate(("red", "blue", "green", "yellow", "purple", "orange", "black"))
                  for s in [list(SHAPES)[(3 * i + k) % len(SHAPES)] for k in range(4)])  # fmt: skip
_PATTERNED = tuple((q, s) for i, q in enumerate(("stripy", "spotted", "checked", "wavy", "crossed"))
                   for s in [list(SHAPES)[(2 * i + k) % len(SHAPES)] for k in range(5)])  # fmt: skip


def coloured(colour: str, shape: str) -> Program:
    """A shape in a named colour."""
    return lambda p: p.poly(SHAPES[shape], NAMED[colour])


def patterned(pattern: str, shape: str) -> Program:
    """A shape filled with a two-colour pattern."""

    def draw(p: Pen) -> None:
        ground = p.any_colour()
        mark = p.any_colour(other=ground)
        p.poly(SHAPES[shape], ground)
        p.clipped(SHAPES[shape], lambda q: _PATTERNS[pattern](q, mark))

    return draw


def _stripes(p: Pen, c) -> None:
    for k in range(-2, 3):
        p.box(0.44 * k - 0.11, -1.1, 0.44 * k + 0.11, 1.1, c, edge=False)


def _spots(p: Pen, c) -> None:
    for j in range(-2, 3):
        for k in range(-2, 3):
            p.oval(0.45 * k, 0.45 * j, 0.14, 0.14, c, edge=False)


def _checks(p: Pen, c) -> None:
    for j in range(-3, 3):
        for k in range(-3, 3):
            if (j + k) % 2:
                p.box(0.36 * k, 0.36 * j, 0.36 * k + 0.36, 0.36 * j + 0.36, c, edge=False)


def _waves(p: Pen, c) -> None:
    for k in range(-2, 3):
        p.line([(0.15 * j, 0.5 * k + 0.14 * math.sin(0.9 * j)) for j in range(-8, 9)], 0.16, c)


def _crosses(p: Pen, c) -> None:
    for k in range(-2, 3):
        p.line(((0.5 * k, -1.1), (0.5 * k, 1.1)), 0.11, c)
        p.line(((-1.1, 0.5 * k), (1.1, 0.5 * k)), 0.11, c)


_PATTERNS = {"stripy": _stripes, "spotted": _spots, "checked": _checks, "wavy": _waves, "crossed": _crosses}

PROGRAMS: dict[str, Program] = {
    **THINGS,
    **{f"{c} {s}": coloured(c, s) for c, s in _COLOURED},
    **{f"{q} {s}": patterned(q, s) for q, s in _PATTERNED},
}
