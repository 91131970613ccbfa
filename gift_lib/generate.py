"""Prompts to pictures: a diffusers pipeline in fixed padded chunks, a cache, resumption, several processes.

A picture depends on its prompt, its seed and the `Sampler` alone: each has its own seeded generator, every
call of the pipeline has the same shape (short chunks are padded), and a processor computes each row of a
batch by itself. So neither order, companions, interruption nor the number of processes changes a byte.
"""

import itertools
import logging
import multiprocessing
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
)
from jaxtyping import Float, UInt8
from safetensors import safe_open
from torch import Tensor
from tqdm.auto import tqdm

from gift_lib import data
from gift_lib.config import CHOICES, Experiment
from gift_lib.device import deterministic
from gift_lib.errors import ConfigError, DataError, NumericsError, nearest
from gift_lib.files import cache_root, digest, file_digest, read_json
from gift_lib.pictures import Draw, PictureCache, Sampler, SyntheticSet
from gift_lib.pool import prompt_stream
from gift_lib.tasks import Task, TensorImages

__all__ = ["Draw", "PipelineSpec", "Sampler", "SyntheticSet", "draws", "generate", "load_pipeline", "synthesize"]

log = logging.getLogger(__name__)

#: Where the shipped scale model's pipeline lies, in diffusers' layout.
MINI = Path(__file__).parent / "weights" / "mini" / "diffusion"
#: Pictures per call of the pipeline. On one CPU core 8 is as fast per picture as 16 or 32.
CHUNK = 8
#: Seeds tried for a picture before giving up.
TRIES = 8
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
#: What the part that denoises may be called.
DENOISERS = ("unet", "transformer")
#: Parts of Stable Diffusion that draw nothing. The safety checker blackens pictures; black ones are replaced here.
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")


# What to draw


def draws(prompts: Sequence[str], base_seed: int, counts: Mapping[str, int] | None = None) -> list[Draw]:
    """A draw for every prompt. The k-th picture of a prompt in a run has a seed made of (base_seed, prompt, k).

    `counts` says how often each prompt was drawn before in the run (in earlier tasks); it is not changed.
    So runs that differ in order, number of pictures or prompt source share most pictures.
    """
    seen = Counter(counts or {})
    result = []
    for prompt in prompts:
        result.append(Draw(prompt, _seed(base_seed, prompt, seen[prompt])))
        seen[prompt] += 1
    return result


def plan(e: Experiment, tasks: Sequence[Task]) -> list[list[Draw]]:
    """The draws of every task of an experiment, in order: what its generation will need, known beforehand."""
    counts: Counter[str] = Counter()
    planned = []
    for prompts in prompt_stream(e, tasks):
        planned.append(draws(prompts, e.pictures_seed, counts))
        counts.update(prompts)
    return planned


def _seed(*parts: Any) -> int:
    """A seed of 60 bits from the digest of `parts`."""
    return int(digest(list(parts), 15), 16)


# The pipeline


@dataclass(frozen=True)
class PipelineSpec:
    """Which pipeline, where: "mini", "mini-early", a local folder or a hub id (`find_pipeline`); loaded when needed."""

    name: str
    device: str = "cpu"
    precision: str = "fp32"
    compiled: bool = False

    def load(self) -> DiffusionPipeline:
        return load_pipeline(self.name, self.device, self.precision, self.compiled)

    def sampler(self, steps: int, guidance: float, scheduler: str, chunk: int = CHUNK, size: int = 0) -> Sampler:
        """The Sampler of this pipeline; size 0 is the size that it was trained at.

        Scheduler "auto": Stable Diffusion's own (PNDM) from 50 steps on, DPM-Solver++ below.
        """
        _check(steps, guidance, scheduler, chunk, self.precision)
        if scheduler == "auto":
            scheduler = "pndm" if steps >= 50 else "dpm++"
        folder = find_pipeline(self.name)
        return Sampler(
            steps, float(guidance), scheduler, chunk, size or native_size(folder), weights_digest(self.name),
            self.precision, processor(self.device), self.compiled,
        )  # fmt: skip

    @classmethod
    def of(cls, e: Experiment, device: str = "cpu") -> "PipelineSpec":
        """The pipeline of an experiment. A CPU draws in fp32 whatever precision the training has.

        On a GPU the environment variable GIFT_COMPILE=1 asks for a compiled UNet (`make bench` tells what it gains).
        """
        compiled = device.startswith("cuda") and os.environ.get("GIFT_COMPILE", "0") not in ("", "0")
        return cls(e.pipeline, device, "fp32" if device == "cpu" else e.precision, compiled)


