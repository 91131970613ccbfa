"""CLIP from a name or a folder, and back into a folder that open_clip reads too."""

import copy
import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gift_lib.clip.model import Clip
from gift_lib.clip.tokenizer import FileTokenizer
from gift_lib.data.transforms import CLIP_MEAN, CLIP_STD, Preprocess
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.files import atomic_write, digest, expanded, file_digest, make_folder, read_json, refuse_code, write_json

WEIGHTS = Path(__file__).parents[1] / "weights" / "mini"
CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"
#: How files end that are pickled.
PICKLED = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
#: What a folder may set of its tokenizer: open_clip's own settings and their types.
TOKENIZER_SETTINGS = {"clean": str, "language": str, "strip_sep_token": bool, "tokenizer_mode": str}
REMEDY = "Use a CLIP with towers of open_clip or timm."


def load(name: str = "mini", device: str | torch.device = "cpu", precision: str = "fp32") -> Clip:
    """A CLIP by name, in eval mode, weights in float32 (`precision` is that of `Clip.autocast`).

    - "mini", "mini-1", ...: the scale model and its further pre-trainings;
    - a folder as open_clip writes it, with open_clip_config.json, open_clip_model.safetensors and, for a
      tokenizer of its own, tokenizer files in it, in `tokenizer/` or in `../tokenizer/`. No code is run that a folder
      brings or names, and no pickle is read;
    - "<architecture>/<pretrained>" of open_clip, e.g. "ViT-B-16-quickgelu/openai";
    - "<architecture>/random" or "<architecture>/random-<seed>": open_clip's random start.

    Raises ConfigError for names that do not exist and for the QuickGELU trap, DataError for files that
    are missing, broken or of another shape, and for weights that cannot be fetched.
    """
    if precision not in ("fp32", "bf16", "fp16"):
        raise ConfigError(f"precision cannot be {precision!r}; {nearest(str(precision), ('fp32', 'bf16', 'fp16'))}")
    folder = _folder(name)
    clip = _load_open_clip(name) if folder is None else _load_folder(folder, name, _remedy(name))
    clip.model.to(device).eval()
    clip.precision = precision
    return clip


def weights_digest(name: str) -> str:
    """The digest that `load` would give the CLIP of that name, without building it. Errors as `load`'s."""
    if (folder := _folder(name)) is not None:
        return _digest_of(_weights_file(folder, _remedy(name)), _remedy(name))
    arch, tag, config = _architecture(name)
    if (seed := _random_seed(tag)) is not None:
        return digest([arch, seed])
    return file_digest(_fetch(arch, tag, _pretrained(arch, tag, config)))


def _is_mini(name: str) -> bool:
    return name == "mini" or name.removeprefix("mini-").isdigit()


def _folder(name: str) -> Path | None:
    """The folder that a name stands for; None where it is one of open_clip's."""
    if _is_mini(name):
        return WEIGHTS / name.replace("mini", "clip", 1)
    path = expanded(name)
    if path.is_file():
        raise DataError(f"{path} is a file, where the folder of a CLIP belongs. {conversion(path) or ''}".rstrip())
    return path if path.is_dir() else None


def _remedy(name: str) -> str:
    return "Run `make world` to make it." if _is_mini(name) else "Copy the whole folder again."


def _load_folder(folder: Path, name: str, remedy: str) -> Clip:
    if not folder.is_dir():
        raise DataError(f"the CLIP folder {folder} does not exist. {remedy}")
    if not (folder / CONFIG_FILE).is_file():
        raise DataError(f"{folder / CONFIG_FILE} does not exist. {conversion(folder) or remedy}")
    config = read_json(folder / CONFIG_FILE)
    if not isinstance(config, dict) or not isinstance(config.get("model_cfg"), dict):
        raise DataError(f"{folder / CONFIG_FILE} has no 'model_cfg'. {remedy}")
    path = _weights_file(folder, remedy)
    digest, expected = _digest_of(path, remedy), config.get("weights_sha256", "")
    if expected and not expected.startswith(digest):
        raise DataError(f"{path} is not the file that {CONFIG_FILE} describes (SHA-256 {digest}...). {remedy}")
    model = _build(config["model_cfg"], f"{folder / CONFIG_FILE} describes no CLIP that open_clip can build", remedy)
    _fill(model, _read_weights(path, remedy), path, remedy)
    preprocess = _preprocess(model, config.get("preprocess_cfg") or {})
    return Clip(model, _tokenizer(folder, config["model_cfg"]), preprocess, name, digest, config["model_cfg"])


def _weights_file(folder: Path, remedy: str) -> Path:
    if folder.is_dir() and not (folder / WEIGHTS_FILE).exists():
        raise DataError(f"{folder / WEIGHTS_FILE} does not exist. {conversion(folder) or remedy}")
    return folder / WEIGHTS_FILE


