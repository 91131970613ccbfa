"""`make bench`: print the tables and write build/bench/*.json.

python -m tests.benchmarks [--device cuda] [--pairs 5] [--depth 12] [--only step evaluation] [--models mini vit]

On a GPU: ViT-B/16 at 64 + 64 images in fp32 and in half precision, the memory of a step, Stable Diffusion at 50 and
25 steps, and `table1`, which projects the hours of the paper's Table 1. On a CPU `table1` projects the scale model's.
"""

import argparse
import ctypes
import gc
import importlib
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from gift_lib.device import find_device
from gift_lib.errors import ConfigError
from tests.benchmarks import evaluation, models, step
from tests.benchmarks.timing import Comparison, report, use_cpu_time

PARTS = {"step": step.measure, "evaluation": evaluation.measure}
NAMES = [*PARTS, "methods", "generation", "engine", "table1"]
#: Activations that the plain step keeps per text token and block, in numbers (width 512, QuickGELU).
PER_TOKEN_AND_BLOCK = 12_800


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--depth", type=int, default=12, help="blocks per tower of ViT-B/16")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--models", nargs="+", choices=["mini", "vit"], default=["mini", "vit"])
    parser.add_argument("--classes", nargs="+", type=int, default=[100, 397], help="for ViT-B/16")
    parser.add_argument("--batch", type=int, default=0, help="images of ViT-B/16's batches (64 on a GPU, 16 on a CPU)")
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16", "fp16"], help="of ours, for ViT-B/16")
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds instead of wall-clock, for a busy machine")
    options = parser.parse_args()
    try:
        options.device = find_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    return options


def depth_that_fits(wanted: int, classes: int, device: str, batch: int = 16) -> int:
    """The largest depth up to `wanted` at which the plain step on `batch` + `batch` images fits into memory."""
    free = torch.cuda.mem_get_info()[0] if device.startswith("cuda") else available_memory()
    tokens = (classes + batch) * 77 + 2 * batch * 197 * 1.5
    for depth in range(wanted, 1, -1):
        weights = 4 * (26e6 + depth * 10.3e6) * 11  # model, teacher, theta_prev, gradients, F, graph, two AdamW
        if weights + 4 * tokens * depth * PER_TOKEN_AND_BLOCK < 0.9 * free:
            return depth
    return 1


def available_memory() -> int:
    """Bytes that a process can take: Linux gives back what it caches of files, and tells how much that is."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        found = re.search(r"^MemAvailable:\s*(\d+) kB", meminfo.read_text(), re.MULTILINE)
        return int(found[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def rows(measure: Callable[..., Comparison], options: argparse.Namespace) -> list[Comparison]:
    found = []
    if "mini" in options.models:
        found.append(measure(models.mini(options.device), 12, 32, options.device, options.pairs))
    gpu = options.device.startswith("cuda")
    batch = options.batch or (64 if gpu else 16)
    for classes in options.classes if "vit" in options.models else ():
        depth = depth_that_fits(options.depth, classes, options.device, batch)
        note = "" if depth == 12 else f"[{depth} of 12 blocks per tower]"
        for precision in options.precisions or (["fp32", "bf16"] if gpu else ["fp32"]):
            clip = models.vit_b_16(options.device, depth)
            found.append(measure(clip, classes, batch, options.device, options.pairs, note, precision))
            print(f"    {found[-1].name}: {found[-1].speedup:.2f} times {note}", flush=True)
            del clip
            free()
    return found


def free() -> None:
    """Give memory back between rows."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what was freed; the next row may need it
    if trim:
        trim(0)


def main() -> None:
    options = arguments()
    if options.cpu_time:
        use_cpu_time()
    failed = []
    for name in options.only:
        try:
            part(name, options)
        except Exception:  # the other tables are worth having
            traceback.print_exc()
            failed.append(name)
        free()
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def part(name: str, options: argparse.Namespace) -> None:
    """Measure and print one table."""
    if name in PARTS:
        report(name, rows(PARTS[name], options), options.device)
    else:
        importlib.import_module(f"tests.benchmarks.{name}").main(options.device)
    if name == "step" and options.device.startswith("cuda"):
        for row, gib in step.memory_rows(options.device):
            print(f"    {gib:6.1f} GiB at most: ours, 397 classes, {row}")
            free()


if __name__ == "__main__":
    main()
