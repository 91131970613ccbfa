"""What holds for every method: names, resumption, and what no method may see or touch."""

import importlib.util
import textwrap

import pytest
import torch
from fixtures_methods import LEARNING, TRAINED, World, equal, interrupt_at, tiny_clip, tiny_experiment, weights, world

from gift_lib import methods, training
from gift_lib.config import experiment
from gift_lib.errors import ConfigError
from gift_lib.files import canonical_json
from gift_lib.tasks import Task

__all__ = ["world"]

TITLES = {
    "zero-shot": "Zero-shot", "finetune": "Continual Finetune", "l2": "l2 baseline", "lwf": "LwF", "icarl": "iCaRL",
    "lwf-vr": "LwF-VR", "wise-ft": "WiSE-FT", "zscl": "ZSCL", "moe-adapter": "MoE-Adapter", "gift": "GIFT",
    "upper-bound": "Individual fine-tune", "joint": "Joint training", "condu": "ConDU-FT", "rail": "RAIL",
    "keeplora": "KeepLoRA", "gnsp": "GNSP", "two-teachers": "GIFT, two teachers",
    "all-prompts": "GIFT, all prompts", "neighbours": "GIFT, batches of neighbours",
    "projected-gift": "GIFT, projected",
}  # fmt: skip


def test_all_rows_of_the_tables_are_there():
    assert {name: cls.title for name, cls in methods.METHODS.items()} == TITLES
    assert set(TRAINED) == {n for n, cls in methods.METHODS.items() if cls.trains}


@pytest.mark.parametrize("name", TITLES)
def test_options_are_checked_before_any_work(name):
    with pytest.raises(ConfigError, match="no setting"):
        methods.check(experiment(method=name, method_options={"no_such": 1}))
    for key, value in methods.find(name).options.items():
        with pytest.raises(ConfigError, match="must be of type"):
            methods.check(experiment(method=name, method_options={key: None}))
        assert methods.find(name).presets.get("mini", {}).get(key, value).__class__ is value.__class__
    for preset in methods.find(name).presets.values():
        assert set(preset) <= set(methods.find(name).options)


@pytest.mark.parametrize("name", TRAINED)
def test_interrupted_and_resumed_equals_uninterrupted(name, world: World, monkeypatch):
    whole = world.run(name)
    assert whole["run"]["resumed"] is False
    steps = 6 if name != "joint" else 0
    for stop in (3, steps + 4, 2 * steps + 5):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_at(stop, patch)
            world.run(name)
        resumed = world.run(name)
        assert resumed["run"]["resumed"] is True
        assert canonical_json(resumed["result"]) == canonical_json(whole["result"])
        assert equal(weights(world.methods[0]), weights(world.methods[-1]))
        assert equal(world.methods[0].state(), world.methods[-1].state())


