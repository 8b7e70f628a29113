"""State into bytes and back, and that damaged bytes are refused, whichever they are."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.checkpoint import MANIFEST, Checkpoint, OptimizerState, load_optimizer, optimizer_state, pack, unpack, verify
from dlcli.classifier import Preprocessing
from dlcli.contracts import DataSpec
from dlcli.errors import DataError

SPEC = DataSpec(name="toy", shape=(1, 2, 2), classes=("no", "yes"), mean=(0.1,), std=(0.3,), epsilon={"linf": 0.1})


def checkpoint(**changes: Any) -> Checkpoint:
    small = Checkpoint(
        model={"w": torch.tensor([0.5, -1.0])},
        ema={"w": torch.tensor([0.25, -0.5])},
        optimizer={"w/momentum_buffer": torch.tensor([1.0, 2.0])},
        optimizer_numbers={"w/step": 3},
        spec=SPEC,
        preprocessing=Preprocessing.of(SPEC),
        node={"_target_": "dlcli.models.mlp.MLP"},
        progress={"step": 3, "loss_sum": 0.1 + 0.2},
    )
    return replace(small, **changes)


def resealed(files: dict[str, bytes], /, **changes: Any) -> dict[str, bytes]:
    """The files under a manifest that vouches for them: what an attacker, or a newer dlcli, could write."""
    entries = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items() if name != MANIFEST
    }
    manifest = {"schema": 1, "files": entries, **changes}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    sealed = {**manifest, "seal": hashlib.sha256(text.encode()).hexdigest()}
    return {**files, MANIFEST: (json.dumps(sealed, indent=1, sort_keys=True) + "\n").encode()}


def with_state(change: Callable[[dict[str, Any]], object]) -> dict[str, bytes]:
    files = pack(checkpoint())
    state = json.loads(files["state.json"])
    change(state)
    return resealed({**files, "state.json": json.dumps(state).encode()})


def test_what_was_packed_is_unpacked_bit_for_bit() -> None:
    before = checkpoint()
    after = unpack(pack(before), source="here")
    for name in ("model", "ema", "optimizer"):
        ours, theirs = getattr(before, name), getattr(after, name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert (after.spec, after.preprocessing, after.node) == (before.spec, before.preprocessing, before.node)
    assert (after.progress, after.optimizer_numbers) == (before.progress, before.optimizer_numbers)


def test_the_same_state_gives_the_same_bytes() -> None:
    assert pack(checkpoint()) == pack(checkpoint())


def test_the_resealed_files_of_these_tests_are_what_pack_writes() -> None:
    files = pack(checkpoint())
    assert resealed({name: data for name, data in files.items() if name != MANIFEST}) == files


def test_tensors_that_share_memory_or_are_not_contiguous_are_kept() -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    after = unpack(pack(checkpoint(model={"a": shared, "b": shared, "t": shared.t()})), source="here")
    assert torch.equal(after.model["a"], after.model["b"])
    assert torch.equal(after.model["t"], shared.t())


def test_later_verbs_use_the_averaged_weights_where_they_exist() -> None:
    assert torch.equal(checkpoint().weights["w"], torch.tensor([0.25, -0.5]))
    assert torch.equal(checkpoint(ema=None).weights["w"], torch.tensor([0.5, -1.0]))


def test_every_flipped_byte_of_every_file_is_refused() -> None:
    files = pack(checkpoint())
    assert set(files) == {"model.safetensors", "ema.safetensors", "optim.safetensors", "state.json", MANIFEST}
    passed = []
    for name, data in files.items():
        for position in range(len(data)):
            damaged = bytearray(data)
            damaged[position] ^= 1 << (position % 8)
            try:
                verify({**files, name: bytes(damaged)}, source="here")
            except DataError:
                continue
            passed.append((name, position))
    assert passed == []


@pytest.mark.full
def test_every_flipped_bit_of_the_json_files_is_refused() -> None:
    files = pack(checkpoint())
    for name in ("state.json", MANIFEST):
        for position in range(8 * len(files[name])):
            damaged = bytearray(files[name])
            damaged[position // 8] ^= 1 << (position % 8)
            with pytest.raises(DataError):
                unpack({**files, name: bytes(damaged)}, source="here")


@pytest.mark.parametrize("name", sorted(pack(checkpoint())))
def test_a_truncated_an_extended_and_a_missing_file_is_refused_and_named(name: str) -> None:
    files = pack(checkpoint())
    for length in {0, 1, len(files[name]) // 2, len(files[name]) - 1}:
        with pytest.raises(DataError, match=name):
            unpack({**files, name: files[name][:length]}, source="here")
    with pytest.raises(DataError, match=name):
        unpack({**files, name: files[name] + b"\n"}, source="here")
    with pytest.raises(DataError, match=name):
        unpack({other: data for other, data in files.items() if other != name}, source="here")


def test_a_file_that_the_manifest_does_not_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"evil\.py, which its manifest does not name"):
        unpack({**pack(checkpoint()), "evil.py": b"pass"}, source="here")


@pytest.mark.parametrize("name", sorted(pack(checkpoint())))
def test_a_file_swapped_in_from_another_checkpoint_is_refused(name: str) -> None:
    other = {"w": torch.tensor([9.0, 9.0])}
    files = pack(checkpoint(model=other, ema=other, optimizer={"w/momentum_buffer": other["w"]}, progress={"step": 4}))
    with pytest.raises(DataError):
        unpack({**pack(checkpoint()), name: files[name]}, source="here")


def test_a_newer_schema_is_refused_with_what_to_do_about_it() -> None:
    newer = [with_state(lambda state: state.update(schema=2)), resealed(pack(checkpoint()), schema=2)]
    for files in newer:
        with pytest.raises(DataError, match="has schema 2, this dlcli reads schema 1") as caught:
            unpack(files, source="here")
        assert caught.value.hint is not None
        assert "newer" in caught.value.hint


class _Canary:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_under_a_safetensors_name_is_refused_and_not_executed(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save(_Canary(canary), tmp_path / "saved")
    for evil in (pickle.dumps(_Canary(canary)), (tmp_path / "saved").read_bytes()):
        with pytest.raises(DataError, match="not a safetensors file"):
            unpack(resealed({**pack(checkpoint()), "model.safetensors": evil}), source="here")
    assert not canary.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("spec"),
        lambda state: state.pop("progress"),
        lambda state: state.update(model=None),
        lambda state: state.update(optimizer=3),
        lambda state: state["spec"].update(shape=[]),
        lambda state: state["spec"].update(shape=[1, -2, 2]),
        lambda state: state["spec"].update(mean=[0.1, 0.2]),
        lambda state: state["spec"].update(std=[0.0]),
        lambda state: state["spec"].update(epsilon=[]),
        lambda state: state["preprocessing"].update(mean=[float("nan")]),
        lambda state: state["preprocessing"].update(shape=["x"]),
        lambda state: state["preprocessing"].update(shape=[float("inf"), 2, 2]),
    ],
)
def test_a_state_that_contradicts_itself_is_a_data_error(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(DataError, match=r"state\.json lacks or garbles"):
        unpack(with_state(change), source="here")


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"nul", b"[" * 100_000, b'{"seal": "x", "files": NaN}', b'{"seal": "x"}'])
def test_a_manifest_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(DataError, match=MANIFEST):
        unpack({**pack(checkpoint()), MANIFEST: text}, source="here")


@pytest.mark.parametrize("entries", [None, [], {"model.safetensors": 3}, {"model.safetensors": {"size": 1}}, {}])
def test_a_sealed_manifest_without_proper_entries_is_refused(entries: Any) -> None:
    with pytest.raises(DataError):
        unpack(resealed(pack(checkpoint()), files=entries), source="here")


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda named: torch.optim.SGD(named, lr=0.1),
    "momentum": lambda named: torch.optim.SGD(named, lr=0.1, momentum=0.9),
    "adamw": lambda named: torch.optim.AdamW(named, lr=0.1),
    "amsgrad": lambda named: torch.optim.Adam(named, lr=0.1, amsgrad=True),
    "rmsprop": lambda named: torch.optim.RMSprop(named, lr=0.1, momentum=0.5, centered=True),
    "adagrad": lambda named: torch.optim.Adagrad(named, lr=0.1),
    "adafactor": lambda named: torch.optim.Adafactor(named, lr=0.1),
}


def trained(
    make: Callable[[Any], torch.optim.Optimizer], steps: int, start: tuple[nn.Module, OptimizerState] | None = None
) -> Any:
    """A small conv net in channels_last after some steps on fixed data, and its optimizer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 3)).to(memory_format=torch.channels_last)
    optimizer = make(model.named_parameters())
    if start is not None:
        model.load_state_dict({name: value.contiguous() for name, value in start[0].state_dict().items()})
        load_optimizer(optimizer, start[1], source="here")
    images = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), torch.arange(8) % 3).backward()
        optimizer.step()
    return model, optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_restored_optimizer_goes_on_bit_for_bit(name: str) -> None:
    whole, _ = trained(OPTIMIZERS[name], 5)
    half, optimizer = trained(OPTIMIZERS[name], 2)
    state = optimizer_state(optimizer)
    packed = pack(checkpoint(optimizer=state.tensors, optimizer_numbers=state.numbers))
    back = unpack(packed, source="here")
    rest, _ = trained(OPTIMIZERS[name], 3, start=(half, OptimizerState(back.optimizer or {}, back.optimizer_numbers)))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(whole.parameters(), rest.parameters(), strict=True))


