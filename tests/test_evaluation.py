"""Evaluation with and without task identity: from the same embeddings, among the candidates that are asked for."""

import pytest
import torch
from fixtures_methods import LEARNING, fit, resources, tiny_clip, tiny_method, tiny_task, world
from torch.nn import functional as F

from gift_lib import metrics, results
from gift_lib.clip import encode_images, encode_texts
from gift_lib.errors import DataError, NumericsError
from gift_lib.evaluation import accuracies, accuracy, evaluate, evaluate_openly
from gift_lib.files import canonical_json
from gift_lib.methods import base

__all__ = ["world"]

TASKS = [tiny_task(k) for k in range(3)]
R = [[60.0, 20.0, 10.0], [50.0, 70.0, 30.0], [40.0, 60.0, 80.0]]


def naive(clip, task, among):
    """Accuracy picture by picture; `among` None is the task's own classes."""
    candidates = [(t.name, c, t.templates) for t in (among or [task]) for c in t.classes]
    right = 0
    with torch.no_grad():
        texts = torch.stack([
            F.normalize(encode_texts(clip.model, clip.tokenize([p.replace("{c}", c) for p in ps])).mean(0), dim=0)
            for _, c, ps in candidates
        ])  # fmt: skip
        for pixels, label in zip(task.test.images.pixels, task.test.labels, strict=True):
            image = encode_images(clip.model, clip.preprocess.eval(pixels[None]))[0]
            name, c, _ = candidates[int((texts @ image).argmax())]
            right += name == task.name and c == task.classes[int(label)]
    return 100 * right / len(task.test)


@pytest.fixture(scope="module")
def learner():
    m = tiny_method("finetune")
    for t in range(2):
        fit(m, t)
    return m


@pytest.mark.parametrize("chunk", [4, 100])
def test_candidates_are_those_asked_for(learner, chunk):
    learner.model.eval()
    learner.forget_classifiers()
    for task in TASKS:
        among = [None, TASKS, [task], [task, TASKS[0]] if task is not TASKS[0] else TASKS[:2]]
        got = accuracies(learner, task, task.test, among, chunk)
        assert got == pytest.approx([naive(learner.clip, task, a) for a in among])
        assert got[0] == got[2] == accuracy(learner, task, task.test, chunk), "an only task is as good as a known one"


def test_a_row_of_each_kind(learner):
    row = evaluate_openly(learner, TASKS, TASKS[:2])
    assert row.own == evaluate(learner, TASKS)
    assert row.every == pytest.approx([naive(learner.clip, t, TASKS) for t in TASKS])
    assert row.learned[2] is None
    assert row.learned[:2] == pytest.approx([naive(learner.clip, t, TASKS[:2]) for t in TASKS[:2]])
    whole = evaluate_openly(learner, TASKS, TASKS)
    assert whole.learned == whole.every
    assert evaluate_openly(learner, TASKS, []).learned == [None] * 3


def test_pictures_are_embedded_once_however_many_questions_there_are(learner, monkeypatch):
    seen, honest = [], base.encode_images
    monkeypatch.setattr(base, "encode_images", lambda m, x: (seen.append(len(x)), honest(m, x))[1])
    evaluate_openly(learner, TASKS, TASKS[:2])
    assert sum(seen) == sum(len(t.test) for t in TASKS)


def test_nothing_is_kept_beyond_the_pictures_that_are_looked_at(learner):
    x, y = TASKS[0].test.images.pixels[:3], TASKS[1].test.images.pixels[:3]
    with torch.no_grad(), learner.looking_at(x):
        a = learner.embed(x)
        assert learner.embed(x) is a
        assert not torch.equal(learner.embed(y), a), "other pictures are other pictures"
    assert learner.embed(x) is not a


def test_logits_that_are_not_finite_are_one_clear_error(learner, monkeypatch):
    monkeypatch.setattr(type(learner), "predict_among", lambda self, tasks, x: torch.full((len(x), 10), torch.nan))
    with pytest.raises(NumericsError, match="logits on task0 are not finite"):
        evaluate_openly(learner, TASKS, [])


