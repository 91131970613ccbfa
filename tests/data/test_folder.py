"""Any image folder as a task."""

import pytest
import torch
from layouts import save, text

from gift_lib.data import folder
from gift_lib.errors import ConfigError, DataError


@pytest.fixture
def birds(tmp_path):
    """Two classes with `train` and `test`."""
    for split, n in (("train", 3), ("test", 2)):
        for name in ("house_sparrow", "robin"):
            for i in range(n):
                save(tmp_path / "birds" / split / name / f"{i}.jpg", i)
    return tmp_path / "birds"


def make(path, **settings):
    return folder.task(path, cache_dir=path.parent / "cache", size=32, progress=False, **settings)


def test_splits_and_names_from_folders(birds):
    task = make(birds)
    assert task.name == "birds" and task.classes == ("house sparrow", "robin")
    assert task.prompts() == ["a photo of a house sparrow.", "a photo of a robin."]
    assert task.train.labels.tolist() == [0, 0, 0, 1, 1, 1] and task.test.labels.tolist() == [0, 0, 1, 1]
    assert task.train.images.batch(torch.tensor([5, 0])).shape == (2, 3, 32, 32)


def test_random_split_without_split_folders(tmp_path):
    for name in ("a", "b"):
        for i in range(5):
            save(tmp_path / "set" / name / f"{i}.png", i)
    task = make(tmp_path / "set", name="mine")
    assert task.name == "mine" and (len(task.train), len(task.test)) == (8, 2)
    assert sorted(torch.cat([task.train.labels, task.test.labels]).tolist()) == [0] * 5 + [1] * 5


def test_names_from_a_file(birds, tmp_path):
    text(birds / "classes.txt", "robin\tEuropean robin", "house_sparrow\tHouse Sparrow")
    assert make(birds).classes == ("House Sparrow", "European robin")
    text(tmp_path / "names.txt", "Spatz", "Rotkehlchen")
    assert make(birds, classes_file=tmp_path / "names.txt").classes == ("Spatz", "Rotkehlchen")


def test_templates(birds):
    task = make(birds, templates=("a photo of a {c}, a type of bird.", "a {c}."))
    assert task.prompts()[1] == "a photo of a robin, a type of bird."
    for bad in (("a bird",), ()):
        with pytest.raises(ConfigError, match="must hold"):
            make(birds, templates=bad)


def test_a_replaced_picture_is_decoded_again(birds):
    before = make(birds).train.images.batch(torch.tensor([0]))
    save(birds / "train" / "house_sparrow" / "0.jpg", 9)
    assert not torch.equal(make(birds).train.images.batch(torch.tensor([0])), before)


def test_published_validation_folder(birds):
    with pytest.raises(DataError, match="no folder `val`"):
        make(birds).val  # noqa: B018
    save(birds / "val" / "robin" / "0.jpg", 1)
    assert make(birds).val.labels.tolist() == [1]


def test_no_validation_in_a_random_split(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "set" / name / "0.png", 1)
    with pytest.raises(DataError, match="no folder `val`"):
        make(tmp_path / "set").val  # noqa: B018


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("one",), "1 lines for 2 class folders"),
        (("robin\tA",), "no line for the folder 'house_sparrow'"),
        (("robin\tA", "sparrow\tB"), "'sparrow<TAB>B' names no folder"),
        (("same", "same"), "two classes one name"),
        (("a\tb\tc", "d"), "'d' has no tab"),
    ],
)
def test_names_that_do_not_fit(birds, rows, message):
    text(birds / "classes.txt", *rows)
    with pytest.raises(DataError, match=message):
        make(birds)


def test_folders_that_do_not_fit(birds, tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        make(tmp_path / "nowhere")
    with pytest.raises(DataError, match="has 0 subfolders"):
        make(birds / "train" / "robin")
    with pytest.raises(DataError, match="does not exist"):
        make(birds, classes_file=tmp_path / "absent.txt")
    save(birds / "test" / "wren" / "0.jpg", 1)
    with pytest.raises(DataError, match="'wren' that train lacks"):
        make(birds).test  # noqa: B018
    for name in ("a", "b"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="has no images for train"):
        make(tmp_path / "empty").train  # noqa: B018


def test_a_class_without_pictures(birds, tmp_path):
    (birds / "train" / "wren").mkdir()
    with pytest.raises(DataError, match=r"train/wren has no images\. Put some there"):
        make(birds).train  # noqa: B018
    save(tmp_path / "set" / "a" / "0.png", 1)
    (tmp_path / "set" / "b").mkdir()
    with pytest.raises(DataError, match="set/b has no images"):
        make(tmp_path / "set").test  # noqa: B018


def test_train_and_val_alone_are_no_classes(birds):
    """Without `test` the folders `train` and `val` are still splits, and what is missing is said."""
    (birds / "test").rename(birds / "val")
    task = make(birds)
    assert task.classes == ("house sparrow", "robin") and (len(task.train), len(task.val)) == (6, 4)
    with pytest.raises(DataError, match="no folder `test`"):
        task.test  # noqa: B018


def test_a_picture_that_is_none(birds):
    (birds / "train" / "robin" / "1.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"1\.jpg cannot be decoded"):
        make(birds).train  # noqa: B018
