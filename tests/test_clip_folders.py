"""Folders that hold a CLIP: what open_clip writes loads, what transformers writes converts, and no folder runs code."""

import json
import pickle
import shutil
from types import SimpleNamespace

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.push_to_hf_hub import save_for_hf
from safetensors.torch import save_file
from test_clip import PROMPTS, SIMPLE, config, tiny
from transformers import CLIPConfig, CLIPModel

from gift_lib.clip import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    convert,
    encode_images,
    encode_texts,
    load,
    loading,
    save_checkpoint,
)
from gift_lib.errors import DataError
from gift_lib.world import tokenizer

TIMM = {"timm_model_name": "test_convnext", "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear",
        "image_size": 64}  # fmt: skip
FORMS = {
    "a tower of timm beside a plain text tower": {"vision_cfg": TIMM},
    "a text tower of its own": {"custom_text": True},
    "both": {"custom_text": True, "vision_cfg": TIMM},
    "neither, and said so": {"custom_text": False},
}


@pytest.mark.parametrize("form", FORMS)
def test_what_open_clip_writes_loads_as_open_clip_loads_it(tmp_path, form):
    described = config() | FORMS[form]
    (tmp_path / "gift-form.json").write_text(json.dumps(described))
    open_clip.add_model_config(tmp_path / "gift-form.json")
    nobody = SimpleNamespace(save_pretrained=lambda folder: None)
    save_for_hf(open_clip.create_model("gift-form"), nobody, described, tmp_path / "clip")
    ours, theirs = load(str(tmp_path / "clip")), open_clip.create_model(f"local-dir:{tmp_path / 'clip'}").eval()
    assert type(ours.model) is type(theirs)
    x, tokens = torch.randn(2, 3, ours.preprocess.size, ours.preprocess.size), SIMPLE(PROMPTS)
    torch.testing.assert_close(encode_images(ours.model, x), F.normalize(theirs.encode_image(x), dim=-1))
    torch.testing.assert_close(encode_texts(ours.model, tokens), F.normalize(theirs.encode_text(tokens), dim=-1))


def described(folder, change):
    """Change a folder's model_cfg."""
    path = folder / CONFIG_FILE
    content = json.loads(path.read_text())
    change(content["model_cfg"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(multimodal_cfg={}, custom_text=True), "a CoCa has a decoder"),
        (lambda c: c["vision_cfg"].update(timm_model_name="local-dir:{folder}"), "timm has no image tower 'local-dir:"),
        (lambda c: c["vision_cfg"].update(timm_model_name="hf-hub:a/b"), "timm has no image tower 'hf-hub:a/b'"),
        (lambda c: c["text_cfg"].update(hf_model_name="./nowhere"), "no text tower './nowhere'"),
        (lambda c: c.update(vision_cfg=[]), "settings by name"),
        (lambda c: c["vision_cfg"].update(layers="many"), "describes no CLIP that open_clip can build"),
    ],
)
def test_towers_that_this_library_cannot_use_are_refused_by_name(tmp_path, change, told, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = save_checkpoint(tiny(text={"vocab_size": 49408}), tmp_path / "clip")
    described(folder, change)
    with pytest.raises(DataError, match=told):
        load(str(folder))


def test_a_folder_in_ones_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_checkpoint(tiny(text={"vocab_size": 49408}), tmp_path / "clip")
    assert load("~/clip").digest == loading.weights_digest("~/clip")


# transformers' CLIPModel


@pytest.fixture
def hugging(tmp_path):
    torch.manual_seed(0)
    towers = {"hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**towers, "vocab_size": 49408, "max_position_embeddings": 24, "eos_token_id": 49407}
    vision = {**towers, "hidden_size": 48, "num_attention_heads": 3, "image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.05 * torch.randn_like(p)
    model.save_pretrained(tmp_path / "hf")
    return model, tmp_path / "hf"


def test_transformers_clip_is_converted(hugging, tmp_path, capsys):
    model, source = hugging
    (source / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}))
    for find in (load, loading.weights_digest):
        with pytest.raises(DataError, match=rf"gift_lib\.clip\.convert {source} NEW_FOLDER"):
            find(str(source))
    assert convert.main([str(source), str(tmp_path / "new")]) == 0 and "load" in capsys.readouterr().out
    clip = load(str(tmp_path / "new"))
    x, tokens = torch.randn(3, 3, 32, 32), SIMPLE(PROMPTS)
    theirs = model(pixel_values=x, input_ids=tokens)
    torch.testing.assert_close(encode_images(clip.model, x), theirs.image_embeds, atol=2e-6, rtol=0)
    torch.testing.assert_close(encode_texts(clip.model, tokens), theirs.text_embeds, atol=2e-6, rtol=0)
    assert float(clip.scale.detach()) == pytest.approx(float(model.logit_scale.detach().exp()))
    assert clip.preprocess.mean == (0.5,) * 3 and clip.config["quick_gelu"] is True


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "pickled weights are never read"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 100), "truncated or no safetensors"),
        (lambda f: (f / "config.json").write_text('{"model_type": "siglip"}'), "holds no CLIPModel"),
        (lambda f: (f / "config.json").write_text("[]"), "holds no CLIPModel"),
        (lambda f: (f / "config.json").unlink(), "holds no CLIPModel"),
        (lambda f: (f.parent / "new").mkdir() or (f.parent / "new" / "x").write_text(""), "is not empty"),
    ],
)
def test_what_cannot_be_converted_is_one_clear_line(hugging, tmp_path, capsys, change, told):
    change(hugging[1])
    assert convert.main([str(hugging[1]), str(tmp_path / "new")]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


# Pickles and code, with harmless markers


class Marker:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "pytorch_model.bin", "best.pt", "x.ckpt", "x.pth"])
@pytest.mark.parametrize("config_there", [True, False])
def test_a_pickle_is_never_read_and_how_to_convert_is_told(tmp_path, name, config_there):
    folder = save_checkpoint(tiny(text={"vocab_size": 49408}), tmp_path / "clip")
    (folder / WEIGHTS_FILE).unlink()
    (folder / name).write_bytes(pickle.dumps(Marker(tmp_path / "marker")))
    if not config_there:
        (folder / CONFIG_FILE).unlink()
    for place in (folder, folder / name):
        with pytest.raises(DataError, match=rf"{name} is pickled, and pickles are never read.*weights_only=True"):
            load(str(place))
    assert not (tmp_path / "marker").exists()


