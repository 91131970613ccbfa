"""KeepLoRA and the inputs of layers: which side directions live on, what does not move, and the published start."""

import pytest
import torch
from fixtures_methods import equal, fit, pixels, tiny_clip, tiny_method, tiny_task, tokenize, weights

from gift_lib.clip import encode_images, encode_texts
from gift_lib.errors import ConfigError
from gift_lib.methods import keeplora, layer_inputs
from gift_lib.methods.base import Batch
from gift_lib.methods.keeplora import KeepLoRA, free_directions, grown
from gift_lib.training import Learner

LOOSE = {"rank": 3, "image_energy": 0.3, "text_energy": 0.1, "feature_energy": 0.5}


def begin(task=0, gradients=None):
    """At the start of a task; with a dict its mean gradients are noted there by matrix."""
    m, found = tiny_method("keeplora", method_options=LOOSE), []
    m.task_index = task
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeplora, "free_directions", lambda G, *a: (found.append(G.clone()), free_directions(G, *a))[1])
        m.before_task(tiny_task(task), None)
    if gradients is not None:
        gradients.update(zip(m.slots, found, strict=True))
    m.model.train()
    return m


def step(m, learner, k):
    task = m.task
    at = torch.arange(8 * k, 8 * k + 8) % len(task.train)
    x = m.clip.preprocess.eval(task.train.images.batch(at))
    learner.step(Batch(k, x, task.train.labels[at], torch.empty(0, dtype=torch.int64)))
    m.after_step(k + 1)


def test_a_task_is_learned_and_each_step_goes_down_the_gradient():
    """Its gradients are made by the chain rule: laid out otherwise than B, the fused optimiser would mix them up."""
    m = begin()
    learner, B = Learner(m, 5e-2, 40), m.parameters()
    x, labels = m.clip.preprocess.eval(m.task.train.images.pixels[:8]), m.task.train.labels[:8]
    losses = []
    for k in range(40):
        before = {n: p.detach().clone() for n, p in B.items()}
        losses.append(learner.step(Batch(k, x, labels, torch.empty(0, dtype=torch.int64)))["ce"])
        m.after_step(k + 1)
        assert all(p.grad.stride() == p.stride() for p in B.values())
        if k == 0:  # the first step of Adam is against the gradient's sign, entry by entry
            for n, p in B.items():
                sure = p.grad.abs() > 1e-4
                assert torch.equal((p.detach() - before[n]).sign()[sure], -p.grad.sign()[sure]), n
    assert losses[-1] < losses[0] - 0.05, losses


# Inputs of layers


@pytest.mark.parametrize("tower", ["image", "text"])
def test_inputs_reproduce_the_tower(tower):
    """What a matrix reads, times the matrix, is what the next layer sees: with it the tower's output comes out."""
    model = tiny_clip().model
    x, tokens = torch.randn(3, 3, 16, 16), tokenize(["a cat", "one two three four", "a cat on a mat"])
    with torch.no_grad():
        found = dict(layer_inputs.of_images(model, x) if tower == "image" else layer_inputs.of_texts(model, tokens))
        if tower == "image":
            out = found["visual.proj"] @ model.visual.proj
            torch.testing.assert_close(torch.nn.functional.normalize(out, dim=1), encode_images(model, x))
    blocks = {n.split(".attn.")[0] for n in found if ".attn." in n}
    assert len(blocks) == 2 and len(found) == 8 + (tower == "image")
    parameters = dict(model.named_parameters())
    assert all(X.shape[1] == parameters[n].shape[0 if n == "visual.proj" else 1] for n, X in found.items())
    rows = 3 * 5 if tower == "image" else 4 + 6 + 7
    assert all(len(X) == (3 if n == "visual.proj" else rows) for n, X in found.items())


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_change_that_no_input_sees_changes_nothing(tower):
    """The inputs are the true ones: a matrix may be changed at will where it is orthogonal to them."""
    model = tiny_clip().model
    x, tokens = torch.randn(1, 3, 16, 16), tokenize(["one two"])
    prefix = "visual.transformer" if tower == "image" else "transformer"
    encode = (lambda: encode_images(model, x)) if tower == "image" else (lambda: encode_texts(model, tokens))
    for name, p in model.named_parameters():
        if not name.startswith(f"{prefix}.resblocks") or p.dim() != 2:
            continue
        with torch.no_grad():
            before = encode()
            found = dict(layer_inputs.of_images(model, x) if tower == "image" else layer_inputs.of_texts(model, tokens))
            X = found[name].double()
            free = torch.eye(X.shape[1]).double() - torch.linalg.pinv(X, rtol=1e-6) @ X
            assert free.norm() > 0.5, "some directions are not read"
            noise = torch.randn(p.shape, generator=torch.Generator().manual_seed(0)).double()
            p.add_((noise @ free).float())
            torch.testing.assert_close(encode(), before, rtol=1e-3, atol=1e-4)
            p.add_(noise.float())
            assert not torch.allclose(encode(), before, atol=1e-3), name


