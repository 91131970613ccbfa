"""Sweeps: files become experiments, and an experiment becomes a papermill line and back."""

import json
import shlex

import pytest
import yaml

from gift_lib.config import experiment
from gift_lib.errors import ConfigError, DataError
from gift_lib.runs import batch, parameters, repository, sweeps

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
    spec = {"title": "x", "counts": "mini", "variants": {"3K": {"images_per_task": 768, "denoising_steps": 10}}}
    of = {scale: sweeps.expand("x", spec, scale, [0]).cells[0].experiment for scale in ("mini", "paper")}
    assert (of["mini"].images_per_task, of["mini"].denoising_steps) == (768, 10)
    assert (of["paper"].images_per_task, of["paper"].denoising_steps) == (3000, 25)
    plain = sweeps.expand("x", {k: v for k, v in spec.items() if k != "counts"}, "paper", [0])
    assert plain.cells[0].experiment.images_per_task == 768, "a file that names no scale means what it says"


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
        ({**SPEC, "seeds": 0}, "at least one"),
        ({**SPEC, "variants": {"a": 3}}, "`variants: a: 3`, which should be settings"),
        ({**SPEC, "variants": {"a": {"seeds": 0}}}, "at least one"),
        ({**SPEC, "at_scale": {"big": {}}}, "big"),
        ({**SPEC, "counts": "mini", "base": {"images_per_task": "256"}}, "images_per_task"),
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


def test_a_run_that_two_tables_need_is_one_run():
    both = sweeps.load_many("ablation-loss, ablation-ita")
    assert sum(len(s.cells) for s in both) - len(sweeps.runs(both)) == 5


def test_every_experiment_survives_the_way_through_its_papermill_line():
    for e in sweeps.runs(sweeps.load_many("all")).values():
        words = shlex.split(sweeps.command(e, "out.ipynb"))
        assert "device" not in words[-1] and '"device": "cuda"' in sweeps.command(e, device="cuda")
        assert words[:4] == ["papermill", "notebooks/experiment.ipynb", "out.ipynb", "-y"]
        assert parameters.experiment_of(yaml.safe_load(words[4])) == e


@pytest.mark.parametrize("text, wanted", [("", None), ("0", [0]), ("0-2,7", [0, 1, 2, 7])])
def test_seeds_by_numbers_and_ranges(text, wanted):
    assert sweeps.seed_list(text) == wanted


@pytest.mark.parametrize("text", ["one", "9-0"])
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
    assert pages == files - {"why"}, "own-why has a page among the results"
    contents = (repository.ROOT / "book" / "_toc.yml").read_text()
    assert all(f"notebooks/ablation_{p}\n" in contents for p in pages)
