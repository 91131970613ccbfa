"""GIFT with a teacher for each kind of prompt: what each of them answers for."""

import pytest
import torch
from fixtures_methods import equal, fit, interrupt_at, synthesize, tiny_method, tiny_task, weights, world

from gift_lib.files import canonical_json
from gift_lib.methods.base import Batch
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


@pytest.mark.parametrize("stop", [3, 8])
def test_a_killed_run_goes_on_to_the_same_result(world, monkeypatch, stop):
    whole = world.run("two-teachers", images_per_task=10)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(stop, patch)
        world.run("two-teachers", images_per_task=10)
    resumed = world.run("two-teachers", images_per_task=10)
    assert canonical_json(resumed["result"]) == canonical_json(whole["result"])
    assert equal(weights(world.methods[0]), weights(world.methods[-1]))
