"""Chunks shared by processes: one counter, and whoever dies leaves its share to the others."""

import itertools
import logging
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from tqdm.auto import tqdm

from gift_lib.generation import painter
from gift_lib.generation.painter import Painter
from gift_lib.generation.pipeline import Pipeline, PipelineSpec
from gift_lib.pictures import Draw, PictureCache

log = logging.getLogger(__name__)


def draw_missing(
    pipeline: Pipeline | PipelineSpec, missing: list[Draw], cache: PictureCache, workers: int, progress: bool
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
    pipeline: Pipeline | PipelineSpec,
    chunks: Sequence[Sequence[Draw]],
    cache: PictureCache,
    take: Callable[[], int],
    made: Callable[[int], Any],
) -> None:
    """Draw the chunks whose numbers `take` hands out, until there are none left; tell `made` after each."""
    if isinstance(pipeline, PipelineSpec):
        pipeline = loaded(pipeline)
    brush = Painter(pipeline, cache.sampler)
    while (i := take()) < len(chunks):
        painter.fill(brush, chunks[i], cache)
        made(len(chunks[i]))


@lru_cache(maxsize=1)
def loaded(spec: PipelineSpec) -> Pipeline:
    """The pipeline last used stays in memory: a run comes back to it in every task."""
    return spec.load()


def forget_pipeline() -> None:
    """Free the memory of the pipeline last used."""
    loaded.cache_clear()


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
    """How to start processes: from a server that has imported all that draws once, where there are such servers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion"])
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
