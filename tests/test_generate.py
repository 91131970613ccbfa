"""Generation: bytes that depend on nothing but the draw, resumption, verification, replacement, clear errors."""

import errno
import json
import logging
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import diffusers
import fixtures_diffusion
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from gift_lib import data, pictures, pool
from gift_lib import generate as g
from gift_lib.config import experiment
from gift_lib.errors import ConfigError, DataError, NumericsError
from gift_lib.files import write_json
from gift_lib.generate import Draw, Painter, PipelineSpec, SyntheticSet, draws, generate
from gift_lib.generation import painter as painting
from gift_lib.generation import pipeline as pipelines
from gift_lib.generation import workers as processes
from gift_lib.pool import ClassPool
from gift_lib.tasks import Task, TensorImages

PROMPTS = [f"a photo of a {c}." for c in ("dog", "cat", "dog", "owl", "elk", "dog", "bee")]


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return fixtures_diffusion.save(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="session")
def spec(folder) -> PipelineSpec:
    return PipelineSpec(str(folder))


@pytest.fixture(scope="session")
def sampler(spec):
    return spec.sampler(2, 7.5, "dpm++", chunk=3)


@pytest.fixture
def wanted() -> list[Draw]:
    return draws(PROMPTS, 0)


@pytest.fixture(scope="session")
def reference(spec, sampler, tmp_path_factory) -> SyntheticSet:
    return generate(spec, draws(PROMPTS, 0), sampler, tmp_path_factory.mktemp("reference"), progress=False)


def make(spec, wanted, sampler, cache, **options) -> SyntheticSet:
    return generate(spec, wanted, sampler, cache, progress=False, **options)


def files(folder: Path) -> list[Path]:
    return [p for p in Path(folder).rglob("*") if p.is_file()]


@pytest.fixture
def no_drawing(monkeypatch):
    """Any use of a pipeline fails the test."""
    monkeypatch.setattr(processes, "loaded", lambda spec: pytest.fail("the pipeline was loaded"))


# What to draw


def test_the_kth_picture_of_a_prompt_has_one_seed():
    counts = Counter({"a": 1})
    first, second = draws(["a", "b", "a"], 5), draws(["a", "b"], 5, counts)
    assert len(set(first)) == 3
    assert second == [first[2], first[1]]  # the second picture of "a", the first of "b"
    assert counts == {"a": 1}
    assert draws(["a"], 6) != draws(["a"], 5)
    assert draws(PROMPTS, 0)[:4] == draws(PROMPTS[:4], 0)


def task(name: str, *classes: str) -> Task:
    return Task(name, classes, ("a {c}.",), open_split=lambda _: None)


def test_the_plan_is_what_the_loop_draws(monkeypatch):
    monkeypatch.setattr(pool, "concepts_of", lambda e: ("dog", "owl"))
    e, tasks = experiment(images_per_task=6, prompt_draws=20, seed=3), [task("A", "x", "y"), task("B", "z")]
    grown, stream, counts, loop = ClassPool(["dog", "owl"]), random.Random(3), Counter(), []
    for t in tasks:
        prompts = grown.sample(6, stream, 20)
        loop.append(draws(prompts, 3, counts))
        counts.update(prompts)
        grown.add(t)
    assert g.plan(e, tasks) == loop


# Bytes


@pytest.mark.parametrize("scheduler", ["dpm++", "ddim", "pndm"])
def test_a_picture_depends_on_neither_place_nor_companions(spec, scheduler, wanted):
    painter = Painter(spec.load(), spec.sampler(2, 7.5, scheduler, chunk=3))
    alone = {d: painter([d])[0] for d in wanted}
    shuffle = random.Random(0)
    for _ in range(6):
        chunk = shuffle.sample(wanted, shuffle.randint(1, 3))
        for draw, picture in zip(chunk, painter(chunk), strict=True):
            assert torch.equal(picture, alone[draw])


