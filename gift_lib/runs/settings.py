"""Every setting of an experiment: what it means, its value at each scale, and which modules read it.

Nothing here is typed: meanings are the comments beside the fields of `Experiment`, readers are found in the sources.
"""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pandas as pd

import gift_lib
from gift_lib import config
from gift_lib.config import CHOICES, SCALES, Experiment

#: Floors whose modules only pass settings on or show them.
_ABOVE = ("book", "runs", "world")


def table() -> pd.DataFrame:
    """A row per setting: meaning, value at each scale, readers."""
    said, read = meanings(), readers()
    names = [f.name for f in fields(Experiment)]
    rows = {n: [said[n], *(_shown(getattr(e, n)) for e in SCALES.values()), ", ".join(read[n])] for n in names}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["meaning", *SCALES, "read by"]).rename_axis("setting")


def meanings() -> dict[str, str]:
    """The comment above each field of Experiment, with the values that it can take where they are few."""
    lines = inspect.getsource(config).splitlines()
    places = {n.target.id: n.lineno - 2 for n in _body() if isinstance(n, ast.AnnAssign)}
    return {name: " ".join(filter(None, [_comment(lines, at), _choices(name)])) for name, at in places.items()}


def _body() -> list[ast.stmt]:
    """What stands in the class Experiment."""
    source = ast.parse(inspect.getsource(config))
    return next(n.body for n in source.body if isinstance(n, ast.ClassDef) and n.name == "Experiment")


def _comment(lines: list[str], at: int) -> str:
    above = []
    while lines[at].strip().startswith("#:"):
        above.insert(0, lines[at].strip()[2:].strip())
        at -= 1
    return " ".join(above)


def _choices(name: str) -> str:
    return f"One of {', '.join(CHOICES[name])}." if name in CHOICES and name != "scale" else ""


def readers() -> dict[str, list[str]]:
    """The modules that read each setting of an experiment, core and methods, in alphabetical order."""
    root, ways = Path(gift_lib.__file__).parent, _ways()
    found: dict[str, set[str]] = {f.name: set() for f in fields(Experiment)}
    for path in root.rglob("*.py"):
        module = path.relative_to(root).with_suffix("")
        if module.parts[0] in (*_ABOVE, "config"):
            continue
        asked = set(re.findall(r"\b(?:e|experiment|setting)\.(\w+)", path.read_text(encoding="utf-8")))
        for name in found:
            if asked & ways[name]:
                found[name].add(".".join(p for p in module.parts if p != "__init__"))
    return {name: sorted(modules) for name, modules in found.items()}


def _ways() -> dict[str, set[str]]:
    """The names under which a setting is read: its own, and those of Experiment's functions that stand for it."""
    ways = {f.name: {f.name} for f in fields(Experiment)}
    for function in (n for n in _body() if isinstance(n, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and node.attr in ways:
                ways[node.attr].add(function.name)
    return ways


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v:g}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
