"""The page that draws in the reader's browser: networks, weights and settings as files that a page can load.

    python -m gift_lib.book.live                          for CLIP before and after Continual Finetune and GIFT
    python -m gift_lib.book.live --methods gift,zscl      other methods; what was not trained before is trained now

A network is an ONNX graph without weights. These lie beside it in fp16, as they are shipped, and the page widens them
to fp32: nothing is lost. CLIP after a task is its difference to the pre-trained CLIP, in 8 bits with a scale per row.
Since a page that was opened from a disk may not fetch anything, all of this is base64 in scripts.
"""

import argparse
import base64
import gzip
import importlib.metadata
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import onnx
import torch
from diffusers import DiffusionPipeline
from matplotlib.colors import to_hex
from torch import Tensor, nn

from gift_lib import checkpoint, data, methods, results
from gift_lib.clip import Clip
from gift_lib.clip import load as load_clip
from gift_lib.concepts import TEMPLATE
from gift_lib.config import MINI, Experiment
from gift_lib.errors import ConfigError, DataError, GiftError
from gift_lib.files import atomic_write, canonical_json, digest, file_digest, make_folder
from gift_lib.generation.pipeline import load_pipeline, make_scheduler, weights_digest
from gift_lib.pool import concepts_of
from gift_lib.runs.repository import ROOT
from gift_lib.tasks import Task, all_indices
from gift_lib.training import Runtime, identity_of, kept_models, models_of, run

#: Where the files lie for the build of the book, and what `make live` brings from npm.
OUT = ROOT / "build" / "live"
RUNTIME = ROOT / "build" / "onnxruntime-web"
RUNTIME_FILES = {"ort.mjs": "ort.wasm.bundle.min.mjs", "ort.wasm": "ort-wasm-simd-threaded.wasm"}
METHODS = ("finetune", "gift")
#: Bytes of one script before base64: small enough for a progress bar that moves.
PART = 2**19
#: What the page's sampler can do; another setting of the scheduler needs another sampler.
SAMPLER = {
    "algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint", "timestep_spacing": "linspace",
    "final_sigmas_type": "zero", "thresholding": False, "lower_order_final": True, "use_karras_sigmas": False,
    "use_exponential_sigmas": False, "use_beta_sigmas": False, "use_flow_sigmas": False, "use_lu_lambdas": False,
    "rescale_betas_zero_snr": False,
}  # fmt: skip
#: Name of a tensor to its place in a file of weights (in numbers, not bytes) and its shape.
Layout = dict[str, tuple[int, torch.Size]]


# Networks


class Call(nn.Module):
    """A module `m` seen through one function of it: what becomes a graph."""

    def __init__(self, m: nn.Module, function: Callable[..., Tensor]):
        super().__init__()
        self.m, self.function = m, function

    def forward(self, *x: Tensor) -> Tensor:
        return self.function(self.m, *x)


@dataclass(frozen=True)
class Network:
    """A graph in the making: example inputs, and whether their first axis may have any length."""

    call: Call
    inputs: tuple[Tensor, ...]
    any_length: bool = False


def drawing(pipeline: DiffusionPipeline) -> dict[str, Network]:
    """The networks that draw. The UNet takes a pair: the empty prompt and the prompt, as guidance needs them."""
    unet, words = pipeline.unet.config, pipeline.tokenizer.model_max_length
    ids = torch.zeros(2, words, dtype=torch.int64)
    z = torch.zeros(2, unet.in_channels, unet.sample_size, unet.sample_size)
    texts = torch.zeros(2, words, unet.cross_attention_dim)
    decode = Call(pipeline.vae, lambda m, z: m.decode(z / m.config.scaling_factor, return_dict=False)[0])
    denoise = Call(pipeline.unet, lambda m, z, t, texts: m(z, t, texts, return_dict=False)[0])
    return {
        "text": Network(Call(pipeline.text_encoder, lambda m, ids: m(ids).last_hidden_state), (ids,)),
        "unet": Network(denoise, (z, torch.zeros(()), texts)),
        "vae": Network(decode, (z[:1],)),
    }


def naming(clip: Clip) -> dict[str, Network]:
    """CLIP's two towers, embeddings normalised."""
    size, words = clip.preprocess.size, clip.config["text_cfg"]["context_length"]
    images = Call(clip.model, lambda m, x: m.encode_image(x, normalize=True))
    texts = Call(clip.model, lambda m, ids: m.encode_text(ids, normalize=True))
    return {
        "images": Network(images, (torch.zeros(2, 3, size, size),), True),
        "texts": Network(texts, (torch.zeros(2, words, dtype=torch.int64),), True),
    }


