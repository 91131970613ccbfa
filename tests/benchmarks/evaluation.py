"""Evaluation per image: a method's `predict` against encoding the class texts with every batch of images."""

import torch

from gift_lib.clip import Clip
from gift_lib.config import experiment
from gift_lib.methods.base import Resources
from gift_lib.methods.zero_shot import ZeroShot
from tests.benchmarks import models
from tests.benchmarks.timing import Comparison, compare, seconds

#: Images of the test split over which ours spreads the classifier's cost.
TEST_IMAGES = 1000


@torch.no_grad()
def measure(
    clip: Clip, classes: int, batch: int, device: str, pairs: int, note: str = "", precision: str = "fp32"
) -> Comparison:
    """Plain in fp32 against ours in `precision`."""
    clip.precision = precision
    task = models.task(classes, batch, clip.preprocess.size)
    resources = Resources(None, None, None, 1, torch.device(device))
    method, pixels = ZeroShot(clip, experiment(method="zero-shot"), resources), task.test.images.pixels.to(device)
    clip.model.eval()

    @torch.no_grad()
    def plain():
        texts = clip.model.encode_text(clip.tokenize(task.prompts()).to(device), True)
        return clip.model.encode_image(clip.preprocess.eval(pixels), True) @ texts.T

    @torch.no_grad()
    def ours():
        return method.predict(task, pixels)

    torch.testing.assert_close(ours(), plain(), atol=1e-4 if precision == "fp32" else 5e-2, rtol=0)

    def make_classifier():
        method.forget_classifiers()
        method.classifier(task)

    share = seconds(make_classifier, device) / TEST_IMAGES
    name = f"evaluation, {clip.name.split('/')[0]}, {classes} classes, {precision}"
    row = compare(name, "image", plain, ours, pairs=pairs, device=device, extra=share, per=batch, note=note)
    row.facts["images per second"] = 1 / row.ours
    clip.precision = "fp32"
    return row