def early_folder() -> Path:
    """Where "mini-early" lies, the scale model's pipeline early in its training: it goes with one set of weights."""
    return cache_root() / "weights" / f"mini-early-{weights_digest('mini')}"


def find_pipeline(name: str) -> Path:
    """The folder of a pipeline; a hub id is downloaded (safetensors only, fp16 files where there are any)."""
    known = {"mini": lambda: MINI, "mini-early": early_folder}
    folder = known[name]() if name in known else Path(name).expanduser()
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


def load_pipeline(name: str, device: str = "cpu", precision: str = "fp32", compiled: bool = False) -> DiffusionPipeline:
    """A text-to-image pipeline, ready to draw: no safety checker, no progress bar of its own, no gradients.

    `compiled` runs its UNet through torch.compile: worth it from some hundred pictures of 512 px on a GPU.
    Raises DataError where it is missing, broken or incomplete.
    """
    folder = find_pipeline(name)
    parts = _parts(folder)
    files = [f for part in parts for f in _weight_files(part)]
    without = {"safety_checker": None, "requires_safety_checker": False} if _lists_checker(folder) else {}
    try:
        with _without_bars():
            pipeline = DiffusionPipeline.from_pretrained(
                folder, dtype=DTYPES[precision], use_safetensors=True, local_files_only=True,
                variant="fp16" if any(".fp16." in f.name for f in files) else None, **without,
            )  # fmt: skip
        _check_complete(pipeline, parts)
        pipeline.to(device, *([] if pipeline.dtype == DTYPES[precision] else [DTYPES[precision]]))
    except Exception as error:
        raise DataError(
            f"the pipeline in {folder} cannot be loaded ({type(error).__name__}: {error}). "
            "Copy, download or train its files again."
        ) from error
    return _ready(pipeline, device, compiled)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Loading takes a second: no progress bars for its parts."""
    makers = (diffusers.utils.logging, transformers.utils.logging)
    for maker in makers:
        maker.disable_progress_bar()
    try:
        yield
    finally:
        for maker in makers:
            maker.enable_progress_bar()


def _ready(pipeline: DiffusionPipeline, device: str, compiled: bool) -> DiffusionPipeline:
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
            if device.startswith("cuda"):
                part.to(memory_format=torch.channels_last)
    if device != "cpu" and hasattr(getattr(pipeline, "vae", None), "enable_slicing"):
        pipeline.vae.enable_slicing()  # a chunk's pictures are decoded one by one: the decoder needs the most memory
    if compiled:
        denoiser = next(n for n in DENOISERS if hasattr(pipeline, n))
        setattr(pipeline, denoiser, torch.compile(getattr(pipeline, denoiser)))
    return pipeline


def _lists_checker(folder: Path) -> bool:
    return "safety_checker" in read_json(folder / "model_index.json")


def _parts(folder: Path) -> list[Path]:
    """The folders of the components that draw, from model_index.json; DataError where one is missing."""
    index = read_json(folder / "model_index.json")
    names = [k for k, v in index.items() if isinstance(v, list) and v[0] and k not in UNUSED]
    for name in names:
        if not (folder / name).is_dir():
            raise DataError(f"{folder} lacks its part {name!r}. Copy, download or train its files again.")
    return [folder / name for name in sorted(names)]


def _weight_files(part: Path) -> list[Path]:
    """The safetensors of a component that are loaded: fp16 files where there are any."""
    files = sorted(part.glob("*.safetensors"))
    if not files and (part / "config.json").exists():
        raise DataError(
            f"{part} has no safetensors, and pickled weights are never loaded. "
            "Save the pipeline again with safe_serialization=True."
        )
    return [f for f in files if ".fp16." in f.name] or files


def _check_complete(pipeline: DiffusionPipeline, parts: Sequence[Path]) -> None:
    """Diffusers fills a missing tensor with random numbers and goes on: compare the counts of numbers."""
    for part in parts:
        module = getattr(pipeline, part.name)
        if part.name in (*DENOISERS, "vae") and isinstance(module, torch.nn.Module):
            there = sum(_numel(f) for f in _weight_files(part))
            wanted = sum(t.numel() for t in module.state_dict().values())
            if there != wanted:
                raise DataError(f"{part} holds {there} weights where {wanted} belong")


def _numel(file: Path) -> int:
    with safe_open(file, framework="pt") as tensors:
        shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
    return sum(torch.Size(shape).numel() for shape in shapes)


def weights_digest(name: str) -> str:
    """16 hex digits of a pipeline's weights, configurations and tokenizer, as files, without loading it."""
    files = []
    for part in _parts(find_pipeline(name)):
        texts = sorted(f for f in part.iterdir() if f.suffix in (".json", ".txt") and "index" not in f.name)
        files += [(f"{part.name}/{f.name}", f) for f in [*texts, *_weight_files(part)]]
    return digest([[label, _cached_digest(str(f), f.stat().st_size, f.stat().st_mtime_ns)] for label, f in files])


