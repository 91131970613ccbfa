"""Figures of the book. Each function returns a Figure, and takes an axis to draw into instead. Looks: `theme`."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MaxNLocator

from gift_lib import metrics
from gift_lib.book.theme import (
    LINES,
    METHOD_COLOURS,
    SERIES_COLOURS,
    WIDTH,
    axis,
    colour,
    grid,
    luminance,
    marker,
    themed,
)
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.intervals import Estimate
from gift_lib.runs import published

_CMAP = "viridis"
_GAP = 0.35  # between the zero-shot row and R
SHORT = 4  # up to so many tasks their names stand side by side


# The accuracy matrix ------------------------------------------------------------------------------


@themed
def heatmap(record: Mapping, *, ax: Axes | None = None, numbers: bool = True, labels: bool = True) -> Figure:
    """R of one record, or the mean of several via `mean_record`, with the zero-shot row on top.

    Discs are zero-shot accuracies (a task not learned yet), squares are learned tasks, framed squares
    the task just learned. `record` needs result.tasks, result.R and result.zero_shot (percent).
    """
    tasks, R, zero = _matrix_of(record)
    n = len(tasks)
    figure, ax = axis(ax, height=WIDTH * (n + 3.5) / (n + 3) + 0.5)
    size = 0 if not numbers else 9 if n > SHORT else 12
    for j in range(n):
        _cell(ax, j, -1 - _GAP, zero[j], "zero-shot", size)
    for i, j in itertools.product(range(n), range(n)):
        kind = "zero-shot" if j > i else "current" if j == i else "learned"
        _cell(ax, j, i, R[i, j], kind, size)
    ax.set(xlim=(-0.6, n - 0.4), ylim=(n - 0.4, -1.6 - _GAP), aspect="equal")
    ax.set_yticks([-1 - _GAP, *range(n)], ["zero-shot", *tasks] if labels else ["0", *range(1, n + 1)])
    slant = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if labels and n > SHORT else {}
    ax.set_xticks(range(n), tasks if labels else range(1, n + 1), **slant)
    ax.set(xlabel="accuracy (%) on", ylabel="after training on")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    _matrix_legend(ax)
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


def _cell(ax: Axes, x: int, y: float | int, value: float, kind: str, size: int) -> None:
    face = mpl.colormaps[_CMAP](Normalize(0, 100)(value))
    if kind == "zero-shot":
        ax.add_patch(Circle((x, y), 0.45, facecolor=face))
    else:
        ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, facecolor=face))
    if kind == "current":
        ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor="#d55e00", linewidth=2.2))
    if size:
        ink = "black" if luminance(face[:3]) > 0.18 else "white"
        ax.text(x, y, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=size)


def _matrix_legend(ax: Axes) -> None:
    grey = {"color": "#8a8a8a", "linestyle": "none", "markersize": 10}
    shapes = [
        Line2D([], [], marker="o", label="zero-shot", **grey),
        Line2D([], [], marker="s", label="current task", markeredgecolor="#d55e00", markeredgewidth=2, **grey),
        Line2D([], [], marker="s", label="learned", **grey),
    ]
    ax.legend(handles=shapes, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, columnspacing=1.0,
              handletextpad=0.3)  # fmt: skip


def mean_record(records: Sequence[Mapping]) -> dict:
    """A record-like mapping whose R and zero-shot row are the means over the seeds of one experiment."""
    parts = [_matrix_of(r) for r in records]
    if not parts or any(tasks != parts[0][0] for tasks, _, _ in parts):
        raise DataError("these records do not share one order of tasks: plot each order by itself.")
    R, zero = (np.mean([p[k] for p in parts], axis=0).tolist() for k in (1, 2))
    return {"config": records[0].get("config", {}), "result": {"tasks": parts[0][0], "R": R, "zero_shot": zero}}


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


# Curves -------------------------------------------------------------------------------------------


@themed
def curves(records: Sequence[Mapping], *, ax: Axes | None = None, columns: int = 3) -> Figure:
    """Accuracy on each task over the sequence, one panel per task and one line per method.

    x counts the tasks trained so far, 0 being zero-shot; the dotted line marks when the panel's task is
    learned. Records of one method are averaged. All records must share one order of tasks.
    """
    groups = _by_method(records)
    means = {m: mean_record(rs) for m, rs in groups.items()}
    tasks = _common_tasks(means.values())
    rows = -(-len(tasks) // columns)
    figure, axes = grid(ax, rows, columns, 1.45 * rows + 0.6, sharex=True, sharey=True)
    for k, (panel, name) in enumerate(zip(axes.flat, tasks, strict=False)):
        _task_panel(panel, means, k, name)
        panel.tick_params(labelbottom=k + columns >= len(tasks))
    for panel in axes.flat[len(tasks) :]:
        panel.axis("off")
    handles = [Line2D([], [], label=published.title(m), **_line(m)) for m in means]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if len(handles) < 9 else 3)
    axes[-1, 0].set_xlabel("tasks trained")
    axes[rows // 2, 0].set_ylabel("accuracy (%)")
    return figure


def _line(method: str) -> dict[str, Any]:
    known = list(METHOD_COLOURS)
    dash = LINES[known.index(method) % len(LINES)] if method in known else "-"
    return {"color": colour(method), "linestyle": "-" if method == "gift" else dash}


def _task_panel(panel: Axes, means: Mapping[str, Mapping], k: int, name: str) -> None:
    for method, record in means.items():
        _, R, zero = _matrix_of(record)
        panel.plot(range(len(R) + 1), [zero[k], *R[:, k]], zorder=3 if method == "gift" else 2, **_line(method))
    panel.axvline(k + 1, color=mpl.rcParams["axes.edgecolor"], linewidth=1, linestyle=":")
    panel.set_title(name, fontsize=10, pad=3)
    panel.set(ylim=(0, 103), yticks=(0, 50, 100))
    panel.grid(axis="y")


def _by_method(records: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    if not records:
        raise DataError("there is no record to plot: run an experiment first, for instance by `make sweep`.")
    found: dict[str, list[Mapping]] = {}
    for record in records:
        found.setdefault(record["config"]["method"], []).append(record)
    return {m: found[m] for m in sorted(found, key=_rank)}


def _rank(method: str) -> tuple[int, str]:
    known = list(METHOD_COLOURS)
    return (known.index(method) if method in known else len(known), method)


def _common_tasks(records) -> list[str]:
    orders = {tuple(r["result"]["tasks"]) for r in records}
    if len(orders) != 1:
        raise DataError("these records do not share one order of tasks: plot each order by itself.")
    return list(orders.pop())


@themed
def losses(record: Mapping, *, ax: Axes | None = None, terms: Sequence[str] = (), smooth: int = 1) -> Figure:
    """Every term of the loss over the run, one panel per term, a column of the axis per task.

    `record["result"]["losses"]` is {task: {term: values}}, equally spaced over the task's steps and weighted
    as trained on. `smooth` > 1 adds the running mean over so many values and pales the values themselves.
    """
    found = record["result"].get("losses") or {}
    kept = {t: found[t] for t in record["result"].get("tasks", found) if t in found}  # a file sorts them by name
    present = {t for parts in kept.values() for t in parts}
    names = list(terms) or sorted(present, key=lambda t: (list(TERMS).index(t) if t in TERMS else len(TERMS), t))
    if not names:
        raise DataError("this record holds no losses: its method trains nothing.")
    figure, axes = grid(ax, len(names), 1, 1.3 * len(names) + 1.2, sharex=True)
    for k, (panel, term) in enumerate(zip(axes.flat, names, strict=True)):
        _loss_panel(panel, kept, term, SERIES_COLOURS[k % len(SERIES_COLOURS)], smooth)
    slant = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if len(kept) > SHORT else {}
    axes[-1, 0].set_xticks([t + 0.5 for t in range(len(kept))], list(kept), **slant)
    axes[-1, 0].tick_params(axis="x", length=0)
    return figure


#: What the terms of a record are called in figures.
TERMS = {"ce": "CE", "cd": "CD", "ita": "ITA"}


def _loss_panel(panel: Axes, kept: Mapping, term: str, line_colour: str, smooth: int) -> None:
    for t, parts in enumerate(kept.values()):
        values = np.asarray(parts.get(term, []), dtype=float)
        x = t + (np.arange(len(values)) + 0.5) / max(1, len(values))
        panel.plot(x, values, color=line_colour, linewidth=1.3, alpha=1 if smooth <= 1 else 0.35)
        if smooth > 1:
            panel.plot(x, _running_mean(values, smooth), color=line_colour)
        if t:
            panel.axvline(t, color=mpl.rcParams["grid.color"], linewidth=1)
    panel.set_ylabel(TERMS.get(term, term))
    panel.set(xlim=(0, len(kept)), ylim=(0, None))


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of the last `width` values at every place (of fewer at the start)."""
    if len(values) == 0:
        return values
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    first = np.maximum(0, end - max(1, width))
    return (total[end] - total[first]) / (end - first)


