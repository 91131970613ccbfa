"""What tables say, as sentences: pages state a finding by code, so that no text outlives the records behind it."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gift_lib import intervals, metrics
from gift_lib.book import tables
from gift_lib.book.claims import Judged
from gift_lib.intervals import Estimate
from gift_lib.runs import numerics, sweeps
from gift_lib.runs import published as paper

#: p-values below this (after Holm's correction) count as a difference.
ALPHA = 0.05
#: Where a page number of the slides leads.
SLIDES = "../book/bibliography.md#wu2025gift"
#: The last line of a box.
LEGEND = (
    "[Transfer, Avg and Last](metrics.ipynb): accuracy in % on tasks not learned yet, over all stages, and at the end; "
    "differences in points of it."
)


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
    corrected = intervals.holm([ours.p for _, _, ours, _ in raw])
    return [Pair(metric, a, b, ours, p, gap) for (a, b, ours, gap), p in zip(raw, corrected, strict=True)]


def ranking(frame: pd.DataFrame, order: str = "I", scale: str = "mini") -> list[str]:
    """Where the order of methods differs from the paper's: a paragraph per metric, then a table of the reversed pairs.

    Empty without records.
    """
    lines, wrong = [], []
    for metric in paper.METRICS:
        found = pairs(frame, order, metric, scale)
        if not found:
            continue
        count = {v: sum(p.verdict == v for p in found) for v in ("as published", "reversed", "undecided")}
        text = f"**{metric}.** Of {len(found)} pairs of methods {count['as published']} stand in the published order, "
        lines.append(text + f"{count['reversed']} in the reverse one, and {count['undecided']} are undecided.")
        wrong += sorted((p for p in found if p.verdict == "reversed"), key=lambda p: p.ours.mean)
    if wrong:
        lines += ["The reversed pairs, with the difference in points here and in the paper:", _reversed(wrong)]
    return lines


def _reversed(wrong: Sequence[Pair]) -> str:
    rows = [[p.metric, p.second, p.first, f"{-p.ours.mean:+.1f}", f"{-p.published:+.1f}"] for p in wrong]
    table = pd.DataFrame(rows, columns=["metric", "higher here", "lower here", "difference", "published"])
    return tables.markdown(table.set_index("metric"))


def differences(frame: pd.DataFrame, sweep: str, scale: str = "mini") -> list[str]:
    """What a sweep's settings change against its default setting, one paragraph per metric; empty without records."""
    default = tables.default_variant(sweeps.load(sweep, scale))
    table = tables.ablation(frame, sweep, scale)
    lines = []
    for metric in paper.METRICS if default else ():
        block = table[metric].drop(index=default)
        block = block[block["Δ"].notna()]
        if len(block):
            lines.append(f"**{metric}.** {_sentence(block, table[metric], default)}")
    return lines


def readings(frame: pd.DataFrame, sweep: str, of: Mapping[str, Mapping[str, str]], scale: str = "mini") -> list[str]:
    """What settings tell, a list item each: `of` holds a text for "above" and for "below" the default.

    Only what the records say is read out; empty without them. Of what is not clear they say how large it may be.
    """
    default = tables.default_variant(sweeps.load(sweep, scale))
    table, lines = tables.ablation(frame, sweep, scale), []
    for v, texts in of.items():
        rows = {m: table.loc[v, m] for m in paper.METRICS}
        clear = {m: r["Δ"] for m, r in rows.items() if r["p"] < ALPHA}
        kinds = {k: [m for m, d in clear.items() if (d > 0) == (k == "above")] for k in ("above", "below")}
        said = [f"clearly {k} *{default}* in {listed(ms)}: {texts[k]}." for k, ms in kinds.items() if ms]
        ends = {m: e for m, r in rows.items() if m not in clear and (e := _ends(r))}
        undecided = [f"{m} ({low:+.1f} to {high:+.1f})" for m, (low, high) in ends.items()]
        said += [f"not clearly different from *{default}* in {listed(undecided)}."] if undecided else []
        if said:
            lines.append(f"- *{v}* is {' It is '.join(said)}")
    return lines


