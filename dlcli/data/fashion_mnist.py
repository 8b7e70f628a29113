"""Fashion-MNIST: 70,000 pieces of clothing of 28 x 28 grey pixels, as many and as large as MNIST's digits, and harder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.fetchable import Published
from dlcli.data.idx_images import IdxFiles, read_idx_images, remotes
from dlcli.data.places import find
from dlcli.data.splits import bundle_of, check_val_size

FILES = IdxFiles(
    sha256={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }
)
SPEC = DataSpec(
    name="fashion_mnist",
    shape=(1, 28, 28),
    classes=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    # Over all pixels of the 60,000 train images, to four places.
    mean=(0.2860,),
    std=(0.3530,),
    # linf: Wong and Kolter 2018, "Provable defenses against adversarial examples", section 4. l2: there is no agreed
    # radius; half of MNIST's, since clothes differ in finer things than digits do.
    epsilon={"linf": 0.1, "l2": 1.0},
)


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(DataSource):
    """Clothing from Zalando's catalogue (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747); licence MIT.

    Val is a stratified part of the 60,000 published train images, train the rest, test the 10,000 published ones.
    ``index`` counts within each split.

    Args:
        root: folder that holds the four IDX files, plain or .gz, or has them in FashionMNIST/raw as torchvision leaves
            them; None means ``$DL_DATA/fashion_mnist``, then the user cache.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 59999].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    published: ClassVar[Published] = Published(
        name="fashion_mnist",
        files=remotes(
            (
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            ),
            sizes={
                "train-images-idx3-ubyte.gz": 26_421_880,
                "train-labels-idx1-ubyte.gz": 29_515,
                "t10k-images-idx3-ubyte.gz": 4_422_102,
                "t10k-labels-idx1-ubyte.gz": 5_148,
            },
            digests={
                "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
            files=FILES,
        ),
        terms="MIT",
        subfolders=("raw", "FashionMNIST/raw"),
    )

    root: str | None = None
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, FILES.train_size)

    def load(self) -> DataBundle:
        """Reads the four files and checks them against their sha256. Raises DataError or StorageError."""
        images = read_idx_images(FILES, lambda name: find(self.published, (name, f"{name}.gz"), root=self.root))
        return bundle_of(SPEC, images.train, images.test, val_size=self.val_size, split_seed=self.split_seed)
