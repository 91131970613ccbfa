"""Figures of the book, each function one. Looks: `theme`."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from gift_lib import intervals, metrics
from gift_lib.book import theme
from gift_lib.book.theme import INSIDE, METHOD_COLOURS, METHOD_MARKERS, SERIES_COLOURS, framed, style
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.intervals import Estimate
from gift_lib.runs import published

_GAP, _SHORT = 0.35, 4  # between the zero-shot row and R; up to so many tasks their names stand side by side
_SLANT = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """The ends of the 95 % t interval of a mean: what seaborn draws as `errorbar`."""
    return (found := intervals.interval(list(values))).low, found.high


@style()
def heatmap(record: Mapping) -> Figure:
    """R of one record, or of the mean of several (`mean_record`), with the zero-shot row on top (percent).

    Discs are accuracies on tasks not learned yet, squares on learned ones, framed squares on the one just learned.
    """
    tasks, R, zero = _matrix_of(record)
    n = len(tasks)
    figure, ax = theme.new(theme.WIDTH * (n + 3.5) / (n + 3) + 0.5)
    for (i, j), value in np.ndenumerate(np.vstack([zero, R])):
        _cell(ax, j, i - 1 if i else -1 - _GAP, value, i - 1, n)
    ax.set(xlim=(-0.6, n - 0.4), ylim=(n - 0.4, -1.6 - _GAP), aspect="equal")
    ax.set_yticks([-1 - _GAP, *range(n)], ["zero-shot", *tasks])
    ax.set_xticks(range(n), tasks, **(_SLANT if n > _SHORT else {}))
    ax.set(xlabel="accuracy (%) on", ylabel="after training on")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    look = {"linestyle": "none", "markersize": 10, "markerfacecolor": "#8a8a8a", "markeredgewidth": 2}
    kinds = {"zero-shot": ("o", "none"), "current task": ("s", "#d55e00"), "learned": ("s", "none")}
    shapes = [Line2D([], [], label=k, marker=m, markeredgecolor=edge, **look) for k, (m, edge) in kinds.items()]
    figure.legend(handles=shapes, loc="outside upper center", ncols=3, columnspacing=1.0, handletextpad=0.3)
    return figure


def _matrix_of(record: Mapping) -> tuple[list[str], np.ndarray, np.ndarray]:
    try:
        tasks, zero = list(record["result"]["tasks"]), np.array(record["result"]["zero_shot"], dtype=float)
        R = metrics.matrix(record["result"]["R"])
    except KeyError as error:
        raise DataError(f"the record has no {error}: run its experiment again.") from error
    if not len(tasks) == len(R) == len(zero):
        raise DataError(f"{len(tasks)} tasks, {len(R)} rows of R, {len(zero)} zero-shot values: run it again.")
    return tasks, R, zero


def _cell(ax: Axes, x: int, y: float, value: float, current: int, n: int) -> None:
    face = mpl.colormaps["viridis"](value / 100)
    if x > current:
        ax.add_patch(Circle((x, y), 0.45, facecolor=face))
    else:
        edge = {"edgecolor": "#d55e00", "linewidth": 2.2} if x == current else {}
        ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, facecolor=face, **edge))
    ink = "black" if theme.luminance(face[:3]) > 0.18 else "white"
    ax.text(x, y, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=9 if n > _SHORT else 12)


def mean_record(records: Sequence[Mapping]) -> dict:
    """A record-like mapping whose R and zero-shot row are the means over the seeds of one experiment."""
    tasks, parts = _common_tasks(records), [_matrix_of(r) for r in records]
    R, zero = (np.mean([p[k] for p in parts], axis=0).tolist() for k in (1, 2))
    return {"config": records[0].get("config", {}), "result": {"tasks": tasks, "R": R, "zero_shot": zero}}


def _common_tasks(records: Sequence[Mapping]) -> list[str]:
    if not records:
        raise DataError("there is no record to plot: run an experiment first, for instance by `make sweep`.")
    orders = {tuple(_matrix_of(r)[0]) for r in records}
    if len(orders) != 1:
        raise DataError("these records do not share one order of tasks: plot each order by itself.")
    return list(orders.pop())


def alt_heatmap(record: Mapping) -> str:
    """What the heat map shows, in two sentences."""
    tasks, R, zero = _matrix_of(record)
    method = published.title(record.get("config", {}).get("method", "the method"))
    text = f"Accuracy matrix of {method} over {len(tasks)} tasks: zero-shot {zero.mean():.1f} % in the mean, "
    text += f"Last {metrics.last(R):.1f} %"
    if len(R) < 2:
        return text + "."
    lost = metrics.forgetting_per_task(R)
    worst = int(np.argmax(lost))
    most = f"most forgotten is {tasks[worst]}, {lost[worst]:.1f} points" if lost[worst] > 0 else "nothing is forgotten"
    return f"{text}, Transfer {metrics.transfer(R):.1f} %; {most}."


@style()
def curves(records: Sequence[Mapping], *, columns: int = 3) -> Figure:
    """Accuracy on each task over the sequence, one panel per task and one line per method.

    x counts the tasks trained so far, 0 being zero-shot; the dotted line marks when the panel's task is learned.
    A line is the mean over a method's records, its band the 95 % t interval. All records must share one order of tasks.
    """
    tasks = _common_tasks(records)
    rows = [pd.DataFrame(np.vstack(_matrix_of(r)[:0:-1]), columns=tasks) for r in records]  # zero-shot, then R
    names = [r["config"]["method"] for r in records]
    frame = pd.concat([row.assign(method=published.title(m)) for row, m in zip(rows, names, strict=True)])
    frame = frame.rename_axis("tasks trained").reset_index().melt(["method", "tasks trained"], var_name="task")
    order = {published.title(m): theme.colour(m) for m in sorted(set(names), key=_rank)}
    panels = sns.relplot(
        frame, kind="line", x="tasks trained", y="value", col="task", col_wrap=min(columns, len(tasks)), hue="method",
        style="method", hue_order=order, style_order=order, palette=order, errorbar=t_interval, facet_kws=INSIDE,
    ).set_titles("{col_name}").set_ylabels("accuracy (%)")  # fmt: skip
    for k, panel in enumerate(panels.axes.flat):
        panel.axvline(k + 1, color=mpl.rcParams["axes.edgecolor"], linewidth=1, linestyle=":")
        panel.set(ylim=(0, 103), yticks=(0, 50, 100))
        panel.grid(axis="y")
    return framed(panels, 1.45 * -(-len(tasks) // columns) + 0.6)


def _rank(method: str) -> tuple[int, str]:
    return [*METHOD_COLOURS, method].index(method), method


@style()
def losses(record: Mapping, *, smooth: int = 1) -> Figure:
    """Every term of the loss over the run, one panel per term, a column of the axis per task.

    `record["result"]["losses"]` is {task: {term: values}}, equally spaced over the task's steps and weighted
    as trained on; shown is the running mean over `smooth` of them.
    """
    found = record["result"].get("losses") or {}
    kept = [t for t in record["result"].get("tasks", found) if t in found]  # a file sorts them by name
    rows = [
        (term, t, t + (k + 0.5) / len(values), value)
        for t, task in enumerate(kept) for term, values in found[task].items() for k, value in enumerate(values)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["term", "task", "at", "loss"])
    if frame.empty:
        raise DataError("this record holds no losses: its method trains nothing.")
    frame["loss"] = frame.groupby(["term", "task"])["loss"].transform(lambda v: v.rolling(smooth, 1).mean())
    terms = sorted(set(frame["term"]), key=lambda t: ([*TERMS, t].index(t), t))
    palette = {t: SERIES_COLOURS[k % len(SERIES_COLOURS)] for k, t in enumerate(terms)}
    panels = sns.relplot(
        frame, kind="line", x="at", y="loss", row="term", row_order=terms, hue="term", palette=palette, units="task",
        estimator=None, legend=False, facet_kws={"sharey": False},
    ).set_titles("")  # fmt: skip
    for term, panel in panels.axes_dict.items():
        panel.set(ylabel=TERMS.get(term, term), xlabel="", xlim=(0, len(kept)), ylim=(0, None))
        panel.set_xticks(np.arange(len(kept)) + 0.5, kept, **(_SLANT if len(kept) > _SHORT else {}))
        panel.set_xticks(range(1, len(kept)), minor=True)
        panel.grid(axis="x", which="minor")
        panel.tick_params(axis="x", which="both", length=0)
    return framed(panels, 1.3 * len(terms) + 1.2)


#: What the terms of a record are called in figures.
TERMS = {"ce": "CE", "cd": "CD", "ita": "ITA"}


@style()
def beside(
    panels: Mapping[str, Mapping[str, tuple[Sequence, Sequence]]], *,
    xlabel: str = "", ylabel: str = "", log: bool = False, height: float = 3.6,
) -> Figure:  # fmt: skip
    """Lines over a number (images per task, steps), {title: {name: (x, values)}}: a panel per title, on one scale.

    A value may be a list, one per seed: the line goes through its mean, its band is the 95 % t interval. Names of
    methods have their colours and titles.
    """
    rows = [
        (title, published.TITLES.get(name, name), name, *point)
        for title, series in panels.items() for name, pair in series.items() for point in zip(*pair, strict=True)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["panel", "title", "name", "x", "y"]).explode("y").astype({"y": float})
    names = dict(frame[["title", "name"]].itertuples(index=False))
    palette = {t: METHOD_COLOURS.get(n) or SERIES_COLOURS[k % 6] for k, (t, n) in enumerate(names.items())}
    markers = {t: METHOD_MARKERS.get(n) or "osD^vP"[k % 6] for k, (t, n) in enumerate(names.items())}
    drawn = sns.relplot(
        frame, kind="line", x="x", y="y", col="panel", hue="title", style="title", palette=palette, errorbar=t_interval,
        markers=frame["x"].nunique() <= 20 and markers, legend="full" if len(names) > 1 else False, facet_kws=INSIDE,
    ).set_titles("{col_name}", size=10).set_axis_labels(xlabel, ylabel)  # fmt: skip
    for panel in drawn.axes.flat:
        panel.grid()
        if log:
            panel.set_xscale("log", base=2)
            panel.set_xticks(ticks := sorted(set(frame["x"])), [f"{v:g}" for v in ticks])
    return framed(drawn, height, 3 if sum(map(len, names)) < 40 else 2)


def lines(series: Mapping[str, tuple[Sequence, Sequence]], **options: Any) -> Figure:
    """One panel of `beside`, {name: (x, values)}."""
    return beside({"": series}, **{"height": 3.4, **options})


@style()
def transfer_last(numbers: Mapping[str, Mapping], printed: Mapping[str, Mapping] | None = None) -> Figure:
    """Transfer against Last of `tables.estimates`, a point per method: up and right is better; below, the `printed`.

    A method's name stands beside its point, in the legend where it would hide another.
    """
    shown = {"here": numbers, "published": printed} if printed else {"": numbers}
    figure = theme.Drawing(figsize=(theme.WIDTH, 2.8 + 2.4 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), squeeze=False, height_ratios=(3, 2)[: len(shown)])[:, 0]
    for ax, (title, found) in zip(axes, shown.items(), strict=True):
        for method in sorted(found, key=_rank):
            _point(ax, method, *(found[method].get(m) for m in ("Transfer", "Last")))
        ax.set(title=title, ylabel="Last (%): at the end", axisbelow=True)
        ax.margins(0.12)
        ax.grid()
    axes[-1].set_xlabel("Transfer (%): tasks not learned yet")
    figure.draw_without_rendering()
    left = {p.get_label(): p for ax in axes for p in _unnamed(ax)}
    if left:
        figure.legend(left.values(), left, loc="outside lower center", ncols=3, columnspacing=1.2, handletextpad=0.4)
    return figure


def _point(ax: Axes, method: str, x: Estimate | None, y: Estimate | None) -> None:
    look = {"marker": METHOD_MARKERS.get(method, "p"), "markersize": 12 if method == "gift" else 8, "capsize": 2}
    if x and y:
        ax.errorbar(x.mean, y.mean, xerr=x.half_width, yerr=y.half_width, color=theme.colour(method), elinewidth=1.3,
                    linestyle="none", label=published.title(method), **look)  # fmt: skip


def _unnamed(ax: Axes) -> list[Any]:
    """Write each point's name beside it where there is room; the points that are left."""
    points, left = ax.get_legend_handles_labels()[0], []
    taken = [p.lines[0].get_window_extent() for p in points]
    caps = ([cap.get_window_extent() for cap in p.lines[1]] for p in points)
    taken += [Bbox.union(ends) for own in caps for ends in zip(own[::2], own[1::2], strict=True)]
    for point in points:
        look = {"textcoords": "offset points", "color": point.lines[0].get_color(), "fontsize": 9, "va": "center"}
        for dx, dy in itertools.product((6, -6), (8, -8, 0)):
            text = ax.annotate(point.get_label(), point.lines[0].get_xydata()[0], (dx * (1 if dy else 1.6), dy),
                               ha="left" if dx > 0 else "right", **look)  # fmt: skip
            box = text.get_window_extent()
            if not box.count_overlaps(taken) and ax.bbox.x0 < box.x0 and box.x1 < ax.bbox.x1:
                taken.append(box)
                break
            text.remove()
        else:
            left.append(point)
    return left


