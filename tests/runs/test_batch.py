"""Batches: what is planned, what is left out, who waits for whom, and what a run killed at any moment leaves behind."""

import errno
import json
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fixtures_batch import TINY, Folders, kill, plan, undisturbed, wait_for
from fixtures_records import record
from fixtures_shell import as_a_shell_reads

from gift_lib import generate, results
from gift_lib.config import experiment
from gift_lib.data import load_tasks
from gift_lib.errors import ConfigError, DataError
from gift_lib.generation import painter
from gift_lib.runs import batch, caches, jobs, parameters
from gift_lib.training import Runtime, identity_of

IDENTITY = results.identity("world", "clip", "pipeline")


@pytest.fixture
def folders(tmp_path):
    """A batch of its own, none of which is alive afterwards."""
    made = Folders(tmp_path)
    yield made
    made.kill_all()


@pytest.fixture
def known(monkeypatch):
    """Weights need not be read: the identity of every experiment is given. Those of mini-2 are missing."""

    def identity(e):
        if e.model == "mini-2":
            raise DataError("the weights of mini-2 are not here. Make them.")
        return IDENTITY

    monkeypatch.setattr(batch, "identity", identity)


# The plan


def test_runs_without_weights_are_left_out_and_counted(known, tmp_path, capsys):
    planned = batch.plan("pretrainings", "mini", "0", tmp_path)
    assert {e.model for e in planned.values()} == {"mini-1"} and len(planned) == 5
    assert "5 runs are left out: the weights of mini-2" in capsys.readouterr().err


def test_runs_that_a_scale_cannot_make_are_left_out(tmp_path):
    """No public data has a real picture of every prompt; the other runs of that sweep go on."""
    e = experiment("paper", synthetic_source="real")
    with pytest.raises(DataError, match="at scale paper nobody has a real picture"):
        batch.identity(e)
    assert batch.state(e, tmp_path, tmp_path) == ("without weights or data", None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tasks": ["scenes"], "order": "silhouettes,textures"}, "'scenes' is not in the order"),
        ({"order": "silhouettes,texture"}, "did you mean 'textures'"),
        ({"lr_per_task": {"scene": 1e-4}}, "did you mean 'scenes'"),
    ],
)
def test_a_batch_with_tasks_that_cannot_be_is_refused_whole(folders, known, settings, said):
    path = folders.write({"good": {}, "bad": settings})
    with pytest.raises(ConfigError, match=said):
        batch.plan(path, "mini", "", folders.results)
    assert not folders.results.exists()


def test_a_batch_of_which_nothing_can_be_made_is_no_success(folders, known, capsys):
    path = folders.write({"a": {"model": "mini-2"}})
    with pytest.raises(ConfigError, match="has no run that can be made here"):
        batch.plan(path, "mini", "", folders.results)
    assert "1 runs are left out: the weights of mini-2" in capsys.readouterr().err


def test_what_has_a_record_is_no_part_of_a_batch(known, tmp_path, capsys):
    planned = batch.plan("own-temperature", "mini", "", tmp_path)
    first, second, *rest = planned
    for stem in (first, second):
        results.write(record(planned[stem]), tmp_path)
    (tmp_path / "mini" / f"{second}.json").write_text("{}")  # broken: to be made again
    assert batch.to_do(planned, tmp_path, "mini") == [second, *rest]
    said = capsys.readouterr().err
    assert second in said and f"kept as {second}.json.broken" in said
    assert sorted(p.name for p in (tmp_path / "mini").iterdir()) == sorted([f"{first}.json", f"{second}.json.broken"])


@pytest.mark.parametrize(
    "settings",
    [{}, {"world": "2"}, {"world": "2", "method": "finetune"}, {"model": "mini-1"}, {"synthetic_source": "real"},
     {"order": "II", "tasks": ("cars", "digits"), "world": "2"}],
)  # fmt: skip
def test_a_batch_plans_the_record_that_the_run_will_write(settings, tmp_path):
    e = experiment(**settings)
    assert batch.record_path(tmp_path, e) == results.Address(e, identity_of(e)).path(tmp_path)


