"""The one loop: generate, fit, evaluate, grow the pool. It knows no method by name."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from gift_lib import checkpoint, data, methods, results
from gift_lib.checkpoint import Kept, Progress, State
from gift_lib.clip import gradient_checkpointing
from gift_lib.clip import load as load_clip
from gift_lib.clip import weights_digest as clip_digest
from gift_lib.config import Experiment
from gift_lib.data.cache import train_view
from gift_lib.device import ahead, deterministic, find_device, warn_of_emulation
from gift_lib.errors import ConfigError, NumericsError
from gift_lib.evaluation import evaluate_openly
from gift_lib.files import cache_root, check_writable, digest, expanded
from gift_lib.generate import Source, SyntheticSet, weights_digest
from gift_lib.methods.base import Batch, Method, Resources, Shuffle, Terms, seeded
from gift_lib.methods.outside import source_digest
from gift_lib.pool import prompt_stream
from gift_lib.tasks import Task

#: Points per loss curve in a record: means over equal windows of steps.
LOSS_POINTS = 40


@dataclass(frozen=True)
class Runtime:
    """Where and how a run happens: nothing here changes its result on one kind of hardware.

    `device` "auto" is the best that is there. `checkpoint_every` is in steps. `workers` is the number of
    processes that generate pictures, each on the next GPU where there are several. `keep_models` leaves the model
    after each task in the cache, for those who want to look at it (`kept_of`).
    """

    device: str = "cpu"
    data_dir: str | None = None
    cache_dir: str | None = None
    workers: int = 1
    checkpoint_every: int = 100
    progress: bool = True
    keep_models: bool = False

    def __post_init__(self):
        object.__setattr__(self, "device", find_device(self.device))
        for name in ("workers", "checkpoint_every"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigError(f"{name} must be a whole number from 1, not {value!r}.")
        for name in ("data_dir", "cache_dir"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, (str, os.PathLike)):
                raise ConfigError(f"{name} must be a folder or None, not {value!r}.")

    @property
    def cache(self) -> Path:
        return expanded(self.cache_dir) if self.cache_dir else cache_root()


LOCAL = Runtime()


def run(experiment: Experiment, runtime: Runtime = LOCAL, results_dir: str | Path | None = None) -> results.Record:
    """Run one experiment from the pre-trained model to its record; go on where a killed run stopped.

    With `results_dir` a current record found there is returned as it is (unless its models are asked for and were not
    kept), and a new one is written there.
    Raises ConfigError, DataError or NumericsError with the remedy; what was done is kept.
    """
    methods.check(experiment)
    tasks = data.load_tasks(experiment, runtime.data_dir, runtime.cache_dir)
    data.fetch(experiment, runtime.data_dir, runtime.cache_dir)
    address = results.Address(experiment, identity_of(experiment, runtime))
    state = state_of(address.key, runtime)
    kept = kept_of(address, runtime) if runtime.keep_models else None
    known = address.find(results_dir) if results_dir else None
    if known and not (kept and kept.record is None):
        checkpoint.discard(state)  # left by a run killed after its record was written
        return known
    if results_dir:
        check_writable(address.path(results_dir).parent)  # known before hours of training, not after
    with checkpoint.workplace(state) as folder, numerics(runtime.device):
        record = _run(address, tasks, runtime, checkpoint.state_in(folder, address.key, runtime.device), kept)
        if kept:
            kept.finish(record)
        if results_dir:
            results.write(record, results_dir)
    return record


def state_of(key: str, runtime: Runtime = LOCAL) -> Path:
    """Where an unfinished run keeps its state, by the key of its record."""
    return runtime.cache / "runs" / key


def kept_of(address: results.Address, runtime: Runtime = LOCAL) -> Kept:
    """Where a run with `keep_models` leaves its models, on this kind of machine."""
    return checkpoint.kept_in(runtime.cache / "models", address.path("").name, runtime.device)


def identity_of(experiment: Experiment, runtime: Runtime = LOCAL) -> dict[str, Any]:
    """World and weight hashes and the numerics version, without training anything.

    Also the digest of what a method brings along: of its file where that lies outside the package, else of its preset
    for this scale and its revision, which no configuration holds. Once these are edited, its runs are others.
    """
    method = methods.find(experiment.method)
    generates = method.uses_synthetic and experiment.synthetic_source == "diffusion"
    brought = {**method.presets.get(experiment.scale, {}), **({"revision": method.revision} if method.revision else {})}
    own = source_digest(experiment.method) or (digest(brought) if brought else "")
    return results.identity(
        world=data.world_hash(experiment, runtime.data_dir, runtime.cache_dir),
        clip=clip_digest(experiment.model),
        pipeline=weights_digest(experiment.pipeline) if generates else "",
    ) | ({"method": own} if own else {})


def _run(
    address: results.Address, tasks: list[Task], runtime: Runtime, state: State, kept: Kept | None
) -> results.Record:
    e, started, stages, cpu = address.experiment, time.perf_counter(), Counter(), Counter()
    method = build_method(e, runtime, len(tasks))
    source = Source(e, runtime) if method.uses_synthetic else None
    done, resumed = checkpoint.restore(state, method)
    if not done.zero_shot:
        row = evaluate_openly(method, tasks, [])
        done.zero_shot, done.zero_shot_all = row.own, row.every
    counts: Counter[str] = Counter()

    for t, (task, prompts) in enumerate(zip(method.phases(tasks), prompt_stream(e, tasks), strict=False)):
        if t >= len(done.R):
            with _timed("generate", stages, cpu):
                synthetic = source(prompts, counts) if source else None
            with _timed("fit", stages, cpu):
                fit(method, t, task, synthetic, runtime, done, partial(checkpoint.save, state, method, done))
            with _timed("evaluate", stages, cpu):
                done.add(evaluate_openly(method, tasks, learned(method, tasks, t)))
            done.synthetic.append(synthetic.digest if synthetic else "")
            done.step = 0
            if kept:
                kept.add(t, method)
            checkpoint.save(state, method, done)
        counts.update(prompts)
    run_block = {"seconds": time.perf_counter() - started, "stages": dict(stages),
                 "cpu_stages": dict(cpu), "resumed": resumed,
                 "peak_memory_bytes": results.peak_memory_bytes(runtime.device),
                 **results.environment(runtime.device)}  # fmt: skip
    return address.record(_result(tasks, method, done), run_block)


def learned(method: Method, tasks: list[Task], t: int) -> list[Task]:
    """The tasks that the method has learned after phase t: those so far, that one alone, or all together."""
    return {"continual": tasks[: t + 1], "alone": tasks[t : t + 1], "joint": tasks}[method.form]


def fit(
    method: Method,
    t: int,
    task: Task,
    synthetic: SyntheticSet | None,
    runtime: Runtime,
    done: Progress,
    save: Callable[..., None],
) -> None:
    """Train on one task for the method's number of steps, from `done.step` on; writes its loss curves into `done`."""
    e, steps = method.experiment, method.steps(task)
    method.task_index = t
    start = checkpoint.snapshot(method)
    method.before_task(task, synthetic)
    if not method.trains:
        return
    learner = Learner(method, method.learning_rate(task), steps)
    checkpoint.resume(method, learner, done)
    curves = done.losses.setdefault(task.name, {})
    batches = Batches(e, t, task, synthetic, method)
    bar = tqdm(total=steps, initial=done.step, desc=f"{t + 1} {task.name}", leave=False, disable=not runtime.progress)
    method.model.train()
    with bar:
        for batch in ahead(batches, range(done.step, steps), method.resources.device):
            terms = learner.step(batch)
            for name, value in terms.items():
                curves.setdefault(name, []).append(value)
            done.step += 1
            method.after_step(done.step)
            bar.update()
            if done.step % runtime.checkpoint_every == 0 and done.step < steps:
                save(start=start, learner=learner)
    method.after_task(task)


