"""Every value that an Experiment can hold survives the way from a sweep's file, or the printed line, to its run."""

import ast
import json
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fixtures_batch import TINY, Folders, plan
from fixtures_experiments import some_experiment
from fixtures_shell import as_a_shell_reads

from gift_lib import config, results
from gift_lib.config import Experiment, experiment, from_dict
from gift_lib.runs import jobs, parameters, sweeps, yaml_io
from gift_lib.runs.repository import ROOT
from gift_lib.world.settings import RUNS

PAGE = ROOT / "notebooks" / "experiment.ipynb"
#: papermill's own command line, once per list of words, without starting it anew each time.
PREPARE = """
import json, sys
from papermill.__main__ import papermill
for words in json.load(open(sys.argv[1])):
    papermill([*words, "--prepare-only", "--no-progress-bar", "--log-level", "ERROR"], standalone_mode=False)
"""


def through_papermill(papermill_words: list[list[str]], folder: Path) -> list[str]:
    """The digest that the page prints for each papermill call: its own parsing, and all pages in one kernel."""
    (folder / "words.json").write_text(json.dumps(papermill_words))
    subprocess.run([sys.executable, "-c", PREPARE, str(folder / "words.json")], check=True)
    cells, here = [], []
    for _, output, *_ in papermill_words:
        code = [c for c in json.loads(Path(output).read_text())["cells"] if c["cell_type"] == "code"]
        at = next(i for i, c in enumerate(code) if "injected-parameters" in c["metadata"].get("tags", ()))
        cells += code[at - 1 : at + 2]  # the page's own parameters, those given, and what makes the setting
        here.append(len(cells) - 1)
    notebook = json.loads(PAGE.read_text()) | {"cells": [{**c, "id": f"c{i}"} for i, c in enumerate(cells)]}
    (folder / "all.ipynb").write_text(json.dumps(notebook))
    subprocess.run([sys.executable, "-m", "papermill", "all.ipynb", "done.ipynb", "--no-progress-bar",
                    "--no-request-save-on-cell-execute"], cwd=folder, check=True, capture_output=True)  # fmt: skip
    done = json.loads((folder / "done.ipynb").read_text())["cells"]
    done = [c for c in done if "papermill-error-cell-tag" not in c["metadata"].get("tags", ())]
    return ["".join(done[i]["outputs"][0]["text"]).splitlines()[0] for i in here]


def lines_of(experiments: list[Experiment], folder: Path) -> list[list[str]]:
    """papermill's words from the line that the page prints."""
    lines = [sweeps.command(e, f"{folder}/line-{i}.ipynb") for i, e in enumerate(experiments)]
    return [words[1:] for words in as_a_shell_reads(lines)]


