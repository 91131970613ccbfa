"""open_clip and torchvision without what only uses that are not ours need: half of a run's start.

open_clip imports transformers and timm for towers of theirs, torchvision imports torch's compiler for one question
that `roi_align` asks on a GPU. Both are told while they load that these are not there; whoever asks for such a tower,
or for `roi_align`, gets them then. Who imports transformers, timm or the compiler first gets all of it at once.
(One thing is lost: `generate` of open_clip's CoCa, which nothing here uses.)
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo.utils"


class Lean:
    """A finder of modules, asked before all others: it finds the two packages and changes how they are executed."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        execute = {"open_clip": _open_clip, "torchvision": _torchvision}.get(name)
        spec = PathFinder.find_spec(name, path) if execute else None
        if spec is not None and spec.loader is not None:
            plain = spec.loader.exec_module
            spec.loader.exec_module = lambda module: execute(plain, module)
        return spec


def _open_clip(plain: Callable[[ModuleType], None], module: ModuleType) -> None:
    with _standing_in({"transformers": None, "timm": None}) as hidden:
        plain(module)
    model = sys.modules["open_clip.model"]
    if "transformers" in hidden:
        model.HFTextEncoder = _when_asked(model, "open_clip.hf_model", "HFTextEncoder")
    if "timm" in hidden:
        model.TimmModel = _when_asked(model, "open_clip.timm_model", "TimmModel")


def _when_asked(model: ModuleType, home: str, name: str) -> Callable[..., Any]:
    """What stands for a class until the first object of it is asked for: then its module is loaded in full."""

    def make(*args: Any, **kwargs: Any) -> Any:
        setattr(model, name, getattr(importlib.reload(sys.modules[home]), name))
        return getattr(model, name)(*args, **kwargs)

    return make


def _torchvision(plain: Callable[[ModuleType], None], module: ModuleType) -> None:
    with _standing_in({COMPILER: _Compiler(COMPILER)}):
        plain(module)


class _Compiler(ModuleType):
    """Stands for torch's compiler: the real one is loaded when the question is asked, or anything else wanted."""

    @staticmethod
    def is_compile_supported(device_type: str) -> bool:
        return importlib.import_module(COMPILER).is_compile_supported(device_type)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        return getattr(importlib.import_module(COMPILER), name)


@contextmanager
def _standing_in(others: dict[str, ModuleType | None]) -> Iterator[list[str]]:
    """Within: these stand for modules that are not loaded yet (None: there is no such module). Yields their names."""
    hidden = [name for name in others if name not in sys.modules]
    sys.modules.update({name: others[name] for name in hidden})
    try:
        yield hidden
    finally:
        for name in hidden:
            if sys.modules.get(name) is others[name]:
                sys.modules.pop(name, None)
