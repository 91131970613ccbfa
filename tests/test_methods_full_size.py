"""Every method at the real scales' size: ViT-B/16 with random weights, two tasks of two steps."""

import copy
import math

import pytest
import torch
from fixtures_methods import TRAINED, fit, pixels, resources

from gift_lib import methods
from gift_lib.clip import load
from gift_lib.config import experiment
from gift_lib.evaluation import evaluate
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Split, Task, TensorImages

pytestmark = pytest.mark.slow

#: Counts for two steps; everything else is as published.
OPTIONS = {
    "zscl": {"images": 3, "captions": 5},
    "icarl": {"memory": 3},
    "lwf-vr": {"sentences": 5},
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


@pytest.mark.parametrize("name", ["zero-shot", *TRAINED])
def test_two_tasks_of_two_steps(name, vit):
    e = experiment("paper", method=name, steps=2, batch_size=2, synthetic_batch_size=2, precision="fp32",
                   method_options=OPTIONS.get(name, {}))  # fmt: skip
    m = methods.build(copy.deepcopy(vit), e, resources(2))
    tasks = [task("Aircraft", 224), task("CIFAR100", 32)]
    prompts = ("a photo of a cat.", "a photo of a dog.", "a photo of a dog.")
    synthetic = SyntheticSet(prompts, (0, 1, 2), TensorImages(pixels(3, "drawn", size=64)), {})
    for t, phase in enumerate(m.phases(tasks)):
        curves = fit(m, t, phase, synthetic if m.uses_synthetic else None) or {}
        assert all(len(c) == m.steps(phase) and all(map(math.isfinite, c)) for c in curves.values())
        assert all(a in (0, 25, 50, 75, 100) for a in evaluate(m, tasks))
