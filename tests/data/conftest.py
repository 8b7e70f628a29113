"""Real photos to test with, pieces of the two that come with scikit-learn; and IDX files."""

from __future__ import annotations

import importlib.util
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image


@pytest.fixture(scope="session")
def phone() -> ModuleType:
    """The module ``phone.py`` beside this one: synthetic phone photos of handwriting."""
    spec = importlib.util.spec_from_file_location("phone", Path(__file__).with_name("phone.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["phone"] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def photos() -> dict[str, Image.Image]:
    """The two photos, 640 x 427: ``china`` (a palace) and ``flower``, both CC BY."""
    from sklearn.datasets import load_sample_image

    return {name: Image.fromarray(load_sample_image(f"{name}.jpg")) for name in ("china", "flower")}


@pytest.fixture(scope="session")
def photo_folder(photos) -> Callable[..., Path]:
    """``photo_folder(root, counts) → root``: JPEGs root/FOLDER/NNN.jpg, each another piece of a photo.

    ``counts`` maps a folder such as ``"palace"`` or ``"train/palace"`` to its number of images; what ends in ``flower``
    is cut from the flower, all else from the palace.
    """

    def make(root: Path, counts: dict[str, int], *, width: int = 96, height: int = 72, start: int = 0) -> Path:
        number = start
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            photo = photos["flower" if folder.endswith("flower") else "china"]
            for each in range(count):
                left, top = 7 * number % (640 - width), 5 * number % (427 - height)
                photo.crop((left, top, left + width, top + height)).save(root / folder / f"{each:03}.jpg", quality=90)
                number += 1
        return root

    return make


@pytest.fixture(scope="session")
def idx() -> Callable[[torch.Tensor], bytes]:
    """``idx(values) → content``: the IDX file that holds uint8 values."""

    def make(values: torch.Tensor) -> bytes:
        return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.numpy().tobytes()

    return make
