"""The one place that multiplies: both libraries give float32's accuracy, and the choice follows the processor."""

import re
from pathlib import Path

import pytest
import torch

import gift_lib
from gift_lib import results
from gift_lib.errors import ConfigError
from gift_lib.generation.pipeline import processor
from gift_lib.speed import products
from gift_lib.speed.products import linear, multiply

#: Rows, inputs, outputs: uneven, below and above the size from which oneDNN is asked.
SHAPES = [(3, 5, 7), (33, 17, 1), (1, 129, 65), (545, 129, 513), (130, 515, 67)]

needs_onednn = pytest.mark.skipif(not products.has_onednn(), reason="this torch has no oneDNN")


@pytest.fixture(params=["torch", pytest.param("onednn", marks=needs_onednn)])
def library(request, monkeypatch):
    """Both libraries, the second for products of any size."""
    monkeypatch.setattr(products, "LARGE", 1)
    with products.use(request.param):
        yield request.param


def arguments(m, k, n, dtype=torch.float32):
    g = torch.Generator().manual_seed(m)
    x, W, b, add = (torch.randn(*s, generator=g, dtype=torch.float64) for s in ((m, k), (n, k), (n,), (m, n)))
    return [t.to(dtype).requires_grad_() for t in (x, W, b, add)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parts", ["all", "no add", "no bias", "product alone"])
def test_values_and_gradients_have_the_accuracy_of_float32(shape, parts, library):
    def outcome(dtype):
        x, W, b, add = arguments(*shape, dtype)
        b, add = (b if parts in ("all", "no add") else None), (add if parts in ("all", "no bias") else None)
        y = linear(x, W, b, add)
        (y * torch.linspace(-1, 1, y.numel(), dtype=dtype).view_as(y)).sum().backward()
        return [y.detach(), *(t.grad for t in (x, W, b, add) if t is not None)]

    for got, exact in zip(outcome(torch.float32), outcome(torch.float64), strict=True):
        scale = float(exact.abs().max()) + 1e-6
        assert float((got.double() - exact).abs().max()) < 1e-4 * scale  # bf16 would miss by 1e-2


@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_of_two_matrices(shape, library):
    x, W, *_ = arguments(*shape)
    torch.testing.assert_close(multiply(x, W.T), x @ W.T, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(multiply(x.T, x), x.T @ x, rtol=1e-5, atol=1e-4)  # a matrix that is not contiguous


def test_more_rows_than_a_table_and_second_derivatives(library):
    x, W, b = (torch.randn(*s, dtype=torch.float32, requires_grad=True) for s in ((2, 3, 5), (7, 5), (7,)))
    torch.testing.assert_close(linear(x, W, b), torch.nn.functional.linear(x, W, b))
    first = torch.autograd.grad(linear(x, W, b).pow(3).sum(), x, create_graph=True)[0]
    second = torch.autograd.grad(first.sum(), W)[0]
    plain = torch.autograd.grad(torch.nn.functional.linear(x, W, b).pow(3).sum(), x, create_graph=True)[0]
    torch.testing.assert_close(second, torch.autograd.grad(plain.sum(), W)[0], rtol=1e-4, atol=1e-4)


def test_nothing_is_differentiated_without_need(library):
    x, W, b, add = (t.detach() for t in arguments(9, 5, 4))
    with torch.no_grad():
        torch.testing.assert_close(linear(x, W, b, add), add + x @ W.T + b)
    assert torch.equal(add, arguments(9, 5, 4)[3])  # what is added to is not written to
    W.requires_grad_()
    linear(x, W, b).sum().backward()
    assert x.grad is None and b.grad is None and W.grad is not None


PROCESSORS = {
    ("AVX512", "AuthenticAMD"): "onednn", ("AVX2", "AuthenticAMD"): "torch", ("AVX512", "GenuineIntel"): "torch",
    ("DEFAULT", ""): "torch",
}  # fmt: skip


@needs_onednn
@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_library_follows_the_processor(processor, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor[0])
    monkeypatch.setattr(products, "_vendor", lambda: processor[1])
    assert products.library.__wrapped__() == PROCESSORS[processor]


@needs_onednn
def test_only_large_float32_products_on_a_cpu_go_to_onednn(monkeypatch):
    called = []
    plain = products._Linear.apply
    monkeypatch.setattr(products._Linear, "apply", lambda *a: called.append(a[0].shape) or plain(*a))
    x, W = torch.randn(256, 128), torch.randn(128, 128)
    linear(x, W)
    with products.use("onednn"):
        linear(x.double(), W.double())
        linear(x[:8], W)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert linear(x, W).dtype == torch.bfloat16
        assert not called
        linear(x, W)
    assert called == [x.shape] and products.chosen() == products.library()


def test_a_library_that_is_not_there_is_one_clear_error():
    with pytest.raises(ConfigError, match="onednn"), products.use("onedn"):
        pass


def test_no_setting_rounds_and_nothing_else_multiplies_by_a_layers_weights():
    sources = {p: p.read_text(encoding="utf-8") for p in Path(gift_lib.__file__).parent.rglob("*.py")}
    for words in (r"fp32_precision\s*=", r"set_float32_matmul_precision", r"allow_tf32\s*="):
        assert not [p for p, text in sources.items() if re.search(words, text)]
    for words in (r"F\.linear\(", r"torch\.addmm", r"_linear_pointwise"):
        assert {p.name for p, text in sources.items() if re.search(words, text)} <= {"products.py"}


@needs_onednn
def test_the_library_is_part_of_the_kind_of_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with products.use("torch"):
        assert products.kind() == "AVX512" and processor("cpu") == "cpu AVX512"
    with products.use("onednn"):
        assert results.environment("cpu")["cpu_capability"] == "AVX512, onednn"
        assert processor("cpu") == "cpu AVX512, onednn"
