"""LwF-VR: LwF on a virtual vocabulary, random sentences in the place of the task's classes."""

import torch
from jaxtyping import Int64
from torch import Tensor

from gift_lib.clip import Clip
from gift_lib.errors import ConfigError
from gift_lib.generate import SyntheticSet
from gift_lib.methods.base import register
from gift_lib.methods.reference import ReferenceDistillation
from gift_lib.tasks import Task


@register("lwf-vr", "LwF-VR")
class LwFVR(ReferenceDistillation):
    """Reference pictures and teacher as in LwF; texts: random sentences, drawn once per task."""

    options = {"sentences": 1000, "words": 10}

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        n, words = self.option["sentences"], self.option["words"]
        tokens = random_sentences(self.clip, n, words, self.generator("sentences"))
        self.reference = self.on_own_pictures(task, tokens.to(self.resources.device))


def random_sentences(clip: Clip, n: int, words: int, generator: torch.Generator) -> Int64[Tensor, "n l"]:
    """Start token, `words` tokens drawn uniformly from the vocabulary, end token (the highest id)."""
    tokens = clip.tokenize(["a"])[:1].repeat(n, 1)
    end = int(tokens.max())
    if words + 2 > tokens.shape[1]:
        raise ConfigError(f"sentences of {words} words do not fit {tokens.shape[1]} tokens: take fewer words.")
    tokens[:, 1 : words + 1] = torch.randint(0, end, (n, words), generator=generator)
    tokens[:, words + 1] = end
    return tokens