@pytest.mark.parametrize(
    ("scheduler", "guidance"), [("dpm++", 7.5), ("ddim", 7.5), ("pndm", 7.5), ("dpm++", 1.0), ("ddim", 0.0)]
)
def test_pictures_are_the_plain_pipelines(spec, scheduler, guidance, wanted):
    painter = Painter(spec.load(), spec.sampler(3, guidance, scheduler, chunk=3))
    plain = fixtures_diffusion.pipeline()
    plain.scheduler = pipelines.make_scheduler(scheduler, plain.scheduler.config)
    with painting.numerics():
        expected = plain(
            [d.prompt for d in wanted[:2]], num_inference_steps=3, guidance_scale=guidance, output_type="pt",
            generator=[torch.Generator().manual_seed(d.seed) for d in wanted[:2]],
        ).images  # fmt: skip
    torch.testing.assert_close(painter(wanted[:2]), expected, atol=1e-4, rtol=0)


def test_guidance_up_to_one_skips_the_unconditional_half(spec, wanted):
    pipeline, batches = spec.load(), []
    pipeline.unet.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    for guidance in (7.5, 1.0, 0.0):
        Painter(pipeline, spec.sampler(1, guidance, "ddim", chunk=3))(wanted[:2])
    assert batches == [6, 3, 3]


def test_every_distinct_prompt_is_encoded_once(spec, sampler, wanted, monkeypatch):
    painter, encoded = Painter(spec.load(), sampler), []
    encode = painter.pipeline.encode_prompt

    def spy(prompt, *args, **options):
        encoded.extend(set(prompt or []))
        return encode(prompt, *args, **options)

    monkeypatch.setattr(painter.pipeline, "encode_prompt", spy)
    painter(wanted[:3])
    painter(wanted[3:6])
    assert sorted(encoded) == sorted({d.prompt for d in wanted[:6]} | {""})


def test_another_make_of_pipeline_gets_the_texts(wanted, sampler):
    class Other(DiffusionPipeline):
        def __init__(self):
            super().__init__()
            self.register_modules(scheduler=fixtures_diffusion.pipeline().scheduler)

        def __call__(self, prompt, generator, **_):
            pixels = [torch.rand(3, 16, 16, generator=s) * len(p) / 99 for p, s in zip(prompt, generator, strict=True)]
            return SimpleNamespace(images=torch.stack(pixels))

    assert Painter(Other(), sampler)(wanted[:2]).shape == (2, 3, 16, 16)


class Bare(DiffusionPipeline):
    """A pipeline that has nothing but a scheduler."""

    def __init__(self, scheduler):
        super().__init__()
        self.register_modules(scheduler=scheduler)


@pytest.mark.parametrize("solver", ["PNDM", "FlowMatchEulerDiscrete"])
def test_flow_matching_keeps_its_own_sampler(solver):
    scheduler = getattr(diffusers, f"{solver}Scheduler")()
    pipeline = Bare(scheduler)
    pipelines.set_scheduler(pipeline, "dpm++")
    assert (pipeline.scheduler is scheduler) == solver.startswith("Flow")


@pytest.mark.parametrize(
    ("denoiser", "config", "side"),
    [("unet", {"sample_size": 64}, 512), ("transformer", {"sample_size": 128}, 1024), ("transformer", {}, 1024)],
)
def test_the_side_of_a_pipelines_pictures(tmp_path, denoiser, config, side):
    write_json(tmp_path / denoiser / "config.json", config)
    with pytest.raises(ConfigError, match="no denoiser with an autoencoder"):
        g.native_size(tmp_path)
    write_json(tmp_path / "vae" / "config.json", {"block_out_channels": [128, 256, 512, 512]})
    assert g.native_size(tmp_path) == side


def test_a_transformer_is_compiled_too(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module: f"compiled {module}")
    pipeline = Bare(diffusers.PNDMScheduler())
    pipeline.transformer = "it"
    assert pipelines.ready(pipeline, "cpu", compiled=True).transformer == "compiled it"


