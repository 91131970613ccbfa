"""Records: written whole, read with suspicion."""

import json
import shutil

import pytest
from fixtures_records import record

from gift_lib import results
from gift_lib.config import experiment
from gift_lib.errors import DataError


def test_round_trip_and_frame(tmp_path):
    made = [record(experiment(method=m, seed=s)) for m in ("gift", "joint") for s in (0, 1)]
    paths = [results.write(r, tmp_path) for r in made]
    assert len(set(paths)) == 4
    assert all(p.parent.name == "mini" for p in paths)
    frame = results.load_frame(tmp_path)
    assert list(frame["method"]) == ["gift", "gift", "joint", "joint"]
    assert frame.loc[2, ["Transfer", "Avg"]].isna().all(), "joint training has a Last only"
    assert frame.loc[0, "record"] in made


def test_find_knows_config_world_weights_and_numerics(tmp_path):
    e = experiment(seed=3)
    r = record(e)
    results.write(r, tmp_path)
    assert results.Address(e, r["identity"]).find(tmp_path) == r
    assert results.Address(e.replace(seed=4), r["identity"]).find(tmp_path) is None
    for part in ("world", "clip", "pipeline", "numerics"):
        assert results.Address(e, {**r["identity"], part: "another"}).find(tmp_path) is None


def edited(path, change, seal=False):
    """Change a record's file, as an editor would; with `seal` as somebody would who knows of seals."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(results.sealed(content) if seal else content))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["result"]["R"][-1].__setitem__(slice(None), [100.0] * 4),
        lambda r: r["result"]["R"][0].__setitem__(0, r["result"]["R"][0][0] + 1e-4),
        lambda r: r["result"]["zero_shot"].reverse() or r["result"]["zero_shot"].__setitem__(0, 51.0),
        lambda r: r["result"]["losses"].update(a={"ce": [1.0]}),
        lambda r: r["result"]["losses"].update(a={"ce": [float("nan")]}),
        lambda r: r["result"]["synthetic"].append("0123456789abcdef"),
        lambda r: r["run"].update(seconds=0.1),
        lambda r: r["run"].update(cpu_capability="AVX512"),
        lambda r: r.update(note="checked by hand"),
        lambda r: r.update(seal=results.sealed({**r, "key": "x"})["seal"]),
        lambda r: r.update(seal=None),
    ],
)
def test_a_record_that_says_something_else_than_it_did_is_refused(tmp_path, change):
    path = results.write(record(experiment()), tmp_path)
    edited(path, change)
    with pytest.raises(DataError, match=r"changed after it was written .* run its experiment again") as caught:
        results.load_frame(tmp_path)
    assert str(path) in str(caught.value)


def test_a_seal_outlives_another_layout_of_the_file(tmp_path):
    path = results.write(record(experiment(beta=1e-05, lr_per_task={"a": 0.1})), tmp_path)
    edited(path, lambda r: None)
    assert results.read(path) == record(experiment(beta=1e-05, lr_per_task={"a": 0.1}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(schema=0), "not a record of schema 1"),
        (lambda r: r["config"].update(seed=9), "does not agree with its own key"),
        (lambda r: r.update(digest="0" * 16), "does not agree with its own key"),
        (lambda r: r["config"].update(colour=9), "no setting 'colour'"),
        (lambda r: r["identity"].update(world="x"), "does not agree with its own key"),
        (lambda r: r["result"]["R"].pop(), "not complete"),
        (lambda r: r["result"]["R"][0].__setitem__(0, 120.0), "120"),
        (lambda r: r["result"]["tasks"].pop(), "does not agree"),
        (lambda r: r.update(result=[]), "is broken"),
        (lambda r: r.update(identity="x"), "is broken"),
        (lambda r: r.pop("result"), "is broken"),
    ],
)
def test_a_sealed_record_that_makes_no_sense_is_refused(tmp_path, change, message):
    path = results.write(record(experiment()), tmp_path)
    edited(path, change, seal=True)
    with pytest.raises(DataError, match=message) as caught:
        results.read(path)
    assert str(path) in str(caught.value)


def address(e):
    return results.Address(e, record(e)["identity"])


def test_a_record_is_found_under_its_own_name_only(tmp_path):
    """A copy under the name of another run is not that run, and a second copy does not count as a second run."""
    e, other = experiment(seed=1), experiment(seed=2)
    path = results.write(record(e), tmp_path)
    taken = address(other).path(tmp_path)
    for name in (taken, path.with_stem(f"{path.stem} (1)"), path.with_stem(path.stem.replace("s1", "s3"))):
        shutil.copy(path, name)
        with pytest.raises(DataError, match=rf"record of another run: call it {path.name}, or delete it") as caught:
            address(other).find(tmp_path) if name == taken else results.read_all(tmp_path)
        assert str(name) in str(caught.value)
        name.unlink()
    again = tmp_path / "kept" / path.name
    again.parent.mkdir()
    shutil.copy(path, again)
    with pytest.raises(DataError, match=rf"{again} and .* one record, which would count twice: delete"):
        results.load_frame(tmp_path)


def test_a_record_from_before_seals_says_how_to_seal_it(tmp_path):
    path = results.write(record(experiment()), tmp_path)
    edited(path, lambda r: r.pop("seal"))
    with pytest.raises(results.Unsealed, match=rf"python -m gift_lib.runs.seal {path.parent}.* changes no number"):
        results.read_all(tmp_path)


def test_a_truncated_record_is_refused(tmp_path):
    path = results.write(record(experiment()), tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read as JSON"):
        results.read_all(tmp_path)


def test_no_host_name_in_the_environment_block():
    import socket

    assert socket.gethostname() not in json.dumps(results.environment("cpu"))
