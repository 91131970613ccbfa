"""What methods lose where nobody says which task a picture is of: it is then classified among all tasks' classes."""

import itertools
from collections.abc import Mapping

import pandas as pd

from gift_lib import metrics
from gift_lib.book import tables
from gift_lib.book.findings import Box, listed, seeds
from gift_lib.errors import ConfigError, nearest
from gift_lib.intervals import Estimate
from gift_lib.runs import sweeps
from gift_lib.runs.published import METRICS

#: By order, the sweep whose records hold both answers: those of world 2 do.
SWEEPS = {"I": "table1@2", "II": "table2@2"}
TOLD, UNTOLD = "task told", "not told"
KINDS = {TOLD: "{}", UNTOLD: "{} (all)"}
#: MoE-Adapter in Order I, as printed by a later paper that asks both ways.
PUBLISHED = (
    "In [later work](../book/bibliography.md#jang2026dpw) MoE-Adapter's Last falls from 85.0 to 66.9, by 18.1 points"
)


def _records(frame: pd.DataFrame, order: str, scale: str) -> dict[str, dict[int, Mapping]]:
    """{method: {seed: result}} of the records that hold both answers."""
    if order not in SWEEPS:
        raise ConfigError(f"there is no order {order!r}; {nearest(order, SWEEPS)}")
    found = tables.by_variant(frame, sweeps.load(SWEEPS[order], scale))
    return {v: {s: r["result"] for s, r in own.items() if "R_all" in r["result"]} for v, own in found.items()}


def numbers(frame: pd.DataFrame, order: str, scale: str = "mini") -> pd.DataFrame:
    """A row per method, metric, seed and `kind` of question (TOLD, UNTOLD): its `value` in percent."""
    rows = []
    for method, own in _records(frame, order, scale).items():
        both = {seed: metrics.summary(r["R"]) | metrics.open_summary(r) for seed, r in own.items()}
        rows += [[method, m, seed, kind, found[name.format(m)]] for seed, found in both.items()
                 for m, (kind, name) in itertools.product(METRICS, KINDS.items())]  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "metric", "seed", "kind", "value"])


def falls(table: pd.DataFrame, metric: str = "Last") -> dict[str, Estimate]:
    """Points that each method loses in a metric, from the smallest loss to the largest; paired by seed."""
    at = _by_seed(table, metric)
    found = {m: tables.difference(at[m, TOLD], at[m, UNTOLD]) for m in dict.fromkeys(table["method"])}
    return dict(sorted(((m, e) for m, e in found.items() if e), key=lambda item: item[1].mean))


def turned(table: pd.DataFrame, metric: str = "Last") -> pd.DataFrame:
    """Pairs of methods whose order turns: a row with both differences, each clearly on its side of zero.

    Clear is what the 95 % interval over shared seeds leaves on one side, not corrected for the number of pairs.
    """
    at, rows = _by_seed(table, metric), []
    for pair in itertools.permutations(dict.fromkeys(table["method"]), 2):
        told, untold = (tables.difference(*(at[m, kind] for m in pair)) for kind in KINDS)
        if told and untold and None not in (told.low, untold.high) and told.low > 0 > untold.high:
            rows.append([*pair, str(told), str(untold)])
    return pd.DataFrame(rows, columns=["first where the task is told", "first where it is not", TOLD, UNTOLD])


def _by_seed(table: pd.DataFrame, metric: str) -> dict[tuple[str, str], dict[int, float]]:
    own = table[table["metric"] == metric]
    at = {key: dict(zip(g["seed"], g["value"], strict=True)) for key, g in own.groupby(["method", "kind"])}
    # Nothing of zero-shot is drawn: its one value stands for every seed.
    fixed = {key: dict.fromkeys(own["seed"], *v.values()) for key, v in at.items() if key[0] == "Zero-shot"}
    return at | fixed


def opening(frame: pd.DataFrame, scale: str = "mini") -> Box | None:
    """The box: who loses least and most in Last, who is first, and MoE-Adapter's published fall; None without any."""
    found = {order: t for order in SWEEPS if len(t := numbers(frame, order, scale))}
    if not found:
        return None
    lost = {order: falls(t) for order, t in found.items()}
    moe = [f"{e['MoE-Adapter']} (Order {o})" for o, e in lost.items() if "MoE-Adapter" in e]
    places = [f"{len(turned(t)) or 'none'} in Order {o}" for o, t in found.items()]
    told = [_told(order, t, lost[order]) for order, t in found.items()]
    many = [f"{seeds(e.n for e in es.values())} per method in Order {o}" for o, es in lost.items()]
    return Box(
        f"Where the task is not told, every method loses points of Last. {'. '.join(told)}.",
        f"{listed(many)}, ± is half a 95 % interval. Pairs of methods that clearly change places: {listed(places)}.",
        "The slides always tell the task." + (f" {PUBLISHED}; here by {listed(moe)}." if moe else ""),
    )


def _told(order: str, table: pd.DataFrame, lost: dict[str, Estimate]) -> str:
    """What an order shows, in half a sentence."""
    names = list(lost)
    gift = f", GIFT {lost['GIFT']}" if "GIFT" in lost else ""
    means = table[table["metric"] == "Last"].groupby(["kind", "method"])["value"].mean()
    first = [means[kind].idxmax() for kind in KINDS]
    stays = f"*{first[0]}* stays first" if first[0] == first[1] else f"*{first[1]}* takes the place of *{first[0]}*"
    ends = f"least *{names[0]}* ({lost[names[0]]}), most *{names[-1]}* ({lost[names[-1]]}){gift}"
    return f"In Order {order} {ends}; {stays}"


def per_task(frame: pd.DataFrame, order: str, scale: str = "mini") -> pd.DataFrame:
    """Points of Last that each method (rows) loses on each task (columns), means over seeds."""
    found = _records(frame, order, scale).items()
    lost = {m: [pd.Series(r["R"][-1], r["tasks"]) - r["R_all"][-1] for r in own.values()] for m, own in found}
    return pd.DataFrame({m: sum(parts) / len(parts) for m, parts in lost.items() if parts}).T
