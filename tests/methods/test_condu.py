"""ConDU-FT: unified and decoupled changes, masks of a bit, prototypes, and who answers a picture."""

import pytest
import torch
from fixtures_methods import equal, fit, pixels, tiny_clip, tiny_method, tiny_task, weights
from torch.nn import functional as F

from gift_lib.clip import encode_images, encode_texts
from gift_lib.errors import ConfigError
from gift_lib.methods.condu import INITIAL, packed, unify, unpacked


def changes(method):
    """theta - theta_0 by name."""
    return {n: p.detach() - method.initial[n] for n, p in method.parameters().items()}


def learned(count, **settings):
    m = tiny_method("condu", **settings)
    for t in range(count):
        fit(m, t)
    m.model.eval()
    return m


def naive_unify(deltas):
    """Entry by entry, from the words of the paper."""
    unified, masks = torch.zeros_like(deltas[0]), torch.zeros_like(deltas)
    for at in torch.cartesian_prod(*(torch.arange(s) for s in deltas[0].shape)):
        at = tuple(at.tolist())
        column = [float(d[at]) for d in deltas]
        sign = (sum(column) > 0) - (sum(column) < 0)
        agree = [v * sign > 0 for v in column]
        unified[at] = sign * max([abs(v) for v, a in zip(column, agree, strict=True) if a], default=0.0)
        for i, a in enumerate(agree):
            masks[(i, *at)] = a
    return unified, masks.bool()


def test_unify_against_loops():
    deltas = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    deltas[:, 0, 0] = 0.0
    unified, M = unify(deltas)
    want, masks = naive_unify(deltas)
    assert torch.equal(unified, want) and torch.equal(M, masks)


def test_the_unified_change_keeps_the_agreed_sign_and_the_largest_value_that_agrees():
    deltas = torch.tensor([[3.0, -1.0, 2.0], [1.0, -2.0, -5.0], [-2.0, -0.5, 1.0]])
    unified, M = unify(deltas)
    assert unified.tolist() == [3.0, -2.0, -5.0]
    assert M.tolist() == [[True, True, False], [True, True, True], [False, True, False]]
    assert (unified.sign() == deltas.mean(0).sign()).all()


def test_one_task_alone_decouples_to_itself():
    m = learned(1)
    for name, delta in changes(m).items():
        torch.testing.assert_close(m.decoupled(0, name), delta)
    assert m.ratios == pytest.approx([1.0])


def test_every_task_is_fine_tuned_from_the_pre_trained_model():
    m, alone = learned(2), tiny_method("upper-bound")
    fit(alone, 1)
    assert equal(weights(m), weights(alone))


def test_the_next_task_is_unified_with_the_decoupled_ones_not_with_the_originals():
    m = learned(1)
    first = changes(m)
    fit(m, 1)
    second = {n: m.decoupled(0, n) for n in first}
    kept = changes(m)
    sums = torch.zeros(2, 2)
    for name in first:
        unified, M = unify(torch.stack([first[name], kept[name]]))
        torch.testing.assert_close(m.unified[name], unified)
        sums[0] += torch.stack([first[name].abs().mean(), kept[name].abs().mean()])
        sums[1] += (M * unified).abs().mean(dim=tuple(range(1, M.dim())))
    torch.testing.assert_close(torch.tensor(m.ratios), (sums[0] / sums[1]))
    assert any(not torch.equal(second[n], first[n]) for n in first), "the first task lost something"
    fit(m, 2)
    for name, delta in changes(m).items():
        originals = torch.stack([first[name], kept[name], delta])
        if not torch.allclose(unify(originals)[0], m.unified[name]):
            return
    pytest.fail("the originals were kept somewhere")


