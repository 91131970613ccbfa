"""The boxes that open pages: what came out, how sure, and what it contradicts, as the records say it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from gift_lib import intervals
from gift_lib.book import findings, identity, why
from gift_lib.book.findings import ALPHA, Box, Contrast, both, counted, grouped, listed, pairs, question, seeds
from gift_lib.evidence import claims, tables
from gift_lib.evidence.claims import Claim, Comparison, Evidence
from gift_lib.intervals import Estimate
from gift_lib.runs import numerics, sweeps
from gift_lib.runs import published as paper
from gift_lib.runs.published import METRICS
from gift_lib.runs.sweeps import Sweep


def _less(name: str, where: str, form: str) -> tuple[str, str, str, str]:
    return name, where, form.format("GIFT"), form.format(name)


#: What `contrasts` takes: GIFT less others in each order, and on each pre-trained CLIP.
ORDERS = [_less("Continual Finetune", *p) for p in (
    ("Order I", "table1/{}"), ("Order II", "table2/{}"),
    ("shuffle 1", "own-orders/shuffle 1, {}"), ("shuffle 2", "own-orders/shuffle 2, {}"),
)]  # fmt: skip
PRETRAININGS = [_less(n, *p) for n in ("Continual Finetune", "ZSCL", "MoE-Adapter") for p in (
    ("of the tables", "table1/{}"), ("(1)", "pretrainings/{} (1)"), ("(2)", "pretrainings/{} (2)"),
)]  # fmt: skip
LATER = [_less(n, f"Order {o}", f"later@2/{{}} ({o})") for o in ("I", "II") for n in (
    "MoE-Adapter", "ConDU-FT", "RAIL", "KeepLoRA", "KeepLoRA with small steps", "GNSP",
)]  # fmt: skip
#: Each reference less GIFT.
REFERENCES = [(row.split("/")[1], "", row, "table1/GIFT") for row in ("table1/Zero-shot",
    "references/Individual fine-tune", "references/Joint training", "references/GIFT with real images")]  # fmt: skip
#: What the pages of these sweeps compare, in words and as a figure.
CONTRASTS = {"own-orders": ORDERS, "pretrainings": PRETRAININGS, "references": REFERENCES, "later@2": LATER}


def opening(frame: pd.DataFrame, sweep: str, scale: str = "mini") -> Box | None:
    """The box of a sweep with a default setting: what its page asks about; None without records."""
    loaded, asked = sweeps.load(sweep, scale), question(sweep)
    default = tables.default_variant(loaded)
    if not (found := findings.compared(frame, loaded, asked.get("pairs"))):
        return None
    against = asked.get("against", f"compared with *{default}*, the default")
    said = [f"{loaded.title}, {against}: {_directions(found)}.", _undecided(found), asked.get("words", ""),
            *(_task_by_task(frame, loaded, *of) for of in asked.get("tasks", ()))]  # fmt: skip
    lead = said.pop(0) if any(c.sign for c in found) else " ".join((said.pop(0), said.pop(0)))
    many = ", in each metric, for the number of settings" if len({c.name for c in found}) > 1 else ""
    beside_it = "The paper has no such experiment." if sweep.startswith("own-") else contradicted(found)
    sure = surety(found, many) + older(frame, scale, sweep)
    return Box(lead, sure, beside_it + _claimed(frame, sweep, scale), " ".join(filter(None, said)))


def _task_by_task(frame: pd.DataFrame, sweep: Sweep, a: str, b: str, metric: str) -> str:
    """In which tasks two settings clearly differ; '' without records."""
    found = tables.per_task_difference(frame, sweep, a, b, metric)
    return findings.tasks(found, metric) if len(found) else ""


#: How `_directions` calls settings that are clearly above, below, or above in one number and below in another.
SETTINGS = ("clearly better with", "clearly worse with", "better in one number, worse in another with")
METHODS = ("clearly above GIFT:", "clearly below GIFT:", "above it in one number, below it in another:")


def _directions(found: Sequence[Contrast], names: Sequence[str] = SETTINGS) -> str:
    """The clear differences: settings by the direction in which they change the three numbers."""
    clear = {c.name: [d for d in found if d.name == c.name and d.sign] for c in found}
    said = {kind: [f"*{n}* ({listed([f'{c.metric} {findings.signed(c.ours)}' for c in cs])})" for n, cs in clear.items()
                   if {c.sign for c in cs} == signs]
            for kind, signs in zip(names, ({1}, {-1}, {1, -1}), strict=True)}  # fmt: skip
    return "; ".join(f"{kind} {listed(parts)}" for kind, parts in said.items() if parts) or "nothing is clear"


def _undecided(found: Sequence[Contrast]) -> str:
    """What is not clear: settings by the numbers in which they are not, and how large that may be."""
    unclear = [c for c in found if not c.sign and c.ours.low is not None]
    if not unclear:
        return ""
    said = grouped((f"*{c.name}*", c.metric) for c in unclear)
    low, high = min(c.ours.low for c in unclear), max(c.ours.high for c in unclear)
    return f"Undecided: {'; '.join(said)}, by intervals that span {low:+.1f} to {high:+.1f}."


def surety(found: Sequence[Contrast], corrected: str = " for their number") -> str:
    """Seeds, and how many of all differences are clear; `corrected` says for what, if for anything."""
    how = f" (corrected{corrected})" if corrected else ""
    clear = counted(sum(c.sign != 0 for c in found), len(found))
    return f"{seeds(c.ours.n for c in found)} per difference; {clear}{how}, ± is half a 95 % interval."


def contradicted(found: Sequence[Contrast]) -> str:
    """The clear differences that point the other way than the published ones, the largest three by name."""
    wrong = sorted((c for c in found if c.verdict == "reversed"), key=lambda c: -abs(c.ours.mean))
    said = [f"{c} in {c.metric} ({both(c.ours.mean, c.published)})" for c in wrong]
    printed = [c.published for c in found if c.sign and c.published is not None]
    return findings.beside(sum(map(bool, printed)), said, printed.count(0.0))


def _claimed(frame: pd.DataFrame, sweep: str, scale: str) -> str:
    """The verdicts on the slides' claims that this sweep alone judges; by their text where there are few."""
    mine = [c for c in claims.load() if c.sweeps == (sweep,)]
    judged = [j for j in claims.evaluate(frame, scale, mine) if j.verdict != "no records yet"]
    if not judged:
        return ""
    said = [f"{_quoted(j.claim)} ({j.verdict})" for j in judged]
    few = "; ".join(said) if len(said) < 3 else claims.in_words(judged)
    return f" The slides' [claims](claims.ipynb) on it: {few}."


