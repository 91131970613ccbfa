"""The small web: noisy captioned pictures for CLIP, clean ones for the diffusion model, ZSCL's references."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from gift_lib.data.mini import concepts, digits
from gift_lib.data.mini.families import CONCEPT_TEMPLATE, CONCEPTS, FAMILIES, WEB, Family
from gift_lib.data.mini.streams import generator
from gift_lib.data.mini.style import SIZE, render
from gift_lib.errors import ConfigError, nearest
from gift_lib.files import digest
from gift_lib.tasks import fill


@dataclass(frozen=True)
class Web:
    """Shares of the noisy web. They decide how good, and how far from perfect, zero-shot accuracy is."""

    tasks: float = 0.65  # pairs whose picture shows a task's class (the rest: concepts)
    leak: float = 0.12  # of those, drawn part of the way towards the task's own style
    wrong: float = 0.05  # captions of another class
    vague: float = 0.08  # captions that name only the kind


NOISE = Web()

_CAPTIONS = (
    "a photo of a {c}.", "a photo of a {c}.", "a picture of a {c}", "{c}", "the {c}", "a {c}", "an image of a {c}.",
    "a drawing of a {c}.", "a clean picture of the {c}.", "one {c}, seen today", "look at this {c}!", "my {c}",
    "{c} for sale", "{c} clip art", "a small {c}", "a large {c}", "a colourful {c}", "a nice {c} in a picture.",
    "free stock photo: {c}", "a blurry photo of a {c}.", "this is a {c}.", "there is a {c} here.",
)  # fmt: skip
_CONCEPT_KIND = ("thing", "simple drawing", "shape", "picture")


@dataclass(frozen=True)
class _Entry:
    """A class or concept of the web's vocabulary."""

    name: str
    family: Family | None  # None: a concept

    @property
    def prompt(self) -> str:
        return fill(self.family.templates[0] if self.family else CONCEPT_TEMPLATE, self.name)


_TASK_ENTRIES = tuple(_Entry(c, f) for f in FAMILIES for c in f.classes)
_CONCEPT_ENTRIES = tuple(_Entry(c, None) for c in CONCEPTS)
ENTRIES = _TASK_ENTRIES + _CONCEPT_ENTRIES
_NUMBER = {e.name: k for k, e in enumerate(ENTRIES)}


def picture(entry: _Entry, rng: np.random.Generator, leak: bool = False) -> UInt8[np.ndarray, "32 32 3"]:
    """A class or concept in the web's style; `leak` moves it towards its task's, whatever the task's gap."""
    if entry.family is None:
        return render(concepts.PROGRAMS[entry.name], WEB, rng)
    family, program = entry.family, entry.family.programs[entry.name]
    if not leak:
        return render(program, family.web, rng)
    if family.name == "digits":
        program = digits.handwritten(family.classes.index(entry.name), "leak")
    return render(program, family.web.towards(family.far, family.leak), rng)


def _entry(rng: np.random.Generator, tasks: float) -> _Entry:
    among = _TASK_ENTRIES if rng.random() < tasks else _CONCEPT_ENTRIES
    return among[int(rng.random() * len(among))]


def caption(entry: _Entry, rng: np.random.Generator, web: Web = NOISE) -> str:
    """A caption as the web writes it: in many forms, now and then vague or wrong."""
    fate = rng.random()
    if fate < web.wrong:
        entry = _entry(rng, web.tasks)
    elif fate < web.wrong + web.vague:
        kind = entry.family.coarse if entry.family else _CONCEPT_KIND[int(rng.random() * len(_CONCEPT_KIND))]
        return fill(_CAPTIONS[int(rng.random() * len(_CAPTIONS))], kind)
    templates = _CAPTIONS
    if entry.family and rng.random() < 0.5:
        templates = entry.family.templates
    return fill(templates[int(rng.random() * len(templates))], entry.name)


def web_pairs(
    n: int, seed: int, *, clean: bool = False, web: Web = NOISE, start: int = 0
) -> tuple[UInt8[Tensor, "n 3 32 32"], list[str], list[str]]:
    """Pictures start .. start + n - 1 of a seed's web, their captions and the names of what they show.

    `clean` takes another stream, every class and concept equally often, and the true class's
    generation prompt as the caption: the diffusion model's data. No picture is in a task's own style.
    """
    shown = [_pair(seed, k, clean, web) for k in range(start, start + n)]
    return stacked([s[0] for s in shown]), [s[1] for s in shown], [s[2] for s in shown]


def _pair(seed: int, index: int, clean: bool, web: Web) -> tuple[np.ndarray, str, str]:
    rng = generator("clean" if clean else "web", seed, index)
    if clean:
        entry = ENTRIES[int(rng.random() * len(ENTRIES))]
        return picture(entry, rng), entry.prompt, entry.name
    entry = _entry(rng, web.tasks)
    text = caption(entry, rng, web)
    return picture(entry, rng, leak=entry.family is not None and rng.random() < web.leak), text, entry.name


def reference_pixels(n: int, seed: int) -> UInt8[Tensor, "n 3 32 32"]:
    """Web pictures of the concepts, in turn: ZSCL's reference pictures. The first n of more are the same."""
    return stacked([picture(_CONCEPT_ENTRIES[k % len(CONCEPTS)], generator("reference", seed, k)) for k in range(n)])


def web_captions(n: int, seed: int, tasks: float = NOISE.tasks) -> list[str]:
    """Noisy captions without pictures; a share of `tasks` of them is of the tasks' classes, the rest of concepts."""
    captions, web = [], replace(NOISE, tasks=tasks)
    for k in range(n):
        rng = generator("captions", seed, k)
        captions.append(caption(_entry(rng, tasks), rng, web))
    return captions


def shown_by(prompt: str) -> str:
    """The class or concept that a generation prompt names; a ConfigError where it names none."""
    if prompt in _BY_PROMPT:
        return _BY_PROMPT[prompt]
    padded = f" {prompt.strip(' .!').lower()} "
    named = [e.name for e in ENTRIES if f" {e.name.lower()} " in padded.replace(",", " ").replace('"', " ")]
    if not named:
        raise ConfigError(f"no picture for the prompt {prompt!r}; {nearest(prompt, _BY_PROMPT)}")
    return max(named, key=len)


_BY_PROMPT = {e.prompt: e.name for e in reversed(ENTRIES)}


def real_pictures(prompts: list[str], seeds: list[int]) -> UInt8[Tensor, "n 3 32 32"]:
    """A real web picture for every generation prompt: what a perfect generator would draw."""
    if len(prompts) != len(seeds):
        raise ConfigError(f"{len(prompts)} prompts but {len(seeds)} seeds: give one seed for each prompt.")
    return stacked([_real(shown_by(p), s) for p, s in zip(prompts, seeds, strict=True)])


def _real(name: str, seed: int) -> np.ndarray:
    number = _NUMBER[name]
    return picture(ENTRIES[number], generator("real", int(digest([name, seed], 15), 16) % 2**62))


def stacked(pictures: list[np.ndarray]) -> UInt8[Tensor, "n 3 32 32"]:
    """Pictures as one tensor, channels first."""
    if not pictures:
        return torch.zeros((0, 3, SIZE, SIZE), dtype=torch.uint8)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
