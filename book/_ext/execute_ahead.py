"""Execute the book's pages side by side, into the cache that the build then reads.

    python book/_ext/execute_ahead.py --jobs 2

Sphinx executes one page after the other. Pages are independent and compute with one thread each, so two cores take half
the time. A page that fails here is left to the build, which executes it again, alone, and reports what is wrong.
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import nbformat
import yaml
from gift_book import cache_folder, set_environment
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution

ROOT = Path(__file__).resolve().parents[2]


def pages(root: Path) -> list[Path]:
    """The notebooks of the table of contents, in its order."""
    contents = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [path for f in files if (path := root / f"{f}.ipynb").exists()]


def execute(path: Path, timeout: int) -> ExecutionResult:
    """One page from top to bottom, as the build would: in its own folder, stopping at the first error."""
    return single_nb_execution(nbformat.read(path, 4), cwd=str(path.parent), timeout=timeout, allow_errors=False)


def side_by_side(todo: list[Path], jobs: int, timeout: int) -> Iterator[tuple[Path, ExecutionResult]]:
    """Every page with what came of it, as they finish."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        places = {pool.submit(execute, path, timeout): path for path in todo}
        for done in as_completed(places):
            yield places[done], done.result()


def is_cached(cache, path: Path) -> bool:
    try:
        cache.match_cache_notebook(nbformat.read(path, 4))
    except KeyError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="pages at a time")
    jobs = max(1, parser.parse_args().jobs)
    set_environment(ROOT)
    timeout = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["execute"]["timeout"]
    cache, started = get_cache(cache_folder(ROOT)), time.perf_counter()
    found = pages(ROOT)
    todo = [p for p in found if not is_cached(cache, p)]
    print(f"{len(todo)} of {len(found)} pages to execute, {jobs} at a time", flush=True)
    for path, result in side_by_side(todo, jobs, timeout):
        if result.err is None:
            bundle = CacheBundleIn(result.nb, str(path), data={"execution_seconds": result.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        outcome = "left to the build" if result.err else f"{result.time:.0f} s"
        print(f"  {path.stem:30s} {outcome:20s} ({time.perf_counter() - started:.0f} s in all)", flush=True)


if __name__ == "__main__":
    main()
