"""Does distillation learn its pictures by heart? Its loss on them and on others, over the steps."""

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor

from gift_lib import data, losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError
from gift_lib.generate import SyntheticSet, synthesize
from gift_lib.methods import Method, find
from gift_lib.methods.teacher import Teacher
from gift_lib.pool import prompt_stream
from gift_lib.training import LOCAL, Progress, Runtime, build_method, fit, numerics

#: Draws of prompts per picture: as many as it takes to find enough that are not trained on.
_MANY = 8
COLUMNS = ("step", "training", "other images", "other prompts", "distance")


@dataclass(frozen=True)
class Pairs:
    """Synthetic pairs with the teacher's outputs on them; one text per pair."""

    pictures: SyntheticSet
    tokens: Int64[Tensor, "n l"]
    teacher: Teacher

    @classmethod
    def of(cls, method: Method, pictures: SyntheticSet) -> "Pairs":
        """The teacher is the method's model as it stands."""
        tokens = method.clip.tokenize(list(pictures.prompts)).to(method.resources.device)
        return cls(pictures, tokens, Teacher.of(method.clip, pictures.images, tokens, method.resources))

    @torch.no_grad()
    def distillation(self, method: Method, batch_size: int) -> float:
        """CD (without alpha) of the method's model, mean over whole batches."""
        n = len(self.tokens)
        starts = range(0, max(1, n - batch_size + 1), batch_size)
        values = [self._batch(method, torch.arange(k, min(n, k + batch_size))) for k in starts]
        return float(torch.stack(values).mean())

    def _batch(self, method: Method, which: Int64[Tensor, " b"]) -> Tensor:
        pixels = self.pictures.images.batch(which).to(method.resources.device)
        images = encode_images(method.model, method.clip.preprocess.eval(pixels))
        texts = encode_texts(method.model, self.tokens[which])
        student = losses.similarity(images, texts, method.scale)
        teacher = losses.similarity(self.teacher.images[which], self.teacher.texts[which], method.scale)
        return losses.contrastive_distillation(teacher, student, method.experiment.temperature)


@dataclass
class Watch:
    """Rows of COLUMNS, every few steps of a method's first task."""

    method: Method
    sets: tuple[Pairs, ...]
    every: int
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def after_step(self, step: int) -> None:
        """The hook of the training loop."""
        if step == 1 or step % self.every == 0:
            size = self.method.experiment.synthetic_batch_size
            values = [pairs.distillation(self.method, size) for pairs in self.sets]
            self.rows.append((step, *values, self.distance()))

    @torch.no_grad()
    def distance(self) -> float:
        """``|theta - theta_prev|`` over all trained weights; before the first task these are the pre-trained ones."""
        moved = [(p - self.method.initial[n]).square().sum() for n, p in self.method.parameters().items()]
        return float(torch.stack(moved).sum().sqrt())


def overfitting(e: Experiment, every: int = 10, runtime: Runtime = LOCAL) -> pd.DataFrame:
    """Train on the first task of an experiment and measure COLUMNS every few steps.

    The first `images_per_task` pictures of the experiment's prompts are trained on. Two sets of as many are
    not: other images of the very same prompts, and images of the next prompts of the pool that are none of these.
    ConfigError for a method without synthetic pictures, and where so small a pool has no other prompts.
    """
    if not find(e.method).uses_synthetic:
        raise ConfigError(f"{e.method} generates no images: watch GIFT, with any consolidation.")
    tasks, n = data.load_tasks(e, runtime.data_dir), e.images_per_task
    prompts = next(prompt_stream(e.replace(images_per_task=_MANY * n), tasks))
    seen = prompts[:n]
    trained = set(seen)
    others = [p for p in prompts[n:] if p not in trained][:n]
    if len(others) < n:
        raise ConfigError(
            f"{n} images use most prompts of the pool: {len(others)} others were found in {_MANY * n} draws. "
            "Take a smaller images_per_task."
        )
    wanted = {"training": seen, "other images": seen, "other prompts": others}
    counts = {"training": {}, "other images": Counter(seen), "other prompts": {}}
    sets = {name: synthesize(e, wanted[name], counts[name], runtime) for name in wanted}
    method = build_method(e, runtime, len(tasks))
    watch = Watch(method, tuple(Pairs.of(method, s) for s in sets.values()), every)
    method.after_step = watch.after_step
    with numerics(runtime.device):
        fit(method, 0, tasks[0], sets["training"], runtime, Progress(), lambda **_: None)
    return pd.DataFrame(watch.rows, columns=COLUMNS)
