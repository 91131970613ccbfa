"""Intervals and tests against scipy, Holm's correction against a plain loop, and bad input."""

import numpy as np
import pytest
from scipy import stats

from gift_lib import intervals
from gift_lib.errors import ConfigError, DataError, NumericsError


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_equals_scipy(level):
    x = np.random.default_rng(0).normal(70, 1, 7)
    ours = intervals.interval(x, level)
    low, high = stats.t.interval(level, len(x) - 1, loc=x.mean(), scale=stats.sem(x))
    assert (ours.low, ours.high, ours.n) == (pytest.approx(low), pytest.approx(high), 7)


def test_interval_by_hand():
    ours = intervals.interval([68.0, 70.0, 72.0])  # s = 2, t(2) = 4.3027
    assert ours.mean == 70.0 and ours.half_width == pytest.approx(4.302653 * 2 / 3**0.5, abs=1e-5)
    assert str(ours) == "70.0 ± 5.0"


def test_paired_equals_scipy():
    rng = np.random.default_rng(1)
    b = rng.normal(60, 3, 10)
    a = b + rng.normal(1, 0.5, 10)
    ours, theirs = intervals.paired(a, b), stats.ttest_rel(a, b)
    ci = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high, ours.p) == tuple(map(pytest.approx, (ci.low, ci.high, theirs.pvalue)))
    assert ours.half_width < intervals.unpaired(a, b).half_width / 2  # what pairing is for


def test_unpaired_equals_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(60, 1, 10), rng.normal(59, 3, 5)
    ours, theirs = intervals.unpaired(a, b), stats.ttest_ind(a, b, equal_var=False)
    ci = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high, ours.p) == tuple(map(pytest.approx, (ci.low, ci.high, theirs.pvalue)))
    assert ours.n == 5


def test_pairs_by_seed_use_the_shared_seeds_only():
    a, b = {0: 1.0, 1: 2.0, 2: 4.0, 9: 100.0}, {2: 1.0, 1: 1.0, 0: 1.0, 7: -50.0}
    assert intervals.paired(a, b) == intervals.paired([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])


def test_one_seed_has_no_interval():
    for estimate in (
        intervals.interval([70.0]),
        intervals.paired([70.0], [60.0]),
        intervals.unpaired([70.0], [60.0, 61.0]),
    ):
        assert estimate.half_width is estimate.low is estimate.high is estimate.p is None
        assert "±" not in str(estimate) and "nan" not in str(estimate)


def test_without_spread_a_difference_is_certain():
    """The limit of the test for a vanishing standard error: what the interval of no width says, p says too."""
    for estimate in (intervals.paired([2.1, 3.1], [1.0, 2.0]), intervals.unpaired([2.0, 2.0], [1.0, 1.0])):
        assert estimate.p == 0.0 and estimate.half_width == 0.0
    for estimate in (intervals.paired([2.0, 3.0], [2.0, 3.0]), intervals.unpaired([2.0, 2.0], [2.0, 2.0])):
        assert estimate.p == 1.0 and estimate.low == estimate.high == 0.0


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: intervals.interval([]), DataError, "at least one number"),
        (lambda: intervals.interval([1.0, float("nan")]), NumericsError, "not finite"),
        (lambda: intervals.interval([1.0, 2.0], level=95.0), ConfigError, "between 0 and 1"),
        (lambda: intervals.paired([1.0], [2.0], level=0.0), ConfigError, "between 0 and 1"),
        (lambda: intervals.paired([1.0, 2.0], [1.0]), DataError, "cannot be paired"),
        (lambda: intervals.paired({0: 1.0}, {1: 1.0}), DataError, "share no seed"),
        (lambda: intervals.paired({0: 1.0}, [1.0]), DataError, "keyed by seed"),
        (lambda: intervals.holm([0.5, 1.5]), NumericsError, "p-value 1 is 1.5"),
    ],
)
def test_bad_samples_give_one_clear_error(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def naive_holm(p: list[float]) -> list[float]:
    order, m = np.argsort(p, kind="stable"), len(p)
    adjusted = np.empty(m)
    for rank, k in enumerate(order):
        adjusted[k] = min(1.0, max((m - r) * p[order[r]] for r in range(rank + 1)))
    return adjusted.tolist()


def test_holm():
    assert intervals.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    p = np.random.default_rng(3).uniform(0, 1, 20).tolist()
    assert intervals.holm(p) == pytest.approx(naive_holm(p))
    assert intervals.holm([0.04, None, 0.01]) == [0.04, None, 0.02]
    assert intervals.holm([]) == []


def test_holm_keeps_the_family_wise_error():
    rng, hits = np.random.default_rng(4), 0
    for _ in range(1000):
        hits += min(intervals.holm(rng.uniform(0, 1, 9).tolist())) < 0.05
    assert 0.03 < hits / 1000 < 0.07


@pytest.mark.parametrize(("mean", "half", "limits", "text"), [
    (0.62, 0.57, (0.0,), "+0.62 ± 0.57"), (-0.233, 0.185, (0.0,), "-0.23 ± 0.18"), (0.5, 0.2, (0.0,), "+0.5 ± 0.2"),
    (2.0, 1.0, (0.0,), "+2.0 ± 1.0"), (0.3, None, (0.0,), "+0.3"), (0.5, 0.5, (0.0,), "+0.5 ± 0.5"),
    (0.5005, 0.4998, (0.0,), "+0.500 ± 0.500"), (-1.4, 0.47, (-2.0, 2.0), "-1.4 ± 0.5"),
    (-1.52, 0.51, (-2.0, 2.0), "-1.52 ± 0.51"), (3.0, 0.0, (0.0,), "+3.0 ± 0.0"),
])  # fmt: skip
def test_a_number_has_the_decimals_that_show_what_it_decides(mean, half, limits, text):
    assert intervals.shown(mean, half, "+", limits) == text
    if limits == (0.0,):
        assert str(intervals.Estimate(mean, half, 5)) == text.replace("+", "")
