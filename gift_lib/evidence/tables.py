"""Tables: published numbers beside ours, with intervals, differences and tests; honest about what is missing.

Which runs make a row is written in `notebooks/sweeps/<name>.yml` and nowhere else: a variant of a sweep is a
row, and a record belongs to it when it is of the very same experiment. Every function takes the frame of
`results.load_frame`, runs nothing, and works on part of a batch: rows without records stay, empty.
"""

import functools
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gift_lib import intervals, metrics, results
from gift_lib.config import CHOICES, NUMERICS_VERSION, Experiment, experiment
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.files import digest
from gift_lib.intervals import Estimate
from gift_lib.runs import numerics, sweeps
from gift_lib.runs import published as paper
from gift_lib.runs.sweeps import Sweep

METRICS = paper.METRICS
#: References of their own form: they have sweeps of their own.
REFERENCES = ("upper-bound", "joint")
#: The sweep behind Table 1 and Table 2.
MAIN = {"I": "table1", "II": "table2"}
BASELINE, OURS = "l2", "gift"
#: Methods that draw nothing at random: one record stands for every seed.
_NO_SEED = ("zero-shot",)

BySeed = Mapping[int, float]
Metric = Callable[[Mapping], float | None]


def numbers(record: Mapping) -> dict[str, float | None]:
    """All metrics of one record (percent), None where its form does not define them."""
    return metrics.summary(record["result"]["R"], results.form_of(record))


def check_kind(found: Sequence[Mapping]) -> None:
    """Raise a DataError where these records must not stand in one table.

    World and kind of hardware must agree: numbers of different ones differ for other reasons than the methods. Those
    of older numerics versions may stand beside current ones; `age` says how many do.
    """
    for what, value in _KIND.items():
        kinds = sorted({str(value(r)) for r in found})
        if len(kinds) > 1:
            raise DataError(
                f"these records were made with more than one {what} ({', '.join(kinds)}): "
                f"filter the frame, or run those of one kind again ({_fewest(found, value)})."
            )


def _fewest(found: Sequence[Mapping], value: Callable[[Mapping], Any]) -> str:
    """The records of the rarest kind, by key."""
    by_kind: dict[str, list[str]] = {}
    for record in found:
        by_kind.setdefault(str(value(record)), []).append(record["key"])
    kind, keys = min(by_kind.items(), key=lambda item: len(item[1]))
    return f"{kind}: {', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''}"


_KIND: dict[str, Callable[[Mapping], Any]] = {
    "world": lambda r: (r["config"]["scale"], r["identity"].get("world")),
    "numerics version": lambda r: max(r["identity"].get("numerics"), NUMERICS_VERSION),  # a newer one is foreign
    "kind of device": lambda r: r["run"].get("device"),
    "kind of CPU": lambda r: r["run"].get("cpu_capability"),
}


def by_variant(frame: pd.DataFrame, sweep: Sweep) -> dict[str, dict[int, Mapping]]:
    """{variant: {seed: record}} for every variant of a sweep; seeds beyond the sweep's own count too.

    Of records that differ in the numerics version alone the newest counts. DataError where these records are not of
    one kind, and where one run has two of them: they were made with different weights, and only one can be current.
    """
    first = {c.variant: _seedless(c.experiment) for c in reversed(sweep.cells)}
    kept: dict[str, dict[int, Mapping]] = {row: {} for row in first.values()}
    mine = numerics.newest(r for r in frame.get("record", []) if _seedless_of(r) in kept)
    check_kind(mine)
    for record in mine:
        seeds = kept[_seedless_of(record)]
        other = seeds.setdefault(record["config"]["seed"], record)
        if other["key"] != record["key"]:
            c = record["config"]
            raise DataError(
                f"{c['method']}, order {c['order']}, seed {c['seed']} has two records made with different weights "
                f"({other['key']} and {record['key']}): delete the older one."
            )
    return {v: dict(sorted(kept[first[v]].items())) for v in sweep.variants}


def age(frame: pd.DataFrame, sweep: Sweep | None = None) -> str:
    """One line on the records of an older numerics version, of a sweep or of the frame; '' where all are current."""
    if sweep is None:
        return numerics.note(numerics.newest(frame.get("record", [])))
    return numerics.note(r for seeds in by_variant(frame, sweep).values() for r in seeds.values())


