"""GIFT (CVPR 2025): continual fine-tuning of CLIP with synthetic data, over MTIL, at three scales."""

__version__ = "0.1.0"
