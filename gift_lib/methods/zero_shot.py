"""Zero-shot: the pre-trained model, untouched."""

from gift_lib.methods.base import Method, register


@register("zero-shot", "Zero-shot")
class ZeroShot(Method):
    """Trains nothing; every row of R is the pre-trained model's."""

    trains = False
