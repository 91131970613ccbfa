"""Atomic writes and digests."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gift_lib import files
from gift_lib.errors import ConfigError, DataError


def test_atomic_write_replaces_whole_files_only(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    with pytest.raises(RuntimeError), files.atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_full_disk_is_one_clear_error_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})

    def no_space(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DataError, match=r"No space left.*run the same command again"):
        files.write_json(path, {"x": 2})
    monkeypatch.undo()
    assert files.read_json(path) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path):
    path = tmp_path / "a.json"
    code = (
        "import os, signal, sys; from pathlib import Path; from gift_lib.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert len(os.listdir(tmp_path)) == 1, "the kill left its temporary file"
    files.write_json(path, 1)
    assert os.listdir(tmp_path) == ["a.json"]


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        files.make_folder(tmp_path / "file" / "sub")


def test_missing_and_broken_json(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        files.read_json(tmp_path / "no.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(DataError, match="make it again"):
        files.read_json(tmp_path / "half.json")


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert os.listdir(tmp_path) == []


def test_digests(tmp_path):
    assert files.digest({"b": 1, "a": 2}) == files.digest({"a": 2, "b": 1}) != files.digest({"a": 2, "b": 2})
    (tmp_path / "x").write_bytes(b"abc")
    assert files.file_digest(tmp_path / "x") == files.digest(b"abc") == "ba7816bf8f01cfea"


def test_cache_root_is_one_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path))
    assert files.cache_root() == tmp_path


def test_a_lock_is_held_while_a_process_has_it(tmp_path):
    path = tmp_path / "lock"
    assert not files.held(path), "there is none"
    with open(path, "w") as mine:
        assert files.locks(mine) and files.held(path)
        with open(path, "r+") as other:
            assert not files.locks(other)
    assert not files.held(path), "who closes it gives it back"
    assert not files.held(tmp_path), "a folder is no lock"


@pytest.mark.parametrize("name", ["GIFT_CACHE", "GIFT_DATA", "GIFT_DECODED"])
def test_a_home_folder_that_nobody_has_is_one_clear_error(monkeypatch, name):
    from gift_lib.data.cache import images_root
    from gift_lib.data.mtil import data_root

    monkeypatch.setenv(name, "~no-such-user/x")
    ask = {"GIFT_CACHE": files.cache_root, "GIFT_DATA": data_root, "GIFT_DECODED": images_root}[name]
    with pytest.raises(ConfigError, match=r"~no-such-user/x: there is no such home folder\. Give the whole path"):
        ask()


def test_without_home_the_cache_must_be_named(monkeypatch, tmp_path):
    """HOME unset, and a user whom the system does not know, as in some containers."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("GIFT_CACHE", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(ConfigError, match=r"~/\.cache/gift: there is no such home folder"):
        files.cache_root()
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path))
    assert files.cache_root() == tmp_path


# --- home folders -------------------------------------------------------------------------------------------------


def test_a_tilde_is_the_home_folder_wherever_a_path_is_given(tmp_path, monkeypatch):
    from gift_lib import clip, pictures, results
    from gift_lib.data import mtil
    from gift_lib.generation import pipeline
    from gift_lib.runs import published

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIFT_BOOK", "~/book")
    files.write_json("~/x/a.json", {"a": 1})
    assert files.read_json("~/x/a.json") == {"a": 1} and (tmp_path / "x" / "a.json").exists()
    assert files.make_folder("~/y") == tmp_path / "y" and published.book_folder() == tmp_path / "book"
    assert results._path("~/r", "mini", "gift", "I", 0, "k").parent == tmp_path / "r" / "mini"
    assert results.read_all("~/r") == [] and mtil.data_root("~/d") == tmp_path / "d"
    files.write_json("~/p/model_index.json", {})
    assert pipeline.find_pipeline("~/p") == tmp_path / "p"
    sampler = pictures.Sampler(20, 7.5, "ddim", 8, 32, "w")
    assert pictures.PictureCache(Path("~/c"), sampler).folder.parent == tmp_path / "c" / "images"
    shutil.copytree(clip.loading.WEIGHTS / "clip", tmp_path / "my clip")
    shutil.copytree(clip.loading.WEIGHTS / "tokenizer", tmp_path / "tokenizer")
    assert clip.load("~/my clip").digest == clip.weights_digest("~/my clip") == clip.weights_digest("mini")
