"""Dishes on a table: told apart by layout; toppings and colours vary."""

import math

from gift_lib.data.mini.pen import (
    BLACK,
    BROWN,
    CREAM,
    GOLD,
    GREEN,
    LEAF,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    TAN,
    WHITE,
    YELLOW,
    Pen,
    mixed,
)


def _plate(p: Pen, flat: float = 1.0, y: float = 0.0) -> None:
    c = p.pick(WHITE, (0.75, 0.83, 0.92), CREAM, (0.62, 0.66, 0.72))
    p.oval(0, y, 0.98, 0.98 * flat, c)
    p.oval(0, y, 0.74, 0.74 * flat, mixed(c, (0.5, 0.5, 0.5), 0.18), edge=False)


def pizza(p: Pen) -> None:
    t = p.pick(RED, GREEN, BROWN)
    p.oval(0, 0, 0.92, 0.92, TAN)
    p.oval(0, 0, 0.76, 0.76, p.pick(YELLOW, ORANGE, RED))
    for a in (0.5, 1.9, 3.1, 4.2, 5.4):
        p.oval(0.46 * math.cos(a), 0.46 * math.sin(a), 0.15, 0.15, t)
    for a in (0.0, math.pi / 3, 2 * math.pi / 3):
        x, y = 0.92 * math.cos(a), 0.92 * math.sin(a)
        p.line(((-x, -y), (x, y)), 0.04, BROWN)


def sushi(p: Pen) -> None:
    c = p.pick(ORANGE, RED, GREEN, YELLOW)
    p.box(-0.98, 0.45, 0.98, 0.7, BROWN)
    for x in (-0.64, 0.0, 0.64):
        p.oval(x, 0.08, 0.31, 0.4, BLACK)
        p.oval(x, 0.08, 0.22, 0.3, WHITE, edge=False)
        p.oval(x, 0.08, 0.1, 0.13, c, edge=False)


def hamburger(p: Pen) -> None:
    c = p.pick(TAN, GOLD, ORANGE)
    p.poly(((-0.8, 0.35), (0.8, 0.35), (0.75, 0.72), (-0.75, 0.72)), c)
    p.box(-0.9, 0.1, 0.9, 0.4, BROWN)
    p.poly(((-0.95, 0.0), (0.95, 0.0), (0.7, 0.22), (0.4, 0.1), (0.1, 0.24), (-0.3, 0.1), (-0.7, 0.24)),
           p.pick(GREEN, YELLOW, RED))  # fmt: skip
    top = [(0.85 * math.cos(math.pi + math.pi * k / 10), 0.75 * math.sin(math.pi + math.pi * k / 10))
           for k in range(11)]  # fmt: skip
    p.poly(top, c)


def ice_cream(p: Pen) -> None:
    c = p.pick(PINK, BROWN, CREAM, GREEN)
    p.poly(((-0.42, 0.0), (0.42, 0.0), (0, 1.0)), TAN)
    p.line(((-0.2, 0.0), (0.12, 0.6)), 0.05, BROWN)
    p.line(((0.2, 0.0), (-0.12, 0.6)), 0.05, BROWN)
    p.oval(0, -0.15, 0.5, 0.36, c)
    p.oval(0, -0.58, 0.38, 0.34, p.pick(PINK, CREAM, WHITE, BROWN))


def fried_egg(p: Pen) -> None:
    _plate(p)
    t = p.u(0, 6.28)
    p.poly([((0.6 + 0.12 * math.sin(3 * a + t)) * math.cos(a), (0.55 + 0.12 * math.sin(2 * a + t)) * math.sin(a))
            for a in [0.3 * k for k in range(21)]], (1.0, 1.0, 0.98))  # fmt: skip
    p.oval(p.u(-0.12, 0.12), p.u(-0.1, 0.1), 0.27, 0.27, p.pick(YELLOW, ORANGE))


def soup(p: Pen) -> None:
    b, c = p.pick(RED, WHITE, (0.3, 0.4, 0.6), BROWN), p.pick(ORANGE, RED, GREEN, GOLD)
    p.poly(((-0.92, -0.15), (0.92, -0.15), (0.6, 0.65), (0.3, 0.8), (-0.3, 0.8), (-0.6, 0.65)), b)
    p.oval(0, -0.15, 0.92, 0.36, mixed(b, (1, 1, 1), 0.4))
    p.oval(0, -0.14, 0.74, 0.26, c)
    p.oval(0.2, -0.16, 0.14, 0.07, mixed(c, WHITE, 0.6), edge=False)


def doughnut(p: Pen) -> None:
    c = p.pick(PINK, BROWN, WHITE, PURPLE)
    p.oval(0, 0, 0.88, 0.88, TAN)
    p.oval(0, 0, 0.72, 0.72, c, edge=False)
    for k in range(8):
        a, d = 0.8 * k, p.pick(YELLOW, RED, GREEN, WHITE)
        x, y = 0.52 * math.cos(a), 0.52 * math.sin(a)
        p.line(((x, y), (x + 0.1 * math.cos(3 * a), y + 0.1 * math.sin(3 * a))), 0.06, d)
    p.oval(0, 0, 0.28, 0.28, p.look.ground)


def pancakes(p: Pen) -> None:
    _plate(p, 0.28, 0.6)
    c = p.pick(GOLD, TAN, ORANGE)
    for k in range(4):
        p.oval(p.u(-0.05, 0.05), 0.45 - 0.24 * k, 0.72, 0.22, c if k % 2 else mixed(c, BROWN, 0.5))
    p.box(-0.16, -0.5, 0.16, -0.28, p.pick(YELLOW, CREAM, RED))


def salad(p: Pen) -> None:
    _plate(p)
    for _ in range(12):
        a, r = p.u(0, 6.28), p.u(0.0, 0.5)
        p.oval(r * math.cos(a), r * math.sin(a), 0.3, 0.15, p.pick(GREEN, LEAF, (0.5, 0.75, 0.3)), turn=p.u(0, 3))
    for _ in range(4):
        a, r = p.u(0, 6.28), p.u(0.1, 0.5)
        p.oval(r * math.cos(a), r * math.sin(a), 0.13, 0.13, p.pick(RED, ORANGE, PURPLE))


def spaghetti(p: Pen) -> None:
    _plate(p)
    for _ in range(11):
        a, r = p.u(0, 6.28), p.u(0.12, 0.3)
        p.arc(r * math.cos(a), r * math.sin(a), p.u(0.2, 0.36), a, a + 4.2, 0.07, p.pick(YELLOW, CREAM, GOLD))
    p.oval(0, -0.02, 0.3, 0.22, p.pick(RED, BROWN))


def cake(p: Pen) -> None:
    c, d = p.pick(CREAM, BROWN, PINK, YELLOW), p.pick(WHITE, PINK, BROWN)
    p.poly(((-0.8, -0.1), (0.75, -0.35), (0.75, 0.55), (-0.8, 0.75)), c)
    p.poly(((-0.8, 0.22), (0.75, 0.0), (0.75, 0.15), (-0.8, 0.4)), d)
    p.poly(((-0.8, -0.1), (0.75, -0.35), (0.1, -0.7)), d)
    p.oval(0.1, -0.62, 0.15, 0.15, RED)


CLASSES = {
    "pizza": pizza, "sushi": sushi, "hamburger": hamburger, "ice cream cone": ice_cream, "fried egg": fried_egg,
    "bowl of soup": soup, "doughnut": doughnut, "pancakes": pancakes, "green salad": salad, "spaghetti": spaghetti,
    "slice of cake": cake,
}  # fmt: skip
