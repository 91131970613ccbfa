"""GNSP: fine-tuning whose steps leave what finished tasks read as it is, beside distillation on public pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from gift_lib import losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError, nearest
from gift_lib.methods import layer_inputs
from gift_lib.methods.base import Batch, Method, Shuffle, Terms, register, seeded
from gift_lib.methods.gift import squares
from gift_lib.methods.teacher import Teacher, borrowed
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task, TensorImages

#: The weights that are projected, and after the first task the only ones that are trained.
PROJECTED = ("mlp.c_fc.weight", "mlp.c_proj.weight", "visual.proj")
#: Published by order and data set: the learning rate in units of the shared one, 1e-5, and the steps in hundreds.
#: Orders of one's own take Order I's.
SCHEDULES = {
    "I": {
        "Aircraft": (1, 1), "Caltech101": (2, 5), "CIFAR100": (1, 10), "DTD": (5, 5), "EuroSAT": (2, 5),
        "Flowers": (2, 10), "Food": (5, 10), "MNIST": (1, 5), "OxfordPet": (5, 5), "StanfordCars": (5, 10),
        "SUN397": (2, 10),
    },
    "II": {
        "StanfordCars": (1, 10), "Food": (1, 10), "MNIST": (1, 5), "OxfordPet": (1, 5), "Flowers": (2, 10),
        "SUN397": (2, 10), "Aircraft": (5, 10), "Caltech101": (1, 5), "DTD": (5, 5), "EuroSAT": (1, 5),
        "CIFAR100": (1, 10),
    },
}  # fmt: skip
#: What is projected: the optimiser's step, or the gradient before it (published).
PROJECTS = ("step", "gradient")


def _scheduled(e: Experiment, task: Task) -> tuple[float, float]:
    """The published multiple of the learning rate and hundreds of steps on a task."""
    return SCHEDULES.get(e.order, SCHEDULES["I"]).get(task.stands_for, (1, 10))


class Projected(Method):
    """A method whose steps leave what finished tasks read as it is (Peng et al., 2025).

    The first task trains all weights. Later ones train the MLPs of the image tower and `visual.proj` alone, each step
    projected on what finished tasks do not use: M accumulates X^T X of each layer's inputs X, normalised batch by
    batch and task by task, and P = V V^T with the eigenvectors V of the smallest eigenvalues of M, whose sum is
    below `rho` of all. A change D [out, in] of a matrix becomes D P, so that X (D P)^T = 0 for inputs X without part
    in V.
    """

    options = {"rho": 0.15}

    def __init__(self, *args):
        self.M: dict[str, Tensor] = {}
        super().__init__(*args)
        if not 0 < self.option["rho"] <= 1:
            raise ConfigError(f"rho must be in (0, 1], not {self.option['rho']!r}: the published value is 0.15.")
        self.P: dict[str, Tensor] = {}
        self.before: dict[str, Tensor] = {}

    def parameters(self) -> dict[str, nn.Parameter]:
        """All weights until a task is finished, then the projected ones."""
        every = super().parameters()
        return {n: p for n, p in every.items() if n in self.M} if self.M else every

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        trained = self.parameters()
        for name, p in self.clip.trained().items():
            p.requires_grad_(name in trained)
        self.P = {name: null_space(M, self.option["rho"]) for name, M in self.M.items()}

    def preserve(self, batch: Batch) -> Terms:
        parameters = self.parameters()
        self.before = {n: parameters[n].detach().clone() for n in self.P}
        return super().preserve(batch)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """W <- W_before + (W - W_before) P; what a method does with the new weights comes after that."""
        parameters = self.parameters()
        for name, old in self.before.items():
            p = parameters[name]
            p.copy_(old + projected(name, p - old, self.P[name]))
        super().after_step(step)

    @torch.no_grad()
    def after_task(self, task: Task) -> None:
        """Remember what the task's pictures let each projected layer read, as X^T X."""
        super().after_task(task)
        self.model.requires_grad_(True)
        self.before, grams = {}, {}
        for inputs in layer_inputs.of_all(self.model, task.train.images, self.clip.preprocess, self.resources):
            images_only = ((n, X) for n, X in inputs if n.startswith("visual."))
            layer_inputs.gram(images_only, grams, PROJECTED, each=1.0)
        for name, G in grams.items():
            G = (G / G.norm()).float()
            self.M[name] = self.M[name] + G if name in self.M else G

    def state(self) -> dict[str, Tensor]:
        return super().state() | {f"M/{n}": M for n, M in self.M.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        super().load_state(state)
        device = self.resources.device
        self.M = {k.removeprefix("M/"): t.to(device, copy=True) for k, t in state.items() if k.startswith("M/")}


@register("gnsp", "GNSP")
class GNSP(Projected):
    """L = CE + alpha CD + beta ITA on public pairs (a picture, the prompt of its class), teacher theta_0.

    Its steps are `Projected`. Published is the projection of the gradient (`project` "gradient"); it does not bind the
    step, since AdamW divides each entry by a scale of its own. Here the step itself is projected.
    """

    revision = 1  # its authors' rates and steps
    #: pictures: 0 for as many as GIFT has for a task (published: 1000 for both). lr: 0 for `SCHEDULES`.
    options = {"pictures": 0, "alpha": 1.0, "beta": 0.75, "rho": 0.15, "project": "step", "lr": 0.0}

    def __init__(self, *args):
        super().__init__(*args)
        o = self.option
        if o["project"] not in PROJECTS:
            raise ConfigError(f"project cannot be {o['project']!r}; {nearest(o['project'], PROJECTS)}")
        if min(o["pictures"], o["alpha"], o["beta"], o["lr"]) < 0:
            raise ConfigError("gnsp needs pictures, alpha, beta and lr of zero or more.")
        self.pairs: Pairs | None = None

    def learning_rate(self, task: Task) -> float:
        """The published multiple of the rate that methods share, or `lr`."""
        return self.option["lr"] or _scheduled(self.experiment, task)[0] * self.experiment.lr

    @classmethod
    def planned_steps(cls, e: Experiment, task: Task) -> int:
        """The published share of the steps that other methods take: 100, 500 or 1000 of 1000."""
        return max(1, round(_scheduled(e, task)[1] * e.steps / 10))

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.pairs = self.pairs or Pairs.of(self, self.option["pictures"] or self.experiment.images_per_task)
        self._hooks, trained = [], self.parameters()
        if self.option["project"] == "gradient":
            self._hooks = [trained[n].register_post_accumulate_grad_hook(partial(self._project, n)) for n in self.P]

    def preserve(self, batch: Batch) -> Terms:
        """alpha CD and beta ITA on the public pairs of a step."""
        if self.option["project"] == "step":
            super().preserve(batch)
        e, o, pairs = self.experiment, self.option, self.pairs
        draw = Shuffle(len(pairs.prompt_of), e.batch_size, partial(seeded, e.seed, self.task_index, "reference"))
        which = draw(batch.step).to(self.resources.device)
        prompts = pairs.prompt_of[which]
        images = encode_images(self.model, self.clip.preprocess.eval(pairs.pictures[which]))
        distinct, place = torch.unique(prompts, return_inverse=True)
        texts = encode_texts(self.model, pairs.tokens[distinct])[place]
        M = losses.similarity(images, texts, self.scale)
        M_teacher = losses.similarity(pairs.teacher.images[which], pairs.teacher.texts[prompts], self.scale)
        cd = losses.contrastive_distillation(M_teacher, M, e.temperature)
        return {
            "cd": o["alpha"] * cd,
            "ita": o["beta"] * losses.image_text_alignment(M, prompts, e.label_smoothing),
        }

    @torch.no_grad()
    def _project(self, name: str, p: nn.Parameter) -> None:
        p.grad.copy_(projected(name, p.grad, self.P[name]))

    def after_task(self, task: Task) -> None:
        for hook in self._hooks:
            hook.remove()
        super().after_task(task)


@dataclass(frozen=True)
class Pairs:
    """Public pictures with prompts, and the pre-trained model's answers to both."""

    pictures: UInt8[Tensor, "n 3 s s"]
    prompt_of: Int64[Tensor, " n"]
    tokens: Int64[Tensor, "k l"]
    teacher: Teacher

    @classmethod
    def of(cls, method: Method, n: int) -> "Pairs":
        resources, prompts = method.resources, method.resources.reference_prompts(n)
        pictures = squares(resources.reference_images(n), method.clip.preprocess, resources)
        distinct = sorted(set(prompts))
        place = {p: i for i, p in enumerate(distinct)}
        prompt_of = torch.tensor([place[p] for p in prompts], device=resources.device)
        tokens = method.clip.tokenize(distinct).to(resources.device)
        with borrowed(method.clip.trained(), method.initial):
            teacher = Teacher.of(method.clip, TensorImages(pictures), tokens, resources)
        return cls(pictures, prompt_of, tokens, teacher)


def null_space(M: Float[Tensor, "i i"], rho: float) -> Float[Tensor, "i i"]:
    """P = V V^T: V are the eigenvectors of M with the smallest eigenvalues, whose sum is below `rho` of all."""
    values, vectors = torch.linalg.eigh(M.double())
    values = values.clamp(min=0)
    V = vectors[:, : int((values.cumsum(0) < rho * values.sum()).sum())]
    return (V @ V.T).float()


def projected(name: str, D: Float[Tensor, "..."], P: Float[Tensor, "i i"]) -> Float[Tensor, "..."]:
    """A change without what finished tasks read: a matrix is [out, in], but `visual.proj` [in, out]."""
    return P @ D if name == "visual.proj" else D @ P
