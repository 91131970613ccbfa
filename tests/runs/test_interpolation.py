"""The straight line between two models."""

import numpy as np
import pytest

from gift_lib.config import experiment
from gift_lib.errors import ConfigError
from gift_lib.runs.interpolation import interpolated
from gift_lib.training import Runtime, run

QUIET = Runtime(progress=False)


@pytest.fixture(scope="module")
def setting():
    return experiment("mini", tasks=("textures", "terrain"), steps=3, method="finetune")


def test_its_ends_are_the_untouched_model_and_continual_finetune(setting):
    result = run(setting, QUIET)["result"]
    found = interpolated(setting, (0.0, 0.5, 1.0), QUIET)
    np.testing.assert_allclose(found[1.0], result["R"], atol=1e-4)  # a record is rounded
    np.testing.assert_allclose(found[0.0], [result["zero_shot"]] * 2, atol=1e-4)
    assert found[0.5] not in (found[0.0], found[1.0])


def test_a_weight_outside_is_refused(setting):
    with pytest.raises(ConfigError, match=r"must be in \[0, 1\]"):
        interpolated(setting, (1.5,), QUIET)
