"""Contact sheets: real pictures of tasks beside the ones that the diffusion model draws from their class names."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import torch
from jaxtyping import Float, Int64, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from gift_lib.book.theme import INSIDE, SERIES_COLOURS, WIDTH, Drawing, framed, style
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


@style()
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


@style()
def bars(series: Mapping[str, Mapping[str, float]], unit: str = "%") -> Figure:
    """Values by name as horizontal bars, the first series wide and filled, the others as marks across it."""
    (main, values), *others = series.items()
    names, figure = list(values.keys()), Drawing(figsize=(WIDTH, 0.3 * len(values) + 1.0), layout="constrained")
    axis = figure.subplots()
    axis.barh(names, [values[n] for n in names], height=0.6, color=SERIES_COLOURS[0], label=main)
    for k, (title, marks) in enumerate(others, start=1):
        look = {"color": SERIES_COLOURS[k], "markeredgecolor": "white", "markersize": 7}
        axis.plot([marks[n] for n in names], names, "Do^s"[(k - 1) % 4], label=title, **look)
    long = 0.1 * max(values[n] for n in names)
    for name in names:  # within the bar at its foot, where no mark of another series reads as its own
        at = 0 if values[name] > long else max(one[name] for one in series.values())
        label = {"xytext": (4, 0), "textcoords": "offset points", "va": "center_baseline", "fontsize": 9}
        axis.annotate(f"{values[name]:.0f}", (at, name), color=SERIES_COLOURS[0] if at else "white", **label)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    axis.grid(axis="x")
    axis.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=len(series))
    return figure


@style()
def own_and_other(similarities: Mapping[str, Float[Tensor, "n p"]], own: Int64[Tensor, " n"]) -> Figure:
    """How alike pictures are to their own prompts and to the others, as densities: one panel per set.

    `similarities` is {set: pictures by prompts}; `own` is the column of each picture's own prompt.
    """
    frames = []
    for name, found in similarities.items():
        mine = torch.nn.functional.one_hot(own, found.shape[1]).bool().flatten().numpy()
        kind = np.where(mine, "own prompt", "other prompts")
        frames.append(pd.DataFrame({"set": name, "pair": kind, "cosine": found.flatten().numpy()}))
    panels = sns.displot(
        pd.concat(frames, ignore_index=True), x="cosine", row="set", hue="pair", bins=40, stat="density",
        element="step", common_norm=False, facet_kws=INSIDE | {"sharey": False},
        palette={"other prompts": SERIES_COLOURS[5], "own prompt": SERIES_COLOURS[1]},
    ).set_titles("{row_name}").set(yticks=[], ylabel="")  # fmt: skip
    panels.set_xlabels("cosine similarity of picture and prompt")
    return framed(panels, 1.1 * len(similarities) + 1.0)


@style()
def landscape(groups: Mapping[str, Mapping[str, Float[Tensor, "n d"]]]) -> Figure:
    """Embeddings, {group: {set: points}}: a panel per group, a marker per set.

    The plane is that of the two directions in which the first sets of all groups together vary most.
    """
    first = torch.cat([next(iter(sets.values())) for sets in groups.values()])
    plane = torch.linalg.svd(first - first.mean(dim=0), full_matrices=False)[2][:2].T
    rows = [
        pd.DataFrame(((points - first.mean(dim=0)) @ plane).numpy(), columns=["x", "y"]).assign(group=group, set=name)
        for group, sets in groups.items() for name, points in sets.items()
    ]  # fmt: skip
    frame = pd.concat(rows, ignore_index=True)
    names = list(dict.fromkeys(frame["set"]))
    panels = sns.relplot(
        frame, x="x", y="y", col="group", hue="set", style="set", s=22, alpha=0.8, facet_kws=INSIDE,
        palette=dict(zip(names, SERIES_COLOURS, strict=False)), markers=dict(zip(names, "oD^s", strict=False)),
    ).set_titles("{col_name}").set(xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal")  # fmt: skip
    panels.despine(left=True, bottom=True)
    return framed(panels, WIDTH / len(groups) + 0.7)


@style()
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