@lru_cache(maxsize=256)
def _cached_digest(path: str, size: int, mtime: int) -> str:
    """Gigabytes are hashed once per process; size and time of the file notice a change."""
    return file_digest(path, 64)


def native_size(folder: Path) -> int:
    """The side in pixels that a pipeline was trained at; 1024 where its files do not say (some transformers)."""
    denoiser = next((folder / n for n in DENOISERS if (folder / n).is_dir()), None)
    if denoiser is None or not (folder / "vae").is_dir():
        raise ConfigError(f"{folder} has no denoiser with an autoencoder: use another text-to-image pipeline.")
    latents = read_json(denoiser / "config.json").get("sample_size")
    blocks = read_json(folder / "vae" / "config.json").get("block_out_channels")
    return int(latents) * 2 ** (len(blocks) - 1) if latents and blocks else 1024


def processor(device: str) -> str:
    """The kind of processor, as far as it decides how floats are rounded."""
    if device.startswith("cuda"):
        return f"cuda {torch.cuda.get_device_name(device)}"
    return f"cpu {torch.backends.cpu.get_cpu_capability()}" if device == "cpu" else device


def set_scheduler(pipeline: DiffusionPipeline, name: str) -> None:
    """The sampler of that name; a pipeline trained by flow matching keeps its own, whose equation no other solves."""
    if not type(pipeline.scheduler).__name__.startswith("FlowMatch"):
        pipeline.scheduler = make_scheduler(name, pipeline.scheduler.config)


def make_scheduler(name: str, config: Mapping[str, Any]):
    """The sampler of that name over the pipeline's own noise schedule. All three add no noise on the way.

    What each would take from its defaults, or from another sampler's saved ones, is spelled out: Stable
    Diffusion's published settings.
    """
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


# One chunk


