"""The state file of an unfinished run."""

import pytest
import torch

from gift_lib import checkpoint
from gift_lib.errors import DataError, GiftError


def test_round_trip_with_shared_and_empty_tensors(tmp_path):
    w = torch.randn(3, 2)
    groups = {"start": {"w": w, "same": w}, "model": {"a/b": torch.empty(0), "scalar": torch.tensor(2.0)}}
    checkpoint.save(tmp_path / "s.safetensors", groups, {"step": 3, "R": [[1.5]]})
    back, meta = checkpoint.load(tmp_path / "s.safetensors")
    assert meta == {"step": 3, "R": [[1.5]]}
    for group, tensors in groups.items():
        for name, tensor in tensors.items():
            assert torch.equal(back[group][name], tensor)


def test_absent_is_none_and_broken_is_an_error(tmp_path):
    path = tmp_path / "s.safetensors"
    assert checkpoint.load(path) is None
    checkpoint.save(path, {"g": {"w": torch.ones(100)}}, {})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"is broken.*Delete it"):
        checkpoint.load(path)


def test_workplace_is_locked_and_removed_on_success_only(tmp_path):
    folder = tmp_path / "run"
    with checkpoint.workplace(folder), pytest.raises(GiftError, match="another process"), checkpoint.workplace(folder):
        pass
    assert not folder.exists()
    with pytest.raises(RuntimeError), checkpoint.workplace(folder):
        raise RuntimeError
    assert folder.exists()
