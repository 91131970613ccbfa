"""How a picture looks: camera, palette, background, clutter and light. One Style per task, one for the web."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from gift_lib.data.mini.pen import BLACK, CANVAS, DARK, VIVID, Look, Pen, mixed

#: Side of a finished picture.
SIZE = 32


@dataclass(frozen=True)
class Style:
    """Ranges that a picture's look is drawn from. Every number is a knob; lengths are in half pictures.

    A pair is a uniform range. The nuisance of a task grows with `turn`, `scale`, `shift`, `wobble`,
    `clutter` and `noise`; its distance from the web with `hue`, `saturation`, `mono` and `invert`.
    """

    scale: tuple[float, float] = (0.75, 0.9)  # of the drawing
    shift: float = 0.08  # largest move of its centre
    turn: float = 0.15  # largest turn, radians
    shear: float = 0.0
    flip: float = 0.5  # share of mirrored pictures
    wobble: float = 0.0  # smooth bending of every line
    edge: tuple[float, float] = (0.02, 0.05)  # outline width
    outlined: float = 1.0  # share of pictures with outlines
    light_ink: float = 0.0  # share of outlines that are white
    saturation: tuple[float, float] = (1.0, 1.2)
    hue: float = 0.0  # largest turn of all hues, radians
    value: tuple[float, float] = (-0.03, 0.05)  # added to all channels
    contrast: tuple[float, float] = (1.0, 1.0)
    mono: tuple[float, float] = (0.0, 0.0)  # how far all colours become one
    invert: float = 0.0  # share of negatives
    grounds: tuple[str, ...] = ("plain", "pale")
    clutter: tuple[int, int] = (0, 0)  # shapes behind the drawing
    occluders: tuple[int, int] = (0, 0)  # shapes over its border
    light: float = 0.0  # strength of one-sided light
    noise: tuple[float, float] = (0.0, 0.0)  # standard deviation of pixel noise, of 255
    fog: tuple[float, float] = (0.0, 0.0)  # share of grey laid over everything

    def towards(self, other: "Style", t: float) -> "Style":
        """The style a share `t` of the way to `other`: numbers in between, grounds of both."""
        between = {f.name: _between(getattr(self, f.name), getattr(other, f.name), t) for f in dataclasses.fields(self)}
        return Style(**between)

    def narrowed(self, share: float) -> "Style":
        """The style with every range cut to a share of itself: about its middle, or about 0 where it is two-sided.

        What is drawn by chance (`flip`, `outlined`, `light_ink`, `invert`) and counts of shapes stay.
        """
        sided = {k: share * getattr(self, k) for k in ("shift", "turn", "shear", "wobble", "hue", "light")}
        ranges = ("scale", "edge", "saturation", "value", "contrast", "mono", "noise", "fog")
        return dataclasses.replace(self, **sided, **{k: _shrunk(getattr(self, k), share) for k in ranges})


def _shrunk(pair: tuple[float, float], share: float) -> tuple[float, float]:
    middle, half = (pair[0] + pair[1]) / 2, share * (pair[1] - pair[0]) / 2
    return middle - half, middle + half


def _between(a, b, t: float):
    if isinstance(a, tuple):
        if a and isinstance(a[0], str):
            return tuple(dict.fromkeys(a + b))
        return tuple(_between(x, y, t) for x, y in zip(a, b, strict=True))
    return round(a + t * (b - a)) if isinstance(a, int) and isinstance(b, int) else a + t * (b - a)


def render(program: Callable[[Pen], None], style: Style, rng: np.random.Generator) -> UInt8[np.ndarray, "32 32 3"]:
    """One finished picture: ground, clutter, drawing, occluders at four times the size, then light and noise."""
    image, ground = _ground(style, rng)
    look = _look(style, ground, rng)
    pen = Pen(image, rng, look)
    _scatter(pen, style.clutter, 0.0, 1.3)
    program(pen)
    _scatter(pen, style.occluders, 0.85, 1.25)
    return _finish(image, style, rng)


def _range(rng: np.random.Generator, pair: tuple[float, float]) -> float:
    return pair[0] + (pair[1] - pair[0]) * rng.random()


def _look(style: Style, ground, rng: np.random.Generator) -> Look:
    scale, turn = _range(rng, style.scale), (2 * rng.random() - 1) * style.turn
    flip = -1.0 if rng.random() < style.flip else 1.0
    shear = (2 * rng.random() - 1) * style.shear
    stretch = 1 + 0.15 * (2 * rng.random() - 1)
    half = CANVAS / 2
    c, s = math.cos(turn) * scale * half, math.sin(turn) * scale * half
    tx, ty = (half * (1 + style.shift * (2 * rng.random() - 1)) for _ in range(2))
    camera = (flip * c * stretch, c * shear - s, tx, flip * s * stretch, c + s * shear, ty)
    wobble = (style.wobble * rng.random(), 2 + 2 * rng.random(), 6.28 * rng.random(), 6.28 * rng.random())
    ink = None
    if rng.random() < style.outlined:
        ink = (1.0, 1.0, 1.0) if rng.random() < style.light_ink else BLACK
    palette, lift = _palette(style, rng)
    tone = DARK if sum(ground) > 1.3 else (0.85, 0.85, 0.82)
    return Look(
        camera, wobble, palette, lift, ink, _range(rng, style.edge) * half, _range(rng, style.mono), tone, ground
    )


def _palette(style: Style, rng: np.random.Generator):
    """A turn of all hues about the grey axis times saturation and contrast, and what is added after it."""
    hue, saturation = (2 * rng.random() - 1) * style.hue, _range(rng, style.saturation)
    contrast, value = _range(rng, style.contrast), _range(rng, style.value)
    c, s = saturation * math.cos(hue), saturation * math.sin(hue) / math.sqrt(3)
    same, left, right = (1 - c) / 3 + c, (1 - c) / 3 - s, (1 - c) / 3 + s
    rows = ((same, left, right), (right, same, left), (left, right, same))
    lift = value + 0.5 * (1 - contrast)
    return tuple(tuple(contrast * x for x in row) for row in rows), (lift, lift, lift)


def _pixel(colour) -> tuple[int, int, int]:
    return tuple(min(255, max(0, round(255 * x))) for x in colour)


def _ground(style: Style, rng: np.random.Generator):
    """The background image and its mean colour."""
    kind = style.grounds[int(rng.random() * len(style.grounds))]
    base = VIVID[int(rng.random() * len(VIVID))]
    if kind == "plain":  # a vivid flat colour
        colour = base
    elif kind == "pale":  # a near-white flat colour
        colour = mixed(base, (1, 1, 1), 0.78)
    elif kind == "dull":  # a muted flat colour
        colour = mixed(base, (0.5, 0.5, 0.48), 0.6)
    else:
        return _varied(kind, base, rng)
    return Image.new("RGB", (CANVAS, CANVAS), _pixel(colour)), colour


def _varied(kind: str, base, rng: np.random.Generator):
    """Grounds of several colours: `sky`, `floor`, `mottled` and `patchy`."""
    other = VIVID[int(rng.random() * len(VIVID))]
    if kind == "sky":  # a vertical ramp of muted colours
        a, b = mixed(base, (0.72, 0.80, 0.88), 0.75), mixed(other, (0.85, 0.85, 0.82), 0.75)
        cells = np.array([[a], [b]])
    elif kind == "floor":  # wall and floor
        a, b = mixed(base, (0.6, 0.6, 0.6), 0.55), mixed(other, (0.4, 0.36, 0.32), 0.55)
        image = Image.new("RGB", (CANVAS, CANVAS), _pixel(a))
        y = CANVAS * (0.5 + 0.35 * rng.random())
        ImageDraw.Draw(image).rectangle((0, y, CANVAS, CANVAS), fill=_pixel(b))
        return image, mixed(a, b, 0.35)
    else:  # soft blotches; patchy ones are smaller and stronger
        n, strength = (3, 0.55) if kind == "mottled" else (6, 0.8)
        middle = np.array(mixed(base, other, 0.5))
        cells = (1 - strength) * middle + strength * rng.random((n, n, 3))
    mean = tuple(float(x) for x in cells.reshape(-1, 3).mean(0))
    small = Image.fromarray(np.uint8(np.clip(cells * 255, 0, 255)))
    return small.resize((CANVAS, CANVAS), Image.BICUBIC if cells.shape[1] > 1 else Image.BILINEAR), mean


def _scatter(pen: Pen, count: tuple[int, int], inner: float, outer: float) -> None:
    """A few discs, bars and triangles between two distances from the centre."""
    for _ in range(pen.n(*count)):
        a, r, size = pen.u(0, 2 * math.pi), pen.u(inner, outer), pen.u(0.12, 0.32)
        x, y, colour = r * math.cos(a), r * math.sin(a), pen.pick(*VIVID)
        kind = pen.n(0, 2)
        if kind == 0:
            pen.oval(x, y, size, size, colour)
        elif kind == 1:
            t = pen.u(0, math.pi)
            pen.line(((x, y), (x + 3 * size * math.cos(t), y + 3 * size * math.sin(t))), 0.12, colour)
        else:
            pen.poly(((x, y - size), (x + size, y + size), (x - size, y + 0.6 * size)), colour)


_ACROSS = (np.arange(SIZE) + 0.5) / (SIZE / 2) - 1


def _finish(image: Image.Image, style: Style, rng: np.random.Generator) -> UInt8[np.ndarray, "32 32 3"]:
    """Box reduction to SIZE, one-sided light, fog, negative and noise."""
    pixels = np.asarray(image.reduce(CANVAS // SIZE), dtype=np.float64)
    direction, strength = 2 * math.pi * rng.random(), style.light * rng.random()
    if strength:
        ramp = math.cos(direction) * _ACROSS[None, :] + math.sin(direction) * _ACROSS[:, None]
        pixels = pixels * (1 + strength * ramp)[..., None]
    fog, grey = _range(rng, style.fog), 90 + 110 * rng.random()
    if fog:
        pixels = (1 - fog) * pixels + fog * grey
    if rng.random() < style.invert:
        pixels = 255 - pixels
    noise = _range(rng, style.noise)
    if noise:
        pixels = pixels + noise * rng.standard_normal(pixels.shape)
    return np.uint8(np.clip(np.rint(pixels), 0, 255))
