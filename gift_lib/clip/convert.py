"""A folder of transformers' CLIPModel, rewritten as open_clip has it: other names, and three products in one.

python -m gift_lib.clip.convert SOURCE NEW_FOLDER
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPConfig

from gift_lib.clip.loading import CONFIG_FILE, WEIGHTS_FILE, conversion, load
from gift_lib.data.transforms import CLIP_MEAN, CLIP_STD
from gift_lib.errors import DataError, GiftError
from gift_lib.files import atomic_write, file_digest, make_folder, read_json, write_json

#: Starts of names, in transformers and in open_clip.
STARTS = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.encoder.layers.": "transformer.resblocks.",
    "text_model.final_layer_norm.": "ln_final.",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.encoder.layers.": "visual.transformer.resblocks.",
    "vision_model.pre_layrnorm.": "visual.ln_pre.",
    "vision_model.post_layernorm.": "visual.ln_post.",
}
#: Parts of a layer.
PARTS = {"layer_norm": "ln_", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.": "attn."}


def convert(source: Path, folder: Path) -> Path:
    """Write the CLIP in `source` into a new folder, and load it from there; DataError where it is of another kind."""
    config = source / "config.json"
    if not config.is_file() or "CLIPModel" not in conversion(source):
        raise DataError(f"{source} holds no CLIPModel of transformers (a config.json whose model_type is 'clip').")
    if make_folder(folder).samefile(source) or any(folder.iterdir()):
        raise DataError(f"{folder} is not empty: give a new folder.")
    described = model_config(CLIPConfig.from_dict(read_json(config)))
    own = (source / "tokenizer.json").is_file() and described["text_cfg"]["vocab_size"] != 49408
    for file in source.glob("*token*.json") if own else ():
        shutil.copy(file, folder)
    with atomic_write(folder / WEIGHTS_FILE) as temporary:
        save_file(renamed(_weights(source)), temporary, metadata={"format": "pt"})
    write_json(folder / CONFIG_FILE, {"model_cfg": described, "preprocess_cfg": _preprocess(source),
                                      "weights_sha256": file_digest(folder / WEIGHTS_FILE, 64)})  # fmt: skip
    load(str(folder))
    return folder


def model_config(c: CLIPConfig) -> dict[str, Any]:
    """open_clip's description of the same towers."""
    v, t = c.vision_config, c.text_config
    if v.hidden_act != t.hidden_act or v.hidden_act not in ("quick_gelu", "gelu"):
        raise DataError(f"its towers use {v.hidden_act} and {t.hidden_act}: open_clip has gelu or quick_gelu for both.")
    vision = {"image_size": v.image_size, "patch_size": v.patch_size, "layers": v.num_hidden_layers,
              "width": v.hidden_size, "head_width": v.hidden_size // v.num_attention_heads,
              "mlp_ratio": v.intermediate_size / v.hidden_size}  # fmt: skip
    text = {"context_length": t.max_position_embeddings, "vocab_size": t.vocab_size, "layers": t.num_hidden_layers,
            "width": t.hidden_size, "heads": t.num_attention_heads,
            "mlp_ratio": t.intermediate_size / t.hidden_size}  # fmt: skip
    return {"embed_dim": c.projection_dim, "quick_gelu": v.hidden_act == "quick_gelu", "vision_cfg": vision,
            "text_cfg": text}  # fmt: skip


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """CLIPModel's tensors under open_clip's names: queries, keys and values as one matrix, projections transposed."""
    made = {"logit_scale": weights["logit_scale"].reshape(())}
    made["text_projection"] = weights["text_projection.weight"].T.contiguous()
    made["visual.proj"] = weights["visual_projection.weight"].T.contiguous()
    for name, tensor in weights.items():
        start = next((s for s in STARTS if name.startswith(s)), None)
        if start is None:  # named above, or a buffer
            continue
        new = STARTS[start] + name.removeprefix(start)
        for theirs, ours in PARTS.items():
            new = new.replace(theirs, ours)
        if "attn.q_proj." in new:
            parts = [weights[name.replace("q_proj", f"{k}_proj")] for k in "qkv"]
            made[new.replace("q_proj.", "in_proj_")] = torch.cat(parts)
        elif "attn.k_proj." not in new and "attn.v_proj." not in new:
            made[new] = tensor
    return made


def _weights(source: Path) -> dict[str, Tensor]:
    path = source / "model.safetensors"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist, and pickled weights are never read. Where you trust them, load the model with "
            "transformers and save it again: `model.save_pretrained(FOLDER)` writes safetensors."
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is truncated or no safetensors file ({error}). Copy it again.") from error


def _preprocess(source: Path) -> dict[str, Any]:
    path = source / "preprocessor_config.json"
    told = read_json(path) if path.is_file() else {}
    return {"mean": told.get("image_mean", CLIP_MEAN), "std": told.get("image_std", CLIP_STD)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.clip.convert", description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(arguments)
    try:
        print(f"{convert(args.source, args.folder)} holds a CLIP that this library and open_clip load.")
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
