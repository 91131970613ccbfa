"""Generation per image: chunks with stored embeddings against calling the pipeline for one image at a time."""

from collections.abc import Callable

import torch
from diffusers import StableDiffusionPipeline

from gift_lib import generate
from gift_lib.generate import CHUNK, MINI, Painter, Sampler, draws, load_pipeline, make_scheduler
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
        with generate._numerics():
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
    return compare(title, "image", plain, ours, pairs=pairs, device=device, per=n, note=f"chunks of {n}")


def table(device: str = "cpu", pairs: int = 5) -> list[Comparison]:
    """The scale model on a CPU; Stable Diffusion's architecture in bf16 on a GPU."""
    if device == "cpu":
        name, pipeline = mini()
        samplers = [Sampler(steps, GUIDANCE, "dpm++", CHUNK, 32, "") for steps in (20, 10)]
    else:
        name, pipeline = "SD v1.5 (random)", fixtures_diffusion.stable_diffusion(device, torch.bfloat16)
        generate._ready(pipeline, device, compiled=False)
        samplers = [Sampler(steps, GUIDANCE, "dpm++", CHUNK, 512, "", "bf16") for steps in (50, 25)]
    return [measure(name, pipeline, s, device, pairs) for s in samplers]


def main(device: str = "cpu") -> None:
    """Print the table and write build/bench/generation.json."""
    report("generation", table(device), device)


if __name__ == "__main__":
    main()
