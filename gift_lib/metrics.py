"""What an accuracy matrix R says: Transfer, Avg, Last, forgetting. `intervals` tells how sure several seeds make us.

R is n x n, in percent: R[i][j] is the accuracy on task j after training on task i, tasks in training order.
The zero-shot row is not part of R. A worked example, by hand, for three tasks:

>>> R = [[60.0, 50.0, 40.0],
...      [55.0, 70.0, 30.0],
...      [50.0, 65.0, 80.0]]
>>> transfer(R)        # column 2: 50, column 3: (40 + 30) / 2 = 35; their mean
42.5
>>> transfer_rows(R)   # row 1: (50 + 40) / 2 = 45, row 2: 30; their mean
37.5
>>> last(R)            # (50 + 65 + 80) / 3
65.0
>>> round(average(R), 3)   # all nine cells: 500 / 9
55.556
>>> forgetting(R)      # ((60 - 50) + (70 - 65)) / 2
7.5
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from gift_lib.errors import ConfigError, DataError, NumericsError

#: R as it may be given: a record's list of lists, an array or a tensor; always checked by `matrix`.
Matrix = np.ndarray | Tensor | Sequence
Values = np.ndarray | Tensor | Sequence


def matrix(R: Matrix) -> Float[np.ndarray, "n n"]:
    """R as a checked float64 array; a DataError or NumericsError says what is wrong with it."""
    values = _array(R, "R")
    if values.ndim != 2 or values.shape[1] == 0:
        raise DataError(f"R has shape {values.shape}, not n x n: give one row of n accuracies per task.")
    rows, columns = values.shape
    if rows < columns:
        raise DataError(f"R has {rows} of {columns} rows: the run is not complete, resume it first.")
    if rows > columns:
        raise DataError(f"R has {rows} rows but {columns} columns: leave the zero-shot row out of it.")
    if not np.isfinite(values).all():
        i, j = np.argwhere(~np.isfinite(values))[0]
        raise NumericsError(
            f"R[{i}][{j}] is {values[i, j]}: the model diverged, lower the learning rate and run again."
        )
    _check_percent(values)
    return values


def transfer_per_task(R: Matrix) -> Float[np.ndarray, " m"]:
    """Zero-shot transfer to each task but the first, in percent: the mean of R[i][j] over i < j.

    m = n - 1 entries; entry k belongs to task k + 1 (counted from zero), as in the per-dataset tables. Needs n >= 2.
    """
    R = matrix(R)
    if len(R) < 2:
        raise DataError("Transfer is not defined for a single task: run at least two tasks.")
    return np.array([R[:j, j].mean() for j in range(1, len(R))])


def transfer(R: Matrix) -> float:
    """Transfer in percent as PUBLISHED: column means above the diagonal, then their mean.

    The order of averaging that reproduces the published tables (the per-dataset rows average to the
    printed mean). The slide's formula averages rows first: see `transfer_rows`.
    """
    return float(transfer_per_task(R).mean())


def transfer_rows(R: Matrix) -> float:
    """Transfer as the slide prints it (slide 9): 1/(n-1) sum_i 1/(n-i) sum_{j>i} R[i][j], in percent.

    It weighs early rows less per cell than `transfer` does, and is not what the tables report.
    """
    R = matrix(R)
    if len(R) < 2:
        raise DataError("Transfer is not defined for a single task: run at least two tasks.")
    return float(np.mean([R[i, i + 1 :].mean() for i in range(len(R) - 1)]))


def average_per_task(R: Matrix) -> Float[np.ndarray, " n"]:
    """Mean accuracy on each task over the whole sequence, in percent."""
    return matrix(R).mean(axis=0)


def average(R: Matrix) -> float:
    """Avg: the mean of all n * n cells, in percent (slide 9)."""
    return float(matrix(R).mean())


def last_per_task(R: Matrix) -> Float[np.ndarray, " n"]:
    """Accuracy on each task after the last one, in percent."""
    return matrix(R)[-1].copy()


def last(R: Matrix) -> float:
    """Last: the mean of the last row, in percent (slide 9)."""
    return float(matrix(R)[-1].mean())


def forgetting_per_task(R: Matrix) -> Float[np.ndarray, " m"]:
    """Points lost on each task but the last: R[j][j] - R[n-1][j]; negative where the task went on to gain."""
    R = matrix(R)
    if len(R) < 2:
        raise DataError("forgetting is not defined for a single task: run at least two tasks.")
    return np.diagonal(R)[:-1] - R[-1, :-1]


def forgetting(R: Matrix) -> float:
    """Mean points lost between learning a task and the end of the sequence (an extra of ours)."""
    return float(forgetting_per_task(R).mean())


def backward_transfer(R: Matrix) -> float:
    """The negative of `forgetting`: above zero where later tasks helped earlier ones."""
    return -forgetting(R)


def learned(R: Matrix) -> float:
    """Mean of the diagonal, in percent: accuracy on each task right after it was learned (plasticity)."""
    return float(np.diagonal(matrix(R)).mean())


#: The three numbers of the tables, in their order, then ours.
METRICS = {
    "Transfer": transfer,
    "Avg": average,
    "Last": last,
    "Forgetting": forgetting,
    "Learned": learned,
    "Transfer (rows)": transfer_rows,
}
PER_TASK = {
    "Transfer": transfer_per_task,
    "Avg": average_per_task,
    "Last": last_per_task,
    "Forgetting": forgetting_per_task,
}


def summary(R: Matrix, form: str = "continual") -> dict[str, float | None]:
    """Every metric of METRICS by name; None where it is not defined (Transfer of a single task).

    References have results of other forms and only a Last: "alone" (row t is the model fine-tuned on task t
    alone, its result the diagonal) and "joint" (one row, of the model trained on all tasks together).
    """
    if form == "continual":
        R = matrix(R)
        needs_two = ("Transfer", "Forgetting", "Transfer (rows)")
        return {name: None if len(R) < 2 and name in needs_two else f(R) for name, f in METRICS.items()}
    return dict.fromkeys(METRICS) | {"Last": float(final_row(R, form).mean())}


def final_row(R: Matrix, form: str = "continual") -> Float[np.ndarray, " n"]:
    """The accuracy on each task that a run ends with, in percent: the last row, or a reference's result."""
    if form == "continual":
        return last_per_task(R)
    if form == "alone":
        return np.diagonal(matrix(R)).copy()
    if form == "joint":
        values = _array(R, "R")[-1:]
        return matrix(np.repeat(values, values.shape[-1], axis=0))[-1]
    raise ConfigError(f"a result cannot be of the form {form!r}: use 'continual', 'alone' or 'joint'.")


