"""The Experiment: presets, digests, and one clear error per bad value."""

import pickle

import pytest

from gift_lib.config import COLAB, MINI, PAPER, Experiment, experiment, from_dict, wise_weight
from gift_lib.errors import ConfigError
from gift_lib.files import read_json
from gift_lib.results import Address
from gift_lib.runs.repository import ROOT
from gift_lib.world.settings import RUNS

BAD = [
    ({"guidence_scale": 3.0}, "guidance_scale"),
    ({"scale": "huge"}, "no scale"),
    ({"order": "III"}, "order cannot be"),
    ({"steps": 0}, "steps must be at least 1"),
    ({"steps": 2.5}, "type int"),
    ({"steps": True}, "type int"),
    ({"batch_size": -1}, "batch_size must be at least 1"),
    ({"lr": 0.0}, "lr must be more than zero"),
    ({"lr": float("nan")}, "finite"),
    ({"lr": "fast"}, "type float"),
    ({"lr_per_task": {"MNIST": -1.0}}, r"lr_per_task\[MNIST\]"),
    ({"lr_per_task": 3}, "must map names"),
    ({"alpha": -1.0}, "alpha must be zero or more"),
    ({"beta": -0.1}, "beta must be zero or more"),
    ({"consolidation_weight": -2.0}, "zero or more"),
    ({"temperature": 0.0}, "temperature must be more than zero"),
    ({"label_smoothing": 1.0}, "label_smoothing must be in"),
    ({"warmup": -0.1}, "warmup must be in"),
    ({"distillation": "constrastive"}, "did you mean 'contrastive'"),
    ({"consolidation": "ewc"}, "consolidation cannot be"),
    ({"prompt_source": "future"}, "prompt_source cannot be"),
    ({"scheduler": "ddpm"}, "scheduler cannot be"),
    ({"precision": "fp64"}, "precision cannot be"),
    ({"teacher": "next"}, "teacher cannot be"),
    ({"teacher": "wise(1.5)"}, "teacher cannot be"),
    ({"images_per_task": 20_000}, "prompt_draws must be at least images_per_task"),
    ({"prompt_template": "a photo"}, "a text with {c} in it"),
    ({"tasks": ("digits", "digits")}, "twice"),
    ({"seed": -1}, "seed must be zero or more"),
    ({"synthetic_seed": 0.5}, "synthetic_seed must be"),
    ({"method_options": [1]}, "must map names"),
    ({"lr": "1e-5"}, "lr must be of type float, not '1e-5'. YAML takes 1e-5 for text: write 1.0e-05"),
    ({"weight_decay": "2.5e-7"}, "write 2.5e-07"),
    ({"lr_per_task": {"digits": "5e-06"}}, r"lr_per_task\[digits\] must be a number .* write 5.0e-06"),
    ({"lr_per_task": {"digits": True}}, "a number more than zero, not True"),
    ({"lr_per_task": {1: 1e-3}}, "every name in lr_per_task must be text"),
    ({"method_options": {"weight": float("nan")}}, r"method_options\[weight\] must be"),
    ({"method_options": {"weight": [float("inf")]}}, "finite"),
    ({"method_options": {"weight": {1, 2}}}, "a finite number or a list"),
    ({"prompt_template": "{c} \ud800"}, "text that UTF-8 can write"),
    ({"method_options": {"route": "\ud800"}}, "text that UTF-8 can write"),
    ({"order": "digits,,terrain"}, "none between two commas"),
    ({"order": "digits, digits"}, "order names a task twice"),
    ({"self": 1}, "no setting 'self'"),
]


@pytest.mark.parametrize(("values", "message"), BAD, ids=[next(iter(v)) + str(i) for i, (v, _) in enumerate(BAD)])
def test_bad_value_gives_one_clear_error(values, message):
    with pytest.raises(ConfigError, match=message):
        experiment(**values)


def test_presets_name_their_own_scale_and_keep_the_published_values():
    assert [e.scale for e in (MINI, COLAB, PAPER)] == ["mini", "colab", "paper"]
    assert (PAPER.steps, PAPER.batch_size, PAPER.synthetic_batch_size) == (1000, 64, 64)
    assert (PAPER.alpha, PAPER.beta, PAPER.temperature, PAPER.label_smoothing) == (1.0, 0.25, 2.0, 0.2)
    assert PAPER.lr_of("Aircraft") == PAPER.lr_of("MNIST") == 5e-5
    assert PAPER.lr_of("DTD") == 1e-5
    for name in ("alpha", "beta", "temperature", "label_smoothing", "consolidation_weight", "weight_decay", "warmup"):
        first = experiment(**RUNS["1"])  # world 2 calibrates the weight of the penalty
        assert getattr(first, name) == getattr(PAPER, name), f"{name} must keep its published value at the mini scale"
        assert getattr(MINI, name) == getattr(first, name) or name == "consolidation_weight"


