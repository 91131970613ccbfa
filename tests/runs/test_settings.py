"""The table of all settings follows the code: every field has a meaning, a value at each scale, and a reader."""

from dataclasses import fields

from gift_lib.config import SCALES, Experiment
from gift_lib.runs import settings


def test_every_setting_has_a_meaning_and_a_reader():
    table = settings.table()
    assert list(table.index) == [f.name for f in fields(Experiment)]
    assert (table["meaning"].str.len() > 10).all() and (table["read by"] != "").all()


def test_values_are_the_presets():
    table = settings.table()
    for scale, preset in SCALES.items():
        assert table.at["steps", scale] == str(preset.steps) and table.at["beta", scale] == f"{preset.beta:g}"
    assert table.at["awc_normalise", "mini"] == "yes" and table.at["synthetic_seed", "mini"] == ""
    assert table.at["lr_per_task", "paper"] == "Aircraft: 5e-05, MNIST: 5e-05"


def test_readers_are_found_under_every_name_of_a_setting():
    read = settings.readers()
    assert "methods.gift" in read["temperature"] and "methods.base" in read["lr"], "through Experiment.lr_of"
    assert "pool" in read["synthetic_seed"], "through Experiment.pictures_seed"
    assert not any(m.startswith(("book", "runs", "world")) for modules in read.values() for m in modules)


def test_choices_are_named_where_they_are_few():
    said = settings.meanings()
    assert "One of awc, none, l2, fisher." in said["consolidation"] and "One of" not in said["lr"]
