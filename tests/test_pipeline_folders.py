"""Folders that hold a pipeline: what diffusers loads of them loads here, and no folder runs code of its own."""

import json
import shutil

import fixtures_diffusion
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from gift_lib import generate as g
from gift_lib.errors import DataError
from gift_lib.generation.folders import PipelineFolder

PARTS = ("unet", "vae", "text_encoder")
UNET = "diffusion_pytorch_model"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fixtures_diffusion.save(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "p")


def same(a, b):
    return all(
        torch.equal(x.float(), y.float())
        for part in PARTS
        for x, y in zip(getattr(a, part).state_dict().values(), getattr(b, part).state_dict().values(), strict=True)
    )


def other(path, name):
    """Other weights of the same form beside a file."""
    save_file({k: v + 1 for k, v in load_file(path).items()}, path.with_name(name), metadata={"format": "pt"})


BESIDE = {
    "non_ema": lambda f: other(f / "unet" / f"{UNET}.safetensors", f"{UNET}.non_ema.safetensors"),
    "another's name": lambda f: other(f / "unet" / f"{UNET}.safetensors", "my_finetune.safetensors"),
    "what a Mac leaves": lambda f: (f / "vae" / f"._{UNET}.safetensors").write_bytes(b"\0\5\26\7"),
    "what a Mac leaves of a text": lambda f: (f / "unet" / "._config.json").write_bytes(b"\0\5\26\7"),
    "a pickle": lambda f: (f / "unet" / f"{UNET}.bin").write_bytes(b"no weights"),
    "an old shard": lambda f: other(f / "text_encoder" / "model.safetensors", "model-00001-of-00002.safetensors"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_a_second_file_beside_the_weights_changes_nothing(made, folder, what):
    before = g.weights_digest(str(made))
    BESIDE[what](folder)
    assert g.weights_digest(str(folder)) == before
    assert same(g.load_pipeline(str(folder)), g.load_pipeline(str(made)))


@pytest.mark.parametrize("shards", ["full", "fp16", "both", "fp16 beside one full file"])
def test_shards_load_as_diffusers_loads_them(tmp_path, shards):
    pipe, folder = fixtures_diffusion.pipeline(seed=3), tmp_path / "p"
    if "full" in shards or shards == "both":
        pipe.save_pretrained(folder, max_shard_size="20KB" if shards in ("full", "both") else "1GB")
    if shards != "full":
        pipe.to(torch.float16).save_pretrained(folder, variant="fp16", max_shard_size="20KB")
    half = "fp16" in shards or shards == "both"
    theirs = DiffusionPipeline.from_pretrained(folder, variant="fp16" if half else None, safety_checker=None)
    found = PipelineFolder(folder)
    assert found.half is half and len(found.weights["unet"]) > 2
    assert same(g.load_pipeline(str(folder)), theirs)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ({"weight_map": {"a": "gone.safetensors"}}, r"names gone\.safetensors, which is not there"),
        ({"weight_map": {"a": "../vae/diffusion_pytorch_model.safetensors"}}, "names no files"),
        ({"weight_map": {}}, "names no files"), ({"weight_map": [1]}, "names no files"), ([], "no settings by name"),
    ],
)  # fmt: skip
def test_an_index_that_leads_nowhere(folder, index, told):
    (folder / "unet" / f"{UNET}.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=told):
        g.load_pipeline(str(folder))


@pytest.mark.parametrize("content", ["[]", "null", "3", '"x"', "{}", '{"_class_name": 5}'])
def test_an_index_of_parts_that_is_none(folder, content):
    (folder / "model_index.json").write_text(content)
    for find in (g.load_pipeline, g.weights_digest):
        with pytest.raises(DataError, match=r"model_index\.json (holds no settings by name|names no pipeline)"):
            find(str(folder))


@pytest.mark.parametrize(("part", "file"), [("unet", "config.json"), ("vae", "config.json")])
@pytest.mark.parametrize("content", ["[]", '{"sample_size": [4, 4], "block_out_channels": [1]}',
                                     '{"sample_size": 4, "block_out_channels": "x"}'])  # fmt: skip
def test_a_part_whose_settings_make_no_sense(folder, part, file, content):
    (folder / part / file).write_text(content)
    with pytest.raises(DataError, match=str(folder)):
        assert PipelineFolder(folder).native_size
        g.load_pipeline(str(folder))


@pytest.mark.parametrize("content", ["{}", "[]", "x"])
def test_a_tokenizer_that_is_none(folder, content):
    for file in (folder / "tokenizer").glob("*"):
        if file.name != "tokenizer_config.json":
            file.unlink()
    (folder / "tokenizer" / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match="cannot be loaded"):
        g.load_pipeline(str(folder))


# Code, with harmless markers


def code(path, marker):
    """A Python file that leaves a marker when it is imported."""
    path.write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\nclass Own: pass\n")


def changed(folder, **values):
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def own_pipeline(folder, marker):
    code(folder / "own.py", marker)
    changed(folder, _class_name=["own", "Own"])


def own_part(folder, marker):
    code(folder / "unet" / "own.py", marker)
    changed(folder, unet=["own", "Own"])


def own_unused_part(folder, marker):
    (folder / "safety_checker").mkdir()
    code(folder / "safety_checker" / "own.py", marker)
    changed(folder, safety_checker=["own", "Own"])


def shadowed_part(folder, marker):
    """A file with the library's own name."""
    code(folder / "unet" / "diffusers.py", marker)


def other_library(folder, marker):
    changed(folder, scheduler=["pathlib", "Path"])


def mapped(part, file):
    def bring(folder, marker):
        code(folder / part / "own.py", marker)
        path = folder / part / file
        path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": {"AutoModel": "own.Own"}}))

    return bring


BROUGHT = {
    "a pipeline": (own_pipeline, "no pipeline of diffusers"), "a part": (own_part, "wants its part 'unet'"),
    "a part that draws nothing": (own_unused_part, "wants its part 'safety_checker'"),
    "a part under the library's name": (shadowed_part, "wants its part 'unet'"),
    "another library": (other_library, "wants its part 'scheduler'"),
    "a model's map": (mapped("text_encoder", "config.json"), "asks to run code of its own"),
    "a tokenizer's map": (mapped("tokenizer", "tokenizer_config.json"), "asks to run code of its own"),
    "a sampler's map": (mapped("scheduler", "scheduler_config.json"), "asks to run code of its own"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROUGHT)
def test_a_pipeline_brings_no_code(folder, tmp_path, what):
    bring, told = BROUGHT[what]
    bring(folder, tmp_path / "marker")
    for find in (g.load_pipeline, g.weights_digest):
        with pytest.raises(DataError, match=told):
            find(str(folder))
    assert not (tmp_path / "marker").exists()


def test_the_marker_would_show(tmp_path):
    code(tmp_path / "own.py", tmp_path / "marker")
    exec((tmp_path / "own.py").read_text(), {})
    assert (tmp_path / "marker").exists()