class Painter:
    """A pipeline set up for one Sampler. Each distinct prompt is encoded once, the empty one too."""

    def __init__(self, pipeline: DiffusionPipeline, sampler: Sampler):
        self.pipeline, self.sampler = pipeline, sampler
        self.encodes = isinstance(pipeline, StableDiffusionPipeline)
        self.embeddings: dict[str, Float[Tensor, "l d"]] = {}
        set_scheduler(pipeline, sampler.scheduler)

    def __call__(self, chunk: Sequence[Draw]) -> Float[Tensor, "b 3 h w"]:
        """At most `sampler.chunk` pictures on the CPU, values in [0, 1] (or not finite). Guidance up to 1 is off."""
        s, padded = self.sampler, self._pad(chunk)
        with _numerics(), torch.inference_mode():
            images = self.pipeline(
                **self._texts([d.prompt for d in padded]), height=s.size, width=s.size, output_type="pt",
                generator=[torch.Generator().manual_seed(d.seed) for d in padded],
                num_inference_steps=s.steps, guidance_scale=s.guidance,
            ).images  # fmt: skip
        return images[: len(chunk)].float().cpu().clone()

    def _texts(self, prompts: list[str]) -> dict[str, Any]:
        """What the pipeline gets for its prompts: stored embeddings, or the texts where it is of another make."""
        if not self.encodes:
            return {"prompt": prompts}
        self._encode([*prompts, ""] if self.sampler.guidance > 1 else prompts)
        texts = {"prompt_embeds": torch.stack([self.embeddings[p] for p in prompts])}
        if self.sampler.guidance > 1:
            texts["negative_prompt_embeds"] = self.embeddings[""].expand_as(texts["prompt_embeds"])
        return texts

    def _encode(self, prompts: Sequence[str]) -> None:
        new = [p for p in dict.fromkeys(prompts) if p not in self.embeddings]
        for i in range(0, len(new), self.sampler.chunk):
            block = new[i : i + self.sampler.chunk]
            encoded, _ = self.pipeline.encode_prompt(self._pad(block), self.pipeline.device, 1, False)
            self.embeddings |= dict(zip(block, encoded, strict=False))

    def _pad(self, items: Sequence) -> list:
        """The items and copies of the last one: every call has the same shape, hence the same arithmetic."""
        return [*items, *[items[-1]] * (self.sampler.chunk - len(items))]


