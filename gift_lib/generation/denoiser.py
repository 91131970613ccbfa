"""What a pipeline need not do twice on a CPU: exact savings in its denoiser, and weights as convolutions want them."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gift_lib.speed.products import linear


class TextOnce:
    """diffusers' attention, but keys and values of a text are made once per call of the pipeline, not at every step.

    The pipeline hands the same tensor of text embeddings to the denoiser at all steps of a call.
    """

    def __init__(self):
        self.text: Tensor | None = None
        self.made: tuple[Tensor, Tensor] | None = None

    def __call__(
        self, attn: nn.Module, hidden_states: Float[Tensor, "b l w"],
        encoder_hidden_states: Float[Tensor, "b t e"] | None = None, attention_mask: None = None, temb: Any = None,
    ) -> Float[Tensor, "b l w"]:  # fmt: skip
        q = _through(attn.to_q, hidden_states)
        if encoder_hidden_states is None:
            k, v = _through(attn.to_k, hidden_states), _through(attn.to_v, hidden_states)
        else:
            k, v = self._of_text(attn, encoder_hidden_states)
        q, k, v = (t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in (q, k, v))
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return _through(attn.to_out[0], attended)

    def _of_text(self, attn: nn.Module, text: Float[Tensor, "b t e"]) -> tuple[Tensor, Tensor]:
        if text is not self.text:
            self.text, self.made = text, (_through(attn.to_k, text), _through(attn.to_v, text))
        return self.made


def _through(layer: nn.Linear, x: Tensor) -> Tensor:
    return linear(x, layer.weight, layer.bias)


def quicken(pipeline: Any) -> None:
    """Make a pipeline that is to draw on a CPU faster, with the same pictures up to rounding."""
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.to(memory_format=torch.channels_last)
    unet = getattr(pipeline, "unet", None)
    if unet is not None and hasattr(unet, "attn_processors"):
        modules = dict(unet.named_modules())
        processors = unet.attn_processors
        plain = [n for n, p in processors.items() if _plain(modules[n.rpartition(".")[0]], p)]
        unet.set_attn_processor(processors | {n: TextOnce() for n in plain})


def _plain(attn: nn.Module, processor: Any) -> bool:
    """Whether an attention is what `TextOnce` does: diffusers' own, of tokens, without norms, masks or residual."""
    from diffusers.models.attention_processor import Attention, AttnProcessor2_0

    if type(attn) is not Attention or type(processor) is not AttnProcessor2_0 or type(attn.to_q) is not nn.Linear:
        return False
    none = ("spatial_norm", "group_norm", "norm_q", "norm_k", "norm_cross")
    plain = not any(getattr(attn, n, None) for n in none) and not attn.residual_connection
    return plain and attn.rescale_output_factor == 1 and attn.to_out[1].p == 0
