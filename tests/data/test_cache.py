"""The cache of decoded images: equal to the published transforms, whole or absent, resumed, verified."""

import dataclasses
import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from layouts import save
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from gift_lib.data import cache, decode
from gift_lib.data.cache import Stored, train_view
from gift_lib.data.decode import Cost, build, estimate
from gift_lib.data.records import Arrays, Records, from_files
from gift_lib.data.transforms import Preprocess, crops
from gift_lib.errors import DataError
from gift_lib.methods.stores import Concatenated
from gift_lib.tasks import TensorImages

SHAPES = ((90, 60), (60, 90), (64, 64), (300, 50), (50, 301), (61, 40), (33, 35), (500, 333))
SIZE = 48


@pytest.fixture
def records(tmp_path):
    for i, size in enumerate(SHAPES):
        save(tmp_path / "raw" / f"{i}.png", i, size)
    return from_files(tmp_path / "raw", ((f"{i}.png", i % 3) for i in range(len(SHAPES))))


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(cache, "SHARD", 3)


@pytest.fixture
def store(records, tmp_path, small_shards):
    build(records, tmp_path / "cache" / "set" / "train", SIZE, progress=False)
    return Stored(tmp_path / "cache" / "set" / "train")


# --- the views ----------------------------------------------------------------------------------------------------


def test_eval_view_is_the_published_transform_to_the_bit(store, records):
    published = Compose([Resize(SIZE, InterpolationMode.BICUBIC), CenterCrop(SIZE)])
    expected = torch.stack(
        [torch.from_numpy(np.array(published(records.pictures.open(i)))).permute(2, 0, 1) for i in range(len(records))]
    )
    split = store.open()
    assert torch.equal(split.images.batch(torch.arange(len(records))), expected)
    assert torch.equal(split.images.batch(torch.tensor([5, 0, 5])), expected[[5, 0, 5]])
    assert split.labels.tolist() == list(records.labels)


