"""Records: written whole, read with suspicion."""

import json

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


def edited(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(schema=0), "not a record of schema 1"),
        (lambda r: r["config"].update(seed=9), "does not agree with its own key"),
        (lambda r: r["config"].update(colour=9), "no setting 'colour'"),
        (lambda r: r["identity"].update(world="x"), "does not agree with its own key"),
        (lambda r: r["result"]["R"].pop(), "not complete"),
        (lambda r: r["result"]["R"][0].__setitem__(0, 120.0), "120"),
        (lambda r: r["result"]["tasks"].pop(), "does not agree"),
        (lambda r: r.pop("result"), "is broken"),
    ],
)
def test_a_changed_record_is_refused(tmp_path, change, message):
    path = results.write(record(experiment()), tmp_path)
    edited(path, change)
    with pytest.raises(DataError, match=message) as caught:
        results.read(path)
    assert str(path) in str(caught.value)


def test_a_truncated_record_is_refused(tmp_path):
    path = results.write(record(experiment()), tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read as JSON"):
        results.read_all(tmp_path)


def test_no_host_name_in_the_environment_block():
    import socket

    assert socket.gethostname() not in json.dumps(results.environment("cpu"))
