"""Looks of their own: what a task does to every one of its pictures and the web never does.

Real data sets are narrow and far: one camera, one light, one way of being made. Each look is one such way, and no two
tasks of a world may share one. A look keeps what tells the classes apart.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

Pixels = Float[np.ndarray, "32 32 3"]
#: Weights of red, green and blue in the brightness of a pixel (Rec. 601).
_LUMA = np.array([0.299, 0.587, 0.114])


def _grey(x: Pixels) -> Float[np.ndarray, "32 32 1"]:
    return (x @ _LUMA)[..., None]


def _ink(x: Pixels, dark: tuple[int, int, int], light: tuple[int, int, int]) -> Pixels:
    """Brightness alone, from one colour to another."""
    t = _grey(x) / 255
    return (1 - t) * np.array(dark) + t * np.array(light)


def blueprint(x: Pixels) -> Pixels:
    """White lines on blue: a negative in one ink."""
    return _ink(255 - x, (20, 40, 120), (225, 235, 255))


def contours(x: Pixels) -> Pixels:
    """Only where brightness changes, dark on white."""
    g = np.pad(_grey(x)[..., 0], 1, mode="edge")
    across, down = g[1:-1, 2:] - g[1:-1, :-2], g[2:, 1:-1] - g[:-2, 1:-1]
    return np.repeat(255 - 2.0 * np.hypot(across, down)[..., None].clip(0, 120), 3, axis=2)


def coarse(x: Pixels) -> Pixels:
    """Enlarged from half the size."""
    small = x.reshape(16, 2, 16, 2, 3).mean((1, 3))
    return small.repeat(2, 0).repeat(2, 1)


def engraved(x: Pixels) -> Pixels:
    """Brown ink in horizontal lines."""
    shown = _ink(x, (70, 40, 20), (240, 225, 190))
    shown[::2] = 0.55 * shown[::2] + 0.45 * np.array((240, 225, 190))
    return shown


def infrared(x: Pixels) -> Pixels:
    """False colours: the channels take each other's places."""
    return x[..., [1, 2, 0]]


def tinted(x: Pixels) -> Pixels:
    """Green ink on pale green paper."""
    return _ink(x, (20, 60, 30), (215, 245, 190))


def dusk(x: Pixels) -> Pixels:
    """Underexposed and bluish."""
    return 0.32 * x * np.array([0.7, 0.8, 1.3]) + np.array([6, 8, 22])


def scanned(x: Pixels) -> Pixels:
    """White on black, as a scanner shows ink: how far a pixel's colour is from the paper's, the middle one."""
    ink = np.abs(x - np.median(x, axis=(0, 1))).sum(2, keepdims=True)
    return np.repeat(np.clip(330 * ink / ink.max().clip(1) - 60, 0, 255), 3, axis=2)


def bleached(x: Pixels) -> Pixels:
    """Overexposed, with little contrast and little colour."""
    return 165 + 0.32 * (0.5 * x + 0.5 * _grey(x))


def poster(x: Pixels) -> Pixels:
    """Each channel on or off."""
    return np.where(x > 118, 235.0, 25.0)


def thermal(x: Pixels) -> Pixels:
    """Brightness as a ramp from violet over red to yellow."""
    t = _grey(x) / 255
    return 255 * np.concatenate([np.clip(2 * t, 0, 1), np.clip(2 * t - 0.8, 0, 1), np.clip(0.6 - t, 0, 1)], axis=2)


LOOKS: dict[str, Callable[[Pixels], Pixels]] = {
    f.__name__: f
    for f in (blueprint, contours, coarse, engraved, infrared, tinted, dusk, scanned, bleached, poster, thermal)
}  # fmt: skip


def shown(pixels: UInt8[np.ndarray, "32 32 3"], look: str, strength: float) -> UInt8[np.ndarray, "32 32 3"]:
    """A picture under a look; a strength below 1 leaves a share of the picture as it was."""
    plain = pixels.astype(np.float64)
    changed = (1 - strength) * plain + strength * LOOKS[look](plain)
    return np.uint8(np.clip(np.rint(changed), 0, 255))
