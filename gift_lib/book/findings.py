"""What tables say, as sentences: pages state a finding by code, so that no text outlives the records behind it."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from gift_lib import intervals, metrics
from gift_lib.evidence import tables
from gift_lib.evidence.claims import Judged
from gift_lib.intervals import Estimate
from gift_lib.runs import published as paper
from gift_lib.runs import sweeps
from gift_lib.runs.published import METRICS
from gift_lib.runs.repository import book_folder
from gift_lib.runs.sweeps import Sweep

#: p-values below this (after Holm's correction) count as a difference.
ALPHA = 0.05
#: Where a page number of the slides leads.
SLIDES = "../book/bibliography.md#wu2025gift"
#: What pages call a difference that chance does not explain, and where that is said.
CLEAR = "[clear](../book/glossary.md#term-Clear-difference)"
#: The last line of a box.
LEGEND = (
    "[Transfer, Avg and Last](metrics.ipynb): accuracy in % on tasks not learned yet, over all stages, and at the end; "
    "differences in points of it."
)


@dataclass(frozen=True)
class Box:
    """What opens a page: the finding in a sentence, how sure, beside the paper, and what `more` was found."""

    lead: str
    sure: str = ""
    against: str = ""
    more: str = ""

    def __str__(self) -> str:
        """A Markdown quotation, its parts under their names; what is missing by itself."""
        parts = {"What came out.": f"{self.lead} {self.more}".strip(), "How sure.": self.sure,
                 "Beside the paper.": self.against}  # fmt: skip
        said = [*(f"**{k}** {text}" for k, text in parts.items()), LEGEND] if self.sure else [self.lead]
        return "\n>\n".join("> " + text.replace("\n", "\n> ") for text in said)


@dataclass(frozen=True)
class Contrast:
    """One row less another in one metric, over shared seeds: where it was measured, the published one, corrected p.

    `name` is the other method where GIFT is compared with it in several places, else the setting.
    """

    name: str
    where: str
    metric: str
    ours: Estimate
    published: float | None
    p: float | None = None
    first: str = ""
    second: str = ""

    @property
    def sign(self) -> int:
        """1 or -1 where the difference is clear, else 0."""
        return 0 if self.p is None or self.p >= ALPHA else 1 if self.ours.mean > 0 else -1

    @property
    def verdict(self) -> str:
        """ "as published", "reversed" or "undecided"; what is published as equal is undecided."""
        if not self.sign or not self.published:
            return "undecided"
        return "as published" if self.sign * self.published > 0 else "reversed"

    def __str__(self) -> str:
        return f"GIFT minus {self.name}" if self.where else f"*{self.name}*"


def question(sweep: str) -> dict:
    """What the page of a sweep compares, where `book/data/questions.yml` says more than its settings do."""
    return _questions(book_folder() / "data" / "questions.yml").get(sweep, {})


@cache  # the overview of ablations asks for every sweep
def _questions(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def against_default(sweep: Sweep) -> dict[str, tuple[str, str]]:
    """Each setting beside the default one, {name: (a, b)}; empty where a sweep has none."""
    default = tables.default_variant(sweep)
    return {v: (v, default) for v in sweep.variants if default and v != default}


def gap(printed: Mapping[str, Mapping[str, float]], a: str, b: str, metric: str) -> float | None:
    """The published difference of two rows; None where the paper has not both."""
    known = metric in METRICS and a in printed and b in printed
    return round(printed[a][metric] - printed[b][metric], 1) if known else None


def compared(
    frame: pd.DataFrame, sweep: Sweep, of: Mapping[str, Sequence[str]] | None = None, names: Sequence[str] = METRICS
) -> list[Contrast]:
    """Pairs of settings {name: (a, b)}, by default each with the default setting, in some metrics.

    p is of a paired t test, corrected by Holm over the pairs, metric by metric. What has no records is left out.
    """
    found, printed = tables.by_variant(frame, sweep), tables.published_of(sweep)
    of = against_default(sweep) if of is None else of
    made = []
    for m in names:
        ours = {n: e for n, (a, b) in of.items() if (e := tables.compare(found, a, b, m))}
        for (n, e), p in zip(ours.items(), intervals.holm([e.p for e in ours.values()]), strict=True):
            made.append(Contrast(n, "", m, e, gap(printed, *of[n], m), p, *of[n]))
    return made


def pairs(frame: pd.DataFrame, order: str = "I", metric: str = "Avg", scale: str = "mini") -> list[Contrast]:
    """Every two trained methods of Table 1 or 2 that have records, the published better one less the other."""
    sweep = tables.main_sweep(frame, order, scale)
    printed, method = paper.main(order)[metric], {c.variant: c.experiment.method for c in sweep.cells}
    known = [v for v in sweep.variants if method[v] in printed.index and method[v] != "zero-shot"]
    two = [sorted(p, key=lambda v: -printed[method[v]]) for p in itertools.combinations(known, 2)]
    return compared(frame, sweep, {" and ".join(p): p for p in two}, [metric])


def ranking(frame: pd.DataFrame, order: str = "I", scale: str = "mini") -> list[str]:
    """Where the order of methods differs from the paper's: a paragraph per metric, then a table of the reversed pairs.

    Empty without records.
    """
    lines, wrong = [], []
    for metric in METRICS:
        found = pairs(frame, order, metric, scale)
        if not found:
            continue
        count = {v: sum(p.verdict == v for p in found) for v in ("as published", "reversed", "undecided")}
        text = f"**{metric}.** Of {len(found)} pairs of methods {count['as published']} stand in the published order, "
        lines.append(text + f"{count['reversed']} in the reverse one, and {count['undecided']} are undecided.")
        wrong += sorted((p for p in found if p.verdict == "reversed"), key=lambda p: p.ours.mean)
    if wrong:
        rows = [[p.metric, p.second, p.first, f"{-p.ours.mean:+.1f}", f"{-p.published:+.1f}"] for p in wrong]
        table = pd.DataFrame(rows, columns=["metric", "higher here", "lower here", "difference", "published"])
        lines.append("The reversed pairs, with the difference in points here and in the paper:")
        lines.append(tables.markdown(table.set_index("metric")))
    return lines


def signed(e: Estimate, sign: int = 1) -> str:
    """A difference, or with a `sign` of -1 its reverse, with its sign and its interval."""
    return intervals.shown(sign * e.mean, e.half_width, "+")


def readings(frame: pd.DataFrame, sweep: str, of: Mapping[str, Mapping], scale: str = "mini") -> list[str]:
    """What settings tell, a list item each: `of` holds a text for "above" and for "below" the default.

    Only what the records say is read out; empty without them. Of what is not clear they say how large it may be, and
    of what is `expected` ({metric: "above" or "below"}) whether it came.
    """
    loaded = sweeps.load(sweep, scale)
    found, default, lines = compared(frame, loaded), tables.default_variant(loaded), []
    for v, texts in of.items():
        own = {c.metric: c for c in found if c.name == v}
        kinds = {k: [m for m, c in own.items() if c.sign == s] for k, s in _SIGNS.items()}
        said = [f"It is clearly {k} *{default}* in {listed(ms)}: {texts[k]}." for k, ms in kinds.items() if ms]
        unclear = {m: c.ours for m, c in own.items() if not c.sign and c.ours.low is not None}
        undecided = listed([f"{m} ({e.low:+.1f} to {e.high:+.1f})" for m, e in unclear.items()])
        said += [f"It is not clearly different from *{default}* in {undecided}."] if undecided else []
        tested = {m: c for m, c in own.items() if c.ours.low is not None}
        expected = [(m, k, _CAME[c.sign * _SIGNS[k]]) for m, k in texts.get("expected", {}).items()
                    if (c := tested.get(m))]  # fmt: skip
        said += [f"One would expect it {k} in {m}: {came}." for m, k, came in expected]
        lines += [f"- *{v}* {' '.join(said).removeprefix('It ')}"] if said else []
    return lines


#: Directions of a difference, as `readings` calls them, and whether one came that was expected.
_SIGNS = {"above": 1, "below": -1}
_CAME = {1: "it is", 0: "that is not borne out", -1: "the reverse is clear"}


def within(found: Sequence[Contrast]) -> str:
    """How far apart pairs of settings may be, by the intervals of all their differences."""
    known = [c.ours for c in found if c.ours.low is not None]
    if not known:
        return ""
    apart, widest = sum(e.low > 0 or e.high < 0 for e in known), max(max(-e.low, e.high) for e in known)
    # Rounded up: a bound that is rounded down is none.
    bound = f"{np.ceil(10 * widest - 1e-9) / 10:.1f}"
    return f"On one side of zero: {apart} of {len(known)} intervals. All of them lie within ±{bound} points."


def tasks(table: pd.DataFrame, metric: str) -> str:
    """In which tasks of a `tables.per_task_difference` the two settings clearly differ."""
    a, b = table.columns[:2]
    clear = table[table["p"] < ALPHA]
    if clear.empty:
        return f"In none of {len(table)} tasks {metric} clearly differs between *{a}* and *{b}*."
    more, less = (", ".join(clear.index[(clear["Δ"] * sign) > 0]) or "none" for sign in (1, -1))
    return f"Of {len(table)} tasks, {metric} is clearly higher with *{a}* than with *{b}* in: {more}; lower in: {less}."


def scores(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """Transfer, Avg and Last (percent) of some records by name, the untouched model first; empty where not defined."""
    first = next(iter(runs.values()))["result"]
    zero = [first["zero_shot"]] * len(first["zero_shot"])
    rows = {"Zero-shot": metrics.summary(zero), **{name: tables.numbers(r) for name, r in runs.items()}}
    table = pd.DataFrame({k: {m: v[m] for m in METRICS} for k, v in rows.items()}).T.astype(float).round(1)
    return table.astype(object).where(table.notna(), "")


def reason(j: Judged) -> str:
    """The weakest comparison with its effect and the published one, or the commands that are missing."""
    o = j.deciding
    if o.effect is None:
        return "Needs " + " and ".join(f"`{command}`" for command in j.missing) + "."
    beside = "" if o.paper is None else f", published {o.paper:+.1f}"
    form = "" if o.comparison.test == "above" else "+"
    ours = intervals.shown(o.effect.mean, o.effect.half_width, form, o.comparison.limits)
    first = f"Weakest of {len(j.outcomes)} comparisons: " if len(j.outcomes) > 1 else ""
    wider = f" (± {o.corrected.half_width:.1f} when corrected for all comparisons)" if o.hangs_on_correction else ""
    return f"{first}{o.comparison}? Ours {ours}{wider} over {o.effect.n} seeds{beside}."


def grouped(of: Iterable[tuple[str, str]]) -> list[str]:
    """(name, metric) as phrases: names of the same metrics together."""
    numbers: dict[str, list[str]] = {}
    for name, metric in of:
        numbers.setdefault(name, []).append(metric)
    alike = {tuple(ms): [n for n, own in numbers.items() if own == ms] for ms in numbers.values()}
    return [
        f"{listed(n)} in {listed(ms) if len(ms) < len(METRICS) else 'all three numbers'}" for ms, n in alike.items()
    ]


def seeds(counts: Iterable[int]) -> str:
    """From the fewest to the most seeds."""
    found = sorted(counts)
    span = f"{found[0]}" if found[0] == found[-1] else f"{found[0]} to {found[-1]}"
    return f"{span} seed{'s' if found[-1] > 1 else ''}"


def counted(clear: int, of: int) -> str:
    """How many differences are clear."""
    return f"{clear} of {of} differences {'is' if clear == 1 else 'are'} {CLEAR}"


def both(ours: float, published: float) -> str:
    """A difference here and in the paper."""
    return f"{ours:+.1f} here, {published:+.1f} published"


def beside(known: int, turned: Sequence[str], level: int = 0) -> str:
    """Of how many clear differences the paper prints one, too, which of them have another sign there, how many none."""
    if not (known or level):
        return "The paper has no number for a difference that is clear here."
    said = (
        [f"The paper has numbers for {known} of the clear differences: {_same_sign(known, turned)}."] if known else []
    )
    said += [f"It prints {level} {'more' if known else 'of them'} as equal."] if level else []
    return " ".join(said)


def _same_sign(known: int, turned: Sequence[str]) -> str:
    """Whether `known` differences have the sign that the paper prints, and which do not: all, or the first three."""
    if not turned:
        return f"{'all have' if known > 1 else 'it has'} the same sign"
    named = f"{'most of all ' if len(turned) > 3 else ''}{listed(turned[:3])}"
    return f"{len(turned)} {'has' if len(turned) == 1 else 'have'} the other sign, {named}"


def listed(parts: Sequence[str]) -> str:
    """Parts as English lists them; by semicolons where a name holds a comma itself."""
    comma = "; " if any(", " in p and "(" not in p for p in parts) else ", "
    return "".join(parts) if len(parts) < 2 else f"{comma.join(parts[:-1])} and {parts[-1]}"
