"""The pipeline that draws: found by its name, loaded, checked, with its sampler."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gift_lib.config import CHOICES, Experiment
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.files import expanded
from gift_lib.generation.denoiser import quicken
from gift_lib.generation.folders import DENOISERS, MINI, PipelineFolder, early_folder
from gift_lib.pictures import Sampler
from gift_lib.speed import products

#: Pictures per call of the pipeline. On one CPU core 8 is as fast per picture as 16 or 32.
CHUNK = 8
#: A pipeline of diffusers, whatever its class: diffusers is imported only where pictures are drawn.
Pipeline = Any
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
#: What diffusers calls the precision of the weights that it loads: `torch_dtype` until its version 0.39.
DTYPE = "dtype" if tuple(map(int, version("diffusers").split(".")[:2])) >= (0, 40) else "torch_dtype"


@dataclass(frozen=True)
class PipelineSpec:
    """Which pipeline, where: "mini", "mini-early", a local folder or a hub id (`find_pipeline`); loaded when needed."""

    name: str
    device: str = "cpu"
    precision: str = "fp32"
    compiled: bool = False

    @cached_property
    def folder(self) -> PipelineFolder:
        """Its files, looked up once."""
        return PipelineFolder(find_pipeline(self.name))

    def load(self) -> Pipeline:
        return load_pipeline(self.name, self.device, self.precision, self.compiled)

    def sampler(self, steps: int, guidance: float, scheduler: str, chunk: int = CHUNK, size: int = 0) -> Sampler:
        """The Sampler of this pipeline; size 0 is the size that it was trained at.

        Scheduler "auto": Stable Diffusion's own (PNDM) from 50 steps on, DPM-Solver++ below.
        """
        _check(steps, guidance, scheduler, chunk, self.precision)
        if scheduler == "auto":
            scheduler = "pndm" if steps >= 50 else "dpm++"
        return Sampler(
            steps, float(guidance), scheduler, chunk, size or self.folder.native_size, self.folder.digest,
            self.precision, processor(self.device), self.compiled,
        )  # fmt: skip

    @classmethod
    def of(cls, e: Experiment, device: str = "cpu") -> "PipelineSpec":
        """The pipeline of an experiment. A CPU draws in fp32 whatever precision the training has.

        On a GPU the environment variable GIFT_COMPILE=1 asks for a compiled UNet (`make bench` tells what it gains).
        """
        compiled = device.startswith("cuda") and os.environ.get("GIFT_COMPILE", "0") not in ("", "0")
        return cls(e.pipeline, device, "fp32" if device == "cpu" else e.precision, compiled)


def find_pipeline(name: str) -> Path:
    """The folder of a pipeline; a hub id is downloaded (safetensors only, fp16 files where there are any)."""
    known = {"mini": lambda: MINI, "mini-early": early_folder}
    folder = known[name]() if name in known else expanded(name)
    if (folder / "model_index.json").is_file():
        return folder
    if name == "mini-early":
        raise DataError("the early state of the scale model is not shipped. Run `python -m gift_lib.world early`.")
    if name == "mini":
        raise DataError(f"the scale model's weights are not in {MINI}. Check them out again, or run `make world`.")
    if folder.exists() or name.startswith(("/", ".", "~")) or name.count("/") != 1:
        raise DataError(
            f"{name} holds no diffusers pipeline (no model_index.json). Give a folder that "
            "`pipeline.save_pretrained` wrote, or the id of a model on the hub."
        )
    return _download(name)


@lru_cache(maxsize=8)
def _download(name: str) -> Path:
    from diffusers import DiffusionPipeline

    wanted = {"use_safetensors": True, "safety_checker": None}
    try:
        try:
            return Path(DiffusionPipeline.download(name, variant="fp16", **wanted))
        except ValueError:  # no fp16 files
            return Path(DiffusionPipeline.download(name, **wanted))
    except Exception as error:
        raise DataError(
            f"the pipeline {name!r} is not here and cannot be downloaded ({type(error).__name__}). Check the name "
            "and the network, or download it elsewhere and give the local folder's path as the pipeline."
        ) from error


def load_pipeline(name: str, device: str = "cpu", precision: str = "fp32", compiled: bool = False) -> Pipeline:
    """A text-to-image pipeline, ready to draw: no safety checker, no progress bar of its own, no gradients.

    `compiled` runs its UNet through torch.compile: worth it from some hundred pictures of 512 px on a GPU.
    Raises DataError where it is missing, broken or incomplete.
    """
    from diffusers import DiffusionPipeline

    folder = PipelineFolder(find_pipeline(name))
    has_checker = "safety_checker" in folder.index
    without = {"safety_checker": None, "requires_safety_checker": False} if has_checker else {}
    try:
        with _without_bars():
            pipeline = DiffusionPipeline.from_pretrained(
                folder.path, **{DTYPE: DTYPES[precision]}, use_safetensors=True, local_files_only=True,
                variant="fp16" if folder.half else None, **without,
            )  # fmt: skip
        _check_complete(pipeline, folder)
        pipeline.to(device, *([] if pipeline.dtype == DTYPES[precision] else [DTYPES[precision]]))
    except Exception as error:
        raise DataError(
            f"the pipeline in {folder.path} cannot be loaded ({type(error).__name__}: {error}). "
            "Copy, download or train its files again."
        ) from error
    return ready(pipeline, device, compiled)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Loading takes a second: no progress bars for its parts."""
    import diffusers
    import transformers

    makers = (diffusers.utils.logging, transformers.utils.logging)
    for maker in makers:
        maker.disable_progress_bar()
    try:
        yield
    finally:
        for maker in makers:
            maker.enable_progress_bar()