@contextmanager
def _numerics() -> Iterator[None]:
    """One CPU thread and deterministic kernels, so that bytes depend neither on the cores nor on the caller."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with deterministic(), warnings.catch_warnings():
            # The scheduler hands tensors to numpy 2 in a way that it will stop accepting one day.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            yield
    finally:
        torch.set_num_threads(threads)


def to_bytes(pictures: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 h w"]:
    """[0, 1] to 0..255, rounded."""
    return (pictures * 255).round().clamp(0, 255).to(torch.uint8)


def fault(picture: Float[Tensor, "3 h w"]) -> str:
    """Why a picture cannot be used, or "": not finite, all black, of one colour."""
    if not bool(torch.isfinite(picture).all()):
        return "not finite"
    pixels = to_bytes(picture[None])[0].flatten(1)
    if not bool(pixels.any()):
        return "all black"
    return "of one colour" if bool((pixels == pixels[:, :1]).all()) else ""


def _fill(painter: Painter, chunk: Sequence[Draw], cache: PictureCache) -> None:
    """Draw and store a chunk; a degenerate picture is drawn again with a seed derived from its own."""
    todo = {draw: draw.seed for draw in chunk}
    for attempt in range(1, TRIES + 1):
        pictures = painter([Draw(d.prompt, seed) for d, seed in todo.items()])
        faults = {d: fault(p) for d, p in zip(todo, pictures, strict=True)}
        good = {d: p for d, p in zip(todo, to_bytes(pictures), strict=True) if not faults[d]}
        cache.put_all(good)
        todo = {d: _seed(d.seed, "retry", attempt) for d in todo if faults[d]}
        for d, seed in todo.items():
            log.warning("%r with seed %d is %s: drawn again with seed %d.", d.prompt, d.seed, faults[d], seed)
        if not todo:
            return
    raise NumericsError(
        f"{TRIES} pictures of {next(iter(todo)).prompt!r} in a row are black, of one colour or not finite. "
        "Use precision fp32 (or bf16), a smaller guidance scale or another pipeline; finished pictures are kept."
    )


# All pictures


def generate(
    pipeline: DiffusionPipeline | PipelineSpec,
    draws: Sequence[Draw],
    sampler: Sampler,
    cache_dir: str | Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> SyntheticSet:
    """The pictures of `draws`, in order: from the cache where they are, drawn and stored where not.

    `workers` processes share the work (on a GPU machine each takes the next GPU); that needs a
    PipelineSpec, which each of them loads. A PipelineSpec is not even loaded where nothing is missing.
    An interrupted call loses at most the chunk in hand: call again. Raises DataError for a full disk or a
    folder that cannot be written, NumericsError where a prompt gives only degenerate pictures.
    """
    if workers > 1 and not isinstance(pipeline, PipelineSpec):
        raise ConfigError("several workers each load the pipeline by name: give a PipelineSpec, not a pipeline.")
    cache = PictureCache(Path(cache_dir or cache_root()), sampler)
    found = cache.get_all(draws)
    missing = [d for d in dict.fromkeys(draws) if d not in found]
    if missing:
        _draw(pipeline, missing, cache, workers, progress)
        found |= cache.get_all(missing)
    lost = [d for d in missing if d not in found]
    if lost:
        raise DataError(f"{len(lost)} pictures vanished from {cache.folder} meanwhile. Run the same command again.")
    prompts, seeds = tuple(d.prompt for d in draws), tuple(d.seed for d in draws)
    return SyntheticSet(prompts, seeds, TensorImages(torch.stack([found[d] for d in draws])), asdict(sampler))


def _draw(
    pipeline: DiffusionPipeline | PipelineSpec, missing: list[Draw], cache: PictureCache, workers: int, progress: bool
) -> None:
    size = cache.sampler.chunk
    chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
    with tqdm(total=len(missing), desc="pictures", unit="", leave=False, disable=not progress) as bar:
        if min(workers, len(chunks)) > 1:
            _side_by_side(pipeline, chunks, cache, min(workers, len(chunks)), bar)
            # What a process that died had taken is left over: it is drawn here.
            made = cache.there(missing)
            chunks = [left for chunk in chunks if (left := [d for d in chunk if d not in made])]
        if chunks:
            _work(pipeline, chunks, cache, itertools.count().__next__, bar.update)


def _work(
    pipeline: DiffusionPipeline | PipelineSpec,
    chunks: Sequence[Sequence[Draw]],
    cache: PictureCache,
    take: Callable[[], int],
    made: Callable[[int], Any],
) -> None:
    """Draw the chunks whose numbers `take` hands out, until there are none left; tell `made` after each."""
    if isinstance(pipeline, PipelineSpec):
        pipeline = _loaded(pipeline)
    painter = Painter(pipeline, cache.sampler)
    while (i := take()) < len(chunks):
        _fill(painter, chunks[i], cache)
        made(len(chunks[i]))


@lru_cache(maxsize=1)
def _loaded(spec: PipelineSpec) -> DiffusionPipeline:
    """The pipeline last used stays in memory: a run comes back to it in every task."""
    return spec.load()


def forget_pipeline() -> None:
    """Free the memory of the pipeline last used."""
    _loaded.cache_clear()


def _side_by_side(spec: PipelineSpec, chunks: list[list[Draw]], cache: PictureCache, workers: int, bar: tqdm) -> None:
    """This process and `workers` - 1 others take chunks from one counter. The others die with this one."""
    context = _processes()
    taken, finished = context.Value("q", 0), context.Value("q", 0)

    def told(_: int) -> None:
        bar.update(finished.value - bar.n)

    def made(n: int) -> None:
        _add(finished, n)
        told(n)

    others = [
        context.Process(target=_helper, args=(_on_gpu(spec, i), chunks, cache, taken, finished), daemon=True)
        for i in range(1, workers)
    ]
    try:
        for other in others:
            other.start()
        _work(_on_gpu(spec, 0), chunks, cache, lambda: _add(taken, 1), made)
        while finished.value < bar.total and any(other.is_alive() for other in others):
            others[0].join(0.1)
            told(0)
    finally:
        for other in others:
            if other.is_alive():
                other.terminate()
                other.join()


def _processes() -> Any:
    """How to start processes: from a server that has imported this module once, where there are such servers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _helper(spec: PipelineSpec, chunks: list[list[Draw]], cache: PictureCache, taken: Any, finished: Any) -> None:
    """One further process: ends when the chunks are gone or its parent is."""
    parent = multiprocessing.parent_process()

    def take() -> int:
        return _add(taken, 1) if parent.is_alive() else len(chunks)

    try:
        _work(spec, chunks, cache, take, lambda n: _add(finished, n))
    except KeyboardInterrupt:
        pass
    except Exception as error:  # the parent draws what is left over and meets the same fault itself
        log.warning("a process that draws pictures stopped: %s", error)