# Numbers with intervals ---------------------------------------------------------------------------

Numbers = Mapping[str, Mapping[str, Estimate | float | None]]


@themed
def transfer_last(numbers: Numbers, *, ax: Axes | None = None, zero_shot: float | None = None) -> Figure:
    """Transfer against Last, a point per method with 95 % intervals as bars: up and right is better.

    `numbers` is {method: {"Transfer": Estimate, "Last": Estimate}} (`tables.estimates`).
    `zero_shot` draws the Transfer of the untouched model as a line.
    """
    figure, ax = axis(ax, height=5.2)
    for method in sorted(numbers, key=_rank):
        x, y = numbers[method].get("Transfer"), numbers[method].get("Last")
        if x is None or y is None:
            continue
        ax.errorbar(_mean(x), _mean(y), xerr=_half(x), yerr=_half(y), marker=marker(method), color=colour(method),
                    markersize=12 if method == "gift" else 8, linestyle="none", elinewidth=1.3, capsize=2,
                    label=published.title(method))  # fmt: skip
    if zero_shot is not None:  # the point of zero-shot itself, where it is there, names the line
        ax.axvline(zero_shot, color=mpl.rcParams["axes.edgecolor"], linestyle=":", linewidth=1)
        if "zero-shot" not in numbers:
            ax.annotate("zero-shot", (zero_shot, 0.02), xycoords=("data", "axes fraction"), rotation=90, fontsize=9,
                        xytext=(-3, 0), textcoords="offset points", ha="right", va="bottom")  # fmt: skip
    ax.set(xlabel="Transfer (%): tasks not learned yet", ylabel="Last (%): all tasks at the end")
    ax.grid()
    ax.set_axisbelow(True)
    _legend_below(figure, ax)
    return figure


