"""Every method at the real scales' size: ViT-B/16 with random weights, two tasks of two steps.

And generation, training and evaluation through the one loop with Stable Diffusion's architecture, weights random too.
Pictures are small and steps few, so that a CPU does it in minutes; up to 9 GB of memory.
"""

import copy
import gc
import math
from functools import partial

import fixtures_diffusion
import pytest
import torch
from fixtures_methods import LEARNING, fit, pixels, resources

from gift_lib import data, generate, methods, training
from gift_lib.clip import load
from gift_lib.config import experiment
from gift_lib.evaluation import evaluate_openly
from gift_lib.generation import pipeline as pipeline_parts
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Split, Task, TensorImages
from gift_lib.training import Runtime, run

pytestmark = pytest.mark.slow

#: Counts for two steps; everything else is as published.
OPTIONS = {
    "zscl": {"images": 3, "captions": 5},
    "icarl": {"memory": 3},
    "lwf-vr": {"sentences": 5},
    "gnsp": {"pictures": 3},
    "rail": {"hidden": 2000},  # of 15,000, whose matrix alone takes 1.8 GB
    "moe-adapter": {
        "features": "alexnet-random",
        "autoencoder_steps": 2,
        "everything_else_steps": 2,
        "everything_else": 3,
    },
}


@pytest.fixture(scope="module")
def vit():
    return load("ViT-B-16-quickgelu/random")


def task(name, size):
    def open_split(split):
        return Split(TensorImages(pixels(4, name, split, size=size)), torch.tensor([0, 1, 0, 1]))

    return Task(name, ("cat", "fire engine"), ("a photo of a {c}.",), open_split, stands_for=name)


@pytest.mark.parametrize("name", ["zero-shot", *LEARNING])
def test_two_tasks_of_two_steps(name, vit):
    e = experiment("paper", method=name, steps=2, batch_size=2, synthetic_batch_size=2, precision="fp32",
                   method_options=OPTIONS.get(name, {}))  # fmt: skip
    m = methods.build(copy.deepcopy(vit), e, resources(2))
    tasks = [task("Aircraft", 224), task("CIFAR100", 32)]
    prompts = ("a photo of a cat.", "a photo of a dog.", "a photo of a dog.")
    synthetic = SyntheticSet(prompts, (0, 1, 2), TensorImages(pixels(3, "drawn", size=64)), {})
    for t, phase in enumerate(m.phases(tasks)):
        curves = fit(m, t, phase, synthetic if m.uses_synthetic else None) or {}
        row = evaluate_openly(m, tasks, tasks[: t + 1])
        assert all(len(c) == m.steps(phase) and all(map(math.isfinite, c)) for c in curves.values())
        assert all(a in (0, 25, 50, 75, 100) for a in (*row.own, *row.every))


# --- the whole loop, pictures included ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stable_diffusion():
    """Stable Diffusion v1.5's architecture: 1.07 billion random weights, made in bf16 to spare memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        pipeline = fixtures_diffusion.stable_diffusion(dtype=torch.bfloat16)
    finally:
        torch.set_default_dtype(before)
    yield pipeline_parts.ready(pipeline, "cpu", compiled=False)
    gc.collect()


@pytest.mark.parametrize("name", ["gift", "zscl", "moe-adapter"])
def test_generation_training_and_evaluation_end_to_end(name, vit, request, monkeypatch, tmp_path):
    """`run` at scale paper: only counts, the pictures' side, tasks and weights are not those of the real thing."""
    e = experiment("paper", method=name, precision="fp32", steps=2, batch_size=2, synthetic_batch_size=2,
                   images_per_task=2, denoising_steps=1, method_options=OPTIONS.get(name, {}))  # fmt: skip
    sampler = generate.Sampler(1, e.guidance_scale, "dpm++", 2, 64, "random", "bf16")
    drawn = []

    def synthesize(e, prompts, counts, runtime):
        pipeline = request.getfixturevalue("stable_diffusion")
        drawn.append(generate.generate(pipeline, generate.draws(prompts, e.pictures_seed, counts), sampler,
                                       runtime.cache, progress=False))  # fmt: skip
        return drawn[-1]

    monkeypatch.setattr(training, "load_clip", lambda *_: copy.deepcopy(vit))
    monkeypatch.setattr(training, "identity_of", lambda *_: {"world": "full size"})
    monkeypatch.setattr(training, "Source", lambda e, runtime: partial(synthesize, e, runtime=runtime))
    monkeypatch.setattr(data, "load_tasks", lambda *_: [task("Aircraft", 224), task("CIFAR100", 32)])
    monkeypatch.setattr(data, "reference_images", lambda e, n, *_: TensorImages(pixels(n, "reference", size=224)))
    monkeypatch.setattr(data, "reference_captions", lambda e, n, *_: [f"caption {k}" for k in range(n)])
    record = run(e, Runtime(cache_dir=str(tmp_path), progress=False), tmp_path / "results")
    assert len(record["result"]["R"]) == 2 and len(drawn) == (2 if name == "gift" else 0)
    assert all(len(s) == 2 and s.pixels.shape == (2, 3, 64, 64) for s in drawn)
    curves = [c for task_curves in record["result"]["losses"].values() for c in task_curves.values()]
    assert curves and all(math.isfinite(v) for c in curves for v in c)
