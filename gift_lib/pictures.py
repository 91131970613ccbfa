"""Generated pictures on disk: a cache of single pictures, and whole synthetic sets that are verified when loaded."""

import io
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from gift_lib.errors import DataError
from gift_lib.files import atomic_write, digest, expanded, read_json, write_json
from gift_lib.tasks import Images, TensorImages, all_indices

log = logging.getLogger(__name__)

SCHEMA = 1
#: Pictures read or written side by side (the PNG codec releases the interpreter's lock).
THREADS = 4


@dataclass(frozen=True)
class Draw:
    """One picture: its prompt and the seed of its noise."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Sampler:
    """Everything beside prompt and seed that decides a picture's bytes.

    `chunk` is the number of pictures per call of the pipeline, padded where fewer are left; `size` the side
    in pixels; `weights` the pipeline's digest; `device` the kind of processor, since another kind rounds
    otherwise.
    """

    steps: int
    guidance: float
    scheduler: str
    chunk: int
    size: int
    weights: str
    precision: str = "fp32"
    device: str = "cpu"
    compiled: bool = False

    @cached_property
    def digest(self) -> str:
        return digest(asdict(self))

    def key(self, draw: Draw) -> str:
        """The name of a picture in the cache."""
        return digest([self.digest, draw.prompt, draw.seed], 32)


def pixel_digest(picture: UInt8[Tensor, "3 h w"]) -> str:
    """The digest of a picture's shape and bytes, whatever file it comes from."""
    return digest(repr(tuple(picture.shape)).encode() + picture.contiguous().numpy().tobytes())


class PictureCache:
    """One small PNG per picture in `<root>/images/<sampler>/<xx>/<key>.png`, shared by all runs.

    Each file carries its key and the digest of its pixels, so that a truncated, damaged or swapped file is
    noticed when it is read; it then counts as missing and is made again.
    """

    def __init__(self, root: Path, sampler: Sampler):
        self.sampler, self.folder = sampler, expanded(root) / "images" / sampler.digest

    def path(self, draw: Draw) -> Path:
        key = self.sampler.key(draw)
        return self.folder / key[:2] / f"{key}.png"

    def get(self, draw: Draw) -> UInt8[Tensor, "3 h w"] | None:
        """The picture, or None where it is missing or its file is not what it says."""
        path = self.path(draw)
        try:
            with Image.open(path, formats=("PNG",)) as image:
                picture = pil_to_tensor(image)
                told = image.text
        except FileNotFoundError:
            return None
        except (OSError, SyntaxError, ValueError, AttributeError) as error:
            log.warning("%s is damaged (%s): the picture is made again.", path, error)
            return None
        if (told.get("key"), told.get("pixels")) != (self.sampler.key(draw), pixel_digest(picture)):
            log.warning("%s does not hold the picture of its name: it is made again.", path)
            return None
        return picture

    def put(self, draw: Draw, picture: UInt8[Tensor, "3 h w"]) -> None:
        """Store a picture, whole or not at all; DataError where the disk refuses."""
        told = PngInfo()
        told.add_text("key", self.sampler.key(draw))
        told.add_text("pixels", pixel_digest(picture))
        png = io.BytesIO()
        to_pil_image(picture).save(png, "PNG", pnginfo=told, compress_level=3)
        with atomic_write(self.path(draw)) as temporary:
            temporary.write_bytes(png.getvalue())

    def get_all(self, draws: Sequence[Draw]) -> dict[Draw, UInt8[Tensor, "3 h w"]]:
        """The pictures that are there, each read once."""
        distinct = list(dict.fromkeys(draws))
        with ThreadPoolExecutor(THREADS) as threads:
            pictures = threads.map(self.get, distinct)
            return {d: p for d, p in zip(distinct, pictures, strict=True) if p is not None}

    def there(self, draws: Sequence[Draw]) -> set[Draw]:
        """The draws whose pictures are there and whole; none is kept, since a run's own may take gigabytes."""
        distinct = list(dict.fromkeys(draws))
        with ThreadPoolExecutor(THREADS) as threads:
            whole = threads.map(lambda draw: self.get(draw) is not None, distinct)
            return {d for d, good in zip(distinct, whole, strict=True) if good}

    def put_all(self, pictures: dict[Draw, UInt8[Tensor, "3 h w"]]) -> None:
        """Store several pictures; those stored before an error stay."""
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.put, pictures, pictures.values()))


