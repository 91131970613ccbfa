"""Worlds: versions of the scale model. A world is a few knobs over world 1's tasks; its web is theirs too."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from gift_lib.data.mini.families import FAMILIES, Family
from gift_lib.data.mini.looks import LOOKS
from gift_lib.errors import ConfigError, nearest
from gift_lib.files import digest

#: Pictures of each class.
COUNTS = {"train": 96, "val": 12, "test": 20}


@dataclass(frozen=True)
class World:
    """One version of the world. Every knob's default is world 1's value."""

    version: int = 1
    #: Share of every range of a task's style that is kept: real data sets vary less inside than between themselves.
    narrow: float = 1.0
    #: That share for tasks which are narrower or broader than the rest.
    narrow_of: Mapping[str, float] = field(default_factory=dict)
    #: How far from the web's style towards its farthest a task is drawn; None keeps each task's own gap.
    gap: float | None = None
    #: The look of a task's own (`looks.LOOKS`), which the web never has; no two tasks may share one.
    looks: Mapping[str, str] = field(default_factory=dict)
    #: How strong the looks are, 1 where nothing is said: so that zero-shot is as good as published, task by task.
    strength: Mapping[str, float] = field(default_factory=dict)
    #: The one ground that a task's pictures are drawn on, where it is not its style's first.
    grounds: Mapping[str, str] = field(default_factory=dict)
    #: Training pictures of a task in all, so that its epochs are the published ones; absent: as many of each class.
    pictures: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self):
        names = [f.name for f in FAMILIES]
        for knob in (self.looks, self.strength, self.narrow_of, self.grounds, self.pictures):
            for task in knob:
                if task not in names:
                    raise ConfigError(f"a world has no task {task!r}; {nearest(task, names)}")
        for look in self.looks.values():
            if look not in LOOKS:
                raise ConfigError(f"there is no look {look!r}; {nearest(look, LOOKS)}")
        if len(set(self.looks.values())) < len(self.looks):
            raise ConfigError("two tasks of a world share a look: give each one of its own.")

    @property
    def name(self) -> str:
        """Its name in WORLDS, else a draft's digest."""
        return next((k for k, w in WORLDS.items() if w == self), f"draft-{digest(self.knobs, 8)}")

    @property
    def knobs(self) -> dict:
        """What differs from world 1, as JSON-able values."""
        plain = asdict(World())
        return {k: v for k, v in asdict(self).items() if v != plain[k]}

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """The eleven tasks as this world draws them."""
        return tuple(map(self._drawn, FAMILIES))

    def _drawn(self, f: Family) -> Family:
        grounds = (self.grounds[f.name],) if f.name in self.grounds else f.far.grounds
        gap = f.gap if self.gap is None else self.gap
        narrow = self.narrow_of.get(f.name, self.narrow)
        look = {"look": self.looks.get(f.name, ""), "strength": self.strength.get(f.name, 1.0)}
        return replace(f, far=replace(f.far, grounds=grounds), gap=gap, narrow=narrow, **look)

    def count(self, task: str, split: str) -> int:
        """How many pictures a task's split has; none is rendered for it."""
        (family,) = [f for f in self.families if f.name == task]
        return sum(self.sizes(family, split))

    def sizes(self, family: Family, split: str) -> list[int]:
        """How many pictures each class has in a split: equal but for one."""
        n = len(family.classes)
        if split != "train" or family.name not in self.pictures:
            return [COUNTS[split]] * n
        each, more = divmod(self.pictures[family.name], n)
        return [each + (k < more) for k in range(n)]


# Narrow and far, each task in a look of its own and as strange to the pre-trained model as published; epochs as
# published at 160 steps of 16. Chosen on the reference rows alone: the page on calibration has the drafts.
_SECOND = World(
    version=2,
    narrow=0.3,
    narrow_of={"silhouettes": 0.1, "digits": 0.1, "cars": 0.6, "scenes": 0.6},
    looks={"silhouettes": "blueprint", "objects": "poster", "busy": "coarse", "textures": "thermal",
           "terrain": "infrared", "flowers": "tinted", "dishes": "contours", "digits": "scanned",
           "animals": "engraved", "cars": "bleached", "scenes": "dusk"},
    strength={"silhouettes": 0.5, "objects": 0.4, "flowers": 0.65, "dishes": 0.45, "animals": 0.45, "cars": 0.65,
              "scenes": 0.45},
    grounds={"digits": "dull"},
    pictures={"silhouettes": 133, "objects": 278, "busy": 1969, "textures": 75, "terrain": 853, "flowers": 41,
              "dishes": 3012, "digits": 2327, "animals": 151, "cars": 324, "scenes": 3459},
)  # fmt: skip

#: By name. Worlds are part of records: append only, and never change one that a record names.
WORLDS: dict[str, World] = {
    "1": World(),
    "2": _SECOND,
    # Between the two, a change at a time, for the sweep own-world: tasks as narrow as the second's, then its looks too.
    "narrow": World(version=2, narrow=_SECOND.narrow, narrow_of=_SECOND.narrow_of),
    "looks": replace(_SECOND, pictures={}),
}


def find(name: str) -> World:
    """A world by name; ConfigError where there is none."""
    if name not in WORLDS:
        raise ConfigError(f"there is no world {name!r}; {nearest(name, WORLDS)}")
    return WORLDS[name]


def draft(world: World) -> str:
    """Make a world known within this process, for calibration; its name."""
    WORLDS[world.name] = world
    return world.name
