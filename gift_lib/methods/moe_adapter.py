"""MoE-Adapter: a frozen CLIP with mixtures of adapters, and a selector that routes each picture."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from gift_lib import losses
from gift_lib.clip import Clip
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError, nearest
from gift_lib.methods import ddas
from gift_lib.methods.adapters import Routing, Shape, attach
from gift_lib.methods.base import Batch, Method, Resources, Terms, register, resolve_options, seeded
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Images, Task

#: Published for Order I; the same by data set for other orders. By `stands_for`, on the real scales.
LEARNING_RATES = {
    "Aircraft": 5e-3, "Caltech101": 1e-3, "CIFAR100": 5e-3, "DTD": 1e-3, "EuroSAT": 1e-4, "Flowers": 1e-3,
    "Food": 1e-3, "MNIST": 1e-4, "OxfordPet": 1e-3, "StanfordCars": 1e-3, "SUN397": 1e-3,
}  # fmt: skip

#: Who says which router a test picture takes.
ROUTES = ("ddas", "vote", "task")

#: Test pictures that vote together: the published code's batch.
VOTERS = 128


@register("moe-adapter", "MoE-Adapter")
class MoEAdapter(Method):
    """CE alone, on adapters beside each MLP of both towers; all weights of CLIP stay frozen.

    Each task has its own router (noisy top-2 of 22 experts, by a sequence's first token). Experts that nothing in
    a batch chose rest in that step; after a task the two experts that each block used most freeze. At test time
    DDAS picks the router of each picture, or the frozen CLIP for pictures of no known task; texts go through the
    same router.

    `lr` 0 takes the published list, `threshold_quantile` above 0 replaces the published threshold by that
    quantile of the first autoencoder's errors on its own training pictures. `route` "ddas" is the method,
    "vote" routes 128 pictures at once as the published code does, and "task" knows each picture's task (a bound
    on what any selector could reach).
    """

    options = {
        "experts": 22, "bottleneck": 64, "top": 2, "scale": 0.1, "dropout": 0.1, "lr": 0.0,
        "features": "alexnet", "hidden": 100, "autoencoder_steps": 300, "everything_else": 100_000,
        "everything_else_steps": 1000, "threshold": 0.0655, "threshold_quantile": 0.0, "route": "ddas",
    }  # fmt: skip
    #: mini: `lr` by the validation accuracy of tasks learned alone, as the shared one (`world choose --method`).
    #: The published threshold belongs to AlexNet's features; other features get theirs by the rule above.
    #: `everything_else` (TinyImageNet's 100K) is a share of the training pictures, as ZSCL's references are.
    presets = {
        "mini": {"lr": 1e-2, "features": "tower", "everything_else": 3698, "everything_else_steps": 300,
                 "threshold_quantile": 0.99},
        "colab": {"autoencoder_steps": 100, "everything_else": 3200, "everything_else_steps": 100},
    }  # fmt: skip

    def __init__(self, clip: Clip, experiment: Experiment, resources: Resources):
        o = resolve_options(type(self), experiment.method_options, experiment.scale)
        shape = Shape(o["experts"], resources.task_count, o["bottleneck"], o["top"], o["scale"], o["dropout"])
        self.routing = Routing()
        self.mixtures = attach(clip.model, shape, self.routing, seeded(experiment.seed, -1, "experts"))
        super().__init__(clip, experiment, resources)
        features = ddas.features_of(o["features"], clip, self.routing)
        self.selector = ddas.Selector(features, clip.preprocess, o["hidden"], o["threshold"])
        self.learned: dict[str, int] = {}
        if o["route"] not in ROUTES:
            raise ConfigError(f"route cannot be {o['route']!r}; {nearest(o['route'], ROUTES)}")

    def parameters(self) -> dict[str, nn.Parameter]:
        """The experts that are not frozen, and the current task's routers."""
        return {f"{name}.{n}": p for name, m in self.mixtures.items() for n, p in m.trained().items()}

    def learning_rate(self, task: Task) -> float:
        return self.option["lr"] or LEARNING_RATES.get(task.stands_for, 1e-3)

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.routing.task = self.learned[task.name] = self.task_index
        trained = self.parameters()
        for name, m in self.mixtures.items():
            m.usage.zero_()
            for n, p in m.named_parameters():
                p.requires_grad_(f"{name}.{n}" in trained)

    def loss(self, batch: Batch) -> Terms:
        self.routing.seed = (self.experiment.seed, self.task_index, batch.step)
        return super().loss(batch)

    def after_task(self, task: Task) -> None:
        for m in self.mixtures.values():
            m.freeze_used()
        if self.option["route"] == "task":  # nothing to select
            return
        if not self.selector.autoencoders:
            reference = self.resources.reference_images(self.option["everything_else"])
            self.learn_distribution(reference, self.option["everything_else_steps"])
            if self.option["threshold_quantile"]:
                self.selector.calibrate(reference, self.option["threshold_quantile"], self.resources)
        self.learn_distribution(task.train.images, self.option["autoencoder_steps"])

    def learn_distribution(self, images: Images, steps: int) -> None:
        """Train the selector's next autoencoder."""
        o, s = self.option, self.selector
        number = len(s.autoencoders)

        def seeds(stream: str, step: int = 0) -> torch.Generator:
            return seeded(self.experiment.seed, number, stream, step)

        s.autoencoders.append(
            ddas.train(images, s.preprocess, s.features, o["hidden"], steps, self.experiment.batch_size, seeds,
                       self.resources)
        )  # fmt: skip

    def predict(self, task: Task, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """Each picture, and the texts it is compared with, through the router that DDAS chose for it."""
        return self._through(self.routes(task, pixels), [task], pixels)

    def predict_among(self, tasks: Sequence[Task], pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """The same with the classes of several tasks; where `route` is "task" nothing is told: the frozen CLIP."""
        return self._through(self.routes(None, pixels), tasks, pixels)

    def _through(self, routes: Int64[Tensor, " b"], tasks: Sequence[Task], pixels: Tensor) -> Float[Tensor, "b c"]:
        logits = torch.empty(len(pixels), sum(len(t.classes) for t in tasks), device=pixels.device)
        for route in routes.unique().tolist():
            here = (routes == route).nonzero()[:, 0].to(pixels.device)
            with self.routing.through(route):
                texts = torch.cat([self.classifier(t) for t in tasks])
                logits[here] = losses.similarity(self._routed(route, here, pixels), texts, 1.0)
        return logits

    def _routed(self, route: int, here: Int64[Tensor, " k"], pixels: Tensor) -> Float[Tensor, "k d"]:
        """Embeddings of the pictures at `here` through the current router, which is `route`."""
        return self.once((route, tuple(here.tolist())), pixels, lambda: self._embed(pixels[here]))

    def routes(self, task: Task | None, pixels: UInt8[Tensor, "b 3 h w"]) -> Int64[Tensor, " b"]:
        """The router of each picture, -1 for the frozen CLIP; `task` is None where nobody says which it is."""
        if self.option["route"] == "task":
            return torch.full((len(pixels),), self.learned.get(task.name, -1) if task else -1)
        if self.option["route"] == "vote":
            return self.once("routes", pixels, lambda: self._voted(pixels))
        return self.once("routes", pixels, lambda: self.selector.route(pixels))

    def _voted(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Int64[Tensor, " b"]:
        return torch.cat([self.selector.route(part, vote=True) for part in pixels.split(VOTERS)])

    def classifier(self, task: Task) -> Float[Tensor, "c d"]:
        """The task's text embeddings through the current router, kept until `forget_classifiers`."""
        key = f"{self.routing.task} {task.name}"
        if key not in self._classifiers:
            self._classifiers[key] = super().classifier(task)
            del self._classifiers[task.name]
        return self._classifiers[key]

    def state(self) -> dict[str, Tensor]:
        learned = {f"learned/{name}": torch.tensor(t) for name, t in self.learned.items()}
        return super().state() | self.selector.state() | learned

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        super().load_state(state)
        if state:
            self.selector.load_state(state, self.resources.device)
            names = (k for k in state if k.startswith("learned/"))
            self.learned = {k.removeprefix("learned/"): int(state[k]) for k in names}
