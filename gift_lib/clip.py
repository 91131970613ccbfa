"""CLIP through open_clip: load, encode, save. The encoders skip work that cannot reach the result.

Three exact savings over open_clip's own `encode_image` and `encode_text` (values and gradients are
those of the full towers up to rounding; the tests prove it):

- Texts: the tower is causal and pools at the end token, so a token's state depends on its prefix
  alone. Tokens with equal prefixes are computed once (`PrefixTree`): padding, repeated prompts and
  the "a photo of a" that all class prompts share cost nothing.
- In the last block only the pooled token needs its query, projection and MLP.
- A classifier's weights are computed once per task and model.

They hold for open_clip's own ViT and text towers. Towers of another make, and blocks whose MLP was
replaced by a module that looks beyond one token, run through open_clip's own code (logged once).
A replacement that treats each token alone declares it with the attribute `token_wise = True`.
"""

import copy
import difflib
import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gift_lib.data.transforms import CLIP_MEAN, CLIP_STD, Preprocess
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.files import atomic_write, digest, file_digest, make_folder, read_json, write_json
from gift_lib.tasks import Task, fill

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Clip:
    """A CLIP with what belongs to it. `config` is open_clip's model config; `digest` names the weights."""

    model: nn.Module
    tokenize: Callable[[list[str]], Int64[Tensor, "n l"]]
    preprocess: Preprocess
    name: str
    digest: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    precision: str = "fp32"

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def scale(self) -> Float[Tensor, ""]:
        """exp(logit_scale), without gradient: it is never trained."""
        return self.model.logit_scale.detach().exp().reshape(())

    def autocast(self) -> torch.autocast:
        """Mixed precision as `precision` asks for; fp32 weights and embeddings stay fp32."""
        kinds = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
        kind = kinds[self.precision]
        return torch.autocast(self.device.type, dtype=kind or torch.bfloat16, enabled=kind is not None)

    def trained(self) -> dict[str, nn.Parameter]:
        """The weights that fine-tuning changes: all but logit_scale, by name, in the model's order."""
        return {n: p for n, p in self.model.named_parameters() if n not in ("logit_scale", "logit_bias")}

    def encode_prompts(self, prompts: list[str]) -> Float[Tensor, "n d"]:
        """L2-normalised text embeddings of prompts."""
        return encode_texts(self.model, self.tokenize(prompts))


def clone(clip: Clip) -> Clip:
    """A frozen copy in eval mode: the teacher."""
    model = copy.deepcopy(clip.model).eval().requires_grad_(False)
    model.zero_grad(set_to_none=True)
    return Clip(model, clip.tokenize, clip.preprocess, clip.name, clip.digest, clip.config, clip.precision)


def gradient_checkpointing(model: nn.Module, on: bool = True) -> None:
    """Recompute each block's activations in the backward pass: same gradients, less memory, more time."""
    model.set_grad_checkpointing(on)


@torch.no_grad()
def classifier(clip: Clip, task: Task, batch_size: int = 1024) -> Float[Tensor, "c d"]:
    """One L2-normalised row per class: the mean of the text embeddings over all templates, renormalised."""
    prompts = [fill(t, c) for c in task.classes for t in task.templates]
    tokens = clip.tokenize(prompts)
    with clip.autocast():
        texts = torch.cat([encode_texts(clip.model, part) for part in tokens.split(batch_size)])
    return F.normalize(texts.view(len(task.classes), len(task.templates), -1).mean(dim=1), dim=-1)


# --- Images -----------------------------------------------------------------------------------------------------------


