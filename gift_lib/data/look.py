"""What a folder of one's own pictures would become: classes, splits, counts, changes, the first pictures."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from gift_lib.data.decode import decoded, workers_here
from gift_lib.data.layout import Layout
from gift_lib.data.tree import NAMED
from gift_lib.errors import ConfigError, DataError
from gift_lib.files import atomic_write
from gift_lib.tasks import SPLITS, fill

#: The contact sheet: pictures per class, the side of one, the width of a name, the gap, the most classes.
ACROSS, SIDE, NAME, GAP, DOWN = 8, 96, 200, 4, 60
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


@dataclass(frozen=True)
class Seen:
    """What came out when every picture was decoded: changes by kind, sides in pixels, what cannot be decoded."""

    changes: Counter[str]
    sides: list[int]
    broken: list[str]

    def __str__(self) -> str:
        lines = [f"{len(self.sides)} pictures decoded"]
        if self.sides:
            lines[0] += f", their shorter sides {min(self.sides)} to {max(self.sides)} pixels"
        lines += [f"{n} {what}" for what, n in self.changes.items()]
        if self.broken:
            lines.append(f"{len(self.broken)} CANNOT BE DECODED, and nothing is trained before that is mended:")
            lines += [f"  {said}" for said in self.broken[:NAMED]] + ["  ..."] * (len(self.broken) > NAMED)
        return "\n".join(lines)


def examine(found: Layout, progress: bool = True) -> Seen:
    """Decode every picture of every split."""
    jobs = [(r.pictures, i) for r in found.records.values() for i in range(len(r))]
    seen = Seen(Counter(), [], [])
    with ThreadPoolExecutor(workers_here()) as threads:
        for result in tqdm(threads.map(_one, jobs), total=len(jobs), unit=" images", disable=not progress):
            if isinstance(result, str):
                seen.broken.append(result)
            else:
                seen.changes.update(result[1])
                seen.sides.append(result[0])
    return seen


def _one(job: tuple) -> tuple[int, Sequence[str]] | str:
    """The shorter side of a picture and its changes, or what is wrong with it."""
    pictures, i = job
    try:
        image = pictures.open(i)
    except DataError as error:
        return str(error)
    return min(image.size), image.info.get("changes", ())


def table(found: Layout, template: str = "a photo of a {c}.") -> str:
    """Classes with their folders and counts, one a line, and the first class's prompt."""
    splits = [s for s in SPLITS if s in found.records]
    rows = [("class", "folder", *splits)]
    rows += [
        (name, folder, *map(str, counts))
        for name, folder, *counts in zip(
            found.classes, found.folders, *(found.counts(s) for s in splits), strict=True
        )
    ]  # fmt: skip
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        texts = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(texts).rstrip())
    return "\n".join([*lines, f'prompt: "{fill(template, found.classes[0])}"'])


def sheet(found: Layout) -> Image.Image:
    """A row for each class: its name, and its first training pictures as the eval transform makes them."""
    members: dict[int, list[int]] = {}
    records = found.records["train"]
    for i, label in enumerate(records.labels):
        members.setdefault(label, []).append(i)
    shown = min(len(found.classes), DOWN)
    size = (NAME + ACROSS * (SIDE + GAP), shown * (SIDE + GAP) + GAP)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
    for k in range(shown):
        top = GAP + k * (SIDE + GAP)
        draw.text((GAP, top + SIDE // 2), found.classes[k], fill="black", font=font, anchor="lm")
        for column, i in enumerate(members.get(k, [])[:ACROSS]):
            tile = Image.fromarray(decoded(records.pictures.open(i), SIDE, native=False))
            page.paste(tile, (NAME + column * (SIDE + GAP), top))
    return page


def save_sheet(found: Layout, path: Path) -> None:
    """Write `sheet` to a file whose suffix names a picture's format."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path} is called no picture: end it in one of {', '.join(KINDS)}.")
    page = sheet(found)
    with atomic_write(path) as temporary:
        page.save(temporary, kind)
