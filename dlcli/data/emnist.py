"""EMNIST: handwritten digits and letters of 28 x 28 grey pixels, made as MNIST was and several times as many."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.fetchable import Published, Remote
from dlcli.data.idx_images import IdxFiles, read_idx_images
from dlcli.data.places import find
from dlcli.data.splits import bundle_of, check_val_size

# MD5 of the .gz files inside the published archive.
_PACKED = {
    "emnist-balanced-train-images-idx3-ubyte.gz": "4041b0d6f15785d3fa35263901b5496b",
    "emnist-balanced-train-labels-idx1-ubyte.gz": "7a35cc7b2b7ee7671eddf028570fbd20",
    "emnist-balanced-test-images-idx3-ubyte.gz": "6818d20fe2ce1880476f747bbc80b22b",
    "emnist-balanced-test-labels-idx1-ubyte.gz": "acd3694070dcbf620e36670519d4b32f",
    "emnist-letters-train-images-idx3-ubyte.gz": "8795078f199c478165fe18db82625747",
    "emnist-letters-train-labels-idx1-ubyte.gz": "c16de4f1848ddcdddd39ab65d2a7be52",
    "emnist-letters-test-images-idx3-ubyte.gz": "382093a19703f68edac6d01b8dfdfcad",
    "emnist-letters-test-labels-idx1-ubyte.gz": "d4108920cd86601ec7689a97f2de7f59",
    "emnist-digits-train-images-idx3-ubyte.gz": "d2662ecdc47895a6bbfce25de9e9a677",
    "emnist-digits-train-labels-idx1-ubyte.gz": "2223fcfee618ac9c89ef20b6e48bcf9e",
    "emnist-digits-test-images-idx3-ubyte.gz": "a159b8b3bd6ab4ed4793c1cb71a2f5cc",
    "emnist-digits-test-labels-idx1-ubyte.gz": "8afde66ea51d865689083ba6bb779fac",
}


def _files(split: str, train_size: int, test_size: int, *, first_label: int = 0) -> IdxFiles:
    def names(part: str) -> tuple[str, str]:
        return f"emnist-{split}-{part}-images-idx3-ubyte", f"emnist-{split}-{part}-labels-idx1-ubyte"

    return IdxFiles(
        train=names("train"),
        test=names("test"),
        train_size=train_size,
        test_size=test_size,
        packed=_PACKED,
        first_label=first_label,
        transposed=True,
    )


FILES: Mapping[str, IdxFiles] = {
    "balanced": _files("balanced", 112_800, 18_800),
    "letters": _files("letters", 124_800, 20_800, first_label=1),
    "digits": _files("digits", 240_000, 40_000),
}
CLASSES: Mapping[str, str] = {
    # Cohen et al., section II: of the letters whose two forms look alike (c, i, j, k, l, m, o, p, s, u, v, w, x, y, z), both
    # forms are in the class of the capital.
    "balanced": string.digits + string.ascii_uppercase + "abdefghnqrt",
    # Capitals and small letters together.
    "letters": string.ascii_lowercase,
    "digits": string.digits,
}
# No radii are published for this set: those of MNIST, whose strokes and size it shares.
SPEC = DataSpec(name="emnist", shape=(1, 28, 28), classes=(), mean=(), std=(), epsilon={"linf": 0.3, "l2": 2.0})


@dataclass(frozen=True, kw_only=True)
class EMNIST(DataSource):
    """Extended MNIST (Cohen, Afshar, Tapson and van Schaik 2017, arXiv 1702.05373), from NIST's Special Database 19.

    Val is a stratified part of the published train images, train the rest, test as published. ``index`` counts within
    each split. The published images lie on their side, mirrored; here they are upright. The published .gz files are known
    by their MD5; plain files, of which no digest is published, are checked by their structure (sizes and labels), and the
    bundle notes it.

    Args:
        root: folder that holds the IDX files, .gz or plain, or has them in gzip or EMNIST/raw; None means
            ``$DL_DATA/emnist``, then the user cache.
        split: "balanced" (47 classes, 112,800 train and 18,800 test images), "letters" (26; 124,800 and 20,800) or
            "digits" (10; 240,000 and 40,000).
        split_seed: chooses which images are val.
        val_size: how many images are val, at least 1 and less than there are for training.

    Raises:
        ValueError: ``split`` is none of these or ``val_size`` out of range.
    """

    published: ClassVar[Published] = Published(
        name="emnist",
        files=(
            Remote(
                name="gzip.zip",
                urls=(
                    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
                    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
                ),
                size=561_753_746,
                sha256="fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
                md5="58c8d27c78d21e728a6bc7b3cc06412e",
                contents={f"gzip/{name}": digest for name, digest in _PACKED.items()},
            ),
        ),
        terms="none stated",
        subfolders=("gzip", "raw", "EMNIST/raw", "EMNIST/raw/gzip"),
    )

    root: str | None = None
    split: Literal["balanced", "letters", "digits"] = "balanced"
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        if self.split not in FILES:
            raise ValueError(f"split must be one of {', '.join(FILES)}, got {self.split!r}")
        check_val_size(self.val_size, FILES[self.split].train_size)

    def load(self) -> DataBundle:
        """Reads and checks the four files of the split; mean and std are measured. Raises DataError or StorageError."""
        images = read_idx_images(FILES[self.split], self._find)
        spec = replace(SPEC, name=f"emnist_{self.split}", classes=tuple(CLASSES[self.split]))
        return bundle_of(spec, images.train, images.test, val_size=self.val_size, split_seed=self.split_seed, notes=images.notes)

    def _find(self, name: str) -> Path:
        return find(self.published, (f"{name}.gz", name), root=self.root)
