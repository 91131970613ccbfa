"""One training step of GIFT: the loop's own against the step that an author writes from the equations.

Plain: teacher and student read images and 77-token texts at every step, repeated prompts included;
F of AWC comes from a second backward pass; the penalty is part of the graph; AdamW as it comes.
Ours: `training.Learner` on `methods.Gift`, the teacher's pass over a task's pictures spread over its steps.
Both must agree in losses and gradients before they are timed.
"""

import copy

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from gift_lib.clip import Clip, gradient_checkpointing
from gift_lib.config import experiment
from gift_lib.methods.base import Batch, Resources
from gift_lib.methods.gift import Gift
from gift_lib.methods.teacher import Teacher
from gift_lib.training import Learner
from tests.benchmarks import models
from tests.benchmarks.timing import Comparison, compare, peak_bytes, peak_rate, seconds

T, ALPHA, BETA, SMOOTHING = 2.0, 1.0, 0.25, 0.2
#: Published counts: pictures per task and steps per task.
PICTURES, STEPS = 1000, 1000


class Plain:
    """GIFT's step without a single saving."""

    def __init__(self, clip: Clip, method: Gift, lr: float):
        self.model, self.teacher = clip.model, copy.deepcopy(clip.model).eval().requires_grad_(False)
        self.params = [p for n, p in clip.model.named_parameters() if n != "logit_scale"]
        self.theta_prev = [t.clone() for t in method.penalty.theta_prev.values()]
        self.optimizer = torch.optim.AdamW(self.params, lr=lr, weight_decay=0.0)
        device = method.resources.device
        self.class_tokens = clip.tokenize(method.task.prompts()).to(device)
        self.tokens = clip.tokenize(list(method.synthetic.prompts)).to(device)
        self.ids, self.method = method.prompt_of, method

    def step(self, batch: Batch) -> dict[str, float]:
        self.optimizer.zero_grad()
        ce, cd, ita = self.losses(batch)
        gradients = torch.autograd.grad(cd + ita, self.params, retain_graph=True)
        fisher = [g**2 / (g**2).mean() for g in gradients]
        penalty = sum((f * (p - q) ** 2).sum() for f, p, q in zip(fisher, self.params, self.theta_prev, strict=True))
        (ce + cd + ita + penalty).backward()
        self.optimizer.step()
        return {name: float(v.detach()) for name, v in (("ce", ce), ("cd", cd), ("ita", ita))}

    def losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        model, scale = self.model, self.model.logit_scale.exp().detach()
        pixels = self.method.synthetic.images.batch(batch.synthetic).to(batch.images.device)
        pictures = self.method.clip.preprocess.eval(pixels)
        tokens, ids = self.tokens[batch.synthetic], self.ids[batch.synthetic]
        images, texts = model.encode_image(batch.images, True), model.encode_text(self.class_tokens, True)
        ce = F.cross_entropy(scale * images @ texts.T, batch.labels, label_smoothing=SMOOTHING)
        M = scale * model.encode_image(pictures, True) @ model.encode_text(tokens, True).T
        with torch.no_grad():
            M_teacher = scale * self.teacher.encode_image(pictures, True) @ self.teacher.encode_text(tokens, True).T
        cd = T**2 * sum(
            F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction="batchmean")
            for s, t in ((M, M_teacher), (M.T, M_teacher.T))
        )
        same = (ids[:, None] == ids[None, :]).float()
        targets = (1 - SMOOTHING) * same / same.sum(1, keepdim=True) + SMOOTHING / len(ids)
        return ce, ALPHA * cd, BETA * (F.cross_entropy(M, targets) + F.cross_entropy(M.T, targets))


def setting(clip: Clip, classes: int, batch: int, device: str, precision: str = "fp32") -> tuple[Gift, Batch]:
    """A task begun, and one batch of `batch` real and `batch` synthetic images."""
    size, clip.precision = clip.preprocess.size, precision
    e = experiment(batch_size=batch, synthetic_batch_size=batch, steps=STEPS, warmup=0.0, lr=1e-5, precision=precision)
    resources = Resources(None, None, None, 1, torch.device(device), chunk=batch)
    method, task = Gift(clip, e, resources), models.task(classes, batch, size)
    method.before_task(task, models.synthetic(batch, size))
    images = clip.preprocess.train(task.train.images.pixels, torch.Generator().manual_seed(0)).to(device)
    return method, Batch(0, images, task.train.labels.to(device), torch.arange(batch))