def test_gift_with_an_ensemble_goes_on_where_it_stopped(world: World, monkeypatch):
    options = {"method_options": {"ensemble": True, "snapshots": 3}}
    whole = world.run("gift", **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(9, patch)
        world.run("gift", **options)
    assert canonical_json(world.run("gift", **options)["result"]) == canonical_json(whole["result"])
    assert equal(weights(world.methods[0]), weights(world.methods[-1]))
    assert not equal(weights(world.methods[0]), (world.run("gift"), weights(world.methods[-1]))[1])


@pytest.mark.parametrize("name", LEARNING)
def test_seeds_decide(name, world: World):
    a, b, other = (world.run(name, seed=s)["result"] for s in (1, 1, 2))
    assert canonical_json(a) == canonical_json(b)
    if name != "rail":
        assert a["losses"] != other["losses"]
    assert not equal(*(m.state() if name == "rail" else weights(m) for m in world.methods[-2:]))


@pytest.mark.parametrize("name", LEARNING)
def test_training_changes_the_model_but_never_the_initial_weights_nor_the_temperature(name, world: World):
    world.run(name)
    method, fresh = world.methods[-1], tiny_clip().model.state_dict()
    own = {n: t for n, t in weights(method).items() if n in fresh}
    assert torch.equal(own["logit_scale"], fresh["logit_scale"])
    assert equal(own, fresh) == (name in ("moe-adapter", "rail")), "these two leave all of CLIP as it is"
    assert all(torch.equal(t, fresh[n]) for n, t in method.initial.items() if n in fresh)
    assert (name == "moe-adapter") == any(n not in fresh for n in method.initial)


class Watched(Task):
    """A task that reports who reads it."""

    def __getattribute__(self, key):
        if key in ("classes", "templates", "open_split", "train", "val", "test", "prompts"):
            Watch.look(object.__getattribute__(self, "name"), key)
        return super().__getattribute__(key)


class Watch:
    """While a task is fitted only that one may be read, and not its test split; predictions see test splits."""

    fitting: str | None = None
    predicting = False

    @classmethod
    def look(cls, name, key):
        if cls.predicting:
            assert key not in ("train", "val"), f"a prediction looked at {name}.{key}"
        elif cls.fitting:
            assert name == cls.fitting, f"while {cls.fitting} was learned, {name}.{key} was read"
            assert key not in ("val", "test"), f"training looked at {name}.{key}"


@pytest.fixture
def watch(monkeypatch, world: World):
    fit, evaluate = training.fit, training.evaluate_openly
    world.task_class = Watched

    def watched_fit(method, t, task, *args):
        Watch.fitting = task.name
        try:
            return fit(method, t, task, *args)
        finally:
            Watch.fitting = None

    def watched_evaluate(*args):
        Watch.predicting = True
        try:
            return evaluate(*args)
        finally:
            Watch.predicting = False

    monkeypatch.setattr(training, "fit", watched_fit)
    monkeypatch.setattr(training, "evaluate_openly", watched_evaluate)
    return world


@pytest.mark.parametrize("name", [n for n in LEARNING if n != "joint"])
def test_no_continual_method_sees_another_tasks_data_or_class_names_while_it_learns(name, watch: World):
    watch.run(name)


@pytest.mark.parametrize("name", LEARNING)
def test_with_a_known_task_no_other_tasks_names_are_looked_at(name, world: World, monkeypatch):
    """The evaluation knows all tasks; a method may use the names that a picture is to be classified among."""
    world.task_class = Watched
    world.run(name)
    method, tasks = world.methods[-1], world.tasks()
    method.evaluated = tuple(tasks)
    for task in tasks:
        monkeypatch.setattr(Watch, "fitting", None)
        x = task.test.images.batch(torch.arange(4))
        method.forget_classifiers()
        monkeypatch.setattr(Watch, "fitting", task.name)
        with torch.no_grad():
            assert method.predict(task, x).shape == (4, len(task.classes))


def test_joint_training_does(watch: World):
    with pytest.raises(AssertionError, match="was read"):
        watch.run("joint")


@pytest.mark.parametrize("name", LEARNING)
def test_rows_of_r(name, world: World):
    R = world.run(name)["result"]["R"]
    assert methods.find(name).form == {"joint": "joint", "upper-bound": "alone"}.get(name, "continual")
    assert [len(row) for row in R] == ([3] if name == "joint" else [3, 3, 3])


MINE = '''
"""Half-Finetune: a method in one file. It trains the image tower alone and shrinks its own steps."""

from gift_lib.methods.base import Batch, Method, Terms, register


@register("half", "Half-Finetune")
class Half(Method):
    """Continual Finetune of the image tower, at a share of the learning rate."""

    options = {"share": 0.5}

    def parameters(self):
        return {n: p for n, p in super().parameters().items() if n.startswith("visual.")}

    def learning_rate(self, task):
        return self.option["share"] * super().learning_rate(task)

    def loss(self, batch: Batch) -> Terms:
        return {"ce": self.cross_entropy(batch)}
'''


def test_a_method_of_ones_own_is_one_file(world: World, tmp_path):
    path = tmp_path / "half.py"
    path.write_text(textwrap.dedent(MINE))
    spec = importlib.util.spec_from_file_location("half", path)
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        assert methods.find("half").title == "Half-Finetune"
        record = world.run("half", method_options={"share": 0.25})
        assert len(record["result"]["R"]) == 3 and record["config"]["method_options"] == {"share": 0.25}
        own, fresh = weights(world.methods[-1]), tiny_clip().model.state_dict()
        assert torch.equal(own["token_embedding.weight"], fresh["token_embedding.weight"])
        assert not torch.equal(own["visual.proj"], fresh["visual.proj"])
        with pytest.raises(ConfigError, match="did you mean 'share'"):
            methods.check(tiny_experiment("half", method_options={"shar": 1.0}))
    finally:
        methods.METHODS.pop("half", None)
