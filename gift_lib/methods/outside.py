"""Methods that lie outside the package: a reader's own file, loaded by its path and known by its digest."""

import importlib.util
import inspect
import sys
from pathlib import Path

from gift_lib.errors import ConfigError, DataError
from gift_lib.files import expanded, file_digest
from gift_lib.methods.base import METHODS


def load_file(path: str | Path) -> str:
    """Import a file outside the package that registers one method of its own; the method's name.

    Loading it again in the same process does nothing. DataError where the file cannot be read or run, ConfigError where
    it registers none, more than one, or one whose name is taken.
    """
    path = expanded(path).resolve()
    if not path.is_file():
        raise DataError(f"there is no file {path}: give the Python file of your method.")
    if not _registered_by(path):
        _import(path)
    known = _registered_by(path)
    if len(known) != 1:
        found = ", ".join(known) or "none"
        raise ConfigError(f'{path} must register one method, as in @register("mine", "Mine"); it registers {found}.')
    return known[0]


def _module_of(path: Path) -> str:
    return f"gift_own_{path.stem}_{file_digest(path)}"


def _registered_by(path: Path) -> list[str]:
    """The names that a file has registered in this process."""
    module = _module_of(path)
    return [n for n, cls in METHODS.items() if cls.__module__ == module]


def _import(path: Path) -> None:
    name = _module_of(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise DataError(f"{path} is no Python file: its name should end in .py.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ConfigError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise DataError(f"{path} cannot be run ({type(error).__name__}: {error}).") from error


def source_digest(name: str) -> str:
    """The digest of the file of a method that lies outside the package; '' for the library's own and for notebooks'."""
    cls = METHODS[name]
    if cls.__module__.startswith("gift_lib.") or cls.__module__ == "__main__":
        return ""
    try:
        return file_digest(inspect.getfile(cls))
    except (TypeError, OSError):
        return ""
