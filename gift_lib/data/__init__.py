"""The data of an experiment: its tasks in their order, its concepts, its public reference data."""

from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from gift_lib.config import Experiment
from gift_lib.errors import ConfigError, nearest
from gift_lib.tasks import Images, Task, in_order


def load_tasks(
    experiment: Experiment, data_dir: str | Path | None = None, cache_dir: str | Path | None = None
) -> list[Task]:
    """The experiment's tasks in training order. Nothing is decoded until a split is asked for.

    Decoded pictures lie in the cache folder, at the size that the experiment's CLIP reads.
    Raises ConfigError for a task that does not exist or is not in the order, DataError where a data set is missing.
    """
    how = {"world": experiment.world} if experiment.scale == "mini" else _decoding(experiment, cache_dir)
    tasks = _source(experiment).tasks(data_dir, **how)
    names = {t.name for t in tasks.values()}
    for name in experiment.lr_per_task.keys() - names:
        raise ConfigError(f"lr_per_task: there is no task {name!r}; {nearest(name, names)}")
    return in_order(tasks, experiment.order, experiment.tasks)


def world_hash(experiment: Experiment, data_dir: str | Path | None = None, cache_dir: str | Path | None = None) -> str:
    """16 hex digits that name the data: the renderer's version and a probe of it, or the splits' digests.

    Raises DataError where a data set of a real scale is not here.
    """
    if experiment.scale == "mini":
        return _source(experiment).world_hash(data_dir, experiment.world)
    return _source(experiment).world_hash(data_dir, _names(experiment), cache_dir)


def fetch(experiment: Experiment, data_dir: str | Path | None = None, cache_dir: str | Path | None = None) -> None:
    """Download the experiment's data sets that are not here; the scale model's are drawn."""
    if experiment.scale != "mini":
        _source(experiment).fetch(_names(experiment), data_dir, cache_dir)


def _names(experiment: Experiment) -> list[str]:
    """The data sets of an experiment at a real scale."""
    return [t.name for t in in_order(_source(experiment).tasks(), experiment.order, experiment.tasks)]


def reference_images(
    experiment: Experiment, n: int, data_dir: str | Path | None = None, cache_dir: str | Path | None = None
) -> Images:
    """`n` public pictures outside all tasks (ImageNet's part in ZSCL)."""
    return _reference(experiment).reference_images(n, experiment.seed, data_dir, **_decoding(experiment, cache_dir))


def reference_prompts(experiment: Experiment, n: int, data_dir: str | Path | None = None) -> list[str]:
    """The prompt "a photo of a {c}." of what each of the `reference_images` shows."""
    return _reference(experiment).reference_prompts(n, experiment.seed, data_dir)


def reference_captions(experiment: Experiment, n: int, data_dir: str | Path | None = None) -> list[str]:
    """`n` public captions (Conceptual Captions' part in ZSCL)."""
    return _reference(experiment).reference_captions(n, experiment.seed, data_dir)


def real_pictures(
    experiment: Experiment, prompts: list[str], seeds: list[int], data_dir: str | Path | None = None
) -> UInt8[Tensor, "n 3 h w"]:
    """A real picture for each prompt of the generator, as a reference (synthetic_source "real").

    Only the scale model's web has one for any prompt; ConfigError at the other scales.
    """
    if not has_real_pictures(experiment):
        raise ConfigError(
            f'at scale {experiment.scale} nobody has a real picture of every prompt: use synthetic_source "diffusion".'
        )
    return _source(experiment).real_pictures(list(prompts), list(seeds))


def has_real_pictures(experiment: Experiment) -> bool:
    """Whether the data of this scale has a real picture for any prompt."""
    return hasattr(_source(experiment), "real_pictures")


def _source(experiment: Experiment):
    """The module that serves a scale's data; imported when needed, since each pulls in its own libraries."""
    if experiment.scale == "mini":
        from gift_lib.data import mini as source
    else:
        from gift_lib.data import mtil as source
    return source


def _reference(experiment: Experiment):
    """The module that serves a scale's public data."""
    if experiment.scale == "mini":
        from gift_lib.data import mini as source
    else:
        from gift_lib.data import reference as source
    return source


def _decoding(experiment: Experiment, cache_dir: str | Path | None) -> dict[str, Any]:
    """Where and how large real pictures are decoded; the scale model's are drawn."""
    if experiment.scale == "mini":
        return {}
    from gift_lib.data import mtil

    return {"cache_dir": cache_dir, "size": mtil.input_size(experiment.model)}
