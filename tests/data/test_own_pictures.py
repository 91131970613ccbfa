"""One's own pictures as they really are: odd splits, junk, lists of names, phones, links. Nothing is silent."""

import os
import time

import numpy as np
import pytest
import torch
from layouts import save, text
from PIL import Image

from gift_lib.data import folder, layout, own, tree
from gift_lib.data.own import OwnFiles
from gift_lib.errors import DataError


def fill(root, *classes, n=2, suffix="png"):
    for k, name in enumerate(classes):
        for i in range(n):
            save(root / name / f"{i}.{suffix}", 10 * k + i, (12, 10))


def splits(root, *names, classes=("house_sparrow", "robin"), n=2):
    for name in names:
        fill(root / name, *classes, n=n)


def counts(root):
    found = layout.read(root)
    return found.classes, {s: found.counts(s) for s in found.records}


def opened(path):
    """One's own picture as it is stored: pixels and what was changed."""
    image = OwnFiles(path.parent, [path.name]).open(0)
    return np.asarray(image), image.info["changes"]


# --- splits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("train", "validation"), ("train", "val")), (("Train", "Test"), ("train", "test")),
        (("train", "valid", "test"), ("train", "val", "test")), (("TRAINING", "testing"), ("train", "test")),
        (("train_images", "test_images"), ("train", "test")), (("train2017", "val2017"), ("train", "val")),
        (("01_train", "02-dev", "03 Test set"), ("train", "val", "test")),
    ],
)  # fmt: skip
def test_splits_under_their_usual_names(names, found, tmp_path):
    splits(tmp_path / "birds", *names)
    assert counts(tmp_path / "birds") == (("house sparrow", "robin"), {s: [2, 2] for s in found})
    odd = [f"{n} is {s}" for n, s in zip(names, found, strict=True) if n != s]
    assert ", ".join(odd) in str(layout.read(tmp_path / "birds"))


@pytest.mark.parametrize(
    "names", [("train", "plane", "car"), ("test tube", "training shoe", "latest"), ("development", "trains")]
)
def test_classes_that_are_no_splits(names, tmp_path):
    fill(tmp_path / "things", *names)
    assert set(counts(tmp_path / "things")[0]) == set(names)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train/robin", "train/wren", "test/robin", "wren"), "beside the folder 'wren' of pictures"),
        (("train/robin", "train/wren", "val/robin", "Validation/wren"), "two folders for val"),
        (("val/robin", "val/wren", "test/robin"), "no train"),
        (("robin/train", "robin/test", "wren/train", "wren/test"), "train and test inside a class"),
        (("train/robin", "train/wren"), "looks like a split alone"),
        (("train/robin", "train/wren", "holdout/robin", "holdout/wren"), "looks like a split beside holdout"),
        (("birds/robin", "birds/wren"), "Did you mean .*birds"),
    ],
)
def test_splits_that_contradict_themselves_are_refused(folders, message, tmp_path):
    fill(tmp_path / "set", *folders)
    with pytest.raises(DataError, match=message):
        layout.read(tmp_path / "set")


def test_a_folder_without_pictures_beside_the_splits_is_no_class(tmp_path):
    splits(tmp_path / "birds", "train", "test")
    text(tmp_path / "birds" / "annotations" / "boxes.csv", "1,2")
    assert counts(tmp_path / "birds")[0] == ("house sparrow", "robin")


# --- what lies about ----------------------------------------------------------------------------------------------


def test_what_computers_leave_about_is_no_picture_and_no_class(tmp_path):
    root = tmp_path / "birds"
    fill(root, "robin", "wren", "@eaDir", "__MACOSX", ".thumbnails", "#recycle", "robin/@eaDir", "wren/__MACOSX")
    for junk in (
        "robin/._0.png",
        "wren/.DS_Store",
        "wren/Thumbs.db",
        "robin/desktop.ini",
        ".DS_Store",
        "robin/~$x.png",
    ):
        (root / junk).write_bytes(b"Mac OS X")
    found = layout.read(root)
    assert found.classes == ("robin", "wren") and [found.counts(s) for s in ("train", "test")] == [[1, 1], [1, 1]]
    assert "12 that computers leave about (" in str(found)


