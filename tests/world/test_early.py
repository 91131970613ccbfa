"""The generator early in its training: the same weights from a finished training as from one that stops there."""

from dataclasses import replace

import pytest
import torch

from gift_lib.config import experiment
from gift_lib.errors import DataError
from gift_lib.generate import early_folder, find_pipeline, weights_digest
from gift_lib.runs import batch
from gift_lib.world import make, settings


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A training of four steps on 24 pictures, of which two are early, in a cache of its own."""
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "PICTURES", 24)
    monkeypatch.setattr(settings, "VAE_PLAN", replace(settings.VAE_PLAN, steps=2, batch=4, window=1))
    monkeypatch.setattr(settings, "UNET_PLAN", replace(settings.UNET_PLAN, steps=4, batch=4, window=1, keep_at=2))
    return tmp_path


@pytest.mark.slow
def test_early_weights_do_not_depend_on_how_far_the_training_went(small):
    make.make_early(settings.WEIGHTS, small / "first")
    (tmp := small / "weights").mkdir()
    (tmp / "tokenizer").symlink_to(settings.WEIGHTS / "tokenizer")
    make.make_diffusion(tmp)
    torch.set_num_threads(2)  # as a machine with more cores begins
    make.make_early(settings.WEIGHTS, small / "again")
    assert torch.get_num_threads() == 1, "more would round otherwise"
    digests = [weights_digest(str(folder)) for folder in (small / "first", small / "again", tmp / "diffusion")]
    assert digests[0] == digests[1] != digests[2]


def test_runs_on_the_early_generator_need_it_and_name_it(small):
    e = experiment(pipeline="mini-early")
    with pytest.raises(DataError, match="world early"):
        find_pipeline("mini-early")
    with pytest.raises(DataError, match="world early"):
        batch.identity(e)
    make.make_early(settings.WEIGHTS, early_folder())
    assert batch.identity(e)["pipeline"] == weights_digest("mini-early") != weights_digest("mini")
    assert weights_digest("mini") in early_folder().name, "it goes with these weights and no others"
