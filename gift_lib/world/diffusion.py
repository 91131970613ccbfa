"""Train the small Stable Diffusion: the autoencoder first, then the denoiser with its text encoder on latents."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float, Int64, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gift_lib.files import atomic_write, digest
from gift_lib.generation.pipeline import DTYPE
from gift_lib.world.loop import Loss, Plan, Run
from gift_lib.world.pictures import Pairs, tokens
from gift_lib.world.settings import (
    SNR_CAP,
    TEXT_DROPOUT,
    VAE_EDGES,
    VAE_KL,
    scheduler_config,
    text_config,
    unet_config,
    vae_config,
)


def _seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def to_float(pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Pixels in [-1, 1], as diffusers' autoencoders take them."""
    return pixels.float() / 127.5 - 1


# --- autoencoder ---------------------------------------------------------------------------------------------


def edge_error(x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Mean squared error of the differences of neighbouring pixels: it keeps edges sharp."""
    d = x - y
    return d.diff(dim=2).square().mean() + d.diff(dim=3).square().mean()


def vae_loss(vae: AutoencoderKL, pixels: UInt8[Tensor, "n 3 h w"], batch: int) -> Loss:
    """Squared error + edges + a small KL term, on pictures drawn with replacement."""

    def loss(step: int, generator: torch.Generator) -> Tensor:
        x = to_float(pixels[torch.randint(len(pixels), (batch,), generator=generator)]).to(vae.device)
        with torch.autocast(vae.device.type, torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator).to(vae.device)
            z = posterior.mean + posterior.std * noise
            y = vae.decode(z).sample
        kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).float().mean()
        return F.mse_loss(y.float(), x) + VAE_EDGES * edge_error(y.float(), x) + VAE_KL * kl

    return loss


def train_vae(plan: Plan, pictures: Pairs, folder: str | Path, device: str = "cpu") -> Run:
    """Train the autoencoder and set its scaling factor to 1 / (standard deviation of the latents)."""
    run = Run(plan, _seeded(plan.seed, lambda: AutoencoderKL(**vae_config())), folder, device)
    run.fit(vae_loss(run.model, pictures.pixels, plan.batch))
    run.apply()
    latents = encode(run.model, pictures.pixels[:2000])
    run.model.register_to_config(scaling_factor=round(1 / float(latents.std()), 5))
    return run


@torch.no_grad()
def encode(vae: AutoencoderKL, pixels: UInt8[Tensor, "n 3 h w"], chunk: int = 250) -> Float[Tensor, "n 4 l l"]:
    """Posterior means of pictures, without the scaling factor."""
    parts = [vae.encode(to_float(p)).latent_dist.mean for p in pixels.split(chunk)]
    return torch.cat(parts).contiguous()


# --- denoiser ------------------------------------------------------------------------------------------------


class Denoiser(nn.Module):
    """What is trained on latents: the UNet and the text encoder that it listens to."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.unet = UNet2DConditionModel(**unet_config())
        self.text = CLIPTextModel(CLIPTextConfig(**text_config(vocab_size)))

    def forward(self, z: Float[Tensor, "b 4 l l"], t: Int64[Tensor, " b"], ids: Int64[Tensor, "b words"]) -> Tensor:
        return self.unet(z, t, self.text(ids).last_hidden_state).sample


def alphas() -> Float[Tensor, " t"]:
    """The cumulative products alpha-bar of Stable Diffusion's noise schedule."""
    return DPMSolverMultistepScheduler(**scheduler_config()).alphas_cumprod


def denoise_loss(
    model: nn.Module,
    latents: Float[Tensor, "n 4 l l"],
    ids: Int64[Tensor, "n words"],
    empty: Int64[Tensor, " words"],
    batch: int,
) -> Loss:
    """v-prediction with min-SNR weights (Hang et al. 2023): min(SNR, cap) / (SNR + 1) per picture."""
    bar = alphas()

    def loss(step: int, generator: torch.Generator) -> Tensor:
        index = torch.randint(len(latents), (batch,), generator=generator)
        t = torch.randint(len(bar), (batch,), generator=generator)
        drop = torch.rand(batch, generator=generator) < TEXT_DROPOUT
        noise = torch.randn(latents[index].shape, generator=generator)
        a, s = bar[t].sqrt().view(-1, 1, 1, 1), (1 - bar[t]).sqrt().view(-1, 1, 1, 1)
        text = torch.where(drop[:, None], empty[None], ids[index])
        device = model.unet.device
        with torch.autocast(device.type, torch.bfloat16):
            v = model((a * latents[index] + s * noise).to(device), t.to(device), text.to(device))
        error = (v.float() - (a * noise - s * latents[index]).to(device)).square().mean(dim=(1, 2, 3))
        snr = (bar[t] / (1 - bar[t])).to(device)
        return (error * snr.clamp(max=SNR_CAP) / (snr + 1)).mean()

    return loss


def train_unet(
    plan: Plan,
    vae: AutoencoderKL,
    pictures: Pairs,
    tokenizer: CLIPTokenizer,
    folder: str | Path,
    device: str = "cpu",
    stop_at: int | None = None,
) -> Run:
    """Train UNet and text encoder on the cached latents of the pictures, to the end or a step; resumable."""
    run = Run(plan, _seeded(plan.seed, lambda: Denoiser(len(tokenizer))), folder, device)
    latents = cached_latents(vae, pictures, folder) * vae.config.scaling_factor
    ids, empty = tokens(tokenizer, pictures.captions), tokens(tokenizer, [""])[0]
    run.fit(denoise_loss(run.model, latents, ids, empty, plan.batch), stop_at)
    run.apply()
    return run


def cached_latents(vae: AutoencoderKL, pictures: Pairs, folder: str | Path) -> Float[Tensor, "n 4 l l"]:
    """The latents of all pictures, kept beside the state of the training under the autoencoder's digest."""
    mark = digest(b"".join(p.detach().numpy().tobytes() for p in vae.parameters()), 8)
    file = Path(folder) / f"latents-{len(pictures)}-{mark}.safetensors"
    if not file.exists():
        with atomic_write(file) as temporary:
            save_file({"latents": encode(vae, pictures.pixels)}, temporary)
    return load_file(file)["latents"]


def pipeline(vae: AutoencoderKL, denoiser: Denoiser, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """The parts as one diffusers pipeline, without a safety checker (there is nothing unsafe to draw)."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=denoiser.text,
        tokenizer=tokenizer,
        unet=denoiser.unet,
        scheduler=DPMSolverMultistepScheduler(**scheduler_config()),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save(pipe: StableDiffusionPipeline, folder: str | Path) -> None:
    """Write the pipeline in diffusers' layout, weights in fp16 safetensors."""
    pipe.to(dtype=torch.float16).save_pretrained(str(folder), safe_serialization=True)
    pipe.to(dtype=torch.float32)


def load(folder: str | Path) -> StableDiffusionPipeline:
    """The saved pipeline in fp32, through diffusers' own loader."""
    kept = {"safety_checker": None, DTYPE: torch.float32}
    pipe = StableDiffusionPipeline.from_pretrained(str(folder), **kept)
    pipe.set_progress_bar_config(disable=True)
    return pipe