def _legend_below(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    ax.legend(handles, names, loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=2, columnspacing=1.2,
              handletextpad=0.4)  # fmt: skip


def _mean(value: Estimate | float | int) -> float:
    return value.mean if isinstance(value, Estimate) else float(value)


def _half(value: Estimate | float | int) -> float | None:
    return value.half_width if isinstance(value, Estimate) else None


def alt_transfer_last(numbers: Numbers) -> str:
    """Which method leads in Transfer and in Last."""
    known = {m: v for m, v in numbers.items() if v.get("Transfer") is not None and v.get("Last") is not None}
    if not known:
        return "Transfer against Last: no records yet."
    best = {k: max(known, key=lambda m: _mean(known[m][k])) for k in ("Transfer", "Last")}
    said = [f"{published.title(m)} has the highest {k}, {known[m][k]} %" for k, m in best.items()]
    return f"Transfer against Last for {len(known)} methods: " + "; ".join(said) + "."


@themed
def points(
    numbers: Numbers, *, ax: Axes | None = None, paper: Numbers | None = None, default: str = "",
    names: Sequence[str] = published.METRICS,
) -> Figure:  # fmt: skip
    """A row per setting, a panel per metric: our means with 95 % intervals, published values beside them.

    `numbers` is {setting: {metric: Estimate}}; `default` names the setting that the method uses (a grey band).
    Ours and the published values have panels, and scales, of their own: the models differ, the order may not.
    """
    columns = 2 if paper else 1
    height = (0.33 * len(numbers) + 0.7) * len(names) + 0.3
    figure, axes = grid(ax, len(names), columns, height, sharey=True)
    for row, metric in zip(axes, names, strict=True):
        _point_panel(row[0], numbers, metric, default, bool(paper), marker="o", color=SERIES_COLOURS[0])
        if paper:
            _point_panel(row[1], {k: paper.get(k, {}) for k in numbers}, metric, default, True, marker="D",
                         color=SERIES_COLOURS[1], markerfacecolor="none")  # fmt: skip
    spread = any(_half(v) for row in numbers.values() for v in row.values() if v is not None)
    axes[0, 0].set_title("ours, 95 % interval" if spread else "ours" if paper else "")
    if paper:
        axes[0, 1].set_title("published")
    return figure


def _point_panel(panel: Axes, numbers: Numbers, metric: str, default: str, beside: bool, **look: Any) -> None:
    settings = list(numbers)
    for y, name in enumerate(settings):
        if name == default:
            panel.axhspan(y - 0.45, y + 0.45, color="#8a8a8a", alpha=0.18, linewidth=0)
        value = numbers[name].get(metric)
        if value is not None:
            panel.errorbar(_mean(value), y, xerr=_half(value), capsize=3, **look)
    panel.set_yticks(range(len(settings)), settings)
    panel.set(ylim=(len(settings) - 0.45, -0.55), xlabel=f"{metric} (%)")
    panel.margins(x=0.12)
    panel.xaxis.set_major_locator(MaxNLocator(3 if beside else 6))
    panel.grid(axis="x")
    panel.set_axisbelow(True)


@themed
def lines(
    series: Mapping[str, tuple[Sequence, Sequence]], *, ax: Axes | None = None,
    xlabel: str = "", ylabel: str = "", log: bool = False, height: float = 3.4,
) -> Figure:  # fmt: skip
    """Lines over a number (images per task, steps): {name: (x, values)}; Estimates get bars, methods their colours."""
    figure, ax = axis(ax, height)
    _draw_lines(ax, series)
    if log:
        ax.set_xscale("log", base=2)
        ticks = sorted({v for x, _ in series.values() for v in x})
        ax.set_xticks(ticks, [f"{v:g}" for v in ticks])
        ax.minorticks_off()
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(series) > 1:  # above the axes: inside, it would lie on a curve
        columns = 3 if sum(map(len, series)) < 40 else 2
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, columnspacing=1.2, borderaxespad=0.2)
    return figure


