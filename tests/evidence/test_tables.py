"""Tables against numbers worked out from the records, published numbers against themselves, partial batches."""

import re

import numpy as np
import pandas as pd
import pytest
from fixtures_records import TASKS, frame, record, sweep_records
from scipy import stats

from gift_lib import intervals, metrics, results
from gift_lib.config import MINI, experiment
from gift_lib.errors import ConfigError, DataError
from gift_lib.evidence import tables
from gift_lib.runs import published, sweeps
from gift_lib.runs.repository import ROOT
from gift_lib.tasks import ORDERS

LEVELS = {"Zero-shot": 62.0, "Continual Finetune": 55.0, "l2 baseline": 60.0, "ZSCL": 68.0, "GIFT": 70.0}
EMPTY = pd.DataFrame()


@pytest.fixture(scope="module")
def table1():
    return frame(sweep_records("table1", LEVELS.get))


def of(data: pd.DataFrame, method: str, metric) -> dict[int, float]:
    return {r["config"]["seed"]: metric(r["result"]["R"]) for r in data["record"] if r["config"]["method"] == method}


# Published numbers


def test_published_per_dataset_rows_average_to_the_published_means():
    """Within rounding: 0.06. It holds for Transfer because the published form averages columns."""
    data, checked = published.load(), 0
    for (order, method), part in data[data["table"] == "per-dataset"].groupby(["order", "method"]):
        assert tuple(part["dataset"]) == ORDERS[order]
        if method == "upper-bound":
            continue
        for metric in published.METRICS:
            values = part[metric].dropna()
            if len(values):
                assert len(values) == (10 if metric == "Transfer" else 11)
                assert abs(values.mean() - published.main(order).loc[method, metric]) < 0.06 + 1e-9
                checked += 1
    assert checked == 25


def test_published_zero_shot_transfer_is_the_mean_without_the_first_task():
    zero = published.load().query("table == 'per-dataset' and method == 'zero-shot'").set_index("dataset")["Last"]
    for order, datasets in ORDERS.items():
        assert abs(zero[list(datasets[1:])].mean() - published.main(order).loc["zero-shot", "Transfer"]) < 0.06


def test_published_tables_show_the_printed_differences():
    shown = tables.published("table1")
    assert list(shown.index) == list(dict.fromkeys(published.TITLES.values()))[:10]
    assert shown.loc["GIFT"].tolist() == [69.3, 77.3, 86.0, 8.3, 14.6, 10.1]
    assert shown.loc["LwF", ["Δ Transfer", "Δ Avg", "Δ Last"]].tolist() == [-4.1, 2.0, -1.3]
    assert np.isnan(shown.loc["Zero-shot", "Δ Last"])
    assert tables.published("ablation-teacher").loc["WiSE(0.5)"].tolist() == [69.6, 75.3, 81.6]


def test_grey_rows_of_the_ablations_are_one_experiment():
    data = published.load()
    rows = data[data["row"].isin(["Contrastive", "Last CLIP", "beta=0.25", "1K, medium", "w/o AWC, 50 steps"])]
    digests = {
        published.experiment_of(r["method"], r["order"], **published.parse_settings(r["settings"])).digest
        for r in rows.to_dict("records")
    }
    assert len(rows) == 5 and len(digests) == 1
    assert rows[list(published.METRICS)].drop_duplicates().to_numpy().tolist() == [[68.9, 76.6, 85.0]]


def test_published_settings_keep_their_ratios_at_the_mini_scale():
    assert published.at_scale({"images_per_task": 3000, "denoising_steps": 25, "beta": 0.5}, "mini") == {
        "images_per_task": 3 * MINI.images_per_task, "denoising_steps": 10, "beta": 0.5,
    }  # fmt: skip
    assert published.at_scale({"images_per_task": 3000}, "paper") == {"images_per_task": 3000}
    assert published.at_scale({"images_per_task": 3000}, "mini", {"images_per_task": 120}) == {"images_per_task": 360}
    assert published.parse_settings("teacher=wise(0.2); beta=0.5") == {"teacher": "wise(0.2)", "beta": 0.5}


def test_every_sweep_of_a_published_table_has_all_its_rows():
    for name in sweeps.names():
        sweep = sweeps.load(name)
        if sweep.paper:
            order = sweep.cells[0].experiment.order
            assert set(tables.published_of(sweep)) == set(sweep.variants), name
            assert len(sweep.variants) == len(published.rows(sweep.paper, order)), name


