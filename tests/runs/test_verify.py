"""Records run again: equal, different, missing, and those that cannot be run here."""

import copy
from functools import partial

import pytest
from fixtures_records import record

from gift_lib import results
from gift_lib.config import NUMERICS_VERSION, experiment
from gift_lib.errors import DataError
from gift_lib.runs import batch, verify


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four records: two current ones, one of another world, one whose weights are not here."""

    def identity(e):
        if e.pipeline == "mini-early":
            raise DataError("the early state is not here. Make it.")
        return results.identity("world", "clip", "pipeline")

    monkeypatch.setattr(batch, "identity", identity)
    folder = tmp_path / "records"
    for e in (experiment(), experiment(method="finetune"), experiment(pipeline="mini-early")):
        results.write(record(e), folder)
    results.write(record(experiment(seed=1), world="older"), folder)
    return folder


def test_only_what_could_be_run_again_is_current(folder):
    records, others = verify.current(folder)
    assert sorted(r["config"]["method"] for r in records) == ["finetune", "gift"]
    assert sorted(others.values()) == [1, 1] and any("early state is not here" in reason for reason in others)


def again(change, monkeypatch):
    """A stand-in for a run: the same record, of which GIFT's is changed."""

    def run(e, runtime):
        made = copy.deepcopy(record(e))
        if e.method == "gift":
            change(made)
        return made

    monkeypatch.setattr(verify, "run", run)


@pytest.mark.parametrize(
    ("change", "wrong", "said"),
    [
        (lambda r: r["run"].update(seconds=99.0), 0, "equal"),
        (lambda r: r["result"]["R"][0].__setitem__(0, 1.0), 1, "DIFFERS in R"),
        (lambda r: r["result"].update(synthetic=["x"]), 1, "DIFFERS in synthetic"),
    ],
)
def test_a_record_is_compared_in_its_result_alone(folder, monkeypatch, capsys, change, wrong, said):
    again(change, monkeypatch)
    assert verify.main(["--sample", "9", "--results", str(folder)]) == wrong
    out = capsys.readouterr().out
    assert said in out and "2 current records" in out and "1 left out: the early state is not here" in out


def test_the_same_seed_draws_the_same_sample(folder, monkeypatch, capsys):
    again(lambda r: None, monkeypatch)
    draw = partial(verify.main, ["--sample", "1", "--seed", "5", "--results", str(folder)])
    assert draw() == draw() == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("equal")]
    assert len(lines) == 2 and len(set(lines)) == 1


def test_two_folders_compared(folder, tmp_path, capsys):
    other = tmp_path / "other"
    results.write(record(experiment()), other)
    assert verify.main(["--results", str(folder), "--against", str(other)]) == 1
    out = capsys.readouterr().out
    assert "missing" in out and "equal" in out
    assert "not made again: its numerics, weights or world" in out, "seed 1 has a record of an older world alone"
    only = ["--results", str(folder), "--against", str(other), "--name", "ablation-consolidation"]
    assert verify.main(only) == 1
    for place in (folder, other):
        results.write(record(experiment(seed=1)), place)
    assert verify.main(only) == 0, "now it has a current one"
    assert verify.compare(folder, other) == 1, "fine-tuning is missing, in another sweep"
    results.write(record(experiment(method="finetune")), other)
    assert verify.compare(folder, other) == 0


def test_records_of_older_numerics_are_made_anew_where_the_current_one_is_there(folder, tmp_path, capsys):
    e, other = experiment(method="l2"), tmp_path / "other"
    for old in (e, experiment(pipeline="mini-early")):
        results.write(record(old, numerics=NUMERICS_VERSION - 1), folder)
    for made in (experiment(), experiment(method="finetune")):
        results.write(record(made), other)
    verify.main(["--results", str(folder), "--against", str(other)])
    assert any("l2" in line and "not made again" in line for line in capsys.readouterr().out.splitlines())
    results.write(record(e), other)
    verify.main(["--results", str(folder), "--against", str(other)])
    assert any("l2" in line and "made anew as l2-I-s0-" in line for line in capsys.readouterr().out.splitlines())