@themed
def beside(
    panels: Mapping[str, Mapping[str, tuple[Sequence, Sequence]]], *, ax: Axes | None = None,
    xlabel: str = "", ylabel: str = "", height: float = 3.6,
) -> Figure:  # fmt: skip
    """Panels of `lines` side by side on one scale, {title: series}; one legend for all, so names mean the same."""
    figure, axes = grid(ax, 1, len(panels), height, sharey=True)
    for panel, (title, series) in zip(axes[0], panels.items(), strict=True):
        _draw_lines(panel, series)
        panel.set(title=title, xlabel=xlabel)
    axes[0, 0].set_ylabel(ylabel)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=4, columnspacing=1.2)
    return figure


def _draw_lines(ax: Axes, series: Mapping[str, tuple[Sequence, Sequence]]) -> None:
    for k, (name, (x, values)) in enumerate(series.items()):
        known = name in METHOD_COLOURS
        look = _line(name) if known else {"color": SERIES_COLOURS[k % 6], "linestyle": LINES[k % len(LINES)]}
        mark = marker(name) if known else "osD^vP"[k % 6]
        halves = [_half(v) or 0.0 for v in values]
        ax.errorbar(x, [_mean(v) for v in values], yerr=halves if any(halves) else None, capsize=3,
                    marker=mark if len(x) <= 20 else None, label=published.TITLES.get(name, name), **look)  # fmt: skip
    ax.grid()
    ax.set_axisbelow(True)


def alt_points(numbers: Numbers, metric: str = "Last") -> str:
    """Which setting is best and which worst in one metric."""
    known = {k: v[metric] for k, v in numbers.items() if v.get(metric) is not None}
    if not known:
        return f"{metric} by setting: no records yet."
    best, worst = max(known, key=lambda k: _mean(known[k])), min(known, key=lambda k: _mean(known[k]))
    return f"{metric} by setting: highest for {best} ({known[best]} %), lowest for {worst} ({known[worst]} %)."


