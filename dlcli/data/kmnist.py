"""Kuzushiji-MNIST: 70,000 cursive Japanese characters of 28 x 28 grey pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.fetchable import Published
from dlcli.data.idx_images import IdxFiles, read_idx_images, remotes
from dlcli.data.places import find
from dlcli.data.splits import bundle_of, check_val_size

_PACKED = {
    "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
}
FILES = IdxFiles(packed=_PACKED)
SPEC = DataSpec(
    name="kmnist",
    shape=(1, 28, 28),
    # The ten rows of the modern hiragana table, by their first character.
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    mean=(),
    std=(),
    # No radii are published for this set: those of MNIST, whose strokes and size it shares.
    epsilon={"linf": 0.3, "l2": 2.0},
)


@dataclass(frozen=True, kw_only=True)
class KMNIST(DataSource):
    """Kuzushiji-MNIST (Clanuwat et al. 2018, "Deep learning for classical Japanese literature"); licence CC BY-SA 4.0.

    Val is a stratified part of the 60,000 published train images, train the rest, test the 10,000 published ones.
    ``index`` counts within each split. The published .gz files are known by their sha256; plain files, of which no
    digest is published, are checked by their structure (sizes and labels), and the bundle notes it.

    Args:
        root: folder that holds the four IDX files, .gz or plain, or has them in KMNIST/raw as torchvision leaves them;
            None means ``$DL_DATA/kmnist``, then the user cache.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 59999].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    published: ClassVar[Published] = Published(
        name="kmnist",
        files=remotes(
            ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            sizes={
                "train-images-idx3-ubyte.gz": 18_165_135,
                "train-labels-idx1-ubyte.gz": 29_497,
                "t10k-images-idx3-ubyte.gz": 3_041_136,
                "t10k-labels-idx1-ubyte.gz": 5_120,
            },
            digests=_PACKED,
            files=FILES,
        ),
        terms="CC BY-SA 4.0",
        subfolders=("raw", "KMNIST/raw"),
    )

    root: str | None = None
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, FILES.train_size)

    def load(self) -> DataBundle:
        """Reads and checks the four files; mean and std are measured. Raises DataError or StorageError."""
        # The published .gz first: they are the ones that can be known again.
        images = read_idx_images(FILES, lambda name: find(self.published, (f"{name}.gz", name), root=self.root))
        return bundle_of(SPEC, images.train, images.test, val_size=self.val_size, split_seed=self.split_seed, notes=images.notes)
