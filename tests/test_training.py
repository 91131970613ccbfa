"""The one loop on the scale model: repeatable to the byte, resumable at any moment, loud when something is wrong."""

import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from fixtures_methods import equal, tiny_method, tiny_task, weights

from gift_lib import checkpoint, data, methods, results, training
from gift_lib.config import NUMERICS_VERSION, experiment
from gift_lib.errors import ConfigError, DataError, GiftError, NumericsError
from gift_lib.files import canonical_json, digest, read_json
from gift_lib.methods.base import Batch, Shuffle, seeded
from gift_lib.pool import prompt_stream
from gift_lib.training import Learner, Runtime, learning_rate, run

GOLDEN = Path(__file__).parent / "golden.json"
#: Two tasks, six steps, eight pictures: everything of a run, in a second or two.
SMALL = {"tasks": ("terrain", "digits"), "steps": 6, "images_per_task": 8, "denoising_steps": 2,
         "batch_size": 8, "synthetic_batch_size": 4}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One cache of pictures for the module: generation has tests of its own."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def runtime(cache):
    return Runtime(cache_dir=cache, progress=False, checkpoint_every=2)


@pytest.fixture(scope="module")
def first(cache):
    """A run whose record several tests compare with."""
    return run(experiment(seed=101, **SMALL), Runtime(cache_dir=cache, progress=False, checkpoint_every=2))


def result(record):
    return canonical_json(record["result"])


def test_same_seed_same_bytes_and_another_seed_others(runtime, first):
    assert result(first) == result(run(experiment(seed=101, **SMALL), runtime))
    assert result(run(experiment(seed=102, **SMALL), runtime)) != result(first)


def test_the_record_is_complete(runtime, tmp_path):
    e = experiment(seed=101, **SMALL)
    keeping = dataclasses.replace(runtime, keep_models=True)
    record = run(e, keeping, tmp_path)
    assert record["result"]["tasks"] == ["terrain", "digits"]
    assert len(record["result"]["R"]) == len(record["result"]["zero_shot"]) == 2
    assert set(record["result"]["losses"]["digits"]) == {"ce", "cd", "ita"}
    assert len(record["result"]["losses"]["digits"]["ce"]) == e.steps
    assert all(len(d) == 16 for d in record["result"]["synthetic"])
    assert record["config"] == e.to_dict()
    assert results.read_all(tmp_path) == [record]
    assert not list((runtime.cache / "runs").iterdir()), "the state of a finished run is gone"
    frame = results.load_frame(tmp_path)
    assert frame.loc[0, "Last"] == pytest.approx(sum(record["result"]["R"][-1]) / 2)
    check_kept(e, keeping, record, tmp_path)


def check_kept(e, keeping, record, folder):
    """The models after both tasks lie in the cache; where one is gone, its run counts as one that kept none."""
    kept = training.kept_of(results.Address(e, training.identity_of(e, keeping)), keeping)
    assert kept.record == record == run(e, keeping, folder)
    first, last = kept.model(0), kept.model(1)
    assert first.keys() == last.keys() == training.load_clip(e.model).model.state_dict().keys()
    assert any(not torch.equal(first[k], last[k]) for k in first)
    (kept.folder / "01.safetensors").write_bytes(b"cut short")
    with pytest.raises(DataError, match="broken"):
        kept.model(0)
    (kept.folder / "01.safetensors").unlink()
    assert kept.record is None
    with pytest.raises(DataError, match="not there"):
        kept.model(0)


def test_a_current_record_is_not_run_again(runtime, tmp_path, monkeypatch):
    e = experiment(method="zero-shot", seed=101, **SMALL)
    record = run(e, runtime, tmp_path)
    monkeypatch.setattr(training, "_run", lambda *_: pytest.fail("ran again"))
    assert run(e, runtime, tmp_path) == record


