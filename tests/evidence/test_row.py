"""A method outside the package: loaded by its path, run, and put beside the committed rows."""

import textwrap

import pytest
from fixtures_records import record

from gift_lib import methods, training
from gift_lib.config import experiment
from gift_lib.errors import ConfigError, DataError
from gift_lib.evidence import row
from gift_lib.methods.outside import load_file, source_digest
from gift_lib.runs import side_by_side
from gift_lib.world.settings import RUNS

SOURCE = """
    from gift_lib.methods.base import Method, register

    @register("{name}", "Lazy")
    class Lazy(Method):
        trains = False
"""


@pytest.fixture
def written(tmp_path):
    """Write a file with a method; the names are forgotten afterwards."""
    before = set(methods.METHODS)

    def write(name="lazy", source=SOURCE):
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(source).format(name=name), encoding="utf-8")
        return path

    yield write
    for name in set(methods.METHODS) - before:
        del methods.METHODS[name]


def test_a_file_is_loaded_once_and_names_its_method(written):
    path = written()
    assert load_file(path) == load_file(str(path)) == "lazy"
    assert methods.find("lazy").title == "Lazy"


@pytest.mark.parametrize(
    ("name", "source", "error", "message"),
    [
        ("none", "x = 1", ConfigError, "registers none"),
        ("two", SOURCE + SOURCE.replace("{name}", "further"), ConfigError, "registers two, further"),
        ("gift", SOURCE, ConfigError, "'gift' is taken"),
        ("broken", "import no_such_module", DataError, "cannot be run.*no_such_module"),
        ("wrong", "def f(:", DataError, "cannot be run.*SyntaxError"),
    ],
)
def test_a_file_that_is_no_method_gives_one_clear_error(written, name, source, error, message):
    path = written(name, source)
    for _ in range(2):  # a failed import leaves nothing behind
        with pytest.raises(error, match=message):
            load_file(path)
    assert methods.find("gift").__module__ == "gift_lib.methods.gift"


def test_what_is_no_python_file_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("text")
    for path, message in ((tmp_path / "mine.txt", "no Python file"), (tmp_path, "no file"), ("no.py", "no file")):
        with pytest.raises(DataError, match=message):
            load_file(path)


def test_an_edited_method_has_other_runs(written):
    e = experiment(method=load_file(written()))
    first = training.identity_of(e)
    del methods.METHODS["lazy"]
    load_file(written(source=SOURCE + "    # edited\n"))
    assert first["method"] != training.identity_of(e)["method"] == source_digest("lazy")
    assert "method" not in training.identity_of(experiment(method="finetune")), "the library's own keep their keys"


@pytest.mark.parametrize("name", [n for n, cls in methods.METHODS.items() if "mini" in cls.presets])
def test_a_preset_that_changes_makes_other_runs(name, monkeypatch):
    e, cls = experiment(method=name), methods.find(name)
    before, elsewhere = training.identity_of(e), cls.presets
    monkeypatch.setattr(cls, "presets", {**elsewhere, "mini": {**elsewhere["mini"], "lr": 0.123}})
    assert training.identity_of(e)["method"] != before["method"]
    monkeypatch.setattr(cls, "presets", {**elsewhere, "colab": {"lr": 0.123}})
    assert training.identity_of(e) == before, "another scale's preset is not this run's"


@pytest.mark.parametrize("name", ["gift", "gnsp", "rail"])
def test_a_method_that_computes_something_else_has_other_runs(name, monkeypatch):
    e, cls = experiment(method=name), methods.find(name)
    before = training.identity_of(e)
    monkeypatch.setattr(cls, "revision", cls.revision + 1)
    assert training.identity_of(e).get("method") not in (None, before.get("method"))


def test_a_row_has_a_run_for_each_seed(written, tmp_path, capsys, monkeypatch):
    made = []

    def run(e, runtime, folder):
        made.append((e.method, e.order, e.seed, folder))
        return record(e)

    monkeypatch.setattr(side_by_side, "run", run)
    folder = tmp_path / "rows"
    assert row.main([str(written()), "--seeds", "0,3", "--jobs", "1", "--results", str(folder)]) == 0
    assert made == [("lazy", "I", 0, folder), ("lazy", "I", 3, folder)]
    out = capsys.readouterr().out
    assert "lazy: 2 runs of order I" in out and "| 0 |" in out and "| 3 |" in out and "Lazy" in out


@pytest.mark.slow
def test_a_row_runs_in_processes_and_is_not_run_twice(written, tmp_path, capsys):
    told = [str(written()), "--seeds", "0,1", "--jobs", "2", "--results", str(tmp_path / "rows")]
    assert row.main(told) == 0 and "Lazy" in capsys.readouterr().out
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "rows").rglob("*.json")}
    assert len(stamps) == 2 and row.main(told) == 0
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "rows").rglob("*.json")}


@pytest.mark.parametrize("kind", ["as the committed ones", "another"])
def test_rows_of_two_kinds_of_machine_never_share_a_table(monkeypatch, kind):
    committed = [record(experiment(method="gift", seed=s)) for s in range(2)]
    elsewhere = record(experiment(**RUNS["2"], method="gift"))  # another world's are not in the table
    committed.append({**elsewhere, "run": {**elsewhere["run"], "cpu_capability": "A THIRD"}})
    own = [record(experiment(method="finetune", seed=s)) for s in range(2)]
    if kind == "another":
        own = [{**r, "run": {**r["run"], "cpu_capability": "ANOTHER"}} for r in own]
    monkeypatch.setattr(row.batch, "standing_records", lambda folder: committed)
    text = row.table(own, "I")
    assert ("GIFT |" in text or "| GIFT" in text) == (kind != "another")
    assert ("round differently" in text) == (kind == "another") and "Continual Finetune" in text


@pytest.mark.parametrize(
    ("told", "message"),
    [(["--order", "III"], "order I and II"), (["--jobs", "0"], "--jobs 0"), (["--seeds", "x"], "seeds cannot be 'x'")],
)
def test_wrong_settings_are_refused_before_any_run(written, capsys, told, message):
    assert row.main([str(written()), *told]) == 2
    assert message in capsys.readouterr().err
