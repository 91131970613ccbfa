"""A transformer block of open_clip's as two halves, x + attention(x) and x + MLP(x), on a table of tokens.

Each half has two forms that give the same up to rounding:

- the plain one, from torch's own operations: any device, precision, activation, replaced MLPs;
- for float32 on a CPU, where a step of the scale model waits for memory and for small operations as much as for
  products, one operation with a backward pass by hand. LayerNorm's output is made again instead of kept, buffers are
  written in place, and the residual is added where the product before it ends.

Short sequences (the scale model's 17 tokens) attend by batched products and a softmax on a CPU: torch's fused kernel
is made for long ones. All products of weights go through `gift_lib.speed.products`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gift_lib.speed.products import linear, multiply

#: Up to this many tokens a CPU attends by batched products.
SHORT = 64
#: The slope of QuickGELU's sigmoid.
QUICK = 1.702

Tokens = Float[Tensor, "u w"]


@dataclass(frozen=True)
class Layout:
    """How u tokens form n sequences of one length: row after row, or as the nodes of a `clip.PrefixTree`."""

    n: int
    length: int
    causal: bool = False
    #: The token at each of the n * length positions, and for each token one position where it stands.
    node: Int64[Tensor, " nl"] | None = None
    place: Int64[Tensor, " u"] | None = None


def open_block(block: nn.Module) -> bool:
    """Whether a block is open_clip's standard one with a token-wise MLP."""
    if type(block) is not ResidualAttentionBlock or hasattr(block, "ln_1_kv"):
        return False
    plain = type(block.attn) is nn.MultiheadAttention and block.attn.in_proj_bias is not None
    return plain and (type(block.mlp) is nn.Sequential or getattr(block.mlp, "token_wise", False))


def whole_block(block: nn.Module, x: Tokens, layout: Layout) -> Tokens:
    """Both halves of a block."""
    return add_mlp(block, add_attention(block, x, layout))


def add_attention(block: nn.Module, x: Tokens, layout: Layout) -> Tokens:
    """x plus the multi-head attention within each sequence."""
    attn, norm, out = block.attn, block.ln_1, block.attn.out_proj
    if layout.length <= SHORT and _by_hand(x, block.ls_1):
        return _Attention.apply(
            x, norm.weight, norm.bias, attn.in_proj_weight, attn.in_proj_bias, out.weight, out.bias,
            norm.eps, attn.num_heads, layout,
        )  # fmt: skip
    qkv = linear(norm(x), attn.in_proj_weight, attn.in_proj_bias)
    if layout.node is not None:
        qkv = rows(qkv, layout.node)
    attended = _attend(qkv.view(layout.n, layout.length, -1), attn.num_heads, layout.causal).flatten(0, 1)
    return add_attended(block, x, attended if layout.place is None else rows(attended, layout.place))


def add_attended(block: nn.Module, x: Tokens, attended: Tokens) -> Tokens:
    """x plus the output projection of what was attended to."""
    out = block.attn.out_proj
    return x + block.ls_1(linear(attended, out.weight, out.bias))


def add_mlp(block: nn.Module, x: Tokens) -> Tokens:
    """x plus the block's MLP of each token."""
    if type(block.mlp) is not nn.Sequential:
        return x + block.ls_2(block.mlp(block.ln_2(x)))
    norm, (first, activation, last) = block.ln_2, block.mlp
    exact = type(activation) is nn.GELU and activation.approximate == "none"
    if (exact or type(activation) is QuickGELU) and _by_hand(x, block.ls_2):
        function = _GELU if exact else _QuickGELU
        return _MLP.apply(
            x, norm.weight, norm.bias, first.weight, first.bias, last.weight, last.bias, norm.eps, function
        )
    hidden = activation(linear(norm(x), first.weight, first.bias))
    return x + block.ls_2(linear(hidden, last.weight, last.bias))


