"""Does distillation learn its pictures by heart? Its loss on them and on others of the same kind, over the steps."""

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
from gift_lib.training import LOCAL, Progress, Runtime, build_method, fit

COLUMNS = ("step", "training", "held out", "distance")


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
    training: Pairs
    held_out: Pairs
    every: int
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def after_step(self, step: int) -> None:
        """The hook of the training loop."""
        if step == 1 or step % self.every == 0:
            size = self.method.experiment.synthetic_batch_size
            both = [p.distillation(self.method, size) for p in (self.training, self.held_out)]
            self.rows.append((step, *both, self.distance()))

    @torch.no_grad()
    def distance(self) -> float:
        """``|theta - theta_prev|`` over all trained weights; before the first task these are the pre-trained ones."""
        moved = [(p - self.method.initial[n]).square().sum() for n, p in self.method.parameters().items()]
        return float(torch.stack(moved).sum().sqrt())


def overfitting(e: Experiment, held_out: int = 64, every: int = 10, runtime: Runtime = LOCAL) -> pd.DataFrame:
    """Train on the first task of an experiment and measure COLUMNS every few steps.

    The first `images_per_task` pictures of the experiment's prompts are trained on; the `held_out` next ones,
    drawn for the same pool, are not. ConfigError for a method without synthetic pictures.
    """
    if not find(e.method).uses_synthetic:
        raise ConfigError(f"{e.method} draws no pictures: watch GIFT, with any consolidation.")
    tasks = data.load_tasks(e, runtime.data_dir)
    prompts = next(prompt_stream(e.replace(images_per_task=e.images_per_task + held_out), tasks))
    seen, unseen = prompts[: e.images_per_task], prompts[e.images_per_task :]
    sets = synthesize(e, seen, {}, runtime), synthesize(e, unseen, Counter(seen), runtime)
    method = build_method(e, runtime, len(tasks))
    watch = Watch(method, *(Pairs.of(method, s) for s in sets), every)
    method.after_step = watch.after_step
    fit(method, 0, tasks[0], sets[0], runtime, Progress(), lambda **_: None)
    return pd.DataFrame(watch.rows, columns=COLUMNS)
