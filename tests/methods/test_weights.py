"""l2, WiSE-FT, the upper bound and joint training: what defines each."""

import pytest
import torch
from fixtures_methods import equal, fit, tiny_clip, tiny_method, tiny_task, weights
from torch.nn import functional as F

from gift_lib.data.transforms import Preprocess
from gift_lib.methods.base import Batch
from gift_lib.methods.joint import Union, within
from gift_lib.methods.stores import Concatenated, Subset
from gift_lib.tasks import TensorImages
from gift_lib.training import Learner


@pytest.mark.parametrize("weight", [1.0, 7.0])
def test_l2_adds_the_penaltys_gradient_to_that_of_continual_finetune(weight):
    gradients, g, shift = [], torch.Generator(), 0.01
    for name in ("finetune", "l2"):
        m, task = tiny_method(name, consolidation_weight=weight), tiny_task(0)
        m.task_index = 0
        m.before_task(task, None)
        learner = Learner(m, 1e-3, 6)
        with torch.no_grad():
            for p in m.parameters().values():
                p.add_(shift)
        m.model.train()
        x = m.clip.preprocess.train(task.train.images.pixels[:8], g.manual_seed(0))
        learner.step(Batch(0, x, task.train.labels[:8], torch.empty(0, dtype=torch.int64)))
        gradients.append({n: p.grad for n, p in m.parameters().items()})
    for n, plain in gradients[0].items():
        torch.testing.assert_close(gradients[1][n], plain + 2 * weight * shift, rtol=1e-4, atol=1e-5)


def test_l2_without_weight_is_continual_finetune():
    a, b = tiny_method("l2", consolidation_weight=0.0), tiny_method("finetune")
    for t in range(2):
        assert fit(a, t) == fit(b, t)
    assert equal(weights(a), weights(b))


@pytest.mark.parametrize("weight", [0.0, 0.8, 1.0])
def test_wise_ft_interpolates(weight):
    plain, wise = tiny_method("finetune"), tiny_method("wise-ft", method_options={"weight": weight})
    for t in range(2):
        before = weights(wise)
        plain.model.load_state_dict(before)
        fit(plain, t)
        fit(wise, t)
        for name, after in weights(plain).items():
            torch.testing.assert_close(weights(wise)[name], weight * after + (1 - weight) * before[name])
        if weight in (0, 1):
            assert equal(weights(wise), before if weight == 0 else weights(plain))


def test_wise_ft_is_published_with_0_8():
    assert tiny_method("wise-ft").option["weight"] == 0.8


def test_upper_bound_starts_every_task_from_the_pre_trained_weights():
    both, alone = tiny_method("upper-bound"), tiny_method("upper-bound")
    fit(both, 0)
    fit(both, 1)
    fit(alone, 1)
    assert equal(weights(both), weights(alone))
    plain = tiny_method("finetune")
    fit(plain, 1)
    assert equal(weights(both), weights(plain)), "a task alone is fine-tuning on it"


def test_union_keeps_pictures_labels_and_prompts():
    tasks = [tiny_task(k) for k in range(3)]
    union = Union.of(tasks, Preprocess(16))
    assert len(union.classes) == 10 and union.prompts()[3] == "a photo of a thing1a."
    index = torch.tensor([42, 0, 19, 20, 65, 68, 43])
    pixels = union.train.images.batch(index)
    every = torch.cat([t.train.images.pixels for t in tasks])
    assert torch.equal(pixels, every[index]) and len(union.train) == len(every) == 69
    first = torch.tensor([0, 3, 7]).repeat_interleave(torch.tensor([20, 23, 26]))
    assert torch.equal(union.train.labels, torch.cat([t.train.labels for t in tasks]) + first)
    part = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    assert torch.equal(union.same, part[:, None] == part[None])


def test_stores_of_several_sizes_come_as_squares_of_the_models_size():
    parts = [tiny_task(k, size=size).train.images for k, size in enumerate((16, 24, 11))]
    p = Preprocess(16)
    both = Concatenated(tuple(parts), p)
    index = torch.tensor([30, 2, 60])
    alone = torch.cat([p.eval(parts[1].batch(index[:1] - 20)), p.eval(parts[0].batch(index[1:2])),
                       p.eval(parts[2].batch(index[2:] - 43))])  # fmt: skip
    assert torch.equal(p.eval(both.batch(index)), alone)


def test_subset_renumbers():
    images = TensorImages(torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 2, 2))
    subset = Subset(images, torch.tensor([4, 1, 2]))
    assert len(subset) == 3 and subset.batch(torch.tensor([2, 0]))[:, 0, 0, 0].tolist() == [2, 4]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_joint_loss_is_each_tasks_own_cross_entropy(smoothing):
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels, part = torch.tensor([0, 6, 3, 2, 4]), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    ours = within(logits, labels, part[:, None] == part[None], smoothing)
    rows = []
    for row, label in zip(logits, labels, strict=True):
        own = (part == part[label]).nonzero()[:, 0]
        target = torch.tensor([int((own == label).nonzero())])
        rows.append(F.cross_entropy(row[own][None], target, label_smoothing=smoothing))
    naive = torch.stack(rows).mean()
    torch.testing.assert_close(ours, naive)
    torch.testing.assert_close(*(torch.autograd.grad(v, logits, retain_graph=True)[0] for v in (ours, naive)))


def test_joint_takes_as_many_steps_as_a_sequence_and_learns_from_all_tasks():
    m = tiny_method("joint")
    (union,) = m.phases([tiny_task(k) for k in range(3)])
    curves = fit(m, 0, union)
    assert len(curves["ce"]) == 18
    fresh = tiny_clip().model.state_dict()
    moved = (weights(m)["token_embedding.weight"] != fresh["token_embedding.weight"]).any(dim=1)
    used = m.clip.tokenize(union.prompts()).unique()
    assert moved[used[used > 0]].all(), "the words of every task were trained"