def test_pictures_are_shared_by_what_decides_them(known):
    def key(**settings):
        return batch.pictures_key(experiment(**settings))

    assert key() == key(consolidation="none", beta=0.0, temperature=4.0) == key(model="mini-1")
    assert key(seed=3) == key(seed=8, synthetic_seed=3)
    others = [key(seed=1), key(guidance_scale=2.5), key(images_per_task=32), key(order="II"), key(prompt_source="past")]
    assert len({key(), *others}) == 6
    assert key(method="finetune") == key(synthetic_source="real") == ""


def test_jobs_side_by_side_draw_each_picture_once(folders, monkeypatch):
    """Two runs that share most pictures: whoever comes later finds what the other has drawn."""
    monkeypatch.setenv("GIFT_CACHE", str(folders.cache))
    monkeypatch.setattr(batch, "BLOCK", 8)
    few, more = (experiment(**{**TINY, "images_per_task": n}) for n in (16, 24))
    drawn, fill = [], painter.fill
    monkeypatch.setattr(painter, "fill", lambda p, chunk, cache: (drawn.extend(chunk), fill(p, chunk, cache)))
    output = folders.root / "pictures.json"
    batch.pictures(parameters.of(batch.pictures_of(few)), "cpu", 0, output)
    assert json.loads(output.read_text())["pictures"] == len(drawn) == len(set(drawn)) == 32
    batch.pictures(parameters.of(batch.pictures_of(more)), "cpu", 0, output)
    assert len(drawn) == len(set(drawn)) == 48
    monkeypatch.setattr(painter, "fill", lambda *_: pytest.fail("a picture that is there is drawn again"))
    assert generate.prepare(more, load_tasks(more), Runtime(cache_dir=str(folders.cache))) == 48


# The state


def test_status_counts_what_is_done_running_failed_missing_and_impossible(known, tmp_path, capsys):
    folder, runs = tmp_path / "results", tmp_path / "runs"
    planned = batch.plan("own-temperature", "mini", "", folder)
    done, failed, working, *_ = planned
    results.write(record(planned[done]), folder)
    for stem in (done, failed, working):
        (runs / "mini").mkdir(parents=True, exist_ok=True)
        (runs / "mini" / f"{stem}.ipynb").touch()
    (runs / "mini" / f"{failed}.lock").touch()  # what a killed run leaves
    with jobs.alone(runs / "mini" / f"{working}.ipynb"):
        text = batch.status("own-temperature,pretrainings", "mini", "", folder, runs, 2)
    assert "In all 51 runs: 1 done, 1 running, 1 failed, 27 missing, 21 without weights or data." in text
    assert "About 14 s to go with 2 at a time" in text, "28.5 runs of the second that one took"
    assert batch.main(["status", "nonsense"]) == 2 and "there is no sweep" in capsys.readouterr().err


# Locks


def _hold(notebook: str, seconds: float, log: str) -> None:
    with jobs.alone(Path(notebook)):
        with open(log, "a") as file:
            file.write("in\n")
        time.sleep(seconds)
        with open(log, "a") as file:
            file.write("out\n")


def test_one_process_at_a_time_works_on_a_run(tmp_path):
    notebook, log = tmp_path / "runs" / "a.ipynb", tmp_path / "log"
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_hold, args=(str(notebook), 0.2, str(log))) for _ in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert log.read_text().split() == ["in", "out"] * 4
    assert not list(notebook.parent.iterdir()), "no lock file is left"


CHILD = "import os, sys, time; open(sys.argv[1], 'w').write(os.environ.get('CUDA_VISIBLE_DEVICES', '')); time.sleep(60)"


def _job(command: list[str], notebook: Path, gpus: int = 0) -> subprocess.Popen:
    """A job whose papermill is another command, as a process of its own."""
    code = (
        "import json, sys; from pathlib import Path; from gift_lib.runs import jobs\n"
        "jobs.command = lambda values, notebook: json.loads(sys.argv[1])\n"
        "sys.exit(jobs.run({}, int(sys.argv[3]), Path(sys.argv[2]), Path(sys.argv[2] + '.json')))"
    )
    return subprocess.Popen([sys.executable, "-c", code, json.dumps(command), str(notebook), str(gpus)])


