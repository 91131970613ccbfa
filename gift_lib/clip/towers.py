"""The two towers, without the work that cannot reach the result.

Two exact savings over open_clip's own `encode_image` and `encode_text` (values and gradients are
those of the full towers up to rounding; the tests prove it):

- Texts: the tower is causal and pools at the end token, so a token's state depends on its prefix
  alone. Tokens with equal prefixes are computed once (`PrefixTree`): padding, repeated prompts and
  the "a photo of a" that all class prompts share cost nothing.
- In the last block only the pooled token needs its query, projection and MLP.

They hold for open_clip's own ViT and text towers. Towers of another make, and blocks whose MLP was
replaced by a module that looks beyond one token, run through open_clip's own code (logged once).
A replacement that treats each token alone declares it with the attribute `token_wise = True`.
"""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gift_lib.clip.blocks import Layout, add_attended, add_mlp, attend_once, open_block, rows, whole_block
from gift_lib.errors import ConfigError, DataError
from gift_lib.speed.products import linear, multiply

log = logging.getLogger(__name__)

# --- Images -----------------------------------------------------------------------------------------------------------


def encode_images(model: nn.Module, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b d"]:
    """L2-normalised image embeddings, float32 under autocast too."""
    if len(x) == 0:
        raise DataError("encode_images was given no image: give at least one.")
    visual = model.visual
    if not fast_images(visual):
        _note(f"image tower {type(visual).__name__}")
        return F.normalize(visual(x).float(), dim=-1)
    tokens = _embed(visual, x)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = _run(visual.transformer, _image_block, block, tokens)
    pooled = visual.ln_post(_run(visual.transformer, _last_image_block, last, tokens))
    return F.normalize((pooled if visual.proj is None else multiply(pooled, visual.proj)).float(), dim=-1)


def patch_tokens(model: nn.Module, x: Float[Tensor, "b 3 s s"], blocks: int) -> Float[Tensor, "b p w"]:
    """The patches' states (without the class token) after the first blocks of open_clip's own image tower."""
    visual = model.visual
    if type(visual) is not VisionTransformer:
        raise ConfigError(f"{type(visual).__name__} has no patch tokens to read: use open_clip's own ViT.")
    tokens = visual._embeds(x)
    for block in visual.transformer.resblocks[:blocks]:
        tokens = block(tokens)
    return tokens[:, 1:]


def _embed(visual: VisionTransformer, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b l w"]:
    """Class token and patches with their positions; the patches do not overlap, so their convolution is one product."""
    conv, (p, q) = visual.conv1, visual.conv1.kernel_size
    x = x[..., : x.shape[2] // p * p, : x.shape[3] // q * q].unflatten(3, (-1, q)).unflatten(2, (-1, p))
    patches = linear(x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2), conv.weight.flatten(1), conv.bias)
    first = visual.class_embedding.to(patches.dtype).expand(len(x), 1, -1)
    tokens = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
    return visual.ln_pre(visual.patch_dropout(tokens))


def _image_block(block: nn.Module, x: Float[Tensor, "b l w"]) -> Float[Tensor, "b l w"]:
    return whole_block(block, x.flatten(0, 1), Layout(*x.shape[:2])).view_as(x) if open_block(block) else block(x)


def _last_image_block(block: nn.Module, x: Float[Tensor, "b l w"]) -> Float[Tensor, "b w"]:
    """The class token (position 0) after the block: one query to all tokens."""
    h, first = block.ln_1(x), x[:, 0]
    return add_mlp(block, add_attended(block, first, attend_once(block.attn, h[:, 0], h, None)))


# --- Texts ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrefixTree:
    """Token sequences as a tree: one node for each distinct prefix, shared by all prompts that start with it.

    u nodes stand for n distinct prompts of at most l tokens; `node` past a prompt's end repeats its
    last node, where the causal mask hides it.
    """

    token: Int64[Tensor, " u"]
    position: Int64[Tensor, " u"]
    #: Node of each prompt at each position.
    node: Int64[Tensor, "n l"]
    #: Index into the flattened (n, l) of one place where the node stands.
    place: Int64[Tensor, " u"]
    #: Position of each prompt's end token.
    end: Int64[Tensor, " n"]
    #: Which of the n distinct prompts each given prompt is.
    prompt: Int64[Tensor, " m"]

    def to(self, device: torch.device) -> "PrefixTree":
        return PrefixTree(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def prefix_tree(tokens: Int64[Tensor, "m c"]) -> PrefixTree:
    """The tree of prompts that end at their highest token id (open_clip's "argmax" pooling)."""
    given = tokens.cpu().numpy()
    return _tree(given.tobytes(), given.shape)


@functools.lru_cache(maxsize=8)  # a task's class prompts come back at every step
def _tree(tokens: bytes, shape: tuple[int, int]) -> PrefixTree:
    given = np.frombuffer(tokens, np.int64).reshape(shape)
    length = given.argmax(axis=1) + 1
    given = np.where(np.arange(given.shape[1]) < length[:, None], given, 0)[:, : length.max()]
    unique, first, prompt = np.unique(given, axis=0, return_index=True, return_inverse=True)
    live = np.arange(unique.shape[1]) < length[first][:, None]
    # Rows are sorted: a prefix is new where the row before has another one, or ended.
    new = np.ones_like(live)
    new[1:] = np.logical_or.accumulate(unique[1:] != unique[:-1], axis=1) | ~live[:-1]
    node = (np.cumsum((new & live).T).reshape(live.T.shape) - 1).T
    end = length[first] - 1
    node = np.where(live, node, node[np.arange(len(node)), end][:, None])
    place = np.flatnonzero(live)[np.unique(node[live], return_index=True)[1]]
    arrays = (unique.reshape(-1)[place], place % unique.shape[1], node, place, end, prompt.reshape(-1))
    return PrefixTree(*(torch.from_numpy(np.ascontiguousarray(a)).long() for a in arrays))


def encode_texts(model: nn.Module, tokens: Int64[Tensor, "m c"]) -> Float[Tensor, "m d"]:
    """L2-normalised text embeddings, float32 under autocast too; gradients flow to all of the tower."""
    if len(tokens) == 0:
        raise DataError("encode_texts was given no prompt: give at least one.")
    if not causal_texts(model):
        _note(f"text tower of {type(model).__name__}")
        return F.normalize(model.encode_text(tokens.to(model.logit_scale.device)).float(), dim=-1)
    pooled = (_tree_states if fast_texts(model) else _truncated_states)(model, tokens)
    projection = model.text_projection
    if projection is not None:
        pooled = projection(pooled) if isinstance(projection, nn.Linear) else multiply(pooled, projection)
    return F.normalize(pooled.float(), dim=-1)


def _tree_states(model: nn.Module, tokens: Int64[Tensor, "m c"]) -> Float[Tensor, "m w"]:
    """The final state of each prompt's end token, one computation per distinct prefix."""
    tree = prefix_tree(tokens).to(model.positional_embedding.device)
    x = model.token_embedding(tree.token) + rows(model.positional_embedding, tree.position)
    layout = Layout(*tree.node.shape, True, tree.node.flatten(), tree.place)
    *blocks, last = model.transformer.resblocks
    for block in blocks:
        x = _run(model.transformer, whole_block, block, x, layout)
    x = _run(model.transformer, _last_text_block, last, x, tree)
    return rows(model.ln_final(x), tree.prompt)


def _last_text_block(block: nn.Module, x: Float[Tensor, "u w"], tree: PrefixTree) -> Float[Tensor, "n w"]:
    """The last block for the end tokens only: their queries against the keys of their own prompts."""
    h, last = block.ln_1(x), tree.node.gather(1, tree.end[:, None])[:, 0]
    seen = torch.arange(tree.node.shape[1], device=x.device) <= tree.end[:, None]
    attended = attend_once(block.attn, rows(h, last), rows(h, tree.node), seen)
    return add_mlp(block, add_attended(block, rows(x, last), attended))


def _truncated_states(model: nn.Module, tokens: Int64[Tensor, "m c"]) -> Float[Tensor, "m w"]:
    """The same through whole blocks, run only up to the longest prompt: for blocks with a changed MLP."""
    end = tokens.argmax(dim=1)
    length, device = int(end.max()) + 1, model.positional_embedding.device
    x = model.token_embedding(tokens[:, :length].to(device)) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    return model.ln_final(x[torch.arange(len(x), device=device), end.to(device)])


# --- Which towers are open_clip's own --------------------------------------------------------------------------------


def _run(transformer: nn.Module, function: Callable, *args: Any) -> Tensor:
    """Call, or recompute in the backward pass where gradient checkpointing is on."""
    if transformer.grad_checkpointing and torch.is_grad_enabled():
        return checkpoint(function, *args, use_reentrant=False)
    return function(*args)


def fast_images(visual: nn.Module) -> bool:
    """Whether the last-block saving is exact for an image tower."""
    if type(visual) is not VisionTransformer or visual.attn_pool is not None or visual.output_tokens:
        return False
    if not (hasattr(visual, "_embeds") and visual.transformer.batch_first):  # releases before 3.0
        return False
    return visual.pool_type == "tok" and open_block(visual.transformer.resblocks[-1])


def causal_texts(model: nn.Module) -> bool:
    """Whether the text tower is open_clip's causal one with pooling at the end token."""
    return type(model) is open_clip.CLIP and model.text_pool_type == "argmax" and model.attn_mask is not None


def fast_texts(model: nn.Module) -> bool:
    """Whether computing each distinct prefix once is exact for a text tower."""
    return causal_texts(model) and all(map(open_block, model.transformer.resblocks))


@functools.cache
def _note(what: str) -> None:
    log.info("%s runs through open_clip's own code, without the savings of gift_lib.clip", what)
