"""Prompts to pictures: a diffusers pipeline in fixed padded chunks, a cache, resumption, several processes.

A picture depends on its prompt, its seed and the `Sampler` alone: each has its own seeded generator, every
call of the pipeline has the same shape (short chunks are padded), and a processor computes each row of a
batch by itself. So neither order, companions, interruption nor the number of processes changes a byte.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gift_lib import data
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError, DataError
from gift_lib.files import cache_root
from gift_lib.generation.draws import draws, plan
from gift_lib.generation.painter import Painter
from gift_lib.generation.pipeline import (
    CHUNK,
    MINI,
    Pipeline,
    PipelineSpec,
    early_folder,
    find_pipeline,
    load_pipeline,
    native_size,
    weights_digest,
)
from gift_lib.generation.workers import draw_missing, forget_pipeline, loaded
from gift_lib.pictures import Draw, PictureCache, Sampler, SyntheticSet
from gift_lib.tasks import Task, TensorImages

__all__ = [
    "CHUNK",
    "MINI",
    "Draw",
    "Estimate",
    "Painter",
    "PipelineSpec",
    "Sampler",
    "Source",
    "SyntheticSet",
    "draws",
    "early_folder",
    "estimate",
    "find_pipeline",
    "forget_pipeline",
    "generate",
    "load_pipeline",
    "native_size",
    "plan",
    "prepare",
    "sampler_of",
    "synthesize",
    "weights_digest",
]


def generate(
    pipeline: Pipeline | PipelineSpec,
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
        draw_missing(pipeline, missing, cache, workers, progress)
        found |= cache.get_all(missing)
    lost = [d for d in missing if d not in found]
    if lost:
        raise DataError(f"{len(lost)} pictures vanished from {cache.folder} meanwhile. Run the same command again.")
    prompts, seeds = tuple(d.prompt for d in draws), tuple(d.seed for d in draws)
    return SyntheticSet(prompts, seeds, TensorImages(torch.stack([found[d] for d in draws])), asdict(sampler))


class Source:
    """The synthetic sets of an experiment: how they are made is looked up once, then each task asks once.

    `runtime` says where (device, cache, workers, progress, data_dir). With synthetic_source "real" the
    pictures are the scale's own real ones of the same prompts and seeds, as a reference.
    """

    def __init__(self, e: Experiment, runtime: Any):
        self.e, self.runtime = e, runtime
        if e.synthetic_source != "real":
            self.spec = PipelineSpec.of(e, runtime.device)
            self.sampler = sampler_of(e, self.spec)

    def __call__(self, prompts: Sequence[str], counts: Mapping[str, int]) -> SyntheticSet:
        """The set of one task; `counts` are the prompts of the tasks before."""
        wanted, where = draws(prompts, self.e.pictures_seed, counts), self.runtime
        if self.e.synthetic_source == "real":
            seeds = [d.seed for d in wanted]
            pixels = data.real_pictures(self.e, list(prompts), seeds, where.data_dir)
            return SyntheticSet(tuple(prompts), tuple(seeds), TensorImages(pixels), {})
        return generate(self.spec, wanted, self.sampler, where.cache, where.workers, where.progress)


def synthesize(e: Experiment, prompts: Sequence[str], counts: Mapping[str, int], runtime: Any) -> SyntheticSet:
    """The synthetic set of a single task of an experiment (`Source`)."""
    return Source(e, runtime)(prompts, counts)


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
        draw_missing(spec, missing, cache, runtime.workers, runtime.progress)
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
    painter = Painter(loaded(spec), sampler)
    painter(chunk)
    start = time.perf_counter()
    painter(chunk)
    return time.perf_counter() - start
