"""`make bench`: print the tables and write build/bench/*.json.

python -m tests.benchmarks [--device cuda] [--pairs 5] [--depth 12] [--only step evaluation] [--models mini vit]
"""

import argparse
import gc
import importlib.util
import os
from collections.abc import Callable

import torch

from tests.benchmarks import evaluation, models, step
from tests.benchmarks.timing import Comparison, report, use_cpu_time

PARTS = {"step": step.measure, "evaluation": evaluation.measure}
NAMES = [*PARTS, "methods", "generation"]
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
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds instead of wall-clock, for a busy machine")
    return parser.parse_args()


def depth_that_fits(wanted: int, classes: int, device: str) -> int:
    """The largest depth up to `wanted` at which the plain step fits into memory."""
    if device.startswith("cuda"):
        free = torch.cuda.mem_get_info()[0]
    else:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    tokens = (classes + 16) * 77 + 32 * 197 * 1.5
    for depth in range(wanted, 1, -1):
        weights = 4 * (26e6 + depth * 10.3e6) * 11  # model, teacher, theta_prev, gradients, F, graph, two AdamW
        if weights + 4 * tokens * depth * PER_TOKEN_AND_BLOCK < 0.9 * free:
            return depth
    return 1


def rows(measure: Callable[..., Comparison], options: argparse.Namespace) -> list[Comparison]:
    found = []
    if "mini" in options.models:
        found.append(measure(models.mini(options.device), 12, 32, options.device, options.pairs))
    for classes in options.classes if "vit" in options.models else ():
        depth = depth_that_fits(options.depth, classes, options.device)
        note = "" if depth == 12 else f"[{depth} of 12 blocks per tower]"
        found.append(measure(models.vit_b_16(options.device, depth), classes, 16, options.device, options.pairs, note))
        gc.collect()
    return found


def main() -> None:
    options = arguments()
    if options.cpu_time:
        use_cpu_time()
    for name in options.only:
        if name in PARTS:
            report(name, rows(PARTS[name], options), options.device)
        elif importlib.util.find_spec(f"tests.benchmarks.{name}"):
            importlib.import_module(f"tests.benchmarks.{name}").main(options.device)


if __name__ == "__main__":
    main()
