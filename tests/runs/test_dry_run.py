"""What a run will need is told before anything starts."""

import pytest
import torch

from gift_lib import data, generate
from gift_lib.config import MINI, experiment
from gift_lib.data import mtil
from gift_lib.errors import ConfigError, DataError
from gift_lib.pictures import Draw, PictureCache
from gift_lib.runs import dry_run
from gift_lib.runs.dry_run import Rates, Work
from gift_lib.training import Runtime

#: Methods with another number of steps or rows of R than a step count and a task each.
NOT_AS_MOST = ("zero-shot", "rail", "joint", "gnsp")
SMALL = {"tasks": ("terrain", "digits"), "steps": 6, "images_per_task": 8, "denoising_steps": 2}


def test_counts_of_the_published_protocol():
    """Table 1's GIFT row: 11 tasks of 1000 steps, twelve evaluations of 97,109 + 100 test images (EuroSAT's 5400)."""
    e = experiment("paper")
    tasks = data.load_tasks(e, "/nowhere")
    sizes = dry_run.sizes(tasks, "paper")
    assert sum(n for n, _ in sizes) == 319_352 and sum(n for _, n in sizes) == 97_209
    counted = dry_run.work(e, tasks, sizes)
    assert (counted.tasks, counted.steps, counted.evaluated) == (11, 11_000, 12 * 97_209)
    assert counted.once == 11_000
    zero, rail, joint, gnsp = (dry_run.work(e.replace(method=m), tasks, sizes) for m in NOT_AS_MOST)
    assert (zero.steps, rail.steps, joint.steps, gnsp.steps) == (0, 0, 11_000, 7_600)
    assert [w.evaluated for w in (zero, rail, joint, gnsp)] == [n * 97_209 for n in (12, 12, 2, 12)]


@pytest.mark.parametrize(
    ("method", "once"),
    [("gift", 11_000), ("finetune", 0), ("zscl", 100_000), ("icarl", 319_352 + 100_000),
     ("moe-adapter", 64 * (11 * 300 + 1000)), ("condu", 319_352), ("rail", 319_352), ("gnsp", 319_352 + 1000)],
)  # fmt: skip
def test_images_that_a_method_encodes_once(method, once):
    train = [n for n, _ in dry_run.sizes(data.load_tasks(experiment("paper"), "/nowhere"), "paper")]
    assert dry_run.encoded_once(experiment("paper", method=method), train) == once


def test_a_method_that_takes_a_gradient_before_a_task_has_three_passes_of_what_it_draws():
    e = experiment("paper", method="keeplora")  # of each task at most 1000 steps of 64
    assert dry_run.encoded_once(e, [100, 75_750]) == 100 + 75_750 + 3 * (100 + 64_000)


def test_work_times_rates():
    told = Work(2, 10, 100, 50, pictures=8, missing=4).seconds(Rates(step=2.0, image=0.1, picture=3.0))
    assert told == {"draw": 12.0, "train": 25.0, "evaluate": 10.0}


def test_pictures_in_the_cache_are_not_counted_as_missing(tmp_path):
    e, runtime = experiment(**SMALL), Runtime(cache_dir=str(tmp_path), progress=False)
    tasks = data.load_tasks(e)
    wanted, missing = dry_run.pictures(e, tasks, runtime)
    assert wanted == missing == len({d for task in generate.plan(e, tasks) for d in task})
    spec = generate.PipelineSpec.of(e, "cpu")
    first = generate.plan(e, tasks)[0][0]
    cache = PictureCache(tmp_path, generate.sampler_of(e, spec))
    cache.put(first, torch.zeros(3, 32, 32, dtype=torch.uint8))
    assert isinstance(first, Draw) and dry_run.pictures(e, tasks, runtime) == (wanted, wanted - 1)
    assert dry_run.pictures(e.replace(method="finetune"), tasks, runtime) == (0, 0)


@pytest.fixture
def quick(monkeypatch):
    """Rates of an imagined machine."""
    monkeypatch.setattr(dry_run, "measure", lambda e, device: Rates(0.5, 0.001, memory=2**30))
    monkeypatch.setattr(dry_run, "picture_seconds", lambda e, device: (2.0, "measured"))


def test_report_of_the_scale_model(quick, tmp_path, capsys):
    code = dry_run.main(["--device", "cpu", "--overrides", '{"tasks": ["terrain", "digits"], "images_per_task": 8}'])
    out = capsys.readouterr().out
    assert code == 0 and "draw" in out and f"2 tasks x {MINI.steps} steps" in out and "free on the disk" in out
    assert "memory of a training step: 1.0 GiB" in out


