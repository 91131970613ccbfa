"""The batched transforms against torchvision's and open_clip's, image by image."""

import math

import pytest
import torch
from open_clip import image_transform
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resized_crop

from gift_lib.data import transforms
from gift_lib.data.transforms import Preprocess
from gift_lib.errors import ConfigError, DataError


def pictures(n, h, w, seed=0):
    """Smooth colours with noise on them."""
    g = torch.Generator().manual_seed(seed)
    smooth = torch.nn.functional.interpolate(torch.rand(n, 3, 4, 4, generator=g), (h, w), mode="bilinear")
    noise = 0.3 * torch.rand(n, 3, h, w, generator=g)
    return ((smooth + noise) / 1.3 * 255).to(torch.uint8)


@pytest.mark.parametrize("h, w", [(40, 61), (61, 40), (20, 23), (32, 50)])
def test_eval_is_open_clips_transform(h, w):
    ours, theirs = Preprocess(32), image_transform(32, is_train=False)
    pixels = pictures(3, h, w)
    got = ours.eval(pixels)
    for x, y in zip(pixels, got, strict=True):
        want = theirs(Image.fromarray(x.permute(1, 2, 0).numpy()))
        levels = (y - want).abs() * torch.tensor(ours.std).view(3, 1, 1) * 255
        assert float(levels.max()) <= 1.01  # Pillow and torch round a bicubic sum differently by one level at most


def test_eval_of_an_image_of_the_right_size_only_normalises():
    pixels = pictures(2, 32, 32)
    x = Preprocess(32).eval(pixels)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (transforms.CLIP_MEAN, transforms.CLIP_STD))
    torch.testing.assert_close(x, (pixels / 255 - mean) / std)


@pytest.mark.parametrize("h, w", [(32, 32), (50, 41), (20, 20), (100, 80), (30, 90)])
def test_train_is_torchvisions_resized_crop_of_the_drawn_boxes(h, w):
    pixels, size = pictures(6, h, w), 32
    got = Preprocess(size, (0, 0, 0), (1, 1, 1)).train(pixels, torch.Generator().manual_seed(3))
    boxes = transforms.crops(6, h, w, torch.Generator().manual_seed(3))
    for i, (top, left, height, width) in enumerate(zip(*(b.int().tolist() for b in boxes), strict=True)):
        want = resized_crop(
            pixels[i].float(), top, left, height, width, [size, size], InterpolationMode.BICUBIC, antialias=True
        )
        torch.testing.assert_close(got[i], want.clamp(0, 255) / 255, atol=2e-5, rtol=0)


@pytest.mark.parametrize("h, w", [(32, 32), (64, 48), (30, 90)])
def test_crops_are_inside_and_of_the_stated_area_and_ratio(h, w):
    top, left, height, width = transforms.crops(500, h, w, torch.Generator().manual_seed(0))
    assert bool((top >= 0).all() and (left >= 0).all())
    assert bool((top + height <= h).all() and (left + width <= w).all())
    ratio = width / height
    slack = 1.5 / min(h, w)  # whole pixels
    assert float(ratio.min()) >= 3 / 4 * (1 - slack) and float(ratio.max()) <= 4 / 3 * (1 + slack)
    if w < 2 * h:  # else no allowed ratio covers 90 % of the image, and the largest central crop is taken
        assert float((height * width).min()) >= 0.9 * h * w * (1 - 2 * slack)
        assert len(torch.unique(torch.stack([top, left, height, width]), dim=1).T) > 20
    else:
        assert set(height.tolist()) == {h} and set(width.tolist()) == {math.floor(h * 4 / 3)}


def test_train_depends_on_the_generator_alone():
    pixels, p = pictures(4, 40, 40), Preprocess(32)
    a, b, c = (p.train(pixels, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    first = p.train(pixels[:2], torch.Generator().manual_seed(1))
    torch.testing.assert_close(first, a[:2])  # an image's crop does not depend on how many follow


def test_bad_input_is_one_clear_error():
    empty = torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(DataError, match="empty batch"):
        Preprocess(8).eval(empty)
    with pytest.raises(DataError, match="empty batch"):
        Preprocess(8).train(empty, torch.Generator())
    with pytest.raises(ConfigError, match="is no transform"):
        Preprocess(0)
    with pytest.raises(ConfigError, match="is no transform"):
        Preprocess(8, std=(1.0, 0.0, 1.0))
