"""Generation per image: chunks with stored embeddings against calling the pipeline for one image at a time."""

from collections.abc import Callable
from functools import partial

import torch
from diffusers import StableDiffusionPipeline

from gift_lib.generate import CHUNK, MINI, Painter, Sampler, draws, load_pipeline
from gift_lib.generation import painter
from gift_lib.generation import pipeline as pipelines
from gift_lib.generation.pipeline import make_scheduler
from gift_lib.world import diffusion, tokenizer
from tests import fixtures_diffusion
from tests.benchmarks.timing import Comparison, compare, report

GUIDANCE = 7.5


def mini() -> tuple[str, StableDiffusionPipeline]:
    """The shipped pipeline, else its architecture with random weights."""
    if (MINI / "model_index.json").exists():
        return "mini", load_pipeline("mini")
    torch.manual_seed(0)
    words = tokenizer.train(["a photo of a dog.", "a photo of a cat."])
    vae = diffusion.AutoencoderKL(**diffusion.vae_config())
    made = diffusion.pipeline(vae, diffusion.Denoiser(len(words)), words)
    made.set_progress_bar_config(disable=True)
    return "mini (random)", made


def one_by_one(pipeline: StableDiffusionPipeline, sampler: Sampler, n: int) -> Callable[[], None]:
    """The usual loop: a prompt, a generator, a call."""
    pipeline.scheduler = make_scheduler(sampler.scheduler, pipeline.scheduler.config)

    def work():
        with painter.numerics():
            for i in range(n):
                pipeline(
                    f"a photo of a {i % 4}.", num_inference_steps=sampler.steps, guidance_scale=GUIDANCE,
                    generator=torch.Generator().manual_seed(i), height=sampler.size, width=sampler.size,
                    output_type="pt",
                )  # fmt: skip

    return work


def measure(name: str, pipeline: StableDiffusionPipeline, sampler: Sampler, device: str, pairs: int) -> Comparison:
    n = sampler.chunk
    chunk = draws([f"a photo of a {i % 4}." for i in range(n)], 0)
    title = f"generation, {name}, {sampler.steps} steps"
    plain, ours = one_by_one(pipeline, sampler, n), lambda: Painter(pipeline, sampler)(chunk)
    row = compare(title, "image", plain, ours, pairs=pairs, device=device, per=n, note=f"chunks of {n}")
    row.facts["images per second"] = 1 / row.ours
    return row


def table(device: str = "cpu", pairs: int = 5) -> list[Comparison]:
    """The scale model on a CPU; Stable Diffusion's architecture in bf16 on a GPU."""
    if device == "cpu":
        name, pipeline = mini()
        samplers = [Sampler(steps, GUIDANCE, "dpm++", CHUNK, 32, "") for steps in (20, 10)]
    else:
        name, pipeline = "SD v1.5 (random)", fixtures_diffusion.stable_diffusion(device, torch.bfloat16)
        pipelines.ready(pipeline, device, compiled=False)
        half = partial(Sampler, guidance=GUIDANCE, size=512, weights="", precision="bf16")
        samplers = [half(50, scheduler="pndm", chunk=CHUNK), half(25, scheduler="dpm++", chunk=CHUNK),
                    half(25, scheduler="dpm++", chunk=2 * CHUNK)]  # fmt: skip
    return [measure(name, pipeline, s, device, pairs) for s in samplers]


def compiled(device: str, pairs: int) -> list[Comparison]:
    """The same with a compiled denoiser, where the machine can compile: what GIFT_COMPILE=1 gains."""
    pipeline = fixtures_diffusion.stable_diffusion(device, torch.bfloat16)
    pipelines.ready(pipeline, device, compiled=True)
    sampler = Sampler(25, GUIDANCE, "dpm++", CHUNK, 512, "", "bf16", compiled=True)
    chunk = draws([f"a photo of a {i % 4}." for i in range(CHUNK)], 0)
    plain = pipelines.ready(fixtures_diffusion.stable_diffusion(device, torch.bfloat16), device, compiled=False)
    return [
        compare(
            "generation, SD v1.5 (random), 25 steps, compiled", "image", lambda: Painter(plain, sampler)(chunk),
            lambda: Painter(pipeline, sampler)(chunk), pairs=pairs, device=device, per=CHUNK,
            note="against not compiled",
        )
    ]  # fmt: skip


def main(device: str = "cpu") -> None:
    """Print the table and write build/bench/generation.json."""
    gpu = device.startswith("cuda")
    rows = table(device, pairs=2 if gpu else 5)
    report("generation", rows, device)
    if gpu:
        try:
            report("generation-compiled", compiled(device, 2), device)
        except Exception as error:  # no compiler on this machine
            print(f"    compiled: not measured ({type(error).__name__}: {error})")


if __name__ == "__main__":
    main()
