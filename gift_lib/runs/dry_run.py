"""What a run will need, before anything starts: pictures, steps, evaluations, hours, memory and disk.

python -m gift_lib.runs.dry_run --scale paper --method gift --device cuda --overrides '{"order": "II"}'

Counts and bytes are computed from the settings. Seconds are measured here, on noise pictures and for a few steps;
what is not measured says so. Nothing is downloaded and nothing is kept.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache
from torchvision.transforms.functional import to_pil_image

from gift_lib import data, generate, methods, results
from gift_lib.clip import load
from gift_lib.config import SCALES, Experiment, experiment
from gift_lib.data import decode
from gift_lib.data.decode import Cost, duration
from gift_lib.data.records import from_files
from gift_lib.device import ahead
from gift_lib.errors import ConfigError, GiftError
from gift_lib.evaluation import accuracy
from gift_lib.files import expanded, make_folder
from gift_lib.methods.base import Method, Resources
from gift_lib.pictures import Draw, PictureCache, SyntheticSet
from gift_lib.runs.arguments import at_least
from gift_lib.tasks import Images, Split, Task, TensorImages
from gift_lib.training import LOCAL, Batches, Learner, Runtime, numerics

#: Operations (two per multiplication with addition) of Stable Diffusion v1.5 at 512 px, as torch counts them.
UNET_OPERATIONS, DECODER_OPERATIONS = 0.803e12, 2.515e12
#: Share of a device's rate at large matrix products that the denoiser is taken to reach where it is not measured.
ASSUMED_SHARE = 0.4
#: Bytes of a generated picture's PNG as a share of its pixels' (Stable Diffusion: about 0.6, not measured here).
PNG_SHARE = 0.6
#: Pictures of the rehearsal, fewer of a large model on a CPU, and those of a batch there, from where a real one
#: is extrapolated.
IMAGES, CPU_IMAGES, CPU_BATCH = 256, 16, 4
#: The form of an id on the hub; any other name of a pipeline is the scale model's, or a folder.
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
#: Settings of methods that only cost time once: cut down for the rehearsal.
ONCE = {"images": IMAGES, "memory": IMAGES, "everything_else": IMAGES, "everything_else_steps": 2,
        "autoencoder_steps": 2}  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """Seconds per optimiser step, per evaluated image and per generated picture; peak bytes of a step."""

    step: float
    image: float
    picture: float = 0.0
    memory: int = 0
    #: How `picture` was found.
    how: str = "measured"


@dataclass(frozen=True)
class Work:
    """How often a run does what."""

    tasks: int
    steps: int
    #: Images of all evaluations together, the zero-shot row included.
    evaluated: int
    #: Images that the method encodes once: a teacher's pass, a memory, a selector's training.
    once: int
    pictures: int = 0
    missing: int = 0

    def seconds(self, rates: Rates) -> dict[str, float]:
        """Seconds of each stage."""
        return {"draw": self.missing * rates.picture, "train": self.steps * rates.step + self.once * rates.image,
                "evaluate": self.evaluated * rates.image}  # fmt: skip


# --- counting -----------------------------------------------------------------------------------------------------


def sizes(tasks: Sequence[Task], scale: str, world: str = "1") -> list[tuple[int, int]]:
    """(training, test) images of each task, without opening it."""
    if scale == "mini":
        from gift_lib.data.mini.worlds import find

        drawn = find(world)
        return [tuple(drawn.count(t.name, s) for s in ("train", "test")) for t in tasks]
    from gift_lib.data.mtil import DATASETS

    return [(DATASETS[t.name].train, DATASETS[t.name].test) for t in tasks]


def work(e: Experiment, tasks: Sequence[Task], train_and_test: Sequence[tuple[int, int]]) -> Work:
    """The counts of an experiment, pictures left out (see `pictures`)."""
    method = methods.find(e.method)
    steps = sum(method.planned_steps(e, t) for t in tasks) if method.trains else 0
    rows = 1 if method.form == "joint" else len(tasks)
    return Work(
        len(tasks), steps, (rows + 1) * sum(test for _, test in train_and_test),
        encoded_once(e, [train for train, _ in train_and_test]),
    )  # fmt: skip


def encoded_once(e: Experiment, train: Sequence[int]) -> int:
    """Images that a method encodes outside steps and evaluations."""
    option = methods.resolve_options(methods.find(e.method), e.method_options, e.scale)
    drawn = sum(min(n, e.steps * e.batch_size) for n in train)
    table = {
        "gift": len(train) * e.images_per_task,
        "lwf": drawn,
        "lwf-vr": drawn,
        "icarl": sum(train) + option.get("memory", 0) * (len(train) - 1),
        "zscl": option.get("images", 0),
        "condu": sum(train),
        "rail": sum(train),
        "keeplora": sum(train) + 3 * drawn,  # a gradient takes a pass and one back, twice as long
        "gnsp": sum(train) + (option.get("pictures") or e.images_per_task),
        "moe-adapter": e.batch_size
        * (len(train) * option.get("autoencoder_steps", 0) + option.get("everything_else_steps", 0)),
    }
    return table.get(e.method, 0)


def pictures(e: Experiment, tasks: Sequence[Task], runtime: Runtime) -> tuple[int, int]:
    """Distinct pictures that the run needs, and those of them that are not in the cache."""
    if not methods.find(e.method).uses_synthetic or e.synthetic_source != "diffusion":
        return 0, 0
    wanted = {d for task in generate.plan(e, tasks) for d in task}
    if not is_here(e.pipeline):
        return len(wanted), len(wanted)
    spec = generate.PipelineSpec.of(e, runtime.device)
    cache = PictureCache(runtime.cache, generate.sampler_of(e, spec))
    return len(wanted), sum(not cache.path(d).exists() for d in wanted)


def is_here(pipeline: str) -> bool:
    """Whether a pipeline's weights are on this machine; DataError for what can only be a folder and holds none."""
    if not HUB_ID.fullmatch(pipeline):
        return bool(generate.find_pipeline(pipeline))
    if (expanded(pipeline) / "model_index.json").is_file():
        return True
    files = (f"unet/diffusion_pytorch_model{v}.safetensors" for v in (".fp16", ""))
    return any(isinstance(try_to_load_from_cache(pipeline, f), str) for f in files)


