"""Sweeps: files become experiments, and an experiment becomes a papermill line and back."""

import json
import shlex

import pytest
import yaml

from gift_lib.config import MINI, experiment
from gift_lib.errors import ConfigError, DataError
from gift_lib.runs import batch, parameters, repository, sweeps
from gift_lib.world.settings import RUNS

SPEC = {
    "title": "Two temperatures",
    "base": {"consolidation": "none"},
    "seeds": 2,
    "variants": {"T=2": {}, "T=8": {"temperature": 8.0, "seeds": 3}},
}


def test_variants_are_put_over_the_base_once_per_seed():
    sweep = sweeps.expand("mine", SPEC, "mini")
    assert sweep.variants == ["T=2", "T=8"] and sweep.title == "Two temperatures"
    wanted = [experiment(consolidation="none", seed=s) for s in range(2)]
    wanted += [experiment(consolidation="none", temperature=8.0, seed=s) for s in range(3)]
    assert [c.experiment for c in sweep.cells] == wanted
    assert [c.experiment.seed for c in sweeps.expand("mine", SPEC, "mini", [4, 7]).cells] == [4, 7, 4, 7]


def test_counts_of_one_scale_are_translated_to_another():
    n = MINI.images_per_task
    spec = {"title": "x", "counts": "mini", "variants": {"3K": {"images_per_task": 3 * n, "denoising_steps": 10}}}
    of = {scale: sweeps.expand("x", spec, scale, [0]).cells[0].experiment for scale in ("mini", "paper")}
    assert (of["mini"].images_per_task, of["mini"].denoising_steps) == (3 * n, 10)
    assert (of["paper"].images_per_task, of["paper"].denoising_steps) == (3000, 25)
    plain = sweeps.expand("x", {k: v for k, v in spec.items() if k != "counts"}, "paper", [0])
    assert plain.cells[0].experiment.images_per_task == 3 * n, "a file that names no scale means what it says"


def test_a_sweep_on_another_world_takes_its_settings_and_counts_in_proportion(tmp_path):
    def of(name, seeds=(0,)):
        return {c.variant: c.experiment for c in sweeps.load(name, "mini", seeds).cells}

    assert of("ablation-images@2")["3000"] == experiment(
        **RUNS["2"] | {"method": "gift", "consolidation": "none", "images_per_task": 360, "seed": 0}
    )
    assert of(f"table1@{MINI.world}") == of("table1") and sweeps.load("table1@2").name == "table1@2"
    (tmp_path / "me@home").mkdir()
    path = tmp_path / "me@home" / "mine.yml"
    path.write_text(yaml.safe_dump({"title": "x", "variants": {"a": {"steps": 7, "images_per_task": 12}}}))
    assert of(str(path))["a"] == experiment(steps=7, images_per_task=12)
    own = experiment(**RUNS["2"] | {"steps": 7, "images_per_task": 12})
    assert of(f"{path}@2")["a"] == own, "a sweep's own settings stand over the world's"
    assert [s.name for s in sweeps.load_many("all@2")] == [f"{n}@2" for n in sweeps.names("mini")]


@pytest.mark.parametrize(
    ("name", "scale", "said"),
    [
        ("table1@3", "mini", r"the world '3'; valid are '1', '2'"),
        ("table1@2", "paper", "only the scale model has several: leave out @2"),
        ("tabel1@2", "mini", "did you mean 'table1'"),
        ("table1@", "mini", "there is no sweep 'table1@'"),
    ],
)
def test_a_world_that_is_not_there_is_refused(name, scale, said):
    with pytest.raises(ConfigError, match=said):
        sweeps.load(name, scale)


