"""Runs of a method that lies outside the package, several at a time in processes of their own."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from gift_lib.config import Experiment
from gift_lib.methods.outside import load_file
from gift_lib.results import Record
from gift_lib.training import Runtime, run


def make(file: Path, wanted: Sequence[Experiment], folder: Path, jobs: int, device: str) -> Iterator[Record]:
    """The records of some runs, as they are finished; at most `jobs` at a time, several in processes."""
    if jobs == 1:
        yield from (_run(file, e, folder, device) for e in wanted)
        return
    context = multiprocessing.get_context("spawn")  # a forked process would share this one's threads and its GPU
    with ProcessPoolExecutor(min(jobs, len(wanted)), mp_context=context) as pool:
        waiting = [pool.submit(_run, file, e, folder, device) for e in wanted]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # after an error the runs that are not begun are not begun


def _run(file: Path, e: Experiment, folder: Path, device: str) -> Record:
    load_file(file)
    return run(e, Runtime(device=device, progress=False), folder)
