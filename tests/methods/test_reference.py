"""LwF, LwF-VR, iCaRL and ZSCL: their losses against an independent implementation, their teachers, their memories."""

import copy
import math

import pytest
import torch
from fixtures_methods import (
    END,
    OPTIONS,
    START,
    equal,
    fit,
    pixels,
    synthesize,
    tiny_clip,
    tiny_method,
    tiny_task,
    tokenize,
    weights,
)

from gift_lib import consolidation
from gift_lib.clip import encode_images, encode_texts
from gift_lib.errors import ConfigError
from gift_lib.methods.base import Batch
from gift_lib.methods.icarl import herd
from gift_lib.methods.lwf_vr import random_sentences
from gift_lib.methods.reference import ReferenceDistillation


def learning_without_forgetting(student, teacher, images, texts, T=2.0):
    """LwF's second term written down from the description, in loops: the teacher's probabilities of each picture
    over all texts, and of each text over all pictures, against the student's, with the teacher's texts in both."""
    scale = math.exp(student.logit_scale.item())

    def logits(model):
        i = model.encode_image(images)
        t = teacher.encode_text(texts).detach()
        i, t = i / i.norm(dim=1, keepdim=True), t / t.norm(dim=1, keepdim=True)
        return scale * i @ t.T / T

    s, t = logits(student), logits(teacher).detach()
    total = 0.0
    for axis in (0, 1):
        n = s.shape[axis]
        for k in range(n):
            a, b = (s[k], t[k]) if axis == 0 else (s[:, k], t[:, k])
            p = b.exp() / b.exp().sum()
            total = total - (p * (a - torch.logsumexp(a, 0))).sum() * T * T / n
    return total


@pytest.mark.parametrize("name", ["lwf", "lwf-vr", "icarl", "zscl"])
def test_distillation_equals_an_independent_implementation(name):
    m = tiny_method(name)
    fit(m, 0)
    m.task_index = 1
    teacher = tiny_clip().model if name in ("icarl", "zscl") else copy.deepcopy(m.model)
    task = tiny_task(1)
    m.before_task(task, None)
    with torch.no_grad():
        for p in m.parameters().values():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    step = 2
    r = m.reference
    images = m.clip.preprocess.eval(r.images.batch(m.draw(len(r.images))(step)))
    texts = {
        "lwf": tokenize(task.prompts()),
        "icarl": tokenize(task.prompts()),
        "lwf-vr": random_sentences(m.clip, 7, 10, m.generator("sentences")),
        "zscl": tokenize(m.resources.captions(10)),
    }[name]
    for p in teacher.parameters():
        p.requires_grad_(False)
    ours, theirs = m.distil(step), learning_without_forgetting(m.model, teacher, images, texts)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    own = [p for n, p in m.parameters().items() if n.startswith("visual.")]
    pairs = zip(*(torch.autograd.grad(v, own, allow_unused=True) for v in (ours, theirs)), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["lwf", "lwf-vr", "icarl", "zscl"])
def test_the_teacher_is_the_right_model_and_never_trained(name):
    m = tiny_method(name)
    pretrained = tiny_clip().model
    for t in range(3):
        m.task_index = t
        start, task = copy.deepcopy(m.model), tiny_task(t)
        m.before_task(task, None)
        r = m.reference
        if r is None:
            assert name == "icarl" and t == 0
        else:
            right, wrong = (pretrained, start) if name in ("icarl", "zscl") else (start, pretrained)
            seen = (r.t_images != 0).any(dim=1).nonzero()[:, 0]
            x = m.clip.preprocess.eval(r.images.batch(seen))
            with torch.no_grad():
                torch.testing.assert_close(r.t_images[seen], encode_images(right, x))
                assert t == 0 or not torch.allclose(r.t_images[seen], encode_images(wrong, x), atol=1e-3)
            assert not r.t_images.requires_grad and not r.t_texts.requires_grad
            kept = r.t_images.clone(), r.t_texts.clone()
        fit(m, t, task)
        if r is not None:
            assert torch.equal(r.t_images, kept[0]) and torch.equal(r.t_texts, kept[1])
    assert equal(m.initial, {n: p.detach() for n, p in tiny_clip().trained().items()})