def test_a_run_outlives_its_killed_job_and_is_waited_for(tmp_path):
    """The one that works keeps the lock, though the process that took it is dead; the next waits for its record."""
    notebook, pid = tmp_path / "a.ipynb", tmp_path / "pid"
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    job = _job([sys.executable, "-c", code, str(pid)], notebook)
    worker = int(wait_for(lambda: pid.exists() and pid.read_text()))
    kill(job.pid)
    job.wait()
    with open(jobs.lock_of(notebook)) as lock:
        assert not jobs.locks(lock), "held by the worker"
    done = []
    made = results.write(record(experiment()), tmp_path)
    waiting = threading.Thread(target=lambda: done.append(jobs.run({}, 0, notebook, made)))
    waiting.start()
    time.sleep(0.3)
    assert not done
    kill(worker)
    waiting.join(60)
    assert done == [0], "the record is there: nothing is run"
    assert not jobs.lock_of(notebook).exists()


def test_the_exit_status_of_a_failed_run_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "command", lambda values, notebook: [sys.executable, "-c", "raise SystemExit(7)"])
    assert jobs.run({}, 0, tmp_path / "a.ipynb", tmp_path / "r.json") == 7
    assert not list(tmp_path.iterdir())


def test_a_record_outlives_its_page(tmp_path, monkeypatch, capsys):
    """Snakemake removes what a failed job wrote; a figure that fails, or is killed, after the record is no such job."""
    path = results.write(record(experiment()), tmp_path)
    os.replace(path, tmp_path / "made.json")
    code = "import os, sys; os.replace(*sys.argv[1:]); sys.exit(1)"
    made = [sys.executable, "-c", code, str(tmp_path / "made.json"), str(path)]
    monkeypatch.setattr(jobs, "command", lambda values, notebook: made)
    assert jobs.run({}, 0, tmp_path / "a.ipynb", path) == 0
    assert results.read(path) and "its page failed" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_on_a_drive_without_locks_a_batch_warns_and_goes_on(tmp_path, monkeypatch, capsys, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(jobs.fcntl, "flock", refuse)
    monkeypatch.setattr(jobs, "command", lambda values, notebook: [sys.executable, "-c", "raise SystemExit(7)"])
    assert jobs.run({}, 0, tmp_path / "runs" / "a.ipynb", tmp_path / "r.json") == 7, "the run was started"
    assert f"cannot be locked ({os.strerror(number)}): start no second batch" in capsys.readouterr().err
    assert not list((tmp_path / "runs").iterdir())


def test_a_folder_of_runs_that_cannot_be_written_is_one_clear_error(tmp_path, capsys):
    (tmp_path / "a.lock").mkdir()
    words = ["{}", "--notebook", str(tmp_path / "a.ipynb"), "--output", str(tmp_path / "r.json")]
    assert jobs.main(words) == 2 and "cannot lock" in capsys.readouterr().err


def test_a_broken_record_is_made_again(tmp_path, monkeypatch):
    (tmp_path / "r.json").write_text("{}")
    monkeypatch.setattr(jobs, "command", lambda values, notebook: [sys.executable, "-c", ""])
    assert jobs.run({}, 0, tmp_path / "a.ipynb", tmp_path / "r.json") == 0
    assert not (tmp_path / "r.json").exists()


# GPUs


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Locks of devices in a folder of their own, and no list of visible devices."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(jobs.tempfile, "tempdir", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_each_run_owns_a_device_and_waits_while_all_are_taken(devices):
    with jobs.one_gpu(2) as first, jobs.one_gpu(2) as second:
        assert [e["CUDA_VISIBLE_DEVICES"] for e in (first, second)] == ["0", "1"]
        third = []

        def wait():
            with jobs.one_gpu(2, pause=0.05) as environment:
                third.append(environment["CUDA_VISIBLE_DEVICES"])

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        assert not third
    waiting.join(30)
    assert third and third[0] in ("0", "1")


def test_only_the_devices_that_the_caller_sees_are_used(devices, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-3f,7")
    with jobs.one_gpu(2) as first, jobs.one_gpu(2) as second:
        assert [e["CUDA_VISIBLE_DEVICES"] for e in (first, second)] == ["5", "GPU-3f"]
    with jobs.one_gpu(0) as environment:
        assert environment["CUDA_VISIBLE_DEVICES"] == "5,GPU-3f,7", "as Slurm has set it"


@pytest.mark.parametrize(
    "listed", ["", ",", "0,,1", "-1", "0,-1", "NoDevFiles", "../x", "/etc/passwd", "0;1", "GPU-", "GPU-../../x",
               "\u0661", "x" * 300, "0\n1", "\udcff"],
)  # fmt: skip
def test_an_odd_list_of_devices_is_one_clear_error(devices, monkeypatch, tmp_path, listed):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    with pytest.raises(ConfigError, match=r"CUDA_VISIBLE_DEVICES names .* no GPU: .* or unset it"), jobs.one_gpu(1):
        pass
    assert not list(tmp_path.iterdir())


def test_devices_listed_twice_and_parts_of_a_gpu(devices, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-GPU-3f/1/0, 4,4 ,5")
    with jobs.one_gpu(3) as first, jobs.one_gpu(3) as second, jobs.one_gpu(3) as third:
        assert [e["CUDA_VISIBLE_DEVICES"] for e in (first, second, third)] == ["MIG-GPU-3f/1/0", "4", "5"]


def test_locks_of_devices_lie_in_a_folder_of_ones_own(devices, tmp_path):
    folder = tmp_path / f"gift-gpus-{os.getuid()}"
    with jobs.one_gpu(1):
        assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)  # as earlier versions made it
    with jobs.one_gpu(1):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["a link to a folder", "another's folder", "a file", "a dangling link"])
def test_a_folder_that_somebody_made_first_is_not_used(devices, tmp_path, monkeypatch, trap):
    folder, elsewhere = tmp_path / f"gift-gpus-{os.getuid()}", tmp_path / "elsewhere"
    if trap == "a link to a folder":
        elsewhere.mkdir()
    if "link" in trap:
        folder.symlink_to(elsewhere)
    elif trap == "a file":
        folder.write_text("kept")
    else:
        folder.mkdir()
        another = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: another)
        folder.rename(tmp_path / f"gift-gpus-{os.getuid()}")
    with pytest.raises(DataError, match=r"(is another user's or a link|cannot make the folder).*Set TMPDIR"):
        jobs._take(["0"])
    assert not elsewhere.exists() or not list(elsewhere.iterdir())


