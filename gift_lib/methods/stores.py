"""Views of image stores: some images of one, and several as one."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
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
    crops are cut from the originals.
    """

    parts: tuple[Images, ...]
    preprocess: Preprocess

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        groups = self._by_part(index)
        rows = torch.cat([self.preprocess.square(part.batch(own)) for part, own, _ in groups])
        return rows[torch.cat([here for _, _, here in groups]).argsort()]

    def cut(
        self, index: Int64[Tensor, " b"], u: Float[Tensor, "b k 2"], preprocess: Preprocess, device: Any = "cpu"
    ) -> Float[Tensor, "b 3 s s"]:
        """The crops that the uniform numbers `u` decide, in 0..255, as each part cuts them."""
        if not any(hasattr(part, "cut") for part in self.parts):
            return preprocess.cut(self.batch(index).to(device), u)
        groups = self._by_part(index)
        rows = [
            part.cut(own, u[here], preprocess, device)
            if hasattr(part, "cut") else preprocess.cut(part.batch(own).to(device), u[here])
            for part, own, here in groups
        ]  # fmt: skip
        return torch.cat(rows)[torch.cat([here for _, _, here in groups]).argsort()]

    def _by_part(self, index: Int64[Tensor, " b"]) -> list[tuple[Images, Int64[Tensor, " k"], Int64[Tensor, " k"]]]:
        """Each part that is asked for, its own indices, and where in `index` they stand."""
        ends = torch.tensor([len(p) for p in self.parts]).cumsum(0)
        part = torch.searchsorted(ends, index, right=True)
        places = [(self.parts[k], int(ends[k]) - len(self.parts[k]), (part == k).nonzero()[:, 0])
                  for k in part.unique().tolist()]  # fmt: skip
        return [(p, index[here] - first, here) for p, first, here in places]
