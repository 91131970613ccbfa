"""What tables say, as sentences: pages state a finding by code, so that no text outlives the records behind it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gift_lib import metrics, sweeps, tables
from gift_lib import published as paper
from gift_lib.claims import Judged
from gift_lib.metrics import Estimate

#: p-values below this (after Holm's correction) count as a difference.
ALPHA = 0.05


@dataclass(frozen=True)
class Pair:
    """Two methods in one metric: our paired difference first - second, its corrected p, and the published one."""

    metric: str
    first: str
    second: str
    ours: Estimate
    p: float | None
    published: float

    @property
    def verdict(self) -> str:
        """ "as published", "reversed" or "undecided"; pairs that are published as equal are undecided."""
        if self.p is None or self.p >= ALPHA or not self.published:
            return "undecided"
        return "as published" if self.ours.mean * self.published > 0 else "reversed"


def pairs(frame: pd.DataFrame, order: str = "I", metric: str = "Avg", scale: str = "mini") -> list[Pair]:
    """Every two trained methods of Table 1 or 2 that have records, the published better one first.

    Paired t tests over shared seeds, corrected by Holm over all pairs of the table in this metric.
    """
    sweep = tables.main_sweep(frame, order, scale)
    found, printed = tables.by_variant(frame, sweep), paper.main(order)[metric]
    method = {c.variant: c.experiment.method for c in sweep.cells}
    known = [v for v in found if found[v] and method[v] in printed.index and method[v] != "zero-shot"]
    raw = []
    for a, b in itertools.combinations(known, 2):
        first, second = (a, b) if printed[method[a]] >= printed[method[b]] else (b, a)
        ours = tables.compare(found, first, second, metric)
        if ours:
            raw.append((first, second, ours, round(printed[method[first]] - printed[method[second]], 1)))
    corrected = metrics.holm([ours.p for _, _, ours, _ in raw])
    return [Pair(metric, a, b, ours, p, gap) for (a, b, ours, gap), p in zip(raw, corrected, strict=True)]


def ranking(frame: pd.DataFrame, order: str = "I", scale: str = "mini") -> list[str]:
    """Where the order of methods differs from the paper's, one paragraph per metric; empty without records."""
    lines = []
    for metric in paper.METRICS:
        found = pairs(frame, order, metric, scale)
        if not found:
            continue
        count = {v: sum(p.verdict == v for p in found) for v in ("as published", "reversed", "undecided")}
        text = f"**{metric}.** Of {len(found)} pairs of methods {count['as published']} stand in the published order, "
        text += f"{count['reversed']} in the reverse one, and {count['undecided']} cannot be told apart."
        wrong = sorted((p for p in found if p.verdict == "reversed"), key=lambda p: p.ours.mean)
        if wrong:
            text += " Reversed: " + "; ".join(_reversed(p) for p in wrong) + "."
        lines.append(text)
    return lines


def _reversed(p: Pair) -> str:
    return f"{p.second} above {p.first} by {-p.ours.mean:.1f} (published: {p.published:.1f} below)"


def differences(frame: pd.DataFrame, sweep: str, scale: str = "mini") -> list[str]:
    """What a sweep's settings change against its default setting, one paragraph per metric; empty without records."""
    default = tables.default_variant(sweeps.load(sweep, scale))
    table = tables.ablation(frame, sweep, scale)
    lines = []
    for metric in paper.METRICS if default else ():
        block = table[metric].drop(index=default)
        block = block[block["Δ"].notna()]
        if len(block):
            lines.append(f"**{metric}**, against *{default}*: {_sentence(block, table[metric], default)}")
    return lines


def _sentence(block: pd.DataFrame, whole: pd.DataFrame, default: str) -> str:
    clear = [v for v in block.index if block.at[v, "p"] < ALPHA]
    said = [_change(v, block, whole, default) for v in clear]
    rest = [_change(v, block, whole, default) for v in block.index if v not in clear]
    text = "; ".join(said)
    if rest:
        text += ("; not" if text else "not") + " told apart from it: " + "; ".join(rest)
    return text + "."


def _change(variant: str, block: pd.DataFrame, whole: pd.DataFrame, default: str) -> str:
    row = block.loc[variant]
    half = "" if np.isnan(row["Δ ±"]) else f" ± {row['Δ ±']:.1f}"
    text = f"*{variant}* {row['Δ']:+.1f}{half}"
    gap = whole.at[variant, "published"] - whole.at[default, "published"]
    return text if np.isnan(gap) else f"{text} (published {gap:+.1f})"


def scores(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """Transfer, Avg and Last (percent) of some records by name, the untouched model first."""
    first = next(iter(runs.values()))["result"]
    zero = [first["zero_shot"]] * len(first["zero_shot"])
    rows = {"Zero-shot": metrics.summary(zero), **{name: tables.numbers(r) for name, r in runs.items()}}
    return pd.DataFrame({k: {m: v[m] for m in paper.METRICS} for k, v in rows.items()}).T.astype(float).round(1)


def verdicts(judged: Sequence[Judged]) -> str:
    """Claims as a Markdown list by part: verdict, statement, where it stands, and what the verdict hangs on."""
    lines, part = [], ""
    for j in judged:
        if j.claim.part != part:
            part = j.claim.part
            lines.append(f"\n**{part}**\n")
        lines.append(f"- **{j.verdict}**: {j.claim.text} *({j.claim.where})* {_reason(j)}".rstrip())
    return "\n".join(lines).strip()


def _reason(j: Judged) -> str:
    """The weakest comparison with its effect and the published one, or the commands that are missing."""
    o = j.deciding
    if o.effect is None:
        return "; ".join(f"`{command}`" for command in j.missing)
    beside = "" if o.paper is None else f"; published {o.paper:+.1f}"
    form = ".1f" if o.comparison.test == "above" else "+.1f"
    half = "" if o.effect.half_width is None else f" ± {o.effect.half_width:.1f}"
    of = f", the weakest of {len(j.outcomes)}" if len(j.outcomes) > 1 else ""
    return f"{o.comparison}: {o.effect.mean:{form}}{half}{beside} ({o.effect.n} seeds{of})."
