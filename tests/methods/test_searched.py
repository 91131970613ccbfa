"""Variants from the search for a better GIFT: what each of them changes, and nothing else."""

from functools import partial

import pytest
import torch
from fixtures_methods import equal, fit, interrupt_at, synthesize, tiny_method, tiny_task, weights, world

from gift_lib.files import canonical_json
from gift_lib.losses import image_text_alignment
from gift_lib.methods.base import Batch, seeded
from gift_lib.methods.searched import Alike, aligned
from gift_lib.pool import ClassPool, concepts_of

__all__ = ["world"]

CONCEPTS = ClassPool(concepts_of(tiny_method("gift").experiment), source="concepts").prompts[:3]
PAST = ["a photo of a thing0a.", "a photo of a thing0b."]
PROMPTS = [CONCEPTS[0], PAST[0], CONCEPTS[1], PAST[1], CONCEPTS[2], PAST[0]]


def second_task(name, prompts=PROMPTS, **settings):
    """A method at the start of its second task: the first one has moved its weights."""
    m = tiny_method(name, **settings)
    fit(m, 0, synthetic=synthesize(None, CONCEPTS * 2, {}, None))
    m.task_index = 1
    m.before_task(tiny_task(1), synthesize(None, prompts, {}, None))
    return m


def cd(method, which):
    """CD of some pairs."""
    batch = Batch(0, torch.empty(0, 3, 16, 16), torch.empty(0, dtype=torch.int64), torch.tensor(which))
    return method.preserve(batch)["cd"].detach()


def test_the_initial_model_answers_for_concepts_and_the_last_for_what_was_learned():
    m = second_task("two-teachers")
    assert m.general.tolist() == [True, False, True, False, True, False]
    x, tokens = m.clip.preprocess.eval(m.pictures), m.clip.tokenize(PROMPTS)
    now = {n: p.detach().clone() for n, p in m.parameters().items()}

    def matrix(at):
        with torch.no_grad():
            for n, p in m.parameters().items():
                p.copy_(at[n])
            images, texts = m.model.encode_image(x), m.model.encode_text(tokens)
            normal = torch.nn.functional.normalize
            return float(m.scale) * normal(images) @ normal(texts).T / 2

    first, last = matrix(m.initial), matrix(now)
    assert (first - last).abs().max() > 0.01
    # Nothing but the teachers differs: the student stands where the last task left it.
    want = 0.0
    for i, prompt in enumerate(PROMPTS):
        teacher = first if prompt in CONCEPTS else last
        for a, b in ((teacher[i], last[i]), (teacher[:, i], last[:, i])):
            want += 4 * float((a.softmax(0) * (a.log_softmax(0) - b.log_softmax(0))).sum()) / len(PROMPTS)
    assert float(cd(m, list(range(6)))) == pytest.approx(want, rel=1e-3)


def test_without_the_initial_model_it_is_gift_to_the_byte():
    first, second = second_task("gift"), second_task("two-teachers", method_options={"initial": 0.0})
    assert equal(weights(first), weights(second))
    assert cd(first, [0, 1, 2]) == cd(second, [0, 1, 2])


def test_what_was_learned_is_taught_as_gift_teaches_it():
    first, second = second_task("gift", PAST * 3), second_task("two-teachers", PAST * 3)
    assert cd(first, [0, 1, 2, 3]) == cd(second, [0, 1, 2, 3]) and not second.general.any()


def test_of_a_template_of_ones_own_concepts_are_concepts_too():
    concept = ClassPool(concepts_of(tiny_method("gift").experiment), source="concepts", template="my {c}").prompts[0]
    m = second_task("two-teachers", [concept, "my thing0a"], prompt_template="my {c}")
    assert m.general.tolist() == [True, False]


