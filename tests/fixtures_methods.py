"""A tiny CLIP and tiny random tasks: every method runs through the real loop in a second."""

import zlib
from dataclasses import dataclass, field
from functools import partial

import open_clip
import pytest
import torch

from gift_lib import data, methods, training
from gift_lib.clip import Clip
from gift_lib.config import experiment
from gift_lib.data.transforms import Preprocess
from gift_lib.methods.base import Resources
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Split, Task, TensorImages
from gift_lib.training import Progress, Runtime

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 64, "width": 16, "heads": 2, "layers": 2},
}
START, END = 62, 63
#: Counts that fit tasks of some twenty pictures.
OPTIONS = {
    "zscl": {"images": 24, "captions": 10, "snapshots": 3},
    "icarl": {"memory": 13},
    "lwf-vr": {"sentences": 7},
    "rail": {"hidden": 40},
    "keeplora": {"rank": 3},
    "gnsp": {"pictures": 13},
    "moe-adapter": {
        "experts": 6,
        "bottleneck": 4,
        "autoencoder_steps": 4,
        "everything_else_steps": 4,
        "everything_else": 20,
        "lr": 1e-2,
    },
}
TRAINED = (
    "finetune", "l2", "lwf", "lwf-vr", "icarl", "wise-ft", "zscl", "moe-adapter", "upper-bound", "joint", "gift",
    "condu", "keeplora", "gnsp", "two-teachers", "all-prompts", "neighbours", "projected-gift",
)  # fmt: skip
#: RAIL learns too, but without an optimiser.
LEARNING = (*TRAINED, "rail")


def tokenize(texts):
    """One token per word, between a start and an end token, padded with zeros."""
    rows = [[START, *(1 + zlib.crc32(w.encode()) % 60 for w in t.split()[:14]), END] for t in texts]
    return torch.tensor([row + [0] * (16 - len(row)) for row in rows])


def tiny_clip(*_, seed=0):
    """The same random weights at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**CONFIG)
    return Clip(model.eval(), tokenize, Preprocess(16), "tiny", "0" * 16, CONFIG)


def pixels(n, *key, size=16):
    """Random pictures around a colour of their own, so that tasks differ."""
    g = torch.Generator().manual_seed(zlib.crc32(repr(key).encode()))
    colour = torch.randint(0, 200, (3, 1, 1), generator=g)
    return (colour + torch.randint(0, 56, (n, 3, size, size), generator=g)).to(torch.uint8)


def tiny_task(number, cls=Task, size=16):
    """A task of three or four classes and some twenty pictures."""
    classes = tuple(f"thing{number}{c}" for c in "abcd"[: 3 + number % 2])

    def open_split(name):
        n = {"train": 20 + 3 * number, "val": 6, "test": 9}[name]
        labels = torch.arange(n) % len(classes)
        shade = labels[:, None, None, None] * 12
        return Split(TensorImages((pixels(n, number, name, size=size) + shade).to(torch.uint8)), labels)

    return cls(f"task{number}", classes, ("a photo of a {c}.", "some {c}"), open_split)


def tiny_experiment(method, **settings):
    """Six steps per task, at a learning rate that changes a random CLIP visibly."""
    e = {"steps": 6, "batch_size": 8, "synthetic_batch_size": 4, "images_per_task": 8, "lr": 3e-3}
    e = e | {"method_options": OPTIONS.get(method, {})} | settings
    return experiment(method=method, **e)


def resources(task_count=3):
    """Public data of the tiny world."""
    return Resources(
        reference_images=lambda n: TensorImages(pixels(n, "reference")),
        reference_prompts=lambda n: [f"a photo of a thing{k % 3}" for k in range(n)],
        captions=lambda n: [f"caption {k} of a thing" for k in range(n)],
        task_count=task_count,
        device=torch.device("cpu"),
        chunk=8,
    )


def tiny_method(name, clip=None, task_count=3, **settings):
    """A method over a fresh tiny CLIP."""
    return methods.build(clip or tiny_clip(), tiny_experiment(name, **settings), resources(task_count))


def fit(method, t, task=None, synthetic=None):
    """One task through the real loop, without checkpoints; its loss curves by term."""
    done = Progress()
    task = task or tiny_task(t)
    training.fit(method, t, task, synthetic, Runtime(progress=False), done, lambda **_: None)
    return done.losses.get(task.name)


def synthesize(e, prompts, counts, runtime):
    """Pictures without a diffusion model."""
    return SyntheticSet(tuple(prompts), tuple(range(len(prompts))), TensorImages(pixels(len(prompts), *prompts)), {})


@dataclass
class World:
    """The loop over tiny tasks. `methods` holds every method that it built, the newest last."""

    folder: str
    task_class: type = Task
    count: int = 3
    methods: list = field(default_factory=list)

    def tasks(self):
        return [tiny_task(k, self.task_class) for k in range(self.count)]

    def run(self, name, **settings):
        return training.run(
            tiny_experiment(name, **settings), Runtime(cache_dir=self.folder, progress=False, checkpoint_every=2)
        )


@pytest.fixture
def world(monkeypatch, tmp_path):
    """The real loop with tiny data and models in the place of the scale model's."""
    w = World(str(tmp_path))

    def load_tasks(e, data_dir=None, cache_dir=None):
        return w.tasks()

    def build(e, runtime, task_count):
        w.methods.append(methods.build(tiny_clip(), e, resources(task_count)))
        return w.methods[-1]

    monkeypatch.setattr(data, "load_tasks", load_tasks)
    monkeypatch.setattr(training, "identity_of", lambda e, runtime: {"world": "tiny"})
    monkeypatch.setattr(training, "build_method", build)
    monkeypatch.setattr(training, "Source", lambda e, runtime: partial(synthesize, e, runtime=runtime))
    return w


def weights(method):
    """A copy of everything that the model is made of."""
    return {n: t.clone() for n, t in method.model.state_dict().items()}


def equal(a, b):
    """Whether two dicts of tensors are the same to the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def interrupt_at(step, monkeypatch):
    """Stop the loop in the middle, after so many optimiser steps counted over all tasks."""
    from gift_lib.training import Learner

    calls, honest = iter(range(1, 10_000)), Learner.step

    def stop(self, *args):
        if next(calls) > step:
            raise KeyboardInterrupt
        return honest(self, *args)

    monkeypatch.setattr(Learner, "step", stop)
