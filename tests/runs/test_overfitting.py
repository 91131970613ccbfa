"""Watching distillation: zero at the start, and no influence on what is watched."""

import pytest
import torch

from gift_lib import data, training
from gift_lib.config import experiment
from gift_lib.errors import ConfigError
from gift_lib.generate import synthesize
from gift_lib.pool import prompt_stream
from gift_lib.runs.overfitting import COLUMNS, Pairs, overfitting
from gift_lib.training import Progress, Runtime, build_method, fit, numerics

SMALL = {"tasks": ("terrain", "digits"), "steps": 4, "images_per_task": 8, "denoising_steps": 2,
         "batch_size": 8, "synthetic_batch_size": 4}  # fmt: skip


@pytest.fixture
def runtime(tmp_path):
    return Runtime(cache_dir=str(tmp_path), progress=False)


@pytest.fixture
def trained(runtime):
    """A method after its first task, trained by the loop alone."""
    e = experiment(**SMALL)
    tasks = data.load_tasks(e)
    synthetic = synthesize(e, next(prompt_stream(e, tasks)), {}, runtime)
    method = build_method(e, runtime, len(tasks))
    fresh = Pairs.of(method, synthetic).distillation(method, 4)
    with numerics(runtime.device):
        fit(method, 0, tasks[0], synthetic, runtime, Progress(), lambda **_: None)
    return method, fresh


def test_a_model_agrees_with_itself(trained):
    assert abs(trained[1]) < 1e-5


def test_watching_changes_nothing(trained, runtime):
    method, _ = trained
    table = overfitting(experiment(**SMALL), every=2, runtime=runtime)
    assert tuple(table.columns) == COLUMNS
    assert table["step"].tolist() == [1, 2, 4]
    assert (table[list(COLUMNS[1:])] > 0).all(axis=None)
    assert table["training"].iloc[-1] != table["other images"].iloc[-1]
    moved = [(p.detach() - method.initial[n]).square().sum() for n, p in method.parameters().items()]
    assert table["distance"].iloc[-1] == pytest.approx(float(torch.stack(moved).sum().sqrt()), rel=1e-5)


def test_other_prompts_are_none_of_those_trained_on(monkeypatch, runtime):
    """Not even where a prompt is drawn twice; and where there are no others, that is said."""
    drawn = {}

    def remember(e, prompts, counts, runtime):
        drawn[len(drawn)] = prompts
        return synthesize(e, prompts, counts, runtime)

    monkeypatch.setattr("gift_lib.runs.overfitting.synthesize", remember)
    monkeypatch.setattr(
        "gift_lib.runs.overfitting.prompt_stream", lambda e, tasks: iter([["a", "b"] * 4 + ["c", "d"] * 28])
    )
    e = experiment(**SMALL)
    overfitting(e, runtime=runtime)
    assert [set(p) for p in drawn.values()] == [{"a", "b"}, {"a", "b"}, {"c", "d"}] and len(drawn[2]) == 8
    monkeypatch.setattr("gift_lib.runs.overfitting.prompt_stream", lambda e, tasks: iter([["a", "b"] * 32]))
    with pytest.raises(ConfigError, match="0 others were found in 64 draws"):
        overfitting(e, runtime=runtime)


def test_a_method_without_synthetic_images_is_refused(monkeypatch, runtime):
    monkeypatch.setattr(training, "build_method", None)
    with pytest.raises(ConfigError, match="generates no images"):
        overfitting(experiment(**SMALL).replace(method="finetune"), runtime=runtime)