def within(frame: pd.DataFrame, sweep: str, of: Sequence[tuple[str, str]], scale: str = "mini") -> str:
    """How far apart pairs of settings may be, by the intervals of all their differences."""
    found = tables.by_variant(frame, sweeps.load(sweep, scale))
    known = [e for a, b in of for m in paper.METRICS if (e := tables.compare(found, a, b, m)) and e.low is not None]
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
    more, less = (", ".join(clear.index[(clear["Δ"] * sign) > 0]) or "none" for sign in (1, -1))
    return f"Of {len(table)} tasks, {metric} is clearly higher with *{a}* than with *{b}* in: {more}; lower in: {less}."


def _sentence(block: pd.DataFrame, whole: pd.DataFrame, default: str) -> str:
    said = {"Clearly above": [], "Clearly below": [], "Not clearly different from": []}
    for v in block.index:
        unclear = not block.at[v, "p"] < ALPHA
        kind = "Not clearly different from" if unclear else "Clearly above" if block.at[v, "Δ"] > 0 else "Clearly below"
        said[kind].append(_change(v, block, whole, default))
    return " ".join(f"{kind} *{default}*: {', '.join(parts)}." for kind, parts in said.items() if parts)


def _change(variant: str, block: pd.DataFrame, whole: pd.DataFrame, default: str) -> str:
    row = block.loc[variant]
    half = "" if np.isnan(row["Δ ±"]) else f" ± {row['Δ ±']:.1f}"
    gap = whole.at[variant, "published"] - whole.at[default, "published"]
    beside = "" if np.isnan(gap) else f"; published {gap:+.1f}"
    return f"*{variant}* ({row['Δ']:+.1f}{half}{beside})"


