"""Tasks, their orders, and what is refused."""

import pytest
import torch

from gift_lib.errors import ConfigError, DataError
from gift_lib.tasks import ORDERS, Split, Task, TensorImages, fill, in_order


def make(name, part, labels=(0, 1)):
    images = TensorImages(torch.zeros(len(labels), 3, 4, 4, dtype=torch.uint8))
    split = Split(images, torch.tensor(labels))
    return Task(name, ("cat", "dog"), ("a photo of a {c}.", "art of a {c}."), lambda _: split, part)


@pytest.fixture
def tasks():
    return {p: make(p.lower(), p) for p in ORDERS["I"]}


def test_orders_are_permutations_of_eleven():
    assert len(ORDERS["I"]) == 11
    assert sorted(ORDERS["I"]) == sorted(ORDERS["II"])
    assert list(ORDERS["I"]) == sorted(ORDERS["I"], key=str.lower), "Order I is alphabetical"


def test_in_order(tasks):
    assert [t.stands_for for t in in_order(tasks, "II")] == list(ORDERS["II"])
    assert [t.name for t in in_order(tasks, "food, mnist")] == ["food", "mnist"]
    assert [t.name for t in in_order(tasks, "II", ("aircraft", "food"))] == ["food", "aircraft"]


def test_unknown_tasks_are_named_with_the_nearest(tasks):
    with pytest.raises(ConfigError, match="did you mean 'mnist'"):
        in_order(tasks, "food,minst")
    with pytest.raises(ConfigError, match="there is no task 'moon'"):
        in_order(tasks, "I", ("moon",))


def test_a_task_outside_the_order_is_refused(tasks):
    with pytest.raises(ConfigError, match="'mnist' is not in the order 'food,aircraft'"):
        in_order(tasks, "food,aircraft", ("food", "mnist"))


def test_prompts():
    task = make("pets", "OxfordPet")
    assert task.prompts() == ["a photo of a cat.", "a photo of a dog."]
    assert task.prompts("{c}!") == ["cat!", "dog!"]
    assert fill('number: "{c}"', "0 - zero") == 'number: "0 - zero"'


def test_a_label_without_a_class_is_refused():
    with pytest.raises(DataError, match=r"labels 0\.\.2 but 2 classes"):
        _ = make("pets", "OxfordPet", labels=(0, 2)).train


def test_as_many_labels_as_images():
    with pytest.raises(DataError, match="2 images but 3 labels"):
        Split(TensorImages(torch.zeros(2, 3, 4, 4, dtype=torch.uint8)), torch.zeros(3, dtype=torch.int64))