def test_training_crops_are_the_published_transform_of_the_original_to_the_bit(store, records):
    """torchvision's own resized crop of the decoded file, from the same boxes: cut once, resampled once."""
    from torchvision.transforms.functional import resized_crop

    preprocess = Preprocess(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    index = torch.tensor([0, 3, 7, 4, 0])
    ours = train_view(store.open(lambda: records).images, index, preprocess, _generator())
    generator = _generator()
    for row, i in zip(ours, index.tolist(), strict=True):
        image = records.pictures.open(i)
        box = [int(v) for v in crops(1, image.height, image.width, generator)]
        expected = resized_crop(image, *box, [SIZE, SIZE], InterpolationMode.BICUBIC)
        assert torch.equal((row * 255).round(), torch.from_numpy(np.array(expected)).permute(2, 0, 1).float())


def test_crops_reach_the_ends_of_long_pictures(tmp_path):
    """A picture whose ends differ from its centre: the square of the eval view has no grey, some crop has."""
    save(tmp_path / "raw" / "x.png", 0, (80, 60))
    image = Image.open(tmp_path / "raw" / "x.png").convert("RGB")
    image.paste((0, 0, 0), (10, 0, 70, 60))
    image.save(tmp_path / "raw" / "x.png")
    found = from_files(tmp_path / "raw", [("x.png", 0)])
    images = build(found, tmp_path / "c", 60, progress=False).open(lambda: found).images
    assert not images.batch(torch.tensor([0])).any()
    views = train_view(images, torch.tensor([0] * 8), Preprocess(60, (0.0,) * 3, (1.0,) * 3), _generator())
    assert (views.amax(dim=(1, 2, 3)) > 0).all()


def test_no_original_no_crop_and_another_one_is_noticed(store, records, tmp_path):
    one, preprocess = torch.tensor([7]), Preprocess(SIZE)
    with pytest.raises(DataError, match="opened without its original pictures"):
        train_view(store.open().images, one, preprocess, _generator())
    with pytest.raises(DataError, match="decoded from other pictures"):
        train_view(store.open(lambda: records.subset([0])).images, one, preprocess, _generator())
    images = store.open(lambda: records).images
    train_view(images, one, preprocess, _generator())
    save(tmp_path / "raw" / "7.png", 7, (33, 44))
    with pytest.raises(DataError, match=r"original 7\.png is another picture now \(33 x 44\).*clear set"):
        train_view(images, one, preprocess, _generator())
    (tmp_path / "raw" / "7.png").unlink()
    with pytest.raises(DataError, match=r"7\.png is listed but does not exist"):
        train_view(images, one, preprocess, _generator())


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_train_view_of_other_stores_is_preprocess_train():
    pixels = torch.randint(0, 256, (4, 3, 40, 40), dtype=torch.uint8)
    index = torch.tensor([1, 3])
    ours = train_view(TensorImages(pixels), index, Preprocess(32), _generator())
    assert torch.equal(ours, Preprocess(32).train(pixels[index], _generator()))


def test_small_pictures_keep_their_size(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    build(Records(Arrays("digits", pixels), [0, 1, 0, 1, 0]), tmp_path / "c", 224, native=True, progress=False)
    images = Stored(tmp_path / "c").open().images
    batch = images.batch(torch.tensor([4, 1]))
    assert batch.shape == (2, 3, 28, 28) and np.array_equal(batch[0, 2].numpy(), pixels[4])
    same = TensorImages(images.batch(torch.arange(5)))
    index = torch.tensor([0, 4, 2])
    a, b = (train_view(s, index, Preprocess(32), _generator()) for s in (images, same))
    assert torch.equal(a, b)


def test_several_stores_as_one_are_cropped_as_each_alone(store, records, tmp_path):
    """Joint training: crops of the originals, not of their centre squares, whatever the sizes of the parts."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    digits = Records(Arrays("digits", pixels), [0, 1, 0, 1, 0])
    small = build(digits, tmp_path / "d" / "x", 224, native=True, progress=False).open().images
    large = store.open(lambda: records).images
    memory = TensorImages(torch.randint(0, 256, (3, 3, 20, 30), dtype=torch.uint8))
    both, where = Concatenated((large, small, memory), Preprocess(SIZE)), torch.tensor([9, 3, 14, 0, 8, 15, 3])
    ours, generator = train_view(both, where, Preprocess(SIZE), _generator()), _generator()
    for row, i in zip(ours, where.tolist(), strict=True):
        part, k = (large, i) if i < 8 else (small, i - 8) if i < 13 else (memory, i - 13)
        alone = train_view(part, torch.tensor([k]), Preprocess(SIZE), generator)[0]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(both.batch(where[:1]), Preprocess(SIZE).square(small.batch(torch.tensor([1]))))


# --- whole or absent ----------------------------------------------------------------------------------------------


def contents(folder) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_nothing_but_shards_index_and_manifest_is_left(store):
    assert sorted(contents(store.folder)) == [
        "00000.bin",
        "00001.bin",
        "00002.bin",
        "index.safetensors",
        "manifest.json",
    ]


def test_number_of_threads_changes_nothing(store, records, tmp_path):
    build(records, tmp_path / "other", SIZE, workers=1, progress=False)
    assert contents(tmp_path / "other") == contents(store.folder)


def test_goes_on_after_a_picture_that_cannot_be_decoded(store, records, tmp_path, monkeypatch):
    broken = tmp_path / "raw" / "7.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"7\.png cannot be decoded"):
        build(records, tmp_path / "other", SIZE, progress=False)
    assert cache.stored(tmp_path / "other") is None
    broken.write_bytes(whole)
    opened = []
    inner = decode._decoder
    monkeypatch.setattr(decode, "_decoder", lambda *a: lambda i: opened.append(i) or inner(*a)(i))
    build(records, tmp_path / "other", SIZE, progress=False)
    assert sorted(opened) == [6, 7]
    assert contents(tmp_path / "other") == contents(store.folder)


def test_other_size_or_pictures_start_afresh(store, records, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "plan.json").write_text("{}")
    (folder / "00000.bin").write_bytes(b"of something else")
    build(records, folder, SIZE, progress=False)
    assert contents(folder) == contents(store.folder)
    with pytest.raises(DataError, match="decoded from other pictures than those that are here now"):
        build(records.subset([0, 1]), folder, SIZE, progress=False)
    with pytest.raises(DataError, match="its size is not what is asked for"):
        build(records, folder, SIZE - 1, progress=False)
    assert contents(folder) == contents(store.folder), "a finished split is never emptied"


def test_killed_and_resumed_gives_the_same_bytes(tmp_path, small_shards):
    for i in range(24):
        save(tmp_path / "raw" / f"{i:02d}.jpg", i, (90, 60))
    records = from_files(tmp_path / "raw", ((f"{i:02d}.jpg", 0) for i in range(24)))
    build(records, tmp_path / "whole", SIZE, progress=False)
    child = _forked(lambda: build(records, tmp_path / "cache", SIZE, workers=1, progress=False))
    deadline = time.monotonic() + 60
    while not (tmp_path / "cache" / "00003.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert cache.stored(tmp_path / "cache") is None
    build(records, tmp_path / "cache", SIZE, progress=False)
    assert contents(tmp_path / "cache") == contents(tmp_path / "whole")


def _forked(work, slow: float = 0.01) -> int:
    """The process id of a child that decodes slowly and never returns here; its exit code says whether it failed."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # newer Pythons warn of threads; the child uses none of them
        child = os.fork()
    if child == 0:
        inner = decode.decoded
        decode.decoded = lambda *a: time.sleep(slow) or inner(*a)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


@pytest.mark.parametrize("late", [False, True])
def test_of_several_processes_one_decodes(late, tmp_path, small_shards):
    """Two at once, and one that comes when all is done: one decodes, the others wait and read the same bytes."""
    records = many(tmp_path, 9)
    build(records, tmp_path / "whole", SIZE, progress=False)
    assert race(records, tmp_path / "cache" / "train", 2, 0.5 * late) == [0, 0]
    assert contents(tmp_path / "cache" / "train") == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_ten_races_to_decode_one_split(processes, tmp_path, small_shards):
    records = many(tmp_path, 12)
    build(records, tmp_path / "whole", SIZE, progress=False)
    for k in range(10):
        folder = tmp_path / "cache" / f"train-{k}"
        assert race(records, folder, processes) == [0] * processes
        assert contents(folder) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_thirty_kills_of_decoding_and_the_same_bytes(tmp_path, small_shards):
    """Each time a child is killed at another moment; the next goes on; what comes out is what one whole run gives."""
    records, moments = many(tmp_path, 90), np.random.default_rng(0)
    build(records, tmp_path / "whole", SIZE, progress=False)
    folder, kills, rounds = tmp_path / "cache" / "train", 0, 0
    while kills < 30:
        child = _forked(partial(decode.once, folder, lambda: records, SIZE, workers=1, progress=False))
        time.sleep(moments.uniform(0.02, 0.25))
        os.kill(child, signal.SIGKILL)
        kills += os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        if cache.stored(folder):
            rounds += 1
            assert contents(folder) == contents(tmp_path / "whole")
            cache.stored(folder).verify()
            folder = tmp_path / "cache" / f"train-{rounds}"
    decode.once(folder, lambda: records, SIZE, progress=False).verify()
    assert contents(folder) == contents(tmp_path / "whole") and kills == 30


def many(tmp_path, n):
    for i in range(n):
        save(tmp_path / "raw" / f"{i:02d}.jpg", i, (60, 50))
    return from_files(tmp_path / "raw", ((f"{i:02d}.jpg", i % 2) for i in range(n)))


def race(records, folder, processes: int, apart: float = 0.0) -> list[int]:
    """Exit codes of processes that open one split: each decodes it or waits, and reads every picture many times."""
    children = []
    for _ in range(processes):
        children.append(_forked(lambda: _reads(records, folder), slow=0.002))
        time.sleep(apart)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _reads(records, folder) -> None:
    store = decode.once(folder, lambda: records, SIZE, workers=1, progress=False)
    for _ in range(20):
        store.verify()
        assert store.open().images.batch(torch.arange(len(records))).shape[1:] == (3, SIZE, SIZE)


def test_a_drive_without_locks_is_a_warning(records, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(decode, "locks", refuse)
    assert len(decode.once(tmp_path / "c", lambda: records, SIZE, progress=False).open()) == len(SHAPES)
    assert "start no second process" in caplog.text


def test_a_lock_file_that_was_removed_meanwhile_locks_nobody_out(records, tmp_path):
    with ThreadPoolExecutor(1) as other, decode.alone(tmp_path / "set" / "train"):
        late = other.submit(decode.once, tmp_path / "set" / "train", lambda: records, SIZE, progress=False)
        time.sleep(0.2)
        decode.lock_of(tmp_path / "set" / "train").unlink()
    assert len(late.result(timeout=60).open()) == len(SHAPES)
    assert decode.lock_of(tmp_path / "set" / "train").exists()


@pytest.mark.parametrize("shard", [0, 2])
def test_a_flipped_byte_is_noticed_when_its_shard_is_first_read(store, shard):
    path = store.folder / f"{shard:05d}.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    images = store.open().images
    assert images.batch(torch.tensor([3])).shape == (1, 3, SIZE, SIZE), "other shards are whole"
    with pytest.raises(DataError, match=rf"{shard:05d}\.bin does not have its digest.*clear set"):
        images.batch(torch.tensor([3 * shard]))


def test_open_finds_what_is_missing_or_cut_short(store):
    shard = store.folder / "00001.bin"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(DataError, match=r"00001\.bin is missing or cut short.*clear set"):
        Stored(store.folder).open()
    shard.write_bytes(data)
    index = store.folder / "index.safetensors"
    index.write_bytes(index.read_bytes()[::-1])
    with pytest.raises(DataError, match="does not have its digest"):
        Stored(store.folder).open()
    index.unlink()
    with pytest.raises(DataError, match="is missing"):
        Stored(store.folder).open()


def test_verify_finds_swapped_shards_of_one_length(tmp_path, small_shards):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    build(Records(Arrays("a", pixels), [0] * 6), tmp_path / "c", 8, native=True, progress=False)
    stored = Stored(tmp_path / "c")
    stored.verify()
    a, b = tmp_path / "c" / "00000.bin", tmp_path / "c" / "00001.bin"
    x, y = a.read_bytes(), b.read_bytes()
    a.write_bytes(y)
    b.write_bytes(x)
    with pytest.raises(DataError, match=r"00000\.bin does not have its digest"):
        stored.verify()


def test_another_version_is_refused(store, monkeypatch):
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    with pytest.raises(DataError, match="another version"):
        Stored(store.folder).open()


def test_full_disk(records, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        build(records, tmp_path / "c", SIZE, progress=False)
    assert not list((tmp_path / "c").glob("*.bin"))


# --- cost and housekeeping ----------------------------------------------------------------------------------------


def test_estimate_matches_what_is_written(store, records):
    cost = estimate(records, SIZE)
    written = sum(p.stat().st_size for p in store.folder.glob("*.bin"))
    assert cost.images == len(records) and cost.bytes == written and cost.seconds > 0


def test_cost_reads_and_adds():
    total = Cost(10, 2_000_000_000, 30.0) + Cost(5, 500_000_000, 90.0)
    assert str(total) == "15 images, 2.50 GB on disk, about 2 min"
    assert [decode.duration(s) for s in (5, 600, 7200)] == ["5 s", "10 min", "2.0 h"]


def test_too_little_space_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="GIFT_CACHE"):
        decode.require_space(tmp_path, 10**18)


def test_listing_and_clear(store, tmp_path):
    root = tmp_path / "cache"
    (root / "images").mkdir()
    (root / "set").rename(root / "images" / "set")
    (root / "images" / "half" / "train").mkdir(parents=True)
    (root / "images" / "half" / "train" / "00000.bin").write_bytes(b"1234")
    found = list(cache.listing(root))
    assert [(n, s, f) for n, s, _, f in found] == [("half", "train", False), ("set", "train", True)]
    assert found[0][2] == 4
    assert cache.clear("set", root) == found[1][2] and cache.clear("..", root) == 0
    assert [n for n, *_ in cache.listing(root)] == ["half"]


def test_manifest_names_what_was_decoded(store, records):
    assert store.manifest["records"] == records.digest
    assert dataclasses.replace(records, labels=[0] * len(records)).digest != records.digest