def sweep_of(experiments: list[Experiment], folder: Path) -> tuple[list[list[str]], list[Experiment]]:
    """papermill's words from a sweep file, by Snakemake, a shell and the job; and the plan's experiments."""
    variants = {
        f"{i}": {**parameters.of(e)["overrides"], "method": e.method, "order": e.order}
        for i, e in enumerate(experiments)
    }
    spec = {"title": "All", "seeds": 1, "variants": variants}
    batch = Folders(folder)
    (folder / "tiny.yml").write_text(yaml.safe_dump(spec, sort_keys=False))
    ran = batch.snakemake("--cores", "1", "--dry-run", "--printshellcmds")
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = [line.partition(" -m gift_lib.runs.jobs ")[2] for line in (ran.stdout + ran.stderr).splitlines()]
    asked = [jobs.parser().parse_args(words) for words in as_a_shell_reads(list(filter(None, found)))]
    planned = plan(batch)
    words = [jobs.command(a.parameters, folder / a.notebook.name)[3:] for a in asked]
    return words, [planned[a.notebook.stem] for a in asked]


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_any_experiment_survives_from_its_file_or_its_line_to_the_kernel(tmp_path, count):
    """Half through a sweep, Snakemake and a job, half from the printed line; all through papermill's own parsing."""
    draw = random.Random(int(os.environ.get("ROUND_TRIP_SEED", "0")))
    by_line = [some_experiment(draw) for _ in range(count - count // 2)]
    by_file = [some_experiment(draw, runnable=True) for _ in range(count // 2)]
    words, planned = sweep_of(by_file, tmp_path)
    assert {e.digest for e in planned} == {e.digest for e in by_file} and len(planned) == len(by_file)
    given = [*lines_of(by_line, tmp_path), *words]
    digests = through_papermill(given, tmp_path)
    for e, digest in zip([*by_line, *planned], digests, strict=True):
        assert digest == e.digest, e
    assert len(digests) == count


def test_parameters_are_one_line_of_ascii_that_papermill_and_yaml_read_alike():
    draw = random.Random(1)
    for e in (some_experiment(draw) for _ in range(300)):
        written = yaml_io.line(parameters.of(e))
        assert written.isascii() and written.isprintable()
        assert parameters.experiment_of(yaml.safe_load(written)) == e
        assert from_dict(json.loads(json.dumps(e.to_dict()))).digest == e.digest


def test_the_page_knows_every_parameter_that_it_has():
    cells = json.loads(PAGE.read_text())["cells"]
    (own,) = ("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", ()))
    named = {t.id for statement in ast.parse(own).body for t in statement.targets}
    assert named == set(parameters.PAGE)


def test_a_run_on_world_1_stays_one_when_the_preset_moves_on(monkeypatch):
    old, new = experiment(**RUNS["1"] | {"world": "1"}), experiment(world="2")
    monkeypatch.setitem(config.SCALES, "mini", new)
    for e in (old, new):
        assert parameters.experiment_of(parameters.of(e)) == e
        assert from_dict(json.loads(json.dumps(e.to_dict()))) == e
    assert "world" not in old.to_dict() and "world" not in parameters.of(new)["overrides"]


@pytest.mark.slow
def test_small_rates_and_odd_text_come_out_in_the_record(tmp_path):
    """The engine, papermill and the kernel as they are."""
    settings = {"lr": 1e-5, "weight_decay": 2.5e-7, "lr_per_task": {"digits": 5e-6}, "beta": 1e-5,
                "prompt_template": "it's $HOME \"{c}\" `x` \\ 日本 : # \n"}  # fmt: skip
    batch = Folders(tmp_path)
    batch.write({"GIFT": settings, "l2": {"method": "l2", "lr": 1e-12, "method_options": {}}})
    ran = batch.snakemake("--cores", "1")
    assert ran.returncode == 0, ran.stderr[-3000:]
    records = [results.read(p) for p in (batch.results / "mini").glob("*.json")]
    assert {from_dict(r["config"]).digest for r in records} == {e.digest for e in plan(batch).values()}
    (gift,) = (r["config"] for r in records if r["config"]["method"] == "gift")
    assert {k: gift[k] for k in settings} == settings and gift["tasks"] == TINY["tasks"]


# Settings given by themselves


def page(tmp_path: Path, *given: str) -> subprocess.CompletedProcess:
    """The page up to the setting that it makes, through papermill."""
    notebook = json.loads(PAGE.read_text())
    end = next(i for i, c in enumerate(notebook["cells"]) if "parameters.changes(" in "".join(c["source"]))
    notebook["cells"] = notebook["cells"][: end + 1]
    (tmp_path / "page.ipynb").write_text(json.dumps(notebook))
    words = [sys.executable, "-m", "papermill", "page.ipynb", "out.ipynb", "--no-progress-bar", *given]
    return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)


def printed(tmp_path: Path) -> Experiment:
    """The experiment of the line that the page printed."""
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    digest, line = "".join(cells[-1]["outputs"][0]["text"]).splitlines()
    made = parameters.experiment_of(yaml.safe_load(shlex.split(line)[-1]))
    assert made.digest == digest
    return made


def test_single_settings_are_given_by_name(tmp_path):
    ran = page(tmp_path, "-p", "lr", "1e-5", "-p", "seed", "7", "-y", "{tasks: [digits, terrain], beta: 1.0e-7}")
    assert ran.returncode == 0, ran.stderr
    e = printed(tmp_path)
    assert (e.lr, e.seed, e.tasks, e.beta) == (1e-5, 7, ("digits", "terrain"), 1e-7)


def test_the_page_stops_on_an_unknown_parameter(tmp_path):
    ran = page(tmp_path, "-p", "lrr", "1e-5")
    assert ran.returncode != 0 and "this page has no parameter 'lrr'; did you mean 'lr'" in ran.stderr


@pytest.mark.parametrize(
    ("overrides", "variables", "said"),
    [
        ({"lr": 1e-5}, {"lr": 1e-4}, "lr is given twice"),
        ({"scale": "paper"}, {}, "overrides changes 'scale', which has a parameter of its own"),
        ({"method": "l2"}, {}, "overrides changes 'method'"),
        ("{lr: 1}", {}, "overrides must map settings to values"),
        ({}, {"In": ["x = 1", "# Parameters\nbatchsize = 3\n"]}, "did you mean 'batch_size'"),
    ],
)
def test_what_contradicts_itself_is_refused(overrides, variables, said):
    from gift_lib.errors import ConfigError

    with pytest.raises(ConfigError, match=said):
        parameters.changes(overrides, variables)


def test_other_variables_of_a_page_are_no_settings():
    """Those of other cells, and of cells that only look like papermill's."""
    variables = {"In": ["a = 1\n# Parameters\nb = 2", "# Parameters\nseed = 1\nPAPERMILL_INPUT_PATH = 'x'"], "frame": 3}
    assert parameters.changes({"beta": 0.5}, {**variables, "lr": 1e-5}) == {"beta": 0.5, "lr": 1e-5}