def test_records_just_made_are_compared_or_kept(folder, tmp_path, capsys):
    made = tmp_path / "made"
    changed = record(experiment(method="finetune"))
    changed["result"]["R"][0][0] = 1.0
    changed = results.sealed(changed)
    for r in (record(experiment()), changed, record(experiment(seed=7)), record(experiment(seed=8), world="older")):
        results.write(r, made)
    kept = tmp_path / "committed"
    for r in verify.current(folder)[0]:
        results.write(r, kept)
    assert verify.main(["--results", str(kept), "--adopt", str(made)]) == 0
    lines = {line.split("-I-")[0] + line.split("-s")[1][0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["gift0"].endswith("made again: equal")
    assert lines["finetune0"].endswith("made again: differs in R (the same kind of CPU)")
    assert "new: kept as" in lines["gift7"] and len(lines) == 3
    assert sorted(r["config"]["seed"] for r in results.read_all(kept)) == [0, 0, 7]


@pytest.mark.parametrize("option", ["--results", "--adopt", "--against"])
def test_a_folder_that_is_not_there_is_no_success(folder, tmp_path, capsys, option):
    words = ["--results", str(folder)] if option != "--results" else []
    assert verify.main([*words, option, str(tmp_path / "nowhere")]) == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in capsys.readouterr().err


def test_nothing_to_verify_is_no_success(folder, tmp_path, monkeypatch, capsys):
    """A folder without records, one whose records are not current, and a sweep of which there is none."""
    (tmp_path / "empty").mkdir()
    assert verify.main(["--results", str(tmp_path / "empty")]) == 2
    assert "nothing to verify" in capsys.readouterr().err
    old = tmp_path / "old"
    results.write(record(experiment(), numerics=NUMERICS_VERSION - 1), old)
    assert verify.main(["--results", str(old)]) == 2
    assert f"1 made with another version of the numerics than {NUMERICS_VERSION}" in capsys.readouterr().err
    assert verify.main(["--results", str(folder), "--adopt", str(old)]) == 2
    assert verify.main(["--results", str(folder), "--against", str(old), "--name", "own-template"]) == 2
    assert "holds no record of 'own-template'" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["-1", "0", "some"])
def test_a_sample_of_none_is_refused(capsys, number):
    with pytest.raises(SystemExit, match="2"):
        verify.main(["--sample", number])
    assert "argument --sample" in capsys.readouterr().err


def test_a_record_beyond_the_sweeps_is_no_part_of_what_is_reproduced(folder, tmp_path, capsys):
    """Somebody added a seed to a table: a batch of the sweeps' own seeds cannot make it again."""
    results.write(record(experiment(seed=40)), folder)
    other = tmp_path / "other"
    for e in (experiment(), experiment(method="finetune"), experiment(seed=1)):
        results.write(record(e), other)
    results.write(record(experiment(seed=1)), folder)
    assert verify.compare(folder, other) == 0
    assert "1 left out: of no sweep or of seeds beyond its own" in capsys.readouterr().out


def test_a_run_is_verified_from_its_first_step(folder, tmp_path, monkeypatch):
    """What an unfinished run left is removed; with `--fresh` nothing in the cache is used."""
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "cache"))
    seen = []
    again(lambda r: None, monkeypatch)
    made = verify.run

    def run(e, runtime):
        seen.append(runtime.cache)
        assert not verify.state_of(record(e)["key"], runtime).exists()
        return made(e, runtime)

    monkeypatch.setattr(verify, "run", run)
    for r in verify.current(folder)[0]:
        left = verify.state_of(r["key"]) / "state.safetensors"
        left.parent.mkdir(parents=True)
        left.touch()
    assert verify.main(["--sample", "9", "--fresh", "--results", str(folder)]) == 0
    assert len(set(seen)) == 1 and seen[0] != tmp_path / "cache" and not seen[0].exists()
    assert list((tmp_path / "cache").rglob("state.safetensors"))
    assert verify.main(["--sample", "9", "--results", str(folder)]) == 0
    assert seen[-1] == tmp_path / "cache"
