"""From nothing to the shipped folder: tokenizer, small CLIP, autoencoder, denoiser, card."""

import os
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from gift_lib.data import mini
from gift_lib.errors import ConfigError, GiftError
from gift_lib.files import cache_root, read_json, write_json
from gift_lib.world import clip, diffusion, pictures, settings, tokenizer
from gift_lib.world.loop import Plan, Run

PARTS = ("tokenizer", "clip", "diffusion")


def state_folder(seed: int) -> Path:
    """Where unfinished training lives: it belongs to one world, and to one seed."""
    return cache_root() / "world" / f"state-{mini.world_hash()}-{seed}"


def clip_folder(weights: Path, seed: int) -> Path:
    """`clip` for seed 0, `clip-1` and so on for further pre-trainings."""
    return weights / ("clip" if seed == 0 else f"clip-{seed}")


def plan_of(plan: Plan, seed: int, steps: int | None) -> Plan:
    """The plan with another seed and, where given, another number of steps."""
    return replace(plan, seed=seed, steps=steps or plan.steps, keep_at=min(plan.keep_at, steps or plan.steps))


def make_tokenizer(weights: Path) -> None:
    """Train the tokenizer on the world's texts and save it."""
    tokenizer.save(tokenizer.train(pictures.texts()), weights / "tokenizer")


def make_clip(weights: Path, seed: int = 0, steps: int | None = None, device: str = "cpu") -> None:
    """Pre-train one small CLIP on its own stream of noisy pairs and save it with a note of how."""
    plan, words = plan_of(settings.CLIP_PLAN, seed, steps), tokenizer.load(weights / "tokenizer")
    pairs = pictures.pairs(settings.CLIP_PAIRS, settings.CLIP_SEED + 1000 * seed, workers=2)
    run = clip.train(plan, pairs, words, state_folder(seed), device)
    folder = clip_folder(weights, seed)
    clip.save(run.model, words, folder)
    write_json(folder / "training.json", note(run, pairs, device))


def make_diffusion(
    weights: Path,
    seed: int = 0,
    vae_steps: int | None = None,
    unet_steps: int | None = None,
    device: str = "cpu",
) -> None:
    """Train autoencoder and denoiser on clean pairs of their own stream and save the pipeline."""
    words, state = tokenizer.load(weights / "tokenizer"), state_folder(seed)
    pairs = pictures.pairs(settings.PICTURES, settings.PICTURES_SEED + 1000 * seed, clean=True, workers=2)
    vae = diffusion.train_vae(plan_of(settings.VAE_PLAN, seed, vae_steps), pairs, state, device)
    unet = diffusion.train_unet(plan_of(settings.UNET_PLAN, seed, unet_steps), vae.model, pairs, words, state, device)
    diffusion.save(diffusion.pipeline(vae.model, unet.model, words), weights / "diffusion")
    write_json(
        weights / "diffusion" / "training.json",
        {"vae": note(vae, pairs, device), "unet": note(unet, pairs, device)},
    )


def make_early(weights: Path, folder: Path, device: str = "cpu") -> None:
    """Save the diffusion model as it was early in its training, with the shipped tokenizer and autoencoder.

    Reads the state that `make_diffusion` left behind where there is one; without it, trains the autoencoder and
    those first steps of the denoiser, with one thread, as there: another number rounds otherwise.
    """
    torch.set_num_threads(1)
    words, state, plan = tokenizer.load(weights / "tokenizer"), state_folder(0), settings.UNET_PLAN
    pairs = pictures.pairs(settings.PICTURES, settings.PICTURES_SEED, clean=True, workers=2)
    vae = diffusion.train_vae(settings.VAE_PLAN, pairs, state, device)
    unet = diffusion.train_unet(plan, vae.model, pairs, words, state, device, stop_at=plan.keep_at)
    unet.apply(unet.kept)
    diffusion.save(diffusion.pipeline(vae.model, unet.model, words), folder)
    write_json(folder / "training.json", {"unet": note(unet, pairs, device), "kept_at": plan.keep_at})


def make(
    weights: Path, parts: tuple[str, ...] = PARTS, seed: int = 0, device: str = "cpu", **steps: int | None
) -> None:
    """Make the named parts; CLIP and diffusion model side by side, one thread each."""
    if "tokenizer" in parts:
        make_tokenizer(weights)
    both = [p for p in ("clip", "diffusion") if p in parts]
    if len(both) == 2:
        return _side_by_side(weights, both, seed, device, steps)
    torch.set_num_threads(1)
    if both == ["clip"]:
        make_clip(weights, seed, steps.get("clip_steps"), device)
    if both == ["diffusion"]:
        make_diffusion(weights, seed, steps.get("vae_steps"), steps.get("unet_steps"), device)


def _side_by_side(weights: Path, parts: list[str], seed: int, device: str, steps: dict[str, int | None]) -> None:
    options = [f"--{k.replace('_', '-')}={v}" for k, v in steps.items() if v]
    settings = [f"--weights={weights}", f"--seed={seed}", f"--device={device}", *options]
    command = [sys.executable, "-m", "gift_lib.world", "make", *settings, "--only"]
    children = [subprocess.Popen([*command, p], env={**os.environ, "OMP_NUM_THREADS": "1"}) for p in parts]
    failed = [p for p, child in zip(parts, children, strict=True) if child.wait()]
    if failed:
        raise GiftError(f"making the {' and the '.join(failed)} failed: see above, then run the same command again.")


def note(run: Run, pairs: pictures.Pairs, device: str) -> dict[str, Any]:
    """How a set of weights came to be, as the card tells it."""
    return {
        "plan": asdict(run.plan),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "examples": len(pairs),
        "web": pairs.fingerprint,
        "seconds": round(run.state.seconds),
        "loss_first": run.state.losses[0] if run.state.losses else None,
        "loss_last": run.state.losses[-1] if run.state.losses else None,
        "losses": run.state.losses,
        "world": mini.world_hash(),
        "hardware": hardware(device),
        "torch": torch.__version__,
    }


def hardware(device: str) -> str:
    """The kind of machine, without names."""
    if device != "cpu":
        return torch.cuda.get_device_name() if device.startswith("cuda") else device
    return f"CPU {platform.machine()}, 1 thread, {torch.backends.cpu.get_cpu_capability()}"


def read_note(folder: Path) -> dict[str, Any]:
    """The note beside a set of weights."""
    if not (folder / "training.json").exists():
        raise ConfigError(f"{folder} holds no training.json. Run `make world` to make the weights.")
    return read_json(folder / "training.json")
