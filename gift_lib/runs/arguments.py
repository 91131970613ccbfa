"""Values of commands that are refused where they are read, before anything starts."""

from collections.abc import Callable

from gift_lib.errors import ConfigError


def at_least(low: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` on, as argparse's `type`; ConfigError, a ValueError, for all else."""

    def whole_number(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < low:
            raise ConfigError(f"{text!r} should be a whole number from {low} on.")
        return number

    whole_number.__name__ = f"whole number from {low} on"
    return whole_number
