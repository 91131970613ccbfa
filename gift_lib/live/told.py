"""What the page must be told beside weights: tokenizer, schedule, tasks, their pictures, colours."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import matplotlib as mpl
import torch
from diffusers import DiffusionPipeline
from matplotlib.colors import to_hex

from gift_lib import methods
from gift_lib.clip import Clip
from gift_lib.concepts import TEMPLATE
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError
from gift_lib.generation.pipeline import make_scheduler
from gift_lib.pool import concepts_of
from gift_lib.results import Record
from gift_lib.tasks import Task, all_indices

#: What the page's sampler can do; another setting of the scheduler needs another sampler.
SAMPLER = {
    "algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint", "timestep_spacing": "linspace",
    "final_sigmas_type": "zero", "thresholding": False, "lower_order_final": True, "use_karras_sigmas": False,
    "use_exponential_sigmas": False, "use_beta_sigmas": False, "use_flow_sigmas": False, "use_lu_lambdas": False,
    "rescale_betas_zero_snr": False,
}  # fmt: skip


def tokenizer_settings(pipeline: DiffusionPipeline) -> dict[str, Any]:
    """CLIP's byte-level BPE as the page's few lines need it."""
    told = json.loads(pipeline.tokenizer.backend_tokenizer.to_str())
    model, split = told["model"], told["pre_tokenizer"]["pretokenizers"][0]
    return {
        "vocab": model["vocab"],
        "merges": [" ".join(m) if isinstance(m, list) else m for m in model["merges"]],
        "suffix": model["end_of_word_suffix"],
        "words": split["pattern"]["Regex"],
        "special": {t["content"]: t["id"] for t in told["added_tokens"]},
        "start": pipeline.tokenizer.bos_token_id,
        "end": pipeline.tokenizer.eos_token_id,
        "pad": pipeline.tokenizer.pad_token_id,
        "length": pipeline.tokenizer.model_max_length,
    }


def schedule(pipeline: DiffusionPipeline, name: str) -> dict[str, Any]:
    """The noise schedule of a sampler that the page knows (DPM-Solver++, second order); ConfigError for another."""
    scheduler = make_scheduler(name, pipeline.scheduler.config)
    settings = dict(scheduler.config)
    wrong = [k for k, v in SAMPLER.items() if settings.get(k, v) != v]
    if name != "dpm++" or wrong or settings["prediction_type"] not in ("epsilon", "v_prediction"):
        raise ConfigError(
            f"the page that draws has no sampler for {name} ({', '.join(wrong)}): write one in book/live."
        )
    return {"alphas": scheduler.alphas_cumprod.double().tolist(), "prediction": settings["prediction_type"]}


def task_settings(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Names, classes and templates of the tasks."""
    return [
        {"name": t.name, "classes": list(t.classes), "templates": list(t.templates), "tested": len(t.test)}
        for t in tasks
    ]


def shown_pictures(tasks: Sequence[Task]) -> bytes:
    """A test picture of every class of every task, one byte per channel, in the order of tasks and classes."""
    found = []
    for task in tasks:
        first = [int((task.test.labels == c).nonzero()[0]) for c in all_indices(len(task.classes))]
        found.append(task.test.images.batch(torch.tensor(first)).numpy().tobytes())
    return b"".join(found)


def settings(e: Experiment, clip: Clip, pipeline: DiffusionPipeline, tasks: Sequence[Task]) -> dict[str, Any]:
    """What the page must know before it loads a network."""
    latent = pipeline.unet.config
    size = latent.sample_size * 2 ** (len(pipeline.vae.config.block_out_channels) - 1)
    if size != clip.preprocess.size:
        raise ConfigError(f"pictures have {size} px, CLIP reads {clip.preprocess.size}: the page cannot resize them.")
    return {
        "tasks": task_settings(tasks),
        "concepts": {"classes": list(concepts_of(e)), "templates": [TEMPLATE]},
        "size": size,
        "latents": [latent.in_channels, latent.sample_size, latent.sample_size],
        "clip": asdict(clip.preprocess) | {"scale": float(clip.scale)},
        "steps": e.denoising_steps,
        "guidance": e.guidance_scale,
        "temperature": e.temperature,
        "seed": e.pictures_seed,
        "colours": colours("viridis"),
        "changes": colours("PuOr_r"),
    }


def colours(name: str, n: int = 33) -> list[str]:
    """A colour map as `n` colours in hexadecimal digits."""
    return [to_hex(mpl.colormaps[name](k / (n - 1))) for k in range(n)]


def ran(e: Experiment, record: Record) -> dict[str, Any]:
    """A run that the page shows: its title, its accuracies, and a line that says what was run."""
    made, last = record["run"], record["result"]["R"][-1]
    said = f"Order {e.order}, seed {e.seed}, {len(last)} tasks, trained in {made['seconds']:.0f} s on {made['device']}"
    return {"name": e.method, "title": methods.find(e.method).title, "R": record["result"]["R"], "run": said}
