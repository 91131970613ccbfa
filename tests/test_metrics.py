"""Metrics against plain loops, the published tables against themselves, and bad input."""

import doctest

import numpy as np
import pytest
import torch

from gift_lib import metrics
from gift_lib.errors import ConfigError, DataError, GiftError, NumericsError

R3 = [[60.0, 50.0, 40.0], [55.0, 70.0, 30.0], [50.0, 65.0, 80.0]]


def random_matrix(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(5, 99, (n, n))


def naive_transfer(R) -> float:
    n, total = len(R), 0.0
    for j in range(1, n):
        column = 0.0
        for i in range(j):
            column += R[i][j]
        total += column / j
    return total / (n - 1)


def naive_transfer_rows(R) -> float:
    n = len(R)
    return sum(sum(R[i][j] for j in range(i + 1, n)) / (n - i - 1) for i in range(n - 1)) / (n - 1)


def test_worked_example_of_the_docstring():
    failed, tried = doctest.testmod(metrics)
    assert tried >= 6 and failed == 0


@pytest.mark.parametrize("n", [2, 3, 11])
def test_metrics_equal_plain_loops(n):
    R = random_matrix(n, seed=n)
    assert metrics.transfer(R) == pytest.approx(naive_transfer(R))
    assert metrics.transfer_rows(R) == pytest.approx(naive_transfer_rows(R))
    assert metrics.average(R) == pytest.approx(sum(sum(row) for row in R) / n**2)
    assert metrics.last(R) == pytest.approx(sum(R[-1]) / n)
    assert metrics.forgetting(R) == pytest.approx(sum(R[j][j] - R[-1][j] for j in range(n - 1)) / (n - 1))
    assert metrics.backward_transfer(R) == -metrics.forgetting(R)
    assert metrics.learned(R) == pytest.approx(sum(R[j][j] for j in range(n)) / n)


def test_per_task_values_average_to_the_means():
    R, names = random_matrix(11), [f"t{k}" for k in range(11)]
    parts = metrics.per_task(R, names)
    assert list(parts["Transfer"]) == names[1:] and list(parts["Avg"]) == list(parts["Last"]) == names
    assert list(parts["Forgetting"]) == names[:-1]
    for metric, values in parts.items():
        assert np.mean(list(values.values())) == pytest.approx(metrics.METRICS[metric](R))
    assert parts["Transfer"]["t2"] == pytest.approx((R[0][2] + R[1][2]) / 2)


def test_the_two_readings_of_transfer_differ():
    R = np.triu(np.full((11, 11), 20.0)) + np.tril(np.full((11, 11), 60.0), -1)
    R[:, -1] = 90.0  # an easy last task weighs more in the rows near the end
    assert metrics.transfer_rows(R) - metrics.transfer(R) > 10


def test_constant_columns_as_for_zero_shot():
    row = np.linspace(20, 90, 11)
    R = np.tile(row, (11, 1))
    assert metrics.transfer(R) == pytest.approx(row[1:].mean())
    assert metrics.average(R) == pytest.approx(row.mean()) == metrics.last(R)
    assert metrics.forgetting(R) == 0


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, lambda r: torch.tensor(r, requires_grad=True)])
def test_arrays_and_tensors_are_as_good_as_lists(kind):
    assert metrics.transfer(kind(R3)) == pytest.approx(42.5)
    assert metrics.matrix(kind(R3)).dtype == np.float64


def test_input_is_not_changed_and_not_shared():
    R = np.array(R3)
    metrics.last_per_task(R)[0] = -1
    metrics.matrix(R)[0, 0] = -1
    assert R.tolist() == R3


def test_single_task_has_no_transfer():
    assert metrics.summary([[50]]) == {
        "Transfer": None, "Avg": 50.0, "Last": 50.0, "Forgetting": None, "Learned": 50.0, "Transfer (rows)": None,
    }  # fmt: skip
    assert metrics.per_task([[50]], ["a"]) == {"Avg": {"a": 50.0}, "Last": {"a": 50.0}}
    for function in (metrics.transfer, metrics.transfer_rows, metrics.forgetting):
        with pytest.raises(DataError, match="at least two tasks"):
            function([[50]])


def test_references_have_a_last_only():
    alone, joint = metrics.summary(R3, "alone"), metrics.summary([[50, 60, 70]], "joint")
    assert alone.pop("Last") == 70.0 and joint.pop("Last") == 60.0
    assert set(alone.values()) == set(joint.values()) == {None}
    assert metrics.final_row(R3, "alone").tolist() == [60, 70, 80]
    assert metrics.final_row(R3).tolist() == R3[-1]
    with pytest.raises(ConfigError, match="form 'other'"):
        metrics.summary(R3, "other")


BAD = {
    "nan": ([[float("nan"), 1], [2, 3]], NumericsError, r"R\[0\]\[0\] is nan"),
    "infinite": ([[1, 2], [float("inf"), 3]], NumericsError, r"R\[1\]\[0\] is inf"),
    "incomplete": ([[10, 20, 30], [10, 20, 30]], DataError, "2 of 3 rows"),
    "zero-shot row in it": ([[10, 20], [10, 20], [10, 20]], DataError, "leave the zero-shot row out"),
    "flat": ([10, 20, 30], DataError, "not n x n"),
    "cube": (np.full((2, 2, 2), 50.0), DataError, "not n x n"),
    "empty": ([], DataError, "not n x n"),
    "negative": ([[10, -0.5], [10, 20]], DataError, r"R\[0\]\[1\] is -0.5"),
    "above 100": ([[10, 20], [100.1, 20]], DataError, r"R\[1\]\[0\] is 100.1"),
    "fractions": ([[0.5, 0.25], [1.0, 0.75]], DataError, "in percent"),
    "ragged": ([[10, 20], [10]], DataError, "equal length"),
    "text": ([["a", "b"], ["c", "d"]], DataError, "not a table of numbers"),
    "none": ([[10, None], [10, 20]], GiftError, r"R\[0\]\[1\] is nan|not a table"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_matrices_give_one_clear_error(case):
    R, kind, message = BAD[case]
    for function in (*metrics.METRICS.values(), *metrics.PER_TASK.values(), metrics.summary):
        with pytest.raises(kind, match=message):
            function(R)


def test_wrong_number_of_names():
    with pytest.raises(DataError, match="3 tasks but 2 names"):
        metrics.per_task(R3, ["a", "b"])
