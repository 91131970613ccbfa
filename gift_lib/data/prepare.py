"""The published data sets brought into the cache: what is left to do, what it costs, and doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gift_lib.data import decode, mtil
from gift_lib.data.cache import Stored
from gift_lib.data.decode import Cost


@dataclass(frozen=True)
class Place:
    """Where originals and decoded images are, at which size, and from which source each data set comes."""

    data: str | None = None
    cache: str | None = None
    size: int = mtil.SIZE
    sources: Mapping[str, str] = field(default_factory=dict)
    workers: int | None = None

    def folder(self, spec: mtil.Dataset, split: str) -> Path:
        return mtil.split_folder(spec, split, self.size, self.cache)

    def source(self, spec: mtil.Dataset) -> str:
        return mtil.source_of(spec, self.sources)

    def reaches(self, spec: mtil.Dataset, download: bool) -> bool:
        """Whether pictures of a data set can come from here: they are there, or may be fetched."""
        where = self.source(spec)
        return where.startswith("hf:") or (download and where == "auto") or mtil.there(spec, self.data)

    def check(self, spec: mtil.Dataset, split: str) -> Stored:
        """The decoded split; a DataError where it was decoded from other pictures than the settings name now."""
        found = Stored(self.folder(spec, split))
        mtil.check_source(spec, split, found, self.data, self.source(spec))
        return found


def plan(place: Place, spec: mtil.Dataset, splits: Sequence[str]) -> Cost:
    """What is left to do for a data set, printed: computed before the download, estimated from a sample after."""
    cost, megabytes = mtil.cost(spec, splits, place.data, place.size, place.source(spec), place.workers)
    if not splits:
        print(f"{spec.name}: ready")
    elif megabytes:
        print(f"{spec.name}: download {megabytes / 1000:.2f} GB (licence: {spec.licence}), then {cost} (computed)")
    else:
        print(f"{spec.name}: {cost} (estimated from a sample)")
    return cost


def prepare(place: Place, spec: mtil.Dataset, splits: Sequence[str], download: bool = True) -> None:
    """Bring splits of one data set into the cache and verify them, and check what was there before."""
    where = place.source(spec)
    if not download and where == "auto":
        where = "files"
    if splits and where == "auto":
        mtil.download(spec, place.data)
    for split in splits:
        find = partial(mtil.records, spec, split, place.data, where)
        decode.once(place.folder(spec, split), find, place.size, spec.native, place.workers).verify()
    for split in mtil.decoded(spec, place.cache, place.size):
        place.check(spec, split)
    print(f"{spec.name}: ready")