def test_a_picture_is_compared_with_all_prompts_of_the_set():
    m = second_task("all-prompts")
    x, tokens = m.clip.preprocess.eval(m.pictures), m.clip.tokenize(m.prompts)
    normal, which = torch.nn.functional.normalize, [1, 5, 2]
    with torch.no_grad():
        M = float(m.scale) * normal(m.model.encode_image(x)) @ normal(m.model.encode_text(tokens)).T
    assert M.shape == (6, 5) and float(cd(m, which)) == pytest.approx(0, abs=1e-5), "the teacher is still the student"
    own = [m.prompts.index(PROMPTS[i]) for i in which]
    assert own[0] == own[1] != own[2]
    want = 0.0
    for i, k in zip(which, own, strict=True):
        target = torch.full((5,), 0.2 / 5)
        target[k] += 0.8
        want -= float((target * M[i].log_softmax(0)).sum()) / 3
    for k, share in ((own[0], [0.4, 0.4, 0.0]), (own[2], [0.0, 0.0, 0.8])):
        target = torch.tensor(share) + 0.2 / 3
        want -= float((target * M[which, k].log_softmax(0)).sum()) / 2
    found = aligned(M[which], torch.tensor(own))
    assert float(found) == pytest.approx(want, rel=1e-4)
    batch = Batch(0, torch.empty(0, 3, 16, 16), torch.empty(0, dtype=torch.int64), torch.tensor(which))
    assert float(m.preserve(batch)["ita"].detach()) == pytest.approx(m.experiment.beta * want, rel=1e-3)


def test_against_its_own_prompts_alone_it_is_image_text_alignment():
    M = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    assert float(aligned(M, torch.arange(4))) == pytest.approx(float(image_text_alignment(M, torch.arange(4))))


def test_batches_of_neighbours_hold_every_picture_once_and_the_nearest_together():
    place = torch.tensor([0.0, 5.0, 0.1, 5.2, 0.3, 9.0, 5.1])
    alike = Alike(7, 3, partial(seeded, 0, 0, "neighbours"), -(place[:, None] - place).abs())
    for epoch in range(4):
        batches = [alike(3 * epoch + k).tolist() for k in range(3)]
        assert sorted(i for b in batches for i in b) == list(range(7)) and [len(b) for b in batches] == [3, 3, 1]
        first = batches[0][0]
        nearest = sorted(range(7), key=lambda i: abs(float(place[i] - place[first])))[:3]
        assert set(batches[0]) == set(nearest)
    assert len({tuple(alike(3 * e).tolist()) for e in range(4)}) > 1, "epochs differ"


def test_with_batches_of_neighbours_only_the_pictures_of_a_batch_change():
    first, second = second_task("gift"), second_task("neighbours", synthetic_batch_size=2)
    near = second.alike(0).tolist()
    assert len(near) == 2
    assert cd(second, [0, 1, 2]) == cd(second, [3, 4]), "the step decides, not the loop's own draw"
    assert set(dict(first.parameters())) == set(dict(second.parameters()))


def test_projected_steps_are_gnsp_s_and_all_else_is_gift_s():
    m = tiny_method("projected-gift")
    fit(m, 0, synthetic=synthesize(None, CONCEPTS * 2, {}, None))
    gift = tiny_method("gift")
    fit(gift, 0, synthetic=synthesize(None, CONCEPTS * 2, {}, None))
    assert equal(weights(m), weights(gift)), "nothing is projected on the first task"
    m.M = {n: torch.diag((torch.arange(len(M)) < 2).float()) for n, M in m.M.items()}  # two directions are in use
    before = weights(m)
    fit(m, 1, synthetic=synthesize(None, PROMPTS, {}, None))
    after = weights(m)
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert moved == set(m.M) and all(n.endswith(("c_fc.weight", "c_proj.weight", "visual.proj")) for n in moved)
    for n in moved:
        D = after[n] - before[n]
        used = D[:2] if n == "visual.proj" else D[:, :2]
        assert float(used.abs().max()) < 1e-6 < float(D.abs().max())
    assert set(m.penalty.theta_prev) == moved, "the penalty holds what is trained"


@pytest.mark.parametrize("name", ["two-teachers", "all-prompts", "neighbours", "projected-gift"])
def test_a_killed_run_goes_on_to_the_same_result(world, monkeypatch, name):
    whole = world.run(name, images_per_task=10)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(8, patch)
        world.run(name, images_per_task=10)
    resumed = world.run(name, images_per_task=10)
    assert canonical_json(resumed["result"]) == canonical_json(whole["result"])
    assert equal(weights(world.methods[0]), weights(world.methods[-1]))