def test_restored_state_lies_in_memory_as_its_parameter_does() -> None:
    half, optimizer = trained(OPTIMIZERS["momentum"], 2)
    state = unpack(pack(checkpoint(optimizer=optimizer_state(optimizer).tensors, optimizer_numbers={})), source="here").optimizer
    _, restored = trained(OPTIMIZERS["momentum"], 0, start=(half, OptimizerState(state or {})))
    weight = restored.param_groups[0]["params"][0]
    assert restored.state[weight]["momentum_buffer"].stride() == weight.stride()
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_loading_an_optimizer_copies_so_that_training_does_not_change_the_checkpoint() -> None:
    half, optimizer = trained(OPTIMIZERS["momentum"], 1)
    state = OptimizerState({key: value.clone() for key, value in optimizer_state(optimizer).tensors.items()})
    before = {key: value.clone() for key, value in state.tensors.items()}
    trained(OPTIMIZERS["momentum"], 2, start=(half, state))
    assert all(torch.equal(before[key], state.tensors[key]) for key in before)


class Counting(torch.optim.SGD):
    """Keeps a plain number, a fraction and a None beside its tensors, as older optimizers do."""

    def step(self, closure: Any = None) -> None:
        super().step()
        for group in self.param_groups:
            for parameter in group["params"]:
                own = self.state[parameter]
                own.update(step=own.get("step", 0) + 1, trust=0.1, previous=None)