@pytest.mark.parametrize("name", [n for n in sweeps.names("mini") if n not in ("own-world", "own-why-2")])
def test_on_another_world_a_row_stands_beside_the_same_published_one(name):
    """A world has counts of its own: 1000 images are 256 on one and 120 on another."""
    one, two = sweeps.load(name), sweeps.load(f"{name}@2")
    assert tables.published_of(two) == tables.published_of(one)
    assert tables.default_variant(two) == tables.default_variant(one)


def test_the_default_is_that_of_the_sweep_s_own_order_and_several_have_none():
    assert [tables.default_variant(sweeps.load(n)) for n in ("table1", "table2", "later")] == ["GIFT", "GIFT", ""]


def test_published_values_go_with_the_right_variant():
    of_steps = tables.published_of(sweeps.load("ablation-steps"))
    assert of_steps["w/o AWC, 10 steps"] == {"Transfer": 69.2, "Avg": 76.6, "Last": 84.8}
    assert tables.published_of(sweeps.load("ablation-consolidation"))["AWC"]["Last"] == 86.0
    assert tables.published_of(sweeps.load("own-orders")) == {}
    later = tables.published_of(sweeps.load("later"))
    assert set(later) == {"GIFT (I)", "GIFT (II)", "MoE-Adapter (I)", "MoE-Adapter (II)", "ConDU-FT (I)"}
    as_cited = (ROOT / "book" / "data" / "later.csv").read_text(encoding="utf-8")
    assert "ConDU,{Transfer},{Avg},{Last}".format(**later["ConDU-FT (I)"]) in as_cited


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: published.rows("tabel1"), ConfigError, "'table1'"),
        (lambda: published.rows("table1", "II"), ConfigError, "it is for I"),
        (lambda: published.main("III"), ConfigError, "'I' or 'II'"),
        (lambda: published.at_scale({}, "minni"), ConfigError, "'mini'"),
        (lambda: published.load("nowhere.csv"), DataError, "restore it"),
        (lambda: tables.main(EMPTY, "III"), ConfigError, "'I' or 'II'"),
        (lambda: tables.values({}, "Lats"), ConfigError, "'Last'"),
        (lambda: tables.per_task(EMPTY, sweeps.load("table1"), "Learned"), ConfigError, "per task"),
        (lambda: tables.missing(EMPTY, "table3"), ConfigError, "'table"),
    ],
)
def test_bad_input_gives_one_clear_error(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_broken_published_file(tmp_path):
    (tmp_path / "p.csv").write_text("table,order\n1,2\n")
    with pytest.raises(DataError, match="restore it"):
        published.load(tmp_path / "p.csv")


# The main table


def test_main_table_equals_scipy(table1):
    shown = tables.main(table1, "I")
    gift, l2, zscl = (of(table1, m, metrics.last) for m in ("gift", "l2", "zscl"))
    row = shown.loc["GIFT", "Last"]
    half = stats.t.ppf(0.975, 9) * np.std(list(gift.values()), ddof=1) / 10**0.5
    assert (row["published"], row["n"]) == (86.0, 10)
    assert (row["ours"], row["±"]) == (pytest.approx(np.mean(list(gift.values()))), pytest.approx(half))
    delta = [gift[s] - l2[s] for s in range(5)]
    assert row["Δ l2"] == pytest.approx(np.mean(delta))
    assert row["Δ l2 ±"] == pytest.approx(stats.t.ppf(0.975, 4) * stats.sem(delta))
    p = {m: stats.ttest_rel([of(table1, m, metrics.last)[s] for s in range(n)], [gift[s] for s in range(n)]).pvalue
         for m, n in (("zscl", 10), ("l2", 5), ("finetune", 10))}  # fmt: skip
    zero = of(table1, "zero-shot", metrics.last)[0]
    p["zero-shot"] = stats.ttest_1samp(list(gift.values()), zero).pvalue
    expected = dict(zip(p, intervals.holm(list(p.values())), strict=True))
    assert shown.loc["ZSCL", "Last"]["p vs GIFT"] == pytest.approx(expected["zscl"])
    assert shown.loc["Zero-shot", "Last"]["p vs GIFT"] == pytest.approx(expected["zero-shot"])
    assert np.isnan(row["p vs GIFT"]) and len(zscl) == 10


def test_zero_shot_stands_for_every_seed(table1):
    row = tables.main(table1, "I").loc["Zero-shot", "Transfer"]
    l2, zero = of(table1, "l2", metrics.transfer), of(table1, "zero-shot", metrics.transfer)[0]
    assert row["n"] == 1 and np.isnan(row["±"])
    assert row["Δ l2"] == pytest.approx(zero - np.mean(list(l2.values()))) and row["Δ l2 ±"] > 0


def test_main_table_keeps_rows_without_records(table1):
    shown = tables.main(table1, "I")
    assert list(shown.index) == list(published.TITLES.values())[:10]
    assert shown.loc["LwF", "Avg"]["published"] == 64.7 and shown.loc["LwF", "Avg"]["n"] == 0
    assert shown.loc["LwF", "Avg"].drop(["published", "n"]).isna().all()
    empty = tables.main(EMPTY, "II")
    assert (empty.xs("n", axis=1, level=1) == 0).all(axis=None)
    assert empty["Last", "published"].tolist()[-1] == 85.3


def test_a_readers_own_method_follows_below(table1):
    own = [record(experiment(method="my-own", order="I", seed=s), 66.0) for s in range(3)]
    other = [record(experiment(method="elsewhere", order="II"), 66.0)]
    changed = [record(experiment(method="tuned", order="I", lr=2e-3), 66.0)]
    shown = tables.main(pd.concat([table1, frame(own + other + changed)]), "I")
    assert list(shown.index)[-1] == "my-own" and len(shown) == 11
    assert shown.loc["my-own", "Avg"]["n"] == 3 and np.isnan(shown.loc["my-own", "Avg"]["published"])


def test_other_settings_are_no_row_of_the_table(table1):
    changed = [record(experiment(method="gift", order="I", seed=s, beta=0.5), 99.0) for s in range(10)]
    pd.testing.assert_frame_equal(tables.main(pd.concat([table1, frame(changed)]), "I"), tables.main(table1, "I"))


def test_more_seeds_than_the_sweep_asks_for_count(table1):
    more = frame([record(experiment(method="l2", order="I", seed=s), 60.0) for s in (5, 6)])
    assert tables.main(pd.concat([table1, more]), "I").loc["l2 baseline", "Last"]["n"] == 7


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"world": "older"}, "world"),
        ({"numerics": 99}, "numerics version"),
        ({"device": "Some GPU"}, "kind of device"),
        ({"cpu_capability": "DEFAULT"}, "kind of CPU"),
    ],
)
def test_records_of_several_kinds_never_share_a_table(table1, changes, what):
    mixed = pd.concat([table1, frame([record(experiment(method="lwf", order="I"), **changes)])])
    with pytest.raises(DataError, match=f"more than one {what}"):
        tables.main(mixed, "I")


