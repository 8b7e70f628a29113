"""MNIST: 70,000 handwritten digits of 28 x 28 grey pixels; the four published files ship with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.handwriting import Handwriting
from dlcli.data.idx_images import IdxFiles, IdxImages, read_idx_images
from dlcli.data.places import look
from dlcli.data.splits import bundle_of, check_val_size
from dlcli.errors import StorageError

SHIPPED = Path(__file__).parent.parent / "assets" / "mnist"
TRAIN_SIZE = 60_000

# sha256 of the decompressed published files.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

SPEC = DataSpec(
    name="mnist",
    shape=(1, 28, 28),
    classes=tuple("0123456789"),
    # Over all pixels of the 60,000 train images, to four places: the constants of pytorch/examples/mnist.
    mean=(0.1307,),
    std=(0.3081,),
    # linf: Madry et al. 2018, "Towards deep learning models resistant to adversarial attacks", section 5.
    # l2: of the size at which an undefended digit classifier fails; there is no agreed radius.
    epsilon={"linf": 0.3, "l2": 2.0},
)


@dataclass(frozen=True, kw_only=True)
class MNIST(DataSource):
    """Handwritten digits (LeCun, Cortes and Burges 1998); licence CC BY-SA 3.0.

    Val is a stratified part of the 60,000 published train images, train the rest, test the 10,000 published ones.
    ``index`` counts within each split.

    Args:
        root: folder that holds the four IDX files, plain or .gz, or has them in MNIST/raw as torchvision leaves them;
            None means those that ship with dlcli.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 59999].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    ingest: ClassVar[Handwriting] = Handwriting()

    root: str | None = None
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, TRAIN_SIZE)

    def load(self) -> DataBundle:
        """Reads the four files and checks them against their sha256. Raises DataError or StorageError."""
        images = read_mnist(self.root)
        return bundle_of(SPEC, images.train, images.test, val_size=self.val_size, split_seed=self.split_seed)


def read_mnist(root: str | None) -> IdxImages:
    """Reads the published images and labels from ``root``, or those that ship with dlcli. Raises DataError or StorageError."""
    folder = SHIPPED if root is None else Path(root).expanduser()

    def find(name: str) -> Path:
        path = look([folder], [name, f"{name}.gz"], subfolders=("raw", "MNIST/raw"))
        if path is None:
            raise StorageError(
                f"no {name} or {name}.gz in {folder} or its MNIST/raw",
                hint="point data.root at the folder with the four MNIST files, or leave it out: they ship with dlcli",
            )
        return path

    return read_idx_images(IdxFiles(sha256=SHA256), find)
