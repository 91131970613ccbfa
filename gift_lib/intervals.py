"""How sure several seeds make us: means, differences of two rows, and many comparisons at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gift_lib.errors import ConfigError, DataError, NumericsError
from gift_lib.metrics import Values, sample

#: Differences that vary less than this (in points) are constant: there is no spread to test against.
_NO_SPREAD = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with the half-width of its t interval, or a difference of two such means.

    `half_width` is None where no interval exists (one seed). `p` is the two-sided p-value of a
    difference against zero; None for a plain mean and for a single pair. Where nothing varies it is 0, or 1 for a
    difference of zero, and the interval has no width.
    """

    mean: float
    half_width: float | None
    n: int
    level: float = 0.95
    p: float | None = None

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""
        return None if self.half_width is None else self.mean - self.half_width

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""
        return None if self.half_width is None else self.mean + self.half_width

    def __str__(self) -> str:
        return shown(self.mean, self.half_width)


def decimals(mean: float, half: float | None, limits: Sequence[float] = (0.0,)) -> int:
    """How many decimals of mean ± half are needed to see on which side of each limit both ends lie: 1, 2 or 3."""
    for digits in (1, 2):
        ends = [(mean + s * half, round(mean, digits) + s * round(half, digits)) for s in (-1, 1)] if half else []
        if all(_side(exact, x) == _side(text, x) for exact, text in ends for x in limits):
            return digits
    return 3


def _side(value: float, limit: float) -> int:
    return 0 if abs(value - limit) < _NO_SPREAD else 1 if value > limit else -1


def shown(mean: float, half: float | None, form: str = "", limits: Sequence[float] = (0.0,)) -> str:
    """A mean with its half-width as text, to one decimal, or to more where one would hide what it decides."""
    digits = decimals(mean, half, limits)
    return f"{mean:{form}.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}")


def interval(values: Values, level: float = 0.95) -> Estimate:
    """Mean and t interval of independent values (one per seed): mean ± t(n-1) s / sqrt(n)."""
    x = sample(values, "values")
    half = _half_width(x.std(ddof=1) / np.sqrt(len(x)), len(x) - 1, level) if len(x) > 1 else None
    _check_level(level)
    return Estimate(float(x.mean()), half, len(x), level)


def paired(a: Values | Mapping, b: Values | Mapping, level: float = 0.95) -> Estimate:
    """Mean of a - b over pairs with its t interval and two-sided p-value (paired t test).

    `a` and `b` are values in the same order of seeds, or mappings from seed to value, of which the seeds in
    both are used. Runs of one seed share their pictures and their draws, so pairing takes that variation out.
    """
    x, y = _pairs(a, b)
    d = x - y
    _check_level(level)
    if len(d) < 2:
        return Estimate(float(d.mean()), None, len(d), level)
    return _difference(float(d.mean()), d.std(ddof=1) / np.sqrt(len(d)), len(d) - 1, len(d), level)


def unpaired(a: Values, b: Values, level: float = 0.95) -> Estimate:
    """Mean of a minus mean of b for independent samples, with Welch's interval and p-value.

    `n` is the smaller sample's size; no interval where either has a single value.
    """
    x, y = sample(a, "a"), sample(b, "b")
    _check_level(level)
    mean, n = float(x.mean() - y.mean()), min(len(x), len(y))
    if n < 2:
        return Estimate(mean, None, n, level)
    vx, vy = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if vx + vy < _NO_SPREAD**2:
        return _certain(mean, n, level)
    df = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
    return _difference(mean, np.sqrt(vx + vy), df, n, level)


def holm(pvalues: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: p-values adjusted for being the k-th smallest of m comparisons.

    None (no test was possible) stays None and does not count among the m.
    """
    known = [(p, k) for k, p in enumerate(pvalues) if p is not None]
    for p, k in known:
        if not 0 <= p <= 1:
            raise NumericsError(f"p-value {k} is {p}, not in [0, 1]: compute it again from the records.")
    adjusted: list[float | None] = [None] * len(pvalues)
    running = 0.0
    for rank, (p, k) in enumerate(sorted(known)):
        running = max(running, min(1.0, (len(known) - rank) * p))
        adjusted[k] = float(running)
    return adjusted


def _difference(mean: float, error: float, df: float | int, n: int, level: float) -> Estimate:
    """`error` is the standard error of the mean difference."""
    if error < _NO_SPREAD:
        return _certain(mean, n, level)
    p = 2 * stats.t.sf(abs(mean) / error, df)
    return Estimate(mean, _half_width(error, df, level), n, level, float(p))


def _certain(mean: float, n: int, level: float) -> Estimate:
    """A difference that is the same for every pair: the limit of the test for a vanishing standard error."""
    return Estimate(mean, 0.0, n, level, float(abs(mean) < _NO_SPREAD))


def _half_width(error: float, df: float | int, level: float) -> float:
    _check_level(level)
    return float(stats.t.ppf((1 + level) / 2, df) * error)


def _check_level(level: float | int) -> None:
    if not 0 < level < 1:
        raise ConfigError(f"the level of an interval must lie between 0 and 1, not be {level!r}: use 0.95.")


def _pairs(a: Values | Mapping, b: Values | Mapping) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(a, Mapping) != isinstance(b, Mapping):
        raise DataError("one side is keyed by seed and the other is not: give two mappings or two sequences.")
    if isinstance(a, Mapping):
        seeds = sorted(a.keys() & b.keys())
        if not seeds:
            raise DataError("the two sides share no seed: run both with the same seeds, or compare them unpaired.")
        a, b = [a[s] for s in seeds], [b[s] for s in seeds]
    x, y = sample(a, "a"), sample(b, "b")
    if len(x) != len(y):
        raise DataError(f"{len(x)} values cannot be paired with {len(y)}: give one of each per seed.")
    return x, y