def test_a_record_of_another_kind_spoils_the_tables_that_it_stands_in_alone(table1):
    """One run made elsewhere must not keep every other page from its records."""
    alien = record(experiment(method="lwf", order="II"), device="Some GPU")
    mixed = pd.concat([table1, frame([alien])])
    pd.testing.assert_frame_equal(tables.main(mixed, "I"), tables.main(table1, "I"))
    more = pd.concat([mixed, frame([record(experiment(method="l2", order="II"))])])
    with pytest.raises(DataError, match=rf"run those of one kind again \(.*(Some GPU: {alien['key']}|cpu).*\)"):
        tables.main(more, "II")


def test_two_records_of_one_run_are_refused(table1):
    """The same settings with other weights: neither may silently take the other's place."""
    twice = pd.concat([table1, frame([record(experiment(method="gift", order="I"), clip="another")])])
    with pytest.raises(DataError, match="gift, order I, seed 0 has two records made with different weights"):
        tables.main(twice, "I")


def test_load_frame_is_what_tables_take(tmp_path, table1):
    for r in table1["record"]:
        results.write(r, tmp_path)
    pd.testing.assert_frame_equal(tables.main(results.load_frame(tmp_path), "I"), tables.main(table1, "I"))
    assert tables.main(results.load_frame([]), "I").shape == (10, 21)


# Ablations, references, tasks