@style()
def points(frame: pd.DataFrame) -> Figure:
    """A row per setting, a panel per metric: means with 95 % t intervals, every seed as a pale point.

    `frame` has a row per setting, metric and seed (`tables.long`).
    """
    order, names = (list(dict.fromkeys(frame[c])) for c in ("setting", "metric"))
    look = {"x": "value", "y": "setting", "order": order, "color": SERIES_COLOURS[0]}
    panels = sns.catplot(
        frame, kind="point", row="metric", errorbar=t_interval, linestyle="none", capsize=0.3, markersize=6,
        err_kws={"linewidth": 1.6}, sharex=False, **look,
    ).set_titles("")  # fmt: skip
    if frame.duplicated(["setting", "metric"]).any():
        panels.map_dataframe(sns.stripplot, size=4, alpha=0.4, jitter=False, **look)
    for metric, panel in panels.axes_dict.items():
        panel.margins(x=0.12)
        panel.set(xlabel=f"{metric} (%)", ylabel="", ylim=(len(order) - 0.5, -0.5), axisbelow=True)
        panel.grid(axis="x")
    return framed(panels, (0.33 * len(order) + 0.7) * len(names) + 0.3)


@style()
def dots(frame: pd.DataFrame) -> Figure:
    """A row per `number`, a panel per `order` where there are any: a mark at the `value` that each of `of` gives it."""
    look = {"hue": "of", "style": "of", "palette": SERIES_COLOURS[: frame["of"].nunique()], "s": 70, "linewidth": 0}
    several = "order" if "order" in frame else None
    panels = sns.relplot(frame, x="value", y="number", col=several, facet_kws=INSIDE, **look)
    panels.set_titles("Order {col_name}" if several else "").set_axis_labels("", "")
    for panel in panels.axes.flat:
        panel.axvline(0, color=theme.GRID)
        panel.grid(axis="y")
        panel.xaxis.set_major_locator(MaxNLocator(3))
    return framed(panels, 0.32 * frame["number"].nunique() + 1.3)


