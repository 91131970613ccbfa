"""The page that draws, part by part: its scripts against torch and diffusers, its networks against the library's."""

import json
import shutil
import subprocess

import numpy as np
import onnx
import pytest
import torch
from test_houses import imports, modules
from torch import nn

from gift_lib.clip import encode_images, encode_texts
from gift_lib.clip import load as load_clip
from gift_lib.config import MINI
from gift_lib.data import load_tasks
from gift_lib.errors import ConfigError, DataError
from gift_lib.files import digest
from gift_lib.generation.draws import draws
from gift_lib.generation.pipeline import load_pipeline, make_scheduler
from gift_lib.live import __main__ as command
from gift_lib.live import graphs, models, packs, told
from gift_lib.losses import contrastive_distillation
from gift_lib.runs.repository import ROOT

SCRIPTS = ROOT / "book" / "live"
SEEDS = (0, 7, 2**32 + 3, 2**59 + 12345)


def node(expression: str, given: object) -> object:
    """What an expression over `gift` (the page's scripts) and `x` is."""
    if not shutil.which("node"):
        pytest.skip("needs node, for example: apt-get install nodejs")
    scripts = "".join(f"require({json.dumps(str(SCRIPTS / f'{n}.js'))});" for n in ("load", "noise", "draw", "name"))
    code = f"{scripts}const gift=giftLive,x=JSON.parse(require('fs').readFileSync(0));"
    code += f"console.log(JSON.stringify({expression}))"
    done = subprocess.run(["node", "-e", code], input=json.dumps(given), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX2", reason="torch rounds otherwise elsewhere")
def test_noise_is_torchs_to_the_last_bit():
    given = [(n, s) for n in (1, 2, 5, 15, 16, 17, 31, 40, 256, 4096) for s in SEEDS]
    found = node("x.map(([n, s]) => [...gift.randn(n, s)])", [[n, f"{s:x}"] for n, s in given])
    for (n, seed), values in zip(given, found, strict=True):
        assert torch.equal(torch.tensor(values), torch.randn(n, generator=torch.Generator().manual_seed(seed))), n


def test_seeds_and_digests_are_the_librarys():
    prompts = ["a photo of a cat.", "", 'the number: "3" - é😀\\ \x07']
    given = [[b, p, k] for b in (0, 42) for p in prompts for k in (0, 3)]
    wanted = [f"{draws([p] * (k + 1), b)[k].seed:015x}" for b, p, k in given]
    assert node("x.map((a) => gift.seedOf(...a))", given) == wanted
    texts = ["", "abc", "x" * 55, "y" * 56, "z" * 64, "w" * 1000]
    assert node("x.map(gift.sha256)", texts) == [digest(t.encode(), 64) for t in texts]


def test_tokens_are_those_of_both_tokenizers():
    pipeline, clip, tasks = load_pipeline("mini"), load_clip("mini"), load_tasks(MINI)
    prompts = [p for t in tasks for k in t.templates for p in t.prompts(k)]
    prompts += ["", "Ünïcode CAFÉ 中文 !!", "it's  a\tcat's", "a <|endoftext|> b", "word " * 40, "0123"]
    found = node("x.p.map(gift.tokenizer(x.told))", {"p": prompts, "told": told.tokenizer_settings(pipeline)})
    assert found == pipeline.tokenizer(prompts, padding="max_length", truncation=True).input_ids
    assert found[:-6] == clip.tokenize(prompts[:-6]).tolist()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_sampler_is_diffusers():
    schedulers, given, x = [], [], torch.linspace(-2, 2, 8)
    config = load_pipeline("mini").scheduler.config
    for steps in (1, 2, 3, 6, 14, 15, 20, 50):
        for prediction in ("epsilon", "v_prediction"):
            scheduler = make_scheduler("dpm++", {**config, "prediction_type": prediction})
            scheduler.set_timesteps(steps)
            schedulers.append(scheduler)
            told_ = {"alphas": scheduler.alphas_cumprod.double().tolist(), "prediction": prediction}
            given.append({"told": told_, "steps": steps, "x": x.tolist()})
    code = "x.map((x) => { const s = gift.solver(x.told, x.steps); let z = x.x; "
    code += "s.t.forEach((t, k) => { z = s.step(z, z.map((v) => Math.sin(v + t)), k).x; }); return [s.t, z]; })"
    for scheduler, (t, found) in zip(schedulers, node(code, given), strict=True):
        assert t == scheduler.timesteps.tolist()
        y = x
        for step in scheduler.timesteps:
            y = scheduler.step(torch.sin(y + step), step, y).prev_sample
        torch.testing.assert_close(torch.tensor(found), y, atol=2e-4, rtol=1e-3)


def test_distillation_is_the_librarys():
    teacher, student = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)) * 10
    found = node("gift.distillation(x[0], x[1], 2)", [teacher.tolist(), student.tolist()])
    assert found == pytest.approx(float(contrastive_distillation(teacher, student, 2.0)), rel=1e-5)


