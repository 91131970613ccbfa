"""The published numbers: book/data/published.csv, read and translated into experiments. Never mixed with ours."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from gift_lib.config import SCALES, Experiment, experiment
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.runs.repository import book_folder

#: The rows of Tables 1 and 2 in their order, then our two references: name in the library -> name in the table.
TITLES = {
    "zero-shot": "Zero-shot",
    "finetune": "Continual Finetune",
    "l2": "l2 baseline",
    "lwf": "LwF",
    "icarl": "iCaRL",
    "lwf-vr": "LwF-VR",
    "wise-ft": "WiSE-FT",
    "zscl": "ZSCL",
    "moe-adapter": "MoE-Adapter",
    "gift": "GIFT",
    "upper-bound": "Individual fine-tune",
    "joint": "Joint training",
}

METRICS = ("Transfer", "Avg", "Last")

#: What the published settings count in: the images and denoising steps of the published protocol.
_PUBLISHED_UNITS = {"images_per_task": 1000, "denoising_steps": 50}


def title(method: str) -> str:
    """The name of a method as tables print it.

    A method of the reader's own has its title where it has been imported, else its name: reading a table
    loads no models.
    """
    base = sys.modules.get("gift_lib.methods.base")
    own = base.METHODS[method].title if base and method in base.METHODS else method
    return TITLES.get(method, own)


@cache
def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype={"dataset": str, "settings": str}).fillna({"dataset": "", "settings": ""})
        frame[list(METRICS)] = frame[list(METRICS)].astype(float)
        return frame[["table", "order", "row", "method", "dataset", *METRICS, "settings", "where"]]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read ({error}): restore it from the repository.") from error


def load(path: str | Path | None = None) -> pd.DataFrame:
    """All published numbers, one line per row of a table (and data set); percent."""
    return _read(Path(path) if path else book_folder() / "data" / "published.csv").copy()


def rows(table: str, order: str = "I") -> pd.DataFrame:
    """One published table, as printed: its lines in their order. Unknown names are a ConfigError."""
    frame = load()
    if table not in set(frame["table"]):
        raise ConfigError(f"there is no published table {table!r}; {nearest(table, set(frame['table']))}")
    found = frame[(frame["table"] == table) & (frame["order"] == order)]
    if found.empty:
        valid = ", ".join(sorted(set(frame.loc[frame["table"] == table, "order"])))
        raise ConfigError(f"{table} is not published for order {order!r}: it is for {valid}.")
    return found.reset_index(drop=True)


def main(order: str) -> pd.DataFrame:
    """Table 1 (Order I) or Table 2 (Order II): Transfer, Avg and Last by method name."""
    tables = {"I": "table1", "II": "table2"}
    if order not in tables:
        raise ConfigError(f"no table is published for order {order!r}: use 'I' or 'II'.")
    return rows(tables[order], order).set_index("method")


def parse_settings(text: str) -> dict[str, Any]:
    """`"beta=0.5; consolidation=none"` as a dict of settings in published units."""
    pairs = [part.split("=", 1) for part in text.split(";") if part.strip()]
    return {k.strip(): yaml.safe_load(v) for k, v in pairs}


def at_scale(settings: Mapping[str, Any], scale: str, world: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Published settings in a scale's own counts: 1000 images become 256 at the mini scale, 50 steps 20.

    `world` is what a world of the scale model changes of the preset: its counts are then the measure.
    """
    if scale not in SCALES:
        raise ConfigError(f"there is no scale {scale!r}; {nearest(scale, SCALES)}")
    preset = {**SCALES[scale].to_dict(), **(world or {})}
    counts = {k: max(1, round(preset[k] * settings[k] / unit)) for k, unit in _PUBLISHED_UNITS.items() if k in settings}
    return {**settings, **counts}


def experiment_of(
    method: str,
    order: str,
    scale: str = "mini",
    seed: int = 0,
    world: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Experiment:
    """The experiment behind a published row: the scale's preset, what a `world` changes of it, the row's settings.

    Counts in `settings` are in published units (see `at_scale`).
    """
    return experiment(
        scale, **{**(world or {}), **at_scale(settings, scale, world)}, method=method, order=order, seed=seed
    )