def check_equal(plain: Plain, ours: Learner, batch: Batch, precision: str = "fp32") -> None:
    """Same losses and gradients, away from theta_prev; the weights are put back after each step.

    In half precision: losses within 5 % and the whole gradient within 60 degrees (F squares the rounding).
    """
    params = list(ours.parameters.values())
    with torch.no_grad():
        for p in params:
            p.add_(torch.randn_like(p), alpha=1e-2 * float(p.std(correction=0)) + 1e-4)
    start, outcomes = [p.detach().clone() for p in params], []
    for step in (lambda: plain.step(batch), lambda: ours.step(batch)):
        values = step()
        outcomes.append((values, [p.grad.clone() for p in params]))
        with torch.no_grad():
            torch._foreach_copy_(params, start)
    (values, want), (mine, got) = outcomes
    if precision != "fp32":
        return check_close(values, mine, want, got)
    for name in values:
        assert abs(values[name] - mine[name]) <= 1e-4 * abs(values[name]) + 1e-5, (name, values, mine)
    for name, g, w in zip(ours.parameters, got, want, strict=True):
        error = float((g - w).norm() / (w.norm() + 1e-12))
        assert error < 1e-2, f"the gradients of {name} differ by {error:.1e} of their norm"


def check_close(values: dict, mine: dict, want: list[torch.Tensor], got: list[torch.Tensor]) -> None:
    for name in values:
        assert abs(values[name] - mine[name]) <= 0.05 * abs(values[name]) + 0.05, (name, values, mine)
    a, b = (torch.cat([g.flatten() for g in gradients]) for gradients in (want, got))
    cosine = float(torch.nn.functional.cosine_similarity(a, b, dim=0))
    assert cosine > 0.5, f"the gradients' cosine is {cosine:.2f}"


def measure(
    clip: Clip, classes: int, batch: int, device: str, pairs: int, note: str = "", precision: str = "fp32",
) -> Comparison:  # fmt: skip
    """Plain in fp32 against ours in `precision`."""
    method, one = setting(clip, classes, batch, device, precision)
    ours = Learner(method, 1e-5, STEPS)
    clip.model.train()
    facts = resources_of(ours, one, device)
    plain = Plain(clip, method, 1e-5)
    try:
        check_equal(plain, ours, one, precision)
    except AssertionError as error:
        if device == "cpu":
            raise
        note = f"{note} [not equal: {error}]"  # a GPU's kernels may round more: say so, and time them all the same
    teacher = seconds(lambda: Teacher.of(clip, method.synthetic.images, method.prompt_tokens, method.resources), device)
    share = teacher / batch * PICTURES / STEPS
    name = f"step, {clip.name.split('/')[0]}, {classes} classes, {batch} + {batch}, {precision}"
    row = compare(
        name, "step", lambda: plain.step(one), lambda: ours.step(one),
        pairs=pairs, device=device, extra=share, note=note,
    )  # fmt: skip
    row.facts.update(facts | utilisation(facts["operations per step"], row.ours, device, precision))
    clip.precision = "fp32"
    return row


def resources_of(ours: Learner, batch: Batch, device: str) -> dict[str, float]:
    """Operations of one step of ours as torch counts them, and its peak memory (before the plain step takes any)."""
    params = list(ours.parameters.values())
    start = [p.detach().clone() for p in params]
    with FlopCounterMode(display=False) as counter:
        ours.step(batch)
    held = peak_bytes(lambda: ours.step(batch), device)
    with torch.no_grad():
        torch._foreach_copy_(params, start)
    memory = {"peak GiB of ours (with a copy of the weights)": held / 2**30} if held else {}
    return {"operations per step": float(counter.get_total_flops())} | memory


def utilisation(operations: float, seconds_per_step: float, device: str, precision: str) -> dict[str, float]:
    """The share of the device's peak rate that the step's necessary operations take."""
    rate, origin = peak_rate(device, precision)
    return {f"model FLOP utilisation (peak: {origin})": operations / seconds_per_step / rate}


def memory_rows(device: str) -> list[tuple[str, float]]:
    """Peak GiB of ours on a GPU for the settings that a 16 GB card must hold."""
    rows = []
    for precision, batch, checkpointed in (("fp32", 64, False), ("bf16", 64, False), ("bf16", 64, True),
                                           ("fp16", 32, False), ("fp16", 32, True)):  # fmt: skip
        clip = models.vit_b_16(device, 12)
        gradient_checkpointing(clip.model, checkpointed)
        method, one = setting(clip, 397, batch, device, precision)
        ours = Learner(method, 1e-5, STEPS)
        clip.model.train()
        held = peak_bytes(lambda ours=ours, one=one: (ours.step(one), ours.step(one)), device)
        rows.append(
            (f"{precision}, {batch} + {batch}, activations {'recomputed' if checkpointed else 'kept'}", held / 2**30)
        )
    return rows
