"""Experiments of every value that one can hold: small and large numbers, any text, settings within settings."""

import random
from typing import Any

from gift_lib.config import CHOICES, SCALES, Experiment, experiment
from gift_lib.data.mini import WORLDS

#: What shells, YAML, JSON, Python and papermill read as something else than a letter.
ODD = [
    *"'\"\\`$&*!?#%@|<>()[]{}~:,;-= \t\n\r\0\x1b\x7f\x85\xa0\u2028\ufeffé日😀",
    "$(x)",
    "${x}",
    ": ",
    " #",
    "{x}",
    "%s",
]
WORDS = ["on", "no", "null", "~", "1e-5", "0x1F", "1_000", "12:30:00", "2001-01-01", "<<", "=", ".inf", "True", "None"]
RATES = [1e-5, 5e-6, 2.5e-7, 1 / 3, 0.1 + 0.2, 1e-3, 1.0]
WEIGHTS = [0.0, 5e-324, 1e-05, 1e16, 1e22, 1.7e308, 2.0, 1 / 3]
WHOLE = [1, 2, 7, 64, 10**6, 2**31]
TASKS = ("digits", "terrain", "textures", "scenes", "flowers")


def text(draw: random.Random) -> str:
    """A word that YAML reads as something else, or a string of letters and odd characters."""
    if draw.random() < 0.3:
        return draw.choice(WORDS)
    return "".join(draw.choice([*ODD, "a", "B", "9"]) for _ in range(draw.randint(1, 12)))


def setting(draw: random.Random, depth: int = 2) -> Any:
    """A value of a method's setting: anything that JSON can hold."""
    plain = [None, True, False, 0, -3, 10**30, draw.choice(RATES), -1e-9, draw.choice(WEIGHTS), "", text(draw)]
    if depth and draw.random() < 0.3:
        parts = [setting(draw, depth - 1) for _ in range(draw.randint(0, 3))]
        return parts if draw.random() < 0.5 else {text(draw): p for p in parts}
    return draw.choice(plain)


def names(draw: random.Random) -> list[str]:
    """Two or more names of tasks, none twice, without commas."""
    found = {text(draw).replace(",", "").strip() for _ in range(4)} - {"", "digits", "terrain"}
    return [*sorted(found), "digits", "terrain"]


def some_experiment(draw: random.Random, runnable: bool = False) -> Experiment:
    """An experiment with a random half of its settings changed; `runnable` ones have tasks and models that exist."""
    named = list(TASKS) if runnable else names(draw)
    images = draw.choice(WHOLE)
    values = {
        "method_options": {text(draw): setting(draw) for _ in range(draw.randint(1, 3))},
        "order": draw.choice(["I", "II", ",".join(draw.sample(named, len(named)))]),
        "tasks": tuple(draw.sample(named, 2)),
        "lr_per_task": {n: draw.choice(RATES) for n in draw.sample(named, 2)},
        "lr": draw.choice(RATES) * draw.uniform(0.1, 10), "temperature": draw.choice(RATES),
        **{k: draw.choice(WEIGHTS) for k in ("weight_decay", "alpha", "beta", "consolidation_weight")},
        "guidance_scale": draw.choice([0.0, 1e-05, 7, 12.5]),
        **{k: draw.choice([0.0, 1e-05, 0.1, 1 - 2**-53]) for k in ("warmup", "label_smoothing")},
        **{k: draw.choice(WHOLE) for k in ("steps", "batch_size", "synthetic_batch_size", "denoising_steps")},
        "images_per_task": images, "prompt_draws": images + draw.choice(WHOLE),
        **{k: draw.choice(v) for k, v in CHOICES.items() if k not in ("scale", "synthetic_source")},
        **{k: draw.random() < 0.5 for k in ("checkpoint_activations", "awc_normalise", "pool_growth")},
        "teacher": draw.choice(["last", "initial", f"wise({draw.random()})", "wise(1e-05)"]),
        "prompt_template": text(draw) + "{c}" + text(draw),
        "synthetic_seed": draw.choice([None, 0, 2**62]),
    }  # fmt: skip
    kept = {k: v for k, v in values.items() if draw.random() < 0.5 or k in ("images_per_task", "prompt_draws")}
    if runnable:
        return experiment(
            "mini", world=draw.choice(list(WORLDS)), method=draw.choice(["gift", "finetune", "l2"]), **kept
        )
    scale = draw.choice(list(SCALES))
    models = {"model": text(draw), "pipeline": text(draw), "method": text(draw), "seed": draw.randint(0, 2**62)}
    return experiment(scale, world=draw.choice(list(WORLDS)) if scale == "mini" else "1", **kept, **models)
