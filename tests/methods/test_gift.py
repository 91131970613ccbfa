"""GIFT's step: what reaches which tower, and batches of unequal length."""

import pytest
import torch
from fixtures_methods import equal, fit, interrupt_at, synthesize, tiny_method, tiny_task, weights, world

from gift_lib.files import canonical_json
from gift_lib.methods.base import Batch
from gift_lib.training import Batches, Learner

__all__ = ["world"]

PROMPTS = [f"a photo of a thing{k}" for k in (0, 1, 2, 1, 3, 0, 4, 5, 6, 2)]
FREE = {"contrastive": (), "feature": (), "image-only": ("text",), "text-only": ("image",)}


def begin(prompts=PROMPTS, **settings):
    """GIFT at the start of a task whose weights have moved away from the teacher's, and a synthetic batch."""
    m = tiny_method("gift", **settings)
    m.task_index = 0
    m.before_task(tiny_task(0), synthesize(None, prompts, {}, None))
    with torch.no_grad():
        for p in m.parameters().values():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return m


def towers(method):
    """The trained weights of each tower."""
    names = method.parameters()
    return {
        "image": {n: p for n, p in names.items() if n.startswith("visual.")},
        "text": {n: p for n, p in names.items() if not n.startswith("visual.")},
    }


def naive_preserve(method, which):
    """alpha CD + beta ITA in loops, on one matrix: the free side is the teacher's."""
    e, s = method.experiment, float(method.scale)
    x = method.clip.preprocess.eval(method.pictures[which])
    prompts = [method.synthetic.prompts[k] for k in which.tolist()]
    X, T = method.model.encode_image(x), method.model.encode_text(method.clip.tokenize(prompts))
    X, T = X / X.norm(dim=1, keepdim=True), T / T.norm(dim=1, keepdim=True)
    tX, tT = method.teacher.images[which], method.teacher.texts[method.prompt_of[which]]
    if e.distillation == "feature":
        cd = ((X - tX) ** 2).mean() + ((T - tT) ** 2).mean()
    X, T = (tX if e.distillation == "text-only" else X), (tT if e.distillation == "image-only" else T)
    M, Mt, n = s * X @ T.T, s * tX @ tT.T, len(which)
    if e.distillation != "feature":
        cd = sum(
            (b.softmax(0) * (b.log_softmax(0) - a.log_softmax(0))).sum() * 4 / n
            for rows, teacher in ((M / 2, Mt / 2), (M.T / 2, Mt.T / 2))
            for a, b in zip(rows, teacher, strict=True)
        )
    ita = 0.0
    for rows in (M, M.T):
        for i in range(n):
            same = [j for j in range(n) if prompts[j] == prompts[i]]
            target = torch.full((n,), 0.2 / n)
            target[same] += 0.8 / len(same)
            ita = ita - (target * rows[i].log_softmax(0)).sum() / n
    return e.alpha * cd + e.beta * ita


@pytest.mark.parametrize("beta", [0.25, 0.0])
@pytest.mark.parametrize("distillation", FREE)
def test_synthetic_pairs_reach_a_tower_with_the_naive_gradient_or_not_at_all(distillation, beta):
    m = begin(distillation=distillation, beta=beta)
    which = torch.tensor([0, 5, 3, 1])
    sum(m.preserve(Batch(0, torch.empty(0, 3, 16, 16), torch.empty(0, dtype=torch.int64), which)).values()).backward()
    naive = naive_preserve(m, which)
    for tower, parameters in towers(m).items():
        want = torch.autograd.grad(naive, list(parameters.values()), allow_unused=True, retain_graph=True)
        for (name, p), g in zip(parameters.items(), want, strict=True):
            if tower in FREE[distillation]:
                assert p.grad is None and g is None, name
            else:
                torch.testing.assert_close(p.grad, g, rtol=1e-3, atol=1e-5)
        norm = sum(float(p.grad.norm()) for p in parameters.values() if p.grad is not None)
        assert (norm == 0) == (tower in FREE[distillation])


