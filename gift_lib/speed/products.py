"""Which library multiplies matrices: the one place that chooses, by processor and shape.

torch's wheels hand float32 products on x86 to MKL. On AMD processors MKL leaves AVX-512 unused; oneDNN, in the same
wheel, uses it and is some 2.4 times as fast on a layer of 544 x 128 x 512. Where MKL does use what the processor has
(Intel, AMD with AVX2) it is as fast or faster, and for small products always: a call of oneDNN costs some 25 us more.
Hence the rule, and no measurement at start-up: the same kind of machine must give the same bytes.

Either way a product in float32 stays one: oneDNN is called for float32 tensors under its default ("ieee") arithmetic,
and nothing here touches `torch.backends.mkldnn.matmul.fp32_precision`, which means bf16 on processors that have AMX.
GPUs, other precisions and machines without oneDNN multiply as torch does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gift_lib.errors import ConfigError, nearest

#: Multiply-adds from which a call of oneDNN is worth its overhead: 25 us at the 105 and 240 GFLOP/s measured on Zen 5.
LARGE = 2**21
KINDS = ("torch", "onednn")

_forced: list[str] = []


@cache
def library() -> str:
    """The library for large float32 products on this processor: "onednn" or "torch" (whatever torch takes)."""
    fits = torch.backends.cpu.get_cpu_capability() == "AVX512" and _vendor() == "AuthenticAMD"
    return "onednn" if fits and has_onednn() else "torch"


def chosen() -> str:
    """`library()`, or what `use` says at the moment."""
    return _forced[-1] if _forced else library()


def kind() -> str:
    """The kind of CPU as far as it decides how float32 is rounded, e.g. "AVX2" or "AVX512, onednn"."""
    capability = torch.backends.cpu.get_cpu_capability()
    return capability if chosen() == "torch" else f"{capability}, {chosen()}"


@contextmanager
def use(kind: str) -> Iterator[None]:
    """Within: large float32 products go to this library, whatever the processor (tests, benchmarks)."""
    if kind not in KINDS or (kind == "onednn" and not has_onednn()):
        raise ConfigError(f"no library {kind!r} multiplies here; {nearest(kind, KINDS)}")
    _forced.append(kind)
    try:
        yield
    finally:
        _forced.pop()


@cache
def has_onednn() -> bool:
    """Whether this torch was built with oneDNN and its fused linear layer."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _vendor() -> str:
    """The x86 vendor that Linux tells, or "": elsewhere torch's choice is kept."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), "")


def linear(
    x: Float[Tensor, "*b k"],
    W: Float[Tensor, "n k"],
    b: Float[Tensor, " n"] | None = None,
    add: Float[Tensor, "*b n"] | None = None,
) -> Float[Tensor, "*b n"]:
    """x W^t + b + add, differentiable as often as wanted."""
    if _goes_to_onednn(x, W):
        return _Linear.apply(x, W, b, add)
    if add is not None and b is not None and x.dim() == 2 and not torch.is_grad_enabled():
        return (add + b).addmm_(x, W.T)  # the product adds to what is there: one pass less
    y = F.linear(x, W, b)
    return y if add is None else add + y


def multiply(a: Float[Tensor, "m k"], b: Float[Tensor, "k n"]) -> Float[Tensor, "m n"]:
    """The product of two matrices."""
    return linear(a, b.T)


def _goes_to_onednn(x: Tensor, W: Tensor) -> bool:
    if chosen() != "onednn" or x.numel() * len(W) < LARGE or x.device.type != "cpu":
        return False
    return x.dtype == W.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


class _Linear(torch.autograd.Function):
    """`linear` through oneDNN, the two products of its backward pass too (they have as many multiply-adds)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, W, b, add):
        if add is None:
            return torch.ops.mkldnn._linear_pointwise(x.contiguous(), W, b, "none", [], "")
        return torch.ops.mkldnn._linear_pointwise.binary(x.contiguous(), add.contiguous(), W, b, "add")

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, W, b, add = inputs
        ctx.save_for_backward(x, W)
        ctx.has = b is not None, add is not None

    @staticmethod
    def backward(ctx, dy):
        x, W = ctx.saved_tensors
        needs_x, needs_W, needs_b, needs_add = ctx.needs_input_grad
        rows = dy.reshape(-1, len(W))
        dx = linear(dy, W.T) if needs_x else None
        dW = linear(rows.T, x.reshape(-1, x.shape[-1]).T) if needs_W else None
        return dx, dW, rows.sum(0) if needs_b and ctx.has[0] else None, dy if needs_add and ctx.has[1] else None
