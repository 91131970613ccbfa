"""CLIP through open_clip: load, encode, save.

`model` holds what one CLIP is, `towers` its encoders (and the work that they leave out), `loading` the way
from and to files.
"""

from gift_lib.clip.loading import CONFIG_FILE, WEIGHTS, WEIGHTS_FILE, load, save_checkpoint, weights_digest
from gift_lib.clip.model import Clip, classifier, clone, gradient_checkpointing
from gift_lib.clip.towers import (
    PrefixTree,
    causal_texts,
    encode_images,
    encode_texts,
    fast_images,
    fast_texts,
    patch_tokens,
    prefix_tree,
)

__all__ = [
    "CONFIG_FILE",
    "WEIGHTS",
    "WEIGHTS_FILE",
    "Clip",
    "PrefixTree",
    "causal_texts",
    "classifier",
    "clone",
    "encode_images",
    "encode_texts",
    "fast_images",
    "fast_texts",
    "gradient_checkpointing",
    "load",
    "patch_tokens",
    "prefix_tree",
    "save_checkpoint",
    "weights_digest",
]
