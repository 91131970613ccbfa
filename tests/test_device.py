"""Devices by name, data read ahead, and pictures drawn on several GPUs (with GPUs that only pretend)."""

import importlib
import io
import os
import threading
from types import SimpleNamespace

import pytest
import torch
from tqdm.auto import tqdm

from gift_lib import generate as g
from gift_lib.config import experiment
from gift_lib.device import ahead, deterministic, find_device, warn_of_emulation
from gift_lib.errors import ConfigError
from gift_lib.generation import workers as processes
from gift_lib.pictures import Draw, PictureCache, Sampler
from gift_lib.runs.repository import ROOT
from gift_lib.training import Runtime


@pytest.fixture
def machine(monkeypatch):
    """Pretend that this machine has GPUs, or is a Mac."""

    def pretend(gpus=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpus", "mps", "best"), [(2, False, "cuda"), (1, True, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_is_the_best_that_is_there(machine, gpus, mps, best):
    machine(gpus, mps)
    assert find_device("auto") == best and Runtime(device="auto").device == best


def test_a_device_that_is_there_keeps_its_name(machine):
    machine(gpus=2, mps=True)
    assert [find_device(n) for n in ("cpu", "cuda", "cuda:1", "mps")] == ["cpu", "cuda", "cuda:1", "mps"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("cuda", "sees no GPU"), ("mps", "sees no Apple GPU"), ("cude", "did you mean 'cuda'"), ("cuda:x", "no device"),
     ("tpu", "no device 'tpu'"), ("cuda:1; true", "no device"), ("", "no device"), ("cuda:", "no device")],
)  # fmt: skip
def test_a_device_that_is_not_there(machine, name, told):
    machine()
    with pytest.raises(ConfigError, match=told):
        find_device(name)


@pytest.mark.parametrize(("device", "precision", "has", "warned"), [
    ("cuda", "bf16", False, True), ("cuda:1", "bf16", True, False), ("cuda", "fp16", False, False),
    ("cpu", "bf16", False, False)])  # fmt: skip
def test_a_gpu_without_bf16_is_told(monkeypatch, caplog, device, precision, has, warned):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    warn_of_emulation(device, precision)
    assert ('Use precision="fp16"' in caplog.text) is warned


def test_a_gpu_too_many(machine):
    machine(gpus=2)
    with pytest.raises(ConfigError, match="there are 2 GPUs"):
        find_device("cuda:2")


def test_deterministic_kernels_are_asked_for_and_put_back(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled()
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.are_deterministic_algorithms_enabled() == before


# --- reading ahead ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_reading_ahead_gives_the_same_in_the_same_order(kind, n):
    assert list(ahead(lambda k: k * k, range(n), torch.device(kind))) == [k * k for k in range(n)]


def test_one_is_read_while_another_is_used():
    """The second is made before the first is given back for the next; on a CPU in the caller's own thread."""
    made, threads = [], set()

    def make(k):
        made.append(k)
        threads.add(threading.current_thread())
        return k

    items = ahead(make, range(4), torch.device("cuda"))
    assert next(items) == 0
    assert next(items) == 1 and 2 in made and threading.current_thread() not in threads
    items.close()
    made.clear()
    items = ahead(make, range(4), torch.device("cpu"))
    assert next(items) == 0 and made == [0] and threading.current_thread() in threads


def test_a_fault_while_reading_ahead_is_told():
    def make(k):
        if k == 2:
            raise ValueError("broken picture")
        return k

    items = ahead(make, range(4), torch.device("cuda"))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="broken picture"):
        next(items)


# --- several GPUs -------------------------------------------------------------------------------------------------


def test_processes_take_the_gpus_in_turn(machine):
    machine(gpus=3)
    spec = g.PipelineSpec("mini", "cuda", "fp16")
    assert [processes._on_gpu(spec, i).device for i in range(5)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]
    chosen = g.PipelineSpec("mini", "cuda:2", "fp16")
    assert processes._on_gpu(chosen, 1) == chosen, "a GPU that the user named stays"
    machine(gpus=1)
    assert processes._on_gpu(spec, 1) == spec


