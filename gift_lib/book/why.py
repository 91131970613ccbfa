"""Why methods stand in another order than published: rows of Table 1 with one change each, and what it turns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from gift_lib.book import findings
from gift_lib.book.findings import Contrast
from gift_lib.evidence import tables
from gift_lib.intervals import Estimate
from gift_lib.runs import published as paper
from gift_lib.runs import sweeps
from gift_lib.runs.sweeps import Sweep

SWEEP = "own-why"
#: The three of the tables, and what Last is made of: what was learned, and what of it was forgotten.
METRICS = (*paper.METRICS, "Learned", "Forgetting")
#: What becomes of a reversed pair when one of its methods is changed.
FATES = ("as published", "undecided", "still reversed")
#: Reversed pairs, and for each by change its fate and the difference under it.
Fates = list[tuple[Contrast, dict[str, tuple[str, Estimate]]]]


def changes(sweep: Sweep) -> dict[str, str]:
    """{variant: the row that it changes}, for variants named "ROW, what is changed"."""
    rows = {v: v.partition(", ")[0] for v in sweep.variants}
    return {v: row for v, row in rows.items() if row != v}


def parts(frame: pd.DataFrame, scale: str = "mini") -> pd.DataFrame:
    """Last, Learned and Forgetting of every row of Table 1 as text (percent, mean and interval).

    Over n tasks Last = Learned - (n - 1) / n Forgetting: a low Last is one of two things, or both.
    """
    found = tables.estimates(frame, sweeps.load(tables.MAIN["I"], scale), ("Last", "Learned", "Forgetting"))
    return pd.DataFrame(found).T.map(lambda e: str(e or "")).rename_axis("method")


def effects(frame: pd.DataFrame, scale: str = "mini") -> list[Contrast]:
    """What each change does to its row, metric by metric; p is corrected by Holm over the changes."""
    sweep = sweeps.load(SWEEP, scale)
    return findings.compared(frame, sweep, {v: (v, row) for v, row in changes(sweep).items()}, METRICS)


def shown(found: Sequence[Contrast]) -> pd.DataFrame:
    """`effects` as text: Δ ± per metric, a star where p is below 0.05, then the seeds."""
    rows: dict[str, dict[str, str]] = {}
    for c in found:
        rows.setdefault(c.name, {})[f"Δ {c.metric}"] = f"{findings.signed(c.ours)}{'*' if c.sign else ''}"
    return pd.DataFrame(rows).T.fillna("").assign(n=[str(_of(found, v)[0].ours.n) for v in rows]).rename_axis("change")


def _of(found: Sequence[Contrast], change: str) -> list[Contrast]:
    return [c for c in found if c.name == change]


def sentences(found: Sequence[Contrast]) -> list[str]:
    """`effects` in words, a list item per change."""
    return [f"- **{v}.** {_sentence(_of(found, v))}" for v in dict.fromkeys(c.name for c in found)]


def _sentence(found: Sequence[Contrast]) -> str:
    said = {s: [f"{c.metric} ({findings.signed(c.ours)})" for c in found if c.sign == s] for s in (1, -1, 0)}
    clauses = [f"{verb} {', '.join(said[s])}" for verb, s in (("raises", 1), ("lowers", -1)) if said[s]]
    text = f"It {' and '.join(clauses)}. " if clauses else ""
    return text + (f"No clear effect, all changes tested at once: {', '.join(said[0])}." if said[0] else "")


def reversed_pairs(frame: pd.DataFrame, scale: str = "mini") -> list[Contrast]:
    """The pairs of Table 1 that stand in the reverse of the published order, metric by metric."""
    return [p for m in paper.METRICS for p in findings.pairs(frame, "I", m, scale) if p.verdict == "reversed"]


def fates(frame: pd.DataFrame, scale: str = "mini") -> Fates:
    """Each reversed pair with, by change to one of its two methods, its fate and the difference under the change.

    The difference is published better - published worse over shared seeds. A fate goes by its 95 % interval, without
    a correction: this looks for reasons and tests no claim.
    """
    sweep = sweeps.load(SWEEP, scale)
    found = tables.by_variant(frame, sweeps.load(tables.MAIN["I"], scale)) | tables.by_variant(frame, sweep)
    return [(p, dict(_under(p, changes(sweep), found))) for p in reversed_pairs(frame, scale)]


def _under(pair: Contrast, changed: Mapping[str, str], found: Mapping) -> Iterator[tuple[str, tuple[str, Estimate]]]:
    for v, row in changed.items():
        if row in (pair.first, pair.second):
            a, b = (v if row == name else name for name in (pair.first, pair.second))
            e = tables.compare(found, a, b, pair.metric)
            if e and e.low is not None:
                yield v, (FATES[0] if e.low > 0 else FATES[2] if e.high < 0 else FATES[1], e)


def summed(found: Fates) -> str:
    """The best fate of each reversed pair, counted."""
    best = Counter(min((FATES.index(f) for f, _ in under.values()), default=3) for _, under in found)
    text = f"Of {len(found)} pairs that stand reversed here {best[0]} stand as published under some change, {best[1]} "
    text += f"more become undecided and {best[2]} stay reversed under every one"
    return text + (f"; for {best[3]} none was tried." if best[3] else ".")


def turning(found: Fates) -> str:
    """Which changes set most pairs right; '' where none does."""
    touched = Counter(c for _, under in found for c in under)
    turned = Counter(c for _, under in found for c, (f, _) in under.items() if f == FATES[0]).most_common(2)
    most = findings.listed([f"*{c}* ({n} of its {touched[c]} pairs)" for c, n in turned])
    return f"One thing was changed at a time; most pairs are set right by {most}." if turned else ""


def items(found: Fates) -> str:
    """Each reversed pair under each change to one of its methods, as a Markdown list."""
    return "\n".join(_item(p, under) for p, under in found)


def _item(p: Contrast, under: Mapping[str, tuple[str, Estimate]]) -> str:
    text = f"- **{p.metric}**: {p.second} above {p.first} by {-p.ours.mean:.1f} (published {p.published:.1f} below)."
    for fate in FATES:
        changed = [f"*{v}* ({findings.signed(e, -1)})" for v, (f, e) in under.items() if f == fate]
        text += f" {fate.capitalize()} with {', '.join(changed)}." if changed else ""
    return text


def covered(sentences: Sequence[Sequence[int]], names: Sequence[Sequence[int]]) -> float:
    """The share of names, in percent, of which every token occurs in some sentence."""
    said = {token for sentence in sentences for token in sentence}
    return 100 * sum(said.issuperset(name) for name in names) / len(names)
