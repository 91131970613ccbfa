"""What changed with each version of the numerics, and records of an older one: they stand in tables until remade.

A record is current while its configuration, world, weights and numerics version are those of today. Where a run has
no current record, the newest of an older version stands in for it, and pages say how many do, what changed
since, and which rows changed by more than rounding.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gift_lib.config import NUMERICS_VERSION

Config = Mapping[str, Any]
Record = Mapping[str, Any]

#: Stands beside a row whose numbers a change touches by more than rounding and the order of batches.
MARK = "†"


@dataclass(frozen=True)
class Change:
    """What a version changed: `text` for every experiment, `more` for those that its conditions are true of."""

    version: int
    text: str
    more: Mapping[str, Callable[[Config], bool]]


CHANGES = (
    Change(
        2,
        "an epoch ends with a short batch, so that no picture occurs twice in one, and sums are rounded otherwise",
        {
            "with one-sided distillation the alignment loss no longer reaches the tower that is left free": lambda c: (
                c["method"] == "gift" and c["distillation"] in ("image-only", "text-only") and c["beta"] > 0
            ),
            "experts of MoE-Adapter that no picture chose rest": lambda c: c["method"] == "moe-adapter",
            "sentences of LwF-VR may hold the end token": lambda c: c["method"] == "lwf-vr",
            "joint training crops whole pictures": lambda c: c["method"] == "joint" and c["scale"] != "mini",
        },
    ),
)


def version_of(record: Record) -> int:
    """The numerics version that a record was made with."""
    return record["identity"]["numerics"]


def is_older(record: Record) -> bool:
    """Whether a record was made with an older version than today's."""
    return version_of(record) < NUMERICS_VERSION


def touched(record: Record) -> list[str]:
    """What changed a record's numbers by more than rounding since it was made; empty where nothing did."""
    since = [c for c in CHANGES if c.version > version_of(record)]
    return [text for change in since for text, holds in change.more.items() if holds(record["config"])]


def newest(records: Iterable[Record]) -> list[Record]:
    """Of the records that differ in nothing but the numerics version the newest one; their order stays.

    A newer one from another kind of CPU does not take the place of an older one: the rest of its table is of that kind.
    """
    records, first, best = list(records), {}, {}
    for r in sorted(records, key=version_of):
        kind = first.setdefault(_run(r), _cpu(r))
        if _cpu(r) == kind:
            best[_run(r)] = version_of(r)
    return [r for r in records if (version_of(r), _cpu(r)) == (best[_run(r)], first[_run(r)])]


def _cpu(record: Record) -> str:
    """Its instructions, whatever library multiplies with them."""
    return str(record.get("run", {}).get("cpu_capability")).split(",")[0]


def _run(record: Record) -> tuple:
    """What was run: the configuration, world and weights."""
    return record["digest"], *((k, v) for k, v in sorted(record["identity"].items()) if k != "numerics")


def note(records: Iterable[Record]) -> str:
    """One line on the records that are of an older version: how many, what changed, which rows by more. Or nothing."""
    records = list(records)
    older = [r for r in records if is_older(r)]
    if not older:
        return ""
    oldest = min(map(version_of, older))
    changed = "; ".join(c.text for c in CHANGES if c.version > oldest)
    count = f"All {len(older)}" if len(older) == len(records) else f"{len(older)} of {len(records)}"
    said = f"{count} records are of an older version of the numerics. Since then {changed}."
    more = Counter(text for r in older for text in touched(r))
    return said + (f" {MARK} Changed by more than that: {'; '.join(more)}." if more else "")
