"""Between two models: fine-tune, and look at every model on the straight line back to the pre-trained weights."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gift_lib import consolidation, data
from gift_lib.config import Experiment
from gift_lib.evaluation import evaluate
from gift_lib.methods import Method
from gift_lib.training import LOCAL, Progress, Runtime, build_method, fit, numerics

Weights = dict[str, Tensor]


def interpolated(e: Experiment, weights: Sequence[float], runtime: Runtime = LOCAL) -> dict[float, list[list[float]]]:
    """{w: R} of Continual Finetune's models theta_t, each replaced by w theta_t + (1 - w) theta_0 for its row of R.

    The sequence is trained once, undisturbed: w = 1 is Continual Finetune, w = 0 the untouched model. (WiSE-FT as a
    method mixes after each task and goes on from the mixture.)
    """
    e = e.replace(method="finetune", method_options={})
    tasks = data.load_tasks(e, runtime.data_dir)
    method = build_method(e, runtime, len(tasks))
    found: dict[float, list[list[float]]] = {w: [] for w in weights}
    with numerics(runtime.device):
        untouched = evaluate(method, tasks)
        for t, task in enumerate(tasks):
            fit(method, t, task, None, runtime, Progress(), lambda **_: None)
            here = _weights(method)
            for w in weights:
                _put(method, consolidation.interpolate(here, method.initial, w))
                found[w].append(evaluate(method, tasks) if w else untouched)
            _put(method, here)
    return found


def _weights(method: Method) -> Weights:
    return {k: p.detach().clone() for k, p in method.parameters().items()}


@torch.no_grad()
def _put(method: Method, weights: Weights) -> None:
    for name, p in method.parameters().items():
        p.copy_(weights[name])
