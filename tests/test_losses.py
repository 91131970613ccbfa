"""Every loss against a reference written as loops over entries, in value and gradient, and against open_clip."""

import math

import pytest
import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss, DistillClipLoss

from gift_lib import losses
from gift_lib.errors import ConfigError

SHAPES = [(1, 1), (5, 3), (3, 7), (6, 6)]


def embeddings(n, d=4, seed=0):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(x, dim=-1)


def matrix(n, m, seed=0):
    return 5 * torch.randn(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def log_softmax(values):
    """Entry by entry."""
    top = max(float(v.detach()) for v in values)
    total = sum((v - top).exp() for v in values).log() + top
    return [v - total for v in values]


def naive_kl_rows(teacher, student, T):
    rows = []
    for i in range(len(teacher)):
        p, q = log_softmax(list(teacher[i] / T)), log_softmax(list(student[i] / T))
        rows.append(sum(a.exp() * (a - b) for a, b in zip(p, q, strict=True)))
    return T * T * sum(rows) / len(rows)


def naive_soft_rows(teacher, student, T):
    rows = []
    for i in range(len(teacher)):
        p, q = log_softmax(list(teacher[i] / T)), log_softmax(list(student[i] / T))
        rows.append(-sum(a.exp() * b for a, b in zip(p, q, strict=True)))
    return T * T * sum(rows) / len(rows)


def naive_cd(teacher, student, T):
    return naive_kl_rows(teacher, student, T) + naive_kl_rows(teacher.T, student.T, T)


def naive_alignment(M, ids, smoothing):
    n, total = len(ids), 0.0
    for direction in (M, M.T):
        for i in range(n):
            same = [j for j in range(n) if ids[j] == ids[i]]
            q = log_softmax(list(direction[i]))
            for j in range(n):
                target = (1 - smoothing) * (1 / len(same) if j in same else 0.0) + smoothing / n
                total = total - target * q[j] / n
    return total


def assert_same(ours, naive, *inputs):
    """Equal values and equal gradients with respect to each input."""
    inputs = [x.requires_grad_() for x in inputs]
    a, b = ours(*inputs), naive(*inputs)
    torch.testing.assert_close(a, b)
    for x, y in zip(torch.autograd.grad(a, inputs), torch.autograd.grad(b, inputs), strict=True):
        torch.testing.assert_close(x, y)


@pytest.mark.parametrize("n, m", SHAPES)
@pytest.mark.parametrize("T", [0.5, 2.0])
def test_the_halves_of_cd_and_their_sum(n, m, T):
    teacher = matrix(n, m, 1)
    assert_same(lambda s: losses.kd_rows(teacher, s, T), lambda s: naive_kl_rows(teacher, s, T), matrix(n, m))
    assert_same(lambda s: losses.kd_columns(teacher, s, T), lambda s: naive_kl_rows(teacher.T, s.T, T), matrix(n, m))
    assert_same(
        lambda s: losses.contrastive_distillation(teacher, s, T), lambda s: naive_cd(teacher, s, T), matrix(n, m)
    )


@pytest.mark.parametrize("n, m", SHAPES)
def test_soft_cross_entropy_is_cd_plus_the_teachers_entropy(n, m):
    teacher = matrix(n, m, 1)

    def naive(s):
        return naive_soft_rows(teacher, s, 2.0) + naive_soft_rows(teacher.T, s.T, 2.0)

    assert_same(lambda s: losses.soft_cross_entropy(teacher, s, 2.0), naive, matrix(n, m))
    student = matrix(n, m).requires_grad_()
    soft, cd = (f(teacher, student) for f in (losses.soft_cross_entropy, losses.contrastive_distillation))
    torch.testing.assert_close(soft - cd, losses.soft_cross_entropy(teacher, teacher))
    torch.testing.assert_close(torch.autograd.grad(soft, student), torch.autograd.grad(cd, student))


def test_cd_is_zero_when_student_and_teacher_agree():
    M = matrix(4, 3)
    assert float(losses.contrastive_distillation(M, M)) == pytest.approx(0, abs=1e-12)
    assert float(losses.contrastive_distillation(M, M + 1)) == pytest.approx(0, abs=1e-12)


def test_cd_against_open_clips_distillation_loss():
    """At T = 1 open_clip's loss is half of our soft cross-entropy."""
    s_images, s_texts, t_images, t_texts = (embeddings(5, seed=k) for k in range(4))
    scale = torch.tensor(20.0, dtype=torch.float64)
    _, theirs = DistillClipLoss()(s_images, s_texts, scale, t_images, t_texts, scale)
    M_student, M_teacher = losses.similarity(s_images, s_texts, scale), losses.similarity(t_images, t_texts, scale)
    torch.testing.assert_close(losses.soft_cross_entropy(M_teacher, M_student, 1.0), 2 * theirs)


def test_alignment_without_duplicates_and_smoothing_is_open_clips_loss_twice():
    images, texts = embeddings(6).requires_grad_(), embeddings(6, seed=1).requires_grad_()
    scale = torch.tensor(14.0, dtype=torch.float64)
    theirs = 2 * ClipLoss()(images, texts, scale)
    ours = losses.image_text_alignment(losses.similarity(images, texts, scale), torch.arange(6), 0.0)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(
        torch.autograd.grad(ours, [images, texts]), torch.autograd.grad(theirs, [images, texts]), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("ids", [[0], [0, 0, 0], [0, 1, 0, 2, 1, 0], [3, 1, 4]])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_alignment_shares_the_positive_mass_among_equal_prompts(ids, smoothing):
    tensor = torch.tensor(ids)
    assert_same(
        lambda M: losses.image_text_alignment(M, tensor, smoothing),
        lambda M: naive_alignment(M, ids, smoothing),
        matrix(len(ids), len(ids)),
    )
    targets = losses.alignment_targets(tensor, smoothing)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(ids)))
    torch.testing.assert_close(targets, targets.T)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy(smoothing):
    labels = torch.tensor([2, 0, 3, 3, 1])

    def naive(logits):
        total = 0.0
        for row, label in zip(logits, labels, strict=True):
            q = log_softmax(list(row))
            total = total - (1 - smoothing) * q[label] - smoothing * sum(q) / len(q)
        return total / len(labels)

    assert_same(lambda x: losses.cross_entropy(x, labels, smoothing), naive, matrix(5, 4))