def scores(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """Transfer, Avg and Last (percent) of some records by name, the untouched model first."""
    first = next(iter(runs.values()))["result"]
    zero = [first["zero_shot"]] * len(first["zero_shot"])
    rows = {"Zero-shot": metrics.summary(zero), **{name: tables.numbers(r) for name, r in runs.items()}}
    return pd.DataFrame({k: {m: v[m] for m in paper.METRICS} for k, v in rows.items()}).T.astype(float).round(1)


def reason(j: Judged) -> str:
    """The weakest comparison with its effect and the published one, or the commands that are missing."""
    o = j.deciding
    if o.effect is None:
        return "Needs " + " and ".join(f"`{command}`" for command in j.missing) + "."
    beside = "" if o.paper is None else f", published {o.paper:+.1f}"
    form = ".1f" if o.comparison.test == "above" else "+.1f"
    half = "" if o.effect.half_width is None else f" ± {o.effect.half_width:.1f}"
    first = f"Weakest of {len(j.outcomes)} comparisons: " if len(j.outcomes) > 1 else ""
    wider = f" (± {o.corrected.half_width:.1f} when corrected for all comparisons)" if o.hangs_on_correction else ""
    return f"{first}{o.comparison}? Ours {o.effect.mean:{form}}{half}{wider} over {o.effect.n} seeds{beside}."


def opening(frame: pd.DataFrame, sweep: str, scale: str = "mini") -> str:
    """Three short paragraphs on a sweep with a default setting, as a Markdown quotation; '' without records."""
    loaded = sweeps.load(sweep, scale)
    default = tables.default_variant(loaded)
    table = tables.ablation(frame, sweep, scale)
    cells = [(m, v) for m in paper.METRICS for v in table.index if v != default and not np.isnan(table.at[v, (m, "Δ")])]
    if not default or not cells:
        return ""
    clear = [(m, v) for m, v in cells if table.at[v, (m, "p")] < ALPHA]
    came = f"{loaded.title}: {_largest(table, clear, default)}{_others(table, cells, clear)}"
    sure = f"{_surety(table, cells, clear)}{older(frame, loaded)}"
    own = sweep.startswith("own-")
    return quotation(came, sure, "The paper has no such experiment." if own else _against(table, clear, default))


def _others(table: pd.DataFrame, cells: Sequence[tuple[str, str]], clear: Sequence[tuple[str, str]]) -> str:
    """What the largest differences leave out: settings with other clear ones, and those that are undecided."""
    largest = _tops(table, clear).values()
    more = {v: [f"{m} {table.at[v, (m, 'Δ')]:+.1f}" for m, w in clear if w == v] for _, v in clear}
    named = [f"*{v}* ({listed(ms)})" for v, ms in more.items() if v not in largest]
    said = f" Clear, too: {listed(named)}." if named else ""
    same = [v for v in dict.fromkeys(v for _, v in cells) if v not in more]
    ends = [e for m, v in cells if v in same and (e := _ends(table.loc[v, m])) is not None]
    if not ends:
        return said
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    return f"{said} Undecided: {listed([f'*{v}*' for v in same])}, by intervals that span {low:+.1f} to {high:+.1f}."


def _ends(row: Mapping[str, float]) -> tuple[float, float] | None:
    """The 95 % interval of a difference; None where there is one run only."""
    return None if np.isnan(row["Δ ±"]) else (row["Δ"] - row["Δ ±"], row["Δ"] + row["Δ ±"])


def _tops(table: pd.DataFrame, clear: Sequence[tuple[str, str]]) -> dict[str, str]:
    """By metric, the setting with the largest clear difference."""
    return {m: max((v for n, v in clear if n == m), key=lambda v: abs(table.at[v, (m, "Δ")])) for m, _ in clear}


def _largest(table: pd.DataFrame, clear: Sequence[tuple[str, str]], default: str) -> str:
    """The largest clear effect in each metric."""
    tops: dict[str, list[str]] = {}
    for m, v in _tops(table, clear).items():
        tops.setdefault(v, []).append(m)
    if not tops:
        return f"no setting clearly differs from the default, *{default}*, in any of the three numbers."
    effects = [f"with *{v}* {listed([_moves(table, m, v) for m in ms])}" for v, ms in tops.items()]
    rest = [m for m in paper.METRICS if m not in {metric for metric, _ in clear}]
    nothing = f" In {listed(rest)} no setting clearly differs." if rest else ""
    return f"compared with the default, *{default}*, {'; '.join(effects)} (the largest clear differences).{nothing}"


def _moves(table: pd.DataFrame, metric: str, setting: str) -> str:
    delta, half = (table.at[setting, (metric, name)] for name in ("Δ", "Δ ±"))
    text = f"{metric} {'rises' if delta > 0 else 'falls'} by {abs(delta):.1f}"
    return text if np.isnan(half) else f"{text} ± {half:.1f}"


def _surety(table: pd.DataFrame, cells: Sequence, clear: Sequence) -> str:
    many = len({v for _, v in cells}) > 1
    return (
        f"{seeds(int(table.at[v, (m, 'n')]) for m, v in cells)} per setting; {counted(len(clear), len(cells))}"
        f"{' (corrected, in each metric, for the number of settings)' if many else ''}, ± is half a 95 % interval."
    )


def older(frame: pd.DataFrame, sweep: sweeps.Sweep) -> str:
    """That runs are of an earlier version, and in which rows it matters by more than rounding; '' for none."""
    if not tables.age(frame, sweep):
        return ""
    found = tables.by_variant(frame, sweep)
    more = [f"*{v}*" for v in sweep.variants if any(map(numerics.touched, found[v].values()))]
    said = f"; it reaches further in {listed(more)} ({numerics.MARK})" if more else ""
    return f" Runs are of an earlier version of this code: what changed since stands below the table{said}."


def seeds(counts: Iterable[int]) -> str:
    """From the fewest to the most seeds."""
    found = sorted(counts)
    span = f"{found[0]}" if found[0] == found[-1] else f"{found[0]} to {found[-1]}"
    return f"{span} seed{'s' if found[-1] > 1 else ''}"


def counted(clear: int, of: int) -> str:
    """How many differences are clear."""
    return f"{clear} of {of} differences {'is' if clear == 1 else 'are'} clear"


def _against(table: pd.DataFrame, clear: Sequence[tuple[str, str]], default: str) -> str:
    """Clear differences that point the other way than the published ones."""
    gaps = {(m, v): table.at[v, (m, "published")] - table.at[default, (m, "published")] for m, v in clear}
    known = {c: round(g, 1) for c, g in gaps.items() if not np.isnan(g) and round(g, 1)}
    turned = [c for c, gap in known.items() if gap * table.at[c[1], (c[0], "Δ")] < 0]
    return beside(len(known), [
        f"*{v}* in {m} ({both(table.at[v, (m, 'Δ')], known[m, v])})" for m, v in turned
    ])  # fmt: skip


def both(ours: float, published: float) -> str:
    """A difference here and in the paper."""
    return f"{ours:+.1f} here, {published:+.1f} published"


def beside(known: int, turned: Sequence[str], most: int = 3) -> str:
    """Of how many clear differences the paper prints one, too, and which of them have another sign there."""
    if not known:
        return "The paper has no number for a difference that is clear here."
    first = f"The paper has numbers for {known} of the clear differences"
    if not turned:
        return f"{first}: {'all have' if known > 1 else 'it has'} the same sign."
    named = f"{'most of all ' if len(turned) > most else ''}{listed(turned[:most])}"
    return f"{first}: {len(turned)} {'has' if len(turned) == 1 else 'have'} the other sign, {named}."


def opening_of_table(frame: pd.DataFrame, order: str, scale: str = "mini") -> str:
    """The same for Table 1 or 2: where GIFT stands, how many pairs are decided, which order is reversed."""
    sweep = tables.main_sweep(frame, order, scale)
    estimates = tables.estimates(frame, sweep)
    trained = {v: row for v, row in estimates.items() if v != "Zero-shot" and all(row[m] for m in paper.METRICS)}
    found = [p for m in paper.METRICS for p in pairs(frame, order, m, scale)]
    if "GIFT" not in trained or not found:
        return ""
    ours = [f"{m} {trained['GIFT'][m]}" for m in paper.METRICS]
    count = {k: sum(p.verdict == k for p in found) for k in ("as published", "reversed", "undecided")}
    worst = min((p for p in found if p.verdict == "reversed"), key=lambda p: p.ours.mean, default=None)
    most = "" if not worst else (
        f", most of all {worst.second} above {worst.first} in {worst.metric} "
        f"({both(-worst.ours.mean, -worst.published)})"
    )  # fmt: skip
    printed = paper.main(order).drop(index="zero-shot")
    first = [m for m in paper.METRICS if printed[m].idxmax() == "gift"]
    places = {m: _place(trained, found, m) for m in paper.METRICS}
    here = [m for m, said in places.items() if "ahead" in said and "(clear)" in said]
    return quotation(
        f"GIFT reaches {listed(ours)}: {'; '.join(places.values())}.",
        f"{seeds(e.n for row in trained.values() for e in row.values() if e)} per method, ± is half a 95 % interval. A "
        f"difference, over the seeds that both have, is clear where p < {ALPHA} after Holm's correction over all pairs "
        "of methods in that metric: more is asked than in the table's own test against GIFT, or in a claim."
        f"{older(frame, sweep)}",
        f"There GIFT leads the trained methods in {listed(first) or 'none of the three'}; here it does so clearly in "
        f"{listed(here) or 'none of the three'}. Of {len(found)} comparisons "
        f"(every two methods, three metrics) {count['as published']} are clear in the published order, "
        f"{count['reversed']} in the reverse{most}; {count['undecided']} are open.",
    )


def _place(trained: Mapping[str, Mapping[str, Estimate]], found: Sequence[Pair], metric: str) -> str:
    """GIFT in one metric: how far ahead of the next method, or behind the first, and whether that is clear."""
    other = max((v for v in trained if v != "GIFT"), key=lambda v: trained[v][metric].mean, default="")
    pair = next((p for p in found if p.metric == metric and {p.first, p.second} == {"GIFT", other}), None)
    if not pair:
        return f"in {metric} nothing to compare it with"
    ours = pair.ours.mean if pair.first == "GIFT" else -pair.ours.mean
    sure = "clear" if pair.p is not None and pair.p < ALPHA else "not clear"
    if not round(ours, 1):
        return f"in {metric} level with {other}"
    return f"in {metric} {'ahead of' if ours > 0 else 'behind'} {other} by {abs(ours):.1f} ({sure})"


def quotation(came: str, sure: str, against: str) -> str:
    """The three parts under their names, readable as plain Markdown too."""
    parts = {"What came out.": came, "How sure.": sure, "Beside the paper.": against}
    # Names may end in a full stop of their own.
    return "\n>\n".join([*(f"> **{k}** {text.replace('.*.', '.*')}" for k, text in parts.items()), f"> {LEGEND}"])


def listed(parts: Sequence[str]) -> str:
    """Parts as English lists them; by semicolons where a name holds a comma itself."""
    comma = "; " if any(", " in p and "(" not in p for p in parts) else ", "
    return "".join(parts) if len(parts) < 2 else f"{comma.join(parts[:-1])} and {parts[-1]}"