def export(network: Network) -> onnx.ModelProto:
    """The graph with its weights under the names of the module's own tensors (`optimize` would fold some of them)."""
    shapes = {"x": tuple({0: torch.export.Dim.DYNAMIC} for _ in network.inputs)} if network.any_length else None
    program = torch.onnx.export(
        network.call.eval(), network.inputs, dynamo=True, optimize=False, verbose=False, opset_version=21,
        input_names=[f"x{i}" for i in range(len(network.inputs))], output_names=["y"], dynamic_shapes=shapes,
    )  # fmt: skip
    return stripped(program.model_proto)


def stripped(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Without what the exporter tells of this machine: paths and lines of code, and shapes that nobody needs."""
    graph = proto.graph
    for thing in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        thing.ClearField("metadata_props")
        thing.ClearField("doc_string")
    graph.ClearField("value_info")
    return proto


def layout(graphs: Iterable[onnx.ModelProto], tensors: Mapping[str, Tensor]) -> Layout:
    """Places for all floating tensors of a module that these graphs use, one after the other."""
    used = {i.name.removeprefix("m.") for proto in graphs for i in proto.graph.initializer}
    found, place = {}, 0
    for name, tensor in tensors.items():
        if name in used and tensor.is_floating_point():
            found[name] = (place, tensor.shape)
            place += tensor.numel()
    return found


def without_weights(proto: onnx.ModelProto, places: Layout) -> bytes:
    """The graph, its weights pointing to their places in a file "weights" of fp32 numbers."""
    lean = onnx.ModelProto()
    lean.CopyFrom(proto)
    for tensor in lean.graph.initializer:
        if (name := tensor.name.removeprefix("m.")) in places:
            start, shape = places[name]
            where = {"location": "weights", "offset": 4 * start, "length": 4 * shape.numel()}
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in where.items():
                tensor.external_data.add(key=key, value=str(value))
    return lean.SerializeToString(deterministic=True)


def halves(places: Layout, tensors: Mapping[str, Tensor]) -> bytes:
    """The weights as fp16; DataError where that is not exactly what they are."""
    parts = [tensors[name].detach().flatten() for name in places]
    if lossy := [name for name, x in zip(places, parts, strict=True) if not torch.equal(x.half().float(), x)]:
        raise DataError(f"{lossy[0]} is not fp16 at heart: the page would draw otherwise. Save the weights in fp16.")
    return torch.cat(parts).half().numpy().tobytes()


def network_files(name: str, networks: Mapping[str, Network]) -> tuple[dict[str, bytes], Layout]:
    """Files of networks that share one module: a graph each, and the weights under `name`."""
    graphs = {k: export(n) for k, n in networks.items()}
    tensors = next(iter(networks.values())).call.m.state_dict()
    places = layout(graphs.values(), tensors)
    files = {f"{k}.graph": without_weights(g, places) for k, g in graphs.items()}
    return files | {f"{name}.weights": halves(places, tensors)}, places


# What a method made of CLIP


def states(e: Experiment, runtime: Runtime) -> tuple[list[dict[str, Tensor]], results.Record]:
    """CLIP's weights after each task of a run, and its record; what was not kept by a run before is trained now."""
    folder = models_of(results.key(e, identity_of(e, runtime)), runtime)
    for _ in range(2):  # a run that goes on from a state without its first models is followed by a whole one
        if not kept_models(folder):
            run(e, runtime)
    files = kept_models(folder)
    return [checkpoint.load(f)[0]["model"] for f in files], results.read(folder / "record.json")


def difference(after: Mapping[str, Tensor], before: Mapping[str, Tensor], places: Layout) -> bytes:
    """after - before: a scale for every row in fp32, then all numbers as multiples of it, -127 to 127."""
    if lost := [n for n, (_, shape) in places.items() if n not in after or after[n].shape != shape]:
        raise ConfigError(f"this method changes CLIP's architecture ({lost[0]}): the page cannot run it. Leave it out.")
    scales, numbers = [], []
    for name, (_, shape) in places.items():
        rows = (after[name] - before[name]).view(row_count(shape), -1)
        scale = rows.abs().amax(dim=1, keepdim=True) / 127
        scales.append(scale.flatten())
        numbers.append((rows / scale.clamp(min=1e-30)).round().to(torch.int8).flatten())
    return torch.cat(scales).float().numpy().tobytes() + torch.cat(numbers).numpy().tobytes()


def restored(stored: bytes, before: Mapping[str, Tensor], places: Layout) -> dict[str, Tensor]:
    """The reverse of `difference`, as the page computes it."""
    count = sum(row_count(shape) for _, shape in places.values())
    scales = torch.from_numpy(np.frombuffer(stored, np.float32, count).copy()).split(
        [row_count(shape) for _, shape in places.values()]
    )
    numbers = torch.from_numpy(np.frombuffer(stored, np.int8, offset=4 * count).copy())
    found = dict(before)
    for (name, (start, shape)), scale in zip(places.items(), scales, strict=True):
        rows = numbers[start : start + shape.numel()].view(len(scale), -1)
        found[name] = before[name] + (rows * scale[:, None]).view(shape)
    return found


def row_count(shape: torch.Size) -> int:
    """Rows of a tensor: its first axis; a vector is one row."""
    return shape[0] if len(shape) > 1 else 1


# Settings


def tokenizer_settings(pipeline: DiffusionPipeline) -> dict[str, Any]:
    """CLIP's byte-level BPE as the page's few lines need it."""
    told = json.loads(pipeline.tokenizer.backend_tokenizer.to_str())
    model, split = told["model"], told["pre_tokenizer"]["pretokenizers"][0]
    return {
        "vocab": model["vocab"],
        "merges": [" ".join(m) if isinstance(m, list) else m for m in model["merges"]],
        "suffix": model["end_of_word_suffix"],
        "words": split["pattern"]["Regex"],
        "special": {t["content"]: t["id"] for t in told["added_tokens"]},
        "start": pipeline.tokenizer.bos_token_id,
        "end": pipeline.tokenizer.eos_token_id,
        "pad": pipeline.tokenizer.pad_token_id,
        "length": pipeline.tokenizer.model_max_length,
    }


def schedule(pipeline: DiffusionPipeline, name: str) -> dict[str, Any]:
    """The noise schedule of a sampler that the page knows (DPM-Solver++, second order); ConfigError for another."""
    scheduler = make_scheduler(name, pipeline.scheduler.config)
    settings = dict(scheduler.config)
    wrong = [k for k, v in SAMPLER.items() if settings.get(k, v) != v]
    if name != "dpm++" or wrong or settings["prediction_type"] not in ("epsilon", "v_prediction"):
        raise ConfigError(
            f"the page that draws has no sampler for {name} ({', '.join(wrong)}): write one in book/live."
        )
    return {"alphas": scheduler.alphas_cumprod.double().tolist(), "prediction": settings["prediction_type"]}


def task_settings(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Names, classes and templates of the tasks."""
    return [
        {"name": t.name, "classes": list(t.classes), "templates": list(t.templates), "tested": len(t.test)}
        for t in tasks
    ]


def shown_pictures(tasks: Sequence[Task]) -> bytes:
    """A test picture of every class of every task, one byte per channel, in the order of tasks and classes."""
    found = []
    for task in tasks:
        first = [int((task.test.labels == c).nonzero()[0]) for c in all_indices(len(task.classes))]
        found.append(task.test.images.batch(torch.tensor(first)).numpy().tobytes())
    return b"".join(found)


def settings(e: Experiment, clip: Clip, pipeline: DiffusionPipeline, tasks: Sequence[Task]) -> dict[str, Any]:
    """What the page must know before it loads a network."""
    latent = pipeline.unet.config
    size = latent.sample_size * 2 ** (len(pipeline.vae.config.block_out_channels) - 1)
    if size != clip.preprocess.size:
        raise ConfigError(f"pictures have {size} px, CLIP reads {clip.preprocess.size}: the page cannot resize them.")
    return {
        "tasks": task_settings(tasks),
        "concepts": {"classes": list(concepts_of(e)), "templates": [TEMPLATE]},
        "size": size,
        "latents": [latent.in_channels, latent.sample_size, latent.sample_size],
        "clip": asdict(clip.preprocess) | {"scale": float(clip.scale)},
        "steps": e.denoising_steps,
        "guidance": e.guidance_scale,
        "temperature": e.temperature,
        "seed": e.pictures_seed,
        "colours": colours("viridis"),
        "changes": colours("PuOr_r"),
    }


def colours(name: str, n: int = 33) -> list[str]:
    """A colour map as `n` colours in hexadecimal digits."""
    return [to_hex(mpl.colormaps[name](k / (n - 1))) for k in range(n)]


# Files that a page can load


def write_pack(folder: Path, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Files as scripts `<name>-<i>.js`, gzipped together and in base64; what the page must know to read them."""
    packed = gzip.compress(b"".join(files.values()), 9, mtime=0)
    parts = [packed[i : i + PART] for i in range(0, len(packed), PART)]
    for i, part in enumerate(parts):
        text = base64.b64encode(part).decode()
        write_script(folder / f"{name}-{i}.js", f'giftLive.part("{name}",{i},"{text}");')
    return {"parts": len(parts), "bytes": len(packed), "files": [[k, len(v)] for k, v in files.items()]}


def write_script(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def runtime_files(folder: Path) -> dict[str, bytes]:
    """onnxruntime-web; nothing where it was not brought."""
    paths = {name: folder / file for name, file in RUNTIME_FILES.items()}
    return {name: path.read_bytes() for name, path in paths.items()} if all(p.exists() for p in paths.values()) else {}


def stamp(chosen: Sequence[Experiment], runtime: Path) -> str:
    """The digest of all that the files depend on."""
    packages = {p: importlib.metadata.version(p) for p in ("torch", "onnx", "onnxscript", "diffusers", "transformers")}
    code = [file_digest(p) for p in (Path(__file__), *sorted((ROOT / "gift_lib").glob("*.py")))]
    runs = [results.key(e, identity_of(e)) for e in chosen]
    there = {name: digest(content) for name, content in runtime_files(runtime).items()}
    return digest([weights_digest(MINI.pipeline), load_clip(MINI.model).digest, packages, code, runs, there])


def build(out: Path, names: Sequence[str], runtime: Path) -> bool:
    """Write all files into `out`, unless they are there; whether anything was written."""
    chosen = [MINI.replace(method=name) for name in names]
    for e in chosen:
        methods.check(e)
    mark, path = stamp(chosen, runtime), out / "stamp.txt"
    if path.exists() and path.read_text(encoding="utf-8") == mark:
        return False
    fresh = out.with_name(out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    write_all(make_folder(fresh), chosen, runtime)
    (fresh / "stamp.txt").write_text(mark, encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)
    return True


def write_all(out: Path, chosen: Sequence[Experiment], runtime: Path) -> None:
    """Every pack, then the manifest that lists them."""
    pipeline, clip, tasks = load_pipeline(MINI.pipeline), load_clip(MINI.model), data.load_tasks(MINI)
    files: dict[str, bytes] = {}
    for name, network in drawing(pipeline).items():
        files |= network_files(name, {name: network})[0]
    told = {"tokenizer": tokenizer_settings(pipeline), "schedule": schedule(pipeline, MINI.scheduler)}
    files["settings.json"] = canonical_json(told).encode()
    packs = {"draw": write_pack(out, "draw", files)}
    files, places = network_files("clip", naming(clip))
    packs["clip"] = write_pack(out, "clip", files | {"pictures": shown_pictures(tasks)})
    if ort := runtime_files(runtime):
        packs["runtime"] = write_pack(out, "runtime", ort)
        shutil.copy(runtime / "LICENSE", out / "onnxruntime-web-LICENSE.txt")
    before, found = clip.model.state_dict(), []
    for e in chosen:
        models, record = states(e, Runtime(progress=False, keep_models=True))
        for t, model in enumerate(models, start=1):
            packs[f"{e.method}-{t}"] = write_pack(
                out, f"{e.method}-{t}", {"difference": difference(model, before, places)}
            )
        found.append({"name": e.method, "title": methods.find(e.method).title, "R": record["result"]["R"]})
        zero_shot = record["result"]["zero_shot"]
    manifest = settings(MINI, clip, pipeline, tasks) | {
        "packs": packs, "methods": found, "zero_shot": zero_shot,
        "rows": [[n := row_count(shape), shape.numel() // n] for _, shape in places.values()],
    }  # fmt: skip
    write_script(out / "manifest.js", f"giftLive.manifest = {canonical_json(manifest)};")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.book.live", description=__doc__.split("\n")[0])
    parser.add_argument("--methods", default=",".join(METHODS), help="whose models are shown, separated by commas")
    parser.add_argument("--runtime", type=Path, default=RUNTIME, help="the folder with onnxruntime-web")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    try:
        names = [name.strip() for name in options.methods.split(",") if name.strip()]
        written = build(options.out, names, options.runtime)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 1
    size = sum(p.stat().st_size for p in options.out.iterdir()) / 1e6
    print(f"{options.out}: {size:.1f} MB for the page that draws, {'written' if written else 'as they were'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