def test_gram_adds_up_and_can_be_normalised():
    X, Y = torch.randn(4, 3), torch.randn(2, 3)
    total = {}
    for part in (X, Y):
        layer_inputs.gram(iter([("a.w", part), ("other", part)]), total, ("w",))
    torch.testing.assert_close(total, {"a.w": (X.T @ X + Y.T @ Y).double()})
    layer_inputs.gram(iter([("b.w", X)]), total, ("w",), each=1.0)
    assert float(total["b.w"].norm()) == pytest.approx(1)


# Directions


def test_directions_of_the_gradient_avoid_what_is_kept():
    g = torch.Generator().manual_seed(0)
    G, U = torch.randn(7, 6, generator=g), torch.linalg.qr(torch.randn(6, 2, generator=g))[0]
    A = free_directions(G, U, 3)
    torch.testing.assert_close(A.T @ A, torch.eye(3), atol=1e-5, rtol=0)
    assert float((U.T @ A).abs().max()) < 1e-6
    P = torch.eye(6) - U @ U.T
    left = torch.linalg.svd(P @ G.T)[0][:, :3]
    torch.testing.assert_close(A @ A.T, left @ left.T, atol=1e-5, rtol=0)


def test_where_nothing_is_free_nothing_moves():
    G, U = torch.randn(7, 4), torch.eye(4)
    assert not free_directions(G, U, 3).any()
    A = free_directions(G, torch.eye(4)[:, :3], 3)
    assert A[:, 0].norm() > 0.9 and not A[:, 1:].any(), "one direction is left, the others are rounding"


