"""RAIL: a recursive ridge regression, and which pictures it answers."""

import pytest
import torch
from fixtures_methods import equal, fit, pixels, tiny_clip, tiny_method, tiny_task, weights, world
from torch.nn import functional as F

from gift_lib.errors import ConfigError
from gift_lib.evaluation import accuracies, evaluate
from gift_lib.files import canonical_json
from gift_lib.methods.rail import RAIL, Ridge

__all__ = ["world"]


def learned(count, **options):
    m = tiny_method("rail", method_options={"hidden": 40, **options})
    for t in range(count):
        fit(m, t)
    return m


def name_pictures(method, tasks, pictures):
    """Let the classes' texts be the embeddings of some of the pictures: a random CLIP takes all for one class."""
    method._classifiers.clear()
    with torch.no_grad():
        images, at = method.embed(pictures), 0
    for task in tasks:
        method._classifiers[task.name] = images[at : at + len(task.classes)]
        at += len(task.classes)


@pytest.mark.parametrize("sizes", [(5, 5, 5), (1, 7, 3, 4), (15,)])
def test_recursive_equals_the_closed_form_over_all_data(sizes):
    """New classes come on the way; nothing old is kept."""
    g = torch.Generator().manual_seed(0)
    n, h, classes = sum(sizes), 12, 3
    Phi = torch.randn(n, h, generator=g).relu()
    labels = torch.randint(0, classes, (n,), generator=g)
    ridge, at = Ridge(h, 0.1, torch.device("cpu")), 0
    for k, size in enumerate(sizes):
        if k < classes and len(sizes) >= classes:
            ridge.grow(1)
            labels[at : at + size] = labels[at : at + size] % (k + 1)
        elif k == 0:
            ridge.grow(classes)
        Y = F.one_hot(labels[at : at + size], ridge.w.shape[1])
        ridge.learn(Phi[at : at + size], Y)
        at += size
    P, Y = Phi.double(), F.one_hot(labels, classes).double()
    want = torch.linalg.solve(P.T @ P + 0.1 * torch.eye(h).double(), P.T @ Y)
    torch.testing.assert_close(ridge.w, want, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ridge.R, torch.linalg.inv(P.T @ P + 0.1 * torch.eye(h).double()), rtol=1e-9, atol=1e-9)


def test_thousands_of_updates_stay_exact():
    g, ridge = torch.Generator().manual_seed(0), Ridge(8, 0.1, torch.device("cpu"))
    ridge.grow(2)
    A, b = 0.1 * torch.eye(8).double(), torch.zeros(8, 2).double()
    for _ in range(3000):
        Phi, Y = torch.randn(4, 8, generator=g).relu(), F.one_hot(torch.randint(0, 2, (4,), generator=g), 2)
        ridge.learn(Phi, Y)
        A, b = A + Phi.double().T @ Phi.double(), b + Phi.double().T @ Y.double()
    torch.testing.assert_close(ridge.w, torch.linalg.solve(A, b), rtol=1e-7, atol=1e-9)


def test_a_task_is_learned_from_one_pass_over_its_training_crops(monkeypatch):
    seen = []
    honest = RAIL.crops
    monkeypatch.setattr(RAIL, "crops", lambda self, task, i, step: (seen.append(i), honest(self, task, i, step))[1])
    m = learned(2)
    assert [sorted(torch.cat(seen[a:b]).tolist()) for a, b in ((0, 3), (3, 6))] == [list(range(20)), list(range(23))]
    assert m.ridge.w.shape == (40, 7) and m.learned == {"task0": range(3), "task1": range(3, 7)}