def test_digest_depends_on_every_field_and_on_nothing_else():
    base = experiment(seed=1)
    assert base.digest == from_dict(base.to_dict()).digest == pickle.loads(pickle.dumps(base)).digest
    changes = {"method": "zscl", "order": "II", "seed": 2, "lr": 1e-4, "awc_normalise": False, "teacher": "initial"}
    digests = {base.replace(**{k: v}).digest for k, v in changes.items()}
    assert len(digests | {base.digest}) == len(changes) + 1
    assert experiment(alpha=1).digest == experiment(alpha=1.0).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lr_per_task": {"digits": 1}}, {"lr_per_task": {"digits": 1.0}}),
        ({"method_options": {"weight": 1}}, {"method_options": {"weight": 1.0}}),
        ({"method_options": {"weight": [0.0, 2]}}, {"method_options": {"weight": (-0.0, 2.0)}}),
        ({"weight_decay": 0.0}, {"weight_decay": -0.0}),
        ({"beta": 0}, {"beta": -0.0}),
        ({"order": "digits,terrain"}, {"order": " digits , terrain"}),
        ({"teacher": "wise(0.5)"}, {"teacher": "wise(0.50)"}),
        ({"teacher": "wise(1)"}, {"teacher": "wise( 1.0 )"}),
    ],
)
def test_one_setting_has_one_digest(one, other):
    assert experiment(**one) == experiment(**other) and experiment(**one).digest == experiment(**other).digest


def test_settings_that_differ_have_two():
    assert experiment(method_options={"a": 1}).digest != experiment(method_options={"a": True}).digest
    assert experiment(method_options={"a": 0.5}).digest != experiment(method_options={"a": "0.5"}).digest


def test_no_record_of_the_book_changes_its_digest():
    """Its config, read back, gives the digest and the key that it was written with."""
    records = [read_json(p) for p in sorted((ROOT / "book" / "results").rglob("*-s*-*.json"))]
    assert len(records) > 300
    for record in records:
        e = from_dict(record["config"])
        assert e.to_dict() == record["config"] and e.digest == record["digest"]
        assert Address(e, record["identity"]).key == record["key"]


def test_an_experiment_cannot_change():
    e = experiment(lr_per_task={"digits": 1e-3})
    with pytest.raises(AttributeError):
        e.lr = 1.0
    with pytest.raises(TypeError):
        e.lr_per_task["digits"] = 1.0


def test_unknown_key_in_stored_config():
    with pytest.raises(ConfigError, match="no setting 'colour'"):
        from_dict({**Experiment().to_dict(), "colour": 1})


@pytest.mark.parametrize(("teacher", "weight"), [("last", 0.0), ("initial", 1.0), ("wise(0.2)", 0.2), ("wise(0)", 0.0)])
def test_teacher_names(teacher, weight):
    assert wise_weight(teacher) == weight


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tasks": None}, "tasks must be a list of names"), ({"tasks": 3}, "tasks must be a list of names"),
        ({"tasks": [[]]}, "tasks must be a list of names"), ({"tasks": [None]}, "tasks must be a list of names"),
        ({"tasks": {"digits": 1}}, "tasks must be a list of names"), ({"tasks": {"digits"}}, "tasks must be a list"),
        ({"tasks": [""]}, "tasks must be a list of names"), ({"tasks": b"digits"}, "tasks must be a list of names"),
        ({"lr": 10**400}, r"lr must be of type float, not 1000.*\.\.\."),
        ({"alpha": -(10**400)}, r"alpha must be of type float, not -1000.*\.\.\."),
        ({"beta": 10**9000}, "beta must be of type float, not a int of thousands of digits"),
        ({"lr_per_task": {"digits": 10**400}}, "lr_per_task.digits. must be "),
        ({"method_options": {"x": 10**9000}}, "method_options.x. must be"),
        ({"seed": -(10**9000)}, "seed must be zero or more"),
        ({"scale": []}, "there is no scale"), ({"scale": {}}, "there is no scale"), ({"scale": 10**9000}, "no scale"),
        ({"order": []}, "order must be of type str"), ({"teacher": None}, "teacher must be of type str"),
        ({"temperature": 1e300}, "temperature must be at most 1e"), ({"temperature": 10**30}, "temperature must be at"),
        ({"temperature": float("inf")}, "temperature must be a finite number"),
        ({"distillation": "x" * 10_000}, r"distillation cannot be 'xxx.*\.\.\."),
    ],
)  # fmt: skip
def test_odd_values_give_one_clear_short_error(values, message):
    with pytest.raises(ConfigError, match=message) as error:
        experiment(**values)
    assert len(str(error.value)) < 400


def test_the_largest_temperature_has_a_finite_square():
    assert experiment(temperature=1e18).temperature ** 2 < 3.4e38, "the largest number of 32 bits"


def test_a_record_of_the_time_of_one_world_keeps_its_digest():
    first, second = (experiment(world=w) for w in ("1", "2"))
    assert "world" not in first.to_dict() and second.to_dict()["world"] == "2" and first.digest != second.digest
    assert from_dict(first.to_dict()) == first and from_dict(second.to_dict()) == second
    with pytest.raises(ConfigError, match="real scales"):
        experiment("paper", world="2")