def encode_images(model: nn.Module, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b d"]:
    """L2-normalised image embeddings, float32 under autocast too."""
    if len(x) == 0:
        raise DataError("encode_images was given no image: give at least one.")
    visual = model.visual
    if not fast_images(visual):
        _note(f"image tower {type(visual).__name__}")
        return F.normalize(visual(x).float(), dim=-1)
    tokens = visual._embeds(x)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = _run(visual.transformer, block, tokens)
    pooled = visual.ln_post(_run(visual.transformer, _last_image_block, last, tokens))
    return F.normalize((pooled if visual.proj is None else pooled @ visual.proj).float(), dim=-1)


def patch_tokens(model: nn.Module, x: Float[Tensor, "b 3 s s"], blocks: int) -> Float[Tensor, "b p w"]:
    """The patches' states (without the class token) after the first blocks of open_clip's own image tower."""
    visual = model.visual
    if type(visual) is not VisionTransformer:
        raise ConfigError(f"{type(visual).__name__} has no patch tokens to read: use open_clip's own ViT.")
    tokens = visual._embeds(x)
    for block in visual.transformer.resblocks[:blocks]:
        tokens = block(tokens)
    return tokens[:, 1:]


def _last_image_block(block: nn.Module, x: Float[Tensor, "b l w"]) -> Float[Tensor, "b w"]:
    """The class token (position 0) after the block: its query against the keys of all tokens."""
    w = x.shape[-1]
    attn, h = block.attn, block.ln_1(x)
    q = F.linear(h[:, :1], attn.in_proj_weight[:w], attn.in_proj_bias[:w])
    k, v = F.linear(h, attn.in_proj_weight[w:], attn.in_proj_bias[w:]).chunk(2, dim=-1)
    return _rest_of_block(block, x[:, 0], _attend(attn, q, k, v)[:, 0])


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
    length = length[first]
    node, parent, count = np.zeros_like(unique), np.zeros(len(unique), np.int64), 0
    for t in range(unique.shape[1]):
        live = t < length
        _, branch = np.unique(np.stack([parent[live], unique[live, t]]), axis=1, return_inverse=True)
        parent[live] = count + branch.reshape(-1)
        node[:, t], count = parent, parent.max() + 1
    live = (np.arange(unique.shape[1]) < length[:, None]).reshape(-1)
    place = np.flatnonzero(live)[np.unique(node.reshape(-1)[live], return_index=True)[1]]
    arrays = (unique.reshape(-1)[place], place % unique.shape[1], node, place, length - 1, prompt.reshape(-1))
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
        pooled = projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection
    return F.normalize(pooled.float(), dim=-1)


def _tree_states(model: nn.Module, tokens: Int64[Tensor, "m c"]) -> Float[Tensor, "m w"]:
    """The final state of each prompt's end token, one computation per distinct prefix."""
    tree = prefix_tree(tokens).to(model.positional_embedding.device)
    x = model.token_embedding(tree.token) + _rows(model.positional_embedding, tree.position)
    *blocks, last = model.transformer.resblocks
    for block in blocks:
        x = _run(model.transformer, _text_block, block, x, tree)
    x = _run(model.transformer, _last_text_block, last, x, tree)
    return _rows(model.ln_final(x), tree.prompt)


def _text_block(block: nn.Module, x: Float[Tensor, "u w"], tree: PrefixTree) -> Float[Tensor, "u w"]:
    """One block for all nodes: token-wise parts run on nodes, attention on prompts laid out again."""
    attn = block.attn
    qkv = F.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias)
    q, k, v = _rows(qkv, tree.node).chunk(3, dim=-1)
    attended = _attend(attn, q, k, v, causal=True).flatten(0, 1)
    return _rest_of_block(block, x, _rows(attended, tree.place))


def _last_text_block(block: nn.Module, x: Float[Tensor, "u w"], tree: PrefixTree) -> Float[Tensor, "n w"]:
    """The last block for the end tokens only: their queries against the keys of their own prompts."""
    attn, w, h = block.attn, x.shape[-1], block.ln_1(x)
    last = tree.node.gather(1, tree.end[:, None])
    q = F.linear(_rows(h, last), attn.in_proj_weight[:w], attn.in_proj_bias[:w])
    kv = F.linear(h, attn.in_proj_weight[w:], attn.in_proj_bias[w:])
    k, v = _rows(kv, tree.node).chunk(2, dim=-1)
    seen = torch.arange(tree.node.shape[1], device=x.device) <= tree.end[:, None]
    attended = _attend(attn, q, k, v, mask=seen[:, None, None])[:, 0]
    return _rest_of_block(block, _rows(x, last[:, 0]), attended)


