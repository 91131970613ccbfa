"""MoE-Adapter: adapters, gates, freezing, and the selector."""

from dataclasses import replace

import pytest
import torch
from fixtures_methods import equal, fit, pixels, resources, tiny_clip, tiny_method, tiny_task, weights
from torch.nn import functional as F

from gift_lib.clip import encode_images, encode_texts
from gift_lib.config import experiment
from gift_lib.data.transforms import Preprocess
from gift_lib.errors import ConfigError, DataError
from gift_lib.methods import ddas
from gift_lib.methods.adapters import Routing
from gift_lib.methods.base import Batch, seeded
from gift_lib.methods.moe_adapter import LEARNING_RATES, MoEAdapter
from gift_lib.tasks import ORDERS, TensorImages
from gift_lib.training import Learner


@pytest.fixture
def method():
    return tiny_method("moe-adapter")


def shown(method, task=0):
    """Embeddings of pictures and texts through one router, without noise."""
    method.model.eval()
    x = method.clip.preprocess.eval(pixels(5, "shown"))
    with torch.no_grad(), method.routing.through(task):
        return encode_images(method.model, x), encode_texts(method.model, method.clip.tokenize(["a cat", "a big dog"]))


def test_adapters_start_as_nothing_and_minus_one_is_the_frozen_clip(method):
    fresh = tiny_clip().model
    x, tokens = method.clip.preprocess.eval(pixels(5, "shown")), method.clip.tokenize(["a cat", "a big dog"])
    with torch.no_grad():
        images, texts = encode_images(fresh, x), encode_texts(fresh, tokens)
    for task in (-1, 0, 2):
        for ours, theirs in zip(shown(method, task), (images, texts), strict=True):
            torch.testing.assert_close(ours, theirs)
    fit(method, 0)
    for ours, theirs in zip(shown(method, -1), (images, texts), strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(shown(method, 0), (images, texts), strict=True):
        assert not torch.allclose(ours, theirs, atol=1e-4), "both towers have learned"


def test_mixtures_stand_in_every_block_of_both_towers(method):
    assert sorted(method.mixtures) == sorted(
        f"{tower}.resblocks.{k}.mixture" for tower in ("visual.transformer", "transformer") for k in range(2)
    )
    for m in method.mixtures.values():
        assert len(m.experts) == 6 and len(m.routers) == len(m.noises) == 3
        assert all(e.up.abs().sum() == 0 and e.down.abs().sum() > 0 for e in m.experts)


def test_mixture_against_a_loop_over_sequences_and_experts(method):
    m = next(iter(method.mixtures.values())).eval()
    g = torch.Generator().manual_seed(0)
    for p in m.parameters():
        p.data = torch.randn(p.shape, generator=g)
    x = torch.randn(3, 5, 16, generator=g)
    rows = []
    with method.routing.through(1):
        out = m(x)
    for sequence in x:
        logits = sequence[0] @ m.routers[1]
        top = logits.topk(2)
        parts = []
        for gate, k in zip(top.values.softmax(0), top.indices, strict=True):
            e = m.experts[int(k)]
            parts.append(gate * (F.relu(sequence @ e.down.T + e.down_bias) @ e.up + e.up_bias))
        rows.append(0.1 * sum(parts))
    torch.testing.assert_close(out, torch.stack(rows), rtol=1e-4, atol=1e-4)


def test_noise_and_dropout_only_while_training_and_repeatable(method):
    fit(method, 0)
    m = next(iter(method.mixtures.values()))
    x = torch.randn(8, 5, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), method.routing.through(0):
        m.train()
        method.routing.seed = (0, 0, 0)
        a, b = m(x), m(x)
        method.routing.seed = (0, 0, 1)
        c = m(x)
        m.eval()
        d, e = m(x), m(x)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(d, e) and not torch.equal(a, d)


def test_clip_itself_is_never_trained(method):
    for t in range(2):
        fit(method, t)
    fresh = tiny_clip().model.state_dict()
    assert equal({n: w for n, w in weights(method).items() if n in fresh}, fresh)
    assert all(".mixture." in n for n in method.parameters())


def test_after_a_task_the_most_used_experts_freeze_and_frozen_ones_never_move(method):
    fit(method, 0)
    first = {}
    for name, m in method.mixtures.items():
        assert m.usage.sum() > 0 and m.frozen.sum() == 2
        assert set(m.frozen.nonzero()[:, 0].tolist()) == set(m.usage.topk(2).indices.tolist())
        first[name] = m.frozen.clone()
    before = weights(method)
    fit(method, 1)
    after, moved = weights(method), 0
    for name, m in method.mixtures.items():
        assert (m.frozen & first[name]).equal(first[name]) and 2 <= m.frozen.sum() <= 4
        for k in range(6):
            keys = [n for n in before if n.startswith(f"{name}.experts.{k}.")]
            same = all(torch.equal(before[n], after[n]) for n in keys)
            assert len(keys) == 4 and (same or not first[name][k])
            moved += not same
        assert torch.equal(before[f"{name}.routers.0"], after[f"{name}.routers.0"]), "a past task's router stays"
        assert torch.equal(before[f"{name}.routers.2"], after[f"{name}.routers.2"]), "a future task's too"
    assert moved > 0


def test_usage_counts_the_current_task_alone(method):
    fit(method, 0)
    image = method.mixtures["visual.transformer.resblocks.0.mixture"]
    assert int(image.usage.sum()) == 2 * 20 * 2, "two epochs x pictures x top 2"
    fit(method, 1)
    assert int(image.usage.sum()) == 2 * 23 * 2


def test_same_gradients_when_activations_are_recomputed():
    gradients = []
    for recompute in (False, True):
        m = tiny_method("moe-adapter")
        m.clip.model.set_grad_checkpointing(recompute)
        fit(m, 0)
        gradients.append(weights(m))
    names = [n for n in gradients[0] if not n.endswith("usage")]
    assert all(torch.equal(gradients[0][n], gradients[1][n]) for n in names)


def chosen_of(method):
    """The experts that each mixture's last forward pass chose, kept up to date."""
    chosen = {}

    def spy(m, name, honest):
        def gate(first):
            gates, which = honest(first)
            chosen[name] = set(which.unique().tolist())
            return gates, which

        m.gate = gate

    for name, m in method.mixtures.items():
        spy(m, name, m.gate)
    return chosen


def test_experts_that_nothing_chose_rest_whatever_adams_moments_say():
    """Expert by expert, over fifteen steps of batches so small that most experts are idle in each."""
    method, task = tiny_method("moe-adapter", batch_size=2), tiny_task(0)
    method.task_index = 0
    method.before_task(task, None)
    method.model.train()
    learner, chosen, with_momentum, moved = Learner(method, 1e-2, 15), chosen_of(method), 0, 0
    for step in range(15):
        before = weights(method)
        at = torch.arange(2 * step, 2 * step + 2) % 20
        x = method.clip.preprocess.eval(task.train.images.batch(at))
        learner.step(Batch(step, x, task.train.labels[at], torch.empty(0, dtype=torch.int64)))
        after = weights(method)
        for name, m in method.mixtures.items():
            for k, expert in enumerate(m.experts):
                same = all(torch.equal(before[n], after[n]) for n in before if n.startswith(f"{name}.experts.{k}."))
                idle = k not in chosen[name]
                assert idle == same, f"step {step}, {name}, expert {k}"
                assert all((p.grad is None) == idle for p in expert.parameters())
                moments = learner.optimizer.state.get(expert.up, {}).get("exp_avg")
                with_momentum += idle and moments is not None and bool(moments.any())
                moved += not same
    assert with_momentum > 20 and moved > 20


def test_gradients_of_chosen_experts_are_those_of_a_loop_and_the_others_have_none(method):
    m = next(iter(method.mixtures.values())).eval()
    g = torch.Generator().manual_seed(3)
    for p in m.parameters():
        p.data = torch.randn(p.shape, generator=g)
    x, up = torch.randn(2, 5, 16, generator=g), torch.randn(2, 5, 16, generator=g)
    with method.routing.through(1):
        (m(x) * up).sum().backward()
    total, chosen = 0.0, set()
    for sequence, weight in zip(x, up, strict=True):
        top = (sequence[0] @ m.routers[1]).topk(2)
        for gate, k in zip(top.values.softmax(0), top.indices.tolist(), strict=True):
            e = m.experts[k]
            total = total + (0.1 * gate * (F.relu(sequence @ e.down.T + e.down_bias) @ e.up + e.up_bias) * weight).sum()
            chosen.add(k)
    assert 2 <= len(chosen) <= 4
    for k, e in enumerate(m.experts):
        naive = torch.autograd.grad(total, list(e.parameters()), retain_graph=True, allow_unused=True)
        for p, want in zip(e.parameters(), naive, strict=True):
            assert (p.grad is None) == (want is None) == (k not in chosen)
            if want is not None:
                torch.testing.assert_close(p.grad, want, rtol=1e-4, atol=1e-4)


def test_routers_of_other_tasks_and_frozen_experts_are_not_even_given_to_the_optimiser(method):
    fit(method, 0)
    method.task_index = 1
    method.before_task(tiny_task(1), None)
    trained = method.parameters()
    for name, m in method.mixtures.items():
        for n, p in m.named_parameters():
            group, number = n.split(".")[:2]
            own = not m.frozen[int(number)] if group == "experts" else int(number) == 1
            assert (f"{name}.{n}" in trained) == p.requires_grad == bool(own)


# DDAS


def autoencoder_setting(brightness, seed=0):
    g = torch.Generator().manual_seed(seed)
    return TensorImages((brightness + torch.randint(0, 40, (40, 3, 16, 16), generator=g)).to(torch.uint8))


def selector(steps=60, threshold=1.0):
    s = ddas.Selector(ddas.features_of("tower", tiny_clip(), Routing()), Preprocess(16), 8, threshold)
    for number, brightness in enumerate((100, 0, 200)):

        def seeds(stream, step=0, number=number):
            return seeded(0, number, stream, step)

        s.autoencoders.append(
            ddas.train(autoencoder_setting(brightness), s.preprocess, s.features, 8, steps, 16, seeds, resources())
        )
    return s


def test_autoencoders_learn_from_crops_of_whole_pictures(monkeypatch):
    """Not of the centre squares: the view of training, whatever the store."""
    seen = []

    def view(images, index, preprocess, generator, device):
        seen.append((len(index), generator.initial_seed()))
        return preprocess.train(images.batch(index), generator)

    monkeypatch.setattr(ddas, "train_view", view)
    selector(steps=3)
    assert [n for n, _ in seen] == [16, 16, 8] * 3 and len({s for _, s in seen}) == 9


def test_each_picture_goes_where_its_like_were_learned():
    s = selector()
    batch = torch.cat([autoencoder_setting(b, 1).pixels[:4] for b in (0, 200, 100, 0)])
    assert s.route(batch).tolist() == [0] * 4 + [1] * 4 + [-1] * 4 + [0] * 4
    assert s.route(batch, vote=True).unique().numel() == 1, "a vote sends the batch to one place"
    assert s.route(batch[4:8], vote=True).tolist() == [1] * 4
    s.threshold = 0.0
    assert s.route(batch).tolist() == [-1] * 16, "above the threshold the frozen CLIP answers"


def test_the_error_is_the_mean_squared_one():
    s = selector(steps=2)
    x = s.features(s.preprocess.eval(pixels(3, "error")))
    a = s.autoencoders[0]
    hidden = F.relu(x @ a.encode.weight.T + a.encode.bias)
    naive = torch.sigmoid(hidden @ a.decode.weight.T + a.decode.bias)
    torch.testing.assert_close(s.errors(pixels(3, "error"))[0], ((naive - x) ** 2).mean(1))
    assert x.min() > 0 and x.max() < 1


def test_no_autoencoder_yet_is_the_frozen_clip():
    s = ddas.Selector(lambda x: x.flatten(1), Preprocess(16), 8, 0.1)
    assert s.route(pixels(3, "x")).tolist() == [-1, -1, -1]


def test_the_threshold_is_calibrated_on_training_pictures_of_everything_else(method):
    fit(method, 0)
    s, reference = method.selector, method.resources.reference_images(20)
    errors = s.errors(reference.pixels)[0]
    assert s.threshold == pytest.approx(float(errors.quantile(0.99)), rel=1e-5)
    assert len(s.autoencoders) == 2
    published = tiny_method(
        "moe-adapter", method_options={"threshold_quantile": 0.0, "autoencoder_steps": 2, "everything_else_steps": 2}
    )
    fit(published, 0)
    assert published.selector.threshold == 0.0655


def test_predictions_route_each_picture_and_its_texts(method, monkeypatch):
    for t in range(2):
        fit(method, t)
    method.model.eval()
    method.forget_classifiers()
    task, x = tiny_task(2), pixels(6, "routes")
    routes = torch.tensor([-1, 1, 0, 1, -1, 0])
    monkeypatch.setattr(method.selector, "route", lambda p: routes[: len(p)])
    with torch.no_grad():
        logits = method.predict(task, x)
        for i, route in enumerate(routes.tolist()):
            with method.routing.through(route):
                image = encode_images(method.model, method.clip.preprocess.eval(x[i : i + 1]))
                texts = torch.stack([
                    F.normalize(encode_texts(method.model, method.clip.tokenize(
                        [t.replace("{c}", c) for t in task.templates])).mean(0), dim=0) for c in task.classes
                ])  # fmt: skip
            torch.testing.assert_close(logits[i], (image @ texts.T)[0])


def test_a_known_task_takes_its_own_router_and_a_stranger_the_frozen_clip():
    m = tiny_method("moe-adapter", method_options={"route": "task"})
    for t in range(2):
        fit(m, t)
    fresh = tiny_method("moe-adapter", method_options={"route": "task"})
    fresh.before_task(tiny_task(1), None)
    fresh.load_state(m.state())
    x = pixels(3, "routes")
    for method in (m, fresh):
        assert [method.routes(tiny_task(t), x).unique().tolist() for t in range(3)] == [[0], [1], [-1]]
    with pytest.raises(ConfigError, match="did you mean 'vote'"):
        tiny_method("moe-adapter", method_options={"route": "votes"})


def test_128_pictures_of_a_data_set_vote_together_however_they_are_handed_in(monkeypatch):
    m, asked = tiny_method("moe-adapter", method_options={"route": "vote"}), []

    def route(part, vote):
        asked.append((len(part), vote))
        return torch.full((len(part),), len(asked))

    monkeypatch.setattr(m.selector, "route", route)
    routes = m.routes(tiny_task(0), pixels(300, "voters"))
    assert asked == [(128, True), (128, True), (44, True)]
    assert routes.tolist() == [1] * 128 + [2] * 128 + [3] * 44


def test_features_of_the_tower_are_those_of_the_frozen_clip(method):
    x = method.clip.preprocess.eval(pixels(3, "tower"))
    fit(method, 0)
    visual = tiny_clip().model.visual
    with torch.no_grad():
        naive = visual.transformer.resblocks[0](visual._embeds(x))[:, 1:].flatten(1).sigmoid()
    torch.testing.assert_close(method.selector.features(x), naive)


def test_before_any_task_predictions_are_zero_shot(method):
    zero = tiny_method("zero-shot")
    task, x = tiny_task(0), pixels(4, "zero")
    with torch.no_grad():
        torch.testing.assert_close(method.predict(task, x), zero.predict(task, x))


def test_published_settings():
    o = MoEAdapter.options
    assert (o["experts"], o["bottleneck"], o["top"], o["scale"]) == (22, 64, 2, 0.1)
    assert (o["hidden"], o["threshold"]) == (100, 0.0655)
    assert (o["autoencoder_steps"], o["everything_else_steps"]) == (300, 1000)
    assert [LEARNING_RATES[name] * 1e4 for name in ORDERS["I"]] == pytest.approx(
        [50, 10, 50, 10, 1, 10, 10, 1, 10, 10, 10]
    )


def test_learning_rates():
    m = tiny_method("moe-adapter", method_options={"lr": 0.0, "autoencoder_steps": 1})
    assert m.learning_rate(replace(tiny_task(0), stands_for="Aircraft")) == 5e-3
    assert m.learning_rate(replace(tiny_task(0), stands_for="MNIST")) == 1e-4
    assert tiny_method("moe-adapter").learning_rate(tiny_task(0)) == 1e-2


def test_features(method):
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    features = ddas.features_of("alexnet-random", tiny_clip(), Routing())
    assert features(x).shape == (2, 256 * 13 * 13) and torch.equal(features(x), features(x))
    with pytest.raises(ConfigError, match="did you mean 'alexnet'"):
        ddas.features_of("alexnett", tiny_clip(), Routing())


def test_without_alexnets_weights_the_remedy_names_features_that_exist(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(DataError, match="features to") as error:
        ddas.features_of("alexnet", tiny_clip(), Routing())
    named = str(error.value).split("features to '")[1].split("'")[0]
    assert callable(ddas.features_of(named, tiny_clip(), Routing()))


def test_towers_of_another_make_are_refused():
    clip = tiny_clip()
    clip.model.visual.transformer.resblocks[0] = torch.nn.Identity()
    with pytest.raises(ConfigError, match="open_clip's own blocks"):
        MoEAdapter(clip, experiment(method="moe-adapter"), resources())


def test_without_task_identity_each_picture_takes_the_router_that_ddas_chose(method, monkeypatch):
    for t in range(2):
        fit(method, t)
    method.model.eval()
    method.forget_classifiers()
    tasks, x = [tiny_task(0), tiny_task(2)], pixels(6, "routes")
    routes, asked = torch.tensor([-1, 1, 0, 1, -1, 0]), []
    monkeypatch.setattr(method.selector, "route", lambda p: (asked.append(len(p)), routes[: len(p)])[1])
    with torch.no_grad(), method.looking_at(x):
        both = method.predict_among(tasks, x)
        torch.testing.assert_close(both[:, :3], method.predict(tasks[0], x))
        torch.testing.assert_close(both[:, 3:], method.predict(tasks[1], x))
    assert asked == [6], "the pictures are routed once"


def test_a_selector_that_is_told_the_task_says_nothing_where_nobody_tells():
    m = tiny_method("moe-adapter", method_options={"route": "task"})
    fit(m, 0)
    zero, x = tiny_method("zero-shot"), pixels(4, "open")
    tasks = [tiny_task(0), tiny_task(1)]
    m.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(m.predict_among(tasks, x), zero.predict_among(tasks, x))
        assert not torch.allclose(m.predict(tasks[0], x), zero.predict(tasks[0], x), atol=1e-4)
