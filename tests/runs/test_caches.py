"""One place for everything that is kept: listed with sizes, cleared by kind."""

import fcntl
import types

import pytest

from gift_lib import checkpoint
from gift_lib.data import cache, decode, download
from gift_lib.errors import DataError, GiftError
from gift_lib.files import write_json
from gift_lib.runs import batch, caches


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache with something of every kind."""
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GIFT_DATA", raising=False)
    monkeypatch.delenv("GIFT_DECODED", raising=False)
    for path in (
        "mini/0123456789abcdef/animals-train.safetensors", "images/00112233445566ff/ab/x.png",
        "images/DTD/train-224/00000.bin", "runs/abc/state.safetensors", "models/abc/01.safetensors",
        "downloads/dtd/x.jpg", "downloads/mine/y.jpg",
    ):  # fmt: skip
        file = tmp_path / "cache" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(b"12345")
    write_json(tmp_path / "cache" / "downloads" / download.FETCHED, ["dtd", "../mini", "gone"])
    return tmp_path / "cache"


def test_everything_is_listed_once_by_kind(place, capsys):
    found = [(e.kind, e.path.relative_to(place).as_posix(), e.files, e.bytes) for e in caches.entries()]
    assert found == [
        ("rendered", "mini/0123456789abcdef", 1, 5), ("pictures", "images/00112233445566ff", 1, 5),
        ("decoded", "images/DTD", 1, 5), ("runs", "runs/abc", 1, 5), ("models", "models/abc", 1, 5),
        ("originals", "downloads/dtd", 1, 5),
    ]  # fmt: skip
    assert caches.main([]) == 0
    out = capsys.readouterr().out
    assert str(place) in out and all(kind in out for kind in caches.KINDS)


def test_the_hubs_cache_is_listed_beside(place, capsys):
    blob = place / "hub" / "models--a--b" / "blobs" / "0"
    snapshot = place / "hub" / "models--a--b" / "snapshots" / ("1" * 40)
    for folder in (blob.parent, snapshot):
        folder.mkdir(parents=True)
    blob.write_bytes(b"123")
    (snapshot / "x.bin").symlink_to(blob)
    assert caches.hub_bytes(place / "hub") == 3 and caches.hub_bytes(place / "nowhere") == 0
    caches.show()
    assert "`hf cache` lists and clears it" in capsys.readouterr().out


def test_an_empty_cache_is_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "nowhere"))
    assert caches.main(["list"]) == 0 and "0.0 MB" in capsys.readouterr().out


def test_clear_removes_what_is_named_and_nothing_else(place, capsys):
    assert caches.main(["clear", "pictures"]) == 0
    assert "pictures: 0.0 MB freed" in capsys.readouterr().out
    assert [e.kind for e in caches.entries()] == ["rendered", "decoded", "runs", "models", "originals"]


def test_what_says_that_pictures_are_there_goes_with_them(place):
    mark = batch.drawn("cuda:1", "0" * 16)
    assert mark == place / "drawn" / f"cuda-{'0' * 16}.json"
    write_json(mark, {})
    assert [e.path.name for e in caches.clear(["decoded"])] == ["DTD"]
    assert mark.exists()
    assert [e.path.name for e in caches.clear(["pictures"])] == ["00112233445566ff", "drawn"]
    assert not mark.exists()


def test_all_leaves_the_originals(place):
    assert caches.main(["clear", "--all"]) == 0
    assert [e.kind for e in caches.entries()] == ["originals"]
    assert caches.main(["clear", "originals", "--yes"]) == 0
    assert list(caches.entries()) == []
    assert (place / "downloads" / "mine" / "y.jpg").exists(), "what somebody else put there stays"


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("", 1), ("y", 0), ("YES", 0)])
def test_originals_are_shown_and_asked_for(answer, left, place, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert caches.main(["clear", "originals"]) == left
    assert "1 files" in capsys.readouterr().out and len(list(caches.entries(["originals"]))) == left


def test_where_nobody_can_be_asked_nothing_is_removed(place, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(isatty=lambda: False))
    assert caches.main(["clear", "originals"]) == 1 and "say --yes" in capsys.readouterr().err
    assert (place / "downloads" / "dtd" / "x.jpg").exists()


def test_folders_that_are_not_the_librarys_are_neither_listed_nor_cleared(place, tmp_path, monkeypatch):
    """GIFT_CACHE may be a home folder with `runs`, `images` and `mini` of its owner's."""
    own = [
        place / p
        for p in (
            "runs/thesis/main.tex",
            "models/clip/01.pt",
            "images/holidays/1.jpg",
            "images/DTD2/raw/x.bin",
            "mini/car.txt",
        )
    ]
    own.append(place / "mini" / "cooper" / "x.jpg")
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    assert caches.main(["clear", "--all"]) == 0 and all(p.exists() for p in own)
    with pytest.raises(DataError, match="files that this library did not write"):
        cache.clear("DTD2", place)


def test_what_is_being_decoded_stays(place):
    with decode.alone(place / "images" / "DTD" / "train-224"):
        assert list(caches.clear(["decoded"])) == []
        with pytest.raises(DataError, match=r"decodes into .*DTD at this moment"):
            cache.clear("DTD", place)
    assert [e.path.name for e in caches.clear(["decoded"])] == ["DTD"]


def test_a_run_at_work_stays(place):
    with open(place / "runs" / "abc" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert list(caches.clear(["runs"])) == []
    assert [e.path.name for e in caches.clear(["runs"])] == ["abc"]


def test_decoded_images_may_lie_elsewhere(place, tmp_path, monkeypatch):
    monkeypatch.setenv("GIFT_DECODED", str(tmp_path / "fast"))
    (tmp_path / "fast" / "images" / "Food" / "test-224").mkdir(parents=True)
    assert [e.path.name for e in caches.entries(["decoded"])] == ["DTD", "Food"]


def test_bad_names_are_one_clear_error(place, capsys):
    assert caches.main(["clear"]) == 1 and caches.main(["clear", "picture"]) == 1
    err = capsys.readouterr().err
    assert "name what to clear" in err and "did you mean 'pictures'" in err


# --- a drive that cannot lock (Google Drive in Colab) -------------------------------------------------------------


def test_a_drive_without_locks_is_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with checkpoint.workplace(tmp_path / "run") as folder:
        assert folder.is_dir()
    assert "start no second process" in caplog.text and not folder.exists()


def test_a_second_process_is_still_refused(tmp_path):
    with checkpoint.workplace(tmp_path / "run"), pytest.raises(GiftError, match="another process"):  # noqa: SIM117
        with checkpoint.workplace(tmp_path / "run"):
            pass
