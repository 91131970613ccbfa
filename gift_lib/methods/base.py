"""What a method is: the hooks that the one training loop calls, and nothing else."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from gift_lib import losses
from gift_lib.clip import Clip, classifier, encode_images, encode_texts
from gift_lib.config import Experiment, number_hint
from gift_lib.consolidation import Penalty
from gift_lib.errors import ConfigError, nearest
from gift_lib.files import digest
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Images, Task


@dataclass(frozen=True)
class Batch:
    """What one step learns from. `synthetic` indexes the task's synthetic set (empty without one)."""

    step: int
    images: Float[Tensor, "b 3 s s"]
    labels: Int64[Tensor, " b"]
    synthetic: Int64[Tensor, " m"]


#: Named scalars, weighted; the loss of a step is the sum of those of `preserve` and of `loss`.
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Resources:
    """What a method may ask for beside the current task: public reference data, never past or future tasks."""

    reference_images: Callable[[int], Images]
    #: The prompt of each of the reference pictures.
    reference_prompts: Callable[[int], list[str]]
    captions: Callable[[int], list[str]]
    task_count: int
    device: torch.device
    chunk: int = 256


METHODS: dict[str, type["Method"]] = {}


def register(name: str, title: str) -> Callable[[type["Method"]], type["Method"]]:
    """Class decorator: make a method known under `name`, shown in tables as `title`.

    ConfigError where the name is that of a method of the library.
    """

    def keep(cls: type["Method"]) -> type["Method"]:
        if name in METHODS and METHODS[name].__module__.startswith("gift_lib.") and METHODS[name] is not cls:
            raise ConfigError(f"the name {name!r} is taken by a method of the library: register yours under another.")
        cls.name, cls.title = name, title
        METHODS[name] = cls
        return cls

    return keep