@pytest.mark.parametrize("energy", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_the_fewest_directions_that_hold_the_energy(energy):
    X = torch.randn(50, 6, generator=torch.Generator().manual_seed(1)) * torch.tensor([5.0, 3, 2, 1, 0.5, 0.1])
    gram = (X.T @ X).double()
    U = grown(torch.zeros(6, 0), gram, energy)
    held = [float((X @ U[:, :k]).square().sum() / X.square().sum()) for k in range(U.shape[1] + 1)]
    assert held[-1] >= energy - 1e-5 and (U.shape[1] == 0 or held[-2] < energy)
    more = grown(U, gram, max(energy, 0.995))
    assert more.shape[1] >= U.shape[1] and torch.equal(more[:, : U.shape[1]], U)
    torch.testing.assert_close(more.T @ more, torch.eye(more.shape[1]), atol=1e-5, rtol=0)


# The method


def test_the_function_does_not_change_at_the_start():
    m = begin()
    fresh = tiny_clip().model
    assert equal(weights(m), fresh.state_dict())
    x, tokens = m.clip.preprocess.eval(pixels(3, "start")), tokenize(["a cat", "a dog here"])
    with torch.no_grad():
        m.after_step(0)  # W <- base + scale (A B)^T with B = 0
        torch.testing.assert_close(encode_images(m.model, x), encode_images(fresh, x))
        torch.testing.assert_close(encode_texts(m.model, tokens), encode_texts(fresh, tokens))


def test_only_b_is_trained_and_its_gradient_is_that_of_a_real_adapter():
    """Against autograd through W + scale (A B)^T with B as the leaf."""
    m = begin()
    assert all(n.endswith(".B") for n in m.parameters()) and len(m.parameters()) == 2 * 2 * 4
    task = m.task
    x = m.clip.preprocess.eval(task.train.images.pixels[:8])
    batch = Batch(0, x, task.train.labels[:8], torch.empty(0, dtype=torch.int64))
    for k, s in enumerate(m.slots.values()):
        s.B.data.normal_(generator=torch.Generator().manual_seed(k))
    m.after_step(1)
    m.loss(batch)["ce"].backward()
    leaves = {n: s.B.detach().clone().requires_grad_() for n, s in m.slots.items()}
    values = {}
    for name, s in m.slots.items():
        weight = name.rsplit(".", 1)[0]
        values.setdefault(weight, []).append(s.base + m.option["scale"] * (s.A @ leaves[name]).T)
    twin = tiny_clip().model
    patched = {n: torch.cat(v) for n, v in values.items()}
    images = torch.func.functional_call(twin, patched, (x,))[0]
    texts = torch.func.functional_call(twin, patched, (None, m.class_tokens))[1]
    logits = m.scale * images @ texts.T
    loss = torch.nn.functional.cross_entropy(logits, batch.labels, label_smoothing=0.2)
    want = torch.autograd.grad(loss, list(leaves.values()))
    for s, g in zip(m.slots.values(), want, strict=True):
        torch.testing.assert_close(s.B.grad, g, rtol=1e-3, atol=1e-6)
        assert s.weight.grad is None


def test_the_published_start_takes_the_same_path():
    """B_0 = Sigma V^t with scale A B_0 subtracted from W: after five steps the same weights come out."""
    G_of = {}
    m, published = begin(), begin(gradients=G_of)
    for name, s in published.slots.items():
        G, U = G_of[name], s.U.double()
        free = G.double().T - U @ (U.T @ G.double().T)
        s.B.data.copy_(s.A.double().T @ free)  # Sigma V^t, since A are the left singular vectors
        s.base = s.base - published.option["scale"] * (s.A @ s.B.detach()).T
    published.after_step(0)
    assert sum(float(s.B.detach().norm()) for s in published.slots.values()) > 0.1
    for method in (m, published):
        learner = Learner(method, 1e-2, 5)
        for k in range(5):
            step(method, learner, k)
    a, b = weights(m), weights(published)
    for n in a:
        torch.testing.assert_close(a[n], b[n], rtol=1e-4, atol=1e-5)
    assert not equal(a, tiny_clip().model.state_dict())


def test_the_merged_update_does_not_move_kept_inputs():
    """And the other side of W is no null space: the trap of a transposed U."""
    m = tiny_method("keeplora", method_options=LOOSE)
    other_side = 0.0
    for t in range(3):
        U = {n: s.U.clone() for n, s in m.slots.items()}
        before = {n: s.W.clone() for n, s in m.slots.items()}
        fit(m, t)
        for name, s in m.slots.items():
            D = s.W - before[name]
            assert float(D.norm()) > 1e-5, name
            assert float((D @ U[name]).norm()) < 1e-4 * float(D.norm()) + 1e-7, f"{name} moved what it should keep"
            if D.shape[0] == D.shape[1]:
                other_side = max(other_side, float((U[name].T @ D).norm() / D.norm()))
            assert s.U.shape[1] >= U[name].shape[1]
    assert other_side > 0.1


def test_finished_tasks_inputs_are_kept_up_to_the_energy():
    m = tiny_method("keeplora", method_options={**LOOSE, "feature_energy": 0.99})
    fit(m, 0)
    task = tiny_task(0)
    grams = {}
    for inputs in layer_inputs.of_all(m.model, task.train.images, m.clip.preprocess, m.resources):
        layer_inputs.gram(inputs, grams, ("in_proj_weight", "out_proj.weight"))
    before = {n: s.W.clone() for n, s in m.slots.items()}
    fit(m, 1)
    for name, s in m.slots.items():
        if not name.startswith("visual"):
            continue
        G, D = grams[name.rsplit(".", 1)[0]], (s.W - before[name]).double()
        moved = (D @ G @ D.T).trace()
        bound = 0.015 * G.trace() * torch.linalg.matrix_norm(D, 2) ** 2
        assert moved <= bound + 1e-12, name


def test_everything_else_stays_frozen_and_is_thawed_after_the_task():
    m = begin()
    trained = {n for n, p in m.model.named_parameters() if p.requires_grad}
    assert trained == {n.rsplit(".", 1)[0] for n in m.slots}
    learner = Learner(m, 1e-2, 3)
    for k in range(3):
        step(m, learner, k)
    m.after_task(m.task)
    fresh, now = tiny_clip().model.state_dict(), weights(m)
    assert {n for n in now if not torch.equal(now[n], fresh[n])} == trained
    assert all(p.requires_grad for p in m.model.parameters()) and m.parameters() == {}


def test_the_mean_gradient_is_that_of_all_batches_of_one_epoch():
    G_of = {}
    m = begin(gradients=G_of)
    fresh = tiny_method("keeplora", method_options=LOOSE)
    fresh.task_index, fresh.task = 0, tiny_task(0)
    fresh.class_tokens = m.class_tokens
    total, n = {}, 3
    from functools import partial

    from gift_lib.methods.base import Shuffle, seeded

    draw = Shuffle(20, 8, partial(seeded, 0, 0, "gradient"))
    for k in range(n):
        x = fresh.clip.preprocess.train(fresh.task.train.images.batch(draw(k)), seeded(0, 0, "gradient crop", k))
        fresh.model.zero_grad()
        fresh.cross_entropy(Batch(k, x, fresh.task.train.labels[draw(k)], torch.empty(0, dtype=torch.int64))).backward()
        for name, s in fresh.slots.items():
            total[name] = total.get(name, 0) + s.weight.grad[s.rows].clone() / n
    for name in m.slots:
        torch.testing.assert_close(G_of[name], total[name], rtol=1e-4, atol=1e-6)


def test_published_settings():
    o = KeepLoRA.options
    assert (o["rank"], o["scale"], o["image_energy"], o["text_energy"], o["feature_energy"], o["lr"]) == (
        16, 1 / 16, 0.85, 0.2, 0.99, 1e-3)  # fmt: skip
    with pytest.raises(ConfigError, match="energies in"):
        tiny_method("keeplora", method_options={"text_energy": 1.2})
