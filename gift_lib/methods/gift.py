"""GIFT: distillation on synthetic image-text pairs, and weight consolidation steered by its gradient."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gift_lib import consolidation, losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.config import wise_weight
from gift_lib.data.transforms import Preprocess
from gift_lib.methods.base import Batch, Resources, Terms, register
from gift_lib.methods.ensemble import Ensembled
from gift_lib.methods.teacher import Teacher, as_teacher
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Images, Task, TensorImages, all_indices

#: Embeddings of pictures and of their prompts, row by row.
Pair = tuple[Float[Tensor, "m d"], Float[Tensor, "m d"]]


@register("gift", "GIFT")
class Gift(Ensembled):
    """L = CE + alpha CD + beta ITA (slides, page 7) with the AWC penalty (page 8); CD and ITA are of one matrix M.

    The teacher is the model after the previous task (before the first: the pre-trained one), or a
    mixture with the initial weights. It sees each synthetic picture in one transform only, so its
    outputs are computed once per task and the teacher itself is then dropped.
    """

    uses_synthetic = True
    #: The released flag of the static Fisher also ends CD and ITA with the steps that F is averaged over. The
    #: slides do not say so, and the ablation would change two things at once: off unless asked for.
    #: GIFT has no ensemble of weights: the switch is for the search for a better one.
    options = {"fisher_ends_distillation": False, **Ensembled.options, "ensemble": False}

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        e = self.experiment
        #: The static Fisher of the ablation is averaged over the warm-up's steps.
        self.fisher_steps = max(1, round(e.warmup * e.steps))
        self.penalty = consolidation.build(e.consolidation, e.awc_normalise, self.fisher_steps)
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
        """alpha CD (or another distillation) and beta ITA of one batch of synthetic pairs, on one matrix M."""
        if self.option["fisher_ends_distillation"] and batch.step >= self.fisher_steps:
            return {}
        e, which = self.experiment, batch.synthetic.to(self.resources.device)
        teacher = self.teacher.images[which], self.teacher.texts[self.prompt_of[which]]
        student = self.student(which, teacher)
        M = losses.similarity(*student, self.scale)
        if e.distillation == "feature":
            distance = losses.feature_distance(*teacher, *student)
        else:
            distance = self.distance(which, teacher, M)
        terms = {"cd": e.alpha * distance}
        if e.beta:
            terms["ita"] = e.beta * losses.image_text_alignment(M, self.prompt_of[which], e.label_smoothing)
        return terms

    def distance(self, which: Int64[Tensor, " m"], teacher: Pair, M: losses.Matrix) -> losses.Scalar:
        """CD of the pairs at `which` against the teacher's matrix of them."""
        M_teacher = losses.similarity(*teacher, self.scale)
        return losses.contrastive_distillation(M_teacher, M, self.experiment.temperature)

    def student(self, which: Int64[Tensor, " m"], teacher: Pair) -> Pair:
        """Embeddings of the pairs at `which`: the student's own, but the teacher's on the side that is left free.

        "image-only" leaves the text tower free and "text-only" the image tower. As in the released code ITA
        sees the same pair as CD, so nothing of the synthetic pairs reaches a free tower: it is not even run.
        """
        images, texts = teacher
        if self.experiment.distillation != "text-only":
            images = encode_images(self.model, self.clip.preprocess.eval(self.pictures[which]))
        if self.experiment.distillation != "image-only":
            distinct, place = torch.unique(self.prompt_of[which], return_inverse=True)
            texts = encode_texts(self.model, self.prompt_tokens[distinct])[place]
        return images, texts


def squares(images: Images, preprocess: Preprocess, resources: Resources) -> UInt8[Tensor, "n 3 s s"]:
    """All pictures as the evaluation transform cuts them, on the device: 1000 of 512 px become 150 MB there."""
    chunks = all_indices(len(images)).split(resources.chunk)
    return torch.cat([preprocess.square(images.batch(i).to(resources.device)) for i in chunks])
