"""Views of image stores: some images of one, and several as one."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
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

    Stores may hold pictures of different sizes; squares of the model's own size are left as they are. Training
    crops are cut from the whole pictures.
    """

    parts: tuple[Images, ...]
    preprocess: Preprocess

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        groups = self._by_part(index)
        rows = torch.cat([self.preprocess.square(part.batch(own)) for part, own, _ in groups])
        return rows[torch.cat([here for _, _, here in groups]).argsort()]

    @property
    def uniform(self) -> bool:
        """Whether no part has more of its pictures to show than `batch` does."""
        return not any(hasattr(p, "whole") for p in self.parts)

    def whole(self, index: Int64[Tensor, " b"]) -> tuple[UInt8[Tensor, "b 3 h w"], Int64[Tensor, "b 2"]]:
        """The whole pictures at their parts' sizes, padded at the lower right to one, and their (height, width)."""
        groups = self._by_part(index)
        found = [part.whole(own) if hasattr(part, "whole") else _all_of(part.batch(own)) for part, own, _ in groups]
        h, w = torch.cat([shapes for _, shapes in found]).max(dim=0).values.tolist()
        padded = [F.pad(pixels, (0, w - pixels.shape[3], 0, h - pixels.shape[2])) for pixels, _ in found]
        order = torch.cat([here for _, _, here in groups]).argsort()
        return torch.cat(padded)[order], torch.cat([shapes for _, shapes in found])[order]

    def _by_part(self, index: Int64[Tensor, " b"]) -> list[tuple[Images, Int64[Tensor, " k"], Int64[Tensor, " k"]]]:
        """Each part that is asked for, its own indices, and where in `index` they stand."""
        ends = torch.tensor([len(p) for p in self.parts]).cumsum(0)
        part = torch.searchsorted(ends, index, right=True)
        places = [(self.parts[k], int(ends[k]) - len(self.parts[k]), (part == k).nonzero()[:, 0])
                  for k in part.unique().tolist()]  # fmt: skip
        return [(p, index[here] - first, here) for p, first, here in places]


def _all_of(pixels: UInt8[Tensor, "b 3 h w"]) -> tuple[UInt8[Tensor, "b 3 h w"], Int64[Tensor, "b 2"]]:
    return pixels, torch.tensor([pixels.shape[2:]] * len(pixels))
