"""Penalties against autograd through the penalty's own graph, and averages of weights against loops."""

import pytest
import torch

from gift_lib.consolidation import AWC, L2, RunningMean, StaticFisher, build, interpolate
from gift_lib.errors import ConfigError

KINDS = {"awc": AWC, "awc-raw": lambda: AWC(normalise=False), "l2": L2, "fisher": lambda: StaticFisher(3)}


def weights(seed=0):
    g = torch.Generator().manual_seed(seed)
    shapes = {"a": (3, 4), "b": (5,), "untouched": (2, 2), "scalar": (1,)}
    return {n: torch.nn.Parameter(torch.randn(s, generator=g)) for n, s in shapes.items()}


def distillation(params):
    """A stand-in for alpha CD + beta ITA: some function of all weights but one."""
    return (params["a"].sin().sum() * params["b"].square().sum() + 0.1 * params["scalar"].exp().sum()) / 7


def task_loss(params):
    return (params["a"].square().sum() + params["untouched"].cos().sum()) / 3


def naive_fisher(params, normalise):
    """Second pass through autograd, tensor by tensor, entry by entry mean."""
    fisher = {}
    gradients = torch.autograd.grad(distillation(params), list(params.values()), allow_unused=True)
    for (name, p), g in zip(params.items(), gradients, strict=True):
        square = torch.zeros_like(p) if g is None else g * g
        mean = sum(square.flatten().tolist()) / p.numel()
        fisher[name] = square / mean if normalise and mean > 0 else square
    return fisher


def naive_total(params, theta_prev, fisher, weight):
    total = task_loss(params) + distillation(params)
    for n, p in params.items():
        total = total + weight * (fisher[n].detach() * (p - theta_prev[n]) ** 2).sum()
    return total


def step(penalty, params, weight, scale=1.0):
    """The order of the training loop, with a loss scale as fp16 has it."""
    for p in params.values():
        p.grad = None
    (scale * distillation(params)).backward()
    penalty.update(params, unscale=1 / scale)
    (scale * task_loss(params)).backward()
    for p in params.values():
        p.grad /= scale
    penalty.add_gradient(params, weight)
    return {n: p.grad.clone() for n, p in params.items()}


def move(params, by):
    g = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for p in params.values():
            p += by * torch.randn(p.shape, generator=g)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_awc_gradient_is_that_of_the_naive_graph(normalise, scale):
    params, penalty = weights(), AWC(normalise)
    penalty.anchor(params)
    theta_prev = {n: p.detach().clone() for n, p in params.items()}
    for k in range(3):  # F is that of the very step: no average
        move(params, 0.1 * (k + 1))
        fisher = naive_fisher(params, normalise)
        want = torch.autograd.grad(naive_total(params, theta_prev, fisher, 0.7), list(params.values()))
        got = step(penalty, params, 0.7, scale)
        for g, w in zip(got.values(), want, strict=True):
            torch.testing.assert_close(g, w)
        value = sum(float((fisher[n] * (params[n] - theta_prev[n]).detach() ** 2).sum()) for n in params)
        assert float(penalty.value(params)) == pytest.approx(value, rel=1e-5)


