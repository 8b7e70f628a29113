"""Files of weights: what is read, and what is refused without running it."""

import io
from pathlib import Path

import pytest
import safetensors.torch
import torch

from dlcli.errors import DataError
from dlcli.models.weight_files import as_safetensors, tensors_of

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


class Evil:
    """Its pickle would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"state_dict": w, "epoch": 3}, lambda w: {"model": w}])
def test_a_state_dict_is_read_alone_and_inside_a_training_file(wrap):
    found = tensors_of(saved(wrap(WEIGHTS)), source="x.pth")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {n: t.tolist() for n, t in WEIGHTS.items()}


def test_a_safetensors_file_is_read_and_written_also_where_tensors_share_memory():
    shared = torch.ones(3)
    data = as_safetensors({"a": shared, "b": shared})
    assert set(safetensors.torch.load(data)) == set(tensors_of(data, source="x.safetensors")) == {"a", "b"}


def test_a_malicious_file_is_refused_and_nothing_of_it_runs(tmp_path):
    goal = tmp_path / "created"
    with pytest.raises(DataError, match="nothing of it was run"):
        tensors_of(saved({"a": Evil(goal)}), source="x.pth")
    assert not goal.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is damaged"),
        (b"not a pickle", "is damaged"),
        (saved(WEIGHTS)[:-200], "is damaged"),
        (saved([1, 2]), "holds list, expected weights by name"),
        (saved({}), "holds dict, expected weights by name"),
        (saved({"a": 1}), "holds 'a', a int, among its weights"),
    ],
)
def test_what_is_no_file_of_weights_is_refused_in_one_line(data, said):
    with pytest.raises(DataError, match=said) as caught:
        tensors_of(data, source="x.pth")
    assert "\n" not in caught.value.message


def test_a_damaged_safetensors_file_is_refused():
    with pytest.raises(DataError, match="is not a safetensors file"):
        tensors_of(as_safetensors(WEIGHTS)[:20], source="x.safetensors")