class Threads:
    """Processes that are threads, so that GPUs may be pretended in them."""

    class Process(threading.Thread):
        def __init__(self, target, args, daemon):
            super().__init__(target=target, args=args, daemon=daemon)

        def terminate(self):
            """A thread ends by itself."""

    @staticmethod
    def Value(_, value):
        lock = threading.Lock()
        return SimpleNamespace(value=value, get_lock=lambda: lock)


def test_prompts_are_split_over_the_gpus(machine, monkeypatch, tmp_path):
    """Every chunk is drawn exactly once, each process on its own GPU."""
    machine(gpus=3)
    drawn, lock = [], threading.Lock()
    meet = threading.Barrier(3, timeout=60)

    def work(spec, chunks, cache, take, made):
        meet.wait()  # all three are at work at once
        while (i := take()) < len(chunks):
            with lock:
                drawn.append((spec.device, i))
            made(len(chunks[i]))

    monkeypatch.setattr(processes, "_processes", lambda: Threads)
    monkeypatch.setattr(processes, "_work", work)
    monkeypatch.setattr(processes.multiprocessing, "parent_process", lambda: SimpleNamespace(is_alive=lambda: True))
    chunks = [[Draw(f"p{i}", k) for k in range(2)] for i in range(40)]
    spec, bar = g.PipelineSpec("mini", "cuda", "fp16"), tqdm(total=80, file=io.StringIO(), disable=False)
    cache = PictureCache(tmp_path, Sampler(1, 1.0, "dpm++", 2, 16, ""))
    processes._side_by_side(spec, chunks, cache, 3, bar)
    assert sorted(i for _, i in drawn) == list(range(40))
    assert {d for d, _ in drawn} <= {"cuda:0", "cuda:1", "cuda:2"} and bar.n == 80


# --- the pipeline of the larger scales ----------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "name"), [(50, "pndm"), (60, "pndm"), (49, "dpm++"), (25, "dpm++")])
def test_below_fifty_steps_the_sampler_is_dpm_solver(steps, name):
    spec = g.PipelineSpec("mini")
    assert spec.sampler(steps, 7.5, "auto").scheduler == name
    assert spec.sampler(steps, 7.5, "ddim").scheduler == "ddim"
    assert experiment("paper").scheduler == experiment("colab").scheduler == "auto"


def test_compilation_is_asked_for_by_name_and_on_a_gpu_only(monkeypatch):
    e = experiment("paper")
    monkeypatch.delenv("GIFT_COMPILE", raising=False)
    assert not g.PipelineSpec.of(e, "cuda").compiled
    monkeypatch.setenv("GIFT_COMPILE", "1")
    assert g.PipelineSpec.of(e, "cuda").compiled and not g.PipelineSpec.of(e, "cpu").compiled
    assert (g.PipelineSpec.of(e, "cuda").precision, g.PipelineSpec.of(e, "cpu").precision) == ("bf16", "fp32")


@pytest.mark.parametrize("command", ["make", "early"])
@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_the_world_s_commands_notice_a_missing_device_at_once(machine, monkeypatch, capsys, command, device):
    from gift_lib.world import __main__ as world

    machine()
    for name in ("make", "make_early"):
        monkeypatch.setattr(world.make, name, lambda *_, **__: pytest.fail("work has begun"))
    assert world.main([command, "--device", device]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("module", ["gift_lib.runs.zero_shot", "gift_lib.runs.dry_run", "gift_lib.evidence.row"])
def test_other_commands_notice_a_missing_device_at_once(machine, capsys, module, tmp_path):
    machine()
    given = [str(ROOT / "gift_lib" / "methods" / "finetune.py")] if module.endswith("row") else []
    assert importlib.import_module(module).main([*given, "--device", "cuda"]) == 2
    assert "sees no GPU" in capsys.readouterr().err


def test_the_benchmarks_notice_a_missing_device_at_once(machine, capsys, monkeypatch):
    from tests.benchmarks import __main__ as benchmarks

    machine()
    monkeypatch.setattr("sys.argv", ["benchmarks", "--device", "cuda"])
    with pytest.raises(SystemExit, match="2"):
        benchmarks.arguments()
    assert "sees no GPU" in capsys.readouterr().err
