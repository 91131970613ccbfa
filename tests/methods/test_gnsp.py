"""GNSP: the null space of finished tasks' inputs, and why the step must be projected and not the gradient."""

from dataclasses import replace

import pytest
import torch
from fixtures_methods import equal, fit, resources, tiny_clip, tiny_method, tiny_task, weights

from gift_lib import losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.config import experiment
from gift_lib.data import load_tasks
from gift_lib.errors import ConfigError
from gift_lib.methods import layer_inputs
from gift_lib.methods.base import Batch
from gift_lib.methods.gnsp import GNSP, SCHEDULES, null_space, projected
from gift_lib.tasks import ORDERS
from gift_lib.training import Learner
from gift_lib.world.settings import RUNS

NAMES = [f"visual.transformer.resblocks.{k}.mlp.{m}.weight" for k in range(2) for m in ("c_fc", "c_proj")] + [
    "visual.proj"
]


def named(data_set):
    return replace(tiny_task(0), stands_for=data_set)


def changed(a, b):
    return {n for n in a if not torch.equal(a[n], b[n])}


def test_null_space_holds_the_smallest_eigenvalues_below_a_share_of_all():
    values = torch.tensor([10.0, 5.0, 3.0, 1.0, 0.6, 0.4])
    Q = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    M = Q @ torch.diag(values) @ Q.T
    for rho, kept in ((0.15, 3), (0.09, 2), (0.01, 0), (0.51, 5)):
        P = null_space(M, rho)
        torch.testing.assert_close(P @ P, P, atol=1e-5, rtol=0)
        assert round(float(P.trace())) == kept and float(values.flip(0)[:kept].sum()) < rho * 20
        assert kept == 5 or float(values.flip(0)[: kept + 1].sum()) >= rho * 20
        V = Q[:, 6 - kept :]
        torch.testing.assert_close(P, V @ V.T, atol=1e-4, rtol=0)


def test_the_first_task_trains_all_later_ones_the_projected_weights():
    m = tiny_method("gnsp")
    fresh = weights(m)
    fit(m, 0)
    first = weights(m)
    assert len(changed(fresh, first)) > 30 and set(m.M) == set(NAMES)
    fit(m, 1)
    assert changed(first, weights(m)) == set(NAMES)
    assert all(p.requires_grad for p in m.clip.trained().values())


def low_rank(method, rank=4):
    """Pretend that finished tasks' inputs lie in a few directions: exact null spaces."""
    inputs = {}
    for k, name in enumerate(NAMES):
        width = len(method.M[name])
        X = torch.randn(30, rank, generator=torch.Generator().manual_seed(k))
        inputs[name] = X @ torch.randn(rank, width, generator=torch.Generator().manual_seed(99 + k))
        method.M[name] = inputs[name].T @ inputs[name]
    return inputs


def moved(project, steps=6):
    """How far a task of some steps moves what finished tasks' inputs make of each layer, relative to the change."""
    m = tiny_method("gnsp", method_options={"pictures": 13, "project": project, "rho": 1e-4}, steps=steps)
    fit(m, 0)
    inputs, before = low_rank(m), weights(m)
    fit(m, 1)
    parameters, found = dict(m.model.named_parameters()), {}
    for name, X in inputs.items():
        D = parameters[name].detach() - before[name]
        out = X @ (D if name == "visual.proj" else D.T)
        found[name] = float(out.norm() / (X.norm() * D.norm()))
    return found


def test_the_projected_step_does_not_move_finished_tasks_inputs_but_the_published_order_does():
    """Adam divides each entry by a scale of its own, which turns a projected gradient out of the null space."""
    step, gradient = moved("step"), moved("gradient")
    assert max(step.values()) < 1e-5
    assert min(gradient.values()) > 1e-2, gradient


def test_the_published_order_projects_the_gradient_itself():
    m = tiny_method("gnsp", method_options={"pictures": 13, "project": "gradient", "rho": 1e-4})
    fit(m, 0)
    inputs = low_rank(m)
    m.task_index = 1
    m.before_task(tiny_task(1), None)
    learner, task = Learner(m, 1e-3, 6), tiny_task(1)
    x = m.clip.preprocess.eval(task.train.images.pixels[:8])
    learner.step(Batch(0, x, task.train.labels[:8], torch.empty(0, dtype=torch.int64)))
    for name, p in m.parameters().items():
        out = inputs[name] @ (p.grad if name == "visual.proj" else p.grad.T)
        assert float(out.norm()) < 1e-4 * float(inputs[name].norm() * p.grad.norm())
        assert float(p.grad.norm()) > 0


def test_on_real_inputs_the_step_moves_less_than_without_projection():
    """rho leaves the weakest directions free: what the task saw moves, but less."""
    found = {}
    for project, rho in (("step", 0.15), ("step", 1.0)):
        m = tiny_method("gnsp", method_options={"pictures": 13, "project": project, "rho": rho})
        fit(m, 0)
        X = dict(layer_inputs.of_images(m.model, m.clip.preprocess.eval(tiny_task(0).train.images.pixels)))
        before, found[rho] = weights(m), 0.0
        fit(m, 1)
        for name in NAMES[:4]:
            D = weights(m)[name] - before[name]
            found[rho] += float((X[name].detach() @ D.T).norm() / D.norm())
    assert found[0.15] < 0.5 * found[1.0], found