@dataclass(frozen=True, eq=False)
class SyntheticSet:
    """The pictures of one task, in drawing order, with the prompts that they were drawn from.

    `sampler` describes how they were made; it is {} for pictures that no pipeline drew.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    images: Images
    sampler: dict[str, Any]

    def __post_init__(self):
        if not len(self.prompts) == len(self.seeds) == len(self.images):
            raise DataError(
                f"{len(self.prompts)} prompts, {len(self.seeds)} seeds and {len(self.images)} pictures "
                "do not make a synthetic set: make it again."
            )

    def __len__(self) -> int:
        return len(self.prompts)

    @cached_property
    def pixels(self) -> UInt8[Tensor, "n 3 h w"]:
        return self.images.batch(all_indices(len(self)))

    @cached_property
    def picture_digests(self) -> list[str]:
        return [pixel_digest(p) for p in self.pixels]

    @cached_property
    def digest(self) -> str:
        """16 hex digits of prompts, seeds and pixels, whatever machine or sampler made them."""
        return digest([list(self.prompts), list(self.seeds), self.picture_digests])

    def first(self, n: int) -> "SyntheticSet":
        """The set of the first `n` draws."""
        images = TensorImages(self.pixels[:n])
        return SyntheticSet(self.prompts[:n], self.seeds[:n], images, self.sampler)

    def save(self, folder: str | Path) -> Path:
        """Write pictures, then manifest.json, each atomically: a killed writer leaves the old set or the new one."""
        folder = expanded(folder)
        pixels = folder / f"pixels-{self.digest}.safetensors"
        with atomic_write(pixels) as temporary:
            save_file({"pixels": self.pixels.contiguous()}, temporary)
        write_json(folder / "manifest.json", _manifest(self))
        for old in set(folder.glob("pixels-*.safetensors")) - {pixels}:
            old.unlink(missing_ok=True)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "SyntheticSet":
        """Read a set and verify every picture. DataError for anything missing, edited, truncated or swapped."""
        folder = expanded(folder)
        manifest = _read_manifest(folder)
        pixels = _read_pixels(folder / f"pixels-{manifest['digest']}.safetensors")
        told = manifest["pictures"]
        if len(pixels) != len(told):
            raise DataError(f"{folder} holds {len(pixels)} pictures, its manifest {len(told)}. {REMEDY}")
        prompts, seeds = tuple(p["prompt"] for p in told), tuple(p["seed"] for p in told)
        loaded = cls(prompts, seeds, TensorImages(pixels), manifest["sampler"])
        for i, (found, picture) in enumerate(zip(loaded.picture_digests, told, strict=True)):
            if found != picture["digest"]:
                raise DataError(f"picture {i} ({picture['prompt']!r}) in {folder} is not the manifest's. {REMEDY}")
        if loaded.digest != manifest["digest"]:
            raise DataError(f"{folder}/manifest.json has a wrong digest of the whole set. {REMEDY}")
        return loaded


REMEDY = "Delete the folder and make the set again: pictures still in the cache are not drawn twice."


def _manifest(pictures: SyntheticSet) -> dict[str, Any]:
    rows = zip(pictures.prompts, pictures.seeds, pictures.picture_digests, strict=True)
    body = {
        "schema": SCHEMA,
        "digest": pictures.digest,
        "sampler": pictures.sampler,
        "pictures": [{"prompt": p, "seed": s, "digest": d} for p, s, d in rows],
    }
    return body | {"seal": digest(body)}


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, its seal checked; DataError where it is missing, broken or edited."""
    path = folder / "manifest.json"
    if not path.exists():
        raise DataError(f"{folder} holds no synthetic set (no manifest.json). Make it with `generate`, then save it.")
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.pop("seal", None) != digest(manifest):
        raise DataError(f"{path} was edited or is not a manifest. {REMEDY}")
    if manifest.get("schema") != SCHEMA:
        raise DataError(f"{path} has schema {manifest.get('schema')}, this library reads {SCHEMA}. {REMEDY}")
    return manifest


def _read_pixels(path: Path) -> UInt8[Tensor, "n 3 h w"]:
    try:
        pixels = load_file(path)["pixels"]
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. {REMEDY}") from error
    except (SafetensorError, KeyError, OSError, ValueError) as error:
        raise DataError(f"{path} is broken ({error}). {REMEDY}") from error
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
        raise DataError(f"{path} holds no RGB pictures of 8 bits. {REMEDY}")
    return pixels
