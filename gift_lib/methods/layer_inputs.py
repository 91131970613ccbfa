"""What each weight matrix of a tower reads: inputs whose directions a method protects."""

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from gift_lib.clip import causal_texts
from gift_lib.data.transforms import Preprocess
from gift_lib.errors import ConfigError
from gift_lib.methods.base import Resources
from gift_lib.speed.products import linear
from gift_lib.tasks import Images, all_indices

#: The name of a weight, and a row for each time it was applied.
Inputs = Iterator[tuple[str, Float[Tensor, "n i"]]]


def of_images(model: nn.Module, x: Float[Tensor, "b 3 s s"]) -> Inputs:
    """Inputs of the image tower's matrices on some pictures, block by block, at all tokens; `visual.proj` last."""
    visual = model.visual
    if type(visual) is not VisionTransformer or visual.attn_pool is not None:
        raise ConfigError(f"the inputs of {type(visual).__name__} cannot be read: use open_clip's own ViT.")
    tokens = visual._embeds(x)
    for k, block in enumerate(visual.transformer.resblocks):
        tokens = yield from _block(f"visual.transformer.resblocks.{k}", block, tokens)
    if visual.proj is not None:
        yield "visual.proj", visual.ln_post(tokens[:, 0])


def of_texts(model: nn.Module, tokens: Int64[Tensor, "m c"]) -> Inputs:
    """Inputs of the text tower's matrices on some prompts, block by block, at all tokens up to each prompt's end."""
    if not causal_texts(model):
        raise ConfigError(f"the inputs of {type(model).__name__}'s text tower cannot be read: use open_clip's own.")
    end = tokens.argmax(dim=1)
    length = int(end.max()) + 1
    live = torch.arange(length, device=tokens.device) <= end[:, None]
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    for k, block in enumerate(model.transformer.resblocks):
        x = yield from _block(f"transformer.resblocks.{k}", block, x, live, causal=True)


def _block(name: str, block: nn.Module, x: Float[Tensor, "b l w"], live: Tensor | None = None, causal: bool = False):
    """The inputs of a block's four matrices; returns its output."""
    if type(block) is not ResidualAttentionBlock:
        raise ConfigError(f"inputs are read in open_clip's own blocks, not in {type(block).__name__}.")
    rows = partial(_rows, live=live)
    h = block.ln_1(x)
    yield f"{name}.attn.in_proj_weight", rows(h)
    attended = _attended(block.attn, h, causal)
    yield f"{name}.attn.out_proj.weight", rows(attended)
    x = x + block.ls_1(linear(attended, block.attn.out_proj.weight, block.attn.out_proj.bias))
    h = block.ln_2(x)
    yield f"{name}.mlp.c_fc.weight", rows(h)
    h = block.mlp[:-1](h)
    yield f"{name}.mlp.c_proj.weight", rows(h)
    return x + block.ls_2(block.mlp[-1](h))


def _attended(attn: nn.MultiheadAttention, h: Float[Tensor, "b l w"], causal: bool) -> Float[Tensor, "b l w"]:
    qkv = linear(h, attn.in_proj_weight, attn.in_proj_bias).unflatten(-1, (3, attn.num_heads, -1))
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)


def _rows(x: Float[Tensor, "b l i"], live: Tensor | None) -> Float[Tensor, "n i"]:
    return x.flatten(0, 1) if live is None else x[live]


@torch.no_grad()
def gram(inputs: Inputs, total: dict[str, Tensor], wanted: tuple[str, ...], each: float | None = None) -> None:
    """Add X^T X (float64) of the inputs X of the weights whose names end as `wanted` to `total`, in place.

    With `each` every X^T X is first scaled to that Frobenius norm.
    """
    for name, X in inputs:
        if name.endswith(wanted):
            G = (X.T.float() @ X.float()).double()
            G = G if each is None else G * (each / G.norm().clamp(min=1e-30))
            total[name] = total[name] + G if name in total else G


def of_all(model: nn.Module, images: Images, preprocess: Preprocess, resources: Resources) -> Iterator[Inputs]:
    """`of_images` of every picture of a store (evaluation transform), chunk by chunk."""
    for index in all_indices(len(images)).split(resources.chunk):
        yield of_images(model, preprocess.eval(images.batch(index).to(resources.device)))
