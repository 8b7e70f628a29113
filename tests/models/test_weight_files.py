"""Files of weights: what is read, and what is refused without running it."""

import io
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from dlcli.errors import DataError
from dlcli.models.weight_files import as_safetensors, tensors_of

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
BIG = {"a": torch.zeros(1_000_000)}


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
        (saved(WEIGHTS)[:-200], "is cut off: the table at its end is missing"),
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


def test_weights_are_found_under_any_key_of_a_training_file():
    found = tensors_of(
        saved({"epoch": 3, "loss": torch.tensor(0.5), "net_weights": WEIGHTS, "optim": {"state": {}}}), source="x.pt"
    )
    assert set(found) == set(WEIGHTS)


def test_several_sets_of_weights_are_named_and_none_is_chosen():
    with pytest.raises(DataError, match="several sets of weights: 'student', 'teacher'; expected one"):
        tensors_of(saved({"student": WEIGHTS, "teacher": WEIGHTS, "epoch": 1}), source="x.pth")


class Whole(torch.nn.Linear):
    """A module that is pickled whole."""


@pytest.mark.parametrize("content", [Whole(2, 2), {"model": Whole(2, 2)}])
@pytest.mark.parametrize("new", [True, False])
def test_a_whole_module_gets_the_advice_to_save_its_state_dict(content, new):
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=new)
    with pytest.raises(DataError, match=r"holds \S*test_weight_files.Whole, which is more than weights; nothing") as caught:
        tensors_of(buffer.getvalue(), source="x.pth")
    assert "torch.save(model.state_dict(), FILE)" in str(caught.value.hint)
    assert "weights_only" not in caught.value.message


def test_a_torchscript_program_gets_the_same_advice():
    buffer = io.BytesIO(saved(WEIGHTS))
    with zipfile.ZipFile(buffer, "a") as archive:  # PyTorch takes a file with this part for TorchScript
        archive.writestr(f"{archive.namelist()[0].partition('/')[0]}/constants.pkl", b"")
    with pytest.raises(DataError, match="is a TorchScript program") as caught:
        tensors_of(buffer.getvalue(), source="x.pt")
    assert "state_dict()" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [(torch.eye(3).to_sparse(), "'a', a sparse tensor"), (torch.empty(3, device="meta"), "'a', a tensor without values")],
)
def test_tensors_that_hold_no_dense_numbers_are_refused(tensor, said):
    with pytest.raises(DataError, match=said):
        tensors_of(saved({"a": tensor}), source="x.pth")


def test_a_file_that_unpacks_to_more_than_itself_is_refused_before_it_is_unpacked():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, zipfile.ZipFile(io.BytesIO(saved(BIG))) as own:
        for entry in own.infolist():
            archive.writestr(entry.filename, own.read(entry))
    with pytest.raises(DataError, match=r"unpacks to 4,\d{3},\d{3} bytes, more than its own"):
        tensors_of(buffer.getvalue(), source="x.pth")
    assert set(tensors_of(saved(BIG), source="x.pth")) == {"a"}