@pytest.mark.parametrize("stop", [1, 3, 6, 7, 11])
@pytest.mark.parametrize("settings", [{}, {"consolidation": "fisher"}, {"teacher": "wise(0.5)"}], ids=str)
def test_interrupted_and_resumed_equals_uninterrupted(runtime, monkeypatch, settings, stop):
    e = experiment(seed=103, **SMALL, **settings)
    whole = run(e, runtime)
    calls = iter(range(1, 1000))

    def interrupt(self, step):
        if next(calls) == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(methods.Method, "after_step", interrupt)
        run(e, runtime)
    resumed = run(e, runtime)
    assert resumed["run"]["resumed"] == (stop >= 3), "there is a checkpoint after every second step"
    assert result(resumed) == result(whole)


def run_in_another_process(cache, folder):
    run(experiment(seed=104, **SMALL), Runtime(cache_dir=str(cache), progress=False, checkpoint_every=2), folder)


def processes():
    """Processes that start in no time: copies of one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gift_lib.training"])
    return context


def kill_and_resume(place, kills, rng):
    """Kill a run with SIGKILL so often, at random moments of drawing and training; one that ends before starts anew.

    The results of all that ended, at what they were killed, and what is left behind in the end.
    """
    ended, moments = [], Counter()
    _to_its_end(place / "warm", ended)  # everything is imported now
    started = time.monotonic()
    _to_its_end(place / "undisturbed", ended)
    seconds = time.monotonic() - started
    cache, folder = place / "cache", place / "results"
    while sum(moments.values()) < kills:
        process = processes().Process(target=run_in_another_process, args=(cache, folder))
        process.start()
        process.join(rng.uniform(0, 0.8) * seconds)
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            trained, drawn = list(cache.rglob("state.safetensors")), list(cache.rglob("*.png"))
            moments["in training" if trained else "in drawing" if drawn else "before any"] += 1
        else:
            ended += [result(r) for r in results.read_all(folder)]
            shutil.rmtree(cache)
            shutil.rmtree(folder)
    _to_its_end(place, ended)
    left = [p for root in (cache, folder) for p in root.rglob("*") if p.name.endswith(".tmp") or p.name == "lock"]
    return ended, moments, left


def _to_its_end(place, ended):
    process = processes().Process(target=run_in_another_process, args=(place / "cache", place / "results"))
    process.start()
    process.join()
    assert process.exitcode == 0
    ended += [result(r) for r in results.read_all(place / "results")]


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path, kills):
    ended, moments, left = kill_and_resume(tmp_path, kills, random.Random(kills))
    print(f"killed {dict(moments)}; {len(ended)} results, {len(set(ended))} distinct")
    assert len(ended) >= 2 and len(set(ended)) == 1
    assert left == []


def test_golden_run(runtime):
    """Another result of the same experiment is another numerics version: bump it, then run with GIFT_GOLDEN=write."""
    record = run(experiment(seed=100, **SMALL), runtime)
    made = {
        "numerics": NUMERICS_VERSION,
        "identity": record["identity"],
        "cpu_capability": record["run"]["cpu_capability"],
        "torch": record["run"]["packages"]["torch"],
        "digest": digest(record["result"]),
        "first_losses": {t: {k: v[0] for k, v in c.items()} for t, c in record["result"]["losses"].items()},
    }
    if os.environ.get("GIFT_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    golden = read_json(GOLDEN)
    assert golden["identity"] == made["identity"], "world, weights or numerics changed: write the golden run anew"
    for task, terms in golden["first_losses"].items():
        assert made["first_losses"][task] == pytest.approx(terms, rel=0.02, abs=1e-4), "far beyond rounding"
    if all(golden[k] == made[k] for k in ("cpu_capability", "torch")):
        assert golden["digest"] == made["digest"], "same machine, other bytes: bump config.NUMERICS_VERSION"


def test_nan_is_one_clear_error_and_keeps_finished_tasks(runtime, monkeypatch, tmp_path, first):
    e = experiment(seed=101, **SMALL)
    honest = methods.Method.cross_entropy

    def broken(self, batch):
        return honest(self, batch) * (float("nan") if self.task.name == "digits" and batch.step == 3 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(methods.Method, "cross_entropy", broken)
        with pytest.raises(NumericsError, match=r"'ce' is nan at step 4 of task 'digits'\. Lower the learning rate"):
            run(e, runtime, tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    resumed = run(e, runtime, tmp_path)
    assert resumed["run"]["resumed"]
    assert result(resumed) == result(first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "gitf"}, "did you mean 'gift'"),
        ({"method_options": {"memory": 3}}, "method 'gift' has no setting 'memory'"),
        ({"tasks": ("terrain", "digit")}, "did you mean 'digits'"),
        ({"order": "terrain,moon"}, "there is no task 'moon'"),
        ({"model": "mini-99"}, "make world"),
        ({"pipeline": "/nowhere"}, "/nowhere"),
        ({"tasks": ("scenes",), "order": "silhouettes,textures"}, "'scenes' is not in the order"),
        ({"tasks": ("digits", "scenes"), "order": "digits,textures"}, "'scenes' is not in the order"),
        ({"lr_per_task": {"digit": 1e-4}}, "lr_per_task: there is no task 'digit'; did you mean 'digits'"),
        ({"lr_per_task": {"MNIST": 1e-4}}, "lr_per_task: there is no task 'MNIST'"),
    ],
)
def test_bad_experiments_fail_before_any_work(runtime, settings, message, tmp_path):
    """And nothing is written: no record, no state of a run."""
    states = set(runtime.cache.glob("runs/*"))
    with pytest.raises(GiftError, match=message):
        run(experiment(**{**SMALL, **settings}), runtime, tmp_path / "results")
    assert not (tmp_path / "results").exists() and set(runtime.cache.glob("runs/*")) == states


@pytest.mark.parametrize(
    "values",
    [{"checkpoint_every": 0}, {"checkpoint_every": -1}, {"checkpoint_every": 2.5}, {"checkpoint_every": True},
     {"checkpoint_every": None}, {"workers": 0}, {"workers": "2"}, {"cache_dir": 5}, {"data_dir": ["x"]},
     {"device": None}, {"device": "cuda:\u0663"}, {"device": []}],
)  # fmt: skip
def test_a_runtime_that_makes_no_sense(values):
    name = next(iter(values))
    made = object.__new__(Runtime)  # past the check of types, which only tests have
    for f in dataclasses.fields(Runtime):
        object.__setattr__(made, f.name, values.get(f.name, f.default))
    with pytest.raises(ConfigError, match=f"there is no device|{name} must be"):
        made.__post_init__()


def test_no_gpu(runtime):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        run(experiment(**SMALL), Runtime(device="cuda", cache_dir=runtime.cache_dir))


def test_damaged_state_says_what_to_delete(runtime, monkeypatch):
    e = experiment(seed=106, **SMALL)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(methods.Method, "after_task", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run(e, runtime)
    (state,) = (runtime.cache / "runs").rglob("state.safetensors")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(GiftError, match=r"is broken.*Delete it"):
        run(e, runtime)
    state.unlink()
    run(e, runtime)


def test_the_teacher_is_the_former_self_and_never_trained(runtime, monkeypatch):
    seen = []

    def watch(self, step):
        if step == 1:
            seen.append((self.task.name, self.teacher.images.clone(), self.teacher.images.requires_grad))
        else:
            assert torch.equal(seen[-1][1], self.teacher.images)

    monkeypatch.setattr(methods.Method, "after_step", watch)
    run(experiment(seed=107, **SMALL), runtime)
    assert [s[0] for s in seen] == ["terrain", "digits"]
    assert not any(s[2] for s in seen)


def test_logit_scale_is_never_trained(runtime, monkeypatch):
    scales = []
    monkeypatch.setattr(methods.Method, "after_task", lambda self, task: scales.append(float(self.scale)))
    before = float(training.load_clip("mini").scale)
    run(experiment(seed=101, method="finetune", **SMALL), runtime)
    assert scales == [before, before]


def test_classes_join_the_pool_after_their_task_only():
    e = experiment(images_per_task=2000)
    tasks = data.load_tasks(e)
    seen = set()
    for task, prompts in zip(tasks, prompt_stream(e, tasks), strict=True):
        later = {p for t in tasks[len(seen) :] for p in t.prompts()}
        assert not later & set(prompts), "no prompt names a class of the current task or a future one"
        assert all(set(t.prompts()) & set(prompts) for t in tasks[: len(seen)]), "every past task is drawn from"
        seen.add(task.name)


def test_a_gradient_in_another_memory_order_is_taken_entry_by_entry():
    """The fused optimiser on a CPU would read it in the order of memory: a reader's own method may set such a one."""

    def stepped(turned):
        method = tiny_method("finetune")
        method.task_index, task = 0, tiny_task(0)
        method.before_task(task, None)
        learner = Learner(method, 1e-2, 6)
        if turned:
            for p in method.parameters().values():
                if p.dim() == 2:
                    p.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", p.grad.T.contiguous().T))
        x = method.clip.preprocess.eval(task.train.images.pixels[:8])
        learner.step(Batch(0, x, task.train.labels[:8], torch.empty(0, dtype=torch.int64)))
        return weights(method)

    assert equal(stepped(False), stepped(True))