def test_m_is_the_sum_of_normalised_grams_batch_by_batch_and_task_by_task():
    m = tiny_method("gnsp")
    for t in range(2):
        fit(m, t)
    total = {}
    for t, model in ((1, m.model),):
        batches = tiny_task(t).train.images.pixels.split(8)
        for pixels in batches:
            with torch.no_grad():
                for name, X in layer_inputs.of_images(model, m.clip.preprocess.eval(pixels)):
                    if name in NAMES:
                        G = X.T @ X
                        total[name] = total.get(name, 0) + G / G.norm()
    again = tiny_method("gnsp")
    fit(again, 0)
    for name, G in total.items():
        torch.testing.assert_close(m.M[name], again.M[name] + G / G.norm(), rtol=1e-3, atol=1e-5)


def test_distillation_is_on_public_pairs_against_the_pre_trained_model():
    m = tiny_method("gnsp")
    fit(m, 0)
    m.task_index = 1
    m.before_task(tiny_task(1), None)
    public, fresh = resources(), tiny_clip()
    prompts, pictures = public.reference_prompts(13), public.reference_images(13).pixels
    with torch.no_grad():
        t_images = encode_images(fresh.model, fresh.preprocess.eval(pictures))
        t_texts = encode_texts(fresh.model, fresh.tokenize(prompts))
        torch.testing.assert_close(m.pairs.teacher.images, t_images)
    ids = losses.prompt_ids(prompts)
    from functools import partial

    from gift_lib.methods.base import Shuffle, seeded

    which = Shuffle(13, 8, partial(seeded, 0, 1, "reference"))(1)
    batch = Batch(1, torch.empty(0, 3, 16, 16), torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
    with torch.no_grad():
        got = m.preserve(batch)
        images = encode_images(m.model, fresh.preprocess.eval(pictures[which]))
        texts = encode_texts(m.model, fresh.tokenize([prompts[k] for k in which.tolist()]))
        M = losses.similarity(images, texts, m.scale)
        Mt = losses.similarity(t_images[which], t_texts[which], m.scale)
        torch.testing.assert_close(got["cd"], losses.contrastive_distillation(Mt, M, 2.0))
        torch.testing.assert_close(got["ita"], 0.75 * losses.image_text_alignment(M, ids[which], 0.2))
    assert which.numel() == 5, "the short last batch of 13 pairs"


def test_projection_is_on_the_side_of_the_inputs():
    D, P = torch.randn(3, 4), torch.diag(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert not projected("a.mlp.c_fc.weight", D, P)[:, [1, 3]].any()
    assert not projected("visual.proj", D.T, P)[[1, 3]].any()


def test_the_weight_of_the_teacher_is_never_trained():
    m = tiny_method("gnsp")
    fit(m, 0)
    kept = m.pairs.teacher.images.clone(), m.pairs
    fit(m, 1)
    assert m.pairs is kept[1] and torch.equal(m.pairs.teacher.images, kept[0])
    assert equal(m.initial, {n: p.detach() for n, p in tiny_clip().trained().items()})


def test_settings():
    o = GNSP.options
    assert (o["alpha"], o["beta"], o["rho"], o["project"]) == (1.0, 0.75, 0.15, "step") and not GNSP.presets
    rates = {order: [SCHEDULES[order][n][0] for n in ORDERS[order]] for order in SCHEDULES}
    assert rates == {"I": [1, 2, 1, 5, 2, 2, 5, 1, 5, 5, 2], "II": [1, 1, 1, 1, 2, 2, 5, 1, 5, 1, 1]}
    hundreds = {order: [SCHEDULES[order][n][1] for n in ORDERS[order]] for order in SCHEDULES}
    assert hundreds == {"I": [1, 5, 10, 5, 5, 10, 10, 5, 5, 10, 10], "II": [10, 10, 5, 5, 10, 10, 10, 5, 5, 5, 10]}
    with pytest.raises(ConfigError, match="did you mean 'gradient'"):
        tiny_method("gnsp", method_options={"project": "gradients"})
    with pytest.raises(ConfigError, match="rho must be in"):
        tiny_method("gnsp", method_options={"rho": 0.0})


@pytest.mark.parametrize("order", ["I", "II", "digits,flowers"])
def test_rates_and_steps_keep_the_published_proportion_in_every_world_and_at_every_scale(order):
    schedule = SCHEDULES.get(order, SCHEDULES["I"])
    for world in RUNS.values():
        e = experiment(**{**world, "order": order})
        m = tiny_method("gnsp", order=order, steps=e.steps, lr=e.lr, images_per_task=e.images_per_task)
        for task in load_tasks(e):
            rate, hundreds = schedule[task.stands_for]
            assert m.learning_rate(task) == pytest.approx(rate * e.lr) and m.steps(task) == hundreds * e.steps // 10
    paper = tiny_method("gnsp", order=order, steps=1000, lr=1e-5)
    assert paper.learning_rate(named("DTD")) == pytest.approx(5e-5) and paper.steps(named("MNIST")) == 500
    assert (paper.learning_rate(named("ownbirds")), paper.steps(named("ownbirds"))) == (1e-5, 1000)
    assert tiny_method("gnsp", method_options={"lr": 3e-4}).learning_rate(named("DTD")) == 3e-4


def test_public_pictures_are_as_many_as_gifts_unless_said_otherwise():
    for given, images, wanted in ((0, 9, 9), (13, 9, 13)):
        m = tiny_method("gnsp", method_options={"pictures": given}, images_per_task=images)
        m.before_task(tiny_task(0), None)
        assert len(m.pairs.prompt_of) == wanted
