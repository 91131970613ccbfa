"""Timing in alternating pairs, so that a machine that slows down slows both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from gift_lib import results
from gift_lib.files import write_json
from gift_lib.runs import dry_run

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
    #: What else was measured: operations, share of the device's peak, peak bytes of memory, units per second.
    facts: dict[str, float] = field(default_factory=dict)


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
    print(f"{'':46} {'plain':>11} {'ours':>11} {'speed-up':>9}   (spread over pairs)")
    for r in rows:
        spread = f"({r.spread[0]:.2f} to {r.spread[1]:.2f}, {r.pairs} pairs)"
        print(f"{r.name:46} {r.plain * 1e3:8.2f} ms {r.ours * 1e3:8.2f} ms {r.speedup:8.2f}x   {spread} {r.note}")
        for fact, value in r.facts.items():
            print(f"    {fact}: {value:,.4g}")
    value = {
        "clock": clock,
        "rows": [asdict(r) for r in rows],
        "threads": torch.get_num_threads(),
        **results.environment(device),
    }
    write_json(OUTPUT / f"{name}.json", value)


#: Dense operations per second by the makers' data sheets: (fp32 without tensor cores, half precision).
PEAKS = {
    "H200": (67e12, 989e12), "H100": (67e12, 989e12), "A100": (19.5e12, 312e12), "L40": (90.5e12, 362e12),
    "L4": (30.3e12, 121e12), "V100": (15.7e12, 125e12), "T4": (8.1e12, 65e12),
}  # fmt: skip


def peak_rate(device: str, precision: str) -> tuple[float, str]:
    """Operations per second that the device can do at most, and where the number comes from."""
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
        known = next((v for k, v in PEAKS.items() if k in name), None)
        if known:
            return known[0 if precision == "fp32" else 1], "data sheet"
    return dry_run.matrix_rate(device, precision), "measured on a large matrix product"


def peak_bytes(work: Callable[[], object], device: str) -> int:
    """The most memory that a GPU held during `work`; 0 elsewhere."""
    if not device.startswith("cuda"):
        work()
        return 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    _wait(device)
    return torch.cuda.max_memory_allocated()