@pytest.mark.parametrize("distillation", ["image-only", "text-only"])
def test_weight_consolidation_does_not_hold_a_free_tower(distillation):
    """The squared gradients come from the same terms: on a free tower F is zero, and CE alone moves it."""
    m = begin(distillation=distillation)
    learner, task, which = Learner(m, 1e-3, 6), tiny_task(0), torch.tensor([0, 5, 3, 1])
    x = m.clip.preprocess.eval(task.train.images.pixels[:8])
    batch = Batch(0, x, task.train.labels[:8], which)
    ce = torch.autograd.grad(m.loss(batch)["ce"], list(m.parameters().values()), allow_unused=True)
    kept = torch.autograd.grad(naive_preserve(m, which), list(m.parameters().values()), allow_unused=True)
    theta = {n: p.detach().clone() for n, p in m.parameters().items()}
    learner.step(batch)
    free = towers(m)[FREE[distillation][0]]
    for (name, p), c, k in zip(m.parameters().items(), ce, kept, strict=True):
        if name in free:
            assert k is None and not m.penalty.F[name].any()
            torch.testing.assert_close(p.grad, c)
        else:
            pull = (
                2
                * m.experiment.consolidation_weight
                * k**2
                / (k**2).mean()
                * (theta[name] - m.penalty.theta_prev[name])
                if k.any()
                else 0 * k
            )
            torch.testing.assert_close(p.grad, c + k + pull, rtol=2e-3, atol=1e-5)


def test_batches_keep_the_short_last_ones_of_both_streams():
    """20 real pictures by 8, 10 synthetic ones by 4: streams of unequal length, nothing twice in a batch."""
    m = begin()
    batches = Batches(m.experiment, 0, tiny_task(0), m.synthetic, m)
    lengths = [(len(b.labels), len(b.synthetic), len(b.synthetic.unique())) for b in map(batches, range(6))]
    assert lengths == [(8, 4, 4), (8, 4, 4), (4, 2, 2)] * 2
    assert Batches(m.experiment, 0, tiny_task(0), None, m)(2).synthetic.tolist() == []


def test_losses_of_a_short_batch_are_means_over_what_it_holds():
    m = begin()
    batch = Batches(m.experiment, 0, tiny_task(0), m.synthetic, m)(2)
    preserve = sum(m.preserve(batch).values())
    torch.testing.assert_close(preserve, naive_preserve(m, batch.synthetic), rtol=1e-4, atol=1e-5)
    texts = m.model.encode_text(m.class_tokens)
    images = m.model.encode_image(batch.images)
    logits = float(m.scale) * torch.nn.functional.cosine_similarity(images[:, None], texts[None], dim=-1)
    target = 0.8 * torch.nn.functional.one_hot(batch.labels, len(texts)) + 0.2 / len(texts)
    rows = [-(t * z.log_softmax(0)).sum() for t, z in zip(target, logits, strict=True)]
    torch.testing.assert_close(m.loss(batch)["ce"], sum(rows) / 4, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stop", [3, 8, 11])
def test_a_run_killed_beside_a_short_batch_goes_on_to_the_same_result(world, monkeypatch, stop):
    settings = {"images_per_task": 10, "synthetic_batch_size": 4}
    whole = world.run("gift", **settings)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(stop, patch)
        world.run("gift", **settings)
    resumed = world.run("gift", **settings)
    assert canonical_json(resumed["result"]) == canonical_json(whole["result"])
    assert equal(weights(world.methods[0]), weights(world.methods[-1]))


@pytest.mark.parametrize("ends", [False, True])
def test_the_released_flag_of_the_static_fisher_ends_the_distillation_too(ends):
    m = tiny_method("gift", consolidation="fisher", steps=10, method_options={"fisher_ends_distillation": ends})
    curves = fit(m, 0, tiny_task(0), synthesize(None, PROMPTS, {}, None))
    assert m.fisher_steps == m.penalty.seen == 1
    assert {name: len(c) for name, c in curves.items()} == {"ce": 10, "cd": 1 if ends else 10, "ita": 1 if ends else 10}
