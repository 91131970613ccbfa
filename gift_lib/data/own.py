"""One's own pictures, opened as a viewer shows them: upright, 16 bits scaled to 8, transparent parts on white.

The published data sets are not opened in this way: theirs stay as torchvision has them.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image, ImageOps

from gift_lib.data.records import Files

TURNED = "turned upright, as their EXIF says"
SCALED = "scaled from 16 bits to 8"
ON_WHITE = "laid on white where they are transparent"
FIRST = "reduced to the first of several frames"
ORIENTATION = 0x0112


@dataclass(frozen=True)
class OwnFiles(Files):
    """Image files that somebody collected."""

    remedy: ClassVar[str] = "Put a whole copy of it there, or delete it."

    def rgb(self, image: Image.Image) -> Image.Image:
        """The picture in three channels of 8 bits; `info["changes"]` says what that took."""
        changes = said_of(image)
        image.load()  # a TIFF is turned by this, which takes its orientation away
        upright = _upright(_eight_bits(image))
        rgb = _on_white(upright) if ON_WHITE in changes else upright.convert("RGB")
        rgb.info = {"changes": changes}
        return rgb


def said_of(image: Image.Image) -> list[str]:
    """What is going to be changed of a picture; ValueError where its numbers cannot be understood."""
    changes = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a phone's second picture is a preview
        changes.append(FIRST)
    if _turned(image):
        changes.append(TURNED)
    if _sixteen(image):
        changes.append(SCALED)
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        changes.append(ON_WHITE)
    return changes


def _turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION, 1) in range(2, 9)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):  # an EXIF that is none turns nothing
        return False


def _sixteen(image: Image.Image) -> bool:
    """Whether a grey picture has 16 bits (Pillow keeps those of PNG and PPM in 32)."""
    if image.mode.startswith("I;16"):
        return True
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise ValueError("its numbers have 32 bits, and nothing says which of them is white; save it with 8 or 16 bits")
    return image.mode == "I"


def _eight_bits(image: Image.Image) -> Image.Image:
    if not _sixteen(image):
        return image
    exif = image.getexif()
    levels = np.asarray(image).astype(np.uint32)
    scaled = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    scaled.getexif().update(exif)
    return scaled


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image) if _turned(image) else image
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return image


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
