"""A look at a folder before anything is trained: what it would become, in text and as a contact sheet."""

import numpy as np
from layouts import save, text
from PIL import Image
from test_own_pictures import RAMP, fill

from gift_lib.data import layout, look, own
from gift_lib.data.__main__ import main


def test_a_look_shows_classes_counts_changes_and_pictures(tmp_path, capsys):
    root = tmp_path / "birds"
    fill(root, "0", "1", "10", "2", n=5)
    Image.fromarray(RAMP).save(root / "0" / "0.png")
    text(root / "classes.txt", "robin", "house sparrow", "owl", "wren")
    (root / "1" / "._0.png").write_bytes(b"Mac OS X")
    sheet = tmp_path / "sheet.png"
    assert main(["look", str(root), "--template", "a {c}, a bird.", "--sheet", str(sheet)]) == 0
    out = capsys.readouterr().out
    for said in (
        "4 classes, 16 train and 4 test pictures", "80% and the rest of each class, with seed 42", "1 that computers",
        "in this order: 0, 1, ..., 10", 'prompt: "a robin, a bird."', f"1 {own.SCALED}", "20 pictures decoded",
        "shorter sides 4 to 10 pixels",
    ):  # fmt: skip
        assert said in out
    rows = [line.split() for line in out.splitlines()]
    assert ["class", "folder", "train", "test"] in rows and ["house", "sparrow", "1", "4", "1"] in rows
    assert ["wren", "10", "4", "1"] in rows
    assert not list(root.rglob("*.bin")), "nothing is decoded into a cache"
    with Image.open(sheet) as page:
        assert page.size == (look.NAME + look.ACROSS * (look.SIDE + look.GAP), 4 * (look.SIDE + look.GAP) + look.GAP)


def test_the_sheets_rows_are_the_classes_pictures(tmp_path):
    for name, colour in (("red", (250, 0, 0)), ("blue", (0, 0, 250))):
        for i in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("RGB", (40, 30), colour).save(tmp_path / name / f"{i}.png")
    page = np.asarray(look.sheet(layout.read(tmp_path)))
    left = look.NAME + look.SIDE // 2
    tops = [look.GAP + k * (look.SIDE + look.GAP) + look.SIDE // 2 for k in range(2)]
    assert [page[t, left].tolist() for t in tops] == [[0, 0, 250], [250, 0, 0]]


def test_broken_pictures_are_counted_and_named_and_no_sheet_is_written(tmp_path, capsys):
    fill(tmp_path / "birds", "robin", "wren")
    (tmp_path / "birds" / "robin" / "0.png").write_bytes(b"no picture")
    save(tmp_path / "birds" / "wren" / "2.jpg", 3, (60, 50))
    whole = (tmp_path / "birds" / "wren" / "2.jpg").read_bytes()
    (tmp_path / "birds" / "wren" / "2.jpg").write_bytes(whole[: len(whole) // 2])
    assert main(["look", str(tmp_path / "birds"), "--sheet", str(tmp_path / "x.png")]) == 1
    out = capsys.readouterr().out
    assert "2 CANNOT BE DECODED" in out and "robin/0.png" in out and "wren/2.jpg" in out
    assert not (tmp_path / "x.png").exists()


def test_looks_that_are_no_looks(tmp_path, capsys, monkeypatch):
    fill(tmp_path / "birds", "robin", "wren")
    assert main(["look", str(tmp_path / "nowhere")]) == 1
    assert main(["look", str(tmp_path / "birds"), "--sheet", "x.docx"]) == 1
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["look", "~/birds", "--sheet", "~/x.jpg"]) == 0 and (tmp_path / "x.jpg").exists()
    err = capsys.readouterr().err
    assert "is no folder" in err and "end it in one of .png" in err