def test_the_whole_method_against_the_closed_form():
    """One solve over all crops of both tasks; fused with zero-shot where that says a learned class."""
    m = learned(2, ridge=0.3, weight=0.7)
    rows, labels = [], []
    fresh = learned(0)
    for t in range(2):
        fresh.task_index, task = t, tiny_task(t)
        for step in range(3):
            index = torch.randperm(len(task.train), generator=_order(fresh, t))[8 * step : 8 * step + 8]
            rows.append(fresh.crops(task, index, step))
            labels.append(task.train.labels[index] + 3 * t)
    x = torch.cat(rows)
    P, Y = m.features(x).double(), F.one_hot(torch.cat(labels), 7).double()
    w = torch.linalg.solve(P.T @ P + 0.3 * torch.eye(40).double(), P.T @ Y)
    torch.testing.assert_close(m.ridge.w, w, rtol=1e-7, atol=1e-8)
    tasks, pictures = [tiny_task(k) for k in range(3)], pixels(40, "rail")
    name_pictures(m, tasks, pictures)
    with torch.no_grad():
        got = m.predict_among(tasks, pictures)
        images = m.embed(pictures)
        texts = torch.cat([m.classifier(t) for t in tasks])
    answered = 0
    for row, image in zip(got, images, strict=True):
        zero = (m.scale * texts @ image).softmax(0)
        want = zero
        if int(zero.argmax()) < 7:
            answered += 1
            want = 0.3 * zero
            want[:7] += 0.7 * ((image @ m._W).relu().double() @ w).float()
        torch.testing.assert_close(row, want, rtol=1e-4, atol=1e-5)
    assert 0 < answered < 40, "both kinds of picture are there"


def _order(method, t):
    """The generator of the first epoch's order."""
    from gift_lib.methods.base import seeded

    return seeded(method.experiment.seed, t, "real", 0)


def test_what_is_not_learned_is_answered_by_zero_shot_so_that_transfer_is_zero_shots():
    m, zero = learned(1), tiny_method("zero-shot")
    tasks = [tiny_task(k) for k in range(3)]
    assert evaluate(m, tasks)[1:] == evaluate(zero, tasks)[1:]


def test_the_published_decision_looks_at_all_names_even_where_the_task_is_known():
    """With "all" a picture that zero-shot takes for a class of a future task is not answered by the regression."""
    tasks, x = [tiny_task(k) for k in range(3)], pixels(40, "rail")
    known, published = learned(1), learned(1, decision="all")
    with torch.no_grad():
        for m in (known, published):
            m.evaluated = tuple(tasks)
            name_pictures(m, tasks, x)
        a, b = known.predict(tasks[0], x), published.predict(tasks[0], x)
        zero = published._zero_shot(tasks, x)
        alone = published._zero_shot(tasks[:1], x)
    future = zero.argmax(dim=1) >= 3
    assert future.any() and not future.all()
    torch.testing.assert_close(b[future], alone[future])
    torch.testing.assert_close(b[~future], a[~future])
    assert not torch.allclose(a[future], alone[future])
    assert RAIL.options["decision"] == "candidates", "names of future tasks are looked at by request only"


def test_among_learned_classes_every_picture_is_answered_by_the_regression():
    m, tasks = learned(2), [tiny_task(k) for k in range(2)]
    x = pixels(8, "rail")
    with torch.no_grad():
        zero = m._zero_shot(tasks, x)
        torch.testing.assert_close(m.predict_among(tasks, x), 0.8 * m._regression(tasks, x) + 0.2 * zero)
    assert all(0 <= a <= 100 for a in accuracies(m, tasks[0], tasks[0].test, [None, tasks], 4))


@pytest.mark.parametrize("stop", [1, 2])
def test_stopped_between_tasks_it_goes_on_to_the_same_result(world, monkeypatch, stop):
    whole = world.run("rail")
    honest, calls = RAIL.crops, iter(range(1, 1000))

    def crops(self, *args):
        if next(calls) > 3 * stop + 1:  # in the middle of the next task's pass
            raise KeyboardInterrupt
        return honest(self, *args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RAIL, "crops", crops)
        world.run("rail")
    resumed = world.run("rail")
    assert resumed["run"]["resumed"] and canonical_json(resumed["result"]) == canonical_json(whole["result"])
    assert equal(world.methods[0].state(), world.methods[-1].state())


def test_clip_stays_as_it_is():
    assert equal(weights(learned(2)), tiny_clip().model.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decision": "everything"}, "decision cannot be"),
        ({"ridge": 0.0}, "ridge above zero"),
        ({"weight": 1.5}, "weight in"),
        ({"hidden": 0}, "hidden of 1 or more"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(ConfigError, match=message):
        tiny_method("rail", method_options=options)


def test_published_settings():
    assert RAIL.options == {"hidden": 15_000, "ridge": 0.1, "weight": 0.8, "decision": "candidates"}
