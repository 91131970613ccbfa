"""The encoders against open_clip's own towers (values and gradients), loading, saving, and bad files."""

import json
import logging

import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from gift_lib import clip as clip_module
from gift_lib.clip import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Clip,
    classifier,
    clone,
    encode_images,
    encode_texts,
    gradient_checkpointing,
    load,
    loading,
    prefix_tree,
    save_checkpoint,
    towers,
)
from gift_lib.data.transforms import Preprocess
from gift_lib.errors import ConfigError, DataError
from gift_lib.tasks import Task

PROMPTS = [
    "a photo of a dog.",
    "a photo of a great white shark.",
    "a photo of a dog.",
    "a photo of",
    "terrain",
    "a photo of a dog, a type of pet.",
]


def config(vision=(), text=(), **other):
    v = {"image_size": 32, "layers": 3, "width": 32, "patch_size": 8, "head_width": 16, **dict(vision)}
    t = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3, **dict(text)}
    return {"embed_dim": 16, "vision_cfg": v, "text_cfg": t, **other}


SIMPLE = open_clip.SimpleTokenizer(context_length=24)
END = 499


def few_ids(texts):
    """Token ids folded into a vocabulary of 500, for speed; the end token keeps the highest."""
    tokens = SIMPLE(texts)
    return torch.where(tokens == 49407, END, tokens % END)


def tiny(text=(), **changes):
    """A small CLIP; `text={"vocab_size": 49408}` gives it open_clip's own vocabulary."""
    cfg = config(text={"vocab_size": END + 1, **dict(text)}, **changes)
    torch.manual_seed(0)
    model = open_clip.CLIP(**cfg)
    with torch.no_grad():  # open_clip starts biases and norms at 0 and 1, where errors could hide
        for p in model.parameters():
            p += 0.05 * torch.randn_like(p)
    tokenize = few_ids if cfg["text_cfg"]["vocab_size"] == END + 1 else SIMPLE
    return Clip(model, tokenize, Preprocess(32), "tiny", "0", cfg)


def gradients(model, value):
    weight = torch.randn(value.shape, generator=torch.Generator().manual_seed(5))
    params = dict(model.named_parameters())
    found = torch.autograd.grad((value * weight).sum(), list(params.values()), allow_unused=True)
    return {n: g for n, g in zip(params, found, strict=True) if g is not None}


def assert_same(model, ours, theirs, rtol=1e-4):
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)
    a, b = gradients(model, ours), gradients(model, theirs)
    assert set(a) == set(b)
    for name, want in b.items():
        assert float((a[name] - want).abs().max()) <= rtol * float(want.abs().max()) + 1e-9, name


