"""One family of errors: each message says what is wrong and what to do about it."""

import difflib
from collections.abc import Iterable


class GiftError(Exception):
    """Something the user can mend. The message is one sentence of cause and one of remedy."""


class ConfigError(GiftError, ValueError):
    """A parameter that does not exist or has a value that makes no sense."""


class DataError(GiftError):
    """A missing, truncated, swapped or otherwise unusable file or data set."""


class NumericsError(GiftError, ArithmeticError):
    """A loss, gradient, embedding or result that is not finite."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint for an unknown name: the closest valid one, or all of them where none is close."""
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(map(repr, valid))}."
