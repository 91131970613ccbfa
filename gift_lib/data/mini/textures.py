"""Textures that fill the picture: two colours, many shapes. Programs cover [-2, 2] so that any camera is filled."""

import math

from gift_lib.data.mini.pen import Colour, Pen, mixed, regular

_REACH = 2.0
#: Share of textures whose marks could be light on dark that are drawn dark on light instead.
_DARK_ON_LIGHT = 0.7


def _pair(p: Pen) -> tuple[Colour, Colour]:
    ground = p.any_colour()
    mark = p.any_colour(other=ground)
    if sum(ground) < sum(mark) and p.u(0, 1) < _DARK_ON_LIGHT:
        ground, mark = mark, ground
    p.box(-3, -3, 3, 3, ground, edge=False)
    return ground, mark


def _steps(step: float) -> list[float]:
    n = int(_REACH / step) + 1
    return [k * step for k in range(-n, n + 1)]


def striped(p: Pen) -> None:
    _, c = _pair(p)
    step = p.u(0.42, 0.66)
    for x in _steps(step):
        p.box(x, -2.5, x + step / 2, 2.5, c, edge=False)


def dotted(p: Pen) -> None:
    _, c = _pair(p)
    step = p.u(0.48, 0.66)
    for k, y in enumerate(_steps(step)):
        for x in _steps(step):
            p.oval(x + (k % 2) * step / 2, y, 0.3 * step, 0.3 * step, c, edge=False)


def chequered(p: Pen) -> None:
    _, c = _pair(p)
    step = p.u(0.36, 0.52)
    for k, y in enumerate(_steps(step)):
        for j, x in enumerate(_steps(step)):
            if (k + j) % 2:
                p.box(x, y, x + step, y + step, c, edge=False)


def woven(p: Pen) -> None:
    a, b = _pair(p)
    step = p.u(0.4, 0.52)
    dark = mixed(a, (0, 0, 0), 0.45)
    p.box(-3, -3, 3, 3, dark, edge=False)
    for k, y in enumerate(_steps(step)):
        for j, x in enumerate(_steps(step)):
            w, h = (0.56, 0.3) if (k + j) % 2 else (0.3, 0.56)
            p.box(x - w * step, y - h * step, x + w * step, y + h * step, a if (k + j) % 2 else b, edge=False)


def zigzagged(p: Pen) -> None:
    _, c = _pair(p)
    step, width = p.u(0.5, 0.66), p.u(0.16, 0.22)
    xs = _steps(0.3)
    for y in _steps(step):
        p.line([(x, y + (0.18 if k % 2 else -0.18)) for k, x in enumerate(xs)], width, c)


def bubbly(p: Pen) -> None:
    _, c = _pair(p)
    light = mixed(c, (1, 1, 1), 0.5)
    for _ in range(22):
        x, y, r = p.u(-1.3, 1.3), p.u(-1.3, 1.3), p.u(0.14, 0.42)
        p.oval(x, y, r, r, c, edge=False)
        p.oval(x, y, 0.68 * r, 0.68 * r, light, edge=False)


def cracked(p: Pen) -> None:
    _, c = _pair(p)
    for _ in range(5):
        x, y, t = p.u(-1, 1), p.u(-1, 1), p.u(0, 6.28)
        for turn in (0.0, 2.2, 4.1):
            u, v, a, path = x, y, t + turn, [(x, y)]
            for _ in range(5):
                a += p.u(-0.7, 0.7)
                u, v = u + 0.3 * math.cos(a), v + 0.3 * math.sin(a)
                path.append((u, v))
            p.line(path, 0.075, c)


def honeycombed(p: Pen) -> None:
    _, c = _pair(p)
    r = p.u(0.3, 0.4)
    for k, y in enumerate(_steps(1.5 * r)):
        for x in _steps(math.sqrt(3) * r):
            p.poly(regular(6, 0.8 * r, x + (k % 2) * math.sqrt(3) / 2 * r, y), c, edge=False)


def grid(p: Pen) -> None:
    _, c = _pair(p)
    step, width = p.u(0.46, 0.62), p.u(0.1, 0.14)
    for x in _steps(step):
        p.line(((x, -2.5), (x, 2.5)), width, c)
        p.line(((-2.5, x), (2.5, x)), width, c)


def spiralled(p: Pen) -> None:
    _, c = _pair(p)
    x, y, gap, t = p.u(-0.3, 0.3), p.u(-0.3, 0.3), p.u(0.4, 0.52), p.u(0, 6.28)
    path = [(x + gap * a / 6.28 * math.cos(a + t), y + gap * a / 6.28 * math.sin(a + t))
            for a in [0.4 * k for k in range(75)]]  # fmt: skip
    p.line(path, 0.42 * gap, c)


def scaly(p: Pen) -> None:
    a, c = _pair(p)
    step = p.u(0.5, 0.68)
    for k, y in enumerate(reversed(_steps(step / 2))):  # from below, so that upper scales overlap
        for x in _steps(step):
            u = x + (k % 2) * step / 2
            p.oval(u, y, 0.58 * step, 0.58 * step, a, edge=False)
            p.oval(u, y - 0.14 * step, 0.5 * step, 0.5 * step, c, edge=False)


def marbled(p: Pen) -> None:
    a, c = _pair(p)
    f, q = p.u(2.2, 3.4), p.u(0, 6.28)
    for k, y in enumerate(_steps(p.u(0.36, 0.5))):
        shift, w = p.u(-0.3, 0.3), p.u(0.06, 0.3)
        path = [(x, y + 0.28 * math.sin(f * x + q + shift) + 0.14 * math.sin(2.3 * f * x + k)) for x in _steps(0.2)]
        p.line(path, w, mixed(a, c, p.u(0.55, 1.0)))


CLASSES = {
    "striped": striped, "dotted": dotted, "chequered": chequered, "woven": woven, "zigzagged": zigzagged,
    "bubbly": bubbly, "cracked": cracked, "honeycombed": honeycombed, "grid": grid, "spiralled": spiralled,
    "scaly": scaly, "marbled": marbled,
}  # fmt: skip
