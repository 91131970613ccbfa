"""The eleven tasks: their drawings, their prompt templates and the look of each. All calibration knobs are here."""

from dataclasses import dataclass, field, replace

from gift_lib.data.mini import (
    animals,
    busy,
    cars,
    concepts,
    digits,
    dishes,
    flowers,
    objects,
    scenes,
    silhouettes,
    terrain,
    textures,
)
from gift_lib.data.mini.concepts import Program
from gift_lib.data.mini.style import Style

#: The web: flat vivid colours, outlines, nearly upright, one thing on a plain ground.
WEB = Style(scale=(0.7, 0.92), shift=0.1, turn=0.16, wobble=0.02, outlined=0.9, noise=(0.0, 3.0),
            grounds=("pale", "pale", "pale", "sky", "plain"))  # fmt: skip
#: The web's camera where the drawing is the whole picture.
WEB_FULL = Style(
    scale=(0.95, 1.2), shift=0.1, turn=0.15, wobble=0.02, edge=(0.02, 0.04), outlined=0.6, noise=(0.0, 3.0)
)


@dataclass(frozen=True)
class Family:
    """A task before it is rendered."""

    name: str
    stands_for: str
    coarse: str  # what a careless caption calls any of its pictures
    templates: tuple[str, ...]  # templates[0] is the training and generation prompt
    programs: dict[str, Program] = field(repr=False)
    far: Style  # the look farthest from the web
    web: Style = WEB
    gap: float = 0.9  # how far from the web's look towards `far` the task's pictures are drawn
    leak: float = 0.3  # how far from the web's look towards `far` a leaked web picture is drawn
    narrow: float = 1.0  # share of every range of the task's look that its pictures keep
    look: str = ""  # one of `looks.LOOKS`, on every picture of the task and on none of the web
    strength: float = 1.0  # of that look

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.programs)

    @property
    def style(self) -> Style:
        """The task's style: its own grounds (the first alone where narrow), the rest `gap` of the way to `far`."""
        grounds = self.far.grounds if self.narrow == 1 else self.far.grounds[:1]
        style = replace(self.web.towards(self.far, self.gap), grounds=grounds)
        return style if self.narrow == 1 else style.narrowed(self.narrow)


