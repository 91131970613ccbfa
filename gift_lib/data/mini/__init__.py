"""MiniMTIL, the scale model's world: eleven procedural tasks, a hundred concepts and a small noisy web.

Every picture is drawn by a class's program (what) through a style (how) with its own random numbers
(streams). The tasks' styles differ from the web's, so that a CLIP trained on the web transfers
imperfectly. Knobs: `worlds` (versions of the world), `families` (styles), `web.NOISE` (shares of the web).
"""

from pathlib import Path

from gift_lib.data.mini.families import CONCEPT_TEMPLATE, CONCEPTS, FAMILIES
from gift_lib.data.mini.splits import tasks
from gift_lib.data.mini.splits import world_hash as _world_hash
from gift_lib.data.mini.web import NOISE, Web, real_pictures, reference_pixels, web_captions, web_pairs
from gift_lib.data.mini.worlds import COUNTS, WORLDS, World
from gift_lib.tasks import Images, TensorImages, fill

__all__ = [
    "CONCEPTS", "CONCEPT_TEMPLATE", "COUNTS", "FAMILIES", "NOISE", "WORLDS", "Web", "World", "real_pictures",
    "reference_captions", "reference_images", "reference_pixels", "reference_prompts", "tasks", "web_captions",
    "web_pairs", "world_hash",
]  # fmt: skip


def world_hash(data_dir: str | Path | None = None, world: str = "1") -> str:
    """16 hex digits that name a world: version, knobs and probe pictures of every class in both styles."""
    return _world_hash(world)


def reference_images(n: int, seed: int, data_dir: str | Path | None = None) -> Images:
    """`n` web pictures of the concepts (ImageNet's part in ZSCL)."""
    return TensorImages(reference_pixels(n, seed))


def reference_prompts(n: int, seed: int, data_dir: str | Path | None = None) -> list[str]:
    """The prompt of each of the reference pictures: the concepts in turn."""
    return [fill(CONCEPT_TEMPLATE, CONCEPTS[k % len(CONCEPTS)]) for k in range(n)]


def reference_captions(n: int, seed: int, data_dir: str | Path | None = None) -> list[str]:
    """`n` captions of the small web that name concepts only (Conceptual Captions' part in ZSCL).

    The web itself also names the tasks' classes, future ones too; a continual method must not hear of them.
    """
    return web_captions(n, seed, tasks=0.0)
