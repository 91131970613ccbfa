"""A tiny Stable Diffusion pipeline with random weights, in diffusers' layout: quick, and otherwise the real thing."""

import string
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer


def tokenizer(length: int = 16) -> CLIPTokenizer:
    """Letters only, no merges."""
    letters = string.ascii_letters + string.digits + string.punctuation
    tokens = ["<|pad|>", *letters, *(c + "</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=[], pad_token="<|pad|>", model_max_length=length)


def pipeline(seed: int = 0, channels: tuple[int, int] = (16, 32), steps_offset: int = 1) -> StableDiffusionPipeline:
    """4x4 latents, 16 px pictures, weights drawn from `seed`."""
    torch.manual_seed(seed)
    words = tokenizer()
    width = channels[1]
    unet = UNet2DConditionModel(
        sample_size=4, layers_per_block=1, block_out_channels=channels, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=width, attention_head_dim=8,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16), down_block_types=("DownEncoderBlock2D",) * 3, norm_num_groups=8,
        up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=4, sample_size=16,
    )  # fmt: skip
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=words.model_max_length, bos_token_id=len(words) - 2,
            eos_token_id=len(words) - 1, pad_token_id=0,
        )
    )  # fmt: skip
    schedule = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=steps_offset,
    )
    made = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=words, unet=unet, scheduler=schedule, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


def save(folder: Path, seed: int = 0) -> Path:
    """Write the tiny pipeline to `folder`."""
    pipeline(seed).save_pretrained(folder, safe_serialization=True)
    return folder


def stable_diffusion(device: str = "cpu", dtype: torch.dtype = torch.float32) -> StableDiffusionPipeline:
    """Stable Diffusion v1.5's architecture (860 M weights in the denoiser) with random weights."""
    words = tokenizer(77)
    with torch.device(device):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                num_attention_heads=12, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1, pad_token_id=0,
            )
        )  # fmt: skip
    schedule = PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    made = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=words, unet=unet, scheduler=schedule, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made.to(device, dtype)
