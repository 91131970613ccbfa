"""`make world-check`: is the scale model real, imperfect, and hard enough? One table of bars, PASS or MISS."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from open_clip import CLIP
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTokenizer

from gift_lib import metrics, results
from gift_lib.config import Experiment, experiment
from gift_lib.data import load_tasks, mini, world_hash
from gift_lib.files import cache_root
from gift_lib.tasks import ORDERS, Task, in_order
from gift_lib.training import Runtime, identity_of, run
from gift_lib.world import numbers, probe, ratios
from gift_lib.world.probe import Recipe

#: Runs that the accuracies after fine-tuning are means over.
SEEDS = 3
#: Pictures per class on which generated and real ones are compared, and the recipe of the comparing classifier.
JUDGED_PER_CLASS = 8
JUDGE = Recipe(lr=5e-4, steps=600, batch=64, seed=77)
#: Streams of real pictures for the judge; no pre-training uses them.
JUDGE_SEED, HELD_OUT_SEED = 7_000_000, 8_000_000


@dataclass(frozen=True)
class Bar:
    """One aim of the design, what was measured, and whether it is met."""

    name: str
    aim: str
    measured: str
    met: bool

    @property
    def verdict(self) -> str:
        return "PASS" if self.met else "MISS"


def tasks_in_order() -> list[Task]:
    """The eleven tasks in Order I."""
    return in_order(mini.tasks(), "I")


def measure(
    model: CLIP, tokenizer: CLIPTokenizer, name: str, settings: dict[str, Any], seeds: int = SEEDS
) -> dict[str, Any]:
    """Per task: chance, zero-shot, pixel probe; the reference rows in both orders, means over seeds.

    `name` is the CLIP's name for `gift_lib.clip.load`; `settings` are changes to the Experiment's defaults.
    """
    e = experiment(model=name, **settings)
    tasks = load_tasks(e)
    found = [reference_rows(e.replace(seed=e.seed + s)) for s in tqdm(range(seeds), desc="reference rows")]
    rows = {k: np.mean([f[k] for f in found], axis=0).tolist() for k in found[0]}
    zero = [probe.accuracy(model, tokenizer, t) for t in tasks]
    return {
        "world": world_hash(e),
        "settings": {k: getattr(e, k) for k in ("lr", "steps", "batch_size")} | {"seeds": seeds},
        "tasks": [t.name for t in tasks],
        "classes": [len(t.classes) for t in tasks],
        "chance": [100 / len(t.classes) for t in tasks],
        "zero_shot": zero,
        "pixel_probe": [probe.pixel_probe(t) for t in tqdm(tasks, desc="pixel probe")],
        "alone": rows["alone"],
        "R": rows["finetune-I"],
        "numbers": numbers.by_order([t.name for t in tasks], rows | {"zero_shot": zero}),
        "ratios": ratios.ratios(e, tasks, float(model.logit_scale.detach().exp())),
    }


def reference_rows(e: Experiment) -> dict[str, Any]:
    """Accuracies of every task fine-tuned alone, and R of the reference methods in both orders, by the project's loop.

    Records that are in the repository or were made by an earlier check are taken as they are.
    """
    alone = record_of(e.replace(method="upper-bound"))["result"]["R"]
    rows = {"alone": np.diagonal(alone).tolist()}
    for order in ORDERS:
        for method in numbers.METHODS:
            rows[f"{method}-{order}"] = record_of(e.replace(method=method, order=order))["result"]["R"]
    return rows


def record_of(e: Experiment) -> results.Record:
    """The record of a run: a committed one, or one that is made now and kept in the cache."""
    quiet = Runtime(progress=False)
    committed = results.Address(e, identity_of(e, quiet)).find(numbers.DATA.parent / "results")
    return committed or run(e, quiet, cache_root() / "world" / "check")


def judge(model: CLIP, tokenizer: CLIPTokenizer, train: UInt8[Tensor, "n 3 h w"]) -> CLIP:
    """A copy of the CLIP fine-tuned on pictures of every class of every task, class by class, as many of each."""
    names = [p for t in tasks_in_order() for p in t.prompts()]
    labels = torch.arange(len(names)).repeat_interleave(len(train) // len(names))
    return probe.tune(copy.deepcopy(model), tokenizer, train, labels, names, JUDGE)


def named(model: CLIP, tokenizer: CLIPTokenizer, pictures: UInt8[Tensor, "n 3 h w"]) -> list[float]:
    """Percent of the pictures named rightly, task by task; as many of each class, class by class."""
    scores, start, tasks = [], 0, tasks_in_order()
    each = len(pictures) // sum(len(t.classes) for t in tasks)
    for task in tasks:
        part = pictures[start : start + each * len(task.classes)]
        truth = torch.arange(len(task.classes)).repeat_interleave(each)
        found = probe.predict(model, probe.classifier(model, tokenizer, task), part)
        scores.append(100 * (found == truth).float().mean().item())
        start += len(part)
    return scores


def real(per_class: int, seed: int) -> UInt8[Tensor, "n 3 32 32"]:
    """Real pictures in the web's style of every class of every task, class by class."""
    prompts = [p for t in tasks_in_order() for p in t.prompts() for _ in range(per_class)]
    return mini.real_pictures(prompts, [seed + i for i in range(len(prompts))])


