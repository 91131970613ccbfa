"""Random numbers of the world: one generator per picture, from named streams that cannot meet.

A picture's numbers are keyed by (stream, ...whole numbers) through NumPy's SeedSequence. The stream's
number comes first in the key, so two streams never share a generator; see `key`.
"""

import numpy as np

from gift_lib.errors import ConfigError, nearest

#: Everything that is ever drawn belongs to one stream. Numbers are part of the world: append only.
STREAMS = {
    "train": 1,  # tasks: training split
    "val": 2,  # tasks: validation split
    "test": 3,  # tasks: test split
    "web": 4,  # noisy pairs for CLIP's pre-training
    "clean": 5,  # captioned pictures for the diffusion model
    "reference": 6,  # ZSCL's reference pictures
    "captions": 7,  # ZSCL's reference captions
    "real": 8,  # real pictures in the place of generated ones
    "probe": 9,  # the world's own hash, and checks
}

_ROOT = 20250611


def key(stream: str, *numbers: int) -> tuple[int, ...]:
    """The key of one generator: the stream's number first, then whole numbers from zero."""
    if stream not in STREAMS:
        raise ConfigError(f"there is no stream {stream!r}; {nearest(stream, STREAMS)}")
    if any(n < 0 for n in numbers):
        raise ConfigError(f"seeds and indices must be zero or more, not {numbers}: take another seed.")
    return (STREAMS[stream], *map(int, numbers))


def generator(stream: str, *numbers: int) -> np.random.Generator:
    """A fresh generator for one picture or caption; equal keys give equal numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(_ROOT, spawn_key=key(stream, *numbers))))