def test_numbers_and_none_come_back_as_what_they_were() -> None:
    _, optimizer = trained(lambda named: Counting(named, lr=0.1), 2)
    state = optimizer_state(optimizer)
    assert state.numbers["0.weight/step"] == 2
    _, restored = trained(lambda named: Counting(named, lr=0.1), 0)
    load_optimizer(restored, OptimizerState(state.tensors, json.loads(json.dumps(state.numbers))), source="here")
    own = restored.state[restored.param_groups[0]["params"][0]]
    assert (own["step"], own["trust"], own["previous"]) == (2, 0.1, None)


def test_state_that_is_no_tensor_and_no_number_is_refused_before_it_is_lost() -> None:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
    optimizer.state[model.weight]["history"] = [torch.zeros(1)]
    with pytest.raises(ValueError, match="SGD keeps a list as 'history'"):
        optimizer_state(optimizer)


def test_an_optimizer_without_names_is_refused() -> None:
    with pytest.raises(ValueError, match="named parameters"):
        optimizer_state(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))


def test_the_state_of_other_parameters_is_refused() -> None:
    _, optimizer = trained(OPTIMIZERS["momentum"], 0)
    stray: dict[str, Tensor] = {"head.weight/momentum_buffer": torch.zeros(1)}
    with pytest.raises(DataError, match=r"here: the optimizer's state names 'head\.weight'"):
        load_optimizer(optimizer, OptimizerState(stray), source="here")


def test_a_published_preprocessing_comes_back_and_an_ordinary_one_takes_no_more_bytes_than_before() -> None:
    own = Preprocessing((1, 2, 2), (0.1,), (0.3,), resize=3, interpolation="bicubic")
    assert unpack(pack(checkpoint(preprocessing=own)), source="here").preprocessing == own
    assert set(json.loads(pack(checkpoint())["state.json"])["preprocessing"]) == {"shape", "mean", "std"}


@pytest.mark.parametrize("change", [{"interpolation": "nearest"}, {"resize": 1}, {"resize": "x"}])
def test_an_impossible_preprocessing_in_a_checkpoint_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="lacks or garbles"):
        unpack(with_state(lambda state: state["preprocessing"].update(change)), source="here")
