"""The check to run first: the untouched model beside the published row."""

import pandas as pd
import pytest
from fixtures_methods import tiny_clip, tiny_task, world

from gift_lib import training
from gift_lib.config import experiment
from gift_lib.runs import zero_shot
from gift_lib.tasks import ORDERS
from gift_lib.training import Runtime

__all__ = ["world"]


def test_the_published_row():
    row = zero_shot.published_row()
    assert set(row) == set(ORDERS["I"]) and (row["Aircraft"], row["SUN397"]) == (24.3, 65.2)
    assert sum(row.values()) / 11 == pytest.approx(65.3, abs=0.06)


def test_ours_beside_the_published(monkeypatch):
    ours = pd.Series({"DTD": 45.0, "mine": 80.0})
    table = zero_shot.beside_published(ours)
    assert table.loc["DTD", "difference"] == pytest.approx(45.0 - zero_shot.published_row()["DTD"], abs=0.06)
    assert pd.isna(table.loc["mine", "published"]) and pd.isna(table.loc["mean", "published"])
    assert table.loc["mean", "ours"] == 62.5


def test_every_task_is_evaluated_through_predict(world, monkeypatch):
    monkeypatch.setattr(training, "load_clip", tiny_clip)
    found = zero_shot.zero_shot(experiment(method="gift"), Runtime(progress=False))
    assert list(found.index) == [tiny_task(k).name for k in range(3)] and found.between(0, 100).all()


def test_the_command(world, monkeypatch, capsys):
    monkeypatch.setattr(training, "load_clip", tiny_clip)
    assert zero_shot.main(["--scale", "mini"]) == 0
    assert "task2" in capsys.readouterr().out


def test_missing_data_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path))
    monkeypatch.setenv("GIFT_SOURCES", "Aircraft=files")  # nothing is downloaded
    monkeypatch.setattr(training, "load_clip", tiny_clip)
    assert zero_shot.main(["--scale", "paper", "--data", str(tmp_path / "nowhere")]) == 2
    err = capsys.readouterr().err
    assert "Get Aircraft" in err and len(err.strip().splitlines()) < 4


def test_without_a_clone_ours_stand_alone(monkeypatch, tmp_path, capsys):
    """In Colab the library is installed by itself: accuracies that took minutes are not thrown away."""
    monkeypatch.setattr(zero_shot, "zero_shot", lambda *_: pd.Series({"DTD": 44.61}))
    monkeypatch.setenv("GIFT_BOOK", str(tmp_path))
    assert zero_shot.main(["--scale", "colab"]) == 0
    told = capsys.readouterr()
    assert "44.6" in told.out and "published" not in told.out and "Ours alone" in told.err
