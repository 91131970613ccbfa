"""The front door to a scale's data: what it serves, and what it cannot."""

import pytest
import torch

from gift_lib import data, generate
from gift_lib.config import experiment
from gift_lib.data import mini
from gift_lib.errors import ConfigError


def test_real_pictures_of_a_run_are_the_worlds_own():
    e = experiment(images_per_task=4, tasks=("terrain", "digits"), synthetic_source="real")
    wanted = generate.plan(e, data.load_tasks(e))[1]
    prompts, seeds = [d.prompt for d in wanted], [d.seed for d in wanted]
    pixels = data.real_pictures(e, prompts, seeds)
    assert pixels.shape == (4, 3, 32, 32) and pixels.dtype == torch.uint8
    assert torch.equal(pixels, mini.real_pictures(prompts, seeds))


def test_no_other_scale_has_real_pictures_of_prompts():
    with pytest.raises(ConfigError, match='synthetic_source "diffusion"'):
        data.real_pictures(experiment("paper"), ["a photo of a dog."], [0])
