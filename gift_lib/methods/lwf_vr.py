"""LwF-VR: LwF on a virtual vocabulary, random sentences in the place of the task's classes."""

import torch
from jaxtyping import Int64
from torch import Tensor

from gift_lib.clip import Clip
from gift_lib.errors import ConfigError
from gift_lib.methods.base import register
from gift_lib.methods.reference import ReferenceDistillation
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


@register("lwf-vr", "LwF-VR")
class LwFVR(ReferenceDistillation):
    """Reference pictures and teacher as in LwF; texts: random sentences, drawn once per task.

    `vocabulary` below 1 draws them from that share of the vocabulary, chosen anew for each task: 10,000 tokens
    are a fifth of CLIP's vocabulary, and each token of a small one nine times over.
    """

    options = {"sentences": 1000, "words": 10, "vocabulary": 1.0}

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        n, words = self.option["sentences"], self.option["words"]
        tokens = random_sentences(self.clip, n, words, self.generator("sentences"), self.option["vocabulary"])
        self.reference = self.on_own_pictures(task, tokens.to(self.resources.device))


def random_sentences(
    clip: Clip, n: int, words: int, generator: torch.Generator, vocabulary: float = 1.0
) -> Int64[Tensor, "n l"]:
    """Start token, `words` tokens drawn uniformly from a share of the vocabulary, end token (the highest id).

    The vocabulary is all of it, start and end token too, as in the released code: a sentence in which the end
    token is drawn ends there, for CLIP reads its text up to the first one.
    """
    tokens = clip.tokenize(["a"])[:1].repeat(n, 1)
    end = int(tokens.max())
    size = end + 1
    known = round(vocabulary * size)
    if words + 2 > tokens.shape[1]:
        raise ConfigError(f"sentences of {words} words do not fit {tokens.shape[1]} tokens: take fewer words.")
    if not 1 <= known <= size:
        raise ConfigError(f"vocabulary must be a share above 0 and at most 1, not {vocabulary!r}: published is 1.")
    drawn = torch.randint(0, known, (n, words), generator=generator)
    tokens[:, 1 : words + 1] = drawn if known == size else torch.randperm(size, generator=generator)[drawn]
    tokens[:, words + 1] = end
    return tokens