def conversion(path: Path) -> str:
    """How to make what `load` reads of weights in another form, a folder or a file; "" where there are none."""
    config = path / "config.json"
    told = read_json(config) if config.is_file() else {}
    if isinstance(told, dict) and told.get("model_type") == "clip":
        return f"It holds transformers' CLIPModel: `python -m gift_lib.clip.convert {path} NEW_FOLDER` makes one of it."
    found = sorted(p for p in (path.iterdir() if path.is_dir() else [path]) if p.suffix in PICKLED)
    if not found:
        return ""
    return (
        f"{found[0].name} is pickled, and pickles are never read, since they can run code. Where you trust it, write "
        f"its tensors anew: `safetensors.torch.save_file(torch.load(FILE, weights_only=True), '{WEIGHTS_FILE}')` (of a "
        f"training's checkpoint its 'state_dict'), and put open_clip's {CONFIG_FILE} beside."
    )


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
    """An open_clip model, of the class that open_clip takes, with random weights from the current random state."""
    config = copy.deepcopy(dict(config))
    custom, vision, text = config.pop("custom_text", False), config.get("vision_cfg"), config.get("text_cfg")
    if not isinstance(vision, dict) or not isinstance(text, dict):
        raise DataError(f"{problem} (vision_cfg and text_cfg must be settings by name). {remedy}")
    if "multimodal_cfg" in config:
        raise DataError(f"{problem} for this library: a CoCa has a decoder, which no loss here reaches. {REMEDY}")
    _check_towers(vision, text, problem)
    try:
        return (open_clip.CustomTextCLIP if custom or "hf_model_name" in text else open_clip.CLIP)(**config)
    except Exception as error:  # whatever open_clip, timm and transformers raise
        raise DataError(f"{problem} ({type(error).__name__}: {error}). {remedy}") from error


def _check_towers(vision: dict[str, Any], text: dict[str, Any], problem: str) -> None:
    """DataError for a tower whose code would come from elsewhere; all weights come from the CLIP's own file."""
    if name := vision.get("timm_model_name"):
        import timm

        vision["timm_model_pretrained"] = False
        if not (isinstance(name, str) and timm.is_model(name)):
            raise DataError(f"{problem}: timm has no image tower {name!r}. {REMEDY}")
    if name := text.get("hf_model_name"):
        from transformers import AutoConfig

        text["hf_model_pretrained"] = False
        try:
            AutoConfig.from_pretrained(name, trust_remote_code=False)
        except Exception as error:
            raise DataError(f"{problem}: transformers gives no text tower {name!r} ({error}). {REMEDY}") from error


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
    return Preprocess(size, tuple(config.get("mean") or CLIP_MEAN), tuple(config.get("std") or CLIP_STD))


def _tokenizer(folder: Path | None, config: Mapping[str, Any]) -> Callable[[list[str]], Tensor]:
    """The folder's own tokenizer through open_clip's wrapper, else open_clip's SimpleTokenizer."""
    text = config.get("text_cfg", {})
    length = text.get("context_length", 77)
    own = text.get("hf_tokenizer_name") or text.get("vocab_size", 49408) != 49408
    if folder is None or not own:
        return open_clip.SimpleTokenizer(context_length=length)
    for place in (folder, folder / "tokenizer", folder.parent / "tokenizer"):
        if (place / "tokenizer.json").is_file():
            return _own_tokenizer(place, length, text)
    raise DataError(f"{folder} has no tokenizer.json. Put the tokenizer's files into {folder / 'tokenizer'}.")


def _own_tokenizer(place: Path, length: int, text: Mapping[str, Any]) -> Callable[[list[str]], Tensor]:
    """A folder's tokenizer with open_clip's own settings: all others would go to transformers, which can run code."""
    given = dict(text.get("tokenizer_kwargs") or {})
    if mode := text.get("tokenizer_mode"):
        given["tokenizer_mode"] = mode
    wrong = [k for k, v in given.items() if not isinstance(v, TOKENIZER_SETTINGS.get(k, ()))]
    if wrong:
        raise DataError(
            f"{CONFIG_FILE} sets {', '.join(map(repr, wrong))} of its tokenizer: a folder may set only "
            f"{', '.join(TOKENIZER_SETTINGS)}. Take the rest out of its 'tokenizer_kwargs'."
        )
    refuse_code(place)
    try:
        if not given and FileTokenizer.fits(place):
            return FileTokenizer(place, length)
        return open_clip.tokenizer.HFTokenizer(
            str(place), length, trust_remote_code=False, local_files_only=True, **given
        )
    except Exception as error:  # whatever transformers and tokenizers raise
        raise DataError(
            f"{place / 'tokenizer.json'} is no tokenizer that transformers can read ({type(error).__name__}: {error}). "
            "Copy the tokenizer's files again."
        ) from error


def _load_open_clip(name: str) -> Clip:
    arch, tag, config = _architecture(name)
    if (seed := _random_seed(tag)) is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _build(config, f"open_clip cannot build {arch}", "Choose another architecture.")
        return Clip(model, open_clip.get_tokenizer(arch), _preprocess(model, {}), name, digest([arch, seed]), config)
    known = _pretrained(arch, tag, config)
    path = _fetch(arch, tag, known)
    model = _build(config, f"open_clip cannot build {arch}", "Choose another architecture.")
    open_clip.load_checkpoint(model, str(path), weights_only=True)
    return Clip(model, open_clip.get_tokenizer(arch), _preprocess(model, known), name, file_digest(path), config)


def _architecture(name: str) -> tuple[str, str, dict[str, Any]]:
    """Architecture and weights' tag of "<arch>/<tag>", and open_clip's config; ConfigError for an unknown one."""
    arch, _, tag = name.partition("/")
    config = open_clip.get_model_config(arch) if arch in open_clip.list_models() else None
    if config is None:
        close = difflib.get_close_matches(arch, [*open_clip.list_models(), "mini"], n=1)
        hint = f"did you mean {close[0]!r}?" if close else "give 'mini', an existing folder or '<arch>/<weights>'."
        raise ConfigError(f"{name!r} is neither a folder nor a CLIP that open_clip knows; {hint}")
    return arch, tag, config


def _random_seed(tag: str) -> int | None:
    """The seed of "random" (0) or "random-<seed>"; None for published weights."""
    number = tag.removeprefix("random").removeprefix("-")
    return int(number or 0) if tag == "random" or (tag.startswith("random-") and number.isdigit()) else None


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