def ready(pipeline: Pipeline, device: str, compiled: bool) -> Pipeline:
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
            if device.startswith("cuda"):
                part.to(memory_format=torch.channels_last)
    if device == "cpu":
        quicken(pipeline)
    if device != "cpu" and hasattr(getattr(pipeline, "vae", None), "enable_slicing"):
        pipeline.vae.enable_slicing()  # a chunk's pictures are decoded one by one: the decoder needs the most memory
    if compiled:
        denoiser = next(n for n in DENOISERS if hasattr(pipeline, n))
        setattr(pipeline, denoiser, torch.compile(getattr(pipeline, denoiser)))
    return pipeline


def _check_complete(pipeline: Pipeline, folder: PipelineFolder) -> None:
    """Diffusers fills a missing tensor with random numbers and goes on: compare the counts of numbers."""
    for part in folder.parts:
        module = getattr(pipeline, part.name)
        if part.name in (*DENOISERS, "vae") and isinstance(module, torch.nn.Module):
            there = folder.numbers(part.name)
            wanted = sum(t.numel() for t in module.state_dict().values())
            if there != wanted:
                raise DataError(f"{part} holds {there} weights where {wanted} belong")


def weights_digest(name: str) -> str:
    """16 hex digits of a pipeline's files, by its name (`PipelineFolder.digest`)."""
    return PipelineFolder(find_pipeline(name)).digest


def native_size(folder: Path) -> int:
    """The side in pixels that a pipeline was trained at (`PipelineFolder.native_size`)."""
    return PipelineFolder(folder).native_size


def processor(device: str) -> str:
    """The kind of processor, as far as it decides how floats are rounded."""
    if device.startswith("cuda"):
        return f"cuda {torch.cuda.get_device_name(device)}"
    return f"cpu {products.kind()}" if device == "cpu" else device


def set_scheduler(pipeline: Pipeline, name: str) -> None:
    """The sampler of that name; a pipeline trained by flow matching keeps its own, whose equation no other solves."""
    if not type(pipeline.scheduler).__name__.startswith("FlowMatch"):
        pipeline.scheduler = make_scheduler(name, pipeline.scheduler.config)


def make_scheduler(name: str, config: Mapping[str, Any]):
    """The sampler of that name over the pipeline's own noise schedule. All three add no noise on the way.

    What each would take from its defaults, or from another sampler's saved ones, is spelled out: Stable
    Diffusion's published settings.
    """
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler

    leading = {"timestep_spacing": "leading", "set_alpha_to_one": False}
    if name == "dpm++":
        return DPMSolverMultistepScheduler.from_config(
            config, algorithm_type="dpmsolver++", solver_order=2, timestep_spacing="linspace"
        )
    if name == "ddim":
        return DDIMScheduler.from_config(config, clip_sample=False, **leading)
    return PNDMScheduler.from_config(config, skip_prk_steps=True, **leading)


def _check(steps: int, guidance: float, scheduler: str, chunk: int, precision: str) -> None:
    if steps < 1 or chunk < 1:
        raise ConfigError(f"steps ({steps}) and chunk ({chunk}) must be at least 1.")
    if not 0 <= guidance < float("inf"):
        raise ConfigError(f"guidance must be zero or more, not {guidance}; up to 1 it is off.")
    for name, value in (("scheduler", scheduler), ("precision", precision)):
        if value not in CHOICES[name]:
            raise ConfigError(f"{name} cannot be {value!r}; {nearest(value, CHOICES[name])}")
