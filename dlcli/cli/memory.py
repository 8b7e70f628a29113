"""The C library's memory, kept by the process: activations of the same sizes are asked for anew in each step."""

from __future__ import annotations

import os

# glibc's malloc.h; the numbers are part of its binary interface.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT = 1 << 30  # bytes; free memory beyond it goes back to the system
_SAID = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
_HALF_A_HEAP = 32 << 20
_PAD = 64 << 20  # bytes asked of the system at a time


def keep_freed_memory() -> bool:
    """Lets this process use freed memory again instead of returning it to the system at each step; returns whether it does.

    By default glibc maps each large block from the system and unmaps it when freed, so that every step pays for the
    clearing of every page of its activations: a fifth of the time of training on a CPU. Nothing is changed where the C library
    is another one, or where a variable of its own says how memory shall be kept.
    """
    if os.name != "posix" or any(name in os.environ for name in _SAID):
        return False
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # neither macOS nor musl has it
    if mallopt is None:
        return False
    # Some versions refuse more than half a heap; to set the others alone would freeze the threshold where it is lowest.
    if not (mallopt(_M_MMAP_THRESHOLD, _KEPT) or mallopt(_M_MMAP_THRESHOLD, _HALF_A_HEAP)):
        return False
    return all([mallopt(_M_TRIM_THRESHOLD, _KEPT), mallopt(_M_TOP_PAD, _PAD)])