def _truncated_states(model: nn.Module, tokens: Int64[Tensor, "m c"]) -> Float[Tensor, "m w"]:
    """The same through whole blocks, run only up to the longest prompt: for blocks with a changed MLP."""
    end = tokens.argmax(dim=1)
    length, device = int(end.max()) + 1, model.positional_embedding.device
    x = model.token_embedding(tokens[:, :length].to(device)) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    return model.ln_final(x[torch.arange(len(x), device=device), end.to(device)])


def _rows(x: Float[Tensor, "u w"], index: Int64[Tensor, "*i"]) -> Float[Tensor, "*i w"]:
    """x[index]; as an embedding its gradient adds up in a fixed order, whatever the number of threads."""
    return F.embedding(index, x)


# --- Parts of a block -------------------------------------------------------------------------------------------------


def _attend(
    attn: nn.MultiheadAttention,
    q: Float[Tensor, "n q w"],
    k: Float[Tensor, "n l w"],
    v: Float[Tensor, "n l w"],
    mask: Bool[Tensor, "n 1 1 l"] | None = None,
    causal: bool = False,
) -> Float[Tensor, "n q w"]:
    """Multi-head attention of projected queries, keys and values, before the output projection."""
    q, k, v = (t.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal).transpose(1, 2).flatten(2)


def _rest_of_block(block: nn.Module, x: Float[Tensor, "k w"], attended: Float[Tensor, "k w"]) -> Float[Tensor, "k w"]:
    """Output projection, residual and MLP: token by token."""
    x = x + block.ls_1(block.attn.out_proj(attended))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def _run(transformer: nn.Module, function: Callable, *args: Any) -> Tensor:
    """Call, or recompute in the backward pass where gradient checkpointing is on."""
    if transformer.grad_checkpointing and torch.is_grad_enabled():
        return checkpoint(function, *args, use_reentrant=False)
    return function(*args)


def _open_block(block: nn.Module) -> bool:
    """Whether a block is open_clip's standard one with a token-wise MLP."""
    if type(block) is not ResidualAttentionBlock or hasattr(block, "ln_1_kv"):
        return False
    plain = type(block.attn) is nn.MultiheadAttention and block.attn.in_proj_bias is not None
    return plain and (type(block.mlp) is nn.Sequential or getattr(block.mlp, "token_wise", False))


def fast_images(visual: nn.Module) -> bool:
    """Whether the last-block saving is exact for an image tower."""
    if type(visual) is not VisionTransformer or visual.attn_pool is not None or visual.output_tokens:
        return False
    if not (hasattr(visual, "_embeds") and visual.transformer.batch_first):  # releases before 3.0
        return False
    return visual.pool_type == "tok" and _open_block(visual.transformer.resblocks[-1])


def causal_texts(model: nn.Module) -> bool:
    """Whether the text tower is open_clip's causal one with pooling at the end token."""
    return type(model) is open_clip.CLIP and model.text_pool_type == "argmax" and model.attn_mask is not None


def fast_texts(model: nn.Module) -> bool:
    """Whether computing each distinct prefix once is exact for a text tower."""
    return causal_texts(model) and all(map(_open_block, model.transformer.resblocks))


@functools.cache
def _note(what: str) -> None:
    log.info("%s runs through open_clip's own code, without the savings of gift_lib.clip", what)


# --- Loading and saving -----------------------------------------------------------------------------------------------

WEIGHTS = Path(__file__).parent / "weights" / "mini"
CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"


def load(name: str = "mini", device: str | torch.device = "cpu", precision: str = "fp32") -> Clip:
    """A CLIP by name, in eval mode, weights in float32 (`precision` is that of `Clip.autocast`).

    - "mini", "mini-1", ...: the scale model and its further pre-trainings;
    - a folder with open_clip_config.json, open_clip_model.safetensors and, for a tokenizer of its own,
      tokenizer files in it, in `tokenizer/` or in `../tokenizer/`;
    - "<architecture>/<pretrained>" of open_clip, e.g. "ViT-B-16-quickgelu/openai";
    - "<architecture>/random" or "<architecture>/random-<seed>": open_clip's random start.

    Raises ConfigError for names that do not exist and for the QuickGELU trap, DataError for files that
    are missing, broken or of another shape, and for weights that cannot be fetched.
    """
    if precision not in ("fp32", "bf16", "fp16"):
        raise ConfigError(f"precision cannot be {precision!r}; {nearest(str(precision), ('fp32', 'bf16', 'fp16'))}")
    if name == "mini" or name.removeprefix("mini-").isdigit():
        clip = _load_folder(WEIGHTS / name.replace("mini", "clip", 1), name, "Run `make world` to make it.")
    elif Path(name).is_dir():
        clip = _load_folder(Path(name), name, "Copy the whole folder again.")
    else:
        clip = _load_open_clip(name)
    clip.model.to(device).eval()
    clip.precision = precision
    return clip