def test_learning_rate_schedule():
    rates = [learning_rate(s, 100, 0.1, 1.0) for s in range(100)]
    assert rates[:10] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.001


def order_of(step):
    return seeded(0, 0, "x", step)


@pytest.mark.parametrize(
    ("n", "size", "per_epoch", "rest"),
    [
        (1000, 64, 16, 40),  # synthetic pictures: 62.5 epochs in 1000 steps
        (3334, 64, 53, 6),  # Aircraft
        (1880, 64, 30, 24),  # DTD
        (10, 4, 3, 2),
        (8, 4, 2, 4),
        (5, 1, 5, 1),
    ],
)
def test_an_epoch_is_a_permutation_and_ends_with_a_short_batch(n, size, per_epoch, rest):
    shuffle = Shuffle(n, size, order_of)
    epochs = [[shuffle(e * per_epoch + k) for k in range(per_epoch)] for e in range(3)]
    assert shuffle.per_epoch == per_epoch
    for batches in epochs:
        assert [len(b) for b in batches] == [size] * (per_epoch - 1) + [rest]
        assert sorted(torch.cat(batches).tolist()) == list(range(n)), "so no index stands twice in a batch either"
    assert not torch.equal(torch.cat(epochs[0]), torch.cat(epochs[1]))
    fresh = Shuffle(n, size, order_of)
    assert torch.equal(fresh(2 * per_epoch), epochs[2][0]), "a step is a function of its number alone"
    assert torch.equal(shuffle(per_epoch - 1), epochs[0][-1]), "backwards too"


def test_a_set_smaller_than_a_batch_is_the_batch():
    shuffle = Shuffle(3, 64, order_of)
    assert [sorted(shuffle(s).tolist()) for s in range(4)] == [[0, 1, 2]] * 4
    assert len({tuple(shuffle(s).tolist()) for s in range(12)}) > 1, "in an order of its own each time"
    assert len(Shuffle(0, 4, order_of)(3)) == 0


def test_two_processes_on_one_run(runtime):
    e = experiment(method="zero-shot", seed=108, **SMALL)
    state = runtime.cache / "runs" / results.Address(e, training.identity_of(e)).key
    with (
        pytest.raises(GiftError, match="another process"),
        checkpoint.workplace(state),
    ):
        run(e, runtime)