def test_icarls_teacher_can_be_the_previous_model():
    m = tiny_method("icarl", method_options={"memory": 13, "teacher": "last"})
    fit(m, 0)
    m.task_index = 1
    m.before_task(tiny_task(1), None)
    with torch.no_grad():
        texts = encode_texts(m.model, m.class_tokens)
    torch.testing.assert_close(m.reference.t_texts, texts)


def test_zscl_computes_its_teachers_outputs_once(monkeypatch):
    m = tiny_method("zscl")
    fit(m, 0)
    public = m.public
    monkeypatch.setattr("gift_lib.methods.reference.embed_images", lambda *_: pytest.fail("computed again"))
    fit(m, 1)
    assert m.public is public


def test_only_drawn_pictures_are_shown_to_the_teacher():
    m = tiny_method("lwf", steps=1)
    m.task_index = 0
    m.before_task(tiny_task(0), None)
    drawn = m.draw(20)(0)
    assert torch.equal((m.reference.t_images != 0).any(dim=1).nonzero()[:, 0], drawn.sort().values)


def test_the_second_term_reaches_the_image_tower_alone():
    m = tiny_method("lwf")
    m.task_index = 0
    m.before_task(tiny_task(0), None)
    m.distil(0).backward()
    reached = {n for n, p in m.parameters().items() if p.grad is not None}
    assert reached and all(n.startswith("visual.") for n in reached)


def test_lwf_draws_its_reference_pictures_itself():
    m = tiny_method("lwf")
    m.task_index = 0
    a, b = m.draw(20)(0), m.draw(20)(0)
    m.task_index = 1
    assert torch.equal(a, b) and not torch.equal(a, m.draw(20)(0))


def test_random_sentences():
    clip = tiny_clip()
    a, b = (random_sentences(clip, 50, 10, torch.Generator().manual_seed(k)) for k in (0, 1))
    assert (a[:, 0] == START).all() and (a[:, 11] == END).all() and (a[:, 12:] == 0).all()
    assert a[:, 1:11].unique().tolist() == list(range(64)), "every token of the vocabulary is drawn, END too"
    assert not torch.equal(a, b) and torch.equal(a, random_sentences(clip, 50, 10, torch.Generator().manual_seed(0)))
    with pytest.raises(ConfigError, match="do not fit"):
        random_sentences(clip, 5, 15, torch.Generator())


def test_a_sentence_ends_at_the_first_end_token_that_was_drawn():
    clip = tiny_clip()
    sentences = random_sentences(clip, 200, 10, torch.Generator().manual_seed(0))
    early = (sentences[:, 1:11] == END).any(dim=1).nonzero()[:, 0]
    assert 10 < len(early) < 60, "some 10 of 64 times 200 sentences"
    cut = sentences.clone()
    for row in cut:
        row[int((row == END).nonzero()[0]) + 1 :] = 0
    with torch.no_grad():
        torch.testing.assert_close(encode_texts(clip.model, sentences), encode_texts(clip.model, cut))


def test_random_sentences_from_a_share_of_the_vocabulary():
    clip = tiny_clip()
    few, other = (random_sentences(clip, 50, 10, torch.Generator().manual_seed(k), 0.2) for k in (0, 1))
    words = few[:, 1:11].unique()
    assert len(words) == round(0.2 * 64)
    assert (few[:, 11] == END).all() and not torch.equal(words, other[:, 1:11].unique())
    whole = random_sentences(clip, 50, 10, torch.Generator().manual_seed(0), 1.0)
    assert torch.equal(whole, random_sentences(clip, 50, 10, torch.Generator().manual_seed(0)))
    for share in (0.0, 1.1):
        with pytest.raises(ConfigError, match="share above 0"):
            random_sentences(clip, 5, 10, torch.Generator(), share)