def test_a_sweep_for_one_scale_is_no_part_of_another():
    assert "own-orders" in sweeps.names() and "own-orders" not in sweeps.names("paper")
    assert {s.name for s in sweeps.load_many("all", "paper")} == set(sweeps.names("paper"))
    with pytest.raises(ConfigError, match="does not have: use mini"):
        sweeps.load("own-orders", "paper")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({**SPEC, "varients": {}}, "variants"),
        ({"title": "x"}, "variants"),
        ([], "variants"),
        ({"variants": {"a": {}}}, "title"),
        ({**SPEC, "base": {"temprature": 1.0}}, "temperature"),
        ({**SPEC, "scales": ["small"]}, "small"),
        ({**SPEC, "counts": "big"}, "big"),
        ({**SPEC, "base": None}, "`base: None`, which should be settings"),
        ({**SPEC, "scales": "mini"}, "`scales: mini`, which should be a list"),
        ({**SPEC, "seeds": "five"}, "`seeds: five`, which should be a whole number"),
        ({**SPEC, "seeds": 0}, "needs 1 to"),
        ({**SPEC, "variants": {"a": 3}}, "`variants: a: 3`, which should be settings"),
        ({**SPEC, "variants": {"a": {"seeds": 0}}}, "needs 1 to"),
        ({**SPEC, "at_scale": {"big": {}}}, "big"),
        ({**SPEC, "counts": "mini", "base": {"images_per_task": "256"}}, "images_per_task"),
        ({**SPEC, "counts": "mini", "base": {"images_per_task": 0}}, "images_per_task must be at least 1, not 0"),
        (
            {**SPEC, "counts": "mini", "base": {"images_per_task": True}},
            "images_per_task must be of type int",
        ),
        (
            {**SPEC, "counts": "mini", "variants": {"a": {"denoising_steps": -5}}},
            "denoising_steps must be at least",
        ),
        ({**SPEC, "counts": "mini", "base": {"denoising_steps": 2.5}}, "denoising_steps must be of type int"),
        ({**SPEC, "base": {"seed": 3}}, "say how many, as in `seeds: 5`"),
        ({**SPEC, "variants": {"a": {"seed": 0}}}, "say how many"),
        ({**SPEC, "at_scale": {"mini": {"seed": 0}}}, "say how many"),
        ({**SPEC, "base": {"seeds": 0}}, "needs 1 to"),
        ({**SPEC, "seeds": True}, "`seeds: True`, which should be a whole number"),
        ({**SPEC, "seeds": 10**10}, "needs 1 to 10000"),
        ({**SPEC, "base": {"scale": "paper"}}, "name it at the start"),
        ({**SPEC, "variants": {"a": {"scale": "mini"}}}, "name it at the start"),
        ({**SPEC, "base": {"self": 1}}, "no setting 'self'"),
        ({**SPEC, "variants": {"a": {"1": 1}}}, "no setting '1'"),
        ({**SPEC, "scales": [["mini"]]}, "names the scale"),
        ({**SPEC, "base": {"lr": "1e-5"}}, "'T=2': lr must be of type float.* YAML takes 1e-5 for text: write 1.0e-05"),
    ],
)
def test_bad_files_are_refused_with_what_is_wrong(spec, said, tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(json.dumps(spec))
    with pytest.raises(ConfigError, match=said):
        sweeps.load(str(path))


def test_a_file_by_its_path_and_a_broken_or_missing_one(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(json.dumps(SPEC))
    assert sweeps.load(str(path)).name == str(path) and len(sweeps.load(str(path)).cells) == 5
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        sweeps.load(str(path))
    with pytest.raises(ConfigError, match="ablation-loss"):
        sweeps.load("ablation-los")


VARIANTS = "title: x\nseeds: 1\nvariants:\n"


def written(tmp_path, text: str | bytes) -> str:
    path = tmp_path / "mine.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ("  on: {}\n  off: {beta: 0.5}\n", ["on", "off"]),
        ("  1: {}\n  1.0: {beta: 0.5}\n  null: {beta: 1}\n", ["1", "1.0", "null"]),
        ("  2001-01-01: {}\n  0x10: {beta: 0.5}\n", ["2001-01-01", "0x10"]),
    ],
)
def test_rows_are_called_as_they_are_written(tmp_path, rows, names):
    assert sweeps.load(written(tmp_path, VARIANTS + rows)).variants == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (VARIANTS + "  a: {beta: 0.5}\n  a: {beta: 1.0}\n", "'a' stands twice"),
        (VARIANTS + '  "1": {beta: 0.5}\n  1: {beta: 1.0}\n', "'1' stands twice"),
        (VARIANTS + "  a: {beta: 0.5, lr: 1.0, beta: 1.0}\n", "'beta' stands twice"),
        (VARIANTS + "  a: {}\ntitle: y\n", "'title' stands twice"),
        (VARIANTS + "  a: &a {method_options: *a}\n", "an anchor stands within itself"),
        (VARIANTS + "  a: {tasks: &t [digits, *t]}\n", "an anchor stands within itself"),
        (VARIANTS + "  [a]: {}\n", "a name must be plain text"),
        (VARIANTS.encode() + b"  caf\xe9: {}\n", "byte 34 is no UTF-8"),
        (VARIANTS.encode("utf-16"), "no UTF-8"),
        (VARIANTS + "  a: " + "[" * 5000, "cannot be read"),
    ],
)
def test_files_that_say_a_thing_twice_or_cannot_be_read(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        sweeps.load(written(tmp_path, text))


def test_dates_are_text_and_anchors_may_be_used_again(tmp_path):
    text = "title: 2001-01-01\nseeds: 1\nbase: &b {steps: 3}\nvariants:\n  a: {<<: *b, steps: 4}\n  b: *b\n"
    sweep = sweeps.load(written(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert sweep.title == "2001-01-01" and [c.experiment.steps for c in sweep.cells] == [4, 3]
    dated = sweeps.load(written(tmp_path, VARIANTS + "  a: {method_options: {day: 2001-01-01}}\n"))
    assert dated.cells[0].experiment.method_options == {"day": "2001-01-01"}


@pytest.mark.parametrize(("name", "scale"), [(",", "mini"), ("", "mini"), (" , ", "paper")])
def test_a_name_that_names_nothing_is_no_success(name, scale):
    with pytest.raises(ConfigError, match="names no sweep"):
        sweeps.load_many(name, scale)


@pytest.mark.parametrize("name", ["all", "table1"])
def test_a_scale_that_does_not_exist_is_no_success(name):
    with pytest.raises(ConfigError, match="there is no scale 'foo'"):
        sweeps.load_many(name, "foo")


def test_a_run_that_two_tables_need_is_one_run():
    both = sweeps.load_many("ablation-loss, ablation-ita")
    assert sum(len(s.cells) for s in both) - len(sweeps.runs(both)) == 5


def test_every_experiment_survives_the_way_through_its_papermill_line():
    for e in sweeps.runs(sweeps.load_many("all")).values():
        words = shlex.split(sweeps.command(e, "out.ipynb"))
        assert "device" not in words[-1] and '"device": "cuda"' in sweeps.command(e, device="cuda")
        assert words[:4] == ["papermill", "notebooks/experiment.ipynb", "out.ipynb", "-y"]
        assert parameters.experiment_of(yaml.safe_load(words[4])) == e


@pytest.mark.parametrize(
    "text, wanted", [("", None), ("0", [0]), ("0-2,7", [0, 1, 2, 7]), (" 3 - 4 , 4,3", [3, 4]), ("5-5", [5])]
)
def test_seeds_by_numbers_and_ranges(text, wanted):
    assert sweeps.seed_list(text) == wanted


@pytest.mark.parametrize(
    "text", ["one", "9-0", "1-", "-1", "0-9999999999", "0,1-100001", ",", "1_0", "0-" + "9" * 5000]
)
def test_seeds_that_are_none(text):
    with pytest.raises(ConfigError, match="0-4,7"):
        sweeps.seed_list(text)


def test_settings_of_one_scale_are_for_that_scale_only():
    draws = {s: {c.experiment.prompt_draws for c in sweeps.load("table2", s).cells} for s in ("mini", "paper")}
    assert draws == {"mini": {10_000}, "paper": {1000}}, "the published prompts of Order II were drawn by the thousand"


def test_the_list_of_commands(capsys):
    assert sweeps.main(["commands", "own-temperature", "--seeds", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert sweeps.main(["list", "nonsense"]) == 2
    assert "there is no sweep" in capsys.readouterr().err


ON_PLAIN_DISTILLATION = ("loss", "teacher", "ita", "guidance", "images", "source")


@pytest.mark.parametrize("name", [f"ablation-{n}" for n in ON_PLAIN_DISTILLATION])
def test_ablations_of_the_slides_stand_on_gift_without_awc(name):
    assert {c.experiment.consolidation for c in sweeps.load(name).cells} == {"none"}
    assert len({c.experiment.seed for c in sweeps.load(name).cells}) >= 5


@pytest.mark.parametrize("name", ["loss", "teacher", "ita", "consolidation"])
def test_settings_of_one_seed_share_their_pictures(name):
    for seed in range(5):
        cells = [c for c in sweeps.load(f"ablation-{name}").cells if c.experiment.seed == seed]
        assert len({batch.pictures_key(c.experiment) for c in cells}) == 1


def test_every_ablation_has_a_page_and_every_page_its_sweep():
    pages = {p.stem.removeprefix("ablation_") for p in (repository.ROOT / "notebooks").glob("ablation_*.ipynb")}
    files = {n.partition("-")[2].replace("-", "_") for n in sweeps.names() if n.startswith(("ablation-", "own-"))}
    assert pages == files - {"why", "why_2", "world"}, "these are on pages of another name"
    contents = (repository.ROOT / "book" / "_toc.yml").read_text()
    assert all(f"notebooks/ablation_{p}\n" in contents for p in pages)
