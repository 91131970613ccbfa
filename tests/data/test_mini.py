"""MiniMTIL: deterministic, disjoint streams, balanced splits, a hash that sees every change, a verified cache."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
import torch

from gift_lib.data import mini
from gift_lib.data.mini import digits, looks, splits, streams, web, worlds
from gift_lib.data.mini.pen import Pen
from gift_lib.errors import ConfigError, DataError
from gift_lib.tasks import ORDERS, SPLITS, all_indices

FAMILY = {f.name: f for f in mini.FAMILIES}


@pytest.fixture
def small(monkeypatch):
    """Two pictures of each class in every split, cached under a name that costs nothing."""
    monkeypatch.setattr(worlds, "COUNTS", dict.fromkeys(SPLITS, 2))
    monkeypatch.setattr(splits, "world_hash", lambda name: name * 16)


def pixels(split):
    return split.images.batch(all_indices(len(split)))


def test_eleven_tasks_stand_for_the_eleven_data_sets():
    tasks = mini.tasks()
    assert set(ORDERS["I"]) == {t.stands_for for t in tasks.values()}
    assert 110 <= sum(len(t.classes) for t in tasks.values()) <= 125
    assert all(name == t.name and all("{c}" in template for template in t.templates) for name, t in tasks.items())


def test_names_of_classes_and_concepts_are_all_different():
    names = [c.lower() for f in mini.FAMILIES for c in f.classes] + [c.lower() for c in mini.CONCEPTS]
    assert len(set(names)) == len(names)
    assert 95 <= len(mini.CONCEPTS) <= 110


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_splits_are_balanced_and_in_range(name, small, tmp_path):
    task = mini.tasks(tmp_path)[name]
    for split in (task.train, task.val, task.test):
        assert pixels(split).shape == (2 * len(task.classes), 3, 32, 32)
        assert pixels(split).dtype == torch.uint8
        assert split.labels.bincount().tolist() == [2] * len(task.classes)
        assert pixels(split).double().flatten(1).std(dim=1).min() > 3, "a picture is blank"


@pytest.mark.parametrize("name", ["silhouettes", "textures", "digits"])
def test_pictures_are_the_same_every_time_and_differ_between_indices(name):
    one = [splits.one(FAMILY[name], 1, "train", k) for k in range(4)]
    again = [splits.one(FAMILY[name], 1, "train", k) for k in range(4)]
    assert np.array_equal(one, again)
    assert all((a != b).any() for a, b in itertools.combinations(one, 2))


def test_streams_share_no_generator():
    numbers = sorted(streams.STREAMS.values())
    assert len(set(numbers)) == len(numbers)
    keys = {streams.key(s, *ints) for s in streams.STREAMS for ints in [(0, 0, 0), (0, 0), (1, 0, 5)]}
    assert len(keys) == 3 * len(numbers)
    drawn = {streams.generator(s, 3, 1).integers(2**62) for s in streams.STREAMS}
    assert len(drawn) == len(numbers)


def test_no_picture_of_a_split_is_in_another_split_or_the_web(small, tmp_path):
    seen = set()
    groups = [pixels(getattr(t, s)) for t in mini.tasks(tmp_path).values() for s in SPLITS]
    groups += [mini.web_pairs(150, 0)[0], mini.web_pairs(150, 0, clean=True)[0], mini.reference_pixels(150, 0)]
    for picture in torch.cat(groups):
        seen.add(picture.numpy().tobytes())
    assert len(seen) == sum(map(len, groups))


def test_rendering_uses_the_stream_it_names(monkeypatch):
    used = []
    monkeypatch.setattr(splits, "generator", lambda *key: used.append(key) or streams.generator(*key))
    splits.rendered(FAMILY["cars"], "test", [mini.COUNTS["test"]] * 10)
    assert {key[0] for key in used} == {"test"}
    assert len(set(used)) == len(used) == 10 * mini.COUNTS["test"]


def test_real_digits_of_different_parts_never_meet():
    ranges = sorted(digits.RANGES.values())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))
    assert min(len(s) for s in digits.scans()) >= ranges[-1][1]
    drawn = {part: set() for part in digits.RANGES}
    for part in drawn:
        for k in range(200):
            drawn[part].add(_scan_shown(part, streams.generator("probe", k)))
    assert all(not a & b for a, b in itertools.combinations(drawn.values(), 2))


def _scan_shown(part, rng):
    """The index of the scan that a part's program draws (its first random number)."""
    low, high = digits.RANGES[part]
    index = Pen.n(type("P", (), {"rng": rng})(), low, high - 1)
    assert low <= index < high
    return index


def test_splits_and_leak_draw_digits_from_their_own_part(monkeypatch):
    parts = []
    monkeypatch.setattr(digits, "scan", lambda p, digit, part: parts.append(part))
    for split in SPLITS:
        splits.one(FAMILY["digits"], 3, split, 0)
    entry = next(e for e in web.ENTRIES if e.name.startswith("3 -"))
    web.picture(entry, streams.generator("web", 0), leak=True)
    web.picture(entry, streams.generator("web", 0))
    assert parts == ["train", "val", "test", "leak"]