# --- measuring ----------------------------------------------------------------------------------------------------


def measure(e: Experiment, device: str = "cpu", steps: int = 0, images: int = 0, classes: int = 0) -> Rates:
    """Seconds of a step and of an evaluated image in the real loop, in the second of two tasks of noise pictures.

    Weights do not change the time: an open_clip model is taken with random ones.
    """
    slow = device == "cpu" and e.scale != "mini"
    images, steps = images or (CPU_IMAGES if slow else IMAGES), steps or (2 if slow else 4)
    batch = min(e.batch_size, CPU_BATCH) if slow else e.batch_size
    small = e.replace(batch_size=batch, synthetic_batch_size=max(1, e.synthetic_batch_size * batch // e.batch_size),
                      method_options={**e.method_options, **_once(e, images)})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, numerics(device):
        _reset_peak(device)
        method, task, synthetic = rehearsal(small, device, Path(folder), images, classes)
        step = _steps(method, task, synthetic, steps) * e.batch_size / batch if method.trains else 0.0
        memory = results.peak_memory_bytes(device)
        return Rates(step, _evaluation(method, task), memory=memory)


def _once(e: Experiment, images: int = IMAGES) -> dict:
    cls = methods.find(e.method)
    option = methods.resolve_options(cls, e.method_options, e.scale)
    cut = {k: min(v, option[k], images) for k, v in ONCE.items() if k in option}
    return cut | ({"features": "alexnet-random"} if option.get("features") == "alexnet" else {})


def rehearsal(
    e: Experiment, device: str, folder: Path, images: int = IMAGES, classes: int = 0
) -> tuple[Method, Task, SyntheticSet]:
    """A method on a task of noise pictures, with noise in the place of all public data."""
    name = e.model if e.scale == "mini" or expanded(e.model).is_dir() else f"{e.model.split('/')[0]}/random"
    clip = load(name, device, e.precision)
    size = clip.preprocess.size
    given = Resources(
        reference_images=lambda n: TensorImages(noise(n, size)),
        reference_prompts=lambda n: [f"a photo of a thing numbered {k % 1000}." for k in range(n)],
        captions=lambda n: [f"a photo of {k} things that stand in a long row" for k in range(n)],
        task_count=2,
        device=torch.device(device),
    )
    names = [f"thing number {k}" for k in range(classes or (12 if e.scale == "mini" else 100))]
    store = TensorImages(noise(images, size)) if e.scale == "mini" else noise_on_disk(folder, images, size)
    split = Split(store, torch.arange(images) % len(names))
    task = Task("rehearsal", tuple(names), ("a photo of a {c}.",), lambda _: split, stands_for="rehearsal")
    prompts = tuple(f"a photo of a {k % (images // 2)}." for k in range(images))
    synthetic = SyntheticSet(prompts, tuple(range(images)), TensorImages(noise(images, size)), {})
    return methods.build(clip, e, given), task, synthetic


def noise(n: int, size: int) -> torch.Tensor:
    """UInt8[n 3 size size], the same at every call."""
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))


