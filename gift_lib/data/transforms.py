"""From decoded uint8 images to what CLIP's image tower reads, a batch at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from gift_lib.errors import ConfigError, DataError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
SCALE = (0.9, 1.0)
RATIO = (3 / 4, 4 / 3)
TRIES = 10


@dataclass(frozen=True)
class Preprocess:
    """CLIP's two transforms for square inputs of `size` pixels.

    `eval` also serves synthetic images, so that a teacher's output on one never changes within a task.
    """

    size: int
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __post_init__(self):
        if self.size < 1 or len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError(f"{self!r} is no transform: give a size in pixels and three means and deviations.")

    def eval(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """Resize the shorter side to `size` (bicubic, antialiased), crop the centre, normalise."""
        return self.normalise(self.square(pixels).float())

    def square(self, pixels: UInt8[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 s s"]:
        """`eval` before normalisation; a picture of the right size stays as it is."""
        _check(pixels)
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = resize(pixels, [self.size], InterpolationMode.BICUBIC, antialias=True)
            pixels = center_crop(pixels, [self.size, self.size])
        return pixels

    def train(self, pixels: UInt8[Tensor, "b 3 h w"], generator: torch.Generator) -> Float[Tensor, "b 3 s s"]:
        """RandomResizedCrop(size, scale 0.9-1, ratio 3/4-4/3, bicubic, antialiased), no flip, normalise.

        Each image has its own crop. All randomness comes from the CPU `generator`, a fixed amount per
        image, so the crops depend neither on the device nor on the images' shapes.
        """
        return self.normalise(self.cut(pixels, crop_numbers(len(pixels), generator)))

    def cut(self, pixels: UInt8[Tensor, "b 3 h w"], u: Float[Tensor, "b k 2"]) -> Float[Tensor, "b 3 s s"]:
        """`train` before normalisation, in 0..255: the crops that the uniform numbers `u` decide."""
        _check(pixels)
        top, left, height, width = boxes(u, pixels.shape[-2], pixels.shape[-1])
        rows = resize_matrices(top, height, pixels.shape[-2], self.size).to(pixels.device)
        columns = resize_matrices(left, width, pixels.shape[-1], self.size).to(pixels.device)
        resized = rows[:, None] @ pixels.float() @ columns[:, None].transpose(-1, -2)
        return resized.clamp_(0, 255)

    def cut_one(self, image: Image.Image, box: Sequence[int]) -> UInt8[np.ndarray, "s s 3"]:
        """The crop (top, left, height, width) of a decoded picture as Pillow makes it: to the bit the published one."""
        top, left, height, width = box
        crop = image.crop((left, top, left + width, top + height))
        return np.asarray(crop.resize((self.size, self.size), Image.Resampling.BICUBIC))

    def normalise(self, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) * 255 for v in (self.mean, self.std))
        return (x - mean) / std


Boxes = tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]


def crops(n: int, h: int, w: int, generator: torch.Generator) -> Boxes:
    """(top, left, height, width) in whole pixels of `n` random crops, drawn as torchvision draws them."""
    return boxes(crop_numbers(n, generator), h, w)


def crop_numbers(n: int, generator: torch.Generator) -> Float[Tensor, "n k 2"]:
    """Uniform numbers that decide `n` crops, as many for a picture of any shape."""
    return torch.rand(n, TRIES + 2, 2, generator=generator, dtype=torch.float64)


def boxes(u: Float[Tensor, "n k 2"], h: int | Int64[Tensor, " n"], w: int | Int64[Tensor, " n"]) -> Boxes:
    """(top, left, height, width) of the crops of pictures of h x w pixels, all of one size or each of its own.

    Of ten candidates (area uniform, log of the ratio uniform) the first that fits; where none fits,
    the largest central crop whose ratio is allowed.
    """
    h, w = (torch.as_tensor(v, dtype=torch.float64).reshape(-1, 1) for v in (h, w))
    area = h * w * (SCALE[0] + (SCALE[1] - SCALE[0]) * u[:, :TRIES, 0])
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    ratio = torch.exp(low + (high - low) * u[:, :TRIES, 1])
    widths, heights = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (widths <= w) & (heights <= h) & (widths >= 1) & (heights >= 1)
    some, first = fits.any(dim=1), fits.int().argmax(dim=1, keepdim=True)
    h, w = h[:, 0], w[:, 0]
    width = torch.where(some, widths.gather(1, first)[:, 0], torch.minimum(w, (h * RATIO[1]).round()))
    height = torch.where(some, heights.gather(1, first)[:, 0], torch.minimum(h, (w / RATIO[0]).round()))
    top = torch.where(some, (u[:, TRIES, 0] * (h - height + 1)).floor(), ((h - height) / 2).floor())
    left = torch.where(some, (u[:, TRIES, 1] * (w - width + 1)).floor(), ((w - width) / 2).floor())
    return tuple(v.float() for v in (top, left, height, width))


def resize_matrices(
    start: Float[Tensor, " n"], length: Float[Tensor, " n"], pixels: int, size: int
) -> Float[Tensor, "n size pixels"]:
    """For each crop [start, start + length) of a line of pixels, the matrix that resizes it to `size`.

    Bicubic with a = -1/2, widened by the scale when it shrinks (antialiasing), as Pillow and torch do;
    the weights of pixels outside the crop are zero and each row sums to one.
    """
    scale = (length / size)[:, None, None]
    centre = start[:, None, None] + scale * (torch.arange(size)[None, :, None] + 0.5)
    pixel = torch.arange(pixels)[None, None, :] + 0.5
    weight = _cubic((pixel - centre) / scale.clamp(min=1))
    inside = (pixel > start[:, None, None]) & (pixel < (start + length)[:, None, None])
    weight = weight * inside
    return weight / weight.sum(dim=-1, keepdim=True)


def _cubic(x: Tensor, a: float = -0.5) -> Tensor:
    """Keys' cubic convolution kernel."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _check(pixels: Tensor) -> None:
    if pixels.numel() == 0:
        raise DataError(f"a transform was given an empty batch {tuple(pixels.shape)}: give at least one image.")