def test_a_lock_follows_no_link_and_empties_no_file(devices, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    folder = tmp_path / f"gift-gpus-{os.getuid()}"
    folder.mkdir()
    (folder / "0").symlink_to(kept)
    (tmp_path / "a.lock").symlink_to(kept)
    with pytest.raises(DataError, match=r"cannot lock .*/0: "):
        jobs._take(["0"])
    with pytest.raises(DataError, match=r"cannot lock .*a\.lock: "), jobs.alone(tmp_path / "a.ipynb"):
        pass
    (folder / "1").write_text("kept too")
    device, lock = jobs._take(["1"])
    lock.close()
    assert (device, kept.read_text(), (folder / "1").read_text()) == ("1", "kept", "kept too")


def test_fewer_gpus_than_none_are_an_error_and_no_endless_wait(devices):
    with pytest.raises(ConfigError, match="-1 GPUs to share out"), jobs.one_gpu(-1):
        pass


def test_a_killed_run_gives_its_device_back(devices, tmp_path):
    seen = tmp_path / "seen"
    job = _job([sys.executable, "-c", CHILD, str(seen)], tmp_path / "a.ipynb", gpus=1)
    assert wait_for(lambda: seen.exists() and seen.read_text()) == "0"
    assert jobs._take(["0"]) is None
    (worker,) = (int(p) for p in Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split())
    kill(job.pid)
    job.wait()
    assert jobs._take(["0"]) is None, "its worker still computes there"
    kill(worker)
    device, lock = wait_for(lambda: jobs._take(["0"]))
    lock.close()
    assert device == "0"


# What is asked for


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"nmae": "table1"}, "no setting 'nmae'; did you mean 'name'"),
        ({"gpus": -1}, "'-1' should be a whole number from 0 on"),
        ({"gpus": "two"}, "'two' should be a whole number"),
        ({"gpus": 2}, "gpus=2 is for device=cuda"),
        ({"device": "cuda"}, "sees no GPU"),
        ({"device": "cpu; true"}, "there is no device"),
        ({"results": "a{b}"}, "cannot have braces in a path"),
        ({"name": {"a": "b"}}, "Snakemake takes name for"),
    ],
)
def test_a_batch_is_checked_before_it_is_planned(monkeypatch, config, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=said):
        batch.asked(config, 2, local=True)


