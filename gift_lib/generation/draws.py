"""What to draw: a prompt and a seed for every picture of a run, known beforehand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gift_lib.config import Experiment
from gift_lib.files import digest
from gift_lib.pictures import Draw
from gift_lib.pool import prompt_stream
from gift_lib.tasks import Task


def draws(prompts: Sequence[str], base_seed: int, counts: Mapping[str, int] | None = None) -> list[Draw]:
    """A draw for every prompt. The k-th picture of a prompt in a run has a seed made of (base_seed, prompt, k).

    `counts` says how often each prompt was drawn before in the run (in earlier tasks); it is not changed.
    So runs that differ in order, number of pictures or prompt source share most pictures.
    """
    seen = Counter(counts or {})
    result = []
    for prompt in prompts:
        result.append(Draw(prompt, seed_of(base_seed, prompt, seen[prompt])))
        seen[prompt] += 1
    return result


def plan(e: Experiment, tasks: Sequence[Task]) -> list[list[Draw]]:
    """The draws of every task of an experiment, in order: what its generation will need, known beforehand."""
    counts: Counter[str] = Counter()
    planned = []
    for prompts in prompt_stream(e, tasks):
        planned.append(draws(prompts, e.pictures_seed, counts))
        counts.update(prompts)
    return planned


def seed_of(*parts: Any) -> int:
    """A seed of 60 bits from the digest of `parts`."""
    return int(digest(list(parts), 15), 16)