#: Without task identity: a picture is classified among the classes of all tasks ("all"), or among those learned
#: so far ("learned": only tasks already learned have a value, so that there is no Transfer).
OPEN_METRICS = ("Transfer (all)", "Avg (all)", "Last (all)", "Avg (learned)", "Fall")
#: Every number that a record may have.
NAMES = (*METRICS, *OPEN_METRICS)


def open_summary(result: Mapping) -> dict[str, float | None]:
    """OPEN_METRICS of a record's result by name; None where its form does not define them, or where it has none.

    Last among the classes learned so far is `Last (all)`: at the end all are. "Fall" is what Last loses where the task
    is not told, `Last - Last (all)`.
    """
    if "R_all" not in result:
        return dict.fromkeys(OPEN_METRICS)
    form = result.get("form", "continual")
    told, closed = summary(result["R"], form), summary(result["R_all"], form)
    found = {f"{m} (all)": closed[m] for m in ("Transfer", "Avg", "Last")}
    found["Avg (learned)"] = average_learned(result["R_learned"]) if closed["Avg"] is not None else None
    return found | {"Fall": told["Last"] - closed["Last"]}


def average_learned(R: Sequence[Sequence[float | None]]) -> float:
    """Mean over the cells of tasks already learned (on and below the diagonal), in percent.

    Row i holds None for tasks after i. DataError where it does not.
    """
    for i, row in enumerate(R):
        if len(row) != len(R) or any((value is None) != (j > i) for j, value in enumerate(row)):
            raise DataError(
                f"row {i} of R_learned must hold the accuracies of the first {i + 1} of {len(R)} tasks only."
            )
    cells = sample([value for i, row in enumerate(R) for value in row[: i + 1]], "R_learned")
    _check_percent(cells[None])
    return float(cells.mean())


def per_task(R: Matrix, tasks: Sequence[str]) -> dict[str, dict[str, float]]:
    """{"Transfer" | "Avg" | "Last" | "Forgetting": {task: percent}}, the first three as in the per-dataset tables.

    The first task has no Transfer, the last one no Forgetting. `tasks` are the names in training order.
    """
    R = matrix(R)
    if len(tasks) != len(R):
        raise DataError(f"R is of {len(R)} tasks but {len(tasks)} names are given: give one name per task.")
    names = {"Transfer": tasks[1:], "Avg": tasks, "Last": tasks, "Forgetting": tasks[:-1]}
    return {
        metric: dict(zip(names[metric], map(float, f(R)), strict=True))
        for metric, f in PER_TASK.items()
        if len(R) > 1 or metric in ("Avg", "Last")
    }


def _check_percent(values: Float[np.ndarray, "n n"]) -> None:
    outside = np.argwhere((values < 0) | (values > 100))
    if len(outside):
        i, j = outside[0]
        raise DataError(f"R[{i}][{j}] is {values[i, j]:g}, not in 0..100: give accuracies in percent.")
    if len(values) > 1 and 0 < values.max() <= 1:
        raise DataError(f"no value of R exceeds {values.max():g}: R is in percent, multiply these fractions by 100.")


def sample(values: Values, name: str) -> Float[np.ndarray, " n"]:
    """One number per seed as a checked float64 array; DataError or NumericsError with the name of what is wrong."""
    x = _array(values, name)
    if x.ndim != 1 or len(x) == 0:
        raise DataError(f"{name} has shape {x.shape}: give a list of at least one number, one per seed.")
    if not np.isfinite(x).all():
        raise NumericsError(f"{name} holds a value that is not finite: find the run that diverged and run it again.")
    return x


def _array(values: Values, name: str) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is not a table of numbers ({error}): give rows of equal length.") from error
