"""What the world-check measures on the small CLIP itself: zero-shot, a probe on pixels, and the judge of pictures.

Fine-tuning as an experiment does it is `gift_lib.training`; the small loop here only makes the judge, which has
all tasks' classes at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import open_clip
import torch
from jaxtyping import Float, Int64, UInt8
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer

from gift_lib.data.transforms import Preprocess
from gift_lib.tasks import Split, Task, all_indices, fill
from gift_lib.world.clip import encode_text
from gift_lib.world.pictures import tokens
from gift_lib.world.settings import SIZE


@dataclass(frozen=True)
class Recipe:
    """Fine-tuning on one task: AdamW, warm-up, cosine, label smoothing."""

    lr: float = 1e-3
    steps: int = 80
    batch: int = 32
    warmup: float = 0.1
    label_smoothing: float = 0.2
    seed: int = 0

    def lr_at(self, step: int) -> float:
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@torch.no_grad()
def classifier(model: open_clip.CLIP, tokenizer: CLIPTokenizer, task: Task) -> Float[Tensor, "c d"]:
    """Mean of the normalised text embeddings over all templates, normalised again."""
    ids = tokens(tokenizer, [fill(t, c) for c in task.classes for t in task.templates])
    embedded = encode_text(model, ids).view(len(task.classes), len(task.templates), -1)
    return F.normalize(embedded.mean(dim=1), dim=-1)


@torch.no_grad()
def predict(
    model: open_clip.CLIP, weights: Float[Tensor, "c d"], pixels: UInt8[Tensor, "n 3 h w"]
) -> Int64[Tensor, " n"]:
    """The nearest class of every picture."""
    parts = [model.encode_image(Preprocess(SIZE).eval(p), normalize=True) @ weights.T for p in pixels.split(256)]
    return torch.cat(parts).argmax(dim=1)


def everything(split: Split) -> UInt8[Tensor, "n 3 h w"]:
    """All pictures of a split."""
    return split.images.batch(all_indices(len(split)))


def accuracy(model: open_clip.CLIP, tokenizer: CLIPTokenizer, task: Task, split: str = "test") -> float:
    """Percent of a split's pictures that are named rightly within the task's classes."""
    part = getattr(task, split)
    model.eval()
    hits = predict(model, classifier(model, tokenizer, task), everything(part)) == part.labels
    return 100 * hits.float().mean().item()


def tune(
    model: open_clip.CLIP,
    tokenizer: CLIPTokenizer,
    pixels: UInt8[Tensor, "n 3 h w"],
    labels: Int64[Tensor, " n"],
    prompts: Sequence[str],
    recipe: Recipe,
) -> open_clip.CLIP:
    """Fine-tune every weight but the logit scale, in place."""
    weights = [p for n, p in model.named_parameters() if n != "logit_scale"]
    optimiser = torch.optim.AdamW(weights, lr=recipe.lr, weight_decay=0.0, foreach=True)
    ids, generator = tokens(tokenizer, list(prompts)), torch.Generator().manual_seed(recipe.seed)
    model.train()
    for step in range(recipe.steps):
        optimiser.param_groups[0]["lr"] = recipe.lr_at(step)
        index = torch.randperm(len(pixels), generator=generator)[: recipe.batch]
        images = model.encode_image(Preprocess(SIZE).train(pixels[index], generator), normalize=True)
        logits = model.logit_scale.exp().detach() * images @ encode_text(model, ids).T
        loss = F.cross_entropy(logits, labels[index], label_smoothing=recipe.label_smoothing)
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return model.eval()


def pixel_probe(task: Task) -> float:
    """Test accuracy of a linear classifier on raw pixels."""
    x, y = (everything(s).flatten(1).float().numpy() / 255 for s in (task.train, task.test))
    mean = x.mean(axis=0)
    probe = LogisticRegression(C=0.01, max_iter=300).fit(x - mean, task.train.labels.numpy())
    return 100 * float(probe.score(y - mean, task.test.labels.numpy()))
