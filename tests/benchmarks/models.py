"""Random-weight models, tasks and synthetic sets for the benchmarks: the time of a step does not depend on weights."""

import random

import open_clip
import torch

from gift_lib import clip
from gift_lib.clip import Clip
from gift_lib.data import names
from gift_lib.data.transforms import Preprocess
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Split, Task, TensorImages

#: The scale model's architecture, for the time before its weights exist; open_clip's own vocabulary.
MINI = {
    "embed_dim": 96,
    "vision_cfg": {"image_size": 32, "layers": 4, "width": 128, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 96, "heads": 3, "layers": 2},
}


def mini(device: str) -> Clip:
    """The shipped scale model, else its architecture with random weights."""
    if (clip.WEIGHTS / "clip" / clip.WEIGHTS_FILE).exists():
        return clip.load("mini", device)
    torch.manual_seed(0)
    model = open_clip.CLIP(**MINI).to(device)
    return Clip(model, open_clip.SimpleTokenizer(context_length=24), Preprocess(32), "mini (random)", "0", MINI)


def vit_b_16(device: str, depth: int) -> Clip:
    """OpenAI's ViT-B/16 with random weights; `depth` of its 12 blocks per tower, where memory is short."""
    found = clip.load("ViT-B-16-quickgelu/random", device)
    for transformer in (found.model.visual.transformer, found.model.transformer):
        transformer.resblocks = transformer.resblocks[:depth]
    return found


def pixels(n: int, size: int, seed: int) -> torch.Tensor:
    """UInt8[n 3 size size] of noise."""
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=g)


def task(classes: int, n: int, size: int) -> Task:
    """A task with real class names: SUN397's, and CIFAR100's where 100 or fewer are enough."""
    chosen = names.classes("CIFAR100" if classes <= 100 else "SUN397")[:classes]
    labels = torch.arange(n) % classes
    split = Split(TensorImages(pixels(n, size, 1)), labels)
    return Task(f"{classes} classes", tuple(chosen), ("a photo of a {c}.",), open_split=lambda name: split)


def synthetic(n: int, size: int) -> SyntheticSet:
    """`n` noise pictures with prompts drawn as GIFT draws them, from ImageNet's class names."""
    rng = random.Random(0)
    prompts = tuple(f"a photo of a {rng.choice(open_clip.IMAGENET_CLASSNAMES)}." for _ in range(n))
    return SyntheticSet(prompts, tuple(range(n)), TensorImages(pixels(n, size, 2)), {})