def test_feature_distance():
    t_images, t_texts = embeddings(3, seed=5), embeddings(2, seed=6)

    def naive(images, texts):
        parts = []
        for student, teacher in ((images, t_images), (texts, t_texts)):
            squares = [(a - b) ** 2 for a, b in zip(student.flatten(), teacher.flatten(), strict=True)]
            parts.append(sum(squares) / len(squares))
        return parts[0] + parts[1]

    assert_same(
        lambda i, t: losses.feature_distance(t_images, t_texts, i, t), naive, embeddings(3), embeddings(2, seed=1)
    )


def test_image_only_and_text_only_take_the_other_side_from_the_teacher():
    t_images, t_texts = embeddings(4, seed=5), embeddings(3, seed=6)
    scale, T = 10.0, 2.0
    teacher = scale * t_images @ t_texts.T
    assert_same(
        lambda i: losses.image_only(t_images, t_texts, i, scale, T),
        lambda i: naive_cd(teacher, scale * i @ t_texts.T, T),
        embeddings(4),
    )
    assert_same(
        lambda t: losses.text_only(t_images, t_texts, t, scale, T),
        lambda t: naive_cd(teacher, scale * t_images @ t.T, T),
        embeddings(3),
    )


def test_large_logits_stay_finite():
    M = torch.tensor([[100.0, -100.0], [-100.0, 100.0]])
    for value in (
        losses.contrastive_distillation(M, -M),
        losses.soft_cross_entropy(M, -M),
        losses.image_text_alignment(-M, torch.tensor([0, 1])),
        losses.cross_entropy(-M, torch.tensor([0, 1])),
    ):
        assert math.isfinite(float(value))


def test_prompt_ids_are_equal_where_prompts_are():
    assert losses.prompt_ids(["a", "b", "a", "c", "b"]).tolist() == [0, 1, 0, 2, 1]


M33 = torch.zeros(3, 3)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: losses.contrastive_distillation(M33, M33, 0.0), "temperature must be more than zero"),
        (lambda: losses.kd_rows(M33, M33, -1.0), "temperature must be more than zero"),
        (lambda: losses.soft_cross_entropy(M33, M33, float("nan")), "temperature must be more than zero"),
        (lambda: losses.contrastive_distillation(torch.zeros(0, 3), torch.zeros(0, 3)), "empty batch"),
        (lambda: losses.image_text_alignment(torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)), "empty batch"),
        (lambda: losses.cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)), "empty batch"),
        (lambda: losses.cross_entropy(M33, torch.tensor([0, 1, 2]), 1.0), "label_smoothing must be in"),
        (lambda: losses.alignment_targets(torch.tensor([0, 1]), -0.1), "label_smoothing must be in"),
        (lambda: losses.feature_distance(*[torch.zeros(0, 2)] * 4), "empty batch"),
    ],
)
def test_bad_input_is_one_clear_error(call, says):
    with pytest.raises(ConfigError, match=says):
        call()
