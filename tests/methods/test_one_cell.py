"""The page that does GIFT in one cell of plain PyTorch: its checks against the library hold at other settings too."""

import json

import pytest

from gift_lib.config import SCALES, experiment
from gift_lib.methods.gift import Gift
from gift_lib.runs.repository import ROOT
from gift_lib.world.settings import RUNS


@pytest.mark.parametrize("world", RUNS)
def test_the_cell_gives_the_librarys_numbers(world, capsys, monkeypatch):
    settings = {"seed": 1000, "task_name": "digits", "steps": 4, "images_per_task": 8}
    monkeypatch.setitem(SCALES, "mini", experiment(**RUNS[world]))
    page = json.loads((ROOT / "notebooks" / "gift_in_one_cell.ipynb").read_text(encoding="utf-8"))
    cells = [c for c in page["cells"] if c["cell_type"] == "code"]
    code = ["".join(c["source"]) for c in cells if "parameters" not in c["metadata"].get("tags", ()) and c != cells[0]]
    space = dict(settings)
    for cell in code:  # the page's asserts compare every loss and the accuracy
        exec(compile(cell, "gift_in_one_cell", "exec"), space)
    assert len(space["curves"]) == settings["steps"] and "library" in capsys.readouterr().out
    assert Gift.__module__ not in {getattr(v, "__module__", "") for v in space.values()}, "plain PyTorch only"