def test_lwf_vr_draws_new_sentences_for_each_task():
    m = tiny_method("lwf-vr")
    texts = []
    for t in range(2):
        m.task_index = t
        m.before_task(tiny_task(0), None)
        texts.append(m.reference.t_texts)
    assert len(texts[0]) == 7 and not torch.allclose(*texts)


# ZSCL


@pytest.mark.parametrize("name", ["zscl", "gift"])
def test_the_ensemble_is_the_mean_of_the_start_and_its_snapshots(name, monkeypatch):
    options = {"snapshots": 3, "ensemble": True}
    m = tiny_method(name, method_options={**OPTIONS.get(name, {}), **options})
    drawn = synthesize(m.experiment, ("a disc.", "a box."), {}, None) if name == "gift" else None
    for t in range(2):
        snapshots, done = [weights(m)], []
        with monkeypatch.context() as patch:
            honest = type(m).after_step

            def spy(self, k, honest=honest, done=done):
                done.append((k, weights(self)))
                honest(self, k)

            patch.setattr(type(m), "after_step", spy)
            fit(m, t, synthetic=drawn)
        snapshots += [w for k, w in done if k in (2, 4, 6)]
        for name, now in weights(m).items():
            torch.testing.assert_close(now, torch.stack([s[name] for s in snapshots]).mean(dim=0))


@pytest.mark.parametrize(("steps", "snapshots"), [(1000, 10), (80, 10), (25, 10), (3, 3)])
def test_zscl_takes_ten_snapshots_whatever_the_number_of_steps(steps, snapshots):
    m = tiny_method("zscl", steps=steps, method_options={})
    m.task, taken = tiny_task(0), []
    m.ensemble = type("Counter", (), {"add": lambda self, p: taken.append(1)})()
    for step in range(1, steps + 1):
        m.after_step(step)
        if step == steps - 1 and steps == 1000:
            assert len(taken) == 9
    assert len(taken) == snapshots


def test_zscl_without_its_ensemble_keeps_what_the_last_step_leaves(monkeypatch):
    m, final = tiny_method("zscl", method_options={**OPTIONS["zscl"], "ensemble": False}), {}
    monkeypatch.setattr(ReferenceDistillation, "after_task", lambda self, task: final.update(weights(self)))
    for t in range(2):
        fit(m, t)
        assert m.ensemble is None and m.state() == {} and equal(final, weights(m))


def test_zscl_holds_the_weights_with_the_l2_penalty():
    m = tiny_method("zscl")
    m.task_index = 0
    m.before_task(tiny_task(0), None)
    assert type(m.penalty) is consolidation.L2 and all(
        torch.equal(p, m.initial[n]) for n, p in m.penalty.theta_prev.items()
    )


# iCaRL


def naive_herding(features, m):
    """Algorithm 4 of the iCaRL paper, literally."""
    mu, chosen = features.mean(dim=0), []
    for k in range(1, m + 1):
        best = min(
            (i for i in range(len(features)) if i not in chosen),
            key=lambda i: float((mu - (features[i] + features[chosen].sum(dim=0)) / k).norm()),
        )
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("seed", range(3))
def test_herding_against_the_papers_algorithm(seed):
    features = torch.randn(17, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert herd(features, 17).tolist() == naive_herding(features, 17)
    assert herd(features, 0).tolist() == []


def distance_to_mean(features, chosen):
    return float((features.mean(dim=0) - features[chosen].mean(dim=0)).norm())


def test_the_mean_of_herded_pictures_approaches_the_mean_faster_than_that_of_random_ones():
    g = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(200, 16, generator=g), dim=1)
    order = herd(features, 200)
    assert sorted(order.tolist()) == list(range(200))
    for m in (5, 20, 50, 100):
        random = [distance_to_mean(features, torch.randperm(200, generator=g)[:m]) for _ in range(20)]
        assert distance_to_mean(features, order[:m]) < min(*random, 0.5 * sum(random) / len(random))


