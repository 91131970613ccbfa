"""The parts that pages share: with records, with some and with none."""

import pytest
from fixtures_records import frame, record, sweep_records
from IPython.display import Markdown
from matplotlib.figure import Figure

from gift_lib import losses, results
from gift_lib.book import pages
from gift_lib.config import experiment, from_dict
from gift_lib.evidence import tables
from gift_lib.generation import pipeline
from gift_lib.runs import batch, sweeps

PARTS = {
    "table": ("I",), "per_task": ("table1", "Last"), "ranking": ("I",),
    "matrix": ("table1", "GIFT"), "points": ("ablation-loss",), "transfer_last": ("I",), "evidence": ("table1",),
    "curve": ("ablation-images", "images_per_task", "images"),
    "per_task_difference": ("ablation-images", "250", "125", "Forgetting"),
    "readings": ("ablation-loss",), "pairs": ("ablation-steps",), "tiles": ("table1", "Avg"),
}  # fmt: skip
FIGURES = ("matrix", "points", "transfer_last", "curve", "tiles")


@pytest.fixture
def some(monkeypatch):
    """Records of two methods and of parts of three ablations; GIFT's own are those of 20 steps with AWC, too."""
    levels = {"table1": {"GIFT": 60.0, "ZSCL": 55.0}, "ablation-loss": {"Contrastive": 50.0, "Image-only": 45.0},
              "ablation-images": {"125": 40.0, "250": 45.0},
              "ablation-steps": {"w/ AWC, 10 steps": 55.0}}  # fmt: skip
    kept = frame([r for name, level in levels.items() for r in sweep_records(name, level.get)])
    monkeypatch.setattr(pages, "records", lambda folder=None: kept)


@pytest.mark.parametrize("part", PARTS)
def test_without_records_a_page_says_which_command_makes_them(part, monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "records_folders", lambda: [tmp_path])
    shown = getattr(pages, part)(*PARTS[part])
    assert isinstance(shown, Markdown)
    sweep = "table1" if PARTS[part][0] == "I" else PARTS[part][0]
    assert f"make sweep NAME={sweep}" in shown.data


@pytest.mark.parametrize("part", PARTS)
def test_with_records_it_shows_them(part, some):
    shown = getattr(pages, part)(*PARTS[part])
    assert isinstance(shown, Figure if part in FIGURES else Markdown)
    if part == "table":
        assert "20 of 66 runs have records" in shown.data
        assert shown.data.count("\n| ") == 1 + 10 + 1 + 1  # a row per method; then one per difference; their heads


def test_a_sweep_without_a_default_shows_its_means(some, monkeypatch):
    kept = frame(sweep_records("own-world", lambda v: 60.0))
    monkeypatch.setattr(pages, "records", lambda folder=None: kept)
    assert [a.get_xlabel() for a in pages.points("own-world").axes] == ["Transfer (%)", "Avg (%)", "Last (%)"]


def test_folded_text_keeps_its_table_and_its_minus_signs():
    shown = pages.folded("All numbers", Markdown("| a |\n|---|\n| -1.0 |"), "then -2").data
    assert shown.startswith("<details><summary>All numbers</summary>\n\n| a |") and shown.endswith("\n\n</details>")
    assert "| \u22121.0 |\n\nthen \u22122" in shown


def test_source_is_the_function_as_it_stands():
    assert "def kd_rows(" in pages.source(losses.kd_rows).data


def test_all_standing_records_load_as_one_frame(monkeypatch, tmp_path):
    """Not those of other weights: their runs count as missing."""
    made = sweep_records("ablation-loss", {"Contrastive": 50.0, "Text-only": 40.0}.get)
    for r in made:
        e = from_dict(r["config"])
        now = batch.identity(e)
        other = now if e.distillation == "contrastive" else now | {"clip": "another"}
        results.write(results.Address(e, other).record(r["result"], r["run"]), tmp_path)
    monkeypatch.setattr(pages, "records_folders", lambda: [tmp_path])
    assert len(results.read_all(tmp_path)) == 10
    assert set(pages.records()["distillation"]) == {"contrastive"} and len(pages.records()) == 5