@themed
def stacked(parts: Mapping[str, Mapping[str, float]], *, ax: Axes | None = None, xlabel: str = "") -> Figure:
    """A bar per name, from left to right of what it is made of; {name: {part: amount}}, the same parts in each."""
    figure, ax = axis(ax, 1.6 + 0.45 * len(parts))
    names, left = list(parts), np.zeros(len(parts))
    for k, part in enumerate(parts[names[0]]):
        amounts = np.array([parts[n][part] for n in names])
        look = {"color": SERIES_COLOURS[k % 6], "hatch": "" if k < 6 else "///", "edgecolor": "white"}
        ax.barh(names, amounts, left=left, label=part, linewidth=0.5, **look)
        left += amounts
    ax.invert_yaxis()
    ax.set_xlabel(xlabel)
    figure.legend(loc="outside upper left", ncols=3, columnspacing=1.2)
    return figure


def alt_stacked(parts: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """What each bar adds up to, and its largest part."""
    said = [f"{n} {sum(p.values()):.0f} {unit}, most of it {max(p, key=p.get)}" for n, p in parts.items()]
    return "; ".join(said) + "."


@themed
def trail(points: Mapping[float, tuple[float, float]], at: float, *, ax: Axes | None = None, what: str = "w") -> Figure:
    """A path of models in the plane of Transfer and Last, {weight: (Transfer, Last)}, the one `at` a weight marked."""
    if at not in points:
        raise ConfigError(f"there is no point at {at}; {nearest(str(at), [str(p) for p in points])}")
    figure, ax = axis(ax, 3.6)
    ordered = sorted(points)
    ax.plot(*zip(*(points[w] for w in ordered), strict=True), "o-", color=SERIES_COLOURS[0], zorder=2)
    for w in (ordered[0], ordered[-1]):
        ax.annotate(f"{what} = {w:g}", points[w], (10, 8), textcoords="offset points")
    ax.plot(*points[at], "D", color=METHOD_COLOURS["gift"], markersize=13, zorder=3)
    ax.margins(0.14)
    ax.set(xlabel="Transfer (%)", ylabel="Last (%)")
    ax.grid()
    ax.set_axisbelow(True)
    return figure


# Pictures -----------------------------------------------------------------------------------------


@themed
def pictures(
    images: Any, labels: Sequence[str] = (), *, ax: Axes | None = None, columns: int = 4, limit: int = 16,
) -> Figure:  # fmt: skip
    """A grid of pictures with their prompts below: a SyntheticSet, or UInt8[n 3 h w] with labels.

    Shows the first `limit`. Small pictures are enlarged without smoothing.
    """
    pixels, labels = _pixels(images, labels, limit)
    rows = -(-len(pixels) // columns)
    wrap = max(8, int(60 / columns))
    texts = ["\n".join(line for part in t.split("\n") for line in textwrap.wrap(part, wrap)) for t in labels]
    lines_of_text = max((t.count("\n") + 1 for t in texts), default=0)
    height = rows * (WIDTH / columns + 0.165 * lines_of_text) + 0.1
    figure, axes = grid(ax, rows, columns, height)
    for panel in axes.flat:
        panel.axis("off")
    for k, (panel, image) in enumerate(zip(axes.flat, pixels, strict=False)):
        panel.imshow(np.moveaxis(image, 0, -1), interpolation="nearest")
        if k < len(texts):
            panel.text(0.5, -0.04, texts[k], transform=panel.transAxes, ha="center", va="top", fontsize=9)
    return figure


def _pixels(images: Any, labels: Sequence[str], limit: int) -> tuple[np.ndarray, list[str]]:
    if hasattr(images, "prompts"):  # a SyntheticSet
        images, labels = images.images, labels or images.prompts
    if hasattr(images, "batch"):  # any store of images
        import torch

        images = images.batch(torch.arange(min(limit, len(images))))
    pixels = np.asarray(images)[:limit]
    if pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.dtype != np.uint8 or len(pixels) == 0:
        raise DataError(f"pictures of shape {pixels.shape}, type {pixels.dtype}: give bytes of shape n x 3 x h x w.")
    return pixels, list(labels)[:limit]
