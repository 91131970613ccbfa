"""The methods, one file each. Importing this package makes all of them known by name."""

import importlib
import pkgutil

from gift_lib.clip import Clip
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError, nearest
from gift_lib.methods.base import METHODS, Batch, Method, Resources, Terms, register, resolve_options

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = [
    "METHODS",
    "Batch",
    "Method",
    "Resources",
    "Terms",
    "build",
    "find",
    "load_file",
    "register",
    "source_digest",
]


def find(name: str) -> type[Method]:
    """The method class of that name; a ConfigError with the nearest name where there is none."""
    if name not in METHODS:
        raise ConfigError(f"there is no method {name!r}; {nearest(name, METHODS)}")
    return METHODS[name]


def check(experiment: Experiment) -> None:
    """Raise ConfigError where the method or one of its settings does not exist: before any work is done."""
    resolve_options(find(experiment.method), experiment.method_options, experiment.scale)


def build(clip: Clip, experiment: Experiment, resources: Resources) -> Method:
    """The experiment's method over a freshly loaded CLIP."""
    return find(experiment.method)(clip, experiment, resources)