def _load_folder(folder: Path, name: str, remedy: str) -> Clip:
    config = read_json(folder / CONFIG_FILE) if folder.is_dir() else None
    if config is None:
        raise DataError(f"the CLIP folder {folder} does not exist. {remedy}")
    if not isinstance(config, dict) or "model_cfg" not in config:
        raise DataError(f"{folder / CONFIG_FILE} has no 'model_cfg'. {remedy}")
    path = folder / WEIGHTS_FILE
    digest, expected = _digest_of(path, remedy), config.get("weights_sha256", "")
    if expected and not expected.startswith(digest):
        raise DataError(f"{path} is not the file that {CONFIG_FILE} describes (SHA-256 {digest}...). {remedy}")
    model = _build(config["model_cfg"], f"{folder / CONFIG_FILE} describes no CLIP that open_clip can build", remedy)
    _fill(model, _read_weights(path, remedy), path, remedy)
    preprocess = _preprocess(model, config.get("preprocess_cfg", {}))
    return Clip(model, _tokenizer(folder, config["model_cfg"]), preprocess, name, digest, config["model_cfg"])


def _digest_of(path: Path, remedy: str) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {remedy}") from error


def _read_weights(path: Path, remedy: str) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is truncated or no safetensors file ({error}). {remedy}") from error


def _build(config: Mapping[str, Any], problem: str, remedy: str) -> nn.Module:
    """An open_clip model with random weights from the current random state."""
    config = {k: v for k, v in copy.deepcopy(dict(config)).items() if k != "custom_text"}
    other = "hf_model_name" in config.get("text_cfg", {}) or "timm_model_name" in config.get("vision_cfg", {})
    try:
        return (open_clip.CustomTextCLIP if other else open_clip.CLIP)(**config)
    except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        raise DataError(f"{problem} ({error}). {remedy}") from error


def _fill(model: nn.Module, weights: Mapping[str, Tensor], path: Path, remedy: str) -> None:
    """Copy weights (any float type) into the model; a DataError that names the first that does not fit."""
    own = model.state_dict()
    wrong = [n for n in own if n not in weights] + [n for n in weights if n not in own]
    wrong += [n for n in own if n in weights and own[n].shape != weights[n].shape]
    if wrong:
        raise DataError(
            f"{path} does not fit {CONFIG_FILE}: {len(wrong)} tensors are missing, unknown or of another shape, "
            f"first {wrong[0]!r}. {remedy}"
        )
    if not all(w.isfinite().all() for w in weights.values()):
        raise DataError(f"{path} holds weights that are not finite. {remedy}")
    model.load_state_dict(weights)


def _preprocess(model: nn.Module, config: Mapping[str, Any]) -> Preprocess:
    size = model.visual.image_size
    size = size if isinstance(size, int) else size[0]
    return Preprocess(size, tuple(config.get("mean", CLIP_MEAN)), tuple(config.get("std", CLIP_STD)))


def _tokenizer(folder: Path | None, config: Mapping[str, Any]) -> Callable[[list[str]], Tensor]:
    """The folder's own tokenizer through open_clip's wrapper, else open_clip's SimpleTokenizer."""
    text = config.get("text_cfg", {})
    length = text.get("context_length", 77)
    own = text.get("hf_tokenizer_name") or text.get("vocab_size", 49408) != 49408
    if folder is None or not own:
        return open_clip.SimpleTokenizer(context_length=length)
    for place in (folder, folder / "tokenizer", folder.parent / "tokenizer"):
        if (place / "tokenizer.json").is_file():
            return open_clip.tokenizer.HFTokenizer(str(place), length, **text.get("tokenizer_kwargs") or {})
    raise DataError(f"{folder} has no tokenizer.json. Put the tokenizer's files into {folder / 'tokenizer'}.")