def test_published_data_sets_come_without_junk_too(tmp_path):
    from gift_lib.data import readers

    fill(tmp_path, "Forest", "River", "@eaDir")
    (tmp_path / "Forest" / "._0.png").write_bytes(b"Mac OS X")
    assert readers.subfolders(tmp_path) == ["Forest", "River"]
    found = readers.in_folders(tmp_path, {"Forest": 0, "River": 1})
    assert found.pictures.paths == ["Forest/0.png", "Forest/1.png", "River/0.png", "River/1.png"]


def test_types_that_are_read_and_types_that_are_counted(tmp_path):
    for suffix in ("jfif", "gif", "avif", "webp", "JPG", "tiff", "jp2"):
        kind = {"jfif": "JPEG", "JPG": "JPEG", "jp2": "JPEG2000", "tiff": "TIFF"}.get(suffix, suffix.upper())
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("RGB", (9, 9), "red").save(tmp_path / name / f"x.{suffix}", kind)
    for name in ("a/x.heic", "a/y.HEIC", "b/notes.txt", "b/README"):
        (tmp_path / name).write_bytes(b"something")
    (tmp_path / "loose.png").write_bytes(b"something")
    found = layout.read(tmp_path)
    assert [a + b for a, b in zip(found.counts("train"), found.counts("test"), strict=True)] == [7, 7]
    for said in ("2 .heic (", "1 .txt (", "1 without a suffix (", "1 in no class folder ("):
        assert said in str(found)
    for i in range(len(found.records["train"])):
        assert found.records["train"].pictures.open(i).size == (9, 9)


def test_a_class_of_junk_alone_is_empty(tmp_path):
    fill(tmp_path, "robin")
    (tmp_path / "wren").mkdir()
    (tmp_path / "wren" / "._0.png").write_bytes(b"Mac OS X")
    with pytest.raises(DataError, match="wren has no images"):
        layout.read(tmp_path)


# --- names --------------------------------------------------------------------------------------------------------


def test_names_alone_go_to_numbered_folders_as_people_count(tmp_path):
    fill(tmp_path, *map(str, range(12)))
    names = [f"name {chr(97 + i)}" for i in range(12)]
    text(tmp_path / "classes.txt", *names)
    found = layout.read(tmp_path)
    assert found.folders == tuple(map(str, range(12))) and found.classes == tuple(names)
    assert "in this order: 0, 1, ..., 11" in str(found)


def test_natural_order_of_mixed_names():
    names = ["img10", "img9", "B", "a", "img010", "2", "10", "x²", ""]
    assert sorted(names, key=layout.natural) == ["", "2", "10", "a", "B", "img9", "img010", "img10", "x²"]


def test_names_alone_that_are_the_folders_own_go_by_name(tmp_path):
    fill(tmp_path, "house_sparrow", "robin", "wren")
    text(tmp_path / "classes.txt", "Wren", "Robin", "House Sparrow")
    assert layout.read(tmp_path).classes == ("House Sparrow", "Robin", "Wren")
    text(tmp_path / "classes.txt", "Wren", "Robin", "Sparrow")
    with pytest.raises(DataError, match="names 'wren' in the line of another folder"):
        layout.read(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("robin\tA", "wren\tB", "owl\tC"), "'owl<TAB>C' names no folder"),
        (("robin\tA", "robin\tB", "wren\tC"), "its folder a second time"),
        (("robin\tA", "wren"), "'wren' has no tab, other lines have"),
        (("robin\tA\tB", "wren\tB"), "has 3 columns"),
        (("robin,Robin", "wren,Wren"), "'robin,Robin' begins with a folder but has no tab"),
        (("robin ; Robin", "wren ; Wren"), "no tab"),
        (("robin Robin", "wren Wren"), "no tab"),
        (("robin    Robin", "wren    Wren"), "no tab"),
        (("robin\tBird", "wren\tbird"), "one name"),
        (("robin\t\ufeff", "wren\tb"), "no tab|no name"),
    ],
)
def test_lists_that_do_not_fit_are_refused(rows, message, tmp_path):
    fill(tmp_path, "robin", "wren")
    text(tmp_path / "classes.txt", *rows)
    with pytest.raises(DataError, match=message):
        layout.read(tmp_path)


def test_names_with_commas_stay_where_no_folder_stands_before_them(tmp_path):
    fill(tmp_path, "a1", "a2")
    text(tmp_path / "classes.txt", "sparrow, male", "sparrow, female")
    assert layout.read(tmp_path).classes == ("sparrow, male", "sparrow, female")