def _by_hand(x: Tensor, scale: nn.Module) -> bool:
    """Whether the form with a backward pass by hand fits; torch.func transforms take the plain one."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or type(scale) is not nn.Identity:
        return False
    return not torch.is_autocast_enabled("cpu") and not torch._C._are_functorch_transforms_active()


def rows(x: Float[Tensor, "u w"], index: Int64[Tensor, "*i"]) -> Float[Tensor, "*i w"]:
    """x[index]; as an embedding its gradient adds up in a fixed order, whatever the number of threads."""
    return F.embedding(index, x)


# One query


def attend_once(
    attn: nn.MultiheadAttention, x: Float[Tensor, "n w"], h: Float[Tensor, "n l w"], seen: Bool[Tensor, "n l"] | None
) -> Float[Tensor, "n w"]:
    """Attention of one query per sequence, projected from x, to the tokens h, before the output projection.

    No keys and values are made: with k = W_k h + b_k the score q . k is (W_k^t q) . h plus q . b_k, the same for all
    tokens, which a softmax does not see; and the weighted mean of the values is that of h, times W_v, plus b_v.
    """
    n, w, heads = *x.shape, attn.num_heads
    W_q, W_k, W_v = attn.in_proj_weight.view(3, w, w)
    b_q, _, b_v = attn.in_proj_bias.view(3, w)
    q = linear(x, W_q, b_q).view(n, heads, -1).transpose(0, 1)
    at = torch.bmm(q, W_k.view(heads, -1, w)).transpose(0, 1)
    scores = torch.bmm(at, h.transpose(1, 2)) * q.shape[-1] ** -0.5
    if seen is not None:
        scores = scores.masked_fill(~seen[:, None], -torch.inf)
    mean = torch.bmm(scores.softmax(dim=-1), h)
    values = torch.bmm(mean.transpose(0, 1), W_v.view(heads, -1, w).transpose(1, 2))
    return values.transpose(0, 1).reshape(n, w) + b_v


# Attention


def _attend(qkv: Float[Tensor, "n l w3"], heads: int, causal: bool) -> Float[Tensor, "n l w"]:
    """Multi-head attention of projected queries, keys and values, before the output projection."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in qkv.chunk(3, dim=-1))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)


class _Attention(torch.autograd.Function):
    """x + out(attention(LN(x)))."""

    @staticmethod
    def forward(ctx, x, g, b, W, b_W, W_out, b_out, eps, heads, layout):
        h, mean, rstd = torch.native_layer_norm(x, g.shape, g, b, eps)
        qkv = linear(h, W, b_W)
        if layout.node is not None:
            qkv = qkv.index_select(0, layout.node)
        qkv = _split_heads(qkv, 3, heads, layout)
        P = _weights(*qkv[:2], layout.causal)
        attended = _join_heads(torch.bmm(P, qkv[2])[None], heads, layout)
        if layout.place is not None:
            attended = attended.index_select(0, layout.place)
        ctx.save_for_backward(x, g, b, W, W_out, mean, rstd, qkv, P, attended)
        ctx.eps, ctx.heads, ctx.layout = eps, heads, layout
        return linear(attended, W_out, b_out, add=x)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        x, g, b, W, W_out, mean, rstd, qkv, P, attended = ctx.saved_tensors
        dy, needs, layout = dy.contiguous(), ctx.needs_input_grad, ctx.layout
        dW_out, db_out = _of_weights(dy, attended, needs[5])
        if not any(needs[:5]):
            return *[None] * 5, dW_out, db_out, None, None, None
        do = multiply(dy, W_out)
        if layout.place is not None:
            do = do.new_zeros(layout.n * layout.length, do.shape[1]).index_copy_(0, layout.place, do)
        dqkv = _join_heads(_through_attention(_split_heads(do, 1, ctx.heads, layout)[0], qkv, P), ctx.heads, layout)
        if layout.node is not None:
            dqkv = torch.ops.aten.embedding_dense_backward(dqkv, layout.node, len(x), -1, False)
        dW, db_W = (None, None)
        if needs[3]:
            dW, db_W = _of_weights(dqkv, torch.native_layer_norm(x, g.shape, g, b, ctx.eps)[0], True)
        dx, dg, db = _through_norm(multiply(dqkv, W), x, g, b, mean, rstd, needs)
        return dx.add_(dy), dg, db, dW, db_W, dW_out, db_out, None, None, None


def _split_heads(x: Float[Tensor, "nl kw"], k: int, heads: int, layout: Layout) -> Float[Tensor, "k nh l d"]:
    """k tables side by side as batches of heads."""
    x = x.view(layout.n, layout.length, k, heads, -1).permute(2, 0, 3, 1, 4)
    return x.reshape(k, layout.n * heads, layout.length, -1)


def _join_heads(x: Float[Tensor, "k nh l d"], heads: int, layout: Layout) -> Float[Tensor, "nl kw"]:
    """The reverse."""
    x = x.view(len(x), layout.n, heads, layout.length, -1).permute(1, 3, 0, 2, 4)
    return x.reshape(layout.n * layout.length, -1)