def test_a_mask_takes_a_bit_for_each_weight():
    for shape in ((3, 5), (7,), (), (2, 2, 2), (16,)):
        mask = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.5
        bits = packed(mask)
        assert bits.numel() == -(-mask.numel() // 8) and torch.equal(unpacked(bits, mask.shape), mask)
    m = learned(2)
    assert sum(b.numel() for b in m.masks[1].values()) <= sum(p.numel() for p in m.parameters().values()) / 8 + 60


def logits_of(method, delta, task, x):
    """A fresh model with some change, on pictures and the classes of a task."""
    model = tiny_clip().model
    with torch.no_grad():
        for n, p in model.named_parameters():
            if n in delta:
                p.add_(delta[n])
        images = encode_images(model, method.clip.preprocess.eval(x))
        texts = [encode_texts(model, method.clip.tokenize(prompts_of(task, c))).mean(0) for c in task.classes]
    return images @ F.normalize(torch.stack(texts), dim=1).T


def prompts_of(task, name):
    """A class's prompts in all templates."""
    return [t.replace("{c}", name) for t in task.templates]


def test_a_known_task_is_answered_by_its_own_decoupled_model_and_weights_come_back():
    m, x = learned(2), pixels(5, "known")
    before = weights(m)
    for t in range(2):
        own = {n: m.decoupled(t, n) for n in m.unified}
        with torch.no_grad():
            torch.testing.assert_close(m.predict(tiny_task(t), x), logits_of(m, own, tiny_task(t), x))
    assert equal(weights(m), before)


@pytest.mark.parametrize("experts", [1, 2, 4])
def test_a_stranger_is_answered_by_the_mean_of_the_nearest_experts_and_the_pre_trained_model(experts):
    m, x, task = learned(3, method_options={"experts": experts}), pixels(6, "stranger"), tiny_task(7)
    with torch.no_grad():
        images = encode_images(tiny_clip().model, m.clip.preprocess.eval(x))
        got = m.predict(task, x)
    parts = [logits_of(m, {}, task, x)]
    parts += [logits_of(m, {n: m.decoupled(i, n) for n in m.unified}, task, x) for i in range(3)]
    for row, image in enumerate(images):
        best = [float((m.prototypes[f"task{i}"] @ image).max()) for i in range(3)]
        chosen = sorted(range(3), key=lambda i: -best[i])[:experts]
        want = sum([parts[0][row], *(parts[1 + i][row] for i in chosen)]) / (1 + len(chosen))
        torch.testing.assert_close(got[row], want, rtol=1e-4, atol=1e-5)


def test_without_task_identity_the_picture_chooses_its_experts_for_learned_tasks_too():
    m, x = learned(2), pixels(5, "open")
    tasks = [tiny_task(0), tiny_task(7)]
    with torch.no_grad():
        both = m.predict_among(tasks, x)
        torch.testing.assert_close(both[:, 3:], m.predict(tiny_task(7), x))
        assert not torch.allclose(both[:, :3], m.predict(tiny_task(0), x), atol=1e-4), "nobody said it is task 0"


def test_prototypes_are_the_normalised_mean_of_image_and_text_under_the_pre_trained_model():
    m, task, fresh = learned(1), tiny_task(0), tiny_clip()
    with torch.no_grad():
        images = encode_images(fresh.model, fresh.preprocess.eval(task.train.images.pixels))
    rows = []
    for c, name in enumerate(task.classes):
        with torch.no_grad():
            texts = encode_texts(fresh.model, fresh.tokenize([t.replace("{c}", name) for t in task.templates]))
        rows.append(
            F.normalize((images[task.train.labels == c].mean(0) + F.normalize(texts.mean(0), dim=0)) / 2, dim=0)
        )
    torch.testing.assert_close(m.prototypes["task0"], torch.stack(rows), rtol=1e-4, atol=1e-5)


def test_each_picture_goes_through_each_model_once_for_all_questions(monkeypatch):
    m, x, seen = learned(3), pixels(6, "once"), []
    honest = type(m)._embed
    monkeypatch.setattr(type(m), "_embed", lambda self, p: (seen.append(len(p)), honest(self, p))[1])
    with torch.no_grad(), m.looking_at(x):
        m.predict(tiny_task(1), x)
        m.predict_among([tiny_task(0), tiny_task(1)], x)
        m.predict_among([tiny_task(1)], x)
    assert sum(seen) == 6 * 4, "the pre-trained model and three experts"


def test_before_any_task_and_while_one_is_learned_nothing_is_routed():
    m, zero, x = tiny_method("condu"), tiny_method("zero-shot"), pixels(4, "zero")
    with torch.no_grad():
        torch.testing.assert_close(m.predict(tiny_task(0), x), zero.predict(tiny_task(0), x))
        m.task_index = 0
        m.before_task(tiny_task(0), None)
        m.forget_classifiers()
        torch.testing.assert_close(m.predict(tiny_task(0), x), zero.predict(tiny_task(0), x))
    assert m.learned == [] and INITIAL < 0


def test_settings():
    assert tiny_method("condu").option == {"experts": 4}
    with pytest.raises(ConfigError, match="published are 4"):
        tiny_method("condu", method_options={"experts": 0})
