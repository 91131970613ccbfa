"""Continual Finetune: cross-entropy on each task in turn, and no defence against forgetting."""

from gift_lib.methods.base import Method, register


@register("finetune", "Continual Finetune")
class Finetune(Method):
    """The base class as it is."""
