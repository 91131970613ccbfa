"""Each method against GIFT: seconds and memory of a short sequence in the real loop, on one thread.

python -m tests.benchmarks --only methods

The bars: at most twice GIFT's time (MoE-Adapter three times) and twice its memory. GIFT's generation is not
counted, which makes the bars stricter. What a run does once (ZSCL's teacher on its reference pictures,
MoE-Adapter's first autoencoder) falls on three tasks here and on eleven in a real run.
"""

import multiprocessing
import resource
import time
from dataclasses import asdict, dataclass, replace

import torch

from gift_lib import methods, results, training
from gift_lib.config import experiment
from gift_lib.evaluation import evaluate_openly
from gift_lib.files import write_json
from gift_lib.methods.base import Resources
from gift_lib.tasks import TensorImages
from gift_lib.training import Progress, Runtime
from tests.benchmarks import models
from tests.benchmarks.timing import OUTPUT

BARS = {"moe-adapter": 3.0}
BAR = 2.0


@dataclass(frozen=True)
class Row:
    """CPU seconds of the sequence, and mebibytes of peak memory beyond the loaded libraries and CLIP's weights."""

    name: str
    title: str
    seconds: float
    mebibytes: float
    time_ratio: float = 1.0
    memory_ratio: float = 1.0

    @property
    def within(self) -> bool:
        return self.time_ratio <= BARS.get(self.name, BAR) and self.memory_ratio <= BAR


def sequence(name: str, tasks: int, steps: int, device: str) -> None:
    """Fit a method on a few tasks of twelve classes and evaluate it on all of them after each."""
    clip = models.mini(device)
    size = clip.preprocess.size
    e = experiment(method=name, steps=steps)
    public = Resources(
        lambda n: TensorImages(models.pixels(n, size, 3)),
        lambda n: [f"a photo of a thing numbered {k % 100}." for k in range(n)],
        lambda n: [f"a photo of {k} things in a row." for k in range(n)], tasks, torch.device(device),
    )  # fmt: skip
    method, data = methods.build(clip, e, public), [models.task(12, 384, size) for _ in range(tasks)]
    data = [replace(t, name=f"task {k}") for k, t in enumerate(data)]
    synthetic = models.synthetic(e.images_per_task, size)
    for t, phase in enumerate(method.phases(data)):
        given = synthetic if method.uses_synthetic else None
        training.fit(method, t, phase, given, Runtime(device, progress=False), Progress(), lambda **_: None)
        evaluate_openly(method, data, data[: t + 1])


def measure(name: str, tasks: int, steps: int, device: str) -> tuple[float, float]:
    """CPU seconds (on a GPU: wall-clock) and peak mebibytes of one sequence, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork" if device == "cpu" else "spawn")  # a GPU does not survive a fork
    process = context.Process(target=_measured, args=(name, tasks, steps, device, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _measured(name: str, tasks: int, steps: int, device: str, sender) -> None:
    clock = time.process_time if device == "cpu" else time.perf_counter
    torch.set_num_threads(1)
    before, start = _peak(device), clock()
    sequence(name, tasks, steps, device)
    sender.send((clock() - start, _peak(device) - before))


def _peak(device: str) -> float:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def table(tasks: int = 3, steps: int = 40, device: str = "cpu") -> list[Row]:
    """A row per method, with its ratios to GIFT."""
    rows = [Row(n, cls.title, *measure(n, tasks, steps, device)) for n, cls in sorted(methods.METHODS.items())]
    gift = next(r for r in rows if r.name == "gift")
    return [
        replace(r, time_ratio=r.seconds / gift.seconds, memory_ratio=r.mebibytes / max(gift.mebibytes, 1e-9))
        for r in rows
    ]


def main(device: str = "cpu") -> None:
    """Print the table and write build/bench/methods.json."""
    rows = table(device=device)
    print(f"\nmethods (three tasks of 40 steps and their evaluation, {device}, one thread)")
    print(f"{'':22}{'seconds':>9}{'x GIFT':>8}{'MiB':>8}{'x GIFT':>8}")
    for r in rows:
        verdict = "" if r.within else "   above its bar"
        print(f"{r.title:22}{r.seconds:9.2f}{r.time_ratio:8.2f}{r.mebibytes:8.0f}{r.memory_ratio:8.2f}{verdict}")
    value = {"rows": [asdict(r) for r in rows], **results.environment(device)}
    write_json(OUTPUT / "methods.json", value)


if __name__ == "__main__":
    main()
