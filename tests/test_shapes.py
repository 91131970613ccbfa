"""The hook that checks shapes while tests run is in force."""

import jaxtyping
import pytest
import torch

from gift_lib import losses


def test_a_wrong_shape_is_caught():
    images, texts = torch.zeros(3, 8), torch.zeros(4, 7)
    with pytest.raises(jaxtyping.TypeCheckError):
        losses.similarity(images, texts, torch.tensor(1.0))