def older(frame: pd.DataFrame, scale: str, *rows: str) -> str:
    """That some rows (SWEEP, or SWEEP/ROW) are of an earlier version, and in which that matters most; '' for none."""
    of = {n: sweeps.load(n, scale) for n in dict.fromkeys(row.partition("/")[0] for row in rows)}
    if not any(tables.age(frame, sweep) for sweep in of.values()):
        return ""
    found = [(f"*{v}*", runs) for n, sweep in of.items() for v, runs in tables.by_variant(frame, sweep).items()
             if n in rows or f"{n}/{v}" in rows]  # fmt: skip
    more = [*dict.fromkeys(v for v, runs in found if any(map(numerics.touched, runs.values())))]
    named = listed(more) if len(more) < 4 else f"{len(more)} rows"
    said = f", and more than rounding in {named} ({numerics.MARK})" if more else ""
    return f" Runs are of an earlier version of this code; what changed since stands below their table{said}."


def contrasts(frame: pd.DataFrame, of: Sequence[tuple[str, str, str, str]], scale: str = "mini") -> list[Contrast]:
    """(name, where, a, b) in the three metrics, a and b as SWEEP/ROW; p by Holm over all that have records."""
    evidence = Evidence(frame, scale)
    asked = [(name, where, Comparison(a, b, m, "higher", 0)) for name, where, a, b in of for m in METRICS]
    found = [Contrast(*at, c.metric, ours, evidence.paper(c)) for *at, c in asked if (ours := evidence.effect(c))]
    corrected = intervals.holm([c.ours.p for c in found])
    return [replace(c, p=p) for c, p in zip(found, corrected, strict=True)]