class Method:
    """Continual Finetune without a single extra: the base that every other method changes.

    A subclass overrides hooks. `options` are its own settings with published values; an experiment
    changes them by `method_options`. Everything random must come from `generator(stream)`, which
    depends on seed, task and stream only, so that a resumed run repeats it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    #: Whether the loop must provide a synthetic set before each task.
    uses_synthetic: ClassVar[bool] = False
    #: Whether the optimiser has steps to take (zero-shot: no; a method without gradients learns in `before_task`).
    trains: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Any]] = {}
    #: By scale, the options whose value there is not the published one; the ratio stands beside each.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    #: Counted up when what the method computes has changed by itself: earlier records of it no longer stand.
    revision: ClassVar[int] = 0
    #: What R's rows are: "continual" (one after each task, in order), "alone" (row t is task t's own
    #: model, its diagonal is the result) or "joint" (one row, after training on everything).
    form: ClassVar[str] = "continual"

    def __init__(self, clip: Clip, experiment: Experiment, resources: Resources):
        self.clip, self.experiment, self.resources = clip, experiment, resources
        self.option = resolve_options(type(self), experiment.method_options, experiment.scale)
        self.penalty: Penalty | None = None
        self.initial = {k: v.detach().clone() for k, v in self.parameters().items()}
        self.task_index = -1
        #: The tasks of the evaluation that is going on. A method may look at their names only if it was published so.
        self.evaluated: Sequence[Task] = ()
        self._classifiers: dict[str, Tensor] = {}
        self._looked_at: tuple[Tensor | None, dict[Hashable, Any]] = (None, {})

    @property
    def model(self) -> nn.Module:
        return self.clip.model

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name: everything except `logit_scale` (the published choice)."""
        return self.clip.trained()

    def generator(self, stream: str) -> torch.Generator:
        """A CPU generator that depends on seed, task and the stream's name alone."""
        return seeded(self.experiment.seed, self.task_index, stream)

    def learning_rate(self, task: Task) -> float:
        """The peak learning rate on a task: the experiment's, shared by all methods unless published otherwise."""
        return self.experiment.lr_of(task.name)

    def phases(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """What is fitted one after the other: the tasks. R has one row per phase."""
        return tasks

    @classmethod
    def planned_steps(cls, e: Experiment, task: Task) -> int:
        """Optimiser steps on a task of an experiment: its own, shared by all methods unless published otherwise."""
        return e.steps

    def steps(self, task: Task) -> int:
        """Optimiser steps on what is fitted: those planned for a task."""
        return self.planned_steps(self.experiment, task)

    # The hooks, in the order in which the loop calls them.

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        """Prepare for a task: tokenise its prompts. Subclasses call super and freeze their teacher here."""
        self.task = task
        self.class_tokens = self.clip.tokenize(task.prompts()).to(self.resources.device)

    def preserve(self, batch: Batch) -> Terms:
        """The terms of one step that only preserve (distillation); here none.

        The loop differentiates them before it asks for `loss`, so that adaptive weight consolidation
        finds their gradient alone in `.grad`, and the two graphs are never in memory together.
        """
        return {}

    def loss(self, batch: Batch) -> Terms:
        """The terms of one step that learn the task; here cross-entropy over its classes, label smoothing 0.2."""
        return {"ce": self.cross_entropy(batch)}

    def after_step(self, step: int) -> None:
        """Called after the optimiser's step with the number of steps done in this task, from 1."""

    def after_task(self, task: Task) -> None:
        """Called when the last step of a task is done, before evaluation."""

    def predict(self, task: Task, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """Logits over the task's own classes: which task the pictures are of is known."""
        return self.embed(pixels) @ self.classifier(task).T

    def predict_among(self, tasks: Sequence[Task], pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """Logits over the classes of several tasks, one after the other: nothing says which task a picture is of."""
        return self.embed(pixels) @ torch.cat([self.classifier(t) for t in tasks]).T

    # What subclasses build on.

    def embed(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """L2-normalised embeddings of test pictures; computed once while `looking_at` them."""
        return self.once("images", pixels, lambda: self._embed(pixels))

    def _embed(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        with self.clip.autocast():
            return encode_images(self.model, self.clip.preprocess.eval(pixels))

    @contextmanager
    def looking_at(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Iterator[None]:
        """Within: several predictions about these very pictures share what `once` makes of them."""
        self._looked_at = (pixels, {})
        try:
            yield
        finally:
            self._looked_at = (None, {})

    def once(self, name: Hashable, pixels: Tensor, make: Callable[[], Any]) -> Any:
        """`make()`, or what it made before while `looking_at` the same pictures."""
        seen, made = self._looked_at
        if seen is not pixels:
            return make()
        if name not in made:
            made[name] = make()
        return made[name]

    def cross_entropy(self, batch: Batch) -> Float[Tensor, ""]:
        """CE of cosine logits against the prompts of the current task's classes."""
        images = encode_images(self.model, batch.images)
        texts = encode_texts(self.model, self.class_tokens)
        logits = losses.similarity(images, texts, self.scale)
        return losses.cross_entropy(logits, batch.labels, self.experiment.label_smoothing)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """CLIP's temperature as a factor, exp(logit_scale); never trained here."""
        return self.clip.scale

    def classifier(self, task: Task) -> Float[Tensor, "c d"]:
        """Template-ensemble text embeddings of a task, encoded once and kept until `forget_classifiers`."""
        if task.name not in self._classifiers:
            self._classifiers[task.name] = classifier(self.clip, task)
        return self._classifiers[task.name]

    def forget_classifiers(self) -> None:
        """The weights changed: encode class texts anew when next asked."""
        self._classifiers.clear()

    # What a checkpoint holds beside the trained parameters.

    def state(self) -> dict[str, Tensor]:
        """Tensors that the method carries from step to step or task to task (a memory, an ensemble)."""
        return self.penalty.state() if self.penalty else {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The reverse of `state`, after `before_task`."""
        if self.penalty:
            self.penalty.load_state(state)


def seeded(seed: int, task_index: int, stream: str, step: int = 0) -> torch.Generator:
    """A CPU generator keyed on its arguments: any step can be repeated without replaying the others."""
    return torch.Generator().manual_seed(int(digest([seed, task_index, stream, step], 15), 16))


class Shuffle:
    """Endless epochs over `n` items, each in its own random order, cut into batches of `size`.

    An epoch's last batch holds what is left (40 of 1000 at size 64), as a loader's does: no item occurs
    twice in one batch. Of fewer items than `size` every batch holds all.
    """

    def __init__(self, n: int, size: int, generator: Callable[..., torch.Generator]):
        self.n, self.size, self.generator = n, size, generator
        #: Batches in an epoch.
        self.per_epoch = -(-n // size)
        self._order: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))

    def __call__(self, step: int) -> Int64[Tensor, " b"]:
        if self.n == 0:
            return torch.empty(0, dtype=torch.int64)
        epoch, k = divmod(step, self.per_epoch)
        return self._epoch(epoch)[k * self.size : (k + 1) * self.size]

    def _epoch(self, epoch: int) -> Int64[Tensor, " n"]:
        if self._order[0] != epoch:
            self._order = epoch, torch.randperm(self.n, generator=self.generator(step=epoch))
        return self._order[1]


def resolve_options(cls: type[Method], given: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """A method's settings at a scale with those given put in; unknown names or other types are a ConfigError."""
    for key, value in given.items():
        if key not in cls.options:
            hint = nearest(key, cls.options) if cls.options else "it has none."
            raise ConfigError(f"method {cls.name!r} has no setting {key!r}; {hint}")
        default = cls.options[key]
        good = isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)
        if not (good or (isinstance(default, float) and type(value) is int)):
            hint = number_hint(value) if isinstance(default, float) else ""
            raise ConfigError(f"method_options[{key}] must be of type {type(default).__name__}, not {value!r}.{hint}")
    real = {k: float(v) for k, v in given.items() if isinstance(cls.options[k], float)}
    return {**cls.options, **cls.presets.get(scale, {}), **given, **real}
