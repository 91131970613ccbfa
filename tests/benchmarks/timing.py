"""Timing in alternating pairs, so that a machine that slows down slows both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from gift_lib import results
from gift_lib.files import write_json

OUTPUT = Path("build/bench")
CLOCK = [time.perf_counter]


@dataclass(frozen=True)
class Comparison:
    """Seconds of one unit of work, the plain way and ours, as medians over pairs; `speedup` is the median ratio."""

    name: str
    unit: str
    plain: float
    ours: float
    speedup: float
    #: Smallest and largest ratio among the pairs.
    spread: tuple[float, float]
    pairs: int
    note: str = ""


def compare(
    name: str,
    unit: str,
    plain: Callable[[], object],
    ours: Callable[[], object],
    *,
    pairs: int = 5,
    device: str = "cpu",
    extra: float = 0.0,
    per: int = 1,
    note: str = "",
) -> Comparison:
    """Time both in turn, `pairs` times after one warm-up each. `extra` seconds are added to each of ours.

    Each call does `per` units of work.
    """
    seconds(plain, device), seconds(ours, device)
    rows = [(seconds(plain, device) / per, seconds(ours, device) / per + extra) for _ in range(pairs)]
    ratios = [a / b for a, b in rows]
    return Comparison(
        name, unit, statistics.median(a for a, _ in rows), statistics.median(b for _, b in rows),
        statistics.median(ratios), (min(ratios), max(ratios)), pairs, note,
    )  # fmt: skip


def seconds(work: Callable[[], object], device: str) -> float:
    """Seconds of one call: on the wall, the GPU's queue included, or of CPU time (`use_cpu_time`)."""
    _wait(device)
    start = CLOCK[0]()
    work()
    _wait(device)
    return CLOCK[0]() - start


def use_cpu_time() -> None:
    """Count the process's CPU seconds over all threads: what to use on a machine that others share."""
    CLOCK[0] = time.process_time


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def report(name: str, rows: list[Comparison], device: str) -> None:
    """Print a table and write build/bench/<name>.json."""
    clock = "CPU time" if CLOCK[0] is time.process_time else "wall-clock time"
    print(f"\n{name} ({clock}, {device}, {torch.get_num_threads()} threads)")
    print(f"{'':38} {'plain':>11} {'ours':>11} {'speed-up':>9}   (spread over pairs)")
    for r in rows:
        spread = f"({r.spread[0]:.2f} to {r.spread[1]:.2f}, {r.pairs} pairs)"
        print(f"{r.name:38} {r.plain * 1e3:8.2f} ms {r.ours * 1e3:8.2f} ms {r.speedup:8.2f}x   {spread} {r.note}")
    value = {
        "clock": clock,
        "rows": [asdict(r) for r in rows],
        "threads": torch.get_num_threads(),
        **results.environment(device),
    }
    write_json(OUTPUT / f"{name}.json", value)