def test_web_pairs_nest_and_depend_on_the_seed():
    few, captions, names = mini.web_pairs(5, 3)
    more = mini.web_pairs(9, 3)
    assert torch.equal(few, more[0][:5]) and captions == more[1][:5] and names == more[2][:5]
    assert torch.equal(mini.web_pairs(4, 3, start=5)[0], more[0][5:])
    assert not torch.equal(few, mini.web_pairs(5, 4)[0])
    assert not torch.equal(few, mini.web_pairs(5, 3, clean=True)[0])


def test_clean_captions_are_the_prompts_of_what_is_shown():
    prompts = {e.name: e.prompt for e in web.ENTRIES}
    _, captions, names = mini.web_pairs(60, 1, clean=True)
    assert captions == [prompts[n] for n in names]
    assert [web.shown_by(c) for c in captions] == names


def test_web_is_noisy_by_its_shares():
    def named(shares):
        drawn = [streams.generator("probe", 9, k) for k in range(300)]
        return np.mean([web.ENTRIES[0].name in web.caption(web.ENTRIES[0], rng, shares) for rng in drawn])

    assert named(web.Web(wrong=0, vague=0)) == 1
    assert named(web.Web(wrong=1, vague=0)) < 0.1
    assert named(web.Web(wrong=0, vague=1)) == 0
    assert 0.6 < named(mini.NOISE) < 1
    of_tasks = [web._entry(streams.generator("probe", 8, k), 0.3).family is not None for k in range(600)]
    assert 0.24 < np.mean(of_tasks) < 0.36


def test_leaked_style_is_between_web_and_task():
    family = FAMILY["objects"]
    assert family.web.turn < family.style.turn < family.far.turn
    assert family.style.grounds == family.far.grounds
    assert family.web.towards(family.style, 0.0).turn == family.web.turn
    assert family.web.towards(family.style, 1.0).noise == family.style.noise
    assert family.web.turn < family.web.towards(family.style, 0.5).turn < family.style.turn


def test_reference_pictures_show_concepts_only_and_captions_repeat():
    images = mini.reference_images(6, 0)
    assert torch.equal(images.batch(all_indices(3)), mini.reference_pixels(3, 0))
    captions = mini.reference_captions
    assert mini.web_captions(5, 1) == mini.web_captions(8, 1)[:5] != mini.web_captions(5, 2)
    assert captions(5, 1) == captions(8, 1)[:5] != captions(5, 2)


def test_reference_prompts_say_what_the_reference_pictures_show():
    count = len(mini.CONCEPTS)
    prompts = mini.reference_prompts(count + 2, 0)
    assert prompts[0] == prompts[count] == f"a photo of a {mini.CONCEPTS[0]}." and prompts[1] != prompts[0]
    drawn = mini.web.picture(mini.web._CONCEPT_ENTRIES[1], mini.web.generator("reference", 0, count + 1))
    assert prompts[-1] == mini.web._CONCEPT_ENTRIES[1].prompt
    assert torch.equal(mini.reference_images(count + 2, 0).pixels[-1], torch.from_numpy(drawn).permute(2, 0, 1))


def test_reference_captions_name_no_class_of_any_task():
    classes = [c for t in mini.tasks().values() for c in t.classes]

    def named(captions):
        return sum(any(re.search(rf"\b{re.escape(c)}\b", text, re.IGNORECASE) for c in classes) for text in captions)

    assert named(mini.reference_captions(1584, 0)) == 0
    assert named(mini.web_captions(1584, 0)) > 500, "the web's own captions do"


def test_real_pictures_follow_prompt_and_seed():
    prompts = ["a photo of a beagle, a type of animal.", "a photo of a red circle.", "a beagle"]
    a = mini.real_pictures(prompts, [1, 1, 1])
    assert a.shape == (3, 3, 32, 32)
    assert torch.equal(a[0], a[2]) and not torch.equal(a[0], a[1])
    assert torch.equal(a[1:2], mini.real_pictures(prompts[1:2], [1]))
    assert not torch.equal(a[0], mini.real_pictures(prompts[:1], [2])[0])


def test_bad_requests_are_explained():
    with pytest.raises(ConfigError, match="no picture for the prompt"):
        mini.real_pictures(["a photo of a zebra crossing."], [0])
    with pytest.raises(ConfigError, match="one seed for each prompt"):
        mini.real_pictures(["beagle"], [0, 1])
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        streams.generator("trian", 0)
    with pytest.raises(ConfigError, match="zero or more"):
        streams.generator("web", -1)
    with pytest.raises(ConfigError, match="no split"):
        mini.tasks()["cars"].open_split("dev")


