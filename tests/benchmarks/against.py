"""This tree against an older revision: processor time of the same work, in turns, one thread.

`make bench-against REV=25e4bc6`, or `python -m tests.benchmarks.against 25e4bc6 [--only "step gift" ...]`.

The revision is checked out into a temporary worktree. For each piece of work two processes prepare it, one with each
tree's code (`work.py`), and then take turns, so that whatever slows the machine slows both. What a process does from
its start (imports, whole runs, memory) is done by a new one each time. Medians over the pairs go into
build/bench/against.json. Where the time of a step and of a picture goes in both trees (build/bench/profile.json)
comes last, or alone with --profile, and not at all with --only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gift_lib import results
from gift_lib.files import read_json, write_json
from tests.benchmarks import work
from tests.benchmarks.timing import OUTPUT

ROOT = Path(__file__).parents[2]
NAMES = [*work.WORKS, *work.ALONE]
#: Fewer pairs where one of them takes long.
SLOW = {"vit 100": 3, "vit 397": 3, "import": 5, "zero-shot run": 3, "gift run": 3,
        "job": 3, "engine": 3, "memory": 1}  # fmt: skip


#: What is profiled, and kinds of operations by words in torch's names for them.
PROFILED = ("step gift", "picture")
KINDS = {
    "convolutions": ("conv",),
    "attention": ("scaled_dot_product", "softmax", "bmm"),
    "products": ("aten::mm", "addmm", "linear"),
    "activations": ("gelu", "silu", "sigmoid"),
    "optimiser and penalty": ("adamw", "foreach", "vector_norm"),
    "norms": ("norm",),
    "copies and look-ups": ("copy", "fill", "cat", "clone", "index", "embedding", "contiguous", "empty"),
}


@dataclass(frozen=True)
class Row:
    """Medians of one unit (seconds, for memory mebibytes), and of the ratio old to new within a pair."""

    name: str
    old: float
    new: float
    ratio: float
    #: Smallest and largest ratio among the pairs.
    spread: tuple[float, float]
    pairs: int


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """A worktree of a revision, removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        try:
            _git("worktree", "add", "--detach", str(tree), revision)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"there is no revision {revision!r} here: {error.stderr.strip()}") from error
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True)


class Worker:
    """A process that does one piece of work with one tree's code."""

    def __init__(self, tree: Path, *arguments: str):
        environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", work.__file__, *arguments], cwd=tree, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def read(self) -> str:
        """Its next line; SystemExit where it ended without one (its own message stands above)."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[-1]!r} stopped with status {self.process.wait()}")
        return line.strip()

    def once(self) -> float:
        """Seconds of one unit."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.read())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def compare(name: str, old: Path, new: Path, pairs: int) -> Row:
    """One row: both trees in turns, the one that starts changing from pair to pair."""
    taken = []
    if name in work.ALONE:
        for _ in range(pairs):
            taken.append(tuple(float(_alone(tree, name)) for tree in (old, new)))
    else:
        workers = Worker(old, name), Worker(new, name)
        try:
            for worker in workers:
                worker.read()
            for k in range(pairs):
                order = (0, 1) if k % 2 == 0 else (1, 0)
                seconds = {i: workers[i].once() for i in order}
                taken.append((seconds[0], seconds[1]))
        finally:
            for worker in workers:
                worker.close()
    return row(name, taken)


def _alone(tree: Path, *arguments: str) -> str:
    worker = Worker(tree, *arguments)
    try:
        return worker.read()
    finally:
        worker.close()


def profiles(old: Path, new: Path) -> dict[str, dict[str, dict]]:
    """Where a millisecond goes: of a step and of a picture, with both trees' code, by kinds of operations."""
    found = {}
    for name in PROFILED:
        for when, tree in (("before", old), ("now", new)):
            told = json.loads(_alone(tree, name, "profile"))
            found.setdefault(name, {})[when] = grouped(told["ms"], told["shares"])
    return found


def grouped(ms: float, shares: dict[str, float]) -> dict[str, float]:
    """Milliseconds by kind of operation, the first of KINDS whose words stand in an operation's name."""
    sums = dict.fromkeys([*KINDS, "the rest"], 0.0)
    for operation, share in shares.items():
        kind = next((k for k, words in KINDS.items() if any(w in operation for w in words)), "the rest")
        sums[kind] += ms * share
    return {kind: round(value, 2) for kind, value in sums.items()}


def row(name: str, taken: list[tuple[float, float]]) -> Row:
    """The medians of some pairs (old, new)."""
    ratios = [a / b for a, b in taken]
    return Row(name, statistics.median(a for a, _ in taken), statistics.median(b for _, b in taken),
               statistics.median(ratios), (min(ratios), max(ratios)), len(taken))  # fmt: skip


def line(r: Row) -> str:
    unit, factor = ("MiB", 1.0) if r.name == "memory" else ("ms", 1e3)
    return (f"{r.name:18}{r.old * factor:10.1f}{r.new * factor:10.1f} {unit:4}{r.ratio:6.2f}x   "
            f"({r.spread[0]:.2f} to {r.spread[1]:.2f}, {r.pairs} pairs)")  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.against", description=__doc__.splitlines()[0])
    parser.add_argument("revision")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="where the time goes, and nothing else")
    options = parser.parse_args(arguments)
    with checkout(options.revision) as tree:
        if not options.profile:
            table(options.revision, tree, options.only, options.pairs)
        if options.profile or options.only == NAMES:
            keep("profile", {"revision": options.revision, "milliseconds": profiles(tree, ROOT)})


def table(revision: str, tree: Path, names: list[str], pairs: int) -> None:
    """Print and keep the rows, each as soon as it is measured, beside those of an earlier call on the same machine."""
    before = [r for r in measured(OUTPUT / "against.json", revision) if r["name"] not in names]
    rows = []
    print(f"{'':18}{revision[:9]:>10}{'now':>10}", flush=True)
    for name in names:
        rows.append(compare(name, tree, ROOT, min(pairs, SLOW.get(name, pairs))))
        print(line(rows[-1]), flush=True)
        found = {r["name"]: r for r in [*before, *map(asdict, rows)]}
        keep("against", {"revision": revision, "compared": [found[n] for n in NAMES if n in found]})


def measured(file: Path, revision: str) -> list[dict]:
    """The rows that a file holds against a revision, if they are of this machine and these packages."""
    told = read_json(file) if file.exists() else {}
    same = told.get("revision") == revision and results.environment("cpu").items() <= told.items()
    return told["compared"] if same else []


def keep(name: str, what: dict) -> None:
    """Write what was measured, and on what, into build/bench."""
    write_json(OUTPUT / f"{name}.json", what | {"clock": "CPU time", "threads": 1} | results.environment("cpu"))


if __name__ == "__main__":
    main()