def noise_on_disk(folder: Path, n: int, size: int) -> Images:
    """`n` photographs of an ordinary size in files, decoded as real ones are; crops are cut from the files."""
    place = make_folder(folder / "originals")
    for i, pixels in enumerate(noise(n, 64)):
        to_pil_image(pixels).resize((512, 384)).save(place / f"{i}.jpg", quality=90)
    found = from_files(place, ((f"{i}.jpg", 0) for i in range(n)))
    return decode.once(folder / "decoded", lambda: found, size, progress=False).open(lambda: found).images


def _steps(method: Method, task: Task, synthetic: SyntheticSet, n: int) -> float:
    """Seconds per step in the second task, after a warm-up."""
    for t in range(2):
        method.task_index = t
        method.before_task(task, synthetic if method.uses_synthetic else None)
        learner = Learner(method, 1e-6, 1000)
        batches = Batches(method.experiment, t, task, synthetic if method.uses_synthetic else None, method)
        method.model.train()
        _timed(method, learner, batches, range(2))
        if t == 0:
            method.after_task(task)
    return _timed(method, learner, batches, range(2, 2 + n)) / n


def _timed(method: Method, learner: Learner, batches: Callable, steps: range) -> float:
    device = method.resources.device
    start = _now(device)
    for k, batch in zip(steps, ahead(batches, steps, device), strict=True):
        learner.step(batch)
        method.after_step(k + 1)
    return _now(device) - start


def _evaluation(method: Method, task: Task) -> float:
    """Seconds per image; class texts are encoded once per task and do not count."""
    method.model.eval()
    method.forget_classifiers()
    accuracy(method, task, task.test, method.resources.chunk)
    start = _now(method.resources.device)
    accuracy(method, task, task.test, method.resources.chunk)
    return (_now(method.resources.device) - start) / len(task.test)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def _reset_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def picture_seconds(e: Experiment, device: str) -> tuple[float, str]:
    """Seconds per generated picture: measured where the pipeline is here, else computed."""
    if is_here(e.pipeline):
        spec = generate.PipelineSpec.of(e, device)
        sampler = generate.sampler_of(e, spec)
        chunk = [Draw(f"a photo of a {k}.", k) for k in range(sampler.chunk)]
        with tempfile.TemporaryDirectory() as empty:
            return generate.estimate(spec, chunk, sampler, empty).seconds / sampler.chunk, "measured"
    guided = 2 if e.guidance_scale > 1 else 1
    operations = e.denoising_steps * guided * UNET_OPERATIONS + DECODER_OPERATIONS
    return operations / (ASSUMED_SHARE * matrix_rate(device, e.precision)), "computed: the pipeline is not here"


def matrix_rate(device: str, precision: str) -> float:
    """Operations per second of a large matrix product."""
    place, n = torch.device(device), 1024 if device == "cpu" else 8192
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}["fp32" if n == 1024 else precision]
    a = torch.ones(n, n, device=place, dtype=kind)
    a @ a  # warm-up
    start, products = _now(place), 5
    for _ in range(products):
        a @ a
    return products * 2 * n**3 / (_now(place) - start)


# --- telling ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A stage of the run: how much of what, seconds, bytes that it leaves on disk, and where the seconds come from."""

    stage: str
    amount: str
    seconds: float
    bytes: int
    how: str


def plan(e: Experiment, runtime: Runtime = LOCAL) -> tuple[list[Line], int]:
    """The stages of a run in their order, and the peak bytes of memory of a training step."""
    methods.check(e)
    tasks = data.load_tasks(e, runtime.data_dir, runtime.cache_dir)
    counted = work(e, tasks, sizes(tasks, e.scale, e.world))
    wanted, missing = pictures(e, tasks, runtime)
    rates = measure(e, runtime.device)
    picture, how = picture_seconds(e, runtime.device) if missing else (0.0, "all in the cache")
    draw = missing * picture / max(1, runtime.workers if runtime.device != "cpu" else 1)
    told = counted.seconds(rates)
    where = f"measured on {results.environment(runtime.device)['device']}"
    if runtime.device == "cpu" and e.scale != "mini":
        where += f", from batches of {CPU_BATCH}"
    lines = decoding(e, tasks, runtime) if e.scale != "mini" else []
    if wanted:
        lines.append(Line("draw", f"{wanted} pictures, {missing} not in the cache", draw, _png(e) * missing, how))
    if counted.steps:
        each = f"{counted.tasks} tasks x {e.steps} steps"
        amount = each if counted.steps == counted.tasks * e.steps else f"{counted.steps} steps"
        lines.append(Line("train", amount, told["train"], _checkpoint(e), where))
    lines.append(Line("evaluate", f"{counted.evaluated} images", told["evaluate"], 0, where))
    return lines, rates.memory


