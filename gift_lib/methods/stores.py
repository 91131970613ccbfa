"""Views of image stores: some images of one, and several as one."""

from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from gift_lib.data.transforms import Preprocess
from gift_lib.tasks import Images


@dataclass(frozen=True)
class Subset:
    """Some of the images of a store."""

    images: Images
    index: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        return self.images.batch(self.index[index])


@dataclass(frozen=True)
class Concatenated:
    """The images of several stores, one after the other, each as the square that the eval transform makes of it.

    Stores may hold pictures of different sizes; squares of the model's own size are left as they are.
    """

    parts: tuple[Images, ...]
    preprocess: Preprocess

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        starts = torch.tensor([len(p) for p in self.parts]).cumsum(0)
        part = torch.searchsorted(starts, index, right=True)
        order, rows = [], []
        for k in part.unique().tolist():
            here = (part == k).nonzero()[:, 0]
            order.append(here)
            pixels = self.parts[k].batch(index[here] - (int(starts[k]) - len(self.parts[k])))
            rows.append(self.preprocess.square(pixels))
        return torch.cat(rows)[torch.cat(order).argsort()]