VARIANTS = {
    "plain": {},
    "quickgelu": {"quick_gelu": True},
    "layer scale": {"vision": {"ls_init_value": 0.5}, "text": {"ls_init_value": 0.5}},
    "projection with bias": {"text": {"proj_bias": True}},
    "norm after pooling": {"vision": {"final_ln_after_pool": True, "no_ln_pre": True}},
    "one block": {"vision": {"layers": 1}, "text": {"layers": 1}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_texts_are_open_clips_in_value_and_gradient(variant):
    clip = tiny(**VARIANTS[variant])
    tokens = clip.tokenize(PROMPTS)
    assert clip_module.fast_texts(clip.model)
    assert_same(clip.model, encode_texts(clip.model, tokens), clip.model.encode_text(tokens, normalize=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_images_are_open_clips_in_value_and_gradient(variant):
    clip = tiny(**VARIANTS[variant])
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert clip_module.fast_images(clip.model.visual)
    assert_same(clip.model, encode_images(clip.model, x), clip.model.encode_image(x, normalize=True))


def test_texts_at_the_size_of_vit_b_16():
    cfg = open_clip.get_model_config("ViT-B-16-quickgelu")
    text = cfg["text_cfg"] | {"vocab_size": END + 1}
    torch.manual_seed(0)
    model = open_clip.CLIP(512, config()["vision_cfg"], text, quick_gelu=True)
    tokens = F.pad(few_ids(PROMPTS[:2]), (0, 77 - 24))
    assert_same(model, encode_texts(model, tokens), model.encode_text(tokens, normalize=True), rtol=1e-3)


def test_one_prompt_as_long_as_the_context():
    clip = tiny()
    tokens = clip.tokenize(["word " * 40])
    assert int(tokens.argmax()) == 23
    torch.testing.assert_close(encode_texts(clip.model, tokens), clip.model.encode_text(tokens, normalize=True))


def test_padding_with_the_end_token_as_other_tokenizers_do():
    clip = tiny()
    tokens = clip.tokenize(PROMPTS)
    ends = tokens.argmax(dim=1, keepdim=True)
    padded = torch.where(torch.arange(24) > ends, END, tokens)
    torch.testing.assert_close(encode_texts(clip.model, padded), clip.model.encode_text(padded, normalize=True))


def test_the_prefix_tree_has_one_node_for_each_distinct_prefix():
    tokens = tiny().tokenize(PROMPTS)
    tree = prefix_tree(tokens)
    ends = tokens.argmax(dim=1).tolist()
    prefixes = {tuple(row[: k + 1]) for row, end in zip(tokens.tolist(), ends, strict=True) for k in range(end + 1)}
    assert len(tree.token) == len(prefixes)
    found = set()
    for prompt, (row, end) in enumerate(zip(tokens.tolist(), ends, strict=True)):
        nodes = tree.node[tree.prompt[prompt]]
        assert int(tree.end[tree.prompt[prompt]]) == end
        for k in range(end + 1):
            assert int(tree.token[nodes[k]]) == row[k] and int(tree.position[nodes[k]]) == k
            found.add((int(nodes[k]), tuple(row[: k + 1])))
    assert len(found) == len(prefixes)  # node and prefix determine each other
    assert tree.node.flatten()[tree.place].tolist() == list(range(len(tree.token)))


class Adapter(nn.Module):
    """An extra beside a block's MLP, as MoE-Adapter has it."""

    def __init__(self, mlp, width, token_wise):
        super().__init__()
        self.mlp, self.c_fc, self.extra, self.token_wise = mlp, mlp.c_fc, nn.Linear(width, width), token_wise

    def forward(self, x):
        if self.token_wise:
            return self.mlp(x) + self.extra(x)
        return self.mlp(x) + self.extra(x[:, :1])  # every token sees the first one


@pytest.mark.parametrize("token_wise", [True, False])
def test_blocks_with_another_mlp_stay_exact(token_wise):
    clip = tiny()
    for transformer in (clip.model.transformer, clip.model.visual.transformer):
        for block in transformer.resblocks:
            block.mlp = Adapter(block.mlp, 32, token_wise)
    assert clip_module.fast_texts(clip.model) is token_wise
    assert clip_module.fast_images(clip.model.visual) is token_wise
    tokens, x = clip.tokenize(PROMPTS), torch.randn(2, 3, 32, 32)
    assert_same(clip.model, encode_texts(clip.model, tokens), clip.model.encode_text(tokens, normalize=True))
    assert_same(clip.model, encode_images(clip.model, x), clip.model.encode_image(x, normalize=True))


OTHERS = {
    "average pooling": {"vision": {"pool_type": "avg"}},
    "attention with norms": {"vision": {"qk_norm": True}, "text": {"qk_norm": True}},
    "end of text by id": {"text": {"pool_type": "eos", "eos_id": END}},
    "both directions": {"text": {"no_causal_mask": True}},
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_towers_run_through_open_clips_own_code_and_say_so(other, caplog):
    clip = tiny(**OTHERS[other])
    towers._note.cache_clear()
    tokens, x = clip.tokenize(PROMPTS), torch.randn(2, 3, 32, 32)
    with caplog.at_level(logging.INFO, "gift_lib.clip"):
        texts, images = encode_texts(clip.model, tokens), encode_images(clip.model, x)
    torch.testing.assert_close(texts, clip.model.encode_text(tokens, normalize=True))
    torch.testing.assert_close(images, clip.model.encode_image(x, normalize=True))
    assert bool(caplog.records) == (other != "attention with norms" or not clip_module.fast_images(clip.model.visual))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_autocast_gives_float32_embeddings_near_the_exact_ones(precision):
    clip = tiny()
    clip.precision = precision
    tokens, x = clip.tokenize(PROMPTS), torch.randn(2, 3, 32, 32)
    with clip.autocast():
        texts, images = encode_texts(clip.model, tokens), encode_images(clip.model, x)
    assert texts.dtype == images.dtype == torch.float32
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(len(texts)))
    torch.testing.assert_close(texts, encode_texts(clip.model, tokens), atol=0.05, rtol=0)
    torch.testing.assert_close(images, encode_images(clip.model, x), atol=0.05, rtol=0)
    assert all(bool(g.isfinite().all()) for g in gradients(clip.model, texts).values())


def test_gradient_checkpointing_changes_no_gradient():
    clip = tiny()
    tokens, x = clip.tokenize(PROMPTS), torch.randn(2, 3, 32, 32)
    plain = [gradients(clip.model, f(clip.model, v)) for f, v in ((encode_texts, tokens), (encode_images, x))]
    gradient_checkpointing(clip.model)
    again = [gradients(clip.model, f(clip.model, v)) for f, v in ((encode_texts, tokens), (encode_images, x))]
    for a, b in zip(plain, again, strict=True):
        assert a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def test_a_clone_is_frozen_and_stands_alone():
    clip = tiny()
    teacher = clone(clip)
    before = encode_texts(teacher.model, clip.tokenize(PROMPTS))
    with torch.no_grad():
        for p in clip.model.parameters():
            p += 1
    assert not before.requires_grad and not teacher.model.training
    assert torch.equal(encode_texts(teacher.model, clip.tokenize(PROMPTS)), before)


@pytest.mark.parametrize("batch_size", [3, 1024])
def test_a_classifier_is_the_renormalised_mean_over_templates(batch_size):
    clip = tiny()
    templates = ("a photo of a {c}.", "a drawing of the {c}", "{c}")
    task = Task("t", ("dog", "great white shark"), templates, open_split=lambda name: None)
    rows = []
    for c in task.classes:
        tokens = clip.tokenize([t.replace("{c}", c) for t in templates])
        texts = clip.model.encode_text(tokens, normalize=True).detach()
        rows.append(F.normalize(sum(texts) / len(templates), dim=0))
    got = classifier(clip, task, batch_size)
    torch.testing.assert_close(got, torch.stack(rows), atol=2e-6, rtol=0)
    assert not got.requires_grad


def test_trained_weights_leave_logit_scale_out():
    clip = tiny()
    names = {n for n, _ in clip.model.named_parameters()}
    assert set(clip.trained()) == names - {"logit_scale"}
    assert float(clip.scale) == pytest.approx(float(clip.model.logit_scale.detach().exp()))


# Loading and saving


@pytest.fixture
def saved(tmp_path):
    clip = tiny(text={"vocab_size": 49408})
    return clip, save_checkpoint(clip, tmp_path / "clip")


def test_a_saved_checkpoint_loads_here_and_in_open_clip(saved):
    clip, folder = saved
    ours, theirs = load(str(folder)), open_clip.create_model(f"local-dir:{folder}")
    third = open_clip.CLIP(**clip.config)
    open_clip.load_checkpoint(third, str(folder / WEIGHTS_FILE))
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(PROMPTS)
    assert torch.equal(tokens, ours.tokenize(PROMPTS))
    for model in (ours.model, theirs, third):
        state = model.state_dict()
        assert all(torch.equal(t, state[n]) for n, t in clip.model.state_dict().items())
    assert ours.preprocess == clip.preprocess and not ours.model.training
    assert len(ours.digest) == 16 and load(str(folder)).digest == ours.digest


def test_half_precision_weights_load_as_float32(tmp_path):
    clip = tiny(text={"vocab_size": 49408})
    folder = save_checkpoint(clip, tmp_path, dtype=torch.float16)
    loaded = load(str(folder))
    for n, t in clip.model.state_dict().items():
        assert loaded.model.state_dict()[n].dtype == torch.float32
        assert torch.equal(loaded.model.state_dict()[n], t.half().float())


def test_a_tokenizer_of_its_own_is_saved_and_found_again(tmp_path):
    from gift_lib.world import tokenizer

    small = tokenizer.train(["a photo of a dog.", "a drawing of a cat."], merges=20)
    tokenizer.save(small, tmp_path / "tokenizer")
    clip = tiny(text={"vocab_size": len(small), "hf_tokenizer_name": "tokenizer"})
    save_checkpoint(clip, tmp_path / "clip")
    first = load(str(tmp_path / "clip"))  # its tokenizer stands beside it
    save_checkpoint(first, tmp_path / "elsewhere" / "clip")
    second = load(str(tmp_path / "elsewhere" / "clip"))  # and now in it
    texts = ["a photo of a dog.", "a Cat"]
    theirs = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'elsewhere' / 'clip'}")(texts)
    assert torch.equal(first.tokenize(texts), second.tokenize(texts))
    assert torch.equal(first.tokenize(texts), theirs)
    assert first.tokenize(texts).max() == len(small) - 1
    torch.testing.assert_close(
        encode_texts(second.model, theirs), second.model.encode_text(theirs, normalize=True), atol=2e-6, rtol=0
    )


def test_random_weights_depend_on_the_seed_alone(tmp_path, monkeypatch):
    add_architecture(tmp_path)
    torch.manual_seed(1)
    a, after = load("gift-test/random"), torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))  # and leave the global stream alone
    b, c = load("gift-test/random-0"), load("gift-test/random-1")
    assert a.digest == b.digest != c.digest
    assert torch.equal(a.model.visual.proj, b.model.visual.proj)
    assert not torch.equal(a.model.visual.proj, c.model.visual.proj)


def add_architecture(folder):
    """A small architecture that open_clip then knows by name."""
    (folder / "gift-test.json").write_text(json.dumps(config(quick_gelu=True)))
    open_clip.add_model_config(folder / "gift-test.json")


def test_pretrained_weights_come_through_open_clip(tmp_path, monkeypatch, saved):
    add_architecture(tmp_path)
    clip, folder = saved
    known = {"hf_hub": "someone/weights/", "quick_gelu": True, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda arch, tag: known)
    monkeypatch.setattr(open_clip, "download_pretrained", lambda cfg: str(folder / WEIGHTS_FILE))
    loaded = load("gift-test/some")
    assert torch.equal(loaded.model.visual.proj, clip.model.visual.proj)
    assert loaded.preprocess == Preprocess(32, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    "name, says",
    [
        ("ViT-B-16/openai", "use 'ViT-B-16-quickgelu/openai'"),
        ("ViT-B-16-quickgelu/laion2b_s34b_b88k", "laion2b_s34b_b88k"),
        ("ViT-B-61/openai", "did you mean 'ViT-B-16'"),
        ("ViT-B-16-quickgelu/opnai", "did you mean 'openai'"),
        ("ViT-B-16", "has no weights ''"),
        ("no/such/folder", "neither a folder nor a CLIP"),
    ],
)
def test_names_that_do_not_exist_or_trap(name, says):
    with pytest.raises(ConfigError, match=says):
        load(name)


def test_a_precision_that_does_not_exist():
    with pytest.raises(ConfigError, match="precision cannot be 'fp8'"):
        load("mini", precision="fp8")


def test_a_scale_model_that_was_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "WEIGHTS", tmp_path)
    with pytest.raises(DataError, match="make world"):
        load("mini-7")


