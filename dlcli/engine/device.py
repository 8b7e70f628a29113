"""Where and how computation runs: device, precision, memory format."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager

import torch
from torch import nn

from dlcli.errors import ComputeError, UsageError, did_you_mean

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Returns the device for ``name``; ``auto`` is CUDA, else Apple's MPS, else the CPU. Raises UsageError."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        choices = ["auto", "cpu", "cuda", "mps"]
        raise UsageError(
            f"unknown device '{name}'{did_you_mean(name, choices)}", hint=f"--device {' | '.join(choices)}"
        ) from error
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise UsageError(f"device '{name}' is not available on this machine", hint="--device auto; dl doctor shows what there is")
    return device


def make_repeatable(device: torch.device) -> None:
    """Lets this process's sums on a GPU run in the same order each time, so that the same seed gives the same bits there, too.

    An operation that has no such order warns by its name. On the CPU nothing is changed: there it is so already.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is first used
        torch.backends.cudnn.deterministic = True
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time, serves debugging
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Its sums have no order only where windows overlap; our models pool such by themselves (dlcli.models.pooling).
        warnings.filterwarnings("ignore", message="adaptive_max_pool2d_backward_cuda")


def describe_device(device: torch.device) -> str:
    """Returns a device with its threads or its model, for people and for ``run.json``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        count = torch.get_num_threads()
        return f"cpu ({count} thread{'s' if count != 1 else ''})"
    return str(device)


def has_fast_bf16(device: torch.device) -> bool:
    """Returns whether bf16 is computed by hardware there; on other CPUs it is emulated and far slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    cpu = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else ""
    return cpu.startswith("AVX512") and torch.cpu._is_avx512_bf16_supported()


def check_precision(precision: str, device: torch.device) -> str | None:
    """Returns a warning for a precision that will be slow there, else None. Raises UsageError for fp16 without CUDA."""
    if precision == "fp16" and device.type != "cuda":
        raise UsageError(f"trainer.precision=fp16 needs a CUDA device, this is {device}", hint="trainer.precision=fp32")
    if precision == "bf16" and not has_fast_bf16(device):
        return f"{device} has no bf16 units: bf16 will be slower than fp32"
    return None


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Returns the context in which forward passes run."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """Moves a model to ``device`` with convolution weights in channels_last, which is faster on CPUs and GPUs alike."""
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def memory_errors(what: str, hint: str) -> Iterator[None]:
    """Turns running out of memory into one message: what was asked for, and what would fit.

    Args:
        what: the computation, for instance ``"training with batches of 65536"``.
        hint: what to type instead.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ComputeError(f"out of GPU memory: {what} does not fit", hint=hint) from error
    except MemoryError as error:
        raise ComputeError(f"out of memory: {what} does not fit", hint=hint) from error
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error) and "MPS backend out of memory" not in str(error):
            raise
        raise ComputeError(f"out of memory: {what} does not fit", hint=hint) from error
