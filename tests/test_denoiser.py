"""A denoiser without repeated work: the same pictures, fewer products."""

import copy

import fixtures_diffusion
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from gift_lib.generation.denoiser import TextOnce, quicken
from gift_lib.speed import products


@pytest.fixture
def pipelines():
    """The tiny pipeline as it comes, and quickened."""
    plain = fixtures_diffusion.pipeline()
    quick = copy.deepcopy(plain)
    quicken(quick)
    return plain, quick


def draw(pipeline, prompts, steps=4):
    generators = [torch.Generator().manual_seed(i) for i in range(len(prompts))]
    with torch.inference_mode():
        return pipeline(prompts, num_inference_steps=steps, generator=generators, output_type="pt").images


@pytest.mark.parametrize("library", ["torch", "onednn"])
def test_pictures_are_the_plain_ones_call_after_call(pipelines, library, monkeypatch):
    if library == "onednn" and not products.has_onednn():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(products, "LARGE", 1)
    plain, quick = pipelines
    with products.use(library):
        for prompts in (["a cat", "a dog"], ["a red barn", "x"], ["a cat"]):  # another text is not taken for the last
            torch.testing.assert_close(draw(quick, prompts), draw(plain, prompts), rtol=1e-4, atol=1e-4)


def test_keys_and_values_of_a_text_are_made_once_per_call(pipelines, monkeypatch):
    _, quick = pipelines
    cross = [m for n, m in quick.unet.named_modules() if n.endswith("attn2")]
    assert cross and all(isinstance(m.processor, TextOnce) for m in cross)
    asked = []
    honest = TextOnce._of_text

    def of_text(self, attn, text):
        asked.append(text is self.text)
        return honest(self, attn, text)

    monkeypatch.setattr(TextOnce, "_of_text", of_text)
    draw(quick, ["a cat"], steps=5)
    assert len(asked) == 6 * len(cross) and asked.count(False) == len(cross)  # PNDM looks at the first step twice


def test_an_attention_of_another_kind_keeps_its_own(monkeypatch):
    pipeline = fixtures_diffusion.pipeline()
    normed = next(m for n, m in pipeline.unet.named_modules() if n.endswith("attn1"))
    normed.norm_q = torch.nn.Identity()
    quicken(pipeline)
    assert isinstance(normed.processor, AttnProcessor2_0)
    assert any(isinstance(p, TextOnce) for p in pipeline.unet.attn_processors.values())