def test_report_of_the_real_data_says_what_is_computed(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("GIFT_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setattr(dry_run, "_checkpoint", lambda e: 2 * 10**9)
    e = experiment("colab", model="ViT-B-16-quickgelu/openai")
    lines, memory = dry_run.plan(e, Runtime(cache_dir=str(tmp_path), progress=False))
    by_stage = {line.stage: line for line in lines}
    assert list(by_stage) == ["download", "decode", "draw", "train", "evaluate"] and memory == 2**30
    megabytes = sum(mtil.dataset(n).megabytes for n in e.tasks)
    assert by_stage["download"].bytes == megabytes * 10**6 and "unknown" in by_stage["download"].how
    assert by_stage["decode"].how == "computed" and by_stage["decode"].bytes > 10**9
    assert by_stage["draw"].seconds == 2.0 * len({d for t in generate.plan(e, data.load_tasks(e)) for d in t})
    assert not (tmp_path / "images").exists(), "a dry run makes nothing"


def test_mirrors_are_on_the_disk_twice(tmp_path, monkeypatch):
    """The parquet files and what `datasets` makes of them: 41.5 of the 51 GB of MTIL."""
    monkeypatch.delenv("GIFT_SOURCES", raising=False)
    e = experiment("paper")
    runtime = Runtime(data_dir=str(tmp_path / "nowhere"), cache_dir=str(tmp_path), progress=False)
    download, decode = dry_run.decoding(e, data.load_tasks(e), runtime)
    assert download.amount.startswith("51.") and 92e9 < download.bytes < 94e9 and 39e9 < decode.bytes < 41e9
    monkeypatch.setenv("GIFT_SOURCES", "SUN397=files,StanfordCars=files")
    assert dry_run.decoding(e, data.load_tasks(e), runtime)[0].bytes < 52e9


def test_too_little_room_is_said(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "_checkpoint", lambda e: 10**18)
    text = dry_run.report(experiment(**SMALL), Runtime(cache_dir=str(tmp_path)))
    assert "TOO LITTLE: set GIFT_CACHE" in text


def test_rates_are_measured_in_the_real_loop():
    e = experiment(**SMALL)
    rates = dry_run.measure(e, steps=1, images=32)
    assert 0 < rates.image < rates.step < 60 and rates.memory > 0
    assert dry_run.measure(e.replace(method="zero-shot"), steps=1, images=32).step == 0.0


@pytest.mark.parametrize("method", ["icarl", "zscl", "moe-adapter"])
def test_a_rehearsal_cuts_down_what_costs_time_once(method):
    e = experiment("paper", method=method)
    small = e.replace(method_options=dry_run._once(e))
    assert dry_run.encoded_once(small, [1000, 1000]) < dry_run.encoded_once(e, [1000, 1000])


def test_a_pipeline_that_is_not_here_is_computed():
    e = experiment("paper", pipeline="nobody/has-this", precision="fp32")
    seconds, how = dry_run.picture_seconds(e, "cpu")
    assert how.startswith("computed") and seconds > 1.0, "no CPU draws 512 px with 50 steps within a second"
    assert dry_run.is_here("mini") and not dry_run.is_here("nobody/has-this")


@pytest.mark.parametrize(("text", "told"), [("{", "must be JSON"), ("[1]", "a JSON object"), ('{"stps": 3}', "steps")])
def test_bad_overrides_are_one_clear_error(text, told, capsys):
    assert dry_run.main(["--overrides", text, "--device", "cpu"]) == 2
    assert told in capsys.readouterr().err
    with pytest.raises(ConfigError, match="JSON"):
        dry_run._json("nonsense")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--overrides", '{"scale": "paper"}'], "--overrides changes 'scale'"),
        (["--overrides", '{"method": "l2"}'], "use --method"),
        (["--overrides", '{"self": 1}'], "no setting 'self'"),
        (["--overrides", "{"], "--overrides must be JSON"),
        (["--scale", "paper", "--device", "tpu"], "there is no device 'tpu'"),
    ],
)
def test_bad_commands_are_one_clear_error(words, said, capsys):
    assert dry_run.main(words) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("name", ["", "../x", "./x", "x", "a/b/c"])
def test_what_can_only_be_a_folder_and_holds_no_pipeline_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="holds no diffusers pipeline"):
        dry_run.is_here(name)
    assert not dry_run.is_here("nobody/nothing"), "it could be on the hub"
