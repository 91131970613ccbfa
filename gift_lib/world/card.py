"""The model card of the shipped weights, written from the notes that the training left."""

import json
from pathlib import Path
from typing import Any

from gift_lib.data import mini
from gift_lib.errors import DataError
from gift_lib.files import atomic_write, file_digest, read_json
from gift_lib.world.make import read_note
from gift_lib.world.settings import CHECKED, SIZE_LIMIT

INTRO = """# The scale model's weights

Made from scratch by `make world` on MiniMTIL, the rendered world of this project; no weights and no pictures
of others are in them, but for scikit-learn's handwritten digits in the world itself. All files are fp16
safetensors and are loaded into fp32. Licence: MIT, as the project.

- `tokenizer/`: byte-level BPE in CLIP's form, trained on the world's captions and prompts.
- `clip/`: a small CLIP that open_clip loads as `local-dir:`. `clip-1/`, `clip-2/`: the same, pre-trained again
  from another seed on another sample of noisy pairs (`python -m gift_lib.world make --only clip --seed 1`).
- `diffusion/`: a small Stable Diffusion pipeline that `diffusers.StableDiffusionPipeline.from_pretrained` loads.

What they are for: experiments on continual learning at a scale that fits a laptop. What they are not for:
anything else. They know some two hundred names and generate images of 32 x 32 pixels.

An early state of the denoiser (for the ablation of generator quality) is not shipped, to stay below 20 MB:
`python -m gift_lib.world make --only diffusion --unet-steps N --weights FOLDER` trains one with fewer steps.
"""

WORLDS = """World: the hash of the whole world at the time of the training. Web: a digest of the pictures and captions
that the part was trained on; where it is what the present world renders, `make world` makes the part again bit for bit
on the same kind of machine. The tests compare them for every part."""


#: What a part is, where its name does not say all of it.
PARTS = {"unet": "unet, with its text encoder"}


def files(weights: Path) -> list[Path]:
    """Everything shipped but the card and the measured table, sorted."""
    skip = {"README.md", *CHECKED.values()}
    return sorted(p for p in weights.rglob("*") if p.is_file() and p.name not in skip and ".tmp" not in p.name)


def write(weights: Path) -> None:
    """Write README.md: how each part was trained, what it measures, and the digest of every file."""
    notes = {f.name: read_note(f) for f in sorted(weights.glob("clip*")) if f.is_dir()}
    notes |= read_note(weights / "diffusion")
    parts = [INTRO, f"World 1, hash `{mini.world_hash()}`.\n", "## Training\n", _training(notes)]
    for world, name in CHECKED.items():
        if (weights / name).exists():
            command = f"`make world-check WORLD={world}`"
            parts += [f"## Measured on world {world} ({command})\n", _measured(read_json(weights / name))]
    parts += ["## Files\n", _files(weights)]
    with atomic_write(weights / "README.md") as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")


def _training(notes: dict[str, dict[str, Any]]) -> str:
    head = "| part | weights | steps | batch | lr | seed | pictures | minutes | loss, first and last | world | web |"
    rows = [head, "|" + "---|" * 11]
    for name, n in notes.items():
        plan = n["plan"]
        rows.append(
            f"| {PARTS.get(name, name)} | {n['parameters']:,} | {plan['steps']} | {plan['batch']} | {plan['lr']:g} | "
            f"{plan['seed']} | {n['examples']:,} | {n['seconds'] / 60:.0f} | "
            f"{n['loss_first']:.4f}, {n['loss_last']:.4f} | {n['world']} | {n['web']} |"
        )
    kinds = sorted({f"{n['hardware']}, torch {n['torch']}" for n in notes.values()})
    plans = {k: {**n["plan"]} for k, n in notes.items()}
    rows += ["", WORLDS]
    return "\n".join([*rows, "", f"Hardware: {'; '.join(kinds)}.", "", "```json", json.dumps(plans), "```", ""])


def _measured(m: dict[str, Any]) -> str:
    keys = [
        k for k in ("chance", "zero_shot", "pixel_probe", "alone", "real_to_generated", "generated_to_real") if k in m
    ]
    rows = [
        "| task | classes | " + " | ".join(k.replace("_", " ") for k in keys) + " |",
        "|" + "---|" * (len(keys) + 2),
    ]
    for i, task in enumerate(m["tasks"]):
        rows.append(f"| {task} | {m['classes'][i]} | " + " | ".join(f"{m[k][i]:.1f}" for k in keys) + " |")
    rows += ["", "| aim | wanted | measured | |", "|---|---|---|---|"]
    rows += [f"| {b['name'].strip()} | {b['aim']} | {b['measured']} | {b['verdict']} |" for b in m.get("bars", [])]
    return "\n".join([*rows, ""])


def _files(weights: Path) -> str:
    total = sum(p.stat().st_size for p in files(weights))
    if total > SIZE_LIMIT:
        raise DataError(f"the weights take {total:,} bytes, more than {SIZE_LIMIT:,}. Ship smaller ones.")
    rows = ["| file | bytes | SHA-256 |", "|---|---|---|"]
    for p in files(weights):
        rows.append(f"| {p.relative_to(weights).as_posix()} | {p.stat().st_size} | {file_digest(p, 64)} |")
    return "\n".join([*rows, "", f"{total:,} bytes in all.", ""])