@pytest.mark.parametrize("name", LEARNING)
def test_every_record_has_both_kinds(name, world):
    result = world.run(name)["result"]
    form, n = result["form"], len(result["R"])
    assert len(result["R_all"]) == len(result["R_learned"]) == n and len(result["zero_shot_all"]) == 3
    learned = {"continual": lambda i: range(i + 1), "alone": lambda i: [i], "joint": lambda i: range(3)}[form]
    for i, row in enumerate(result["R_learned"]):
        assert [j for j, v in enumerate(row) if v is not None] == list(learned(i))
    if form == "continual":
        assert result["R_learned"][-1] == result["R_all"][-1], "at the end all tasks are learned"
        assert result["R_learned"][0][0] == result["R"][0][0], "among one task's classes"
        assert all(a <= o for ra, ro in zip(result["R_all"], result["R"], strict=True)
                   for a, o in zip(ra, ro, strict=True)) or name in ("condu", "moe-adapter", "rail")  # fmt: skip
    world_metrics = metrics.open_summary(result)
    assert (world_metrics["Avg (learned)"] is not None) == (form == "continual")


def test_the_numbers_without_task_identity():
    learned = [[60.0, None, None], [50.0, 70.0, None], [40.0, 60.0, 80.0]]
    told = [[v + 5 for v in row] for row in R]
    found = metrics.open_summary({"R": told, "R_all": R, "R_learned": learned})
    assert found["Transfer (all)"] == metrics.transfer(R) and found["Last (all)"] == metrics.last(R) == 60.0
    assert found["Avg (all)"] == metrics.average(R) and found["Fall"] == pytest.approx(5.0)
    assert found["Avg (learned)"] == pytest.approx((60 + 50 + 70 + 40 + 60 + 80) / 6)
    assert metrics.open_summary({"R": R}) == dict.fromkeys(metrics.OPEN_METRICS), "an old record has none"
    alone = metrics.open_summary({"R": R, "R_all": R, "R_learned": None, "form": "alone"})
    assert alone["Last (all)"] == pytest.approx(70) and alone["Transfer (all)"] is None
    one = metrics.open_summary({"R": [[60.0]], "R_all": [[50.0]], "R_learned": [[50.0]]})
    assert one["Transfer (all)"] is None and one["Avg (learned)"] == 50.0 and one["Fall"] == 10.0


@pytest.mark.parametrize(
    ("learned", "message"),
    [
        ([[60.0, 1.0], [50.0, 70.0]], "row 0 of R_learned"),
        ([[60.0, None], [None, 70.0]], "row 1 of R_learned"),
        ([[60.0, None]], "row 0"),
        ([[160.0, None], [50.0, 70.0]], "not in 0..100"),
    ],
)
def test_a_broken_matrix_of_learned_tasks_is_refused(learned, message):
    with pytest.raises(DataError, match=message):
        R = [[60.0, 1.0], [50.0, 70.0]]
        metrics.open_summary({"R": R, "R_all": R, "R_learned": learned})


def test_they_stand_in_the_frame(world, tmp_path):
    record = world.run("finetune")
    row = results.load_frame([record]).iloc[0]
    assert row["Last (all)"] == metrics.last(record["result"]["R_all"])
    assert row["Last"] == metrics.last(record["result"]["R"])
    old = {**record, "result": {k: v for k, v in record["result"].items() if "_all" not in k and "learned" not in k}}
    assert results.load_frame([old]).iloc[0][list(metrics.OPEN_METRICS)].isna().all(), "old records stay readable"
    results.write(record, tmp_path)
    assert canonical_json(results.read_all(tmp_path)[0]) == canonical_json(record)


def test_a_method_that_overrides_predict_alone_is_still_evaluated_openly():
    class Odd(base.Method):
        name, title = "odd", "Odd"

        def predict(self, task, pixels):
            return torch.nn.functional.one_hot(torch.zeros(len(pixels), dtype=torch.int64), len(task.classes)).float()

    m = Odd(tiny_clip(), tiny_method("finetune").experiment, resources())
    row = evaluate_openly(m, TASKS, [])
    assert row.own == pytest.approx([100 / 3, 100 * 3 / 9, 100 / 3], abs=5)
    assert row.every == pytest.approx([naive(m.clip, t, TASKS) for t in TASKS])
