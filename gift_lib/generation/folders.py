"""A pipeline on disk: where it is, which of its files are loaded, and the digest of what they hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from safetensors import safe_open

from gift_lib.errors import ConfigError, DataError
from gift_lib.files import cache_root, digest, file_digest, read_json

#: Where the shipped scale model's pipeline lies, in diffusers' layout.
MINI = Path(__file__).parents[1] / "weights" / "mini" / "diffusion"
#: What the part that denoises may be called.
DENOISERS = ("unet", "transformer")
#: Parts of Stable Diffusion that draw nothing. The safety checker blackens pictures; black ones are replaced.
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")


@dataclass(frozen=True)
class PipelineFolder:
    """The files of one pipeline in diffusers' layout, each looked at once. DataError where something is missing."""

    path: Path

    @cached_property
    def index(self) -> dict:
        """model_index.json: the components by name."""
        return read_json(self.path / "model_index.json")

    @cached_property
    def parts(self) -> list[Path]:
        """The folders of the components that draw."""
        names = [k for k, v in self.index.items() if isinstance(v, list) and v[0] and k not in UNUSED]
        for name in names:
            if not (self.path / name).is_dir():
                raise DataError(f"{self.path} lacks its part {name!r}. Copy, download or train its files again.")
        return [self.path / name for name in sorted(names)]

    @cached_property
    def weights(self) -> dict[str, list[Path]]:
        """The safetensors that are loaded, by component: fp16 files where there are any."""
        return {part.name: list(_weight_files(part)) for part in self.parts}

    @property
    def half(self) -> bool:
        """Whether fp16 files are loaded."""
        return any(".fp16." in f.name for files in self.weights.values() for f in files)

    @cached_property
    def digest(self) -> str:
        """16 hex digits of weights, configurations and tokenizer, as files, without loading them."""
        files = []
        for part in self.parts:
            texts = sorted(f for f in part.iterdir() if f.suffix in (".json", ".txt") and "index" not in f.name)
            files += [(f"{part.name}/{f.name}", f) for f in [*texts, *self.weights[part.name]]]
        return digest([[label, _cached_digest(str(f), f.stat().st_size, f.stat().st_mtime_ns)] for label, f in files])

    @cached_property
    def native_size(self) -> int:
        """The side in pixels that it was trained at; 1024 where its files do not say (some transformers)."""
        denoiser = next((self.path / n for n in DENOISERS if (self.path / n).is_dir()), None)
        if denoiser is None or not (self.path / "vae").is_dir():
            raise ConfigError(f"{self.path} has no denoiser with an autoencoder: use another text-to-image pipeline.")
        latents = read_json(denoiser / "config.json").get("sample_size")
        blocks = read_json(self.path / "vae" / "config.json").get("block_out_channels")
        return int(latents) * 2 ** (len(blocks) - 1) if latents and blocks else 1024

    def numbers(self, part: str) -> int:
        """How many numbers the files of a component hold."""
        return sum(map(_numel, self.weights[part]))


def early_folder() -> Path:
    """Where "mini-early" lies, the scale model's pipeline early in its training: it goes with one set of weights."""
    return cache_root() / "weights" / f"mini-early-{PipelineFolder(MINI).digest}"


def _weight_files(part: Path) -> Iterator[Path]:
    files = sorted(part.glob("*.safetensors"))
    if not files and (part / "config.json").exists():
        raise DataError(
            f"{part} has no safetensors, and pickled weights are never loaded. "
            "Save the pipeline again with safe_serialization=True."
        )
    yield from [f for f in files if ".fp16." in f.name] or files


@lru_cache(maxsize=256)
def _cached_digest(path: str, size: int, mtime: int) -> str:
    """Gigabytes are hashed once per process; size and time of the file notice a change."""
    return file_digest(path, 64)


def _numel(file: Path) -> int:
    with safe_open(file, framework="pt") as tensors:
        shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
    return sum(torch.Size(shape).numel() for shape in shapes)