def decoding(e: Experiment, tasks: Sequence[Task], runtime: Runtime) -> list[Line]:
    """Downloads and the cache of decoded images, all data sets together."""
    from gift_lib.data import mtil

    total, megabytes, kept, size = Cost(0, 0, 0.0), 0, 0, mtil.input_size(e.model)
    for spec in (mtil.dataset(t.name) for t in tasks):
        todo = mtil.undecoded(spec, runtime.cache_dir, size)
        source = mtil.source_of(spec)
        cost, fetch = mtil.cost(spec, todo, runtime.data_dir, size, source)
        total, megabytes = total + cost, megabytes + fetch
        kept += fetch * mtil.copies(spec, source)
    lines = []
    if megabytes:
        amount = f"{megabytes / 1000:.1f} GB of data sets"
        lines.append(Line("download", amount, 0.0, kept * 10**6, "their stated sizes, mirrors twice; time unknown"))
    if total.images:
        how = "computed" if megabytes else "estimated from a sample"
        lines.append(Line("decode", f"{total.images} images", total.seconds, total.bytes, how))
    return lines


def _png(e: Experiment) -> int:
    side = generate.native_size(generate.find_pipeline(e.pipeline)) if is_here(e.pipeline) else 512
    return round(3 * side**2 * PNG_SHARE)


def _checkpoint(e: Experiment) -> int:
    """Weights at the start of the task and now, and AdamW's two moments, in fp32."""
    name = e.model if e.scale == "mini" or expanded(e.model).is_dir() else f"{e.model.split('/')[0]}/random"
    return 4 * 4 * sum(p.numel() for p in load(name).model.parameters())


def report(e: Experiment, runtime: Runtime = LOCAL) -> str:
    """The plan as text."""
    lines, memory = plan(e, runtime)
    rows = [f"{e.method} at scale {e.scale}, order {e.order}, on {runtime.device}"]
    for line in lines:
        spent = duration(line.seconds) if line.seconds else "-"
        rows.append(f"  {line.stage:9} {line.amount:38} {spent:>8} {line.bytes / 1e9:8.2f} GB   {line.how}")
    total = sum(line.bytes for line in lines)
    rows.append(f"  {'in all':9} {'':38} {duration(sum(x.seconds for x in lines)):>8} {total / 1e9:8.2f} GB")
    rows.append(f"  memory of a training step: {memory / 2**30:.1f} GiB")
    existing = next(p for p in (runtime.cache, *runtime.cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    short = "" if free > total else "  TOO LITTLE: set GIFT_CACHE to a folder on a larger disk"
    rows.append(f"  free on the disk of {runtime.cache}: {free / 1e9:.1f} GB{short}")
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.dry_run", description=__doc__.split("\n")[0])
    parser.add_argument("--scale", choices=sorted(SCALES), default="mini")
    parser.add_argument("--method", default="gift")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=at_least(1), default=1, help="processes (GPUs) that draw pictures")
    parser.add_argument("--data", help="folder of the data sets (real scales)")
    parser.add_argument("--overrides", default="{}", help="further settings as JSON")
    args = parser.parse_args(arguments)
    try:
        e = experiment(args.scale, method=args.method, **_json(args.overrides))
        print(report(e, Runtime(args.device, data_dir=args.data, workers=args.workers, progress=False)))
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _json(text: str) -> dict:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f'--overrides must be JSON, such as \'{{"order": "II"}}\' ({error}).') from error
    if not isinstance(values, dict):
        raise ConfigError('--overrides must be a JSON object, such as \'{"order": "II"}\'.')
    for name in ("scale", "method"):
        if name in values:
            raise ConfigError(f"--overrides changes {name!r}, which has an option of its own: use --{name}.")
    return values


if __name__ == "__main__":
    sys.exit(main())
