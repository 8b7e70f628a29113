"""SVHN: 99,289 house numbers from street photos, cut to single digits of 32 x 32 colour pixels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.fetchable import Published, Remote, digest_of
from dlcli.data.places import find
from dlcli.data.splits import Labelled, bundle_of, check_val_size
from dlcli.errors import DataError, StorageError

TRAIN_SIZE, TEST_SIZE = 73_257, 26_032
SPEC = DataSpec(
    name="svhn",
    shape=(3, 32, 32),
    classes=tuple("0123456789"),
    mean=(),
    std=(),
    # Rice, Wong and Kolter 2020, "Overfitting in adversarially robust deep learning": 8/255 and 128/255.
    epsilon={"linf": 8 / 255, "l2": 0.5},
)
_HOME = "http://ufldl.stanford.edu/housenumbers/"


@dataclass(frozen=True, kw_only=True)
class SVHN(DataSource):
    """Street View House Numbers, cropped digits (Netzer et al. 2011, "Reading digits in natural images with unsupervised
    feature learning"); for non-commercial use. The set "extra" is left out.

    Val is a stratified part of the 73,257 published train images, train the rest, test the 26,032 published ones.
    ``index`` counts within each split. The digit 0, published as label 10, is class 0.

    Args:
        root: folder that holds train_32x32.mat and test_32x32.mat; None means ``$DL_DATA/svhn``, then the user cache.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 73256].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    published: ClassVar[Published] = Published(
        name="svhn",
        files=(
            Remote(
                name="train_32x32.mat",
                urls=(_HOME + "train_32x32.mat",),
                size=182_040_794,
                sha256="435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
                md5="e26dedcc434d2e4c54c9b2d4a06d8373",
            ),
            Remote(
                name="test_32x32.mat",
                urls=(_HOME + "test_32x32.mat",),
                size=64_275_384,
                sha256="cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
                md5="eb5a983be6a315427106f1b164d9cef3",
            ),
        ),
        terms="non-commercial use only",
    )

    root: str | None = None
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, TRAIN_SIZE)

    def load(self) -> DataBundle:
        """Reads the two files, checks sha256 and structure, and measures mean and std. Raises DataError or StorageError."""
        train, test = (
            read_mat(find(self.published, [file.name], root=self.root), sha256=file.digest, size=size)
            for file, size in zip(self.published.files, (TRAIN_SIZE, TEST_SIZE), strict=True)
        )
        return bundle_of(SPEC, train, test, val_size=self.val_size, split_seed=self.split_seed)


def read_mat(path: Path, *, sha256: str, size: int) -> Labelled:
    """Reads a MATLAB 5 file of cropped digits: X, uint8 (32, 32, 3, N), and y, (N, 1), 1 … 10, where 10 means 0.

    Args:
        sha256: expected digest of the file. It is checked first: scipy's reader can be crashed by a file made for that.
        size: expected N.

    Raises:
        DataError: it is not the expected file or not of this structure. StorageError: it cannot be read.
    """
    try:
        found = digest_of(path, like=sha256)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the path and its permissions") from error
    if found != sha256:
        raise DataError(
            f"{path} is not the published file: sha256 is {found}, expected {sha256}", hint="dl fetch svhn gets it again"
        )
    wanted = {"X": (32, 32, 3, size), "y": (size, 1)}
    content = _read_arrays(path, wanted)
    images, labels = content["X"], content["y"].reshape(-1)
    if images.dtype != np.uint8 or labels.dtype.kind not in "iu" or not 1 <= labels.min() <= labels.max() <= 10:
        said = f"X of {images.dtype} and y of {labels.dtype} from {labels.min()} to {labels.max()}"
        raise DataError(f"{path} holds {said}; expected X of uint8 and y of whole numbers from 1 to 10")
    # MATLAB stores columns first; one copy brings the pixels into the order of channels last.
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 0, 1, 2))).permute(0, 3, 1, 2)
    return Labelled(pixels, torch.from_numpy(labels.astype(np.int64) % 10))


def _read_arrays(path: Path, wanted: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """The arrays of the wanted shapes. Shapes are looked at before anything is unpacked."""
    # Loads scipy (about half a second): only who uses the set pays. The format holds numbers, and reading runs no code.
    from scipy.io import loadmat, whosmat  # type: ignore[import-untyped]
    from scipy.io.matlab import MatReadError  # type: ignore[import-untyped]

    # Beside its own error, scipy raises what it stumbles over in a damaged file.
    damage = (MatReadError, LookupError, ValueError, TypeError, ArithmeticError, NotImplementedError, EOFError, zlib.error)

    try:
        shapes = {name: tuple(shape) for name, shape, _ in whosmat(str(path), appendmat=False)}
        found = {name: shapes.get(name) for name in wanted}
        if found != wanted:
            said = ", ".join(f"{name} {shape}" for name, shape in found.items())
            raise DataError(f"{path} holds {said}; expected {', '.join(f'{name} {shape}' for name, shape in wanted.items())}")
        return {
            name: np.asarray(array) for name, array in loadmat(str(path), appendmat=False, variable_names=list(wanted)).items()
        }
    except (*damage, OSError, MemoryError) as error:
        raise DataError(f"{path} is no MATLAB 5 file that can be read, or it is damaged: {ascii(str(error))[1:-1]}") from error
