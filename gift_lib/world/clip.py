"""Pre-train the small CLIP on noisy web pairs, with the CLIP loss."""

from pathlib import Path

import open_clip
import torch
from jaxtyping import Float, Int64, UInt8
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer

from gift_lib.data.transforms import CLIP_MEAN, CLIP_STD, Preprocess
from gift_lib.files import atomic_write, write_json
from gift_lib.world import tokenizer as texts
from gift_lib.world.loop import Loss, Plan, Run
from gift_lib.world.pictures import Pairs, tokens
from gift_lib.world.settings import SIZE, clip_config

#: The logit scale is at most 100, as in CLIP.
MAX_LOGIT_SCALE = 4.6052


def build(vocab_size: int, seed: int) -> open_clip.CLIP:
    """A new small CLIP with weights drawn from `seed`."""
    config = clip_config(vocab_size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"], quick_gelu=False)


def clip_loss(images: Float[Tensor, "b d"], texts: Float[Tensor, "b d"], scale: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean of the cross-entropies over rows and columns of the similarity matrix; pairs are on its diagonal."""
    logits = scale * images @ texts.T
    target = torch.arange(len(images), device=images.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def loss_of(model: open_clip.CLIP, pixels: UInt8[Tensor, "n 3 h w"], ids: Int64[Tensor, "n l"], batch: int) -> Loss:
    """The loss of a step on pairs drawn with replacement, each under a small random crop."""
    preprocess, device = Preprocess(SIZE), model.logit_scale.device

    def loss(step: int, generator: torch.Generator) -> Tensor:
        index = torch.randint(len(pixels), (batch,), generator=generator)
        images = preprocess.train(pixels[index], generator).to(device)
        with torch.no_grad():
            model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
        return clip_loss(
            model.encode_image(images, normalize=True),
            encode_text(model, ids[index].to(device)),
            model.logit_scale.exp(),
        )

    return loss


def encode_text(model: open_clip.CLIP, ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b d"]:
    """Normalised text embeddings, run no further than the longest text (exact: the tower is causal)."""
    length = int(ids.argmax(dim=1).max()) + 1
    ids = ids[:, :length]
    x = model.token_embedding(ids) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x[torch.arange(len(ids)), ids.argmax(dim=1)] @ model.text_projection
    return F.normalize(x, dim=-1)


def train(plan: Plan, pairs: Pairs, tokenizer: CLIPTokenizer, folder: str | Path, device: str = "cpu") -> Run:
    """Pre-train a small CLIP; goes on where an interrupted run stopped."""
    run = Run(plan, build(len(tokenizer), plan.seed), folder, device)
    run.fit(loss_of(run.model, pairs.pixels, tokens(tokenizer, pairs.captions), plan.batch))
    run.apply()
    return run


def save(model: open_clip.CLIP, tokenizer: CLIPTokenizer, folder: str | Path) -> None:
    """Write the folder that open_clip loads as `local-dir:`, weights in fp16."""
    preprocess = {"size": SIZE, "mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic"}
    config = {"model_cfg": clip_config(len(tokenizer)), "preprocess_cfg": preprocess}
    write_json(Path(folder) / "open_clip_config.json", config)
    weights = {n: v.half().contiguous() for n, v in model.state_dict().items()}
    with atomic_write(Path(folder) / "open_clip_model.safetensors") as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    texts.save(tokenizer, folder)


def load(folder: str | Path) -> open_clip.CLIP:
    """The saved model in fp32, through open_clip's own loader."""
    return open_clip.create_model(f"local-dir:{folder}", precision="fp32").eval()