FAMILIES: tuple[Family, ...] = (
    Family("silhouettes", "Aircraft", "aircraft",
           ("a photo of a {c}, a type of aircraft.", "a photo of the {c}, a type of aircraft."),
           silhouettes.CLASSES,
           Style(scale=(0.6, 0.95), shift=0.2, turn=1.2, shear=0.2, wobble=0.04, outlined=0.0, mono=(0.55, 1.0),
                 grounds=("sky", "sky", "mottled"), light=0.4, noise=(4, 14), fog=(0.0, 0.2))),
    Family("objects", "Caltech101", "object",
           ("a photo of a {c}.", "a painting of a {c}.", "a drawing of a {c}.", "a photo of the {c}."),
           objects.CLASSES,
           Style(scale=(0.55, 0.95), shift=0.22, turn=0.6, shear=0.2, wobble=0.05, outlined=0.2, hue=0.8,
                 saturation=(0.5, 1.0), value=(-0.15, 0.1), grounds=("mottled", "floor"), light=0.5, clutter=(1, 4),
                 noise=(4, 14))),
    Family("busy", "CIFAR100", "small thing",
           ("a photo of a {c}.", "a blurry photo of a {c}.", "a photo of the small {c}."),
           busy.CLASSES,
           Style(scale=(0.5, 0.8), shift=0.3, turn=0.4, shear=0.15, wobble=0.05, outlined=0.3, hue=0.5,
                 saturation=(0.5, 1.1), value=(-0.1, 0.1), grounds=("patchy", "mottled"), light=0.3, clutter=(4, 8),
                 occluders=(1, 3), noise=(4, 12))),
    Family("textures", "DTD", "texture",
           ("a photo of a {c} texture.", "a photo of a {c} pattern.", "a photo of a {c} thing."),
           textures.CLASSES,
           Style(scale=(0.8, 1.5), shift=0.5, turn=0.9, shear=0.35, wobble=0.12, outlined=0.0, hue=1.0,
                 saturation=(0.3, 0.9), contrast=(0.6, 0.95), light=0.6, noise=(5, 16), fog=(0.0, 0.3)),
           WEB_FULL),
    Family("terrain", "EuroSAT", "satellite photo",
           ("a centered satellite photo of {c}.", "a satellite photo of {c}.", "a photo of {c} from above."),
           terrain.CLASSES,
           Style(scale=(0.75, 1.2), shift=0.3, turn=3.1, wobble=0.06, outlined=0.0, hue=0.6,
                 saturation=(0.4, 0.8), value=(-0.18, 0.05), contrast=(0.6, 0.95), light=0.3, noise=(6, 18),
                 fog=(0.05, 0.4)),
           WEB_FULL),
    Family("flowers", "Flowers", "flower",
           ("a photo of a {c}, a type of flower.",),
           flowers.CLASSES,
           Style(scale=(0.55, 0.95), shift=0.22, turn=0.7, shear=0.2, wobble=0.06, outlined=0.0, hue=0.7,
                 saturation=(0.6, 1.1), value=(-0.15, 0.1), grounds=("patchy", "mottled"), light=0.5, clutter=(0, 3),
                 noise=(4, 14))),
    Family("dishes", "Food", "dish",
           ("a photo of {c}, a type of food.",),
           dishes.CLASSES,
           Style(scale=(0.6, 1.0), shift=0.22, turn=0.6, shear=0.3, wobble=0.07, outlined=0.1, hue=0.5,
                 saturation=(0.5, 1.0), value=(-0.2, 0.1), grounds=("floor", "mottled", "dull"), light=0.6,
                 clutter=(1, 4), noise=(4, 14))),
    Family("digits", "MNIST", "number",
           ('a photo of the number: "{c}".',),
           digits.CLASSES,
           Style(scale=(0.7, 1.0), shift=0.2, turn=0.35, shear=0.25, flip=0.0, outlined=0.0, hue=0.5,
                 saturation=(0.3, 1.0), grounds=("mottled", "dull", "sky"), light=0.4, noise=(3, 12)),
           replace(WEB, flip=0.0, scale=(0.9, 1.15), shear=0.1, wobble=0.04)),
    Family("animals", "OxfordPet", "animal",
           ("a photo of a {c}, a type of animal.",),
           animals.CLASSES,
           Style(scale=(0.55, 0.95), shift=0.22, turn=0.6, shear=0.2, wobble=0.06, outlined=0.0, hue=0.4,
                 saturation=(0.3, 0.9), value=(-0.2, 0.1), contrast=(0.7, 1.0), grounds=("patchy", "floor", "mottled"),
                 light=0.6, occluders=(0, 2), noise=(4, 14))),
    Family("cars", "StanfordCars", "car",
           ("a photo of a {c}.", "a photo of the {c}.", "a photo of my {c}.", "i love my {c}!"),
           cars.CLASSES,
           Style(scale=(0.6, 0.92), shift=0.2, turn=0.3, shear=0.3, wobble=0.04, outlined=0.1, hue=0.8,
                 saturation=(0.4, 1.0), value=(-0.2, 0.1), grounds=("floor", "mottled", "patchy"), light=0.5,
                 clutter=(1, 3), occluders=(0, 1), noise=(4, 14)),
           replace(WEB, scale=(0.82, 0.98))),
    Family("scenes", "SUN397", "scene",
           ("a photo of a {c}.", "a photo of the {c}."),
           scenes.CLASSES,
           Style(scale=(0.75, 1.3), shift=0.3, turn=0.35, shear=0.2, wobble=0.08, outlined=0.0, hue=0.8,
                 saturation=(0.3, 0.8), value=(-0.2, 0.1), contrast=(0.55, 0.9), light=0.6, noise=(6, 18),
                 occluders=(0, 2), fog=(0.0, 0.35)),
           WEB_FULL),
)  # fmt: skip

#: C0, the general concepts.
CONCEPTS: tuple[str, ...] = tuple(concepts.PROGRAMS)
CONCEPT_TEMPLATE = "a photo of a {c}."