@torch.no_grad()
def generated(pipe: Any, per_class: int, seed: int, steps: int, guidance: float) -> UInt8[Tensor, "n 3 32 32"]:
    """Generated pictures of every class of every task, class by class."""
    prompts = [p for t in tasks_in_order() for p in t.prompts() for _ in range(per_class)]
    parts = []
    for start in tqdm(range(0, len(prompts), 64), desc="generate"):
        chunk = prompts[start : start + 64]
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(chunk))]
        images = pipe(
            chunk, num_inference_steps=steps, guidance_scale=guidance, generator=generators, output_type="np"
        ).images
        parts.append(torch.from_numpy(images).permute(0, 3, 1, 2).mul(255).round().to(torch.uint8))
    return torch.cat(parts)


def measure_pictures(
    model: CLIP, tokenizer: CLIPTokenizer, pipe: Any, steps: int = 20, guidance: float = 7.5
) -> dict[str, Any]:
    """Real -> generated, generated -> real, and real -> real for comparison, per task in percent."""
    train, held_out = real(4 * JUDGED_PER_CLASS, JUDGE_SEED), real(JUDGED_PER_CLASS, HELD_OUT_SEED)
    drawn = generated(pipe, JUDGED_PER_CLASS, 9_000_000, steps, guidance)
    of_real, of_drawn = (judge(model, tokenizer, pictures) for pictures in (train, drawn))
    return {
        "denoising_steps": steps,
        "guidance_scale": guidance,
        "zero_shot_generated": named(model, tokenizer, drawn),
        "zero_shot_real_pictures": named(model, tokenizer, held_out),
        "real_to_real": named(of_real, tokenizer, held_out),
        "real_to_generated": named(of_real, tokenizer, drawn),
        "generated_to_real": named(of_drawn, tokenizer, held_out),
    }


def bars(m: dict[str, Any]) -> list[Bar]:
    """The aims of the design against what `measure` and `measure_pictures` found."""
    zero, alone, chance, R = (np.array(m[k]) for k in ("zero_shot", "alone", "chance", "R"))
    pixels = np.array(m["pixel_probe"])
    n, few = len(zero), int((pixels < 60).sum())
    gain = float((alone - zero).mean())
    lost = float(zero[1:].mean() - metrics.transfer(R))
    last = float(alone.mean() - metrics.last(R))
    over = float((zero / chance).min())
    found = [
        Bar("zero-shot, mean", "45 to 75", f"{zero.mean():.1f}", bool(45 <= zero.mean() <= 75)),
        Bar("zero-shot over chance, least", "at least 2 times", f"{over:.1f}", over >= 2),
        Bar("zero-shot, largest", "at most 97", f"{zero.max():.1f}", bool(zero.max() <= 97)),
        Bar("linear probe on pixels below 60", "most tasks", f"{few} of {n}", few > n / 2),
        Bar("fine-tuning alone, gain", "at least 15", f"{gain:.1f}", gain >= 15),
        Bar("continual fine-tuning, Transfer lost", "at least 10", f"{lost:.1f}", lost >= 10),
        Bar("continual fine-tuning, Last lost", "at least 8", f"{last:.1f}", last >= 8),
    ]
    if "real_to_generated" in m:
        share = np.array(m["real_to_generated"])
        found.append(Bar("generated pictures named", "at least 60", f"{share.mean():.1f}", bool(share.mean() >= 60)))
        found.append(Bar("  in every task", "at least 60", f"least {share.min():.1f}", bool(share.min() >= 60)))
    return found


COLUMNS = {
    "chance": "chance", "zero_shot": "zero-shot", "pixel_probe": "pixels", "alone": "alone", "last": "last",
    "real_to_real": "web>web", "real_to_generated": "web>gen", "generated_to_real": "gen>web",
}  # fmt: skip


def table(m: dict[str, Any]) -> str:
    """The per-task table and the bars as text."""
    m = {**m, "last": m["R"][-1]}
    columns = {k: v for k, v in COLUMNS.items() if k in m}
    lines = [f"{'task':12}{'classes':>8}" + "".join(f"{c:>10}" for c in columns.values())]
    for i, name in enumerate(m["tasks"]):
        lines.append(f"{name:12}{m['classes'][i]:>8}" + "".join(f"{m[k][i]:10.1f}" for k in columns))
    lines.append(f"{'mean':12}{sum(m['classes']):>8}" + "".join(f"{np.mean(m[k]):10.1f}" for k in columns))
    lines.append("")
    lines += [f"{b.verdict}  {b.name:40}{b.measured:>12}   (aim: {b.aim})" for b in bars(m)]
    lines += ["", numbers.table(m["numbers"])] if "numbers" in m else []
    lines += ["", ratios.table(m["ratios"])] if "ratios" in m else []
    return "\n".join(lines)