@pytest.mark.parametrize("herding", ["dataset", "class"])
def test_both_readings_of_herding_follow_the_mean_that_they_summarise(herding):
    m = tiny_method("icarl", method_options={"memory": 9, "herding": herding})
    task = tiny_task(2)
    fit(m, 0, task)
    x, labels = task.train.images.pixels, task.train.labels
    where = torch.cat([(x == e).flatten(1).all(dim=1).nonzero()[:, 0] for e in m.exemplars[0]])
    assert len(where.unique()) == 9
    with torch.no_grad():
        features = encode_images(m.model, m.clip.preprocess.eval(x))
    groups = (
        [torch.arange(len(x))] if herding == "dataset" else [(labels == c).nonzero()[:, 0] for c in labels.unique()]
    )
    g = torch.Generator().manual_seed(0)
    if herding == "class":
        groups = [(labels == c).nonzero()[:, 0] for c in labels.unique()]
        assert torch.bincount(labels[where]).tolist() == [3, 3, 3]
    for group in groups:
        chosen = [i for i in where.tolist() if i in group.tolist()]
        local = [group.tolist().index(i) for i in chosen]
        draws = [torch.randperm(len(group), generator=g)[: len(local)] for _ in range(50)]
        random = [distance_to_mean(features[group], d) for d in draws]
        assert distance_to_mean(features[group], local) < sum(random) / len(random)


@pytest.mark.parametrize("memory", [1, 2, 7, 13, 40, 1000])
@pytest.mark.parametrize("herding", ["dataset", "class"])
def test_icarl_never_exceeds_its_memory_and_keeps_the_first_of_each_order(memory, herding):
    m = tiny_method("icarl", steps=1, method_options={"memory": memory, "herding": herding})
    before, seen = [], 0
    for t in range(4):
        fit(m, t % 3, tiny_task(t))
        seen += len(tiny_task(t).train)
        held = [len(e) for e in m.exemplars]
        assert sum(held) == min(memory, sum(held)) <= memory and len(held) == t + 1
        assert sum(held) == min(memory, seen) or any(n == memory // (t + 1) for n in held)
        for now, then in zip(m.exemplars, before, strict=False):
            assert torch.equal(now, then[: len(now)])
        before = m.exemplars


def test_icarl_keeps_pictures_of_any_size_in_the_models_own():
    m = tiny_method("icarl")
    for t, size in enumerate((16, 28, 11)):
        curves = fit(m, t, tiny_task(t, size=size))
        assert ("kd" in curves) == (t > 0), "the first task has no memory"
    assert {e.shape[1:] for e in m.exemplars} == {(3, 16, 16)}


@pytest.mark.parametrize("options", [{"herding": "mean"}, {"memory": 0}, {"teacher": "yesterday"}])
def test_icarl_names_settings_that_make_no_sense(options):
    with pytest.raises(ConfigError):
        tiny_method("icarl", method_options=options)


def test_reference_pictures_are_no_tasks_pictures():
    ours = pixels(24, "reference")
    for t in range(3):
        assert not (tiny_task(t).train.images.pixels[:, None] == ours[None]).flatten(2).all(dim=2).any()


def test_batch_is_untouched():
    m = tiny_method("lwf")
    m.task_index = 0
    m.before_task(tiny_task(0), None)
    x = m.clip.preprocess.eval(tiny_task(0).train.images.pixels[:4])
    batch = Batch(0, x, tiny_task(0).train.labels[:4], torch.empty(0, dtype=torch.int64))
    kept = x.clone()
    assert set(m.loss(batch)) == {"ce"} and set(m.preserve(batch)) == {"kd"} and torch.equal(batch.images, kept)


def test_zscl_may_look_at_another_number_of_reference_pictures_than_of_the_tasks():
    for given, wanted in ((0, 8), (5, 5)):
        m = tiny_method("zscl", method_options={"reference_batch": given, "images": 20})
        assert m.draw(20)(0).numel() == wanted
    plain = tiny_method("zscl", method_options={"images": 20}).draw(20)
    assert torch.equal(tiny_method("zscl", method_options={"reference_batch": 8, "images": 20}).draw(20)(3), plain(3))
    with pytest.raises(ConfigError, match="reference_batch must be zero or more"):
        tiny_method("zscl", method_options={"reference_batch": -1})
