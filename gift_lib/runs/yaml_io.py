"""YAML both ways: a sweep's file as its writer meant it, and parameters that papermill reads as they were.

Both PyYAML and papermill read YAML 1.1, where `1e-05` and `2001-01-01` are not what they seem, and `on` is true.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gift_lib.errors import DataError

_TEXT, _DATE, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "timestamp", "merge"))


class _Reader(yaml.SafeLoader):
    """Names stay as they are written (`on`, `1`) and stand once, dates are text, and nothing holds itself."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node, names = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a name must be plain text", key.start_mark)
            if key.value in names:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            names.add(key.value)
            key.tag = key.tag if key.tag == _MERGE else _TEXT
        return node

    def construct_document(self, node: yaml.Node) -> Any:
        _refuse_cycles(node)
        return super().construct_document(node)


_Reader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refuse_cycles(node: yaml.Node, above: tuple[int, ...] = ()) -> None:
    if id(node) in above:
        raise yaml.constructor.ConstructorError(None, None, "an anchor stands within itself", node.start_mark)
    if isinstance(node, yaml.CollectionNode):
        for part in node.value:
            for inner in part if isinstance(part, tuple) else (part,):
                _refuse_cycles(inner, (*above, id(node)))


def read(path: Path) -> Any:
    """What a YAML file holds; DataError, with the place, where it cannot be read or says a thing twice."""
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Reader)
    except UnicodeDecodeError as error:
        reason = f"byte {error.start + 1} is no UTF-8: save it as UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
    raise DataError(f"{path} cannot be read ({reason}). Write it as in book/batches.md.")


class _Writer(yaml.SafeDumper):
    """All text in double quotes, which keep it in one line and can hold any character; nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Writer.add_representer(str, lambda writer, text: writer.represent_scalar(_TEXT, text, style='"'))


def line(values: Mapping[str, Any]) -> str:
    """Values as one line of YAML 1.1 in plain ASCII, nearly JSON: floats always have a point, as in 1.0e-05."""
    text = yaml.dump(dict(values), Dumper=_Writer, default_flow_style=True, width=math.inf, sort_keys=True)
    return text.rstrip("\n")