@pytest.mark.parametrize("cores", [0, -1])
def test_no_cores_is_an_error_and_not_a_batch_that_waits(cores):
    with pytest.raises(ConfigError, match="at least one core"):
        batch.asked({}, cores, local=True)


def test_more_gpus_than_there_are_is_an_error_and_not_a_batch_that_waits(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(ConfigError, match="gpus=3 asked for, but there are 2"):
        batch.asked({"device": "cuda", "gpus": 3}, 2, local=True)
    assert batch.asked({"device": "cuda", "gpus": 2, "seeds": 5}, 2, local=True).seeds == "5"


def test_of_a_cluster_only_the_device_s_name_is_checked(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert batch.asked({"device": "cuda"}, None, local=False).device == "cuda"
    with pytest.raises(ConfigError, match="did you mean 'cuda'"):
        batch.asked({"device": "cude"}, None, local=False)


TINY_VALUES = json.dumps(parameters.of(experiment(**TINY)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pictures", "{"], "must be JSON"),
        (["pictures", "[1]"], "JSON with method, order, seed, scale, overrides, not"),
        (["pictures", "{}"], "JSON with method, order"),
        (["pictures", TINY_VALUES.replace('"mini"', '"nano"')], "there is no scale 'nano'"),
        (["pictures", TINY_VALUES, "--device", "cuda"], "sees no GPU"),
        (["pictures", TINY_VALUES, "--device", "tpu"], "there is no device 'tpu'"),
        (["status", ","], "names no sweep"),
        (["status", "table1", "--scale", "foo"], "there is no scale 'foo'"),
    ],
)
def test_bad_commands_are_one_clear_error(monkeypatch, tmp_path, capsys, words, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert batch.main([*words, "--output", str(tmp_path / "out.json")]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1 and not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("words", [["--gpus", "-1"], ["--gpus", "one"], ["--jobs", "0"], ["--jobs", "-2"]])
def test_numbers_that_make_no_sense_are_refused_where_they_are_read(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        batch.main(["status", "table1", *words])
    assert f"argument {words[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(("values", "said"), [("[]", "JSON with method"), ('{"device": "cuda"}', "sees no GPU")])
def test_a_job_refuses_what_cannot_run_before_a_kernel_starts(monkeypatch, tmp_path, capsys, values, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(jobs, "command", lambda *_: pytest.fail("a kernel is started"))
    words = [values, "--notebook", str(tmp_path / "a.ipynb"), "--output", str(tmp_path / "r.json")]
    assert jobs.main(words) == 2 and said in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        jobs.main([*words, "--gpus", "-1"])


def test_braces_in_a_path_are_no_parameters_of_papermill(tmp_path):
    assert jobs.command({}, tmp_path / "{x}.ipynb")[4].endswith("{{x}}.ipynb")


# Several writers


def _write_often(folder: str, seconds: float) -> None:
    for _ in range(40):
        made = record(experiment(), seconds=seconds)
        results.write(made, folder)


def test_writers_of_one_record_never_damage_it(tmp_path):
    """Two engines at once, and a reader that finds a whole record every time."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(str(tmp_path), float(i))) for i in range(2)]
    path = results.write(record(experiment()), tmp_path)
    for writer in writers:
        writer.start()
    reads = 0
    while any(w.is_alive() for w in writers):
        assert results.read(path)["config"]["method"] == "gift"
        reads += 1
    assert reads and [w.exitcode for w in writers] == [0, 0]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_records_of_several_engines_are_merged_by_name(tmp_path):
    """The same run has the same name wherever it was made, another run another: merging is copying."""
    for engine, seeds in (("a", (0, 1)), ("b", (1, 2))):
        for seed in seeds:
            results.write(record(experiment(seed=seed)), tmp_path / engine)
    for path in (tmp_path / "b").rglob("*.json"):
        os.replace(path, tmp_path / "a" / path.relative_to(tmp_path / "b"))
    frame = results.load_frame(tmp_path / "a")
    assert sorted(frame["seed"]) == [0, 1, 2] and {"Transfer", "Avg", "Last"} <= set(frame.columns)


# The engine itself


def test_any_path_and_no_value_as_shell_text(tmp_path):
    """Planned by the engine, and its shell lines read by a real shell: the marker is never made."""
    batch_of = Folders(tmp_path / 'a b$c\'d `e` "f" ; touch marker')
    batch_of.root.mkdir()
    batch_of.write({"a": {"prompt_template": "$(touch marker) {c}"}, "b": {"method": "zero-shot"}})
    ran = batch_of.snakemake("--cores", "1", "--dry-run", "--printshellcmds")
    assert ran.returncode == 0, ran.stderr
    lines = [line.partition(" -m gift_lib.runs.")[2] for line in (ran.stdout + ran.stderr).splitlines()]
    heard = as_a_shell_reads(list(filter(None, lines)))
    assert sorted(words[0] for words in heard) == ["batch", "jobs", "jobs"]
    for words in heard:
        paths = [words[words.index(o) + 1] for o in ("--output", "--notebook") if o in words]
        assert all(p.startswith(str(batch_of.root)) for p in paths)
        values = json.loads(words[2 if words[0] == "batch" else 1])
        assert parameters.experiment_of(values).tasks == ("digits", "terrain")
    assert not list(tmp_path.rglob("marker"))


@pytest.mark.parametrize(
    ("options", "config", "said"),
    [
        (("--cores", "1"), {"scale": "foo"}, "there is no scale 'foo'"),
        (("--cores", "1"), {"name": ","}, "names no sweep"),
        (("--cores", "0"), {}, "at least one core"),
        (("--cores", "1"), {"seeds": "1-"}, "seeds cannot be '1-'"),
        (("--cores", "1"), {"device": "cuda:99"}, "cuda:99"),
    ],
)
def test_a_batch_that_would_do_nothing_fails(folders, options, config, said):
    folders.write({"a": {}})
    ran = folders.snakemake(*options, **config)
    told = ran.stdout + ran.stderr
    assert ran.returncode != 0 and said in told and "Traceback" not in told


@pytest.mark.slow
def test_a_batch_below_an_odd_path_runs_quietly(tmp_path):
    """Pictures, papermill, the kernel and the record; nothing on the screen that looks like an error."""
    batch_of = Folders(tmp_path / "a b$c'd")
    batch_of.root.mkdir()
    batch_of.write({"GIFT": {"prompt_template": "it's $HOME {c}"}, "zero-shot": {"method": "zero-shot"}})
    ran = batch_of.snakemake("--cores", "1")
    told = ran.stdout + ran.stderr
    assert ran.returncode == 0, told[-3000:]
    assert len(batch_of.records()) == 2
    for noise in ("IPKernelApp", "KeyboardInterrupt", "without encryption", "Warning", "ERROR"):
        assert noise not in told


def test_the_snakefile_plans_what_is_missing(folders):
    """A dry run: one job for the pictures that two runs share, and none for the run that is there."""
    folders.write({"a": {}, "b": {"beta": 0.0}, "c": {"method": "finetune"}})
    there = next(e for e in plan(folders).values() if e.method == "finetune")
    results.write(
        results.Address(there, batch.identity(there)).record(record(there)["result"], {"seconds": 1.0}), folders.results
    )
    assert _planned(folders) == {"pictures": "1", "run": "2"}


def test_pictures_are_drawn_again_when_the_cache_was_cleared(folders, monkeypatch):
    """What says that they are there lies beside them; nothing that another batch has written is removed."""
    monkeypatch.setenv("GIFT_CACHE", str(folders.cache))
    folders.write({"a": {}})
    (key,) = {batch.pictures_key(e) for e in plan(folders).values()}
    mark = batch.drawn("cpu", key)
    mark.parent.mkdir(parents=True)
    mark.write_text("{}")
    assert _planned(folders) == {"run": "1"}
    assert [e.path.name for e in caches.clear(["pictures"])] == ["drawn"]
    assert _planned(folders) == {"pictures": "1", "run": "1"}


def test_another_batch_may_take_a_record_or_pictures_first(folders, monkeypatch):
    """Two engines with the same plan: the later one finds what the earlier one has written, and removes nothing."""
    monkeypatch.setenv("GIFT_CACHE", str(folders.cache))
    folders.write({"a": {}, "b": {"beta": 0.0}})
    both = [folders.start("--cores", "1") for _ in range(2)]
    assert [engine.wait(600) for engine in both] == [0, 0], (folders.root / "batch.log").read_text()[-3000:]
    assert len(folders.records()) == 2 and len(list(batch.drawn("cpu", "x").parent.iterdir())) == 1


def _planned(folders: Folders) -> dict[str, str]:
    """{rule: number of jobs} of what the command would do."""
    ran = folders.snakemake("--cores", "2", "--dry-run")
    assert ran.returncode == 0, ran.stderr
    words = [line.split() for line in (ran.stdout + ran.stderr).splitlines()]
    return {w[0]: w[1] for w in words if len(w) == 2 and w[0] in ("pictures", "run")}


@pytest.mark.slow
def test_a_failed_run_keeps_its_notebook_and_stops_no_other(folders):
    folders.write({"good": {"method": "finetune"}, "bad": {"method_options": {"nonsense": 1}}})
    ran = folders.snakemake("--cores", "2")
    assert ran.returncode == 1 and len(folders.records()) == 1
    bad = next(stem for stem, e in plan(folders).items() if e.method_options)
    assert "no setting 'nonsense'" in (folders.runs / "mini" / f"{bad}.ipynb").read_text()
    state = batch.status(str(folders.root / "tiny.yml"), "mini", "", folders.results, folders.runs, 2)
    assert "1 done, 1 failed" in state


def _victims(folders: Folders) -> dict[int, str]:
    """What may be killed: jobs, papermill and kernels; not Snakemake and not its shells."""
    kinds = ("gift_lib.runs.jobs", "gift_lib.runs.execute", "ipykernel_launcher")
    return {p: line for p, line in folders.processes().items() if any(f"-m {k}" in line for k in kinds)}


def _kill_some(folders: Folders, number: int, draw: random.Random) -> list[str]:
    """Kill that many processes of runs, of any kind, at random moments."""
    killed = []
    while len(killed) < number:
        time.sleep(draw.uniform(0.5, 6.0))
        if victims := _victims(folders):
            pid = draw.choice(sorted(victims))
            kill(pid)
            killed.append(victims[pid])
    return killed


@pytest.mark.slow
def test_a_batch_of_twenty_survives_kills_of_five_runs_and_of_the_engine(folders):
    """The same command once more completes it, equal to the byte to runs without an engine, nothing left behind."""
    variants = {"GIFT": {}, "none": {"consolidation": "none"}, "l2": {"method": "l2"}, "fine": {"method": "finetune"}}
    folders.write({k: {**v, "synthetic_seed": 0} for k, v in variants.items()}, seeds=5)
    draw = random.Random(int(os.environ.get("KILL_SEED", "0")))
    engine = folders.start("--cores", "2")
    wait_for(lambda: _victims(folders), 900)
    killed = _kill_some(folders, 5, draw)
    time.sleep(draw.uniform(0.5, 6.0))
    assert engine.poll() is None, "the batch was over before it could be disturbed"
    kill(engine.pid)
    engine.wait()
    before = folders.records()
    resumed = folders.snakemake("--cores", "2")
    assert resumed.returncode == 0, (killed, resumed.stderr[-3000:])
    after = folders.records()
    assert len(after) == 20 and before.items() <= after.items()
    assert after == undisturbed(plan(folders), folders.root / "other-cache")
    _nothing_left(folders)


def _nothing_left(folders: Folders) -> None:
    wait_for(lambda: not folders.processes(), 60)
    assert not list(folders.runs.rglob("*.lock")) and not list((folders.cache / "runs").iterdir())
    assert not list(folders.root.rglob("*.tmp")) and not list((folders.root / ".snakemake").glob("locks/*"))
    assert _planned(folders) == {}