def _load_open_clip(name: str) -> Clip:
    arch, _, tag = name.partition("/")
    config = open_clip.get_model_config(arch) if arch in open_clip.list_models() else None
    if config is None:
        close = difflib.get_close_matches(arch, [*open_clip.list_models(), "mini"], n=1)
        hint = f"did you mean {close[0]!r}?" if close else "give 'mini', an existing folder or '<arch>/<weights>'."
        raise ConfigError(f"{name!r} is neither a folder nor a CLIP that open_clip knows; {hint}")
    if tag == "random" or tag.removeprefix("random-").isdigit():
        seed = int(tag.removeprefix("random").removeprefix("-") or 0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _build(config, f"open_clip cannot build {arch}", "Choose another architecture.")
        return Clip(model, open_clip.get_tokenizer(arch), _preprocess(model, {}), name, digest([arch, seed]), config)
    known = _pretrained(arch, tag, config)
    path = _fetch(arch, tag, known)
    model = _build(config, f"open_clip cannot build {arch}", "Choose another architecture.")
    open_clip.load_checkpoint(model, str(path), weights_only=True)
    return Clip(model, open_clip.get_tokenizer(arch), _preprocess(model, known), name, file_digest(path), config)


def _pretrained(arch: str, tag: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """open_clip's entry for the tag; a ConfigError where it does not exist or where QuickGELU disagrees."""
    known = open_clip.get_pretrained_cfg(arch, tag)
    if not known:
        tags = ["random", *open_clip.list_pretrained_tags_by_model(arch)]
        raise ConfigError(f"{arch} has no weights {tag!r}; {nearest(tag, tags)}")
    quick = bool(known.get("quick_gelu", False))
    if quick != bool(config.get("quick_gelu", False)):
        right = f"{arch}-quickgelu" if quick else arch.removesuffix("-quickgelu")
        raise ConfigError(
            f"the weights of {arch}/{tag} were trained with{'' if quick else 'out'} QuickGELU and {arch} would run "
            f"them with the other activation, so that every number is silently wrong: use '{right}/{tag}'."
        )
    return known


def _fetch(arch: str, tag: str, known: Mapping[str, Any]) -> Path:
    """The weights' file from open_clip's cache or the network."""
    source = known.get("hf_hub") or known.get("url")
    try:
        return Path(open_clip.download_pretrained(dict(known)))
    except Exception as error:  # whatever the hub client or urllib raise
        raise DataError(
            f"the weights {arch}/{tag} could not be fetched from {source} ({type(error).__name__}). Download "
            f"{WEIGHTS_FILE} and {CONFIG_FILE} from https://huggingface.co/{str(source).strip('/')} on a machine with "
            "a network, put both into one folder and give that folder as the model."
        ) from error


def save_checkpoint(clip: Clip, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a folder that `load` and open_clip ("local-dir:<folder>") both load: the config, which
    carries the weights' SHA-256, goes last.

    Raises DataError where the folder cannot be made or the disk is full.
    """
    folder = make_folder(folder)
    weights = {n: t.detach().to("cpu", dtype).contiguous() for n, t in clip.model.state_dict().items()}
    if hasattr(clip.tokenize, "save_pretrained"):
        clip.tokenize.save_pretrained(folder)
    with atomic_write(folder / WEIGHTS_FILE) as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    preprocess = {"size": clip.preprocess.size, "mean": clip.preprocess.mean, "std": clip.preprocess.std}
    preprocess |= {"mode": "RGB", "interpolation": "bicubic", "resize_mode": "shortest"}
    description = {"model_cfg": dict(clip.config), "preprocess_cfg": preprocess}
    write_json(folder / CONFIG_FILE, description | {"weights_sha256": file_digest(folder / WEIGHTS_FILE, 64)})
    return folder