def test_a_record_that_is_in_two_folders_counts_once(monkeypatch, tmp_path):
    """As where an installed library brought it and a run in the current folder has made it again."""
    made = sweep_records("ablation-loss", {"Contrastive": 50.0, "Text-only": 40.0}.get)
    at = [results.Address(e := from_dict(r["config"]), batch.identity(e)) for r in made]
    now = [address.record(r["result"], r["run"]) for address, r in zip(at, made, strict=True)]
    for r in now:
        results.write(r, tmp_path / "shipped")
    for r in now[3:6]:
        results.write(r, tmp_path / "own")
    monkeypatch.setattr(pages, "records_folders", lambda: [tmp_path / name for name in ("shipped", "own", "none")])
    assert sorted(pages.records()["key"]) == sorted(r["key"] for r in now)


def test_records_whose_weights_are_not_here_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "early_folder", lambda: tmp_path / "none")
    batch._identity.cache_clear()
    made = record(experiment(pipeline="mini-early"))
    assert batch._may_stand(made) and not batch._may_stand(record(experiment()))
    assert batch._may_stand({**made, "identity": made["identity"] | {"numerics": 0}}), "with its age told"
    assert not batch._may_stand({**made, "identity": made["identity"] | {"numerics": 99}})


def test_pairs_are_differences_with_intervals(some):
    said = pages.pairs("ablation-steps").data
    assert "| w/ AWC, 10 steps less w/ AWC, 20 steps | \u22125.0\u00a0±\u00a0" in said and "w/o AWC" not in said


def test_few_settings_stand_beside_each_other_with_tasks_below(some):
    assert pages.per_task("ablation-images", "Last").data.startswith("| Last (%) | 125 | 250 |")
    assert pages.per_task("table1", "Last").data.startswith("| Last (%) | ZSCL | GIFT |")


def test_points_per_task_are_less_the_default_of_each_task(monkeypatch):
    kept = frame(sweep_records("ablation-images", {"125": 40.0, "1000": 50.0}.get, noise=3))
    monkeypatch.setattr(pages, "records", lambda folder=None: kept)
    figure = pages.per_task_points("ablation-images", "Last")
    tasks = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    means = tables.per_task(kept, sweeps.load("ablation-images"), "Last").drop(columns="mean")
    want = (means.loc["125"] - means.loc["1000"]).to_dict()
    (marks,) = (c.get_offsets().data for c in figure.axes[0].collections if len(c.get_offsets()))
    assert {tasks[int(y)]: float(x) for x, y in marks} == pytest.approx(want) and len(tasks) > 2
    assert figure.axes[0].get_title() == ""
    assert "make sweep NAME=own-pool" in pages.per_task_points("own-pool", "Last").data, (
        "the default alone gives no points"
    )


def test_claims_that_are_not_the_slides_stand_on_their_page(some):
    said = pages.claimed("Without task identity").data
    assert (
        said.startswith("- Where nobody tells the task")
        and "**No records yet.** Needs `make sweep NAME=later@2" in said
    )
    assert pages.claimed("no such part").data == ""


def test_records_are_read_again_only_where_a_file_changed(monkeypatch, tmp_path):
    made = sweep_records("ablation-loss", {"Contrastive": 50.0}.get)
    at = [results.Address(e := from_dict(r["config"]), batch.identity(e)) for r in made]
    now = [address.record(r["result"], r["run"]) for address, r in zip(at, made, strict=True)]
    monkeypatch.setattr(pages, "records_folders", lambda: [tmp_path])
    read, count = results.read, []
    monkeypatch.setattr(results, "read", lambda path: count.append(path) or read(path))
    for r in now[:2]:
        results.write(r, tmp_path)
    first = pages.records()
    first["method"] = "spoiled by a page"
    assert len(first) == 2 and set(pages.records()["method"]) == {"gift"} and len(count) == 2
    results.write(now[2], tmp_path)
    assert len(pages.records()) == 3 and len(count) == 5
    next(tmp_path.rglob(f"*{now[0]['key'][:4]}*.json")).unlink()
    assert len(pages.records()) == 2


def test_a_task_by_task_difference_has_its_interval_and_both_means(some):
    said = pages.per_task_difference("ablation-images", "250", "125", "Last").data
    first = said.splitlines()[2].split(" | ")
    assert said.startswith("| Last (%) | 250 | 125 | Δ | p |") and first[3].count("±") == 1 and first[1] > first[2]
