"""Half precision, its gradient scaler and recomputed activations, on a CPU: the loop is the same on a GPU."""

import pytest
import torch
from fixtures_methods import (
    TRAINED,
    fit,
    interrupt_at,
    resources,
    synthesize,
    tiny_clip,
    tiny_experiment,
    tiny_task,
    world,
)

from gift_lib import methods, training
from gift_lib.clip import gradient_checkpointing
from gift_lib.consolidation import AWC, StaticFisher
from gift_lib.evaluation import evaluate
from gift_lib.methods.base import Batch
from gift_lib.training import Learner, Progress, Runtime

__all__ = ["world"]

PROMPTS = [f"a photo of a thing{k}" for k in (0, 1, 2, 1, 3, 0, 4, 5)]


def build(name, precision="fp32", **settings):
    """A method over the tiny CLIP in a precision."""
    clip = tiny_clip()
    clip.precision = precision
    return methods.build(clip, tiny_experiment(name, precision=precision, **settings), resources())


def synthetic():
    return synthesize(None, PROMPTS, {}, None)


def begin(name, precision="fp32", **settings):
    """A method at the start of a task, its learner and one batch."""
    method, task = build(name, precision, **settings), tiny_task(0)
    method.task_index = 0
    method.before_task(task, synthetic() if method.uses_synthetic else None)
    images = method.clip.preprocess.train(task.train.images.pixels[:8], torch.Generator().manual_seed(0))
    return method, Learner(method, 1e-3, 6), Batch(0, images, task.train.labels[:8], torch.arange(4))


def gradients(learner, batch):
    learner.step(batch)
    return {n: p.grad.clone() for n, p in learner.parameters.items() if p.grad is not None}


# --- bf16 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINED)
def test_bf16_trains_as_fp32_does(name):
    """Losses of every method stay near those of fp32, weights stay fp32, evaluation runs."""
    curves = {}
    for precision in ("fp32", "bf16"):
        m = build(name, precision)
        tasks = [tiny_task(0), tiny_task(1)]
        for t, phase in enumerate(m.phases(tasks)):
            curves[precision, t] = fit(m, t, phase, synthetic() if m.uses_synthetic else None)
        assert all(p.dtype == torch.float32 for p in m.model.parameters())
        assert all(0 <= a <= 100 for a in evaluate(m, tasks))
    for t in {t for _, t in curves}:
        for term, values in curves["fp32", t].items():
            assert curves["bf16", t][term] == pytest.approx(values, rel=0.1, abs=0.1), term


def test_similarities_are_not_rounded_to_half_precision():
    """Near 30, where CLIP's logits lie, neighbours in bf16 are 1/8 apart: the matrix M is made in float32."""
    m, _, batch = begin("gift", "bf16")
    with m.clip.autocast():
        cd = m.preserve(batch)["cd"]
    assert cd.dtype == torch.float32 and float(cd.detach()) < 1e-3, "at its start the student is its teacher"


# --- fp16 with a scaler -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"awc_normalise": False}, {"consolidation": "fisher"}], ids=str)
def test_fp16_takes_the_step_of_fp32(settings):
    """AWC reads unscaled gradients, the penalty is added after unscaling: the scale cancels."""
    outcomes = {}
    for precision in ("fp32", "fp16"):
        method, learner, batch = begin("gift", precision, **settings)
        with torch.no_grad():
            for p in learner.parameters.values():
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)), alpha=0.01)
        learner.scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=precision == "fp16")
        outcomes[precision] = gradients(learner, batch), {n: f.clone() for n, f in method.penalty.F.items()}
    assert begin("gift", "fp16")[1].scaler.is_enabled() and not begin("gift", "bf16")[1].scaler.is_enabled()
    for part in (0, 1):
        want, got = (torch.cat([v.flatten() for v in outcomes[p][part].values()]) for p in ("fp32", "fp16"))
        assert float((got - want).norm() / want.norm()) < (0.05, 0.2)[part]


def test_an_overflow_skips_the_step_and_lowers_the_scale():
    method, learner, batch = begin("gift", "fp16", consolidation="fisher")
    before = {n: p.detach().clone() for n, p in learner.parameters.items()}
    learner.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    learner.step(batch)
    assert all(torch.equal(p, before[n]) for n, p in learner.parameters.items())
    assert learner.scaler.get_scale() == 2.0**119
    assert method.penalty.seen == 0, "a gradient that is not finite never enters the static Fisher"
    learner.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
    learner.step(batch)
    assert method.penalty.seen == 1 and all(f.isfinite().all() for f in method.penalty.F.values())
    assert any(not torch.equal(p, before[n]) for n, p in learner.parameters.items())


@pytest.mark.parametrize("make", [AWC, lambda n: StaticFisher(2, n)], ids=["awc", "fisher"])
@pytest.mark.parametrize("normalise", [True, False])
def test_unscaling_cancels_the_scale(make, normalise):
    found = []
    for scale in (1.0, 1024.0):
        params = {"w": torch.nn.Parameter(torch.ones(3, 2))}
        params["w"].grad = scale * torch.arange(6.0).view(3, 2)
        penalty = make(normalise)
        penalty.anchor(params)
        penalty.update(params, unscale=1 / scale)
        found.append(penalty.F["w"].clone())
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("stop", [3, 7])
def test_fp16_goes_on_with_its_scale(world, monkeypatch, stop):
    """The scaler's state is in the checkpoint: interrupted and resumed equals uninterrupted."""
    seen = []
    honest = Learner.step
    monkeypatch.setattr(Learner, "step", lambda self, b: (honest(self, b), seen.append(self.scaler.get_scale()))[0])
    whole = world.run("gift", precision="fp16")
    scales = list(seen)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(stop, patch)
        world.run("gift", precision="fp16")
    seen.clear()
    resumed = world.run("gift", precision="fp16")
    assert resumed["result"] == whole["result"] and resumed["run"]["resumed"]
    assert seen == scales[-len(seen) :]


# --- recomputed activations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["gift", "zscl", "moe-adapter"])
def test_recomputed_activations_give_the_same_gradients(name, precision):
    found = []
    for recompute in (False, True):
        method, learner, batch = begin(name, precision)
        gradient_checkpointing(method.model, recompute)
        method.model.train()
        found.append(gradients(learner, batch))
    assert found[0].keys() == found[1].keys()
    for n in found[0]:
        torch.testing.assert_close(found[1][n], found[0][n], rtol=1e-4, atol=1e-6)


def test_the_setting_takes_effect(monkeypatch):
    monkeypatch.setattr(training, "load_clip", tiny_clip)
    for on in (True, False):
        e = tiny_experiment("gift", checkpoint_activations=on)
        method = training.build_method(e, Runtime(progress=False), 1)
        assert method.model.visual.transformer.grad_checkpointing is on
        assert method.model.transformer.grad_checkpointing is on


def test_recomputing_changes_no_run(monkeypatch):
    curves = []
    for on in (False, True):
        m = build("gift")
        gradient_checkpointing(m.model, on)
        done = Progress()
        training.fit(m, 0, tiny_task(0), synthetic(), Runtime(progress=False), done, lambda **_: None)
        curves.append(done.losses["task0"])
    for term, values in curves[0].items():
        assert curves[1][term] == pytest.approx(values, rel=1e-3, abs=1e-5)
