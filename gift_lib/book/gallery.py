"""Contact sheets: real pictures of tasks beside the ones that the diffusion model draws from their class names."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from gift_lib.book.theme import SERIES_COLOURS, WIDTH, Drawing, themed
from gift_lib.errors import ConfigError
from gift_lib.tasks import Task

Pictures = UInt8[Tensor, "n 3 h w"]


def spread(task: Task, n: int) -> list[int]:
    """`n` classes of a task, evenly spread over its list of classes."""
    last = len(task.classes) - 1
    n = min(n, last + 1)
    return [round(k * last / max(1, n - 1)) for k in range(n)]


def examples(task: Task, classes: Sequence[int], split: str = "train") -> Pictures:
    """The first picture of each of the given classes in a split."""
    part = getattr(task, split)
    first = [int((part.labels == c).nonzero()[0]) for c in classes]
    return part.images.batch(torch.tensor(first))


@themed
def contact_sheet(rows: Mapping[str, Sequence[Pictures]], titles: Sequence[str]) -> Figure:
    """One row per task and one block of pictures per title, side by side; small pictures are not smoothed."""
    if any(len(blocks) != len(titles) for blocks in rows.values()):
        raise ConfigError(f"every row needs {len(titles)} blocks of pictures, one for each of {', '.join(titles)}.")
    columns = max(len(block) for blocks in rows.values() for block in blocks)
    row = 0.8 * WIDTH / (columns * len(titles)) + 0.05
    figure = Drawing(figsize=(WIDTH, row * len(rows) + 0.3), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.01, hspace=0.02)
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, (name, blocks) in zip(axes, rows.items(), strict=True):
        for panel, pictures in zip(line, blocks, strict=True):
            panel.imshow(_strip(pictures), interpolation="nearest")
            panel.axis("off")
        line[0].text(-0.03, 0.5, name, transform=line[0].transAxes, ha="right", va="center")
    for panel, title in zip(axes[0], titles, strict=True):
        panel.set_title(title)
    return figure


def _strip(pictures: Pictures, gap: int = 2) -> np.ndarray:
    """Pictures side by side with transparent gaps, h x w x 4."""
    n, _, h, w = pictures.shape
    strip = np.zeros((h, n * (w + gap) - gap, 4), dtype=np.uint8)
    for k, picture in enumerate(pictures.numpy()):
        start = k * (w + gap)
        strip[:, start : start + w, :3] = np.moveaxis(picture, 0, -1)
        strip[:, start : start + w, 3] = 255
    return strip


@themed
def bars(series: Mapping[str, Mapping[str, float]], unit: str = "%") -> Figure:
    """Values by name as horizontal bars, the first series wide and filled, the others as marks across it."""
    (main, values), *others = series.items()
    names = list(values.keys())
    figure = Drawing(figsize=(WIDTH, 0.3 * len(names) + 1.0), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(names))
    axis.barh(places, [values[n] for n in names], height=0.6, color=SERIES_COLOURS[0], label=main)
    for k, (title, marks) in enumerate(others, start=1):
        axis.plot([marks[n] for n in names], places, "Do^s"[(k - 1) % 4], color=SERIES_COLOURS[k], label=title)
    for place, name in zip(places, names, strict=True):
        end = max(one[name] for one in series.values())
        axis.annotate(f"{values[name]:.0f}", (end, place), (6, 0), textcoords="offset points", va="center")
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    axis.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=len(series))
    return figure


@themed
def own_and_other(similarities: Mapping[str, Float[Tensor, "n p"]], own: Int64[Tensor, " n"]) -> Figure:
    """How alike pictures are to their own prompts, filled, and to the others, a line: one panel per set.

    `similarities` is {set: pictures by prompts}; `own` is the column of each picture's own prompt.
    """
    figure = Drawing(figsize=(WIDTH, 1.1 * len(similarities) + 1.0), layout="constrained")
    panels = figure.subplots(len(similarities), 1, sharex=True, squeeze=False)[:, 0]
    every = torch.cat([s.flatten() for s in similarities.values()])
    bins = np.linspace(float(every.min()), float(every.max()), 41)
    for panel, (name, found) in zip(panels, similarities.items(), strict=True):
        mine = torch.nn.functional.one_hot(own, found.shape[1]).bool()
        look = {"bins": bins, "density": True}
        panel.hist(found[~mine].numpy(), histtype="step", color=SERIES_COLOURS[5], label="other prompts", **look)
        panel.hist(found[mine].numpy(), color=SERIES_COLOURS[1], label="own prompt", **look)
        panel.set_title(name)
        panel.set_yticks([])
    panels[-1].set_xlabel("cosine similarity of picture and prompt")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@themed
def landscape(groups: Mapping[str, Mapping[str, Float[Tensor, "n d"]]]) -> Figure:
    """Embeddings, {group: {set: points}}: a panel per group, a marker per set.

    The plane is that of the two directions in which the first sets of all groups together vary most.
    """
    first = torch.cat([next(iter(sets.values())) for sets in groups.values()])
    plane = torch.linalg.svd(first - first.mean(dim=0), full_matrices=False)[2][:2].T
    figure = Drawing(figsize=(WIDTH, WIDTH / len(groups) + 0.7), layout="constrained")
    panels = figure.subplots(1, len(groups), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (title, sets) in zip(panels, groups.items(), strict=True):
        for k, (name, points) in enumerate(sets.items()):
            at = ((points - first.mean(dim=0)) @ plane).numpy()
            panel.plot(*at.T, "oD^s"[k % 4], color=SERIES_COLOURS[k], markersize=4, alpha=0.8, label=name)
        panel.set(title=title, xticks=[], yticks=[], aspect="equal")
        panel.spines[:].set_visible(True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(sets))
    return figure


@themed
def matrices(
    named: Mapping[str, Float[Tensor, "n n"]], pictures: Pictures, prompts: Sequence[str], what: str
) -> Figure:  # fmt: skip
    """Matrices of pairs side by side: picture i along the rows, prompt j along the columns, one colour bar for all.

    `what` names the values; all panels share their range, so that colours can be compared.
    """
    n = len(pictures)
    if len(prompts) != n or any(m.shape != (n, n) for m in named.values()):
        raise ConfigError(f"{n} pictures and {len(prompts)} prompts need matrices of {n} x {n}.")
    low, high = (float(f(torch.stack(list(named.values())))) for f in (torch.min, torch.max))
    figure = Drawing(figsize=(WIDTH, 3.4), layout="constrained")
    strip, *panels = figure.subplots(1, len(named) + 1, width_ratios=[1] + [n] * len(named))
    strip.imshow(_stack(pictures), aspect="auto")
    strip.axis("off")
    for panel, (title, matrix) in zip(panels, named.items(), strict=True):
        shown = panel.imshow(matrix.numpy(), vmin=low, vmax=high, cmap="viridis", aspect="auto")
        panel.set_xticks(range(n), _short(prompts), rotation=90, fontsize=9)
        panel.set_yticks([])
        panel.set_title(title)
    figure.colorbar(shown, ax=panels, location="right", label=what, aspect=30)
    return figure


def _stack(pictures: Pictures) -> np.ndarray:
    """Pictures one below the other, (n h) x w x 3."""
    return np.concatenate([np.moveaxis(p, 0, -1) for p in pictures.numpy()])


def _short(prompts: Sequence[str]) -> list[str]:
    """What tells prompts apart: without the words that all begin with, and without the full stop."""
    words = [p.removesuffix(".").split() for p in prompts]
    shared = len(list(itertools.takewhile(lambda heads: len(set(heads)) == 1, zip(*words, strict=False))))
    kept = [" ".join(w[shared:] or w) for w in words]
    return [textwrap.shorten(k, 20, placeholder="…") for k in kept]
