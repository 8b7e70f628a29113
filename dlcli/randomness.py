"""Keyed randomness: every draw is a pure function of (seed, purpose, position), never of what was drawn before.

So a run that is killed and resumed at any step, or cut into other batches, sees the same numbers: there is no
generator state to save. Integers and uniforms are the same bits on every device; normals are equal to rounding.

Source of the idea: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (counter-based generators).
The integer mixer is SplitMix64's finaliser (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"), applied once per key part.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def key(*parts: int | str) -> int:
    """Returns a 63-bit key for ``parts``; any change in any part gives an unrelated key."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def permutation(seed: int, epoch: int, size: int) -> Tensor:
    """Returns the order of ``size`` examples in ``epoch``: int64 (size,), on the CPU."""
    generator = torch.Generator().manual_seed(key(seed, "order", epoch))
    return torch.randperm(size, generator=generator)


def seed_step(seed: int, purpose: str, step: int) -> None:
    """Seeds torch's global generators (dropout and the like) for one step; use inside :func:`borrowed_rng`."""
    value = key(seed, purpose, step)
    # torch.manual_seed does the same, and for each accelerator that is not in use formats a traceback (0.4 ms) and keeps it.
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(value)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(value)


@contextmanager
def borrowed_rng() -> Iterator[None]:
    """Gives torch's global generators (CPU and current CUDA devices) back as they were, also after an exception."""
    initialized = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = list(range(torch.cuda.device_count())) if initialized else []
    with torch.random.fork_rng(devices=devices):
        yield


def _signed(value: int) -> int:
    """The int64 with the bits of the unsigned ``value``."""
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def _shift_right(value: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64 (torch's own is arithmetic)."""
    return (value >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _mix(value: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64, element by element; multiplication wraps around."""
    value = value + _signed(_GOLDEN)
    value.bitwise_xor_(_shift_right(value, 30)).mul_(_signed(_MIX_1))
    value.bitwise_xor_(_shift_right(value, 27)).mul_(_signed(_MIX_2))
    return value.bitwise_xor_(_shift_right(value, 31))


@dataclass(frozen=True)
class SampleKeys:
    """Random numbers that belong to examples, whatever batch they are in.

    Args:
        seed: any integer.
        index: int64 (N,), the examples' positions in their split; on the device that the draws should be on.
    """

    seed: int
    index: Tensor

    def take(self, rows: Tensor) -> SampleKeys:
        """Returns the keys of the examples selected by ``rows`` (a boolean mask or int64 positions)."""
        return SampleKeys(self.seed, self.index[rows])

    def bits(self, purpose: str, step: int, shape: tuple[int, ...]) -> Tensor:
        """Returns uniform bits as int64 (N, *shape) for this purpose and step."""
        count = math.prod(shape)
        start = _mix(self.index.long() ^ key(self.seed, purpose, step))
        lanes = torch.arange(count, device=self.index.device, dtype=torch.int64) * _signed(_GOLDEN)
        return _mix(start[:, None] + lanes[None, :]).reshape(len(self.index), *shape)

    def uniform(self, purpose: str, step: int, shape: tuple[int, ...] = (), *, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Returns float32 (N, *shape) in [low, high), from the top 24 bits: the same on every device."""
        unit = _shift_right(self.bits(purpose, step, shape), 40).to(torch.float32).mul_(1.0 / (1 << 24))
        return unit.mul_(high - low).add_(low)

    def normal(self, purpose: str, step: int, shape: tuple[int, ...] = ()) -> Tensor:
        """Returns standard normal float32 (N, *shape) (Box and Muller 1958); equal across devices to rounding."""
        radius = torch.sqrt(-2.0 * torch.log1p(-self.uniform(purpose + "/radius", step, shape)))
        return radius * torch.cos(2.0 * math.pi * self.uniform(purpose + "/angle", step, shape))

    def integers(self, purpose: str, step: int, high: int, shape: tuple[int, ...] = (), *, low: int = 0) -> Tensor:
        """Returns int64 (N, *shape) in [low, high); the bias is below (high - low) / 2**32."""
        if not 0 < high - low <= 1 << 31:
            raise ValueError(f"expected 0 < high - low <= 2**31, got low={low}, high={high}")
        top = _shift_right(self.bits(purpose, step, shape), 32)
        return low + _shift_right(top * (high - low), 32)
