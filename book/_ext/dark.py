"""Figures for dark pages: each drawing a second time, its grey ink light, so that it needs no ground of its own."""

import base64
import io
import re
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image
from sphinx.application import Sphinx

from gift_lib.book.theme import INK, PHOTOS

#: What ink becomes: 9 : 1 and more on a dark page, where the ink itself has but 4 : 1.
LIGHT = "#bdbdbd"
_TAG = re.compile(r'<img (?P<rest>alt="[^"]*" src="[^"]*_images/(?P<name>\w+)\.png")')
#: A figure of a control, which brings its own bytes.
_INLINE = re.compile(r'<img class="gift-figure" (alt="[^"]*") src="data:image/png;base64,([^"]+)"')


def _bytes(colour: str) -> np.ndarray:
    return np.round(255 * np.array(to_rgb(colour))).astype(np.uint8)


def inked(png: bytes, colour: str = LIGHT) -> bytes | None:
    """The same picture with other ink, as WebP, which is half as large; None for what is no drawing of `theme`.

    What shows pictures is none, and stays as it is.
    """
    image = Image.open(io.BytesIO(png))
    if image.mode != "RGBA" or image.info.get("Comment") == PHOTOS:
        return None
    pixels = np.array(image)
    ink = (np.abs(pixels[..., :3].astype(int) - _bytes(INK)) <= 6).all(-1)
    if not ink.any():
        return None
    if colour != INK:
        pixels[ink, :3] = _bytes(colour)
    Image.fromarray(pixels).save(buffer := io.BytesIO(), "WEBP", lossless=True, exact=True)
    return buffer.getvalue()


def paired(page: str, twins: set[str]) -> str:
    """Each drawing twice, of which the theme shows one: those in files that have twins, and those of controls."""

    def pair(tag: re.Match) -> str:
        name, rest = tag["name"], tag["rest"]
        if name not in twins:
            return tag[0]
        dark, light = (rest.replace(f"{name}.png", f"{name}{end}.webp") for end in ("-dark", ""))
        return f'<img class="only-dark" loading="lazy" {dark} /><img class="only-light" {light}'

    def pair_inline(tag: re.Match) -> str:
        made = [inked(base64.b64decode(tag[2]), ink) for ink in (LIGHT, INK)]
        if None in made:
            return tag[0]
        dark, light = (f'{tag[1]} src="data:image/webp;base64,{base64.b64encode(m).decode()}"' for m in made)
        return f'<img class="gift-drawn only-dark" {dark} /><img class="gift-drawn only-light" {light}'

    return _INLINE.sub(pair_inline, _TAG.sub(pair, page))


def add_twins(app: Sphinx, exception: Exception | None) -> None:
    """Write the twins beside the pictures of a finished build, and into its pages."""
    if exception is not None or app.builder.format != "html":
        return
    out, twins = Path(app.outdir), set()
    for path in (p for p in out.glob("_images/*.png") if p.stem.isalnum()):
        for end, ink in (("-dark", LIGHT), ("", INK)):
            twin = path.with_name(f"{path.stem}{end}.webp")
            if not twin.exists() and (made := inked(path.read_bytes(), ink)):
                twin.write_bytes(made)
            if twin.exists():
                twins.add(path.stem)
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if (changed := paired(text, twins)) != text:
            page.write_text(changed, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """For `gift_book`."""
    app.connect("build-finished", add_twins)
