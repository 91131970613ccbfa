"""Write the files of the page that draws: what is there already and still current stays.

python -m gift_lib.live                          for CLIP before and after Continual Finetune and GIFT
python -m gift_lib.live --methods gift,zscl      other methods; what was not trained before is trained now
"""

import argparse
import importlib.metadata
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gift_lib import data, methods, results
from gift_lib.clip import load as load_clip
from gift_lib.clip import weights_digest as clip_digest
from gift_lib.config import MINI, Experiment
from gift_lib.errors import ConfigError, GiftError
from gift_lib.files import canonical_json, digest, file_digest, make_folder
from gift_lib.generation.pipeline import load_pipeline, weights_digest
from gift_lib.live import graphs, models, packs, told
from gift_lib.live.packs import Pack
from gift_lib.runs.repository import ROOT
from gift_lib.training import Runtime, identity_of

#: Where the files lie for the build of the book, and what `make live` brings from npm.
OUT = ROOT / "build" / "live"
ENGINE = ROOT / "build" / "onnxruntime-web"
ENGINE_FILES = {"ort.mjs": "ort.wasm.bundle.min.mjs", "ort.wasm": "ort-wasm-simd-threaded.wasm"}
METHODS = ("finetune", "gift")
PACKAGES = ("torch", "onnx", "onnxscript", "diffusers", "transformers", "open_clip_torch")
#: The code that the files are made by: everything up to the loop, and this house.
SOURCES = ("*.py", "clip/*.py", "generation/*.py", "data/**/*.py", "methods/*.py", "speed/*.py", "live/*.py",
           "runs/repository.py")  # fmt: skip
RUNTIME = Runtime(progress=False, keep_models=True)

pipeline = cache(lambda: load_pipeline(MINI.pipeline))
clip = cache(lambda: load_clip(MINI.model))
tasks = cache(lambda: data.load_tasks(MINI))


def sources() -> list[Path]:
    """The files of `SOURCES`."""
    return sorted(p for pattern in SOURCES for p in (ROOT / "gift_lib").glob(pattern))


def mark(*parts: Any) -> str:
    """The digest of code, packages and what else something depends on."""
    versions = {p: importlib.metadata.version(p) for p in PACKAGES}
    return digest([versions, [[p.name, file_digest(p)] for p in sources()], *parts])


def drawing() -> dict[str, bytes]:
    """The networks that draw, with their tokenizer and schedule."""
    files: dict[str, bytes] = {}
    for name, network in graphs.drawing(pipeline()).items():
        files |= graphs.network_files(name, {name: network})
    more = {
        "tokenizer": told.tokenizer_settings(pipeline()),
        "schedule": told.schedule(pipeline(), MINI.scheduler),
    }
    return files | {"settings.json": canonical_json(more).encode()}


def naming() -> dict[str, bytes]:
    """CLIP before the tasks, and test pictures of these."""
    return graphs.network_files("clip", graphs.naming(clip()), whole=True) | {"pictures": told.shown_pictures(tasks())}


def learned(e: Experiment) -> Iterator[Pack]:
    """CLIP after each task of a run."""
    address, before = results.Address(e, identity_of(e)), clip().model.state_dict()
    places, kept = graphs.layout(before), cache(lambda: models.kept_models(e, RUNTIME))

    def difference(t: int) -> dict[str, bytes]:
        return {"difference": models.difference(kept().model(t), before, places)}

    for t in range(len(tasks())):
        yield Pack(f"{e.method}-{t + 1}", mark(address.key, results.environment("cpu")), lambda t=t: difference(t))


def engine(folder: Path) -> list[Pack]:
    """onnxruntime-web; nothing where it was not brought."""
    paths = {name: folder / file for name, file in ENGINE_FILES.items()}
    if not all(p.exists() for p in paths.values()):
        return []
    digests = [file_digest(p) for p in paths.values()]
    return [Pack("runtime", mark(digests), lambda: {name: p.read_bytes() for name, p in paths.items()})]


def build(out: Path, names: Sequence[str], folder: Path) -> bool:
    """Write what `out` lacks; whether anything was written."""
    chosen = [MINI.replace(method=name) for name in names]
    if not chosen:
        raise ConfigError("the page compares methods: name one at least, for example --methods gift.")
    for e in chosen:
        methods.check(e)
    plan = [
        Pack("draw", mark(weights_digest(MINI.pipeline), MINI.to_dict()), drawing),
        Pack("clip", mark(clip_digest(MINI.model), data.world_hash(MINI)), naming),
        *engine(folder),
        *(pack for e in chosen for pack in learned(e)),
    ]
    found, fresh = packs.write(make_folder(out), plan)
    if fresh or not (out / "manifest.js").exists():
        packs.write_script(out / "manifest.js", f"giftLive.manifest = {canonical_json(manifest(found, chosen))};")
        if "runtime" in found:
            shutil.copy(folder / "LICENSE", out / "onnxruntime-web-LICENSE.txt")
    return fresh


def manifest(found: dict[str, Any], chosen: Sequence[Experiment]) -> dict[str, Any]:
    """All that the page knows before it loads a network."""
    shapes = [shape for _, shape in graphs.layout(clip().model.state_dict()).values()]
    runs = [models.kept_models(e, RUNTIME).record for e in chosen]
    return told.settings(MINI, clip(), pipeline(), tasks()) | {
        "packs": {name: {k: v for k, v in p.items() if k != "mark"} for name, p in found.items()},
        "methods": [told.ran(e, record) for e, record in zip(chosen, runs, strict=True)],
        "zero_shot": runs[0]["result"]["zero_shot"],
        "rows": [[n := models.row_count(shape), shape.numel() // n] for shape in shapes],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.live", description=__doc__.split("\n")[0])
    parser.add_argument("--methods", default=",".join(METHODS), help="whose models are shown, separated by commas")
    parser.add_argument("--engine", type=Path, default=ENGINE, help="the folder with onnxruntime-web")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    try:
        names = [name.strip() for name in options.methods.split(",") if name.strip()]
        written = build(options.out, names, options.engine)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 1
    size = sum(p.stat().st_size for p in options.out.iterdir()) / 1e6
    print(f"{options.out}: {size:.1f} MB for the page that draws, {'written' if written else 'as they were'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
