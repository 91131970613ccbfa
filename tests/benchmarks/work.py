"""One piece of work, done again and again on demand: what `against` runs on two revisions.

`python work.py NAME` prepares the work NAME with whatever gift_lib is on its path, prints "ready", and then for each
line that it is sent does the work once and prints the processor seconds of one unit. `python work.py NAME profile`
prints where the time of a unit goes. It imports nothing of today's tree, so that an old revision runs its own code;
where modules have moved, both places are tried.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import torch

from gift_lib import data, training
from gift_lib.config import experiment
from gift_lib.evaluation import evaluate
from gift_lib.pool import prompt_stream
from gift_lib.training import Runtime

#: A piece of work, and how many units it does.
Work = tuple[Callable[[], object], int]


def find(name: str, *modules: str):
    """`name` from the first of some modules that has it."""
    for module in modules:
        try:
            return getattr(importlib.import_module(f"gift_lib.{module}"), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"no {name} in any of {modules}")


def step(method: str, steps: int = 4) -> Work:
    """Steps of a method on the second task, as the loop does them: batch, losses, gradients, optimiser."""
    e = experiment(method=method, synthetic_source="real")
    tasks, runtime = data.load_tasks(e)[:2], Runtime(progress=False)
    made = training.build_method(e, runtime, 11)
    synthesize = find("synthesize", "generation", "generate")
    for t, (task, prompts) in enumerate(zip(tasks, prompt_stream(e, tasks), strict=False)):
        synthetic = synthesize(e, prompts, {}, runtime) if made.uses_synthetic else None
        made.task_index = t
        made.before_task(task, synthetic)
        if t == 0 and method == "icarl":
            made.after_task(task)  # its memory
    learner = training.Learner(made, made.learning_rate(task), e.steps)
    batches = training.Batches(e, t, task, synthetic, made)
    made.model.train()
    numbers = iter(range(10**9))

    def work() -> None:
        for _ in range(steps):
            learner.step(batches(next(numbers) % 200))

    return work, steps


def evaluation() -> Work:
    """The pre-trained model on all tasks."""
    e = experiment(method="finetune")
    tasks = data.load_tasks(e)
    made = training.build_method(e, Runtime(progress=False), len(tasks))
    return lambda: evaluate(made, tasks), 1


def generation(pictures: int = 16) -> Work:
    """Pictures of the scale model's pipeline, 20 steps, in the revision's own chunks."""
    homes = ("generation", "generation.painter", "generation.pipeline", "generation.draws", "generate")
    spec = find("PipelineSpec", *homes)("mini")
    sampler = spec.sampler(20, 7.5, "dpm++")
    painter = find("Painter", "generation.painter", *homes)(spec.load(), sampler)
    wanted = find("draws", "generation.draws", "generate")([f"a photo of a {i}." for i in range(pictures)], 0)
    chunks = [wanted[i : i + sampler.chunk] for i in range(0, pictures, sampler.chunk)]
    return lambda: [painter(chunk) for chunk in chunks], pictures


def vit(classes: int, batch: int = 16) -> Work:
    """GIFT's step on ViT-B/16 with random weights, 16 real and 16 synthetic pictures of noise."""
    from tests.benchmarks import models
    from tests.benchmarks import step as plain

    method, one = plain.setting(models.vit_b_16("cpu", 12), classes, batch, "cpu")
    learner = training.Learner(method, 1e-5, 1000)
    method.model.train()
    return lambda: learner.step(one), 1


def short_run(method: str) -> None:
    """A run of two tasks: a quarter of the steps and pictures that a run has, all drawn, both tasks evaluated."""
    import tempfile

    e = experiment(method=method)
    e = e.replace(tasks=tuple(t.name for t in data.load_tasks(e)[:2]), steps=e.steps // 4)
    e = e.replace(images_per_task=e.images_per_task // 4)
    with tempfile.TemporaryDirectory() as folder:
        training.run(e, Runtime(progress=False, cache_dir=folder))


def batch_job(beyond: bool) -> float:
    """Processor seconds of a run as a job of a batch (locks, papermill, a kernel, the page's tables and figures).

    `beyond`: beyond those of the same run as a plain script. A tree whose scripts import less has more beyond them,
    so the two are read together.
    """
    import tempfile

    from tests.benchmarks import engine

    with tempfile.TemporaryDirectory() as folder:
        values = {"method": "zero-shot", "order": "I", "scale": "mini", "overrides": {"tasks": engine.TINY["tasks"]},
                  "results": folder, "device": "cpu"}  # fmt: skip
        ways = (engine.plain, engine.plain, engine.job) if beyond else (engine.plain, engine.job)
        *_, script, job = (engine.seconds(way({**values, "seed": i}), folder)[1] for i, way in enumerate(ways))
    return job - script if beyond else job


def peak() -> float:
    """Mebibytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


#: What is a process of its own, from its start: what is done in it, and the figure that is read at its end.
ALONE: dict[str, tuple[Callable[[], object], Callable[[], float]]] = {
    "import": (lambda: None, time.process_time),
    "zero-shot run": (partial(short_run, "zero-shot"), time.process_time),
    "gift run": (partial(short_run, "gift"), time.process_time),
    "job": (lambda: None, partial(batch_job, beyond=False)),
    "engine": (lambda: None, partial(batch_job, beyond=True)),
    "memory": (partial(short_run, "gift"), peak),
}

WORKS: dict[str, Callable[[], Work]] = {
    **{f"step {m}": partial(step, m) for m in ("gift", "lwf", "zscl", "icarl", "moe-adapter", "finetune")},
    "evaluation": evaluation,
    "picture": generation,
    "vit 100": partial(vit, 100),
    "vit 397": partial(vit, 397),
}


def profile(work: Callable[[], object], units: int, repeats: int = 3) -> dict:
    """Processor milliseconds of a unit, and how its time divides among torch's operations (shares by name)."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) / units * 1e3)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        work()
    own = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    return {"ms": sorted(taken)[repeats // 2], "shares": {k: v / sum(own.values()) for k, v in own.items()}}


def main(name: str, how: str = "turns") -> None:
    torch.set_num_threads(1)
    if name in ALONE:
        act, read = ALONE[name]
        act()
        return print(read(), flush=True)
    work, units = WORKS[name]()
    with training.numerics("cpu"):
        work()
        if how == "profile":
            return print(json.dumps(profile(work, units)), flush=True)
        print("ready", flush=True)
        for _ in sys.stdin:
            start = time.process_time()
            work()
            print((time.process_time() - start) / units, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
