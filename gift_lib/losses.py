"""The losses: L = CE + alpha CD + beta ITA, and what the ablations put in the place of CD.

Symbols as in the paper: M = scale * I T^t is the matrix of scaled cosine similarities of a batch of
L2-normalised image embeddings I (rows) and text embeddings T (columns). Every function is pure,
returns a scalar (mean over the batch) and raises ConfigError for an empty batch, for matrices that
do not fit each other and for a temperature or smoothing that makes no sense.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from gift_lib.errors import ConfigError

Matrix = Float[Tensor, "n m"]
Scalar = Float[Tensor, ""]


def similarity(images: Float[Tensor, "n d"], texts: Float[Tensor, "m d"], scale: float | Scalar) -> Matrix:
    """M = scale * I T^t (the paper's equation 2); `scale` is exp(logit_scale), about 100 for CLIP.

    In the embeddings' own precision (float32) under autocast too: near 30, where CLIP's logits lie, two
    neighbours in bf16 are 1/8 apart.
    """
    with torch.autocast(images.device.type, enabled=False):
        return scale * images @ texts.T


def cross_entropy(
    logits: Float[Tensor, "n c"], labels: Int64[Tensor, " n"], label_smoothing: float = 0.0
) -> Scalar:  # fmt: skip
    """CE on cosine logits, the mean over the batch (label smoothing 0.2 in ZSCL's and GIFT's released code)."""
    _not_empty(logits)
    _smoothing(label_smoothing)
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def kd_rows(M_teacher: Matrix, M_student: Matrix, temperature: float = 2.0) -> Scalar:
    """T^2 KL(softmax(M_teacher / T) || softmax(M_student / T)), softmax over each row, mean over rows.

    Rows are images: the half of CD that compares how one image relates to all texts.
    """
    _pair(M_teacher, M_student, temperature)
    student, teacher = (F.log_softmax(M / temperature, dim=1) for M in (M_student, M_teacher))
    return temperature**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def kd_columns(M_teacher: Matrix, M_student: Matrix, temperature: float = 2.0) -> Scalar:
    """The other half of CD: how one text relates to all images (softmax over columns, mean over columns)."""
    return kd_rows(M_teacher.T, M_student.T, temperature)


def contrastive_distillation(M_teacher: Matrix, M_student: Matrix, temperature: float = 2.0) -> Scalar:
    """CD (the paper's equation 3): both halves, summed, not averaged. Zero exactly when student and teacher agree."""
    return kd_rows(M_teacher, M_student, temperature) + kd_columns(M_teacher, M_student, temperature)


def soft_cross_entropy(M_teacher: Matrix, M_student: Matrix, temperature: float = 2.0) -> Scalar:
    """T^2 times the soft cross-entropy over rows plus over columns: the baselines' form of distillation.

    It differs from `contrastive_distillation` by the teacher's entropy alone, so its gradient is the
    same. LwF, iCaRL and ZSCL call it with the TEACHER's text embeddings in both matrices.
    """
    return _soft_rows(M_teacher, M_student, temperature) + _soft_rows(M_teacher.T, M_student.T, temperature)


def _soft_rows(M_teacher: Matrix, M_student: Matrix, temperature: float) -> Scalar:
    _pair(M_teacher, M_student, temperature)
    target = F.softmax(M_teacher / temperature, dim=1)
    return temperature**2 * F.cross_entropy(M_student / temperature, target)


def feature_distance(
    images_teacher: Float[Tensor, "n d"],
    texts_teacher: Float[Tensor, "m d"],
    images_student: Float[Tensor, "n d"],
    texts_student: Float[Tensor, "m d"],
) -> Scalar:
    """Mean squared error of the image embeddings plus that of the text embeddings (ablation "feature")."""
    _not_empty(images_teacher)
    _not_empty(texts_teacher)
    return F.mse_loss(images_student, images_teacher) + F.mse_loss(texts_student, texts_teacher)


def image_only(
    images_teacher: Float[Tensor, "n d"],
    texts_teacher: Float[Tensor, "m d"],
    images_student: Float[Tensor, "n d"],
    scale: float | Scalar,
    temperature: float = 2.0,
) -> Scalar:
    """CD whose student matrix is student images x TEACHER texts: only the image tower learns from it."""
    M_teacher = similarity(images_teacher, texts_teacher, scale)
    return contrastive_distillation(M_teacher, similarity(images_student, texts_teacher, scale), temperature)


def text_only(
    images_teacher: Float[Tensor, "n d"],
    texts_teacher: Float[Tensor, "m d"],
    texts_student: Float[Tensor, "m d"],
    scale: float | Scalar,
    temperature: float = 2.0,
) -> Scalar:
    """CD whose student matrix is TEACHER images x student texts: only the text tower learns from it."""
    M_teacher = similarity(images_teacher, texts_teacher, scale)
    return contrastive_distillation(M_teacher, similarity(images_teacher, texts_student, scale), temperature)


def alignment_targets(prompt_ids: Int64[Tensor, " n"], label_smoothing: float = 0.2) -> Float[Tensor, "n n"]:
    """Targets of ITA: pairs with equal prompts share the positive mass, then smoothing over all entries.

    Row i is ``(1 - eps) / |{j: id_j = id_i}|`` on the pictures of its own prompt, plus eps / n everywhere.
    The matrix is symmetric, so it serves both directions; each row sums to one.
    """
    _smoothing(label_smoothing)
    equal = (prompt_ids[:, None] == prompt_ids[None, :]).float()
    return (1 - label_smoothing) * equal / equal.sum(dim=1, keepdim=True) + label_smoothing / len(prompt_ids)


def image_text_alignment(
    M: Float[Tensor, "n n"], prompt_ids: Int64[Tensor, " n"], label_smoothing: float = 0.2
) -> Scalar:  # fmt: skip
    """ITA (the paper's equation 5): cross-entropy of M against its own pairs, images to texts plus texts to images.

    M holds a synthetic batch (picture i, its prompt i) at the model's own scale, without temperature.
    `prompt_ids` are equal where prompts are equal: a picture drawn from the same prompt is no negative.
    """
    _not_empty(M)
    if len(prompt_ids) != len(M):
        raise ConfigError(f"{len(M)} pairs but {len(prompt_ids)} prompt ids: give one id per pair.")
    targets = alignment_targets(prompt_ids, label_smoothing).to(M.dtype)
    return F.cross_entropy(M, targets) + F.cross_entropy(M.T, targets)


def prompt_ids(prompts: list[str]) -> Int64[Tensor, " n"]:
    """A number for each prompt, equal exactly where prompts are equal."""
    first: dict[str, int] = {}
    return torch.tensor([first.setdefault(p, len(first)) for p in prompts], dtype=torch.int64)


def _pair(M_teacher: Tensor, M_student: Tensor, temperature: float) -> None:
    _not_empty(M_student)
    if M_teacher.shape != M_student.shape:
        raise ConfigError(
            f"the teacher's matrix is {tuple(M_teacher.shape)} but the student's {tuple(M_student.shape)}: "
            "give both the same images and texts."
        )
    if not temperature > 0:
        raise ConfigError(f"temperature must be more than zero, not {temperature!r}: the published value is 2.")


def _not_empty(x: Tensor) -> None:
    if x.numel() == 0:
        raise ConfigError(f"a loss was given an empty batch {tuple(x.shape)}: give at least one image and one text.")


def _smoothing(label_smoothing: float) -> None:
    if not 0 <= label_smoothing < 1:
        raise ConfigError(f"label_smoothing must be in [0, 1), not {label_smoothing!r}: the published value is 0.2.")