def of_table(frame: pd.DataFrame, scale: str = "mini", *, order: str) -> Box | None:
    """Table 1 or 2: where GIFT stands, how many pairs are decided, which order is reversed."""
    sweep = tables.main_sweep(frame, order, scale)
    estimates = tables.estimates(frame, sweep)
    trained = {v: row for v, row in estimates.items() if v != "Zero-shot" and all(row[m] for m in METRICS)}
    found = [p for m in METRICS for p in pairs(frame, order, m, scale)]
    if "GIFT" not in trained or not found:
        return None
    places = {m: _place(trained, found, m) for m in METRICS}
    ours = listed([f"{m} {trained['GIFT'][m]}" for m in METRICS])
    ahead = [m for m in METRICS if all(sign > 0 for _, sign in _rivals(found, m).values())]
    return Box(
        f"GIFT is clearly first in {listed(ahead) or 'none of the three numbers'}: {'; '.join(places.values())}.",
        f"{seeds(e.n for row in trained.values() for e in row.values() if e)} per method, ± is half a 95 % interval. A "
        f"difference, over the seeds that both have, is clear where p < {ALPHA} after Holm's correction over all pairs "
        "of methods in that metric, which is stricter than the table's own test of each against GIFT."
        f"{_milder(frame, sweep, found, scale)}{older(frame, scale, sweep.name)}",
        _ranks(order, found, ahead),
        f"It reaches {ours}.",
    )


def _milder(frame: pd.DataFrame, sweep: Sweep, found: Sequence[Contrast], scale: str) -> str:
    """Claims that hold although a difference behind them is not clear among all pairs, and why both can be."""
    unclear = {(p.metric, frozenset([p.first, p.second])) for p in found if not p.sign}
    judged = claims.evaluate(frame, scale, [c for c in claims.load() if c.sweeps == (sweep.name,)])
    asked = {j.claim: {(c.metric, frozenset(v.partition("/")[2] for v in (c.a, c.b))) for c in j.claim.comparisons}
             for j in judged if j.verdict == "supported"}  # fmt: skip
    said = [_quoted(claim) for claim, rows in asked.items() if rows & unclear]
    if not said:
        return ""
    return (
        " A [claim](claims.ipynb) asks for less, the 95 % interval of each difference by itself, and may hold where a "
        f"difference behind it is not clear here: {'; '.join(said)} {'is' if len(said) == 1 else 'are'} supported."
    )


def _quoted(claim: Claim) -> str:
    return f"“{claim.text.rstrip('.')}”"


def _turned(pair: Contrast) -> str:
    """A reversed pair: the published worse one first."""
    return f"{pair.second} above {pair.first} in {pair.metric} ({both(-pair.ours.mean, -pair.published)})"


def _ranks(order: str, found: Sequence[Contrast], here: Sequence[str]) -> str:
    """In what GIFT leads in the paper and `here`, and how many pairs stand in the published order."""
    count = {k: sum(p.verdict == k for p in found) for k in ("as published", "reversed", "undecided")}
    worst = min((p for p in found if p.verdict == "reversed"), key=lambda p: p.ours.mean, default=None)
    most = f", most of all {_turned(worst)}" if worst else ""
    printed = paper.main(order).drop(index="zero-shot")
    first = [m for m in METRICS if printed[m].idxmax() == "gift"]
    return (
        f"There GIFT leads the trained methods in {listed(first) or 'none of the three'}; here it does so clearly in "
        f"{listed(here) or 'none of the three'}. Of {len(found)} comparisons "
        f"(every two methods, three metrics) {count['as published']} are clear in the published order, "
        f"{count['reversed']} in the reverse{most}; {count['undecided']} are open."
    )


def _rivals(found: Sequence[Contrast], metric: str) -> dict[str, tuple[float, int]]:
    """{published method: GIFT less it in one metric, and 1 or -1 where that is clear, else 0}."""
    turned = [
        (p, 1 if p.first == "GIFT" else -1) for p in found if p.metric == metric and "GIFT" in (p.first, p.second)
    ]
    return {p.second if turn > 0 else p.first: (turn * p.ours.mean, turn * p.sign) for p, turn in turned}


def _place(trained: Mapping[str, Mapping[str, Estimate]], found: Sequence[Contrast], metric: str) -> str:
    """GIFT in one metric: how far ahead of the next method, or behind the first, and whether that is clear."""
    rivals = _rivals(found, metric)
    if not rivals:
        return f"in {metric} nothing to compare it with"
    other = max(rivals, key=lambda v: trained[v][metric].mean)
    ours, sign = rivals[other]
    if not round(ours, 1):
        return f"in {metric} level with {other}"
    unsure = [v for v, (_, clear) in rivals.items() if not clear] if ours > 0 and sign else []
    sure = f"{'clear' if sign else 'not clear'}{f', but not for {listed(unsure)}' if unsure else ''}"
    return f"in {metric} {'ahead of' if ours > 0 else 'behind'} {other} by {abs(ours):.1f} ({sure})"


