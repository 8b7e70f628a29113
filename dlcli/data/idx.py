"""Reader of IDX files, the format that MNIST and its relatives are published in.

Format (LeCun, Cortes and Burges, "The MNIST database"): two zero bytes, one for the type (8 is unsigned byte), one for
the number of dimensions, each dimension as a big-endian uint32, then the values in row-major order.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlcli.errors import DataError, StorageError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 8


def read_idx(path: Path, *, sha256: str | None, shape: tuple[int, ...] | None = None) -> Tensor:
    """Reads a whole IDX file of unsigned bytes, plain or gzip-compressed (told by content, not by name).

    Args:
        path: the file.
        sha256: expected digest of the decompressed file, 64 hexadecimal digits; None where it is not known.
        shape: expected shape, looked at where ``sha256`` is not known; None for any. What is longer is then not unpacked
            further than it takes to see that.

    Returns:
        The values, uint8, in the file's shape; writable memory of its own.

    Raises:
        StorageError: the file is missing or cannot be read.
        DataError: the file is cut, damaged, no such IDX file, or not the expected one.
    """
    # The digest says all where it is known.
    wanted = None if sha256 is not None else shape
    content = _read(path, limit=None if wanted is None else 4 + 4 * len(wanted) + math.prod(wanted) + 1)
    found, start = _header(content, path)
    if wanted is not None and found != wanted:
        raise DataError(f"{path} holds values of shape {found}, expected {wanted}", hint="fetch the file again")
    if len(content) != start + math.prod(found):
        raise DataError(
            f"{path} is damaged: {len(content)} bytes, expected {start + math.prod(found)} for shape {found}",
            hint="fetch the file again",
        )
    digest = hashlib.sha256(content).hexdigest() if sha256 is not None else None
    if digest != sha256:
        raise DataError(
            f"{path} is not the published file: sha256 of its decompressed content is {digest}, expected {sha256}",
            hint="fetch the file again",
        )
    # The copy makes the memory writable: torch warns of tensors over read-only buffers.
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=start).copy()).reshape(found)


def _read(path: Path, *, limit: int | None) -> bytes:
    """The file's content, decompressed where it is gzip; at most ``limit`` bytes of it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the path and its permissions") from error
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        if limit is None:
            return gzip.decompress(content)
        with gzip.open(path) as file:
            return file.read(limit)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is cut or damaged, expected a whole gzip file: {error}", hint="fetch the file again") from error


def _header(content: bytes, path: Path) -> tuple[tuple[int, ...], int]:
    """The shape, and the byte at which the values start."""
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or not dimensions or len(content) < start:
        raise DataError(
            f"{path} is no IDX file of unsigned bytes: it starts with '{content[:4].hex(' ')}', expected '00 00 08' and "
            f"the number of dimensions"
        )
    return tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=dimensions, offset=4)), start
