"""The next piece of data is read while an accelerator works on this one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Key = TypeVar("Key")
Made = TypeVar("Made")


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