def _places(frame: pd.DataFrame, scale: str = "mini", *, sweep: str, places: str) -> Box | None:
    """Does what GIFT is ahead of others by depend on the place that it was measured in?"""
    of = CONTRASTS[sweep]
    box, rows = agreement(contrasts(frame, of, scale), places, **question(sweep)), (row for c in of for row in c[2:])
    return box and replace(box, sure=box.sure + older(frame, scale, *rows))


def agreement(found: Sequence[Contrast], places: str, same: str = "", turns: str = "") -> Box | None:
    """The box for differences of GIFT to others that were measured in several places; None without any.

    It begins with `same` or with `turns`, by whether one of them changes its sign clearly.
    """
    if not found:
        return None
    groups: dict[tuple[str, str], list[Contrast]] = {}
    for c in found:
        groups.setdefault((c.name, c.metric), []).append(c)
    signs, count = {k: {c.sign for c in cs} for k, cs in groups.items()}, len({c.where for c in found})
    turned = [k for k, s in signs.items() if {1, -1} <= s]
    whole = {k: s for k, s in signs.items() if len(groups[k]) == count}  # measured in every place
    kinds = {"above": [k for k, s in whole.items() if s == {1}], "below": [k for k, s in whole.items() if s == {-1}],
             "now above, now below": turned}  # fmt: skip
    said = [f"{kind} {', and '.join(grouped(ks))}" for kind, ks in kinds.items() if ks]
    where = {1: f"one of the {places}", 2: f"both {places}"}.get(count, f"all {count} {places}")
    start = f"{before} in" if (before := turns if turned else same) else "In"
    lead = f"{start} {where} GIFT stands clearly {'; '.join(said)}." if said else "No difference is clear everywhere."
    rest = [k for k in groups if not any(k in ks for ks in kinds.values())]
    lead += f" Clear in some {places} only, or in none: {listed(grouped(rest))}." if said and rest else ""
    many = "Some of them change" if len(turned) > 1 else "One of them changes" if turned else "None of them changes"
    ranges = "\n- ".join([f"From the smallest to the largest difference between {places}:", *_ranges(groups)])
    return Box(lead, f"{surety(found)} {many} sign clearly between {places}.", contradicted(found), f"{ranges}\n")


def _ranges(groups: Mapping[tuple[str, str], Sequence[Contrast]]) -> list[str]:
    """By method, each metric from its smallest to its largest difference."""
    by_name: dict[str, list[str]] = {}
    for (name, metric), cs in groups.items():
        ends = sorted(round(c.ours.mean, 1) + 0.0 for c in cs)  # no -0.0
        span = f" to {ends[-1]:+.1f}" if ends[0] != ends[-1] else ""
        by_name.setdefault(f"GIFT minus {name}", []).append(f"{metric} {ends[0]:+.1f}{span}")
    return [f"{name}: {listed(said)}" for name, said in by_name.items()]


def references(frame: pd.DataFrame, scale: str = "mini") -> Box | None:
    """Each reference less GIFT: what is left to gain; None without records."""
    if not (found := contrasts(frame, REFERENCES, scale)):
        return None
    lead = f"{(said := _directions(found, METHODS))[0].upper()}{said[1:]}."
    sure = surety(found) + older(frame, scale, *(row for c in REFERENCES for row in c[2:]))
    return Box(lead, sure, contradicted(found), _undecided(found))


def reasons(frame: pd.DataFrame, scale: str = "mini") -> Box | None:
    """What becomes of the reversed pairs of Table 1 under the changes; None without any."""
    found = why.fates(frame, scale)
    if not any(under for _, under in found):
        return None
    kept = sorted((p for p, under in found if {f for f, _ in under.values()} == {why.FATES[2]}),
                  key=lambda p: p.ours.mean)  # fmt: skip
    most = f"{', most of all ' if len(kept) > 3 else ': ' if kept else ''}{listed([_turned(p) for p in kept[:3]])}"
    return Box(
        why.summed(found),
        f"{seeds(e.n for _, under in found for _, e in under.values())} per difference; "
        "its 95 % interval decides, not corrected for the number of pairs: this looks for reasons and tests no claim."
        f"{older(frame, scale, tables.MAIN['I'], why.SWEEP)}",
        f"{len(kept)} of {len(found)} pairs stay clearly reversed under every change{most}.",
        f"{why.turning(found)} {question(why.SWEEP)['words']}".strip(),
    )


