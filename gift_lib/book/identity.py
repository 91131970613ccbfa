"""What methods lose where nobody says which task a picture is of: it is then classified among all tasks' classes."""

import itertools
from collections.abc import Mapping

import pandas as pd

from gift_lib import intervals
from gift_lib.book.findings import ALPHA, Box, listed, seeds, signed
from gift_lib.errors import ConfigError, nearest
from gift_lib.evidence import tables
from gift_lib.intervals import Estimate
from gift_lib.runs import sweeps
from gift_lib.runs.published import METRICS

Answered = Mapping[str, Mapping[int, Mapping]]
#: By order, the sweep whose records hold both answers: those of world 2 do.
SWEEPS = {"I": "table1@2", "II": "table2@2"}
TOLD, UNTOLD = "task told", "not told"
KINDS = {TOLD: "{}", UNTOLD: "{} (all)"}
#: MoE-Adapter in Order I, as printed by a later paper that asks both ways.
PUBLISHED = (
    "In [later work](../book/bibliography.md#jang2026dpw) MoE-Adapter's Last falls from 85.0 to 66.9, by 18.1 points"
)


def answered(frame: pd.DataFrame, order: str, scale: str = "mini") -> dict[str, dict[int, Mapping]]:
    """{method: {seed: record}} of the records that hold both answers: what all else here takes."""
    if order not in SWEEPS:
        raise ConfigError(f"there is no order {order!r}; {nearest(order, SWEEPS)}")
    found = tables.by_variant(frame, sweeps.load(SWEEPS[order], scale))
    return {v: {seed: r for seed, r in own.items() if "R_all" in r["result"]} for v, own in found.items()}


def numbers(found: Answered) -> pd.DataFrame:
    """A row per method, metric, seed and `kind` of question (TOLD, UNTOLD): its `value` in percent."""
    rows = [
        [method, m, seed, kind, value]
        for (method, own), m, (kind, name) in itertools.product(found.items(), METRICS, KINDS.items())
        for seed, value in tables.values(own, name.format(m)).items()
    ]
    return pd.DataFrame(rows, columns=["method", "metric", "seed", "kind", "value"])


def falls(found: Answered) -> dict[str, Estimate]:
    """Points of Last that each method loses, from the smallest loss to the largest; paired by seed."""
    lost = {m: tables.estimate(tables.values(own, "Fall")) for m, own in found.items() if own}
    return dict(sorted(lost.items(), key=lambda item: item[1].mean))


def turned(found: Answered, metric: str = "Last") -> pd.DataFrame:
    """Pairs of methods that clearly change places: a row with both differences and the p-value of the change.

    A pair changes places where both differences are clear, so that its p is the larger one of the two, and 1 where they
    have one sign; Holm's correction is over all pairs.
    """
    asked = {}
    for pair in itertools.combinations(found, 2):
        told, untold = (tables.compare(found, *pair, name.format(metric)) for name in KINDS.values())
        if told and untold and None not in (told.p, untold.p):
            sign = 1 if told.mean > 0 else -1
            p = max(told.p, untold.p) if told.mean * untold.mean < 0 else 1.0
            asked[pair[::sign]] = p, signed(told, sign), signed(untold, sign)
    corrected = intervals.holm([p for p, *_ in asked.values()])
    rows = [
        [*pair, *both, tables.p_text(p)]
        for (pair, (_, *both)), p in zip(asked.items(), corrected, strict=True)
        if p < ALPHA
    ]
    return pd.DataFrame(rows, columns=["first where the task is told", "first where it is not", TOLD, UNTOLD, "p"])


def opening(frame: pd.DataFrame, scale: str = "mini") -> Box | None:
    """The box: who loses least and most in Last, who is first, and MoE-Adapter's published fall; None without any."""
    found = {order: a for order in SWEEPS if any((a := answered(frame, order, scale)).values())}
    if not found:
        return None
    lost = {order: falls(a) for order, a in found.items()}
    moe = [f"{e['MoE-Adapter']} (Order {o})" for o, e in lost.items() if "MoE-Adapter" in e]
    places = [f"{len(turned(a)) or 'none'} in Order {o}" for o, a in found.items()]
    told = [_told(order, numbers(a), lost[order]) for order, a in found.items()]
    drawn = {o: [len(own) for own in a.values() if own and not tables.fixed(own)] or [1] for o, a in found.items()}
    many = [f"{seeds(counts)} per method in Order {o}" for o, counts in drawn.items()]
    gains = {f"*{m}* in Order {o}" for o, own in lost.items() for m, e in own.items() if e.mean <= 0}
    but = f" (not {listed(sorted(gains))})" if gains else ""
    return Box(
        f"Where the task is not told, every method loses points of Last{but}. {'. '.join(told)}.",
        f"{listed(many)}, ± is half a 95 % interval. Pairs of methods that clearly change places "
        f"(corrected for all pairs of an order): {listed(places)}.",
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


def per_task(found: Answered) -> pd.DataFrame:
    """Points of Last that each method (rows) loses on each task (columns), means over seeds."""
    ends = {m: [r["result"] for r in own.values()] for m, own in found.items() if own}
    lost = {m: [pd.Series(r["R"][-1], r["tasks"]) - r["R_all"][-1] for r in of] for m, of in ends.items()}
    return pd.DataFrame({m: sum(parts) / len(parts) for m, parts in lost.items()}).T