@pytest.mark.parametrize("rows", ["robin\tRobin\r\nwren\tWren\r\n", "Robin\nWren"])
def test_byte_order_marks_enter_no_prompt(rows, tmp_path):
    fill(tmp_path, "robin", "wren")
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    task = folder.task(tmp_path, cache_dir=tmp_path / "cache", progress=False)
    assert task.prompts() == ["a photo of a Robin.", "a photo of a Wren."]


@pytest.mark.parametrize(
    "data", ["robin\tR\nwren\tW".encode("utf-16"), "robin\tRötel\nwren\tW".encode("latin-1"), b"\n\n"]
)
def test_lists_in_another_encoding_are_one_clear_error(data, tmp_path):
    fill(tmp_path, "robin", "wren")
    (tmp_path / "classes.txt").write_bytes(data)
    with pytest.raises(DataError, match=r"classes\.txt .*Save it as text in UTF-8"):
        layout.read(tmp_path)


def test_captions_have_a_remedy_of_their_own(tmp_path):
    from gift_lib.data import reference

    (tmp_path / "captions.txt").write_bytes("ein Rötel".encode("latin-1"))
    with pytest.raises(DataError, match="one caption a line"):
        reference.reference_captions(1, 0, tmp_path)
    (tmp_path / "captions.txt").write_bytes(b"\xef\xbb\xbfa robin\n")
    assert reference.reference_captions(1, 0, tmp_path) == ["a robin"]


# --- pixels -------------------------------------------------------------------------------------------------------

RAMP = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))


