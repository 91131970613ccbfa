"""The class pool P: C0 and the classes of finished tasks, and the prompts drawn from them."""

import random
from collections.abc import Iterable, Iterator, Sequence

from gift_lib import concepts as vocabularies
from gift_lib.config import CHOICES, Experiment
from gift_lib.errors import ConfigError, nearest
from gift_lib.tasks import Task, fill


def concepts_of(e: Experiment) -> tuple[str, ...]:
    """C0 of an experiment's scale."""
    return vocabularies.of(e.scale)


class ClassPool:
    """The prompts that a task's synthetic set is drawn from.

    For task t they are C0's prompts, then the templates[0] prompt of every class of tasks 1..t-1, in
    order . Duplicates stay: a name that occurs twice is drawn twice as often.

    `source` keeps C0 ("concepts"), the past tasks ("past") or "both". With "past" the pool of the first
    task would be empty: C0 stands in for it there, and `stands_in` says so.
    `template` overrides every prompt's template. With `growth=False` the pool is the same for every
    task: the classes of all `tasks` are in it from the start, and `add` changes nothing. (A pool that
    never learns any task's classes is source "concepts".)
    """

    def __init__(
        self,
        concepts: Iterable[str],
        *,
        source: str = "both",
        template: str = "",
        growth: bool = True,
        tasks: Iterable[Task] = (),
    ):
        valid = CHOICES["prompt_source"]
        if source not in valid:
            raise ConfigError(f"prompt_source cannot be {source!r}; {nearest(source, valid)}")
        self.source, self.template, self.growth = source, template, growth
        self._concepts = [fill(template or vocabularies.TEMPLATE, c) for c in concepts]
        self._past = [] if growth else [p for task in tasks for p in task.prompts(template or None)]
        if not growth and not self._past:
            raise ConfigError("a pool that does not grow needs the tasks from the start: pass all of them.")
        if not self._concepts and source != "past":
            raise ConfigError("the class pool has no concepts: give C0 at least one name.")

    @classmethod
    def of(cls, e: Experiment, concepts: Iterable[str], tasks: Iterable[Task] = ()) -> "ClassPool":
        """The pool at the start of an experiment. `tasks` (all of them) matter only where it does not grow."""
        return cls(concepts, source=e.prompt_source, template=e.prompt_template, growth=e.pool_growth, tasks=tasks)

    @property
    def stands_in(self) -> bool:
        """Whether C0 stands in for an empty set of past tasks."""
        return self.source == "past" and not self._past

    @property
    def prompts(self) -> list[str]:
        """Every prompt that can be drawn now, in order."""
        if self.source == "concepts" or self.stands_in:
            return list(self._concepts)
        return list(self._past) if self.source == "past" else self._concepts + self._past

    def add(self, task: Task) -> None:
        """Let the classes of a finished task join."""
        if self.growth:
            self._past += task.prompts(self.template or None)

    def sample(self, n: int, rng: random.Random, draws: int = 10_000) -> list[str]:
        """`n` prompts: the first of `draws` uniform draws with replacement, each one `rng.choice`.

        One `random.Random(seed)` serves all tasks in order, and every task uses up the same number of
        draws, so sets of different sizes nest. The published lists come out so (digests in the tests).
        """
        if not 0 <= n <= draws:
            raise ConfigError(f"{n} prompts cannot be the first of {draws} draws: set prompt_draws to {n} or more.")
        pool = self.prompts
        if not pool:
            raise ConfigError("the class pool is empty: give it concepts or a task with classes.")
        return [rng.choice(pool) for _ in range(draws)][:n]


def prompt_stream(e: Experiment, tasks: Sequence[Task]) -> Iterator[list[str]]:
    """The generator's prompts for each task of an experiment in turn.

    One random stream runs through all tasks; a task's classes join the pool when the next task's
    prompts are asked for, never earlier.
    """
    pool, stream = ClassPool.of(e, concepts_of(e), tasks), random.Random(e.pictures_seed)
    for task in tasks:
        yield pool.sample(e.images_per_task, stream, e.prompt_draws)
        pool.add(task)