def _weights(q: Float[Tensor, "nh l d"], k: Float[Tensor, "nh l d"], causal: bool) -> Float[Tensor, "nh l l"]:
    """P = softmax(q k^t / sqrt(d)); causal: a token does not see what comes after it."""
    length = q.shape[1]
    hidden = q.new_full((length, length), -torch.inf).triu(1) if causal else q.new_zeros(())
    return torch.baddbmm(hidden, q, k.transpose(1, 2), beta=int(causal), alpha=q.shape[-1] ** -0.5).softmax(dim=-1)


def _through_attention(
    do: Float[Tensor, "nh l d"], qkv: Float[Tensor, "3 nh l d"], P: Float[Tensor, "nh l l"]
) -> Float[Tensor, "3 nh l d"]:
    """The gradient of queries, keys and values from that of P v."""
    (q, k, v), dqkv, scale = qkv, torch.empty_like(qkv), qkv.shape[-1] ** -0.5
    torch.bmm(P.transpose(1, 2), do, out=dqkv[2])
    dS = torch._softmax_backward_data(torch.bmm(do, v.transpose(1, 2)), P, -1, P.dtype)
    torch.baddbmm(dqkv[0], dS, k, beta=0, alpha=scale, out=dqkv[0])
    torch.baddbmm(dqkv[1], dS.transpose(1, 2), q, beta=0, alpha=scale, out=dqkv[1])
    return dqkv


# MLP


class _GELU:
    """x Phi(x), exact."""

    @staticmethod
    def value(x: Tensor, out: Tensor) -> Tensor:
        return torch.ops.aten.gelu.out(x, out=out)

    @staticmethod
    def through(dy: Tensor, x: Tensor) -> Tensor:
        """dy times the derivative at x, in the place of dy."""
        return torch.ops.aten.gelu_backward.grad_input(dy, x, grad_input=dy)


class _QuickGELU:
    """x s with s = sigmoid(1.702 x); its derivative is s + 1.702 x s (1 - s)."""

    @staticmethod
    def value(x: Tensor, out: Tensor) -> Tensor:
        s = torch.sigmoid(QUICK * x)
        return torch.mul(x, s, out=out)

    @staticmethod
    def through(dy: Tensor, x: Tensor) -> Tensor:
        s = torch.sigmoid(QUICK * x)
        slope = torch.mul(x, s).mul_(QUICK)
        return dy.mul_(slope.addcmul_(slope, s, value=-1).add_(s))


class _MLP(torch.autograd.Function):
    """x + W_2 f(W_1 LN(x) + b_1) + b_2."""

    @staticmethod
    def forward(ctx, x, g, b, W_1, b_1, W_2, b_2, eps, f):
        h, mean, rstd = torch.native_layer_norm(x, g.shape, g, b, eps)
        u = linear(h, W_1, b_1)
        hidden = f.value(u, out=torch.empty_like(u) if any(ctx.needs_input_grad) else u)
        ctx.save_for_backward(x, g, b, W_1, W_2, mean, rstd, u, hidden)
        ctx.eps, ctx.f = eps, f
        return linear(hidden, W_2, b_2, add=x)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        x, g, b, W_1, W_2, mean, rstd, u, hidden = ctx.saved_tensors
        dy, needs, dW_1, db_1 = dy.contiguous(), ctx.needs_input_grad, None, None
        dW_2, db_2 = _of_weights(dy, hidden, needs[5])
        du = ctx.f.through(multiply(dy, W_2), u)
        if needs[3]:
            dW_1, db_1 = _of_weights(du, torch.native_layer_norm(x, g.shape, g, b, ctx.eps)[0], True)
        dx, dg, db = _through_norm(multiply(du, W_1), x, g, b, mean, rstd, needs)
        return dx.add_(dy), dg, db, dW_1, db_1, dW_2, db_2, None, None


def _of_weights(dy: Float[Tensor, "u n"], x: Float[Tensor, "u k"], needed: bool) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of W and b from that of x W^t + b."""
    return (multiply(dy.T, x), dy.sum(0)) if needed else (None, None)


def _through_norm(
    dh: Tokens, x: Tokens, g: Tensor, b: Tensor, mean: Tensor, rstd: Tensor, needs: tuple[bool, ...]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The gradients of x, g and b from that of LayerNorm's output."""
    return torch.ops.aten.native_layer_norm_backward(dh, x, g.shape, mean, rstd, g, b, [True, *needs[1:3]])
