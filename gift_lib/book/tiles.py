"""Tables as tiles: a number's place by its row and column, its size by its colour."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gift_lib.book import theme
from gift_lib.book.theme import style
from gift_lib.book.why import FATES, Fates

#: Orange to blue over white, light enough for black numbers everywhere.
COLOURS = sns.diverging_palette(35, 245, s=85, l=68, as_cmap=True)
#: What has become of a reversed pair, in the order of FATES.
_SIGNS = ("✓", "?", "✗")
_SHADES = ("#7cb6e8", "#d9d9d9", "#f0a36b")


@style()
def gains(table: pd.DataFrame, metric: str) -> Figure:
    """`tables.gains` as tiles: points above (blue) or below (orange) the untouched model, rows as they come."""
    figure, ax = theme.new(0.27 * len(table) + 2.2)
    limit = max(1.0, np.nanmax(table.abs().to_numpy()))
    bar = {"location": "top", "label": f"{metric}: points against zero-shot", "aspect": 40, "pad": 0.02}
    # The means over tasks lie closer together than the tasks: a digit more, in the place of a plus, tells them apart.
    text = table.map(_signed)
    text.iloc[:, -1] = [_signed(v, 1).removeprefix("+") for v in table.iloc[:, -1]]
    _tiles(table, text, ax, vmin=-limit, vmax=limit, cmap=COLOURS, cbar_kws=bar)
    missing = table.isna().all(axis=1)
    ax.set_yticklabels([f"{name} (no records)" if gone else name for name, gone in missing.items()], rotation=0)
    ax.set_xticklabels(table.columns, rotation=60, ha="right", rotation_mode="anchor")
    ax.axvline(table.shape[1] - 1, color=theme.INK, linewidth=1.5)
    return figure


@style()
def fates(found: Fates, changes: Sequence[str]) -> Figure:
    """`why.fates` as tiles: reversed pairs down, by metric, changes across; blank where a change touches neither."""
    rows: list[tuple[str, dict]] = []
    for pair, under in found:
        if pair.metric not in dict(rows):
            rows.append((pair.metric, {}))
        rows.append((f"{pair.second} > {pair.first}", under))
    table = pd.DataFrame([[FATES.index(under[c][0]) if c in under else np.nan for c in changes] for _, under in rows])
    figure, ax = theme.new(0.24 * len(table) + 2.6)
    text = table.map(lambda v: "" if np.isnan(v) else _SIGNS[int(v)])
    _tiles(table, text, ax, vmin=-0.5, vmax=2.5, cmap=ListedColormap(_SHADES), cbar=False)
    ax.set_xticklabels(changes, rotation=90, fontsize=9)
    ax.set_yticklabels([name for name, _ in rows], rotation=0, fontsize=9)
    for label in ax.get_yticklabels():
        label.set_fontweight("normal" if ">" in label.get_text() else "bold")
    kinds = [Patch(facecolor=c, label=f"{s} {f}") for c, s, f in zip(_SHADES, _SIGNS, FATES, strict=True)]
    figure.legend(handles=kinds, loc="outside upper center", ncols=3, columnspacing=1.0, handletextpad=0.4)
    return figure


def _signed(value: float, digits: int = 0) -> str:
    """A number with its sign, as typeset; zero has none, and what is not known is empty."""
    return "" if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "−") if round(value, digits) else "0"


def _tiles(table: pd.DataFrame, text: pd.DataFrame, ax: Axes, **look: Any) -> None:
    ink = {"color": "black", "fontsize": 9}
    sns.heatmap(table, annot=text, fmt="", annot_kws=ink, linewidths=1, linecolor=theme.GRID, ax=ax, **look)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
