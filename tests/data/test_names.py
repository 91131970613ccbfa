"""Class names and templates: the counts of the protocol's table and the digests of the published prompt lists."""

import hashlib
import random

import pytest
from open_clip import IMAGENET_CLASSNAMES

from gift_lib.data import names
from gift_lib.errors import ConfigError
from gift_lib.tasks import ORDERS, fill

#: classes, evaluation templates
COUNTS = {
    "Aircraft": (100, 2), "Caltech101": (101, 34), "CIFAR100": (100, 18), "DTD": (47, 8), "EuroSAT": (10, 3),
    "Flowers": (102, 1), "Food": (101, 1), "MNIST": (10, 1), "OxfordPet": (37, 1), "StanfordCars": (196, 9),
    "SUN397": (397, 2),
}  # fmt: skip

FIRST = {
    "Aircraft": "a photo of a {c}, a type of aircraft.", "Caltech101": "a photo of a {c}.",
    "CIFAR100": "a photo of a {c}.", "DTD": "a photo of a {c} texture.",
    "EuroSAT": "a centered satellite photo of {c}.", "Flowers": "a photo of a {c}, a type of flower.",
    "Food": "a photo of a {c}, a type of food.", "MNIST": 'a photo of the number: "{c}".',
    "OxfordPet": "a photo of a {c}, a type of pet.", "StanfordCars": "a photo of a {c}, a type of car.",
    "SUN397": "a photo of a {c}.",
}  # fmt: skip

#: First 16 hex digits of the SHA-256 of each task's published prompts, in task order.
PUBLISHED = {
    ("I", 10_000): "cb4b621e11696c44 1dd4e77b9da55f40 696e57060de32ef5 7617c1178ef8b15f d92cd430c1e5232e "
    "2b94bd280a6d20ca 4fab3e92de7172d7 60dfb4c435913808 9d57e4658582c5de 3cb7d7aff8368009 5ecb6f3884d5ad54",
    ("II", 1_000): "9a4f31978e1021a5 2a1525fc220ee8a2 84118d4e15b48ca7 5a05b2cf3fe42338 292d00c0b2754f3e "
    "ca2b8e60d2fd6a4c b4fc435c8e733538 ce658f0bf9ff8169 90fe819990835866 76f230393c6ef17c 3c24e59bf1d598c9",
}


def test_datasets_are_those_of_order_one():
    assert names.datasets() == ORDERS["I"]


@pytest.mark.parametrize("dataset", COUNTS)
def test_counts_and_form(dataset):
    classes, templates = names.classes(dataset), names.templates(dataset)
    assert (len(classes), len(templates)) == COUNTS[dataset]
    assert len(set(classes)) == len(classes) and len(set(templates)) == len(templates)
    assert all(t.count("{c}") == 1 for t in templates)
    assert templates[0] == FIRST[dataset]
    assert len(names.folders(dataset)) in (0, len(classes))


def test_all_classes_of_mtil():
    assert sum(len(names.classes(d)) for d in names.datasets()) == 1201


@pytest.mark.parametrize(("order", "draws"), PUBLISHED)
def test_published_prompt_lists_come_out(order, draws):
    rng = random.Random(42)
    pool = [f"a photo of a {c}." for c in IMAGENET_CLASSNAMES]
    digests = []
    for task in ORDERS[order]:
        prompts = [rng.choice(pool) for _ in range(draws)]
        digests.append(hashlib.sha256("\n".join(prompts).encode()).hexdigest()[:16])
        pool += [fill(names.templates(task)[0], c) for c in names.classes(task)]
    assert digests == PUBLISHED[order, draws].split()


def test_unknown_dataset_names_the_nearest():
    with pytest.raises(ConfigError, match="'Aircraft'"):
        names.classes("Aircrafts")