@style()
def stacked(parts: Mapping[str, Mapping[str, float]], *, xlabel: str = "") -> Figure:
    """A bar per name, from left to right of what it is made of; {name: {part: amount}}, the same parts in each."""
    figure, ax = theme.new(1.6 + 0.45 * len(parts))
    look = {"color": SERIES_COLOURS * 2, "edgecolor": "white", "linewidth": 0.5, "width": 0.8}
    pd.DataFrame(parts).T.plot.barh(ax=ax, stacked=True, legend=False, xlabel=xlabel, **look)
    for bar in itertools.chain(*ax.containers[6:]):
        bar.set_hatch("///")
    ax.invert_yaxis()
    figure.legend(loc="outside upper left", ncols=3, columnspacing=1.2)
    return figure


@style()
def trail(points: Mapping[float, tuple[float, float]], at: float) -> Figure:
    """A path of models in the plane of Transfer and Last, {weight: (Transfer, Last)}, the one `at` a weight marked."""
    if at not in points:
        raise ConfigError(f"there is no point at {at}; {nearest(str(at), [str(p) for p in points])}")
    figure, ax = theme.new(3.6)
    ordered = sorted(points)
    ax.plot(*zip(*(points[w] for w in ordered), strict=True), "o-", color=SERIES_COLOURS[0], zorder=2)
    for w in (ordered[0], ordered[-1]):
        ax.annotate(f"w = {w:g}", points[w], (10, 8), textcoords="offset points")
    ax.plot(*points[at], "D", color=METHOD_COLOURS["gift"], markersize=13, zorder=3)
    ax.margins(0.14)
    ax.set(xlabel="Transfer (%)", ylabel="Last (%)", axisbelow=True)
    ax.grid()
    return figure


