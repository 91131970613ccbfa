"""The hours that Table 1 takes on this machine, projected from rates measured in the real loop.

python -m tests.benchmarks --only table1 [--device cuda]

For each of the table's ten rows: seconds of a step (data read from the cache of decoded images, batches of the
published size), seconds of an evaluated image, and for GIFT seconds of a picture, times the counts of the published
protocol: eleven tasks of 1000 steps, 97,109 test images after each and before the first. On a CPU the same for the
scale model's own counts.
"""

import gc
from dataclasses import asdict, replace

import torch

from gift_lib import generate, methods, results
from gift_lib.config import Experiment, experiment
from gift_lib.files import write_json
from gift_lib.generation import pipeline as pipelines
from gift_lib.runs import dry_run
from gift_lib.runs.dry_run import Rates, Work
from gift_lib.tasks import ORDERS
from tests import fixtures_diffusion
from tests.benchmarks.generation import GUIDANCE
from tests.benchmarks.timing import OUTPUT, seconds

#: The rows of Table 1.
ROWS = ("zero-shot", "finetune", "l2", "lwf", "icarl", "lwf-vr", "wise-ft", "zscl", "moe-adapter", "gift")


def counts(e: Experiment) -> Work:
    """The counts of an experiment over all tasks, from the numbers that the protocol fixes: no data are opened."""
    if e.scale == "mini":
        from gift_lib import data

        tasks = data.load_tasks(e)
    else:
        from gift_lib.data import mtil

        tasks = [mtil.task(mtil.dataset(n)) for n in ORDERS["I"]]
    found = dry_run.work(e, tasks, dry_run.sizes(tasks, e.scale))
    drawn = len(tasks) * e.images_per_task if methods.find(e.method).uses_synthetic else 0
    return replace(found, pictures=drawn, missing=drawn)


def picture(e: Experiment, device: str) -> float:
    """Seconds per picture of a random pipeline of the right architecture, in the library's chunks."""
    if e.scale == "mini":
        return dry_run.picture_seconds(e, device)[0]
    kind = pipelines.DTYPES[e.precision]
    pipeline = pipelines.ready(fixtures_diffusion.stable_diffusion(device, kind), device, compiled=False)
    spec = generate.Sampler(e.denoising_steps, GUIDANCE, "pndm", generate.CHUNK, 512, "", e.precision)
    chunk = generate.draws([f"a photo of a {k}." for k in range(spec.chunk)], 0)
    painter = generate.Painter(pipeline, spec)
    painter(chunk)
    return seconds(lambda: painter(chunk), device) / spec.chunk


def rates(e: Experiment, device: str, steps: int) -> Rates:
    found = dry_run.measure(e, device, steps=steps)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return found


def main(device: str = "cpu") -> None:
    """Print the table and write build/bench/table1.json."""
    gpu = device.startswith("cuda")
    base = experiment("paper") if gpu else experiment("mini")
    drawing, rows = picture(base, device), []
    print(f"\ntable1 (projected from rates, {results.environment(device)['device']}, {base.precision})")
    print(f"{'':14}{'ms/step':>9}{'images/s':>10}{'GiB':>7}{'train':>9}{'evaluate':>9}{'draw':>8}{'hours':>8}")
    for name in ROWS:
        e = base.replace(method=name)
        found = replace(rates(e, device, 20 if gpu else 3), picture=drawing if name == "gift" else 0.0)
        told = counts(e).seconds(found)
        hours = {k: v / 3600 for k, v in told.items()}
        rows.append({"method": name, "rates": asdict(found), "hours": hours, "total": sum(hours.values())})
        print(f"{name:14}{found.step * 1e3:9.1f}{1 / found.image:10.0f}{found.memory / 2**30:7.1f}{hours['train']:9.2f}"
              f"{hours['evaluate']:9.2f}{hours['draw']:8.2f}{sum(hours.values()):8.2f}")  # fmt: skip
    gift = next(r for r in rows if r["method"] == "gift")
    print(f"one order of GIFT: {gift['total']:.2f} h ({1 / drawing:.2f} pictures/s); "
          f"all ten rows: {sum(r['total'] for r in rows):.2f} h")  # fmt: skip
    write_json(OUTPUT / "table1.json", {"rows": rows, "scale": base.scale, **results.environment(device)})


if __name__ == "__main__":
    main()
