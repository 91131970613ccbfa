"""C0, the concepts that the class pool starts from: ImageNet's names, the mini world's, or a sample of WordNet."""

import random
from collections.abc import Callable, Iterator

from jaxtyping import Float
from torch import Tensor

from gift_lib.errors import ConfigError, nearest

#: The template of C0's prompts (GIFT's slides, "Method: Image Generation", step 2).
TEMPLATE = "a photo of a {c}."

#: The larger ImageNet vocabularies that timm ships.
VOCABULARIES = ("imagenet-1k", "imagenet-12k", "imagenet-21k-miil", "imagenet-21k-goog", "imagenet-22k")

#: Names embedded at a time while sampling.
BLOCK = 512


def of(scale: str) -> tuple[str, ...]:
    """The concepts of a scale: the mini world's own, else CLIP's 1000 ImageNet names.

    The ImageNet names are open_clip's, 998 distinct; the two duplicates stay, since they are part of
    the published prompt lists.
    """
    if scale == "mini":
        from gift_lib.data import mini

        return tuple(mini.CONCEPTS)
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    return tuple(IMAGENET_CLASSNAMES)


def sample_synsets(
    n: int,
    seed: int,
    vocabulary: str = "imagenet-21k-miil",
    embed: Callable[[list[str]], Float[Tensor, "m d"]] | None = None,
    threshold: float = 0.9,
) -> tuple[str, ...]:
    """`n` names of distinct synsets that do not overlap in meaning, in an order drawn from `seed`.

    No two share a lemma; with `embed` (texts to embeddings, normalised here) no two prompts have a cosine
    of `threshold` or more. Synsets are taken greedily from one seeded shuffle of the vocabulary, so that
    the first n of a larger sample are the smaller sample. Raises ConfigError for an unknown vocabulary,
    a bad threshold, or where fewer than `n` remain.
    """
    if not -1 < threshold <= 1:
        raise ConfigError(f"threshold must be a cosine in (-1, 1], not {threshold}.")
    kept: list[str] = []
    vectors: list[Tensor] = []
    for name, vector in _candidates(vocabulary, seed, embed):
        if len(kept) == n:
            break
        if vector is None or all(float(vector @ v) < threshold for v in vectors):
            kept.append(name)
            vectors += [] if vector is None else [vector]
    if len(kept) < n:
        raise ConfigError(
            f"{vocabulary} has only {len(kept)} concepts that do not overlap, not {n}: "
            "ask for fewer, raise the threshold or take a larger vocabulary."
        )
    return tuple(kept)


def _candidates(vocabulary: str, seed: int, embed: Callable | None) -> Iterator[tuple[str, Tensor | None]]:
    """Names in the seeded order with their embeddings; a name is the first of its synset's lemmas."""
    names = _without_shared_lemmas(_shuffled(vocabulary, seed))
    while block := [name for name, _ in zip(names, range(BLOCK), strict=False)]:
        if embed is None:
            yield from ((name, None) for name in block)
            continue
        vectors = embed([TEMPLATE.replace("{c}", name) for name in block]).float()
        yield from zip(block, vectors / vectors.norm(dim=-1, keepdim=True), strict=True)


def _shuffled(vocabulary: str, seed: int) -> list[list[str]]:
    """The lemmas of every synset of a vocabulary, synsets in an order drawn from `seed`."""
    from timm.data import ImageNetInfo

    if vocabulary not in VOCABULARIES:
        raise ConfigError(f"there is no vocabulary {vocabulary!r}; {nearest(vocabulary, VOCABULARIES)}")
    synsets = [[lemma.strip() for lemma in d.split(",")] for d in ImageNetInfo(vocabulary).label_descriptions()]
    random.Random(seed).shuffle(synsets)
    return synsets


def _without_shared_lemmas(synsets: list[list[str]]) -> Iterator[str]:
    """The first lemma of every synset none of whose lemmas an earlier yielded synset has."""
    seen: set[str] = set()
    for lemmas in synsets:
        folded = {lemma.casefold() for lemma in lemmas}
        if not folded & seen:
            seen |= folded
            yield lemmas[0]
