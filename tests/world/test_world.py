"""The making of the scale model: tokenizer, resumable training, and the shipped weights as others load them."""

import copy
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from gift_lib.data import mini
from gift_lib.errors import ConfigError, DataError, NumericsError
from gift_lib.files import file_digest
from gift_lib.tasks import Split, Task, TensorImages
from gift_lib.world import card, check, choose, clip, diffusion, pictures, probe, settings, tokenizer
from gift_lib.world.loop import Plan, Run
from gift_lib.world.muon import Muon, is_hidden, orthogonalise
from gift_lib.world.pictures import PRINTED, Pairs, tokens

NAMES = ("red", "green", "blue", "dark", "light")
COLOURS = torch.tensor([[200, 40, 40], [40, 200, 40], [40, 40, 200], [30, 30, 30], [230, 230, 230]])
SHIPPED = pytest.mark.skipif(not (settings.WEIGHTS / "README.md").exists(), reason="no weights are shipped yet")


def coloured(n: int, seed: int = 0) -> Pairs:
    """Noisy one-coloured pictures with their colour's name."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(5, (n,), generator=g)
    noise = torch.randint(-20, 21, (n, 3, 32, 32), generator=g)
    pixels = (COLOURS[labels].view(-1, 3, 1, 1) + noise).clamp(0, 255).to(torch.uint8)
    names = [NAMES[i] for i in labels]
    return Pairs(pixels, [f"a photo of a {c}." for c in names], names)


@pytest.fixture(scope="module")
def words():
    return tokenizer.train([f"a photo of a {c}." for c in NAMES] * 3 + ["a satellite photo of annual crop land"])


# --- tokenizer -----------------------------------------------------------------------------------------------


def test_tokenizer_round_trip_and_ids(words, tmp_path):
    tokenizer.save(words, tmp_path)
    again = tokenizer.load(tmp_path)
    printable = "".join(map(chr, range(32, 127))).lower()
    for text in ("a photo of a red.", "zebra", "two  words", printable[:20], printable[-30:], ""):
        ids = tokens(words, [text])[0]
        assert torch.equal(ids, tokens(again, [text])[0])
        body = words(text, add_special_tokens=False).input_ids
        assert words.unk_token_id not in body
        decoded = words.decode(body).replace(" ", "")
        assert decoded == text.replace(" ", "")
        assert len(ids) == tokenizer.CONTEXT_LENGTH
    assert len(again) == len(words)


def test_the_end_token_has_the_highest_id_and_pad_the_lowest(words):
    ids = tokens(words, ["a photo of a red.", "word " * 50])
    assert words.eos_token_id == len(words) - 1 and words.pad_token_id == 0
    assert ids.max() == words.eos_token_id
    assert ids[0].argmax() == 7 and ids[1].argmax() == tokenizer.CONTEXT_LENGTH - 1
    assert (ids[0, 8:] == 0).all() and ids[0, 0] == words.bos_token_id


def test_tokenizer_does_not_depend_on_the_order_of_the_texts():
    texts = ["a photo of a dog", "the lake", "lake house", "a dog house", "photo"]
    vocabularies = [tokenizer.train(t, merges=30).get_vocab() for t in (texts, texts[::-1])]
    assert vocabularies[0] == vocabularies[1]


def test_a_missing_tokenizer_is_told(tmp_path):
    with pytest.raises(DataError, match="make world"):
        tokenizer.load(tmp_path)


# --- training ------------------------------------------------------------------------------------------------


def linear(plan: Plan, folder, **options) -> tuple[Run, object]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 40), nn.Tanh(), nn.Linear(40, 3))
    data = torch.randn(50, 4)

    def loss(step, generator):
        x = data[torch.randint(50, (plan.batch,), generator=generator)]
        return (model(x) - x[:, :3].sin()).square().mean()

    return Run(plan, model, folder, **options), loss


PLAN = Plan("line", steps=8, batch=4, lr=0.05, warmup=0.2, weight_decay=0.01, ema=0.9, window=2, keep_at=3)


@pytest.mark.parametrize("stop", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_an_interrupted_run_ends_with_the_same_weights(tmp_path, stop, muon):
    plan = replace(PLAN, muon_lr=muon)
    whole, loss = linear(plan, tmp_path / "whole")
    whole.fit(loss, quiet=True)
    part, loss = linear(plan, tmp_path / "part")
    part.fit(loss, stop_at=stop, quiet=True)
    rest, loss = linear(plan, tmp_path / "part")
    rest.fit(loss, quiet=True)
    assert rest.state.step == PLAN.steps and rest.state.losses == whole.state.losses
    assert load_keys(whole.file) == load_keys(rest.file)
    for name, value in whole.best().items():
        assert torch.equal(value, rest.best()[name]) and torch.equal(whole.kept[name], rest.kept[name])
    assert not list(tmp_path.rglob("*.tmp"))


def load_keys(file) -> dict[str, bytes]:
    return {k: v.numpy().tobytes() for k, v in load_file(file).items()}


def test_the_learning_rate_warms_up_and_falls_to_zero():
    plan = Plan("p", steps=100, batch=1, lr=2.0, warmup=0.1)
    rates = [plan.lr * plan.share_at(i) for i in range(100)]
    assert rates[0] == pytest.approx(0.2) and rates[9] == pytest.approx(2.0) and rates[-1] < 0.002
    assert np.argmax(rates) in (9, 10) and sorted(rates[10:], reverse=True) == rates[10:]


def test_muon_orthogonalises_and_takes_convolutions():
    torch.manual_seed(0)
    g = torch.randn(2, 40, 90)
    values = torch.linalg.svdvals(orthogonalise(g, steps=8))
    assert values.min() > 0.5 and values.max() < 1.3
    torch.testing.assert_close(orthogonalise(g.mT), orthogonalise(g).mT)
    conv = nn.Conv2d(32, 40, 3)
    before = conv.weight.detach().clone()
    conv.weight.grad = torch.randn_like(conv.weight)
    Muon([conv.weight], lr=0.1, momentum=0.0).step()
    step = (before - conv.weight.detach()).flatten(1)
    torch.testing.assert_close(step, 0.1 * orthogonalise(conv.weight.grad.flatten(1)[None])[0])
    assert is_hidden("unet.mid.conv.weight", conv.weight) and not is_hidden("unet.conv_in.weight", conv.weight)
    assert not is_hidden("text.token_embedding.weight", nn.Parameter(torch.empty(900, 96))) and not is_hidden(
        "norm.weight", conv.bias
    )


def test_steps_draw_from_their_own_stream():
    a, b = Plan("p", 10, 1, 1.0), Plan("p", 10, 1, 1.0, seed=1)
    first = torch.rand(4, generator=a.generator(3))
    assert torch.equal(first, torch.rand(4, generator=a.generator(3)))
    for other in (a.generator(4), b.generator(3)):
        assert not torch.equal(first, torch.rand(4, generator=other))


def test_bad_runs_are_told(tmp_path):
    run, _ = linear(PLAN, tmp_path)
    with pytest.raises(NumericsError, match="step 0"):
        run.fit(lambda step, g: run.model[0].weight.sum() * float("nan"), quiet=True)
    with pytest.raises(ConfigError):
        Run(replace(PLAN, steps=0), nn.Linear(1, 1), tmp_path)
    run.file.write_bytes(b"not a state")
    with pytest.raises(DataError, match="Delete it"):
        linear(PLAN, tmp_path)[0].load()


def test_a_state_of_pre_training_is_sealed(tmp_path):
    """A flipped bit is told; a state of another plan is; one from before there were seals goes on."""
    run, loss = linear(PLAN, tmp_path)
    run.fit(loss, stop_at=4, quiet=True)
    whole = run.file.read_bytes()
    for bit in range(3, 8 * len(whole), 8 * len(whole) // 150):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        run.file.write_bytes(flipped)
        with pytest.raises(DataError, match="Delete it and start again"):
            linear(PLAN, tmp_path)[0].load()
    run.file.write_bytes(whole)
    other = linear(replace(PLAN, lr=0.5), tmp_path)[0]
    shutil.copy(run.file, other.file)
    with pytest.raises(DataError, match="another plan"):
        other.load()
    with safe_open(run.file, "pt") as file:
        said = file.metadata()
    save_file(load_file(run.file), run.file, metadata={k: said[k] for k in ("state", "plan")})
    assert linear(PLAN, tmp_path)[0].load()


def test_web_pairs_in_the_cache_are_sealed(tmp_path, monkeypatch):
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path))
    before = pictures.pairs(3, 1)
    (path,) = tmp_path.rglob("pairs-*.safetensors")
    assert torch.equal(pictures.pairs(3, 1).pixels, before.pixels)
    whole = bytearray(path.read_bytes())
    for place in (-1, 8 + whole[8:].index(b"photo")):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(DataError, match=r"is damaged .*Delete it"):
            pictures.pairs(3, 1)


# --- models --------------------------------------------------------------------------------------------------


def test_small_clip_learns_saves_and_loads(words, tmp_path):
    pairs = coloured(64)
    plan = replace(settings.CLIP_PLAN, steps=3, batch=16, window=1)
    run = clip.train(plan, pairs, words, tmp_path)
    assert len(run.state.losses) == 3 and np.isfinite(run.state.losses).all()
    clip.save(run.model, words, tmp_path / "clip")
    loaded = clip.load(tmp_path / "clip")
    ids = tokens(words, pairs.captions[:6])
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert torch.allclose(clip.encode_text(run.model, ids), loaded.encode_text(ids, normalize=True), atol=5e-3)
    theirs = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'clip'}")(pairs.captions[:6])
    assert torch.equal(theirs, ids)


def test_text_tower_without_padding_is_exact(words):
    model = clip.build(len(words), 0).double()
    ids = tokens(words, ["a photo of a red.", "blue", "a satellite photo of annual crop land"])
    ours, theirs = clip.encode_text(model, ids), model.encode_text(ids, normalize=True)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)


def test_clip_loss_against_open_clips():
    torch.manual_seed(0)
    a, b = (F.normalize(torch.randn(7, 5, dtype=torch.float64), dim=1).requires_grad_() for _ in range(2))
    scale = torch.tensor(20.0, dtype=torch.float64, requires_grad=True)
    ours, theirs = clip.clip_loss(a, b, scale), open_clip.ClipLoss()(a, b, scale)
    torch.testing.assert_close(ours, theirs)
    for x, y in zip(torch.autograd.grad(ours, (a, b, scale)), torch.autograd.grad(theirs, (a, b, scale)), strict=True):
        torch.testing.assert_close(x, y)


def test_edge_error_by_hand():
    x = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]])
    down, right = (4 + 9) / 2, (1 + 4) / 2
    assert diffusion.edge_error(x, torch.zeros_like(x)).item() == pytest.approx(down + right)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:__array__ implementation:DeprecationWarning")
def test_small_diffusion_trains_resumes_saves_and_loads(words, tmp_path):
    pairs = coloured(2000)
    vae = diffusion.train_vae(replace(settings.VAE_PLAN, steps=2, batch=8, window=1), pairs, tmp_path).model
    assert diffusion.encode(vae, pairs.pixels[:500]).std() * vae.config.scaling_factor == pytest.approx(1, rel=0.2)
    plan = replace(settings.UNET_PLAN, steps=2, batch=8, window=1)
    run = diffusion.train_unet(plan, vae, pairs, words, tmp_path)
    diffusion.save(diffusion.pipeline(vae, run.model, words), tmp_path / "pipe")
    pipe = diffusion.load(tmp_path / "pipe")
    images = pipe(["a photo of a red."], num_inference_steps=2, guidance_scale=2.0, output_type="np").images
    assert images.shape == (1, 32, 32, 3) and np.isfinite(images).all()
    assert {p.dtype for m in (pipe.vae, pipe.unet, pipe.text_encoder) for p in m.parameters()} == {torch.float32}
    again = diffusion.train_unet(plan, vae, pairs, words, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(run.best().values(), again.best().values(), strict=True))


def test_min_snr_loss_of_a_perfect_denoiser_is_zero(words):
    latents = torch.randn(1, 4, 8, 8)
    bar = diffusion.alphas()

    class Perfect(nn.Module):
        unet = nn.Linear(1, 1)

        def forward(self, z, t, ids):
            a, s = bar[t].sqrt().view(-1, 1, 1, 1), (1 - bar[t]).sqrt().view(-1, 1, 1, 1)
            noise = (z.float() - a * latents) / s
            return a * noise - s * latents

    Perfect.unet.device = torch.device("cpu")
    ids = tokens(words, ["a red"])
    value = diffusion.denoise_loss(Perfect(), latents, ids, ids[0], 32)(0, torch.Generator().manual_seed(0))
    assert value.item() < 1e-6


# --- judging -------------------------------------------------------------------------------------------------


def colours_task() -> Task:
    def open_split(name: str) -> Split:
        pairs = coloured(60, {"train": 1, "val": 2, "test": 3}[name])
        return Split(TensorImages(pairs.pixels), torch.tensor([NAMES.index(n) for n in pairs.names]))

    return Task("colours", NAMES, ("a photo of a {c}.", "{c}"), open_split)


def test_tuning_learns_a_task_and_leaves_the_logit_scale(words):
    task, model = colours_task(), clip.build(len(words), 0)
    before = model.logit_scale.item()
    untouched = copy.deepcopy(model)
    train = task.train
    probe.tune(model, words, probe.everything(train), train.labels, task.prompts(), probe.Recipe(lr=1e-3, steps=25))
    assert probe.accuracy(model, words, task) > 80 and model.logit_scale.item() == before
    assert probe.accuracy(untouched, words, task) < 60
    assert probe.pixel_probe(task) > 90


@pytest.mark.parametrize(("method", "lr"), [("finetune", 1e-3), ("moe-adapter", 1e-3), ("keeplora", 0.05)])
def test_choosing_uses_the_validation_split_and_the_projects_loop(method, lr):
    task = replace(colours_task(), name="colours")
    opened = []
    watched = replace(task, open_split=lambda name: opened.append(name) or task.open_split(name))
    few, many = choose.choose([lr], [1, 25], method, [watched])
    assert (few["steps"], many["steps"]) == (1, 25) and few["mean"] < many["mean"] <= 100
    assert set(opened) == {"train", "val"}


def test_bars_pass_and_miss():
    n = 3
    measured = {
        "tasks": ["a", "b", "c"], "classes": [10] * n, "chance": [10.0] * n, "zero_shot": [60.0] * n,
        "pixel_probe": [30.0, 40.0, 70.0], "alone": [90.0] * n,
        "R": [[90.0, 45.0, 45.0], [80.0, 90.0, 45.0], [70.0, 75.0, 90.0]],
        "real_to_generated": [80.0, 70.0, 50.0],
    }  # fmt: skip
    verdicts = {b.name.strip(): b.verdict for b in check.bars(measured)}
    assert [k for k, v in verdicts.items() if v == "MISS"] == ["in every task"]
    assert "MISS" in check.table(measured) and "web>gen" in check.table(measured)
    worse = check.bars({**measured, "zero_shot": [30.0, 99.0, 12.0]})
    missed = [b.name.strip() for b in worse if not b.met]
    assert missed == ["zero-shot over chance, least", "zero-shot, largest", "in every task"]


# --- what is shipped -----------------------------------------------------------------------------------------


@SHIPPED
def test_shipped_weights_are_small_and_as_the_card_says():
    text = (settings.WEIGHTS / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\S+) \| \d+ \| ([0-9a-f]{64}) \|$", text, flags=re.MULTILINE))
    files = card.files(settings.WEIGHTS)
    assert {p.relative_to(settings.WEIGHTS).as_posix(): file_digest(p, 64) for p in files} == rows
    assert sum(p.stat().st_size for p in files) <= settings.SIZE_LIMIT


@SHIPPED
def test_every_part_has_seen_the_web_that_the_world_draws_today():
    notes = dict(card.read_note(settings.WEIGHTS / "diffusion"))
    notes |= {f.name: card.read_note(f) for f in settings.WEIGHTS.glob("clip*") if f.is_dir()}
    for name, note in notes.items():
        clean = not name.startswith("clip")
        first = settings.PICTURES_SEED if clean else settings.CLIP_SEED
        pixels, captions, names = mini.web_pairs(PRINTED, first + 1000 * note["plan"]["seed"], clean=clean)
        assert Pairs(pixels, captions, names).fingerprint == note["web"], name
        assert note["world"] == mini.world_hash(), name


@SHIPPED
def test_shipped_tokenizers_agree_and_weights_load():
    words = tokenizer.load(settings.WEIGHTS / "tokenizer")
    folders = [f for f in sorted(settings.WEIGHTS.glob("clip*")) if f.is_dir()]
    for folder in [*folders, settings.WEIGHTS / "diffusion" / "tokenizer"]:
        assert tokenizer.load(folder).get_vocab() == words.get_vocab()
    for folder in folders:
        model = clip.load(folder)
        assert model.vocab_size == len(words) and model.context_length == words.model_max_length
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        pipe = diffusion.load(settings.WEIGHTS / "diffusion")
    assert pipe.text_encoder.config.vocab_size == len(words)
    assert pipe.unet.config.cross_attention_dim == pipe.text_encoder.config.hidden_size
