"""The tokenizer of the scale model: a small byte-level BPE in CLIP's form, trained on the world's own texts."""

import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, pre_tokenizers
from transformers import CLIPTokenizer

from gift_lib.errors import DataError

#: Tokens of a text, start and end included; longer texts are cut.
CONTEXT_LENGTH = 24
PAD, START, END = "<|pad|>", "<|startoftext|>", "<|endoftext|>"
#: CLIP's own splitting of a text into words, numbers digit by digit, and marks.
WORDS = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def train(texts: Iterable[str], merges: int = 600) -> CLIPTokenizer:
    """Byte-pair merges learnt from `texts` (most frequent pair first, ties by spelling).

    Ids: the pad token is 0, then every byte and every byte at a word's end, then the merges, and the
    end token has the highest id, because open_clip pools a text at the argmax of its ids.
    """
    words = {(*w[:-1], w[-1] + "</w>"): n for w, n in sorted(_words(texts).items())}
    learnt: list[tuple[str, str]] = []
    while len(learnt) < merges:
        pairs = _pairs(words)
        if not pairs:
            break
        learnt.append(min(pairs, key=lambda p: (-pairs[p], p)))
        words = {_merge(w, learnt[-1]): n for w, n in words.items()}
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [PAD, *letters, *(c + "</w>" for c in letters), *dict.fromkeys(a + b for a, b in learnt), START, END]
    vocab = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(
        vocab=vocab, merges=learnt, pad_token=PAD, model_max_length=CONTEXT_LENGTH, clean_up_tokenization_spaces=False
    )


def save(tokenizer: CLIPTokenizer, folder: str | Path) -> None:
    """Write the tokenizer's files where transformers, open_clip and diffusers look for them."""
    tokenizer.save_pretrained(str(folder))


def load(folder: str | Path) -> CLIPTokenizer:
    """The saved tokenizer; a DataError where there is none."""
    if not (Path(folder) / "tokenizer.json").exists():
        raise DataError(f"{folder} holds no tokenizer. Run `make world`, or check out the shipped weights again.")
    return CLIPTokenizer.from_pretrained(str(folder))


def _words(texts: Iterable[str]) -> Counter:
    """How often each word occurs, bytes written as BPE letters."""
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    counts: Counter = Counter()
    for text, n in Counter(t.lower() for t in texts).items():
        for word, _ in split.pre_tokenize_str(text):
            counts[word] += n
    return counts


def _pairs(words: dict[tuple[str, ...], int]) -> Counter:
    pairs: Counter = Counter()
    for word, n in words.items():
        for pair in itertools.pairwise(word):
            pairs[pair] += n
    return pairs


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)
