"""An Experiment as the parameters of notebooks/experiment.ipynb, and back, whoever gives them."""

import ast
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gift_lib.config import Experiment, experiment
from gift_lib.errors import ConfigError, nearest

#: Settings that have a parameter of the page to themselves.
NAMED = ("method", "order", "seed", "scale")
#: The others, which `overrides` holds; each may also be given by itself.
SETTINGS = tuple(f.name for f in dataclasses.fields(Experiment) if f.name not in NAMED)
#: All parameters of the page.
PAGE = (*NAMED, "overrides", "results", "device", "workers", "keep_models")


def of(e: Experiment) -> dict[str, Any]:
    """The parameters that make this experiment: what differs from its scale's preset is in `overrides`."""
    preset, values = (e.to_dict() | {"world": e.world} for e in (experiment(e.scale), e))
    changed = {k: v for k, v in values.items() if v != preset[k] and k in SETTINGS}
    return {**{k: getattr(e, k) for k in NAMED}, "overrides": changed}


def experiment_of(values: Any) -> Experiment:
    """The experiment that `of` described; parameters beside its settings may be among them."""
    wanted = (*NAMED, "overrides")
    if not isinstance(values, Mapping) or not set(wanted) <= values.keys():
        raise ConfigError(f"a run's parameters are JSON with {', '.join(wanted)}, not {values!r}.")
    return experiment(**{k: values[k] for k in NAMED}, **checked(values["overrides"]))


def checked(overrides: Any) -> dict[str, Any]:
    """`overrides`, or a ConfigError where it is no mapping or changes what has a parameter of its own."""
    if not isinstance(overrides, Mapping):
        raise ConfigError(f"overrides must map settings to values, as in {{'beta': 0.5}}, not {overrides!r}.")
    for name in NAMED:
        if name in overrides:
            raise ConfigError(f"overrides changes {name!r}, which has a parameter of its own: give it there.")
    return dict(overrides)


def changes(overrides: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    """What a page changes in the preset: `overrides`, and settings given by themselves (`papermill -p lr 1e-5`).

    `page` is the notebook's `globals()`. papermill itself only warns of a parameter that nobody reads; here it is a
    ConfigError with the nearest name.
    """
    for name in _injected(page.get("In", ())):
        if name not in (*PAGE, *SETTINGS) and not name.startswith("PAPERMILL_"):
            raise ConfigError(f"this page has no parameter {name!r}; {nearest(name, (*PAGE, *SETTINGS))}")
    overrides, single = checked(overrides), {k: page[k] for k in SETTINGS if k in page}
    for name in single.keys() & overrides.keys():
        raise ConfigError(f"{name} is given twice, by itself and in overrides. Give it once.")
    return {**overrides, **single}


def _injected(cells: Iterable[str]) -> Iterator[str]:
    """The names that papermill set, in the cell that it puts behind the page's own parameters."""
    for cell in cells:
        if cell.startswith("# Parameters\n"):
            for statement in ast.parse(cell).body:
                yield from (t.id for t in getattr(statement, "targets", ()) if isinstance(t, ast.Name))
