"""Where tensors live: the CPU, a GPU, Apple's MPS; what makes a run there repeat, and data that is read ahead."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from gift_lib.errors import ConfigError, nearest

log = logging.getLogger(__name__)

KINDS = ("cpu", "cuda", "mps")
Key = TypeVar("Key")
Made = TypeVar("Made")


def find_device(name: str = "auto") -> str:
    """A device by name; "auto" is a GPU where torch sees one, else Apple's MPS, else the CPU.

    Raises ConfigError for a kind that does not exist and for a device that is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(kind for kind, available in there.items() if available)
    kind, number = named_device(name)
    if not there[kind]:
        raise ConfigError(f'device "{name}" asked for, but torch sees no {_called(kind)}. Use device="cpu".')
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r} asked for, but there are {torch.cuda.device_count()} GPUs, from cuda:0 on.")
    return name


def named_device(name: str) -> tuple[str, str]:
    """The kind and the number ('' for none) of a device, which may be another machine's; ConfigError for no device."""
    match = re.fullmatch(r"(\w+)(?::([0-9]{1,4}))?", str(name))
    if not match or match[1] not in KINDS:
        raise ConfigError(f"there is no device {name!r}; {nearest(str(name).partition(':')[0], (*KINDS, 'auto'))}")
    return match[1], match[2] or ""


def _called(kind: str) -> str:
    return "GPU" if kind == "cuda" else "Apple GPU"


def warn_of_emulation(device: str, precision: str) -> None:
    """Say so where a GPU has no bf16 (a T4, a V100): torch then emulates it, many times slower than fp16."""
    asked = device.startswith("cuda") and precision == "bf16"
    if asked and not torch.cuda.is_bf16_supported(including_emulation=False):
        log.warning('this GPU has no bf16 and would emulate it slowly. Use precision="fp16".')


@contextmanager
def deterministic() -> Iterator[None]:
    """Deterministic kernels within, where torch has them; it warns once for an operation that has none.

    cuBLAS needs its workspace fixed before it is first used: the variable is set here unless the user has set it.
    New memory is not filled with NaN, as torch does by default in this mode: nothing here reads what it has not
    written, and the filling costs a pass over the output of every operation.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    strict = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    _use_deterministic(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = filled
        _use_deterministic(strict, warn_only=warned)


def _use_deterministic(on: bool, warn_only: bool) -> None:
    """`torch.use_deterministic_algorithms`. It imports torch's compiler, for seconds, only to tell it too."""
    told = "torch._inductor" in sys.modules or not hasattr(torch._C, "_set_deterministic_algorithms")
    (torch.use_deterministic_algorithms if told else torch._C._set_deterministic_algorithms)(on, warn_only=warn_only)


def ahead(make: Callable[[Key], Made], keys: Iterable[Key], device: torch.device) -> Iterator[Made]:
    """`make(key)` for every key, in order; on an accelerator one is made in a thread before it is asked for.

    `make` must depend on its key alone: then what comes out does not depend on the device. On a CPU there is
    nothing to gain, and everything happens in the caller's thread.
    """
    if device.type == "cpu":
        yield from map(make, keys)
        return
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for key in keys:
            coming = thread.submit(make, key)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()
