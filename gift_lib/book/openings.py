"""The boxes that open pages on more than one setting: orders, pre-trainings, references, reasons and claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from gift_lib import intervals
from gift_lib.book import claims, identity, why
from gift_lib.book.claims import Comparison, Evidence
from gift_lib.book.findings import ALPHA, beside, both, counted, listed, quotation, seeds
from gift_lib.intervals import Estimate
from gift_lib.runs.published import METRICS


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
#: Each reference less GIFT.
REFERENCES = [(row.split("/")[1], "", row, "table1/GIFT") for row in ("table1/Zero-shot",
    "references/Individual fine-tune", "references/Joint training", "references/GIFT with real images")]  # fmt: skip
#: What the pages of these sweeps compare, in words and as a figure.
CONTRASTS = {"own-orders": ORDERS, "pretrainings": PRETRAININGS, "references": REFERENCES}


@dataclass(frozen=True)
class Contrast:
    """One row less another in one metric, over shared seeds: where it was measured, its corrected p, the published."""

    name: str
    where: str
    metric: str
    ours: Estimate
    published: float | None
    p: float | None = None

    @property
    def sign(self) -> int:
        """1 or -1 where the difference is clear, else 0."""
        return 0 if self.p is None or self.p >= ALPHA else 1 if self.ours.mean > 0 else -1

    @property
    def against(self) -> bool:
        """Whether it is clear, and the published one points the other way."""
        return bool(self.published) and self.sign * self.published < 0


def contrasts(frame: pd.DataFrame, of: Sequence[tuple[str, str, str, str]], scale: str = "mini") -> list[Contrast]:
    """(name, where, a, b) in the three metrics, a and b as SWEEP/ROW; p by Holm over all that have records."""
    evidence, found = Evidence(frame, scale), []
    for name, where, a, b in of:
        for m in METRICS:
            c = Comparison(a, b, m, "higher", 0)
            ours = evidence.effect(c)
            found += [Contrast(name, where, m, ours, evidence.paper(c))] if ours else []
    corrected = intervals.holm([c.ours.p for c in found])
    return [replace(c, p=p) for c, p in zip(found, corrected, strict=True)]


def _places(frame: pd.DataFrame, scale: str = "mini", *, sweep: str, places: str) -> str:
    """Does what GIFT is ahead of others by depend on the place that it was measured in?"""
    return agreement(contrasts(frame, CONTRASTS[sweep], scale), places)


def agreement(found: Sequence[Contrast], places: str) -> str:
    """The box for differences of GIFT to others that were measured in several places; '' without any."""
    if not found:
        return ""
    groups: dict[tuple[str, str], list[Contrast]] = {}
    for c in found:
        groups.setdefault((c.name, c.metric), []).append(c)
    kinds = {"above": {1}, "below": {-1}, "now above, now below": {1, -1}}
    cases = {kind: {k: cs for k, cs in groups.items() if {c.sign for c in cs} - {0} == s and (
        len(s) == 2 or all(c.sign for c in cs))} for kind, s in kinds.items()}  # fmt: skip
    count = len({c.where for c in found})
    said = [f"clearly {kind} {_by_name(cs)}" for kind, cs in cases.items() if cs]
    where = f"all {count} {places}" if count > 1 else f"one of the {places}"
    came = f"In {where} GIFT stands {'; '.join(said)}." if said else "No difference is clear everywhere."
    rest = {k: cs for k, cs in groups.items() if not any(k in case for case in cases.values())}
    came += f" Clear in some {places} only, or in none: {_by_name(rest, ranges=False)}." if said and rest else ""
    turned = len(cases["now above, now below"])
    many = "Some of them change" if turned > 1 else "One of them changes" if turned else "None of them changes"
    return quotation(came, f"{_surety(found)}. {many} sign clearly between {places}.", _against(found))


def _by_name(groups: Mapping[tuple[str, str], Sequence[Contrast]], ranges: bool = True) -> str:
    """The metrics by the method that GIFT is compared with, each from its smallest to its largest difference."""
    by_name: dict[str, list[str]] = {}
    for (name, metric), cs in groups.items():
        ends = sorted((c.ours.mean for c in cs), key=abs)
        by_name.setdefault(name, []).append(f"{metric} ({ends[0]:+.1f} to {ends[-1]:+.1f})" if ranges else metric)
    return listed([f"{name} in {listed(ms)}" for name, ms in by_name.items()])


def _surety(found: Sequence[Contrast]) -> str:
    """Seeds, and how many of all differences are clear."""
    clear = sum(c.sign != 0 for c in found)
    return f"{seeds(c.ours.n for c in found)} per difference; {counted(clear, len(found))} (corrected for their number)"


def _against(found: Sequence[Contrast]) -> str:
    """The clear differences that point the other way than the published ones, the largest three by name."""
    wrong = sorted((c for c in found if c.against), key=lambda c: -abs(c.ours.mean))
    said = [f"GIFT minus {c.name} in {c.metric} ({both(c.ours.mean, c.published)})" for c in wrong]
    return beside(sum(bool(c.sign and c.published) for c in found), said)


def references(frame: pd.DataFrame, scale: str = "mini") -> str:
    """Each reference less GIFT: what is left to gain; '' without records."""
    if not (found := contrasts(frame, REFERENCES, scale)):
        return ""
    clear, unclear = ([c for c in found if bool(c.sign) == sure] for sure in (True, False))
    came = f"Clearly apart from GIFT: {listed(_each(clear))}." if clear else "No reference clearly differs from GIFT."
    came += f" Not clearly different from it: {listed(_each(unclear))}." if clear and unclear else ""
    return quotation(came, f"{_surety(found)}, ± is half a 95 % interval.", _against(found))


def _each(found: Sequence[Contrast]) -> list[str]:
    """Contrasts by name: the metrics with their differences."""
    said: dict[str, list[str]] = {}
    for c in found:
        half = "" if c.ours.half_width is None else f" ± {c.ours.half_width:.1f}"
        said.setdefault(c.name, []).append(f"{c.metric} {c.ours.mean:+.1f}{half}")
    return [f"*{name}* ({listed(ms)})" for name, ms in said.items()]


def reasons(frame: pd.DataFrame, scale: str = "mini") -> str:
    """What becomes of the reversed pairs of Table 1 under the changes; '' without any."""
    found = why.fates(frame, scale)
    if not any(under for _, under in found):
        return ""
    kept = [p for p, under in found if {f for f, _ in under.values()} == {why.FATES[2]}]
    most = sorted(kept, key=lambda p: p.ours.mean)[:3]
    said = [f"{p.second} above {p.first} in {p.metric} ({both(-p.ours.mean, -p.published)})" for p in most]
    against = f"{len(kept)} of {len(found)} pairs stay clearly reversed under every change"
    return quotation(
        why.summed(found),
        f"{seeds(e.n for _, under in found for _, e in under.values())} per difference; "
        "its 95 % interval decides, not corrected for the number of pairs: this looks for reasons and tests no claim.",
        f"{against}{', most of all ' if len(kept) > 3 else ': ' if kept else ''}{listed(said) if kept else ''}.",
    )


def ablations(frame: pd.DataFrame, scale: str = "mini") -> str:
    """The largest clear effects of all ablations, how many are clear, and which the paper has with another sign."""
    from gift_lib.book import forest  # what draws is imported where something is drawn

    # Two ablations may compare the same runs: they count once.
    table = forest.rows(frame, scale).drop_duplicates(["runs", "metric"])
    if table.empty:
        return ""
    clear = table[table["p"] < ALPHA].sort_values("Δ", key=abs, ascending=False)
    settings, changed = (t["runs"].nunique() for t in (table, clear))
    tops = [f"{r['metric']} {r['Δ']:+.1f} ± {r['±']:.1f} with *{r['setting']}* ({r['head'].lower()})"
            for r in clear.drop_duplicates("metric").to_dict("records")]  # fmt: skip
    told = clear[clear["published"].notna() & (clear["published"] != 0)]
    said = [f"*{r['setting']}* in {r['metric']} ({both(r['Δ'], r['published'])})"
            for r in told[told["Δ"] * told["published"] < 0].to_dict("records")]  # fmt: skip
    came = f"Of {settings} settings {changed} clearly differ from the default of their ablation in some metric"
    return quotation(
        f"{came}, most of all {listed(tops)}." if tops else f"{came}.",
        f"{counted(len(clear), len(table))} (corrected, in each metric, for the settings of an ablation), ± is half a "
        "95 % interval.",
        beside(len(told), said),
    )


def judgements(frame: pd.DataFrame, scale: str = "mini") -> str:
    """How many claims hold, how sure that is, and which do not; '' where none can be judged."""
    judged = claims.evaluate(frame, scale)
    settled = [o for j in judged for o in j.outcomes if o.effect]
    if not settled:
        return ""
    failed = [f"“{j.claim.text.rstrip('.')}”" for j in judged if j.verdict == "not supported"]
    more = f", and {len(failed) - 3} more below" if len(failed) > 3 else ""
    return quotation(
        claims.headline(judged),
        f"{seeds(o.effect.n for o in settled)} per method or setting; verdicts rest on the 95 % intervals of "
        f"{len(settled)} comparisons; an interval that holds the margin set beforehand leaves its claim undecided.",
        f"Not supported on the scale model: {'; '.join(failed[:3])}{more}." if failed else "No claim is refuted here.",
    )


orders = partial(_places, sweep="own-orders", places="orders")
pretrainings = partial(_places, sweep="pretrainings", places="pre-trainings")
#: The box of a page by the sweep that it is about.
OPENINGS = {"own-orders": orders, "pretrainings": pretrainings, "references": references, why.SWEEP: reasons,
            "claims": judgements, "ablations": ablations, identity.SWEEPS["I"]: identity.opening}  # fmt: skip