def test_the_told_conversion_of_a_pickle_works(tmp_path):
    clip = tiny(text={"vocab_size": 49408})
    folder = save_checkpoint(clip, tmp_path / "clip")
    (folder / WEIGHTS_FILE).unlink()
    described_again = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**described_again, "weights_sha256": ""}))
    torch.save(clip.model.state_dict(), folder / "model.bin")
    save_file(torch.load(folder / "model.bin", weights_only=True), folder / WEIGHTS_FILE)
    assert torch.equal(load(str(folder)).model.visual.proj, clip.model.visual.proj)


@pytest.fixture
def own(tmp_path):
    """A CLIP with a tokenizer of its own, in its folder."""
    small = tokenizer.train(["a photo of a dog.", "a drawing of a cat."], merges=20)
    tokenizer.save(small, tmp_path / "tokenizer")
    save_checkpoint(tiny(text={"vocab_size": len(small), "hf_tokenizer_name": "tokenizer"}), tmp_path / "first")
    return save_checkpoint(load(str(tmp_path / "first")), tmp_path / "clip")


CODE = "from pathlib import Path\nPath({marker!r}).touch()\nfrom transformers import PreTrainedTokenizerFast as Own\n"


def bring_code(folder, marker, file="tokenizer_config.json", classes=(None, "own.Own"), kind="AutoTokenizer"):
    """Have a configuration name a class in a Python file beside it, which leaves a marker when it is imported."""
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(CODE.format(marker=str(marker)))
    path = folder / file
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, "tokenizer_class": "Own", "auto_map": {kind: classes}}))


@pytest.mark.parametrize(
    "settings",
    [{"trust_remote_code": True}, {"use_fast": False}, {"config": "x"}, {"clean": ["whitespace"]}, {"_from_auto": 1},
     {"strip_sep_token": "yes"}, {"revision": "main", "clean": "whitespace"}],
)  # fmt: skip
def test_a_folder_hands_no_setting_to_transformers(own, tmp_path, settings):
    bring_code(own, tmp_path / "marker")
    described(own, lambda c: c["text_cfg"].update(tokenizer_kwargs=settings))
    with pytest.raises(DataError, match=rf"sets '{next(iter(settings))}'.*only clean, language, strip_sep_token"):
        load(str(own))
    assert not (tmp_path / "marker").exists()


def test_open_clips_own_settings_of_a_tokenizer_pass(own):
    described(own, lambda c: c["text_cfg"].update(tokenizer_kwargs={"clean": "canonicalize"}))
    tokens = load(str(own)).tokenize(["A photo, of a DOG."])
    assert torch.equal(tokens, open_clip.get_tokenizer(f"local-dir:{own}")(["A photo, of a DOG."]))
    assert torch.equal(tokens, load(str(own)).tokenize(["a photo of a dog"]))


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
@pytest.mark.parametrize("place", ["in it", "below it", "beside it"])
def test_a_tokenizer_brings_no_code(own, tmp_path, file, place):
    if place != "in it":
        where = own / "tokenizer" if place == "below it" else own.parent / "tokenizer"
        for part in own.glob("*token*.json"):
            where.mkdir(exist_ok=True)
            shutil.move(part, where / part.name)
    bring_code({"in it": own, "below it": own / "tokenizer", "beside it": own.parent / "tokenizer"}[place],
               tmp_path / "marker", file)  # fmt: skip
    with pytest.raises(DataError, match=rf"{file} asks to run code of its own \(auto_map\)"):
        load(str(own))
    assert not (tmp_path / "marker").exists()


def test_a_text_tower_brings_no_code(own, tmp_path):
    bring_code(tmp_path / "tower", tmp_path / "marker", "config.json", "own.Own", "AutoConfig")
    described(own, lambda c: c["text_cfg"].update(hf_model_name=str(tmp_path / "tower")))
    with pytest.raises(DataError, match="transformers gives no text tower"):
        load(str(own))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("content", ["{}", "[]", "", '{"model": {"type": "None"}}', '{"model": 1}'])
def test_a_tokenizer_that_is_none(own, content):
    (own / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json is no tokenizer that transformers can read.*Copy"):
        load(str(own))


def test_markers_would_show(tmp_path):
    """What the guards above are tested with does leave its mark where somebody runs it."""
    pickle.loads(pickle.dumps(Marker(tmp_path / "pickled"))).close()
    bring_code(tmp_path / "code", tmp_path / "ran")
    exec((tmp_path / "code" / "own.py").read_text(), {})
    assert (tmp_path / "pickled").exists() and (tmp_path / "ran").exists()
