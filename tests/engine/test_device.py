"""Where computation runs, and what is said when it cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.engine import device as devices
from dlcli.engine.device import (
    autocast,
    check_precision,
    choose_device,
    describe_device,
    has_fast_bf16,
    make_repeatable,
    memory_errors,
    place,
)
from dlcli.errors import ComputeError, UsageError

CPU = torch.device("cpu")


@pytest.mark.parametrize(("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_is_cuda_else_mps_else_the_cpu(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [("cpuu", "unknown device 'cpuu'; did you mean 'cpu'"), ("cuda:7", "not available"), ("meta", "not available")],
)
def test_a_device_that_is_not_there_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match=message):
        choose_device(name)


@pytest.mark.parametrize(("count", "text"), [(1, "cpu (1 thread)"), (2, "cpu (2 threads)")])
def test_the_number_of_threads_is_part_of_a_cpus_name(monkeypatch: pytest.MonkeyPatch, count: int, text: str) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert describe_device(CPU) == text


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(UsageError, match=r"trainer\.precision=fp16 needs a CUDA device, this is cpu"):
        check_precision("fp16", CPU)


def test_bf16_is_warned_of_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, warned in ((True, False), (False, True)):
        monkeypatch.setattr(devices, "has_fast_bf16", lambda _device, fast=fast: fast)
        assert (check_precision("bf16", CPU) is not None) == warned
    assert check_precision("fp32", CPU) is None


def test_a_cpu_without_avx512_has_no_bf16_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not has_fast_bf16(CPU)


def test_autocast_computes_in_bf16_only_where_asked() -> None:
    layer = nn.Linear(2, 2)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(precision, CPU):
            assert layer(torch.ones(1, 2)).dtype == dtype


def test_convolutions_lie_channels_last() -> None:
    model = place(nn.Conv2d(3, 4, 3), CPU)
    assert next(model.parameters()).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of GPU memory: training does not fit"),
        (MemoryError(), "out of memory: training does not fit"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), "out of memory: training does not fit"),
    ],
)
def test_running_out_of_memory_says_what_was_asked_and_what_would_fit(error: BaseException, message: str) -> None:
    with pytest.raises(ComputeError, match=message) as caught, memory_errors("training", "trainer.batch_size=16"):
        raise error
    assert (caught.value.code, caught.value.hint) == (70, "trainer.batch_size=16")


def test_a_tensor_larger_than_the_machine_is_told_like_that() -> None:
    with pytest.raises(ComputeError, match="out of memory: training"), memory_errors("training", "less"):
        torch.empty(1 << 55)


def test_another_runtime_error_goes_on_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors("training", "less"):
        raise RuntimeError("shapes do not fit")


def test_on_the_cpu_nothing_needs_to_be_changed_for_runs_to_repeat():
    make_repeatable(torch.device("cpu"))
    assert not torch.are_deterministic_algorithms_enabled()
