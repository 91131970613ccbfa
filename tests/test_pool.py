"""The class pool draws the published prompts; C0 can be sampled without overlap."""

import hashlib
import random

import pytest
import torch

from gift_lib import concepts
from gift_lib.config import experiment
from gift_lib.errors import ConfigError
from gift_lib.pool import ClassPool, concepts_of
from gift_lib.tasks import Task


def task(name: str, *classes: str) -> Task:
    return Task(name, classes, (f"a {name} of {{c}}.", "never {c}"), open_split=lambda _: None)


def digest(prompts: list[str]) -> str:
    return hashlib.sha256("\n".join(prompts).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("draws", "published"), [(10_000, "cb4b621e11696c44"), (1_000, "9a4f31978e1021a5")], ids=["order I", "order II"]
)
def test_first_tasks_published_prompts(draws, published):
    pool = ClassPool(concepts.of("paper"))
    assert digest(pool.sample(draws, random.Random(42), draws)) == published


def test_imagenet_names_keep_their_duplicates():
    names = concepts_of(experiment("colab"))
    assert len(names) == 1000
    assert len(set(names)) == 998


def test_pool_grows_in_task_order():
    pool = ClassPool(["dog", "cat", "dog"])
    c0 = ["a photo of a dog.", "a photo of a cat.", "a photo of a dog."]
    assert pool.prompts == c0
    pool.add(task("sketch", "x", "y"))
    pool.add(task("scan", "x"))
    assert pool.prompts == [*c0, "a sketch of x.", "a sketch of y.", "a scan of x."]


def test_sets_of_different_sizes_nest_for_every_task():
    streams = random.Random(3), random.Random(3)
    pool = ClassPool(["dog", "cat", "owl"])
    for name in ("sketch", "scan", "plan"):
        small, large = pool.sample(4, streams[0], 50), pool.sample(40, streams[1], 50)
        assert large[:4] == small
        pool.add(task(name, "x", "y"))


def test_draws_are_random_choice():
    pool, rng = ClassPool(["dog", "cat", "owl"]), random.Random(7)
    assert pool.sample(6, random.Random(7), 6) == [rng.choice(pool.prompts) for _ in range(6)]


def test_sources():
    concepts_only, past = ClassPool(["dog"], source="concepts"), ClassPool(["dog"], source="past")
    assert past.stands_in
    assert past.prompts == ["a photo of a dog."]  # the first task has no past: C0 stands in
    for pool in (concepts_only, past):
        pool.add(task("scan", "x"))
    assert concepts_only.prompts == ["a photo of a dog."]
    assert past.prompts == ["a scan of x."]
    assert not past.stands_in


def test_one_template_for_all_prompts():
    pool = ClassPool(["dog"], template="drawing: {c}")
    pool.add(task("scan", "x"))
    assert pool.prompts == ["drawing: dog", "drawing: x"]


def test_a_pool_that_does_not_grow_knows_all_tasks_from_the_start():
    tasks = [task("scan", "x"), task("plan", "y")]
    pool = ClassPool.of(experiment(pool_growth=False), ["dog"], tasks)
    before = pool.prompts
    assert before == ["a photo of a dog.", "a scan of x.", "a plan of y."]
    pool.add(tasks[0])
    assert pool.prompts == before


def test_what_an_experiment_says():
    e = experiment(prompt_source="past", prompt_template="{c}!")
    pool = ClassPool.of(e, ["dog"])
    assert (pool.source, pool.template, pool.growth) == ("past", "{c}!", True)


def test_bad_pools_give_one_clear_error():
    with pytest.raises(ConfigError, match="did you mean 'concepts'"):
        ClassPool(["dog"], source="concept")
    with pytest.raises(ConfigError, match="no concepts"):
        ClassPool([])
    with pytest.raises(ConfigError, match="needs the tasks from the start"):
        ClassPool(["dog"], growth=False)
    with pytest.raises(ConfigError, match="set prompt_draws to 11"):
        ClassPool(["dog"]).sample(11, random.Random(0), 10)
    with pytest.raises(ConfigError, match="pool is empty"):
        ClassPool([], source="past").sample(1, random.Random(0), 10)

    # C0 from larger ImageNet vocabularies


def test_synsets_share_no_lemma_and_nest():
    names = concepts.sample_synsets(300, seed=1, vocabulary="imagenet-12k")
    assert names[:50] == concepts.sample_synsets(50, seed=1, vocabulary="imagenet-12k")
    assert names != concepts.sample_synsets(300, seed=2, vocabulary="imagenet-12k")
    assert len({n.casefold() for n in names}) == 300


def test_overlapping_lemmas_are_skipped():
    synsets = [["crane", "bird"], ["Crane", "lifting machine"], ["heron", "bird"], ["owl"]]
    assert list(concepts._without_shared_lemmas(synsets)) == ["crane", "owl"]


def test_synsets_are_no_closer_than_the_threshold():
    def embed(texts):
        return torch.stack([torch.randn(3, generator=torch.Generator().manual_seed(len(t))) for t in texts])

    names = concepts.sample_synsets(8, 0, "imagenet-12k", embed, threshold=0.8)
    vectors = torch.nn.functional.normalize(embed([f"a photo of a {n}." for n in names]), dim=-1)
    cosines = vectors @ vectors.T - 2 * torch.eye(8)
    assert float(cosines.max()) < 0.8


def test_bad_vocabularies_give_one_clear_error():
    with pytest.raises(ConfigError, match="did you mean 'imagenet-12k'"):
        concepts.sample_synsets(1, 0, "imagenet12k")
    with pytest.raises(ConfigError, match="only 2 concepts"):
        concepts.sample_synsets(3, 0, "imagenet-1k", lambda t: torch.eye(2)[[i % 2 for i in range(len(t))]])
    with pytest.raises(ConfigError, match="threshold"):
        concepts.sample_synsets(3, 0, threshold=2.0)