def test_sampler_parts_all_matter(sampler):
    others = {"steps": 3, "guidance": 1.0, "scheduler": "ddim", "chunk": 4, "size": 8, "weights": "x",
              "precision": "bf16", "device": "gpu", "compiled": True}  # fmt: skip
    digests = {pictures.Sampler(**{**vars_of(sampler), name: value}).digest for name, value in others.items()}
    assert len(digests | {sampler.digest}) == len(others) + 1


def vars_of(sampler) -> dict:
    return {name: getattr(sampler, name) for name in sampler.__dataclass_fields__}


# Cache and resumption


def test_what_is_in_the_cache_is_not_drawn(spec, wanted, sampler, tmp_path, reference, monkeypatch):
    first = make(spec, wanted, sampler, tmp_path)
    monkeypatch.setattr(processes, "loaded", lambda spec: pytest.fail("the pipeline was loaded"))
    again = make(spec, wanted[::-1], sampler, tmp_path)
    assert torch.equal(again.pixels, first.pixels.flip(0))
    assert first.digest == reference.digest


def test_smaller_sets_are_the_first_pictures_of_larger_ones(spec, wanted, sampler, tmp_path, reference, no_drawing):
    shutil.copytree(reference_cache(reference, spec, sampler, tmp_path), tmp_path, dirs_exist_ok=True)
    small = make(spec, wanted[:4], sampler, tmp_path)
    assert torch.equal(small.pixels, reference.pixels[:4])
    assert small.digest == reference.first(4).digest


def reference_cache(reference, spec, sampler, tmp_path) -> Path:
    cache = pictures.PictureCache(tmp_path / "filled", sampler)
    cache.put_all(dict(zip(map(Draw, reference.prompts, reference.seeds), reference.pixels, strict=True)))
    return tmp_path / "filled"


def test_what_is_there_and_whole_is_told_without_being_kept(spec, wanted, sampler, tmp_path, reference):
    cache = pictures.PictureCache(tmp_path, sampler)
    assert cache.there(wanted) == set()
    for d, picture in zip(wanted, reference.pixels, strict=True):
        cache.put(d, picture)
    cache.path(wanted[0]).write_bytes(cache.path(wanted[1]).read_bytes())
    assert cache.there([*wanted, wanted[1]]) == set(wanted) - {wanted[0]}


