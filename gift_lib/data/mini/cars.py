"""Cars from the side: told apart by the profile; any colour."""

from gift_lib.data.mini.pen import BLACK, BROWN, DARK, GREY, SKY, STEEL, WHITE, YELLOW, Pen, mixed


def _wheels(p: Pen, *xs: float, r: float = 0.2, y: float = 0.42) -> None:
    for x in xs:
        p.oval(x, y, r, r, BLACK)
        p.oval(x, y, 0.45 * r, 0.45 * r, STEEL, edge=False)


def _lights(p: Pen, front: float, back: float, y: float) -> None:
    p.box(front - 0.06, y - 0.06, front + 0.06, y + 0.06, YELLOW, edge=False)
    p.box(back - 0.05, y - 0.06, back + 0.05, y + 0.06, (0.8, 0.1, 0.1), edge=False)


def sedan(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.5, -0.02), (-0.3, -0.36), (0.25, -0.36), (0.5, -0.02)), c)
    p.poly(((-0.38, -0.03), (-0.25, -0.28), (0.2, -0.28), (0.37, -0.03)), SKY)
    p.box(-0.05, -0.3, 0.02, 0, c, edge=False)
    p.poly(((-0.95, 0.02), (-0.5, -0.04), (0.5, -0.04), (0.95, 0.08), (0.97, 0.4), (-0.97, 0.4)), c)
    _wheels(p, -0.55, 0.55)
    _lights(p, 0.92, -0.93, 0.14)


def pickup(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.05, -0.02), (-0.02, -0.48), (0.3, -0.48), (0.52, -0.04)), c)
    p.poly(((0.04, -0.05), (0.05, -0.38), (0.26, -0.38), (0.42, -0.05)), SKY)
    p.poly(((-0.05, -0.05), (0.95, 0.02), (0.98, 0.42), (-0.98, 0.42), (-0.98, -0.08), (-0.88, -0.08), (-0.86, 0.06),
            (-0.05, 0.06)), c)  # fmt: skip
    _wheels(p, -0.58, 0.58, r=0.23)


def van(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.92, -0.58), (0.35, -0.58), (0.68, -0.1), (0.95, 0.02), (0.96, 0.42), (-0.92, 0.42)), c)
    for x in (-0.82, -0.42, -0.02):
        p.box(x, -0.46, x + 0.32, -0.14, SKY, edge=False)
    p.poly(((0.36, -0.46), (0.56, -0.14), (0.36, -0.14)), SKY, edge=False)
    _wheels(p, -0.55, 0.55)


def convertible(p: Pen) -> None:
    c = p.any_colour()
    p.line(((0.2, -0.05), (0.05, -0.38)), 0.07, DARK)
    p.oval(-0.3, -0.12, 0.14, 0.22, BROWN)
    p.oval(-0.05, -0.12, 0.12, 0.2, BROWN)
    p.poly(((-0.95, -0.04), (-0.5, 0.0), (0.2, 0.0), (0.92, 0.08), (0.97, 0.4), (-0.95, 0.4)), c)
    _wheels(p, -0.55, 0.58)
    _lights(p, 0.92, -0.93, 0.14)


def hatchback(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.7, 0.42), (-0.72, -0.1), (-0.5, -0.5), (0.15, -0.5), (0.42, -0.08), (0.72, 0.0), (0.75, 0.42)), c)
    p.poly(((-0.56, -0.1), (-0.42, -0.4), (-0.18, -0.4), (-0.18, -0.1)), SKY)
    p.poly(((-0.08, -0.4), (0.12, -0.4), (0.3, -0.1), (-0.08, -0.1)), SKY)
    _wheels(p, -0.44, 0.44)


def sports_car(p: Pen) -> None:
    c = p.any_colour()
    p.poly(((-0.98, -0.22), (-0.72, -0.22), (-0.7, -0.14), (-0.98, -0.14)), DARK)
    p.poly(((-0.95, 0.38), (-0.9, -0.02), (-0.35, -0.26), (0.05, -0.26), (0.45, 0.04), (1.0, 0.22), (1.0, 0.38)), c)
    p.poly(((-0.3, -0.04), (-0.22, -0.2), (0.02, -0.2), (0.25, -0.02)), DARK)
    p.line(((-0.85, 0.2), (0.9, 0.26)), 0.07, mixed(c, WHITE, 0.6))
    _wheels(p, -0.58, 0.6, r=0.22, y=0.36)


def bus(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.98, -0.75, 0.98, 0.45, c)
    for x in (-0.88, -0.52, -0.16, 0.2):
        p.box(x, -0.58, x + 0.28, -0.18, SKY, edge=False)
    p.box(0.6, -0.58, 0.9, 0.4, mixed(SKY, DARK, 0.3))
    p.box(-0.98, 0.0, 0.55, 0.12, WHITE, edge=False)
    _wheels(p, -0.55, 0.42, r=0.19, y=0.48)


def limousine(p: Pen) -> None:
    c = p.pick(BLACK, WHITE, p.any_colour())
    p.poly(((-0.82, 0.02), (-0.7, -0.26), (0.5, -0.26), (0.7, 0.02)), c)
    for x in (-0.66, -0.36, -0.06, 0.24):
        p.box(x, -0.2, x + 0.22, -0.02, SKY, edge=False)
    p.poly(((-1.08, 0.04), (0.68, 0.0), (1.08, 0.08), (1.1, 0.34), (-1.1, 0.34)), c)
    _wheels(p, -0.78, 0.78, r=0.16, y=0.36)


def dump_truck(p: Pen) -> None:
    c, d = p.any_colour(), p.any_colour()
    p.poly(((-1.0, -0.6), (0.32, -0.45), (0.2, 0.08), (-0.75, 0.08)), c)
    p.poly(((-0.9, -0.58), (-0.4, -0.85), (0.2, -0.48)), BROWN)
    p.box(0.38, -0.45, 0.92, 0.35, d)
    p.box(0.55, -0.35, 0.85, -0.05, SKY)
    p.box(-0.9, 0.1, 0.92, 0.28, DARK)
    _wheels(p, -0.62, -0.15, 0.62, r=0.23)


def jeep(p: Pen) -> None:
    c = p.any_colour()
    p.box(-0.7, -0.58, 0.2, -0.46, DARK)
    for x in (-0.66, -0.25, 0.16):
        p.line(((x, -0.5), (x + 0.04, 0.0)), 0.08, DARK)
    p.box(-0.75, -0.08, 0.85, 0.32, c)
    p.oval(-0.88, 0.0, 0.13, 0.26, BLACK)
    p.box(0.78, 0.12, 0.98, 0.3, GREY)
    _wheels(p, -0.45, 0.55, r=0.28, y=0.38)


CLASSES = {
    "sedan": sedan, "pickup truck": pickup, "van": van, "convertible": convertible, "hatchback": hatchback,
    "sports car": sports_car, "city bus": bus, "limousine": limousine, "dump truck": dump_truck, "jeep": jeep,
}  # fmt: skip