def test_awc_of_a_tensor_without_gradient_is_zero_not_nan():
    params, penalty = weights(), AWC()
    penalty.anchor(params)
    move(params, 1.0)
    penalty.update(params)  # no gradient at all
    assert all(bool((f == 0).all()) for f in penalty.F.values())
    step(penalty, params, 1.0)
    assert float(penalty.F["untouched"].abs().sum()) == 0
    assert all(bool(f.isfinite().all()) for f in penalty.F.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_that_nothing_moves_keeps_no_gradient(kind):
    """None, not zero: with zeros Adam's moments would go on moving it."""
    params, penalty = weights(), KINDS[kind]()
    penalty.anchor(params)
    distillation(params).backward()
    penalty.update(params)
    assert params["untouched"].grad is None, "reading gradients makes none"
    penalty.add_gradient(params, 1.0)
    assert params["untouched"].grad is None and params["a"].grad is not None
    move(params, 0.1)
    penalty.add_gradient(params, 1.0)
    assert (params["untouched"].grad is not None) == (kind == "l2"), "only a penalty with F = 1 pulls it back"


def test_normalised_awc_has_mean_one_and_ignores_the_scale_of_gradients():
    params, penalty = weights(), AWC()
    penalty.anchor(params)
    for scale in (1.0, 1e-6, 1e6):
        step(penalty, params, 1.0, scale)
        for name in ("a", "b", "scalar"):
            assert float(penalty.F[name].mean()) == pytest.approx(1, rel=1e-5)


def test_l2_is_the_plain_penalty():
    params, penalty = weights(), L2()
    penalty.anchor(params)
    theta_prev = {n: p.detach().clone() for n, p in params.items()}
    move(params, 0.3)
    ones = {n: torch.ones_like(p) for n, p in params.items()}
    want = torch.autograd.grad(naive_total(params, theta_prev, ones, 1.0), list(params.values()))
    for g, w in zip(step(penalty, params, 1.0).values(), want, strict=True):
        torch.testing.assert_close(g, w)
    assert float(penalty.value(params)) == pytest.approx(
        sum(float(((params[n] - theta_prev[n]) ** 2).sum().detach()) for n in params), rel=1e-5
    )


@pytest.mark.parametrize("normalise", [True, False])
def test_static_fisher_is_the_mean_of_the_first_steps_and_then_stays(normalise):
    params, penalty = weights(), StaticFisher(3, normalise)
    penalty.anchor(params)
    seen = []
    for k in range(5):
        move(params, 0.1)
        seen.append(naive_fisher(params, normalise))
        step(penalty, params, 1.0)
        used = seen[: min(k + 1, 3)]
        for n in params:
            torch.testing.assert_close(penalty.F[n], sum(f[n] for f in used) / len(used))


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_penalty_goes_on_as_if_never_stopped(kind):
    params, penalty = weights(), KINDS[kind]()
    penalty.anchor(params)
    start = {n: torch.nn.Parameter(p.detach().clone()) for n, p in params.items()}
    for _ in range(2):
        move(params, 0.1)
        step(penalty, params, 1.0)
    resumed = KINDS[kind]()
    resumed.anchor(start)
    resumed.load_state({k: v.clone() for k, v in penalty.state().items()})
    move(params, 0.1)
    a, b = step(penalty, params, 1.0), step(resumed, params, 1.0)
    assert all(torch.equal(a[n], b[n]) for n in params)


def test_a_zero_weight_changes_nothing():
    params, penalty = weights(), AWC()
    penalty.anchor(params)
    move(params, 1.0)
    (distillation(params) + task_loss(params)).backward()
    want = {n: p.grad.clone() for n, p in params.items()}
    got = step(penalty, params, 0.0)
    for n in params:
        torch.testing.assert_close(got[n], want[n])


def test_interpolate_is_weight_times_the_first_plus_the_rest_of_the_second():
    a = {"w": torch.tensor([1.0, 2.0]), "steps": torch.tensor(3)}
    b = {"w": torch.tensor([5.0, 6.0]), "steps": torch.tensor(4)}
    mixed = interpolate(a, b, 0.25)
    torch.testing.assert_close(mixed["w"], 0.25 * a["w"] + 0.75 * b["w"])
    assert int(mixed["steps"]) == 4
    assert torch.equal(interpolate(a, b, 0.0)["w"], b["w"]) and torch.equal(interpolate(a, b, 1.0)["w"], a["w"])


def test_running_mean_is_the_mean_and_survives_a_resume():
    snapshots = [weights(seed) for seed in range(4)]
    mean = RunningMean(snapshots[0])
    mean.add(snapshots[1])
    resumed = RunningMean(snapshots[0])
    resumed.load_state(mean.state())
    for ensemble in (mean, resumed):
        ensemble.add(snapshots[2])
        ensemble.add(snapshots[3])
        out = weights(9)
        ensemble.copy_to(out)
        for n in out:
            torch.testing.assert_close(out[n].detach(), sum(s[n].detach() for s in snapshots) / 4)


@pytest.mark.parametrize("kind, cls", [("awc", AWC), ("l2", L2), ("fisher", StaticFisher)])
def test_build_makes_what_the_experiment_names(kind, cls):
    assert type(build(kind, False, 5)) is cls


def test_bad_input_is_one_clear_error():
    params = weights()
    assert build("none") is None
    with pytest.raises(ConfigError, match="consolidation cannot be 'ewc'"):
        build("ewc")
    with pytest.raises(ConfigError, match="first_steps must be at least 1"):
        StaticFisher(0)
    with pytest.raises(ConfigError, match="call anchor"):
        AWC().update(params)
    with pytest.raises(ConfigError, match="in \\[0, 1\\]"):
        interpolate({}, {}, 1.5)
    with pytest.raises(ConfigError, match="one architecture"):
        interpolate({"a": torch.zeros(2)}, {"a": torch.zeros(3)}, 0.5)
