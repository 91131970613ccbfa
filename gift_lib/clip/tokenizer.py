"""Texts to token ids, for CLIPs with a tokenizer of their own."""

from pathlib import Path

import torch
from jaxtyping import Int64
from open_clip.tokenizer import get_clean_fn
from tokenizers import Tokenizer
from torch import Tensor

from gift_lib.files import atomic_write, read_json

FILES = ("tokenizer.json", "tokenizer_config.json")


class FileTokenizer:
    """A CLIP tokenizer from its `tokenizer.json`, as open_clip's wrapper of transformers gives it, without importing
    transformers."""

    def __init__(self, folder: Path, length: int):
        self.folder, self.length, self.clean = folder, length, get_clean_fn("whitespace")
        self.tokenizer = Tokenizer.from_file(str(folder / FILES[0]))
        padding = str(read_json(folder / FILES[1])["pad_token"])
        self.tokenizer.enable_truncation(length)
        self.tokenizer.enable_padding(length=length, pad_token=padding, pad_id=self.tokenizer.token_to_id(padding))

    def __call__(self, texts: list[str]) -> Int64[Tensor, "n l"]:
        encoded = self.tokenizer.encode_batch([self.clean(t) for t in texts])
        return torch.tensor([e.ids for e in encoded], dtype=torch.int64).view(len(texts), self.length)

    def save_pretrained(self, folder: str | Path) -> None:
        """Put the tokenizer's files into a folder, whole or not at all."""
        for name in FILES:
            with atomic_write(Path(folder) / name) as temporary:
                Path(temporary).write_bytes((self.folder / name).read_bytes())

    @staticmethod
    def fits(folder: Path) -> bool:
        """Whether the folder says that its `tokenizer.json` is all of a CLIP tokenizer."""
        config = read_json(folder / FILES[1]) if (folder / FILES[1]).is_file() else None
        if not isinstance(config, dict) or "pad_token" not in config:
            return False
        return config.get("tokenizer_class") == "CLIPTokenizer" and config.get("backend") == "tokenizers"