def test_an_interruption_changes_nothing(spec, wanted, sampler, tmp_path, reference, monkeypatch):
    draw, calls = Painter.__call__, []

    def interrupted(self, chunk):
        calls.append(chunk)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return draw(self, chunk)

    monkeypatch.setattr(Painter, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(spec, wanted, sampler, tmp_path)
    assert len(files(tmp_path)) == 3
    assert make(spec, wanted, sampler, tmp_path).digest == reference.digest
    assert not [f for f in files(tmp_path) if f.suffix != ".png"]


def damage_truncate(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def damage_empty(file: Path, _: Path) -> None:
    file.write_bytes(b"")


def damage_flip(file: Path, _: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)


def damage_swap(file: Path, other: Path) -> None:
    shutil.copy(other, file)


@pytest.mark.parametrize("damage", [damage_truncate, damage_empty, damage_flip, damage_swap])
def test_a_damaged_picture_is_made_again(spec, wanted, sampler, tmp_path, reference, damage, caplog):
    make(spec, wanted, sampler, tmp_path)
    cache = pictures.PictureCache(tmp_path, sampler)
    damage(cache.path(wanted[1]), cache.path(wanted[0]))
    with caplog.at_level(logging.WARNING):
        assert make(spec, wanted, sampler, tmp_path).digest == reference.digest
    assert len([r for r in caplog.records if "made again" in r.message]) == 1


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_a_generated_picture_is_read_as_png_and_nothing_else(kind, wanted, sampler, tmp_path, caplog):
    cache = pictures.PictureCache(tmp_path, sampler)
    cache.path(wanted[0]).parent.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(cache.path(wanted[0]), kind)
    assert cache.get(wanted[0]) is None and "cannot identify image file" in caplog.text


def test_several_processes_draw_the_same(spec, sampler, tmp_path):
    wanted = draws(PROMPTS * 6, 1)
    one = make(spec, wanted, sampler, tmp_path / "one")
    assert make(spec, wanted, sampler, tmp_path / "two", workers=2).digest == one.digest


def test_what_a_dead_process_left_over_is_drawn(spec, wanted, sampler, tmp_path, reference, monkeypatch):
    take = processes._add
    monkeypatch.setattr(
        processes, "_add", lambda counter, n: take(counter, 1) + take(counter, 1) if n == 1 else take(counter, n)
    )
    assert make(spec, wanted, sampler, tmp_path, workers=2).digest == reference.digest


# Degenerate pictures


def spoiled(how):
    """A Painter that spoils every picture of a first seed."""
    draw, spoil = (
        Painter.__call__,
        {"black": lambda p: p * 0, "grey": lambda p: p * 0 + 0.5, "nan": lambda p: p * torch.nan},
    )

    def painter(self, chunk):
        result = draw(self, chunk)
        for i, d in enumerate(chunk):
            if "dog" in d.prompt and d.seed in {x.seed for x in draws(PROMPTS, 0)}:
                result[i] = spoil[how](result[i])
        return result

    return painter


@pytest.mark.parametrize(("how", "told"), [("black", "all black"), ("grey", "of one colour"), ("nan", "not finite")])
def test_degenerate_pictures_are_replaced(spec, wanted, sampler, tmp_path, monkeypatch, how, told, caplog, reference):
    monkeypatch.setattr(Painter, "__call__", spoiled(how))
    with caplog.at_level(logging.WARNING):
        made = make(spec, wanted, sampler, tmp_path)
    replaced = [i for i, p in enumerate(PROMPTS) if "dog" in p]
    assert all(pictures.pixel_digest(made.pixels[i]) != reference.picture_digests[i] for i in replaced)
    assert all(torch.equal(made.pixels[i], reference.pixels[i]) for i in range(7) if i not in replaced)
    assert len([r for r in caplog.records if told in r.message and "with seed" in r.message]) == 3
    assert all(not painting.fault(p / 255) for p in made.pixels)


def test_a_pipeline_that_only_draws_black_is_an_error(spec, wanted, sampler, tmp_path, monkeypatch):
    monkeypatch.setattr(Painter, "__call__", lambda self, chunk: torch.zeros(len(chunk), 3, 16, 16))
    with pytest.raises(NumericsError, match=r"8 pictures of 'a photo of a dog.' in a row"):
        make(spec, wanted, sampler, tmp_path)


# A set on disk


def test_a_set_comes_back_as_it_was(reference, tmp_path):
    loaded = SyntheticSet.load(reference.save(tmp_path / "set"))
    assert loaded.digest == reference.digest
    assert loaded.prompts == tuple(PROMPTS)
    assert loaded.sampler == reference.sampler
    assert torch.equal(loaded.pixels, reference.pixels)
    reference.first(2).save(tmp_path / "set")
    assert len(SyntheticSet.load(tmp_path / "set")) == 2
    assert len(files(tmp_path / "set")) == 2


def test_the_digest_covers_prompts_seeds_and_pixels(reference):
    pixels = reference.pixels.clone()
    pixels[3, 0, 0, 0] ^= 1
    changed = [
        SyntheticSet(reference.prompts[::-1], reference.seeds, reference.images, {}),
        SyntheticSet(reference.prompts, reference.seeds[::-1], reference.images, {}),
        SyntheticSet(reference.prompts, reference.seeds, TensorImages(pixels), {}),
    ]
    assert len({s.digest for s in (*changed, reference)}) == 4


def edit(folder: Path, **changes) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    (folder / "manifest.json").write_text(json.dumps(manifest))


def reseal(folder: Path, change) -> None:
    """An edit by someone who also repairs the manifest's seal."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("seal")
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest | {"seal": pictures.digest(manifest)}))


def pixels_of(folder: Path) -> Path:
    return next(folder.glob("pixels-*.safetensors"))


def repack(folder: Path, change) -> None:
    path = pixels_of(folder)
    tensors = {"pixels": load_file(path)["pixels"].clone()}
    path.unlink()
    save_file(change(tensors), path)


BREAKS = {
    "no folder": (shutil.rmtree, "no manifest.json"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "no manifest.json"),
    "no json": (lambda f: (f / "manifest.json").write_text("{"), "cannot be read as JSON"),
    "a list": (lambda f: (f / "manifest.json").write_text("[]"), "not a manifest"),
    "edited sampler": (lambda f: edit(f, sampler={}), "was edited"),
    "edited prompt": (lambda f: edit(f, pictures=[]), "was edited"),
    "other schema": (lambda f: reseal(f, lambda m: m.update(schema=9)), "schema 9"),
    "edited seed, sealed": (lambda f: reseal(f, lambda m: m["pictures"][0].update(seed=1)), "digest of the whole"),
    "one less, sealed": (lambda f: reseal(f, lambda m: m["pictures"].pop()), "holds 7 pictures, its manifest 6"),
    "no pixels": (lambda f: pixels_of(f).unlink(), "is missing"),
    "truncated pixels": (lambda f: pixels_of(f).write_bytes(pixels_of(f).read_bytes()[:-9]), "is broken"),
    "swapped pictures": (lambda f: repack(f, lambda t: {"pixels": t["pixels"].flip(0)}), "picture 0"),
    "one picture less": (lambda f: repack(f, lambda t: {"pixels": t["pixels"][1:]}), "holds 6 pictures"),
    "other tensor": (lambda f: repack(f, lambda t: {"x": t["pixels"]}), "is broken"),
    "floats": (lambda f: repack(f, lambda t: {"pixels": t["pixels"].float()}), "no RGB pictures"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_set_is_one_clear_error(reference, tmp_path, name):
    change, told = BREAKS[name]
    folder = reference.save(tmp_path / "set")
    change(folder)
    with pytest.raises(DataError, match=told):
        SyntheticSet.load(folder)


# Disks


def test_a_full_disk_keeps_what_was_made(spec, wanted, sampler, tmp_path, monkeypatch, reference):
    write, written = Path.write_bytes, []

    def full(self, content):
        written.append(self)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"No space left on device\. Free space"):
        make(spec, wanted, sampler, tmp_path)
    assert [f.suffix for f in files(tmp_path)] == [".png"] * 4
    monkeypatch.undo()
    assert make(spec, wanted, sampler, tmp_path).digest == reference.digest


def test_a_folder_that_cannot_be_made(spec, wanted, sampler, tmp_path, reference):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        make(spec, wanted, sampler, tmp_path / "file")
    with pytest.raises(DataError, match="cannot make the folder"):
        reference.save(tmp_path / "file")


# Loading pipelines


def test_the_mini_pipeline_is_missed_clearly(monkeypatch, tmp_path):
    monkeypatch.setattr(pipelines, "MINI", tmp_path)
    with pytest.raises(DataError, match="make world"):
        PipelineSpec("mini").load()


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./here", "a/b/c", "nothing"])
def test_a_folder_without_a_pipeline(name):
    with pytest.raises(DataError, match=r"no model_index\.json"):
        g.load_pipeline(name)


def test_no_network(monkeypatch):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(DiffusionPipeline, "download", offline)
    with pytest.raises(DataError, match="give the local folder's path"):
        g.load_pipeline("someone/some-model")


def without_tensor(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = {k: v.clone() for k, v in load_file(path).items() if k != "conv_in.bias"}
    save_file(tensors, path, metadata={"format": "pt"})


def pickled(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))


def truncated(folder: Path) -> None:
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


FAULTS = {
    "a part less": (lambda f: shutil.rmtree(f / "vae"), "lacks its part 'vae'"),
    "truncated": (truncated, "cannot be loaded"),
    "a tensor less": (without_tensor, "weights where"),
    "pickled": (pickled, "pickled weights are never loaded"),
    "another's weights": (lambda f: swap(f), "cannot be loaded"),
    "no json": (lambda f: (f / "model_index.json").write_text("{"), "cannot be read as JSON"),
}


def swap(folder: Path) -> None:
    shutil.copy(folder / "vae" / "diffusion_pytorch_model.safetensors", folder / "unet")


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_pipeline_is_one_clear_error(folder, tmp_path, name):
    change, told = FAULTS[name]
    shutil.copytree(folder, tmp_path / "p")
    change(tmp_path / "p")
    with pytest.raises(DataError, match=told):
        g.load_pipeline(str(tmp_path / "p"))


@pytest.mark.parametrize("parts", [("unet",), ("unet", "vae", "text_encoder")])
def test_parts_of_a_download_may_be_fp16_files(folder, tmp_path, parts):
    """A hub id is downloaded with `variant="fp16"`: parts that have no such file come as they are."""
    copy = shutil.copytree(folder, tmp_path / "mixed")
    for part in parts:
        (file,) = (copy / part).glob("*.safetensors")
        file.rename(file.with_suffix(".fp16.safetensors"))
    made, plain = g.load_pipeline(str(copy)), g.load_pipeline(str(folder))
    for part in ("unet", "vae", "text_encoder"):
        pairs = zip(getattr(made, part).state_dict().values(), getattr(plain, part).state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_the_weights_digest_names_the_files_contents(folder, tmp_path):
    first = g.weights_digest(str(folder))
    shutil.copytree(folder, tmp_path / "copy")
    assert g.weights_digest(str(tmp_path / "copy")) == first
    assert g.weights_digest(str(fixtures_diffusion.save(tmp_path / "other", seed=1))) != first
    schedule = tmp_path / "copy" / "scheduler" / "scheduler_config.json"
    schedule.write_text(schedule.read_text().replace("0.012", "0.013"))
    assert g.weights_digest(str(tmp_path / "copy")) != first


@pytest.mark.parametrize(
    ("values", "told"),
    [((0, 1.0, "ddim"), "at least 1"), ((1, -1.0, "ddim"), "zero or more"), ((1, float("nan"), "ddim"), "zero or more"),
     ((1, 1.0, "ddpm"), "did you mean"), ((1, 1.0, "ddim", 0), "at least 1")],
)  # fmt: skip
def test_bad_samplers(spec, values, told):
    with pytest.raises(ConfigError, match=told):
        spec.sampler(*values)


def test_workers_need_a_name(spec, wanted, sampler, tmp_path):
    with pytest.raises(ConfigError, match="give a PipelineSpec"):
        make(spec.load(), wanted, sampler, tmp_path, workers=2)


def test_half_precision_draws_on_the_cpu_too(folder, tmp_path, wanted):
    half = PipelineSpec(str(folder), precision="bf16")
    assert half.load().unet.dtype == torch.bfloat16
    assert len(make(half, wanted[:2], half.sampler(1, 7.5, "ddim", chunk=2), tmp_path)) == 2


# The training loop's view


def runtime(cache: Path) -> SimpleNamespace:
    return SimpleNamespace(device="cpu", cache=cache, workers=1, progress=False, data_dir=None)


def test_synthesize_draws_what_the_experiment_says(folder, tmp_path):
    e = experiment(pipeline=str(folder), denoising_steps=1, guidance_scale=1, synthetic_seed=4)
    made = g.synthesize(e, PROMPTS[:2], Counter(PROMPTS[:1]), runtime(tmp_path))
    assert list(map(Draw, made.prompts, made.seeds)) == draws(PROMPTS[:2], 4, Counter(PROMPTS[:1]))
    assert (made.sampler["steps"], made.sampler["guidance"], made.sampler["scheduler"]) == (1, 1.0, "dpm++")


def test_a_run_looks_its_pipeline_up_once(folder, tmp_path, monkeypatch):
    looked = Counter()
    found = pipelines.find_pipeline
    monkeypatch.setattr(pipelines, "find_pipeline", lambda name: looked.update([name]) or found(name))
    e = experiment(pipeline=str(folder), denoising_steps=1, guidance_scale=1)
    source = g.Source(e, runtime(tmp_path))
    sets = [source(PROMPTS[:2], Counter()), source(PROMPTS[:2], Counter(PROMPTS[:2]))]
    assert looked == {str(folder): 1}
    again = [g.synthesize(e, PROMPTS[:2], counts, runtime(tmp_path)) for counts in (Counter(), Counter(PROMPTS[:2]))]
    assert [s.digest for s in sets] == [s.digest for s in again] and sets[0].digest != sets[1].digest


def test_real_pictures_stand_in(monkeypatch, tmp_path):
    pixels = torch.randint(0, 255, (2, 3, 4, 4), dtype=torch.uint8)
    monkeypatch.setattr(data, "real_pictures", lambda e, prompts, seeds, folder: pixels, raising=False)
    made = g.synthesize(experiment(synthetic_source="real"), PROMPTS[:2], Counter(), runtime(tmp_path))
    assert torch.equal(made.pixels, pixels)


def test_a_whole_experiment_is_prepared_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "concepts_of", lambda e: ("dog", "owl"))
    e = experiment(pipeline=str(folder), denoising_steps=1, images_per_task=5, prompt_draws=5)
    tasks = [task("A", "x", "y"), task("B", "z")]
    assert g.prepare(e, tasks, runtime(tmp_path)) == 10
    monkeypatch.setattr(processes, "loaded", lambda spec: pytest.fail("the pipeline was loaded"))
    assert g.prepare(e, tasks, runtime(tmp_path)) == 10
    prompts = [d.prompt for d in g.plan(e, tasks)[0]]
    assert len(g.synthesize(e, prompts, Counter(), runtime(tmp_path))) == 5


def test_the_cost_is_told_before_it_is_paid(spec, wanted, sampler, tmp_path, reference):
    before = g.estimate(spec, wanted, sampler, tmp_path)
    assert (before.pictures, before.missing) == (7, 7)
    assert 0 < before.seconds < 60
    make(spec, wanted[:4], sampler, tmp_path)
    assert g.estimate(spec, wanted, sampler, tmp_path).missing == 3
    make(spec, wanted, sampler, tmp_path)
    assert g.estimate(spec, wanted, sampler, tmp_path) == g.Estimate(7, 0, 0.0)


# kill -9


def draw_in_another_process(spec, wanted, sampler, cache, workers):
    generate(spec, wanted, sampler, cache, workers=workers, progress=False)


def kill_and_resume(spec, sampler, tmp_path, kills: int, workers: int) -> tuple[SyntheticSet, list[int]]:
    """Start drawing, kill -9 at a random moment, again and again; then draw the rest. Pictures after each kill."""
    wanted, moments, made = draws(PROMPTS * 8, 2), random.Random(0), []
    for _ in range(kills):
        process = processes._processes().Process(
            target=draw_in_another_process, args=(spec, wanted, sampler, tmp_path, workers)
        )
        process.start()
        time.sleep(moments.uniform(0.3, 1.2))
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
        made.append(len(list(Path(tmp_path).rglob("*.png"))))
    return make(spec, wanted, sampler, tmp_path), made


def check_kills(spec, sampler, tmp_path, kills, workers=1):
    resumed, made = kill_and_resume(spec, sampler, tmp_path / "killed", kills, workers)
    untouched = make(spec, draws(PROMPTS * 8, 2), sampler, tmp_path / "untouched")
    assert resumed.digest == untouched.digest
    assert made == sorted(made)
    assert not [f for f in files(tmp_path) if f.suffix != ".png"]


def test_three_kills(spec, tmp_path):
    check_kills(spec, spec.sampler(12, 7.5, "dpm++", chunk=3), tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_kills(spec, tmp_path, workers):
    check_kills(spec, spec.sampler(60, 7.5, "dpm++", chunk=3), tmp_path, 20, workers)