def _add(counter: Any, n: int) -> int:
    """The value of a counter shared by processes before `n` is added."""
    with counter.get_lock():
        before = counter.value
        counter.value = before + n
    return before


def _on_gpu(spec: PipelineSpec, i: int) -> PipelineSpec:
    if spec.device != "cuda" or torch.cuda.device_count() < 2:
        return spec
    return replace(spec, device=f"cuda:{i % torch.cuda.device_count()}")


# For the training loop and the commands


def synthesize(e: Experiment, prompts: Sequence[str], counts: Mapping[str, int], runtime: Any) -> SyntheticSet:
    """The synthetic set of one task of an experiment; `counts` are the prompts of the tasks before.

    `runtime` says where (device, cache, workers, progress, data_dir). With synthetic_source "real" the
    pictures are the scale's own real ones of the same prompts and seeds, as a reference.
    """
    wanted = draws(prompts, e.pictures_seed, counts)
    if e.synthetic_source == "real":
        seeds = [d.seed for d in wanted]
        pixels = data.real_pictures(e, list(prompts), seeds, runtime.data_dir)
        return SyntheticSet(tuple(prompts), tuple(seeds), TensorImages(pixels), {})
    spec = PipelineSpec.of(e, runtime.device)
    return generate(spec, wanted, sampler_of(e, spec), runtime.cache, runtime.workers, runtime.progress)


def sampler_of(e: Experiment, spec: PipelineSpec) -> Sampler:
    """The Sampler of an experiment."""
    return spec.sampler(e.denoising_steps, e.guidance_scale, e.scheduler)


def prepare(e: Experiment, tasks: Sequence[Task], runtime: Any) -> int:
    """Put all pictures of an experiment into the cache, at once; the number of distinct ones."""
    wanted = list(dict.fromkeys(d for task in plan(e, tasks) for d in task))
    spec = PipelineSpec.of(e, runtime.device)
    cache = PictureCache(Path(runtime.cache), sampler_of(e, spec))
    there = cache.there(wanted)
    missing = [d for d in wanted if d not in there]
    if missing:
        _draw(spec, missing, cache, runtime.workers, runtime.progress)
    return len(wanted)


@dataclass(frozen=True)
class Estimate:
    """What drawing will cost: distinct pictures, those not yet in the cache, and seconds for these."""

    pictures: int
    missing: int
    seconds: float


def estimate(
    spec: PipelineSpec,
    draws: Sequence[Draw],
    sampler: Sampler,
    cache_dir: str | Path | None = None,
    workers: int = 1,
) -> Estimate:
    """The cost of `generate` from a short measurement: chunks of 1 and 4 denoising steps, after a warm-up."""
    cache, distinct = PictureCache(Path(cache_dir or cache_root()), sampler), list(dict.fromkeys(draws))
    there = cache.there(distinct)
    missing = [d for d in distinct if d not in there]
    if not missing:
        return Estimate(len(distinct), 0, 0.0)
    few, more = (_time_chunk(spec, replace(sampler, steps=n), missing[: sampler.chunk]) for n in (1, 4))
    per_chunk = few + (more - few) / 3 * (sampler.steps - 1)
    chunks = -(-len(missing) // sampler.chunk)
    return Estimate(len(distinct), len(missing), max(per_chunk, few) * -(-chunks // workers))


def _time_chunk(spec: PipelineSpec, sampler: Sampler, chunk: Sequence[Draw]) -> float:
    painter = Painter(_loaded(spec), sampler)
    painter(chunk)
    start = time.perf_counter()
    painter(chunk)
    return time.perf_counter() - start