@pytest.mark.parametrize("suffix", ["png", "tif", "jp2", "pgm"])
def test_sixteen_bits_are_scaled_to_eight(suffix, tmp_path):
    path = tmp_path / f"ramp.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 256 4 65535\n" + RAMP.astype(">u2").tobytes())
    else:
        Image.fromarray(RAMP).save(path)
    pixels, changes = opened(path)
    assert pixels.shape == (4, 256, 3) and abs(pixels.mean() - 127.5) < 0.1 and changes == [own.SCALED]
    assert (np.diff(pixels[0, :, 0].astype(int)) == 1).all()


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_without_a_white_are_refused(kind, tmp_path):
    Image.fromarray(RAMP.astype(kind)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif cannot be decoded .*save it with 8 or 16 bits"):
        opened(tmp_path / "x.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_phone_pictures_are_turned_upright(orientation, suffix, tmp_path):
    """Against the eight meanings of EXIF's orientation, written out with numpy; grey TIFFs too."""
    upright = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright.T[::-1, ::-1], 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[own.ORIENTATION] = orientation
    settings = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"x.{suffix}", exif=exif, **settings)
    pixels, changes = opened(tmp_path / f"x.{suffix}")
    assert np.array_equal(pixels[..., 0], upright) and changes == ([own.TURNED] if orientation > 1 else [])


def test_turned_and_of_sixteen_bits(tmp_path):
    exif = Image.Exif()
    exif[own.ORIENTATION] = 6
    for suffix in ("png", "tif"):
        Image.fromarray(RAMP).save(tmp_path / f"x.{suffix}", exif=exif)
        pixels, changes = opened(tmp_path / f"x.{suffix}")
        assert pixels.shape == (256, 4, 3) and set(changes) == {own.SCALED, own.TURNED}
        assert (np.diff(pixels[:, 0, 0].astype(int)) == 1).all()


def test_published_pictures_stay_as_torchvision_has_them(tmp_path):
    from gift_lib.data.records import Files

    exif = Image.Exif()
    exif[own.ORIENTATION] = 6
    Image.new("RGB", (9, 6), "red").save(tmp_path / "x.jpg", exif=exif)
    assert Files(tmp_path, ["x.jpg"]).open(0).size == (9, 6) and opened(tmp_path / "x.jpg")[0].shape == (9, 6, 3)


def test_transparent_parts_are_white_and_animations_their_first_frame(tmp_path):
    clear, red = Image.new("RGBA", (6, 6), (0, 0, 0, 0)), Image.new("RGB", (6, 6), "red")
    clear.save(tmp_path / "x.png")
    assert opened(tmp_path / "x.png")[1] == [own.ON_WHITE] and (opened(tmp_path / "x.png")[0] == 255).all()
    Image.new("RGBA", (6, 6), "red").save(tmp_path / "opaque.png")
    assert opened(tmp_path / "opaque.png")[1] == []
    red.save(tmp_path / "x.gif", save_all=True, append_images=[Image.new("RGB", (6, 6), "blue")])
    pixels, changes = opened(tmp_path / "x.gif")
    assert changes == [own.FIRST] and (pixels[..., 0] > 250).all()


def test_what_was_changed_is_counted_and_said_once_decoded(tmp_path, capsys):
    fill(tmp_path / "birds", "robin", "wren", n=5)
    for i in range(3):
        Image.fromarray(RAMP).save(tmp_path / "birds" / "robin" / f"{i}.png")
    task = folder.task(tmp_path / "birds", cache_dir=tmp_path / "cache", size=8)
    assert "2 classes, 8 train and 2 test pictures" in capsys.readouterr().out
    changed = [len(s) for s in (task.train, task.test)]
    out = capsys.readouterr().out
    assert changed == [8, 2] and out.count(own.SCALED) >= 1
    said = [int(line.split(" pictures, ")[1].split()[0]) for line in out.splitlines() if own.SCALED in line]
    assert sum(said) == 3
    assert len(folder.task(tmp_path / "birds", cache_dir=tmp_path / "cache", size=8).train) == 8
    again = capsys.readouterr().out
    assert own.SCALED in again, "said again when the decoded pictures are used"


# --- links and odd names ------------------------------------------------------------------------------------------


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    fill(tmp_path / "more", "robins", n=3)
    root = tmp_path / "birds"
    fill(root, "robin", "wren")
    (root / "robin" / "others").symlink_to(tmp_path / "more" / "robins")
    (root / "robin" / "again").symlink_to(tmp_path / "more" / "robins")
    (root / "wren" / "up").symlink_to(root / "wren")
    (root / "owl").symlink_to(tmp_path / "more" / "robins")
    start = time.monotonic()
    found = layout.read(root)
    assert time.monotonic() - start < 10 and found.classes == ("owl", "robin", "wren")
    assert [a + b for a, b in zip(found.counts("train"), found.counts("test"), strict=True)] == [3, 5, 2]
    assert "2 links to a folder that is read already" in str(found) and "stand under two classes" in str(found)


def test_a_split_that_is_another_by_a_link_is_said(tmp_path):
    splits(tmp_path / "birds", "train")
    (tmp_path / "birds" / "test").symlink_to(tmp_path / "birds" / "train")
    assert "4 files stand in two splits, by links" in str(layout.read(tmp_path / "birds"))


@pytest.mark.parametrize(("name", "target"), [("x.jpg", "nowhere"), ("gone", "nowhere"), ("x.png", "x.png")])
def test_a_link_that_leads_nowhere(name, target, tmp_path):
    fill(tmp_path, "robin", "wren")
    (tmp_path / "robin" / name).unlink(missing_ok=True)
    (tmp_path / "robin" / name).symlink_to(target)
    with pytest.raises(DataError, match=f"{name} is a link to {target}, which is not there. Delete the link"):
        layout.read(tmp_path)


def test_names_that_are_no_utf8(tmp_path):
    fill(tmp_path / "birds", "robin", "wren")
    raw = os.fsencode(tmp_path / "birds" / "robin") + b"/sp\xe4tzchen.png"
    with open(raw, "wb") as file:
        Image.new("RGB", (9, 9)).save(file, "PNG")
    task = folder.task(tmp_path / "birds", cache_dir=tmp_path / "cache", size=8, progress=False)
    assert len(task.train) + len(task.test) == 5
    with open(raw, "wb") as file:
        file.write(b"no picture")
    again = folder.task(tmp_path / "birds", cache_dir=tmp_path / "cache", size=8, progress=False)
    with pytest.raises(DataError, match=r"sp\\xe4tzchen\.png cannot be decoded"):
        _ = again.train, again.test
    os.mkdir(os.fsencode(tmp_path / "birds") + b"/M\xf6we")
    with pytest.raises(DataError, match=r"M\\xf6we has a name that is no UTF-8.*Rename it"):
        layout.read(tmp_path / "birds")


def test_a_folder_and_a_pipe_called_pictures(tmp_path):
    fill(tmp_path, "robin", "wren", "wren/x.jpg")
    found = layout.read(tmp_path)
    assert found.counts("train")[1] + found.counts("test")[1] == 4
    os.mkfifo(tmp_path / "robin" / "y.jpg")
    with pytest.raises(DataError, match=r"y\.jpg is called a picture but is no file"):
        layout.read(tmp_path)


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    fill(tmp_path, "robin", "wren")
    monkeypatch.setattr(tree.os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        layout.read(tmp_path)


# --- rare classes, remedies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 10, 11])
def test_the_drawn_split_has_every_class_on_both_sides(n, tmp_path):
    fill(tmp_path, "common", n=40)
    fill(tmp_path, "rare", n=n)
    train, test = (layout.read(tmp_path).counts(s) for s in ("train", "test"))
    assert [train[0], test[0]] == [32, 8] and train[1] + test[1] == n and test[1] == max(1, round(0.2 * n))
    again = layout.read(tmp_path)
    assert again.records["test"].digest == layout.read(tmp_path).records["test"].digest


def test_classes_without_test_pictures_are_said(tmp_path):
    fill(tmp_path / "drawn", "robin", "wren", n=4)
    fill(tmp_path / "drawn", "owl", n=1)
    assert "1 classes have no test picture (owl)" in str(layout.read(tmp_path / "drawn"))
    splits(tmp_path / "given", "train", "test", classes=("robin", "wren", "owl"))
    for path in (tmp_path / "given" / "test" / "owl").iterdir():
        path.unlink()
    (tmp_path / "given" / "test" / "owl").rmdir()
    assert "1 classes have no test picture (owl)" in str(layout.read(tmp_path / "given"))


@pytest.mark.parametrize("data", [b"", b"no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_remedies_fit_ones_own_pictures(data, tmp_path):
    fill(tmp_path, "robin", "wren")
    for i in range(2):
        (tmp_path / "robin" / f"{i}.png").write_bytes(data)
    with pytest.raises(
        DataError,
        match=r"cannot be decoded \(it is no picture of a known format\). Put a whole copy of it there, or delete it",
    ) as error:
        _ = folder.task(tmp_path, cache_dir=tmp_path / "cache", size=8, progress=False).train
    assert "archive" not in str(error.value)


def test_a_file_that_went_away_after_the_look(tmp_path):
    fill(tmp_path, "robin", "wren")
    task = folder.task(tmp_path, cache_dir=tmp_path / "cache", size=8, progress=False)
    for i in range(2):
        (tmp_path / "robin" / f"{i}.png").unlink()
    with pytest.raises(DataError, match=r"listed but does not exist\. Put a whole copy"):
        _ = task.train


def test_only_named_formats_are_tried(tmp_path, monkeypatch):
    """A marker format of our own stands for all that Pillow knows beside: a file of it is never opened."""
    asked = []
    Image.register_open("MARKER", lambda *a: asked.append(a), lambda prefix: prefix.startswith(b"MARKER"))
    monkeypatch.setattr(Image, "ID", [*Image.ID])
    try:
        for open_one in (opened, opened_as_published):
            (tmp_path / "x.png").write_bytes(b"MARKER of a format")
            with pytest.raises(DataError, match="no picture of a known format"):
                open_one(tmp_path / "x.png")
        assert not asked
    finally:
        Image.OPEN.pop("MARKER")
        Image.ID[:] = [i for i in Image.ID if i != "MARKER"]


def opened_as_published(path):
    from gift_lib.data.records import Files

    return Files(path.parent, [path.name]).open(0)


def test_crops_of_ones_own_pictures_are_upright_too(tmp_path):
    from gift_lib.data.cache import train_view
    from gift_lib.data.transforms import Preprocess

    exif = Image.Exif()
    exif[own.ORIENTATION] = 3
    fill(tmp_path / "birds", "robin", "wren")
    for name in ("robin", "wren"):
        for i in range(2):
            image = Image.new("RGB", (30, 20), "black")
            image.paste("white", (0, 10, 30, 20))  # white above, when upright
            image.save(tmp_path / "birds" / name / f"{i}.png", exif=exif)
    task = folder.task(tmp_path / "birds", cache_dir=tmp_path / "cache", size=16, progress=False)
    view = train_view(
        task.train.images, torch.tensor([0, 1]), Preprocess(16, (0.0,) * 3, (1.0,) * 3), torch.Generator()
    )
    assert (view[:, :, :4] > 0.9).all() and (view[:, :, -4:] < 0.1).all()