def test_halves_become_the_floats_that_they_are():
    halves = np.arange(0, 65536, 7, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    found = node("[...gift.widen(Uint8Array.from(x))]", list(halves.tobytes()))
    assert np.array_equal(np.array(found, np.float32), halves.astype(np.float32))


def test_a_difference_comes_back_within_half_a_step_in_python_and_on_the_page():
    rng = torch.Generator().manual_seed(1)
    before = {"w": torch.randn(3, 4, 2, generator=rng), "b": torch.randn(5, generator=rng)}
    after = {k: v + 0.1 * torch.randn(v.shape, generator=rng) for k, v in before.items()}
    places = {"w": (0, before["w"].shape), "b": (24, before["b"].shape)}
    stored = models.difference(after, before, places)
    back = models.restored(stored, before, places)
    for name in before:
        rows = (after[name] - before[name]).reshape(models.row_count(before[name].shape), -1)
        error = (back[name] - after[name]).reshape(rows.shape).abs()
        assert bool((error <= rows.abs().amax(1, keepdim=True) / 254 + 1e-6).all())
    flat = torch.cat([before[k].flatten() for k in before]).tolist()
    given = {"before": flat, "stored": list(stored), "rows": [[3, 8], [1, 5]]}
    found = node("[...gift.changed(x.before, Uint8Array.from(x.stored), x.rows)]", given)
    torch.testing.assert_close(torch.tensor(found), torch.cat([back[k].flatten() for k in back]))


def test_what_the_page_cannot_run_is_one_clear_error():
    with pytest.raises(ConfigError, match="architecture"):
        models.difference({}, {}, {"w": (0, torch.Size([2]))})
    with pytest.raises(DataError, match="fp16"):
        graphs.halves({"w": (0, torch.Size([1]))}, {"w": torch.tensor([0.1])})
    with pytest.raises(ConfigError, match="sampler"):
        told.schedule(load_pipeline("mini"), "ddim")


@pytest.mark.slow  # the exporter takes seconds to import
def test_a_graph_tells_nothing_of_the_machine_and_keeps_no_weights(tmp_path):
    torch.manual_seed(0)
    module = nn.Linear(6, 4).half().float()
    network = graphs.Network(graphs.Call(module, lambda m, x: m(x).relu()), (torch.zeros(2, 6),), True)
    files = graphs.network_files("lin", {"lin": network})
    assert str(ROOT).encode() not in files["lin.graph"] and b".py" not in files["lin.graph"]
    assert len(files["lin.weights"]) == 2 * 28
    x = torch.randn(5, 6)
    found = answer(tmp_path, files["lin.graph"], files["lin.weights"], x)
    torch.testing.assert_close(found, module(x).relu().detach())


def test_a_pack_is_written_once_and_goes_on_where_it_stopped(tmp_path):
    made = []

    def pack(name: str, mark: str) -> packs.Pack:
        return packs.Pack(name, mark, lambda: made.append(name) or {"b": b"xyz", "a": bytes(5)})

    told_, fresh = packs.write(tmp_path, [pack("draw", "1"), pack("clip", "1")])
    assert fresh and made == ["draw", "clip"] and told_["draw"]["files"] == [["b", 3], ["a", 5]]
    assert packs.write(tmp_path, [pack("draw", "1"), pack("clip", "1")]) == (told_, False)
    (tmp_path / "clip-0.js").unlink()
    (tmp_path / "clip-9.js").write_text("stray")
    assert packs.write(tmp_path, [pack("draw", "2"), pack("clip", "1")])[1]
    assert made == ["draw", "clip", "draw", "clip"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip-0.js", "draw-0.js", "packs.json"]
    packs.write(tmp_path, [pack("draw", "2")])
    assert not (tmp_path / "clip-0.js").exists() and len(made) == 4


def test_the_mark_counts_every_module_that_the_files_are_made_by():
    listed, seen, todo = set(command.sources()), set(), ["gift_lib.live.__main__"]
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += imports(modules()[name].read_text(encoding="utf-8"))
    assert {modules()[n] for n in seen} <= listed
    assert {"gift_lib.generation.pipeline", "gift_lib.clip.towers", "gift_lib.methods.gift"} & seen
    assert command.mark("a") != command.mark("b") and command.mark("a") == command.mark("a")


@pytest.mark.parametrize(("names", "told"), [("no_such", "no_such"), (" , ", "name one at least")])
def test_the_command_tells_a_wrong_method_in_one_line(tmp_path, capsys, names, told):
    assert command.main(["--methods", names, "--out", str(tmp_path / "live")]) == 1
    assert told in capsys.readouterr().err and not (tmp_path / "live").exists()


def answer(folder, graph: bytes, weights: bytes, *inputs: torch.Tensor) -> torch.Tensor:
    """What onnxruntime computes from a graph and its weights, widened as the page does it."""
    import onnxruntime

    (folder / "g.onnx").write_bytes(graph)
    (folder / "weights").write_bytes(np.frombuffer(weights, np.float16).astype(np.float32).tobytes())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "g.onnx", options)
    return torch.from_numpy(session.run(None, {f"x{i}": v.numpy() for i, v in enumerate(inputs)})[0])


@pytest.mark.slow
@torch.no_grad()
def test_every_network_answers_as_torch_does(tmp_path):
    pipeline, clip = load_pipeline("mini"), load_clip("mini")
    ids = clip.tokenize(["a photo of a cat.", ""])
    rng = torch.Generator().manual_seed(0)
    for name, network in graphs.drawing(pipeline).items():
        files = graphs.network_files(name, {name: network})
        given = [ids if v.dtype == torch.int64 else torch.randn(v.shape, generator=rng) for v in network.inputs]
        given = [v * 0 + 500 if v.ndim == 0 else v for v in given]
        found = answer(tmp_path, files[f"{name}.graph"], files[f"{name}.weights"], *given)
        torch.testing.assert_close(found, network.call(*given), atol=2e-5, rtol=1e-4)
        assert len(onnx.load_from_string(files[f"{name}.graph"]).metadata_props) == 0
    files = graphs.network_files("clip", graphs.naming(clip), whole=True)
    x = clip.preprocess.eval(torch.randint(256, (5, 3, 32, 32), generator=rng).to(torch.uint8))
    images = answer(tmp_path, files["images.graph"], files["clip.weights"], x)
    torch.testing.assert_close(images, encode_images(clip.model, x), atol=2e-6, rtol=1e-4)
    texts = answer(tmp_path, files["texts.graph"], files["clip.weights"], ids)
    torch.testing.assert_close(texts, encode_texts(clip.model, ids), atol=2e-6, rtol=1e-4)


def test_a_book_without_networks_shows_where_it_says_so():
    page = (ROOT / "book" / "live" / "page.js").read_text(encoding="utf-8")
    shown, said = page.index("box.hidden = false"), page.index("This copy of the book was built without")
    assert shown < said < page.index("return;", said), "what stays hidden is read by nobody"