class Batches:
    """The batch of any step, computed from seed, task and step alone: a resumed run draws the same ones."""

    def __init__(self, e: Experiment, t: int, task: Task, synthetic: SyntheticSet | None, method: Method):
        self.e, self.t, self.split, self.method = e, t, task.train, method
        self.real = Shuffle(len(task.train), e.batch_size, partial(seeded, e.seed, t, "real"))
        drawn = len(synthetic.prompts) if synthetic else 0
        self.drawn = Shuffle(drawn, e.synthetic_batch_size, partial(seeded, e.seed, t, "synthetic"))

    def __call__(self, step: int) -> Batch:
        index, device = self.real(step), self.method.resources.device
        crop = seeded(self.e.seed, self.t, "crop", step)
        images = train_view(self.split.images, index, self.method.clip.preprocess, crop, device)
        return Batch(step, images, self.split.labels[index].to(device), self.drawn(step))


class Learner:
    """AdamW with warm-up and cosine decay, new for each task (published settings in `Experiment`)."""

    def __init__(self, method: Method, lr: float, steps: int):
        self.method, self.lr, self.steps, self.e = method, lr, steps, method.experiment
        self.parameters = method.parameters()
        self.device = method.resources.device
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=lr, betas=(0.9, 0.999), weight_decay=self.e.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )  # fmt: skip
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.e.precision == "fp16")

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; the value of every loss term. Raises NumericsError where one is not finite."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(batch.step, self.steps, self.e.warmup, self.lr)
        self.optimizer.zero_grad(set_to_none=True)
        # The gradient of what preserves comes first and alone: AWC reads it before the task's is added.
        preserved = self._backward(self.method.preserve, batch)
        penalty = self.method.penalty
        if penalty is not None and preserved:
            penalty.update(self.parameters, unscale=1.0 / self.scaler.get_scale())
        learned = self._backward(self.method.loss, batch)
        self.scaler.unscale_(self.optimizer)
        if penalty is not None:
            penalty.add_gradient(self.parameters, self.e.consolidation_weight)
        self._lay_out()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return learned | preserved

    def _lay_out(self) -> None:
        """Gradients in the memory order of their weights: the fused optimiser on a CPU reads both in step, unasked."""
        for p in self.parameters.values():
            if p.grad is not None and p.grad.stride() != p.stride():
                p.grad = torch.empty_like(p).copy_(p.grad)

    def _backward(self, terms_of: Callable[[Batch], Terms], batch: Batch) -> dict[str, float]:
        """Add the gradient of the sum of some terms to `.grad`; their values."""
        with self.method.clip.autocast():
            terms = terms_of(batch)
        values = {k: float(v.detach()) for k, v in terms.items()}
        self._check(values, batch.step)
        if terms:
            self.scaler.scale(sum(terms.values())).backward()
        return values

    def _check(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise NumericsError(
                    f"the loss {name!r} is {value} at step {step + 1} of task {self.method.task.name!r}. "
                    "Lower the learning rate, or use precision fp32; finished tasks are kept in the checkpoint."
                )

    def state(self) -> dict[str, Tensor]:
        """The optimiser's moments by parameter name."""
        of = self.optimizer.state
        return {f"{m}/{n}": of[p][m] for n, p in self.parameters.items() for m in of[p]}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The reverse of `state`."""
        for name, tensor in state.items():
            moment, parameter = name.split("/", 1)
            self.optimizer.state[self.parameters[parameter]][moment] = tensor.to(
                self.device if moment != "step" or self.device.type == "cuda" else "cpu"
            )


def learning_rate(step: int, steps: int, warmup: float, peak: float) -> float:
    """Linear warm-up over `warmup * steps` steps, then a cosine to 0. `step` counts from 0."""
    ramp = round(warmup * steps)
    if step < ramp:
        return peak * (step + 1) / ramp
    return 0.5 * peak * (1 + math.cos(math.pi * (step - ramp) / (steps - ramp)))


def build_method(e: Experiment, runtime: Runtime, task_count: int) -> Method:
    """The experiment's method over the pre-trained CLIP, with the reference data that it may ask for."""
    device = torch.device(runtime.device)
    warn_of_emulation(runtime.device, e.precision)
    clip = load_clip(e.model, runtime.device, e.precision)
    if e.checkpoint_activations:
        gradient_checkpointing(clip.model)
    resources = Resources(
        reference_images=lambda n: data.reference_images(e, n, runtime.data_dir, runtime.cache_dir),
        reference_prompts=lambda n: data.reference_prompts(e, n, runtime.data_dir),
        captions=lambda n: data.reference_captions(e, n, runtime.data_dir),
        task_count=task_count,
        device=device,
    )
    return methods.build(clip, e, resources)


def _result(tasks: list[Task], method: Method, done: Progress) -> dict[str, Any]:
    losses = {t: {k: _windows(v) for k, v in terms.items()} for t, terms in done.losses.items()}
    return {
        "form": method.form,
        "tasks": [t.name for t in tasks],
        **{name: _rounded(getattr(done, name)) for name in ("R", "R_all", "R_learned", "zero_shot", "zero_shot_all")},
        "losses": losses,
        "synthetic": done.synthetic,
    }


def _rounded(values: Any) -> Any:
    """Accuracies to four places, whatever lists they stand in."""
    if isinstance(values, list):
        return [_rounded(v) for v in values]
    return None if values is None else round(values, 4)


def _windows(values: list[float]) -> list[float]:
    """A curve as at most LOSS_POINTS means over equal windows, five significant digits."""
    width = math.ceil(len(values) / LOSS_POINTS)
    return [
        float(f"{math.fsum(w) / len(w):.5g}") for w in (values[i : i + width] for i in range(0, len(values), width))
    ]


@contextmanager
def numerics(device: str) -> Iterator[None]:
    """One thread on a CPU and deterministic kernels on a GPU: the same seed gives the same bytes."""
    threads = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        with deterministic():
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _timed(name: str, stages: Counter, cpu: Counter) -> Iterator[None]:
    """Add to both the seconds of the block: by the clock, and of this process's CPU time (other jobs do not count)."""
    start, used = time.perf_counter(), time.process_time()
    yield
    stages[name] += time.perf_counter() - start
    cpu[name] += time.process_time() - used
