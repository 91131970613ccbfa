"""ZSCL: the pre-trained model's answers on public pictures and captions, and an ensemble of weights."""

from gift_lib import consolidation
from gift_lib.errors import ConfigError
from gift_lib.methods.base import Shuffle, register
from gift_lib.methods.ensemble import Ensembled
from gift_lib.methods.reference import Reference, ReferenceDistillation
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


@register("zscl", "ZSCL")
class ZSCL(Ensembled, ReferenceDistillation):
    """Teacher: always the pre-trained model. References: public pictures and captions, the same for all tasks.

    With the l2 penalty to theta_prev (weight 1), and weights averaged within a task: the running mean
    of the start weights and of a snapshot every 100 of 1000 steps is what the task leaves behind
    (`ensemble` false: what the last step leaves).
    """

    #: Published: 100K training images of ImageNet, the captions of Conceptual Captions' validation set.
    #: reference_batch: reference pictures per step, 0 for as many as of the task's.
    options = {"images": 100_000, "captions": 15_840, "reference_batch": 0, **Ensembled.options}
    #: mini: pictures as 100K to MTIL's 319,352 training pictures; captions a tenth, as the class names are.
    #: colab: pictures as many as one task draws, a tenth of the captions.
    presets = {"mini": {"images": 3698, "captions": 1584}, "colab": {"images": 3200, "captions": 1584}}

    public: Reference | None = None

    def __init__(self, *args):
        super().__init__(*args)
        if self.option["reference_batch"] < 0:
            raise ConfigError(f"reference_batch must be zero or more, not {self.option['reference_batch']}.")

    def draw(self, n: int) -> Shuffle:
        own = super().draw(n)
        return Shuffle(n, self.option["reference_batch"] or own.size, own.generator)

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.penalty = consolidation.build("l2")
        self.penalty.anchor(self.parameters())
        if self.public is None:
            tokens = self.clip.tokenize(self.resources.captions(self.option["captions"])).to(self.resources.device)
            pictures = self.resources.reference_images(self.option["images"])
            self.public = Reference.of(self, pictures, tokens, initial_weight=1.0)
        self.reference = self.public