def marked(table: pd.DataFrame, frame: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """A table of a sweep's variants, with a mark at the rows that a change of the numerics touched since."""
    found = by_variant(frame, sweep)
    old = [any(map(numerics.touched, found[v].values())) for v in sweep.variants]
    names = [f"{name} {numerics.MARK}" if o else name for name, o in zip(table.index, old, strict=True)]
    return table.set_axis(pd.Index(names, name=table.index.name))


def _seedless(e: Experiment) -> str:
    return e.replace(seed=0).digest


def _seedless_of(record: Mapping) -> str:
    """`_seedless` of a record's experiment: from its dict, since hundreds of Experiments take seconds."""
    return digest({**record["config"], "seed": 0})


def values(found: Mapping[int, Mapping], metric: str) -> dict[int, float]:
    """One metric of one variant by seed; those of METRICS and OPEN_METRICS in gift_lib.metrics, where defined."""
    if metric not in metrics.NAMES:
        raise ConfigError(f"there is no metric {metric!r}; {nearest(metric, metrics.NAMES)}")
    every = {seed: _number(r, metric) for seed, r in found.items()}
    return {seed: v for seed, v in every.items() if v is not None}


def _number(record: Mapping, metric: str) -> float | None:
    if metric in metrics.OPEN_METRICS:
        return metrics.open_summary(record["result"])[metric]
    R, form = record["result"]["R"], results.form_of(record)
    return metrics.METRICS[metric](R) if form == "continual" and len(R) > 1 else numbers(record)[metric]


def estimate(found: BySeed) -> Estimate | None:
    """Mean and 95 % interval over seeds, None without a value."""
    return intervals.interval(list(found.values())) if found else None


def difference(a: BySeed, b: BySeed, level: float = 0.95, constant: bool = False) -> Estimate | None:
    """Mean of a - b over the seeds that both have, with its paired interval and p-value; None without any.

    With `constant`, the one value of `b` (a method without randomness) stands for every seed of `a`.
    """
    if constant and b:
        b = dict.fromkeys(a, next(iter(b.values())))
    return intervals.paired(a, b, level) if a.keys() & b.keys() else None


def compare(found: Mapping[str, Mapping[int, Mapping]], a: str, b: str, metric: str, level: float = 0.95):
    """`difference` of two variants of `by_variant` in one metric, or None where records are missing.

    DataError where they are not of one kind: the two may come from two sweeps.
    """
    check_kind([*found[a].values(), *found[b].values()])
    x, y = values(found[a], metric), values(found[b], metric)
    if fixed(found[a]) and not fixed(found[b]):
        back = difference(y, x, level, constant=True)
        return back and Estimate(-back.mean, back.half_width, back.n, back.level, back.p)
    return difference(x, y, level, constant=fixed(found[b]))


def fixed(found: Mapping[int, Mapping]) -> bool:
    """Whether nothing of a variant is drawn: its one run stands for every seed."""
    return bool(found) and next(iter(found.values()))["config"]["method"] in _NO_SEED


def estimates(frame: pd.DataFrame, sweep: Sweep, names: Iterable[str] = METRICS) -> dict[str, dict[str, Any]]:
    """{variant: {metric: Estimate | None}}, what the plots take."""
    found = by_variant(frame, sweep)
    return {v: {m: estimate(values(rs, m)) for m in names} for v, rs in found.items()}


def long(frame: pd.DataFrame, sweep: Sweep, names: Iterable[str] = METRICS) -> pd.DataFrame:
    """A row per setting, metric and seed, as plots take it; a setting without records has one, without a value."""
    rows = [
        (v, m, value)
        for v, rs in by_variant(frame, sweep).items() for m in names for value in values(rs, m).values() or [np.nan]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["setting", "metric", "value"])


def published(table: str, order: str = "I") -> pd.DataFrame:
    """A published table as printed: Transfer, Avg and Last by row, and for Tables 1 and 2 the differences to l2."""
    rows = paper.rows(table, order)
    shown = rows.set_index("row")[list(METRICS)]
    if table in MAIN.values():
        baseline = rows.set_index("method").loc[BASELINE]
        trained = ~rows["method"].isin(["zero-shot", "finetune"]).to_numpy()
        for m in METRICS:
            shown[f"Δ {m}"] = (shown[m] - baseline[m]).round(1).where(trained)
    return shown


def main(frame: pd.DataFrame, order: str = "I", scale: str = "mini") -> pd.DataFrame:
    """Table 1 or 2: a row per method; per metric the columns published, ours, ±, n, Δ l2, Δ l2 ±, p vs GIFT.

    ± is the half-width of the 95 % t interval over n seeds. Δ l2 is the mean difference to the l2 baseline over the
    seeds that both have. p vs GIFT is a paired t test over shared seeds, corrected by Holm over
    the methods of the table, metric by metric. Methods of the reader's own follow below.
    """
    sweep = main_sweep(frame, order, scale)
    variant = {m: v for v, m in _methods(sweep).items()}
    table = _blocks(frame, sweep, METRICS, variant[BASELINE], variant[OURS], ("Δ l2", "p vs GIFT"))
    return table.set_axis(pd.Index([paper.title(m) for m in variant], name="method"))


def main_sweep(frame: pd.DataFrame, order: str, scale: str = "mini") -> Sweep:
    """The sweep of Table 1 or 2, with a variant more for each further method that has records with its defaults."""
    if order not in MAIN:
        raise ConfigError(f"no table is published for order {order!r}: use 'I' or 'II'.")
    sweep = sweeps.load(MAIN[order], scale)
    known = set(_methods(sweep).values()) | set(REFERENCES)
    own = [] if frame.empty else [m for m in dict.fromkeys(frame["method"]) if m not in known]
    cells = [sweeps.Cell(sweep.name, m, experiment(scale, method=m, order=order)) for m in own]
    cells = [c for c in cells if by_variant(frame, Sweep(sweep.name, "", "", (c,)))[c.variant]]
    return Sweep(sweep.name, sweep.title, sweep.paper, (*sweep.cells, *cells))


def _methods(sweep: Sweep) -> dict[str, str]:
    return {c.variant: c.experiment.method for c in sweep.cells}


def _blocks(
    frame: pd.DataFrame, sweep: Sweep, names: Iterable[str], minus: str, against: str, heads: tuple[str, str]
) -> pd.DataFrame:
    """A row per variant, the columns of each metric: published, ours, the difference to `minus`, p `against`."""
    found, printed, (delta, p) = by_variant(frame, sweep), published_of(sweep), heads
    blocks = {}
    for m in names:
        deltas, tests = (
            {v: compare(found, v, other, m) for v in found if other and v != other} for other in (minus, against)
        )
        corrected = dict(zip(tests, intervals.holm([t.p if t else None for t in tests.values()]), strict=True))
        lines = [
            {"published": _nan(printed.get(v, {}).get(m)), **_columns(estimate(values(rs, m))),
             **_columns(deltas.get(v), delta), p: _nan(corrected.get(v))}
            for v, rs in found.items()
        ]  # fmt: skip
        blocks[m] = pd.DataFrame(lines, index=pd.Index(found, name="setting")).drop(columns=f"{delta} n")
    return pd.concat(blocks, axis=1)


def _columns(e: Estimate | None, name: str = "") -> dict[str, float]:
    names = (name, f"{name} ±", f"{name} n") if name else ("ours", "±", "n")
    parts = (e.mean, _nan(e.half_width), e.n) if e else (np.nan, np.nan, 0)
    return dict(zip(names, parts, strict=True))


def _nan(value: float | None) -> float:
    return np.nan if value is None else value


def ablation(frame: pd.DataFrame, name: str, scale: str = "mini", names: Iterable[str] = METRICS) -> pd.DataFrame:
    """A sweep as a table: a row per variant; per metric published, ours, ±, n, Δ, Δ ±, p.

    Δ is the paired difference to the default variant (`default_variant`), p its t test after Holm's correction
    over the other variants. The default's own Δ is empty.
    """
    sweep = sweeps.load(name, scale)
    default = default_variant(sweep)
    return _blocks(frame, sweep, names, default, default, ("Δ", "p"))


def default_variant(sweep: Sweep) -> str:
    """The variant that is GIFT as it is, else GIFT without AWC (on which most ablations stand), else ''.

    In the sweep's own world and order; a sweep of several orders has none.
    """
    scale, orders = sweep.cells[0].experiment.scale, {c.experiment.order for c in sweep.cells}
    for consolidation in CHOICES["consolidation"][:2] if len(orders) == 1 else ():
        own = sweeps.settings_of(sweeps.world_of(sweep.name)) | {"order": next(iter(orders))}
        wanted = _seedless(experiment(scale, **own, consolidation=consolidation))
        for cell in sweep.cells:
            if _seedless(cell.experiment) == wanted:
                return cell.variant
    return ""


def published_of(sweep: Sweep) -> dict[str, dict[str, float]]:
    """{variant: {metric: published value}}: the printed row of the same experiment, for variants that have one."""
    printed = _printed(sweep.cells[0].experiment.scale, sweeps.world_of(sweep.name))
    first = {c.variant: c.experiment for c in reversed(sweep.cells)}
    keys = {v: _seedless(first[v]) for v in sweep.variants}
    rows = {v: printed.get((sweep.paper, k)) or printed.get(("", k)) for v, k in keys.items()}
    return {v: row for v, row in rows.items() if row}


@functools.cache
def _printed(scale: str, world: str = "") -> dict[tuple[str, str], dict[str, float]]:
    """Published rows by (table, experiment of a world), and by ("", experiment) where the table does not matter."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    frame = paper.load()
    for row in frame[frame["dataset"] == ""].to_dict("records"):
        own = paper.parse_settings(row["settings"])
        e = paper.experiment_of(row["method"], row["order"], scale, world=sweeps.settings_of(world), **own)
        for table in (row["table"], ""):
            found.setdefault((table, e.digest), {m: row[m] for m in METRICS})
    return found


def per_task(frame: pd.DataFrame, sweep: Sweep, metric: str = "Last") -> pd.DataFrame:
    """Mean over seeds of each task's value (percent) of a metric: variants down, tasks across, mean last."""
    _check_per_task(metric)
    rows = {v: _mean_per_task(rs.values(), metric) for v, rs in by_variant(frame, sweep).items()}
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(list(rows))  # pandas 2 drops empty rows
    if table.shape[1]:
        table["mean"] = table.mean(axis=1)
    return table


def gains(frame: pd.DataFrame, sweep: Sweep, metric: str = "Last") -> pd.DataFrame:
    """`per_task` less the accuracy of the untouched model on each task, the largest mean first, what is missing last.

    Variants that train nothing have no row.
    """
    found = {v: [r["result"] for r in rs.values()] for v, rs in by_variant(frame, sweep).items()}
    trained = [c.variant for c in sweep.cells if c.experiment.method not in _NO_SEED]
    zero = {v: [dict(zip(r["tasks"], r["zero_shot"], strict=True)) for r in found[v]] for v in trained}
    untouched = pd.DataFrame({v: pd.DataFrame(rows).mean() for v, rows in zero.items()}).T
    table = per_task(frame, sweep, metric).loc[list(zero)].drop(columns="mean", errors="ignore")
    table -= untouched.reindex_like(table)
    return table.assign(mean=table.mean(axis=1)).sort_values("mean", ascending=False, kind="stable")


def _check_per_task(metric: str) -> None:
    if metric not in metrics.PER_TASK:
        raise ConfigError(f"there is no metric {metric!r} per task; {nearest(metric, metrics.PER_TASK)}")


def per_task_difference(frame: pd.DataFrame, sweep: Sweep, a: str, b: str, metric: str = "Last") -> pd.DataFrame:
    """Two variants task by task: a row per task with both means, Δ = a - b over shared seeds, its ± and p.

    p is of a paired t test, after Holm's correction over the tasks. No rows where records are missing.
    """
    _check_per_task(metric)
    found = by_variant(frame, sweep)
    shared = sorted(found[a].keys() & found[b].keys())
    x, y = (
        pd.DataFrame([_mean_per_task([found[v][s]], metric) for s in shared], index=shared, dtype=float) for v in (a, b)
    )
    tests = [difference(x[task].to_dict(), y[task].to_dict()) for task in x.columns]
    table = pd.DataFrame([_columns(t, "Δ") for t in tests], index=x.columns, columns=["Δ", "Δ ±"])
    table["p"] = [_nan(p) for p in intervals.holm([t.p for t in tests])]
    table.insert(0, a, x.mean())
    table.insert(1, b, y.mean())
    return table


def _mean_per_task(found: Iterable[Mapping], metric: str) -> dict[str, float]:
    parts = []
    for record in found:
        tasks, R = record["result"]["tasks"], record["result"]["R"]
        form = results.form_of(record)
        if form == "continual":
            parts.append(metrics.per_task(R, tasks)[metric])
        elif metric == "Last":
            parts.append(dict(zip(tasks, metrics.final_row(R, form), strict=True)))
    return pd.DataFrame(parts).mean().to_dict() if parts else {}


def missing(frame: pd.DataFrame, name: str, scale: str = "mini") -> pd.DataFrame:
    """The runs of a sweep that have no record: a row per variant with seeds, counts and the command that makes them."""
    sweep = sweeps.load(name, scale)
    found, lines = by_variant(frame, sweep), []
    for v in sweep.variants:
        wanted = {c.experiment.seed: c.experiment for c in sweep.cells if c.variant == v}
        absent = sorted(wanted.keys() - found[v].keys())
        if absent:
            single = sweeps.command(wanted[absent[0]]) if len(absent) == 1 else sweep_command(name, scale)
            lines.append({"variant": v, "seeds": ", ".join(map(str, absent)), "have": len(wanted) - len(absent),
                          "wanted": len(wanted), "command": single})  # fmt: skip
    return pd.DataFrame(lines, columns=["variant", "seeds", "have", "wanted", "command"])


def sweep_command(name: str, scale: str = "mini") -> str:
    """The command that runs what a sweep lacks."""
    return f"make sweep NAME={shlex.quote(name)} SCALE={scale}"


def status(frame: pd.DataFrame, name: str, scale: str = "mini") -> str:
    """One sentence for a page: complete, or how many runs are missing and the command that makes them."""
    sweep, absent = sweeps.load(name, scale), missing(frame, name, scale)
    total = len(sweep.cells)
    gone = int((absent["wanted"] - absent["have"]).sum())
    if not gone:
        return f"{sweep.title}: all {total} runs have their records."
    if gone == total:
        return f"{sweep.title}: no records yet. `{sweep_command(name, scale)}` makes them ({total} runs)."
    have = f"{sweep.title}: {total - gone} of {total} runs have records."
    return f"{have} `{sweep_command(name, scale)}` makes the others."


def pretty(table: pd.DataFrame) -> pd.DataFrame:
    """`main` or `ablation` as text: per metric published, ours ± half-width, Δ ± half-width and p, then n."""
    names = list(dict.fromkeys(table.columns.get_level_values(0)))
    shown = {}
    for m in names:
        block = table[m]
        delta = "Δ l2" if "Δ l2" in block else "Δ"
        p = "p vs GIFT" if "p vs GIFT" in block else "p"
        shown[m, "published"] = block["published"].map(one)
        shown[m, "ours"] = pairs_of(block["ours"], block["±"])
        shown[m, delta] = pairs_of(block[delta], block[f"{delta} ±"], sign=True)
        shown[m, p] = block[p].map(p_text)
    counts = table[names[0]]["n"].where(table[names[0]]["n"] > 0, table[names[-1]]["n"])
    shown["", "n"] = counts.map(lambda n: f"{int(n)}")
    return pd.DataFrame(shown, index=table.index)


def halves(shown: pd.DataFrame) -> list[pd.DataFrame]:
    """A table of `pretty` as two that fit a screen, levels and then differences, without what is empty.

    A published value by itself goes too: there is nothing to compare it with.
    """
    filled = (shown != "").sum()
    full = shown.loc[:, [filled[c] > (c[1] == "published") for c in shown.columns]]
    levels = [c for c in full.columns if c[1] in ("published", "ours", "n")]
    rest = full.drop(columns=levels)
    return [full[levels], rest[(rest != "").any(axis=1)]] if rest.shape[1] else [full[levels]]


def one(value: float) -> str:
    """A number with one decimal, empty where there is none."""
    return "" if np.isnan(value) else f"{value:.1f}"


def pairs_of(means: pd.Series, halves: pd.Series, sign: bool = False) -> list[str]:
    """Means with their half-widths as text, empty where there is no mean."""
    form = "+" if sign else ""
    return [
        "" if np.isnan(m) else intervals.shown(m, None if np.isnan(h) else h, form)
        for m, h in zip(means, halves, strict=True)
    ]


def p_text(value: float) -> str:
    """A p-value as text, empty where there is none."""
    return "" if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


#: What Markdown, its mathematics and HTML would read as something else: an underscore within a word is none of it.
_MARKUP = re.compile(r"[\\`*\[\]|$~{}]|<(?=[A-Za-z/!?])|&(?=[A-Za-z#])|(?<![^\W_])_|_(?![^\W_])")


def literal(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    return _MARKUP.sub(r"\\\g<0>", re.sub(r"[\r\n\t\v\f]+", " ", text))


def markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown; column levels are joined by a space, and no name is read as Markdown or HTML."""
    heads = [" ".join(filter(None, c)) if isinstance(c, tuple) else str(c) for c in table.columns]
    body = [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [[table.index.name or "", *heads], *body]
    text = ["| " + " | ".join(map(literal, line)) + " |" for line in lines]
    return "\n".join([text[0], "|---" * len(lines[0]) + "|", *text[1:]])