@style()
def pictures(images: Any, labels: Sequence[str] = (), *, columns: int = 4, limit: int = 16) -> Figure:
    """The first `limit` pictures of a SyntheticSet with their prompts, or of UInt8[n 3 h w] with labels, as a grid."""
    pixels, labels = _pixels(images, labels, limit)
    rows = -(-len(pixels) // columns)
    texts = ["\n".join(textwrap.fill(p, max(8, 60 // columns)) for p in t.split("\n")) for t in labels]
    lines_of_text = max((t.count("\n") + 1 for t in texts), default=0)
    size = (theme.WIDTH, rows * (theme.WIDTH / columns + 0.165 * lines_of_text) + 0.1)
    axes = theme.Drawing(figsize=size, layout="constrained").subplots(rows, columns, squeeze=False).flat
    for panel, image, text in itertools.zip_longest(axes, pixels, texts):
        panel.axis("off")
        if image is not None:
            panel.imshow(np.moveaxis(image, 0, -1), interpolation="nearest")
            panel.text(0.5, -0.04, text or "", transform=panel.transAxes, ha="center", va="top", fontsize=9)
    return axes[0].figure


def _pixels(images: Any, labels: Sequence[str], limit: int) -> tuple[np.ndarray, list[str]]:
    if hasattr(images, "prompts"):  # a SyntheticSet
        labels = labels or images.prompts
        images = images.images.batch(torch.arange(min(limit, len(images.images))))
    pixels = np.asarray(images)[:limit]
    if pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.dtype != np.uint8 or len(pixels) == 0:
        raise DataError(f"pictures of shape {pixels.shape}, type {pixels.dtype}: give bytes of shape n x 3 x h x w.")
    return pixels, list(labels)[:limit]
