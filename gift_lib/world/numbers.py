"""Numbers without dimension: what a scale model must have in common with the benchmark that it stands for."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gift_lib import metrics
from gift_lib.data.mini import FAMILIES
from gift_lib.errors import DataError
from gift_lib.results import Record
from gift_lib.tasks import ORDERS

#: Where published numbers lie, in a clone as in an installed library.
DATA = Path(__file__).resolve().parents[1] / "shipped" / "book" / "data"
PUBLISHED = DATA / "dimensionless.csv"
#: The methods that a world is calibrated on, beside zero-shot and each task alone.
METHODS = ("finetune", "l2", "lwf")
#: A number agrees when it is within this factor of the published one, with the same sign.
FACTOR = 1.5


@dataclass(frozen=True)
class Rows:
    """Reference rows of one order, in percent: accuracies by task in training order, and R of the methods that ran."""

    tasks: Sequence[str]
    zero_shot: Sequence[float]
    R: Mapping[str, Sequence[Sequence[float]]]
    alone: Sequence[float] = ()


def numbers(rows: Rows) -> dict[str, float]:
    """Every number that the rows give, by the names of the published table; rows that are absent give none."""
    zero, R, found = float(np.mean(rows.zero_shot)), rows.R, {}
    lost = {m: _transfer_lost(rows, m) for m in R}
    if "finetune" in R:
        found["gain_in_sequence"] = (metrics.learned(R["finetune"]) - zero) / (100 - zero)
        found["gain_lost"] = _gain_lost(rows, "finetune", zero)
        found["transfer_lost"] = lost["finetune"] / float(np.mean(rows.zero_shot[1:]))
        found |= {f"{m}_transfer_lost": lost[m] / lost["finetune"] for m in ("l2", "lwf") if m in R}
        found |= _digits(rows)
    if "lwf" in R:
        found["lwf_gain_lost"] = _gain_lost(rows, "lwf", zero)
    return found | (_over_alone(rows, zero) if len(rows.alone) else {})


def _over_alone(rows: Rows, zero: float) -> dict[str, float]:
    """The numbers that need each task fine-tuned alone."""
    gain = float(np.mean(rows.alone)) - zero
    last = {"finetune": "last_over_zero_shot", "l2": "l2_last"}
    found = {name: (metrics.last(rows.R[m]) - zero) / gain for m, name in last.items() if m in rows.R}
    return {"gain_alone": gain / (100 - zero)} | found


def _transfer_lost(rows: Rows, method: str) -> float:
    """Points of Transfer below zero-shot."""
    return float(np.mean(rows.zero_shot[1:])) - metrics.transfer(rows.R[method])


def _gain_lost(rows: Rows, method: str, zero: float) -> float:
    learned = metrics.learned(rows.R[method])
    return (learned - metrics.last(rows.R[method])) / (learned - zero)


def _digits(rows: Rows) -> dict[str, float]:
    """How far the other tasks fall while the digits are learned, and what the next task gives back."""
    t, R = list(rows.tasks).index("digits") if "digits" in rows.tasks else -1, np.array(rows.R["finetune"])
    if not 0 < t < len(R) - 1:
        return {}
    before, after, later = (float(np.delete(R[i], t).mean()) for i in (t - 1, t, t + 1))
    return {"digits_dip": (before - after) / before, "digits_recovery": (later - after) / (before - after)}


def by_order(tasks: Sequence[str], rows: Mapping[str, Sequence]) -> dict[str, dict[str, float]]:
    """The numbers of both orders. `rows`: "zero_shot" and "alone" by task in the order of `tasks`, R as "lwf-II"."""
    found, parts = {}, {f.name: f.stands_for for f in FAMILIES}
    for order, sets in ORDERS.items():
        names = sorted(tasks, key=lambda n: sets.index(parts[n]))
        R = {k.removesuffix(f"-{order}"): v for k, v in rows.items() if k.endswith(f"-{order}")}
        one = {k: [rows[k][list(tasks).index(n)] for n in names] for k in ("zero_shot", "alone") if k in rows}
        found[order] = {k: round(v, 3) for k, v in numbers(Rows(names, R=R, **one)).items()}
    return found


def of_records(records: Iterable[Record]) -> dict[str, dict[str, float]]:
    """The numbers of both orders from one world's records, each row the mean over its seeds; other rows do not matter.

    The rows: METHODS in Order I or II, and each task alone ("upper-bound"). Zero-shot is in every record.
    """
    found, tasks = defaultdict(list), []
    for r in records:
        c, result = r["config"], r["result"]
        tasks = tasks or sorted(result["tasks"])
        if c["method"] in METHODS:
            found[f"{c['method']}-{c['order']}"].append(result["R"])
        if c["method"] == "upper-bound":
            found["alone"].append(_sorted(result["tasks"], np.diagonal(result["R"]).tolist()))
        if result["zero_shot"]:
            found["zero_shot"].append(_sorted(result["tasks"], result["zero_shot"]))
    rows = {name: np.mean(values, axis=0).tolist() for name, values in found.items()}
    return by_order(tasks, rows) if "zero_shot" in rows else {}


def _sorted(tasks: Sequence[str], values: Sequence[float]) -> list[float]:
    """Values by task in the order of the tasks' names."""
    return [v for _, v in sorted(zip(tasks, values, strict=True))]


def published() -> list[dict[str, str]]:
    """The lines of `book/data/dimensionless.csv`."""
    if not PUBLISHED.exists():
        raise DataError(f"{PUBLISHED} is missing: the published numbers are in the repository, not in the package.")
    with open(PUBLISHED, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def agrees(value: float, target: float) -> bool:
    """Whether a number is within FACTOR of the published one."""
    return value * target > 0 and 1 / FACTOR <= value / target <= FACTOR


def verdicts(found: Mapping[str, Mapping[str, float]]) -> list[dict]:
    """Published and measured side by side with a verdict, for every number that was measured; `found` is by order."""
    lines = []
    for line in published():
        value = found.get(line["order"], {}).get(line["number"])
        if value is not None:
            target = float(line["published"])
            verdict = "agrees" if agrees(value, target) else "MISS"
            lines.append({**line, "published": target, "measured": value, "verdict": verdict})
    return lines


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """The verdicts as text."""
    rows = [f"{'number':22}{'order':>6}{'published':>11}{'measured':>10}"]
    for v in verdicts(found):
        rows.append(f"{v['number']:22}{v['order']:>6}{v['published']:11.2f}{v['measured']:10.2f}   {v['verdict']}")
    return "\n".join(rows)
