"""Figures for dark pages: each drawing a second time, its grey ink light, so that it needs no ground of its own."""

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


def _bytes(colour: str) -> np.ndarray:
    return np.round(255 * np.array(to_rgb(colour))).astype(np.uint8)


def lightened(png: bytes) -> bytes | None:
    """The same picture with light ink; None for what is no drawing of `theme`, or shows pictures, which stay as are."""
    image = Image.open(io.BytesIO(png))
    if image.mode != "RGBA" or image.info.get("Comment") == PHOTOS:
        return None
    pixels = np.array(image)
    ink = (np.abs(pixels[..., :3].astype(int) - _bytes(INK)) <= 6).all(-1)
    if not ink.any():
        return None
    pixels[ink, :3] = _bytes(LIGHT)
    Image.fromarray(pixels).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def paired(page: str, twins: set[str]) -> str:
    """Each picture that has a twin as two, of which the theme shows one."""

    def pair(tag: re.Match) -> str:
        name, rest = tag["name"], tag["rest"]
        if name not in twins:
            return tag[0]
        dark = rest.replace(f"{name}.png", f"{name}-dark.png")
        return f'<img class="only-dark" loading="lazy" {dark} /><img class="only-light" {rest}'

    return _TAG.sub(pair, page)


def add_twins(app: Sphinx, exception: Exception | None) -> None:
    """Write the twins beside the pictures of a finished build, and into its pages."""
    if exception is not None or app.builder.format != "html":
        return
    out, twins = Path(app.outdir), set()
    for path in (p for p in out.glob("_images/*.png") if p.stem.isalnum()):
        twin = path.with_name(f"{path.stem}-dark.png")
        if not twin.exists() and (made := lightened(path.read_bytes())):
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