def ablations(frame: pd.DataFrame, scale: str = "mini") -> Box | None:
    """What each number hangs on most, how many effects are clear, and which the paper has with another sign."""
    from gift_lib.book import forest  # what draws is imported where something is drawn

    if (table := forest.rows(frame, scale)).empty:
        return None
    clear = table[table["p"] < ALPHA].sort_values("Δ", key=abs, ascending=False)
    settings, changed = (len(t.drop_duplicates(["sweep", "setting"])) for t in (table, clear))
    tops = clear.drop_duplicates(["metric", "sweep"])
    texts = [
        f"the {r['head'].lower()} ({intervals.shown(r['Δ'], r['±'], '+')}: *{r['setting']}*)"
        for _, r in tops.iterrows()
    ]
    by_metric = pd.Series(texts, index=tops["metric"], dtype=str)
    said = [f"{m} with {listed([*by_metric[[m]][:2]])}" for m in METRICS if m in by_metric]
    still = table.groupby("head", sort=False)["p"].min().loc[lambda p: ~(p < ALPHA)].index.str.lower()
    told = [Contrast(r["setting"], "", r["metric"], Estimate(r["Δ"], r["±"], 0), r["published"], r["p"])
            for r in clear[clear["published"].notna()].to_dict("records")]  # fmt: skip
    more = f"Of {settings} settings {changed} clearly differ from the default of their ablation in some number"
    return Box(
        f"What changes most: {'; '.join(said)}." if said else "No setting clearly changes anything.",
        f"{counted(len(clear), len(table))} (corrected, in each metric, for the settings of an ablation), ± is half a "
        f"95 % interval.{older(frame, scale, *table['sweep'])}",
        contradicted(told),
        f"{more}; nothing is clear in: {listed([*still])}." if len(still) else f"{more}.",
    )


def judgements(frame: pd.DataFrame, scale: str = "mini") -> Box | None:
    """How many claims hold, how sure that is, and which do not; None where none can be judged."""
    judged = claims.evaluate(frame, scale)
    settled = [o for j in judged for o in j.outcomes if o.effect]
    if not settled:
        return None
    failed = [j.claim for j in judged if j.verdict == "not supported"]
    late = ", the later ones among them" if any(c.after_records for c in failed) else ""
    more = f", and {len(failed) - 3} more below" if len(failed) > 3 else ""
    said = f"Not supported on the scale model ({len(failed)}{late}): {'; '.join(map(_quoted, failed[:3]))}{more}."
    names = [name for j in judged for name in j.claim.sweeps]
    return Box(
        claims.headline(judged),
        f"{seeds(o.effect.n for o in settled)} per method or setting; verdicts rest on the 95 % intervals of "
        f"{len(settled)} comparisons; one whose interval holds its margin is undecided."
        f"{older(frame, scale, *names)}",
        said if failed else "No claim is refuted here.",
    )


#: The box of a page by the sweep that it is about; other sweeps have `opening`.
OPENINGS: dict[str, Callable[..., Box | None]] = {
    **{name: partial(of_table, order=order) for order, name in tables.MAIN.items()},
    "own-orders": partial(_places, sweep="own-orders", places="orders"),
    "pretrainings": partial(_places, sweep="pretrainings", places="pre-trainings"),
    "later@2": partial(_places, sweep="later@2", places="orders"),
    "references": references, why.SWEEP: reasons, "claims": judgements, "ablations": ablations,
    identity.SWEEPS["I"]: identity.opening,
}  # fmt: skip


def box(frame: pd.DataFrame, sweep: str, scale: str = "mini") -> Box:
    """The box of the page on a sweep, on "claims" or on all "ablations"; without records what is missing."""
    nothing = {"claims": "No claim can be judged yet.", "ablations": "No ablation has records yet."}
    found = OPENINGS.get(sweep, partial(opening, sweep=sweep))(frame, scale=scale)
    return found or Box(nothing.get(sweep) or tables.status(frame, sweep, scale))