def test_ablation_compares_with_the_default():
    data = frame(sweep_records("ablation-teacher", {"Initial CLIP": 60.0, "Last CLIP": 65.0, "WiSE(0.2)": 64.0}.get))
    shown = tables.ablation(data, "ablation-teacher")
    assert shown.loc["Initial CLIP", "Last"]["published"] == 80.1
    assert shown.loc["Initial CLIP", "Last"]["Δ"] == pytest.approx(-5, abs=1e-9)  # the same noise on both
    assert np.isnan(shown.loc["Last CLIP", "Last"]["Δ"]) and shown.loc["WiSE(0.5)", "Last"]["n"] == 0


def test_default_variants():
    names = {
        "ablation-loss": "Contrastive", "ablation-teacher": "Last CLIP", "ablation-ita": "beta=0.25",
        "ablation-guidance": "1K, medium", "ablation-steps": "w/ AWC, 20 steps", "ablation-consolidation": "AWC",
        "ablation-source": "both", "ablation-images": "1000", "pretrainings": "",
    }  # fmt: skip
    assert {n: tables.default_variant(sweeps.load(n)) for n in names} == names


def test_references_have_a_last_of_their_own_form():
    data = frame(sweep_records("references", lambda v: 80.0))
    shown = tables.ablation(data, "references")
    alone = [np.diagonal(r["result"]["R"]).mean() for r in data["record"] if r["config"]["method"] == "upper-bound"]
    assert shown.loc["Individual fine-tune", "Last"]["ours"] == pytest.approx(np.mean(alone))
    assert shown.loc["Joint training", "Last"]["n"] == 5 and shown.loc["Joint training", "Transfer"]["n"] == 0
    per_task = tables.per_task(data, sweeps.load("references"), "Last")
    assert per_task.loc["Joint training", "mean"] == pytest.approx(shown.loc["Joint training", "Last"]["ours"])
    assert "80.0" in tables.markdown(tables.pretty(shown))


def test_two_rows_task_by_task(table1):
    """Paired over shared seeds, Holm over the tasks; the means of the differences are those of the metric."""
    sweep = sweeps.load("table1")
    found = tables.per_task_difference(table1, sweep, "GIFT", "l2 baseline", "Forgetting")
    both = tables.by_variant(table1, sweep)
    assert list(found.index) == ["a", "b", "c"] and list(found.columns) == ["GIFT", "l2 baseline", "Δ", "Δ ±", "p"]
    whole = tables.compare(both, "GIFT", "l2 baseline", "Forgetting")
    assert found["Δ"].mean() == pytest.approx(whole.mean)
    seeds = sorted(both["GIFT"].keys() & both["l2 baseline"].keys())
    one = [[metrics.forgetting_per_task(both[v][s]["result"]["R"])[1] for s in seeds] for v in ("GIFT", "l2 baseline")]
    pair = intervals.paired(*one)
    assert found.iloc[1]["Δ"] == pytest.approx(pair.mean) and found.iloc[1]["Δ ±"] == pytest.approx(pair.half_width)
    assert found["p"].iloc[1] >= pair.p
    assert len(tables.per_task_difference(EMPTY, sweep, "GIFT", "ZSCL")) == 0


def test_per_task_means(table1):
    shown = tables.per_task(table1, sweeps.load("table1"), "Transfer")
    assert list(shown.columns) == [*TASKS[1:], "mean"]
    assert shown.loc["GIFT", "mean"] == pytest.approx(tables.main(table1, "I").loc["GIFT", "Transfer"]["ours"])
    mine = [metrics.transfer_per_task(r["result"]["R"])[0] for r in table1["record"] if r["config"]["method"] == "gift"]
    assert shown.loc["GIFT", "b"] == pytest.approx(np.mean(mine)) and shown.loc["LwF"].isna().all()
    assert tables.per_task(EMPTY, sweeps.load("table1")).shape == (10, 0)


def test_gains_are_differences_to_the_untouched_model_best_first_missing_last(table1):
    sweep = sweeps.load("table1")
    shown, plain = tables.gains(table1, sweep, "Last"), tables.per_task(table1, sweep, "Last")
    assert "Zero-shot" not in shown.index and list(shown.columns) == [*TASKS, "mean"]
    for name in ("GIFT", "ZSCL"):
        assert shown.loc[name].to_numpy() == pytest.approx(plain.loc[name].to_numpy() - 50.0)
    assert shown["mean"].dropna().is_monotonic_decreasing and shown["mean"].isna().iloc[-1]
    assert set(shown.index) == set(plain.index) - {"Zero-shot"}
    assert list(tables.gains(table1, sweep, "Transfer").columns) == [*TASKS[1:], "mean"]
    assert tables.gains(EMPTY, sweep).isna().all(axis=None)