def test_no_network_says_how_to_place_the_weights(monkeypatch):
    def fail(cfg):
        raise ConnectionError("no route")

    monkeypatch.setattr(open_clip, "download_pretrained", fail)
    with pytest.raises(DataError, match="put both into one folder and give that folder"):
        load("ViT-B-16-quickgelu/openai")


def truncate(folder):
    data = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(data[: len(data) // 2])


def rewrite(folder, change):
    weights = load_file(folder / WEIGHTS_FILE)
    change(weights)
    save_file(weights, folder / WEIGHTS_FILE)


def forget_digest(folder):
    text = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**text, "weights_sha256": ""}))


DAMAGE = {
    "no weights": (lambda f: (f / WEIGHTS_FILE).unlink(), WEIGHTS_FILE),
    "no config": (lambda f: (f / CONFIG_FILE).unlink(), "does not exist"),
    "broken config": (lambda f: (f / CONFIG_FILE).write_text("{"), "cannot be read as JSON"),
    "empty config": (lambda f: (f / CONFIG_FILE).write_text("{}"), "no 'model_cfg'"),
    "senseless config": (lambda f: (f / CONFIG_FILE).write_text('{"model_cfg": {"a": 1}}'), "describes no CLIP"),
    "truncated": (truncate, "is not the file that"),
    "truncated, no digest": (lambda f: (truncate(f), forget_digest(f)), "truncated or no safetensors"),
    "swapped": (lambda f: rewrite(f, lambda w: w["visual.proj"].add_(1)), "is not the file that"),
    "another shape": (
        lambda f: (rewrite(f, lambda w: w.update(logit_scale=torch.ones(2))), forget_digest(f)),
        "first 'logit_scale'",
    ),
    "a tensor missing": (
        lambda f: (rewrite(f, lambda w: w.pop("visual.proj")), forget_digest(f)),
        "first 'visual.proj'",
    ),
    "not finite": (
        lambda f: (rewrite(f, lambda w: w["visual.proj"].fill_(torch.nan)), forget_digest(f)),
        "not finite",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_one_clear_error(damage, saved):
    harm, says = DAMAGE[damage]
    digest = json.loads((saved[1] / CONFIG_FILE).read_text())["weights_sha256"]
    assert len(digest) == 64
    if damage == "senseless config":
        (saved[1] / CONFIG_FILE).write_text("")
    harm(saved[1])
    with pytest.raises(DataError, match=says) as error:
        load(str(saved[1]))
    assert str(saved[1]) in str(error.value)


def test_a_checkpoint_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        save_checkpoint(tiny(), tmp_path / "file" / "clip")


def test_empty_batches_are_one_clear_error():
    clip = tiny()
    with pytest.raises(DataError, match="no prompt"):
        encode_texts(clip.model, clip.tokenize([]))
    with pytest.raises(DataError, match="no image"):
        encode_images(clip.model, torch.zeros(0, 3, 32, 32))


def test_a_digest_is_known_without_building_the_model(monkeypatch, saved):
    _, folder = saved
    names = ("mini", "mini-1", str(folder), "ViT-S-32/random", "ViT-S-32/random-3")
    built = [load(name).digest for name in names]
    monkeypatch.setattr(loading, "_build", None)
    assert [loading.weights_digest(name) for name in names] == built
    assert len(set(built)) == 5
    for wrong, error in (("ViT-S-32/no", ConfigError), ("no", ConfigError), ("mini-77", DataError)):
        with pytest.raises(error):
            loading.weights_digest(wrong)
