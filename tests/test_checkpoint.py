"""The state file of an unfinished run."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from fixtures_methods import interrupt_at, tiny_clip, tiny_experiment, world
from fixtures_records import record
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from gift_lib import checkpoint, files, results, training
from gift_lib.checkpoint import State
from gift_lib.clip import save_checkpoint
from gift_lib.config import experiment
from gift_lib.errors import DataError, GiftError
from gift_lib.pictures import Draw, PictureCache, Sampler, SyntheticSet
from gift_lib.tasks import TensorImages
from gift_lib.training import Runtime

__all__ = ["world"]

HERE = {"run": "0123456789abcdef", "processor": "cpu AVX2", "torch": "2.11.0"}


def state(folder, **owner):
    return State(folder / "s.safetensors", {**HERE, **owner})


def test_round_trip_with_shared_and_empty_tensors(tmp_path):
    w = torch.randn(3, 2)
    groups = {"start": {"w": w, "same": w}, "model": {"a/b": torch.empty(0), "scalar": torch.tensor(2.0)}}
    groups["kinds"] = {"half": w.bfloat16(), "count": torch.tensor([3]), "bit": torch.tensor(True), "turned": w.T}
    state(tmp_path).write(groups, {"step": 3, "R": [[1.5]], "beta": 1e-05})
    back, meta = state(tmp_path).read()
    assert meta == {"step": 3, "R": [[1.5]], "beta": 1e-05}
    for group, tensors in groups.items():
        for name, tensor in tensors.items():
            assert torch.equal(back[group][name], tensor) and back[group][name].dtype == tensor.dtype


def test_absent_is_none(tmp_path):
    assert state(tmp_path).read() is None


@pytest.fixture
def written(tmp_path):
    state(tmp_path).write({"start": {"w": torch.randn(5, 3)}, "model": {"b": torch.arange(4)}}, {"step": 3, "R": []})
    return tmp_path / "s.safetensors"


def test_any_flipped_bit_is_noticed(written):
    """In a number, a name, a shape, the JSON or the padding of the header."""
    whole = written.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        written.write_bytes(flipped)
        with pytest.raises(DataError, match=r"(is broken|is the state of another run).*Delete it"):
            state(written.parent).read()
    written.write_bytes(whole)
    assert state(written.parent).read()


@pytest.mark.parametrize("change", ["truncated", "empty", "longer", "a tensor less", "a tensor more", "without a seal"])
def test_a_file_that_is_not_what_was_written(written, change):
    whole, tensors = written.read_bytes(), load_file(written)
    with safe_open(written, framework="pt") as file:
        said = dict(file.metadata())
    if change in ("truncated", "empty", "longer"):
        written.write_bytes({"truncated": whole[:-10], "empty": b"", "longer": whole + bytes(8)}[change])
    else:
        tensors.pop("model/b") if change == "a tensor less" else tensors.update(more=torch.ones(1))
        said.pop("seal") if change == "without a seal" else None
        save_file(tensors, written, metadata=said)
    with pytest.raises(DataError, match=r"s\.safetensors is broken .*Delete it"):
        state(written.parent).read()


@pytest.mark.parametrize(
    ("owner", "told"),
    [
        ({"run": "f" * 16}, "is the state of another run"),
        ({"processor": "cpu AVX512"}, r"begun with processor cpu AVX2 \(here cpu AVX512\): .* nobody can repeat"),
        ({"torch": "2.12.0"}, r"begun with torch 2\.11\.0 \(here 2\.12\.0\)"),
        ({"numpy": "2.1"}, r"begun with numpy None \(here 2\.1\)"),
    ],
)
def test_a_state_goes_on_where_it_was_begun_only(written, owner, told):
    with pytest.raises(DataError, match=told + r".*Delete it: the run then starts from its first task"):
        state(written.parent, **owner).read()


def test_a_state_knows_this_machine_and_the_packages(tmp_path):
    owner = checkpoint.state_in(tmp_path, "k", "cpu").owner
    assert (
        owner["run"] == "k" and owner["processor"].startswith("cpu ") and torch.__version__.startswith(owner["torch"])
    )


def test_workplace_is_locked_and_removed_on_success_only(tmp_path):
    folder = tmp_path / "run"
    with checkpoint.workplace(folder), pytest.raises(GiftError, match="another process"), checkpoint.workplace(folder):
        pass
    assert not folder.exists()
    with pytest.raises(RuntimeError), checkpoint.workplace(folder):
        raise RuntimeError
    assert folder.exists()


# In a run


def interrupted(world, monkeypatch, stop=3, **settings):
    """A run stopped within a task, after a checkpoint; its state file."""
    before = set(Path(world.folder).rglob("state.safetensors"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(stop, patch)
        world.run("gift", **settings)
    (path,) = set(Path(world.folder).rglob("state.safetensors")) - before
    return path


def resealed(path, change):
    """Change what a state holds and seal it again: only what it means is then wrong."""
    with safe_open(path, framework="pt") as file:
        said = dict(file.metadata())
    tensors, meta = load_file(path), json.loads(said["meta"])
    change(tensors, meta)
    said = {"meta": json.dumps(meta), "owner": said["owner"]}
    save_file(tensors, path, metadata={**said, "seal": checkpoint.seal(tensors, said)})


def without(group):
    return lambda tensors, meta: [tensors.pop(n) for n in list(tensors) if n.startswith(f"{group}/")]


@pytest.mark.parametrize(
    "change",
    [
        without("optimizer"), without("start"), without("model"),
        lambda tensors, meta: tensors.pop(next(n for n in tensors if n.startswith("optimizer/exp_avg/"))),
        lambda tensors, meta: tensors.pop(next(n for n in tensors if n.startswith("model/"))),
        lambda tensors, meta: tensors.update({"optimizer/exp_avg/none": torch.ones(1)}),
        lambda tensors, meta: meta.update(step=1), lambda tensors, meta: meta.update(step=4),
        lambda tensors, meta: meta.update(step=1000), lambda tensors, meta: meta.update(step="2"),
        lambda tensors, meta: meta.update(R=[[50.0] * 3]), lambda tensors, meta: meta.update(colour=1),
        lambda tensors, meta: meta.pop("step"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit_its_run_ends_in_no_record(world, monkeypatch, change):
    whole = world.run("gift")
    path = interrupted(world, monkeypatch)
    kept = path.read_bytes()
    resealed(path, change)
    with pytest.raises(DataError, match=r"state\.safetensors is broken .*Delete it"):
        world.run("gift")
    path.write_bytes(kept)
    resumed = world.run("gift")
    assert resumed["run"]["resumed"] and resumed["result"] == whole["result"]


def test_the_state_of_another_run_is_refused(world, monkeypatch):
    whole = world.run("gift", seed=5)
    mine, other = interrupted(world, monkeypatch, seed=5), interrupted(world, monkeypatch, seed=6)
    shutil.copy(other, mine)
    with pytest.raises(DataError, match="is the state of another run"):
        world.run("gift", seed=5)
    mine.unlink()
    assert world.run("gift", seed=5)["result"] == whole["result"], "deleted, the run starts from its first task"


# Disks that are full or cannot be written


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of 256 kB; `disk("ro")` makes it read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], capture_output=True).returncode:
        pytest.skip("only root may mount a file system")

    def remount(how="rw"):
        subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)
        return place

    yield remount
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(disk):
    small, large = {"start": {"w": torch.ones(100)}}, {"start": {"w": torch.ones(100_000)}}
    s = state(disk())
    s.write(small, {"step": 1})
    with pytest.raises(DataError, match=r"cannot write .*s\.safetensors: .*No space left .*run the same command again"):
        s.write(large, {"step": 2})
    assert s.read()[1] == {"step": 1} and os.listdir(disk()) == ["s.safetensors"]


def test_a_full_disk_is_told_by_every_writer(disk):
    """Records, generated pictures, sets of them, and the weights of a CLIP: none leaves a part."""
    place = disk()
    (place / "full").write_bytes(bytes(250_000))
    pixels = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sampler = Sampler(1, 1.0, "ddim", 1, 64, "w")
    drawn = SyntheticSet(("a",), (0,), TensorImages(pixels[None]), {})
    for write in (
        lambda: results.write(record(experiment(prompt_template="{c}" + "x" * 20_000)), place),
        lambda: PictureCache(place, sampler).put(Draw("a", 0), pixels),
        lambda: drawn.save(place / "set"),
        lambda: save_checkpoint(tiny_clip(), place / "clip"),
    ):
        with pytest.raises(DataError, match=r"cannot write .*No space left .*run the same command again"):
            write()
    assert [p.name for p in place.rglob("*") if p.is_file()] == ["full"]


def test_a_full_disk_without_one(monkeypatch, tmp_path):
    """The same where nobody may mount: whatever library writes, and wherever the disk fills."""
    state(tmp_path).write({"start": {"w": torch.ones(9)}}, {"step": 1})
    for name, error in (("save_file", SafetensorError("I/O error: No space left on device (os error 28)")),
                        ("save_file", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, name, lambda *a, error=error, **k: (_ for _ in ()).throw(error))
            with pytest.raises(DataError, match=r"No space left.*run the same command again"):
                state(tmp_path).write({"start": {"w": torch.zeros(9)}}, {"step": 2})
    assert state(tmp_path).read()[1] == {"step": 1} and os.listdir(tmp_path) == ["s.safetensors"]


def test_a_read_only_mount_is_one_clear_error(disk):
    state(disk()).write({"start": {"w": torch.ones(9)}}, {"step": 1})
    place = disk("ro")
    for write in (
        lambda: state(place).write({"start": {"w": torch.ones(9)}}, {"step": 2}),
        lambda: files.write_json(place / "a.json", 1),
        lambda: files.write_json(place / "s.safetensors", 1),
        lambda: files.check_writable(place),
        lambda: files.check_writable(place / "mini"),
        lambda: checkpoint.workplace(place).__enter__(),
        lambda: checkpoint.workplace(place / "run").__enter__(),
    ):
        with pytest.raises(DataError, match=r"cannot (write|make).*Read-only file system"):
            write()
    assert state(place).read()[1] == {"step": 1}


@pytest.mark.parametrize("where", ["results", "cache"])
def test_a_run_says_before_training_that_it_cannot_write(world, monkeypatch, disk, where):
    monkeypatch.setattr(training, "fit", lambda *_: pytest.fail("trained"))
    place = disk("ro")
    folders = {"results": (world.folder, place / "r"), "cache": (str(place), Path(world.folder) / "r")}
    cache, out = folders[where]
    with pytest.raises(DataError, match=r"cannot make the folder .*Read-only file system.*you may write to"):
        training.run(tiny_experiment("finetune"), Runtime(cache_dir=cache, progress=False), out)


def test_results_that_lie_where_a_file_is(world, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "fit", lambda *_: pytest.fail("trained"))
    (tmp_path / "r").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        training.run(tiny_experiment("finetune"), Runtime(cache_dir=world.folder, progress=False), tmp_path / "r")


def test_a_state_of_an_older_version_is_begun_anew_and_said(tmp_path, caplog):
    """Before seals a state said nothing of its run: an upgrade neither trusts it nor stops at it."""
    save_file({"start/w": torch.ones(2)}, tmp_path / "s.safetensors", metadata={"meta": '{"step": 3}'})
    assert state(tmp_path).read() is None and "begins anew" in caplog.text
    state(tmp_path).write({"start": {"w": torch.zeros(1)}}, {"step": 1})
    assert state(tmp_path).read()[1] == {"step": 1}