def test_long_has_a_row_per_seed_and_one_for_what_is_missing(table1):
    rows = tables.long(table1, sweeps.load("table1"), ("Last",))
    counts = rows.groupby("setting", sort=False)["value"].agg(["size", "count"])
    assert counts.loc["GIFT"].tolist() == [10, 10] and counts.loc["LwF"].tolist() == [1, 0]
    assert list(counts.index) == list(sweeps.load("table1").variants)


def test_estimates_feed_the_plots(table1):
    found = tables.estimates(table1, sweeps.load("table1"))
    assert found["GIFT"]["Last"].n == 10 and found["LwF"]["Last"] is None


# What is missing


def test_missing_names_seeds_and_commands(table1):
    less = table1[~((table1["method"] == "l2") & (table1["seed"] == 3))]
    absent = tables.missing(less, "table1").set_index("variant")
    assert "GIFT" not in absent.index
    assert absent.loc["LwF", "seeds"] == "0, 1, 2, 3, 4"
    assert absent.loc["LwF", "command"] == "make sweep NAME=table1 SCALE=mini"
    assert absent.loc["l2 baseline", "command"].startswith("papermill notebooks/experiment.ipynb")
    assert '"seed": 3' in absent.loc["l2 baseline", "command"] and absent.loc["l2 baseline", "have"] == 4


def test_status_sentences(table1):
    total = len(sweeps.load("table1").cells)
    assert tables.status(EMPTY, "table1").startswith("All methods, Order I: no records yet. `make sweep NAME=table1")
    assert f"{len(table1)} of {total} runs have records" in tables.status(table1, "table1")
    full = frame(sweep_records("table1", lambda v: 60.0))
    assert tables.status(full, "table1") == f"All methods, Order I: all {total} runs have their records."
    assert tables.missing(full, "table1").empty


# For the eye


def test_halves_keep_what_is_there(table1):
    levels, differences = tables.halves(tables.pretty(tables.main(table1, "I")))
    assert {c[1] for c in levels} == {"published", "ours", "n"} and len(levels) == 10
    assert {c[1] for c in differences} == {"Δ l2", "p vs GIFT"} and "LwF" not in differences.index
    (alone,) = tables.halves(tables.pretty(tables.ablation(EMPTY, "own-pool")))
    assert list(alone.columns) == [("", "n")]


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "`code`",
        "$x_1$",
        "<b>bold</b>",
        "*star*",
        "_under_",
        "[a](b)",
        "a\nb",
        "{doc}`x`",
        "&lt;",
        "a\\|b",
        "~~x~~",
    ],
)
def test_names_are_shown_as_they_are(name):
    """By Python's CommonMark parser with tables, strikes and mathematics: the text that comes out is the name."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    table = pd.DataFrame({name: ["1", name]}, index=pd.Index([name, "other_name < 3"], name=name))
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(dollarmath_plugin)
    tokens = [t for t in reader.parse(tables.markdown(table)) if t.type == "inline"]
    plain = name.replace("\n", " ")
    cells = [plain, plain, plain, "1", "other_name < 3", plain]
    assert ["".join(c.content for c in t.children) for t in tokens] == cells
    assert {c.type for t in tokens for c in t.children} <= {"text", "text_special"}


def test_pretty_and_markdown(table1):
    text = tables.pretty(tables.main(table1, "I"))
    assert text.loc["GIFT", ("Transfer", "published")] == "69.3" and text.loc["GIFT", ("", "n")] == "10"
    assert re.fullmatch(r"(69|70)\.\d ± 0\.\d", text.loc["GIFT", ("Last", "ours")])
    assert re.fullmatch(r"\+(9|10)\.\d ± 0\.\d", text.loc["GIFT", ("Last", "Δ l2")])
    assert text.loc["LwF", ("Last", "ours")] == "" and text.loc["ZSCL", ("Last", "p vs GIFT")] == "< 0.001"
    lines = tables.markdown(text).splitlines()
    assert lines[0].startswith("| method | Transfer published | Transfer ours |") and len(lines) == 12
    assert len({line.count("|") for line in lines}) == 1 and "nan" not in tables.markdown(text)
