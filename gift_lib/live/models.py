"""What a method made of CLIP: the models after each task of a run, as small differences to the pre-trained one."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gift_lib import results
from gift_lib.checkpoint import Kept
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError
from gift_lib.live.graphs import Layout
from gift_lib.training import Runtime, identity_of, kept_of, run


def kept_models(e: Experiment, runtime: Runtime) -> Kept:
    """The models of a run and its record; what no run before has kept is trained now."""
    kept = kept_of(results.Address(e, identity_of(e, runtime)), runtime)
    for _ in range(2):  # a run that goes on from a state without its first models is followed by a whole one
        if kept.record is None:
            run(e, runtime)
    return kept


def difference(after: Mapping[str, Tensor], before: Mapping[str, Tensor], places: Layout) -> bytes:
    """after - before: a scale for every row in fp32, then all numbers as multiples of it, -127 to 127."""
    if lost := [n for n, (_, shape) in places.items() if n not in after or after[n].shape != shape]:
        raise ConfigError(f"this method changes CLIP's architecture ({lost[0]}): the page cannot run it. Leave it out.")
    scales, numbers = [], []
    for name, (_, shape) in places.items():
        rows = (after[name] - before[name]).view(row_count(shape), -1)
        scale = rows.abs().amax(dim=1, keepdim=True) / 127
        scales.append(scale.flatten())
        numbers.append((rows / scale.clamp(min=1e-30)).round().to(torch.int8).flatten())
    return torch.cat(scales).float().numpy().tobytes() + torch.cat(numbers).numpy().tobytes()


def restored(stored: bytes, before: Mapping[str, Tensor], places: Layout) -> dict[str, Tensor]:
    """The reverse of `difference`, as the page computes it."""
    count = sum(row_count(shape) for _, shape in places.values())
    scales = torch.from_numpy(np.frombuffer(stored, np.float32, count).copy()).split(
        [row_count(shape) for _, shape in places.values()]
    )
    numbers = torch.from_numpy(np.frombuffer(stored, np.int8, offset=4 * count).copy())
    found = dict(before)
    for (name, (start, shape)), scale in zip(places.items(), scales, strict=True):
        rows = numbers[start : start + shape.numel()].view(len(scale), -1)
        found[name] = before[name] + (rows * scale[:, None]).view(shape)
    return found


def row_count(shape: torch.Size) -> int:
    """Rows of a tensor: its first axis; a vector is one row."""
    return shape[0] if len(shape) > 1 else 1
