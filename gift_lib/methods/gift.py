"""GIFT: distillation on synthetic image-text pairs, and weight consolidation steered by its gradient."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gift_lib import consolidation, losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.config import wise_weight
from gift_lib.data.transforms import Preprocess
from gift_lib.generate import SyntheticSet
from gift_lib.methods.base import Batch, Method, Resources, Terms, register
from gift_lib.methods.teacher import Teacher, as_teacher
from gift_lib.tasks import Images, Task, TensorImages, all_indices


@register("gift", "GIFT")
class Gift(Method):
    """L = CE + alpha CD + beta ITA (slides, page 7) with the AWC penalty (page 8).

    The teacher is the model after the previous task (before the first: the pre-trained one), or a
    mixture with the initial weights. It sees each synthetic picture in one transform only, so its
    outputs are computed once per task and the teacher itself is then dropped.
    """

    uses_synthetic = True

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        e = self.experiment
        # The static Fisher of the ablation is averaged over the warm-up's steps.
        self.penalty = consolidation.build(e.consolidation, e.awc_normalise, max(1, round(e.warmup * e.steps)))
        if self.penalty:
            self.penalty.anchor(self.parameters())
        self.synthetic = synthetic
        self.prompts = sorted(set(synthetic.prompts))
        place = {p: i for i, p in enumerate(self.prompts)}
        device = self.resources.device
        self.prompt_of = torch.tensor([place[p] for p in synthetic.prompts], device=device)
        self.prompt_tokens = self.clip.tokenize(self.prompts).to(device)
        self.pictures = squares(synthetic.images, self.clip.preprocess, self.resources)
        with as_teacher(self, wise_weight(e.teacher)):
            self.teacher = Teacher.of(self.clip, TensorImages(self.pictures), self.prompt_tokens, self.resources)

    def preserve(self, batch: Batch) -> Terms:
        """alpha CD (or another distillation) and beta ITA of one batch of synthetic pairs."""
        e = self.experiment
        which = batch.synthetic.to(self.resources.device)
        images = encode_images(self.model, self.clip.preprocess.eval(self.pictures[which]))
        distinct, place = torch.unique(self.prompt_of[which], return_inverse=True)
        texts = encode_texts(self.model, self.prompt_tokens[distinct])[place]
        terms = {"cd": e.alpha * self.distillation(which, images, texts)}
        if e.beta:
            M = losses.similarity(images, texts, self.scale)
            terms["ita"] = e.beta * losses.image_text_alignment(M, self.prompt_of[which], e.label_smoothing)
        return terms

    def distillation(
        self, which: Tensor, images: Float[Tensor, "m d"], texts: Float[Tensor, "m d"]
    ) -> Float[Tensor, ""]:
        """The chosen distance between student and teacher on the pairs at `which`."""
        e, s = self.experiment, self.scale
        t_images, t_texts = self.teacher.images[which], self.teacher.texts[self.prompt_of[which]]
        if e.distillation == "feature":
            return losses.feature_distance(t_images, t_texts, images, texts)
        M_teacher = losses.similarity(t_images, t_texts, s)
        student = {
            "contrastive": (images, texts),
            "image-only": (images, t_texts),
            "text-only": (t_images, texts),
        }[e.distillation]
        return losses.contrastive_distillation(M_teacher, losses.similarity(*student, s), e.temperature)


def squares(images: Images, preprocess: Preprocess, resources: Resources) -> UInt8[Tensor, "n 3 s s"]:
    """All pictures as the evaluation transform cuts them, on the device: 1000 of 512 px become 150 MB there."""
    chunks = all_indices(len(images)).split(resources.chunk)
    return torch.cat([preprocess.square(images.batch(i).to(resources.device)) for i in chunks])
