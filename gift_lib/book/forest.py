"""Ablations at one glance: every setting's difference to the default, in the three metrics."""

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gift_lib import intervals
from gift_lib.book import findings
from gift_lib.book.findings import ALPHA, Contrast
from gift_lib.book.theme import WIDTH, Drawing, style
from gift_lib.evidence import tables
from gift_lib.runs import sweeps
from gift_lib.runs.published import METRICS

#: Sweeps with a default setting that have pages of their own, or are no ablations of one setting.
ELSEWHERE = ("table1", "table2", "later", "better", "own-why", "own-why-2", "own-world")
#: Colours by direction: clearly above the default, clearly below it, neither.
ABOVE, BELOW, UNCLEAR = "#0072b2", "#d55e00", "#8a8a8a"


def page_of(sweep: str) -> str:
    """The notebook that tells an ablation in full."""
    return f"ablation_{sweep.split('-', 1)[1].replace('-', '_')}.ipynb"


def rows(frame: pd.DataFrame, scale: str = "mini", only: str = "") -> pd.DataFrame:
    """A row per sweep, setting and metric: Δ to what its page compares it with, its half-width, p and the published Δ.

    It is compared with the sweep's default, or with what `findings.question` pairs it with. p is corrected by Holm
    within its sweep and metric. A setting without records has no row, but where `only` one sweep is asked for, and each
    has its place.
    """
    found = [row for n in ([only] if only else sweeps.names(scale)) if only or n not in ELSEWHERE
             for row in _of_sweep(frame, sweeps.load(n, scale))]  # fmt: skip
    columns = ["sweep", "title", "default", "setting", "metric", "Δ", "±", "p", "published"]
    table = pd.DataFrame(found, columns=columns).assign(head=lambda t: t["title"].str.split(",").str[0])
    table = table.astype(dict.fromkeys(columns[5:], float))
    return table.assign(head="against " + table["default"]) if only else table.dropna(subset="Δ", ignore_index=True)


def _of_sweep(frame: pd.DataFrame, sweep: sweeps.Sweep) -> Iterator[list]:
    """The rows of one sweep, those without records empty; none without a default."""
    asked, default, printed = findings.question(sweep.name), tables.default_variant(sweep), tables.published_of(sweep)
    if not default:
        return
    pairs = asked.get("pairs") or findings.against_default(sweep)
    known = {(c.name, c.metric): c for c in findings.compared(frame, sweep, pairs)}
    beside = asked.get("against", default).removeprefix("compared with ")
    for name, pair in pairs.items():
        for m in METRICS:
            c = known.get((name, m))
            ours = [c.ours.mean, c.ours.half_width, c.p] if c else [None] * 3
            yield [sweep.name, sweep.title, beside, name, m, *ours, findings.gap(printed, *pair, m)]


def of(found: Sequence[Contrast]) -> pd.DataFrame:
    """Contrasts as rows: the places of each under its name; references, which have no place, under GIFT."""
    columns = ["sweep", "head", "setting", "metric", "Δ", "±", "p", "published"]
    rows = [
        (head := f"GIFT minus {c.name}" if c.where else "minus GIFT", head, c.where or c.name, c.metric, c.ours.mean,
         c.ours.half_width, c.p, c.published) for c in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[4:], float))


def verdict(row: pd.Series) -> str:
    """The colour of a difference: clear ones by their direction."""
    if not row["p"] < ALPHA:
        return UNCLEAR
    return ABOVE if row["Δ"] > 0 else BELOW


@style()
def draw(table: pd.DataFrame) -> Figure:
    """The forest: a line per setting under its ablation's head, a panel per metric, published values as diamonds."""
    places, labels = _places(table)
    row = 0.26 if table["sweep"].nunique() == 1 else 0.2
    size = (WIDTH, row * (max(places.values(), default=4) + 1) + 1.2)
    axes = Drawing(figsize=size, layout="constrained").subplots(1, len(METRICS), sharex=True, sharey=True)
    for panel, metric in zip(axes, METRICS, strict=True):
        panel.axvline(0, color="#8a8a8a", linewidth=1)
        for _, row in table[table["metric"] == metric].iterrows():
            _mark(panel, places[row["sweep"], row["setting"]], row)
        panel.set_title(metric)
        panel.xaxis.set_major_locator(MaxNLocator(2, steps=(1, 2, 5, 10)))
        panel.margins(x=0.1)
        panel.grid(axis="x")
        panel.tick_params(axis="y", length=0)
    axes[0].set_yticks(list(labels), list(labels.values()), fontsize=9)
    axes[0].set_ylim(max(labels, default=0) + 0.8, -0.8)
    for tick, name in zip(axes[0].get_yticklabels(), labels.values(), strict=True):
        tick.set_fontweight("normal" if name.startswith(" ") else "bold")
    figure = axes[0].figure
    figure.supxlabel("points", fontsize=10)
    figure.legend(handles=_legend(), loc="outside upper left", ncols=2, handletextpad=0.3, columnspacing=1.0)
    return figure


def _places(table: pd.DataFrame) -> tuple[dict[tuple[str, str], float], dict[float, str]]:
    """Where each setting stands, and what is written at each height: titles, and below each its settings."""
    places, labels, y = {}, {}, 0.0
    for (name, head), own in table.groupby(["sweep", "head"], sort=False):
        written = textwrap.wrap(head, 24)
        labels[y + 0.4 * (len(written) - 1)] = "\n".join(written)
        y += 0.3 + 0.8 * len(written)
        for setting in own["setting"].unique():
            places[name, setting] = y
            labels[y] = f"  {setting}"
            y += 1
        y += 0.2
    return places, labels


def _mark(panel: Axes, y: float, row: pd.Series) -> None:
    half = None if np.isnan(row["±"]) else row["±"]
    panel.errorbar(row["Δ"], y, xerr=half, marker="o", markersize=4, color=verdict(row), linewidth=1.4)
    if not np.isnan(row["published"]):
        panel.plot(row["published"], y, "D", markersize=4.5, color="#8a6d1d", markerfacecolor="none")


def _legend() -> list[Line2D]:
    kinds = {"clearly above": ABOVE, "clearly below": BELOW, "no clear effect": UNCLEAR}
    ours = [Line2D([], [], marker="o", color=c, markersize=4, linewidth=1.4, label=n) for n, c in kinds.items()]
    return [*ours, Line2D([], [], marker="D", color="#8a6d1d", markerfacecolor="none", linestyle="", label="published")]


def said(table: pd.DataFrame) -> str:
    """A Markdown list: each ablation with its page and its largest clear effects."""
    if table.empty:
        return "No ablation has records yet: `make sweep NAME=all` makes them."
    return "\n".join(_line(own) for _, own in table.groupby("sweep", sort=False))


def _line(own: pd.DataFrame) -> str:
    clear = own[own["p"] < ALPHA].sort_values("Δ", key=abs, ascending=False).drop_duplicates("metric")
    found = [f"{r['metric']} {intervals.shown(r['Δ'], r['±'], '+')} with *{r['setting']}*" for _, r in clear.iterrows()]
    name, title, default = own.iloc[0][["sweep", "title", "default"]]
    return f"- [{title}]({page_of(name)}), against *{default}*: {'; '.join(found) or 'no clear effect'}."
