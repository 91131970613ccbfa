"""What the benchmarks print and keep. Their measurements are no tests: `make bench`."""

import contextlib
import dataclasses
import json

import pytest

from gift_lib.files import read_json
from tests.benchmarks import __main__ as bench
from tests.benchmarks import against, timing


def test_a_table_is_kept_under_its_own_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(timing, "OUTPUT", tmp_path)
    row = timing.compare("a step", "step", lambda: None, lambda: None, pairs=3)
    row.facts["operations per step"] = 12.0
    timing.report("step", [row], "cpu")
    assert [p.name for p in tmp_path.iterdir()] == ["step.json"]
    kept = read_json(tmp_path / "step.json")
    assert kept["rows"][0]["name"] == "a step"
    assert kept["rows"][0]["pairs"] == 3
    assert "operations per step: 12" in capsys.readouterr().out


def test_the_speed_up_is_the_median_ratio_and_what_is_spread_over_steps_counts(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(timing, "CLOCK", [lambda: float(next(clock))])  # every call takes one second
    row = timing.compare("x", "step", lambda: None, lambda: None, pairs=5, extra=0.25)
    assert (row.plain, row.ours) == (1.0, 1.25)
    assert row.speedup == pytest.approx(0.8)


def test_a_model_is_cut_down_to_the_memory_that_is_there(monkeypatch):
    depths = []
    for gigabytes in (4, 8, 16, 64):
        monkeypatch.setattr(bench, "available_memory", lambda g=gigabytes: g * 10**9)
        depths.append(bench.depth_that_fits(12, 397, "cpu"))
    assert depths == sorted(depths)
    assert depths[0] >= 1
    assert depths[-1] == 12


def test_available_memory_is_a_part_of_the_machine():
    assert 10**8 < bench.available_memory() < 10**13


def test_two_revisions_are_compared_within_pairs():
    row = against.row("step", [(3.0, 1.0), (2.0, 1.0), (8.0, 2.0)])
    assert (row.old, row.new, row.ratio, row.spread, row.pairs) == (3.0, 1.0, 3.0, (2.0, 4.0), 3)
    assert "3.00x" in against.line(row) and "3000.0" in against.line(row)


def test_what_takes_time_is_told_by_kind():
    shares = {"aten::mm": 0.5, "aten::bmm": 0.1, "aten::native_layer_norm": 0.1, "aten::linalg_vector_norm": 0.1,
              "aten::mkldnn_convolution": 0.1, "aten::add": 0.1}  # fmt: skip
    parts = against.grouped(10.0, shares)
    kinds = ("products", "attention", "norms", "optimiser and penalty", "convolutions", "the rest")
    assert [parts[k] for k in kinds] == [5.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert sum(parts.values()) == 10.0


@pytest.mark.parametrize(("words", "kept"), [
    ([], {"against", "profile"}), (["--only", "engine", "memory"], {"against"}), (["--profile"], {"profile"}),
])  # fmt: skip
def test_a_comparison_keeps_its_table_and_its_profile(tmp_path, monkeypatch, words, kept):
    row = against.row("x", [(2.0, 1.0)])
    monkeypatch.setattr(against, "OUTPUT", tmp_path)
    monkeypatch.setattr(against, "compare", lambda name, *_: dataclasses.replace(row, name=name))
    monkeypatch.setattr(against, "_alone", lambda *_: json.dumps({"ms": 10.0, "shares": {"aten::mm": 1.0}}))
    monkeypatch.setattr(against, "checkout", lambda revision: contextlib.nullcontext(tmp_path))
    against.main(["old", *words])
    found = {p.stem: read_json(p) for p in tmp_path.iterdir()}
    assert set(found) == kept
    if "against" in kept:
        assert [r["name"] for r in found["against"]["compared"]] == (words[1:] or against.NAMES)
    if "profile" in kept:
        assert found["profile"]["milliseconds"]["picture"]["now"]["products"] == 10.0


def test_steps_runs_and_memory_are_all_compared():
    steps = {f"step {m}" for m in ("gift", "lwf", "zscl", "icarl", "moe-adapter")}
    whole = {"import", "zero-shot run", "gift run", "job", "engine", "memory", "evaluation", "picture",
             "vit 100", "vit 397"}  # fmt: skip
    assert steps | whole <= set(against.NAMES)


def test_a_revision_that_is_not_there_is_one_clear_error():
    with pytest.raises(SystemExit, match="no revision 'nowhere'"), against.checkout("nowhere"):
        pass


def test_rows_measured_before_stay_where_revision_and_machine_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(against, "OUTPUT", tmp_path)
    monkeypatch.setattr(against, "compare", lambda name, *_: dataclasses.replace(row, name=name))
    row = against.row("x", [(2.0, 1.0)])
    against.table("abc", tmp_path, ["memory", "picture"], 1)
    row = against.row("x", [(9.0, 1.0)])
    against.table("abc", tmp_path, ["memory", "import"], 1)
    ratios = {r["name"]: r["ratio"] for r in read_json(tmp_path / "against.json")["compared"]}
    assert ratios == {"picture": 2.0, "import": 9.0, "memory": 9.0}
    against.table("def", tmp_path, ["import"], 1)
    assert [r["name"] for r in read_json(tmp_path / "against.json")["compared"]] == ["import"], "another revision"
