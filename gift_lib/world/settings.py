"""Every number that decides the scale model's weights: architectures, counts, learning rates."""

from pathlib import Path
from typing import Any

from gift_lib.world.loop import Plan
from gift_lib.world.tokenizer import CONTEXT_LENGTH

#: The shipped weights.
WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "mini"
SIZE_LIMIT = 20 * 2**20
SIZE = 32

#: What a run in a world changes of the mini preset.
RUNS: dict[str, dict[str, Any]] = {
    "1": {},
    "2": {
        "world": "2",
        "steps": 160,
        "batch_size": 16,
        # 53 passes over 120 pictures (published: 62.5). Methods that distil on reference pictures take batch_size
        # of them, which keeps ZSCL's 7 passes; GIFT alone sees more of them in a step than of the task's.
        "synthetic_batch_size": 48,
        "lr": 3.6e-4,
        "lr_per_task": {"silhouettes": 1.8e-3, "digits": 1.8e-3},  # 5 : 1, as published
        "images_per_task": 120,
        "consolidation_weight": 0.15,  # l2's by the reference rows, and so every penalty's
    },
}

#: Where `make world-check` leaves what it measured of a world, beside the weights.
CHECKED = {"1": "world-check.json", "2": "world-check-2.json"}

#: Pictures that the small CLIP, and the small diffusion model, are pre-trained on; streams of their own.
CLIP_PAIRS, CLIP_SEED = 60_000, 11
PICTURES, PICTURES_SEED = 40_000, 12

CLIP_PLAN = Plan(
    "clip", steps=3000, batch=128, lr=1e-3, muon_lr=0.02, warmup=0.04, weight_decay=0.05, betas=(0.9, 0.98)
)
VAE_PLAN = Plan("vae", steps=3600, batch=16, lr=2e-3, warmup=0.03, ema=0.998)
UNET_PLAN = Plan(
    "unet", steps=2400, batch=64, lr=1e-3, muon_lr=0.02, warmup=0.03, weight_decay=0.01, ema=0.998, keep_at=240
)

#: KL weight per latent value and weight of the difference of neighbouring pixels, beside the squared error.
VAE_KL, VAE_EDGES = 1e-4, 1.0
#: Captions dropped, for classifier-free guidance; and the cap of the min-SNR weighting.
TEXT_DROPOUT, SNR_CAP = 0.1, 5.0


def clip_config(vocab_size: int) -> dict[str, Any]:
    """open_clip's configuration of the small CLIP."""
    return {
        "embed_dim": 96,
        "quick_gelu": False,
        "vision_cfg": {"image_size": SIZE, "patch_size": 8, "width": 128, "layers": 4, "head_width": 32},
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": vocab_size,
            "width": 96,
            "heads": 4,
            "layers": 2,
            "hf_tokenizer_name": "tokenizer",
        },
    }


def vae_config() -> dict[str, Any]:
    """diffusers' configuration of the autoencoder: 32 x 32 x 3 pixels to 8 x 8 x 4 latents."""
    return {
        "sample_size": SIZE,
        "latent_channels": 4,
        "block_out_channels": (16, 32, 64),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
    }


def text_config(vocab_size: int) -> dict[str, Any]:
    """transformers' configuration of the diffusion model's own text encoder."""
    return {
        "vocab_size": vocab_size,
        "hidden_size": 128,
        "intermediate_size": 384,
        "projection_dim": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT_LENGTH,
        "hidden_act": "gelu",
        "pad_token_id": 0,
        "bos_token_id": vocab_size - 2,
        "eos_token_id": vocab_size - 1,
    }


def unet_config() -> dict[str, Any]:
    """diffusers' configuration of the denoiser: channels (64, 128), text at 4 x 4 and in the middle."""
    return {
        "sample_size": SIZE // 4,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (64, 128),
        "layers_per_block": 1,
        "cross_attention_dim": 128,
        "attention_head_dim": 4,  # the number of heads, in diffusers' naming
        "norm_num_groups": 16,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }


def scheduler_config() -> dict[str, Any]:
    """DPM-Solver++ multistep over Stable Diffusion's noise schedule, the network predicting v."""
    return {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction",
        "algorithm_type": "dpmsolver++",
        "solver_order": 2,
        "timestep_spacing": "trailing",
        "steps_offset": 1,
    }