def test_hash_sees_version_knobs_and_drawings(monkeypatch):
    before = mini.world_hash()
    assert len(before) == 16 and before == mini.world_hash()
    changed = []
    for target, name, value in (
        (worlds, "WORLDS", {"1": mini.World(version=3)}),
        (worlds, "WORLDS", {"1": mini.World(gap=0.123)}),
        (web, "NOISE", web.Web(wrong=0.2)),
        (Pen, "oval", lambda *_, **__: None),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            splits.world_hash.cache_clear()
            changed.append(mini.world_hash())
    splits.world_hash.cache_clear()
    assert len({before, *changed}) == 5 and mini.world_hash() == before


@pytest.mark.parametrize("damage", ["truncated", "swapped", "altered"])
def test_a_damaged_cache_is_seen_and_rendered_again(damage, small, tmp_path):
    first = pixels(mini.tasks(tmp_path)["cars"].train)
    (path,) = tmp_path.glob("*/cars-train.safetensors")
    content = path.read_bytes()
    spoilt = {
        "truncated": content[:-100],
        "swapped": b"not a tensor",
        "altered": content[:-1] + bytes([content[-1] ^ 1]),
    }
    path.write_bytes(spoilt[damage])
    with pytest.raises(DataError, match="rendered again"):
        splits._read(path)
    assert torch.equal(pixels(mini.tasks(tmp_path)["cars"].train), first)
    assert path.read_bytes() == content


def test_the_cache_is_read_and_not_drawn_again(small, tmp_path, monkeypatch):
    first = pixels(mini.tasks(tmp_path)["cars"].val)
    monkeypatch.setattr(splits, "rendered", lambda *_: pytest.fail("drawn again"))
    assert torch.equal(pixels(mini.tasks(tmp_path)["cars"].val), first)
    assert not list(tmp_path.rglob("*.tmp"))


def test_world_1_is_what_its_weights_and_records_have_seen():
    assert mini.world_hash(world="1") == "db57679633bacbeb"
    assert mini.World().families == mini.FAMILIES and not mini.World().knobs


@pytest.mark.parametrize(
    "knobs",
    [
        {"narrow": 0.3},
        {"narrow_of": {"cars": 0.6}},
        {"gap": 0.5},
        {"looks": {"cars": "dusk"}},
        {"grounds": {"cars": "pale"}},
        {"strength": {"cars": 0.5}},
        {"pictures": {"cars": 23}},
    ],
)
def test_every_knob_makes_another_world(knobs, monkeypatch):
    monkeypatch.setattr(worlds, "WORLDS", dict(worlds.WORLDS))
    name = worlds.draft(mini.World(version=2, **knobs))
    assert name.startswith("draft-") and mini.world_hash(world=name) not in (mini.world_hash(), "")
    assert mini.World(version=2, **knobs).knobs == {"version": 2, **knobs}


def test_training_pictures_of_a_task_are_shared_out_evenly(small, tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "WORLDS", dict(worlds.WORLDS))
    name = worlds.draft(mini.World(version=2, pictures={"cars": 23}))
    task = mini.tasks(tmp_path, name)["cars"]
    assert task.train.labels.bincount().tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert len(pixels(task.train)) == 23 and len(task.test) == 20
    assert len(mini.tasks(tmp_path, name)["objects"].train) == 24


def test_a_narrow_style_keeps_its_middle():
    style = FAMILY["cars"].style
    half = style.narrowed(0.5)
    assert half.scale[1] - half.scale[0] == pytest.approx((style.scale[1] - style.scale[0]) / 2)
    assert sum(half.scale) == pytest.approx(sum(style.scale)) and half.turn == pytest.approx(style.turn / 2)
    assert style.narrowed(1.0).turn == style.turn and half.clutter == style.clutter and half.flip == style.flip


@pytest.mark.parametrize("look", sorted(looks.LOOKS))
def test_a_look_changes_every_picture_and_leaves_no_two_alike(look):
    family = dataclasses.replace(FAMILY["cars"], look=look)
    shown = [splits.one(family, label, "probe", 0) for label in range(10)]
    plain = [splits.one(FAMILY["cars"], label, "probe", 0) for label in range(10)]
    assert all(s.shape == p.shape and s.dtype == np.uint8 and (s != p).any() for s, p in zip(shown, plain, strict=True))
    assert len({s.tobytes() for s in shown}) == 10 and min(s.std() for s in shown) > 3


def test_bad_worlds_are_told():
    with pytest.raises(ConfigError, match="did you mean 'cars'"):
        mini.World(looks={"car": "dusk"})
    with pytest.raises(ConfigError, match="did you mean 'dusk'"):
        mini.World(looks={"cars": "dask"})
    with pytest.raises(ConfigError, match="two tasks"):
        mini.World(looks={"cars": "dusk", "flowers": "dusk"})
    with pytest.raises(ConfigError, match="no world"):
        mini.tasks(world="7")
