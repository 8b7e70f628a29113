"""CIFAR-10 and CIFAR-100: 60,000 colour photos of 32 x 32 pixels, in the binary version that needs no pickle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.cifar_files import Files, read_cifar
from dlcli.data.fetchable import Published, Remote
from dlcli.data.splits import bundle_of, check_val_size

_HOME = "https://www.cs.toronto.edu/~kriz/"
TRAIN_SIZE = 50_000
# linf: Croce et al. 2021, "RobustBench", which has both sets at this radius. l2: the same for CIFAR-10, and for CIFAR-100 Rice,
# Wong and Kolter 2020, "Overfitting in adversarially robust deep learning" (128/255).
EPSILON = {"linf": 8 / 255, "l2": 0.5}


_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""
CIFAR10_FILES = Files(
    folder="cifar-10-batches-bin",
    archive="cifar-10-binary.tar.gz",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    sha256={
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
    records=(10_000, 10_000),
    labels=1,
    pickled=("cifar-10-python.tar.gz", "cifar-10-batches-py/batches.meta", "batches.meta"),
)
CIFAR100_FILES = Files(
    folder="cifar-100-binary",
    archive="cifar-100-binary.tar.gz",
    train=("train.bin",),
    test=("test.bin",),
    # As another package checks them (torchvision for Ruby, whose sums of CIFAR-10 are the ones above); not measured here.
    sha256={
        "train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
        "test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    },
    records=(50_000, 10_000),
    labels=2,
    pickled=("cifar-100-python.tar.gz", "cifar-100-python/meta", "meta"),
)
CIFAR10_SPEC = DataSpec(
    name="cifar10",
    shape=(3, 32, 32),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    # Over all pixels of the 50,000 train images, to four places.
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    epsilon=EPSILON,
)
CIFAR100_SPEC = DataSpec(
    name="cifar100",
    shape=(3, 32, 32),
    classes=tuple(_CLASSES.split()),
    mean=(),
    std=(),
    epsilon=EPSILON,
)


@dataclass(frozen=True, kw_only=True)
class CIFAR10(DataSource):
    """CIFAR-10 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"); no licence is stated.

    Val is a stratified part of the 50,000 published train images, train the rest, test the 10,000 published ones.
    ``index`` counts within each split.

    Args:
        root: folder that holds cifar-10-batches-bin or its six files, or cifar-10-binary.tar.gz, which is read as it is, in
            2 s instead of half a second; None means ``$DL_DATA/cifar10``, then the user cache.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 49999].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    published: ClassVar[Published] = Published(
        name="cifar10",
        files=(
            Remote(
                name=CIFAR10_FILES.archive,
                urls=(_HOME + CIFAR10_FILES.archive,),
                size=170_052_171,
                sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                md5="c32a1d4ab5d03f1284b67883e8d87530",
                contents=CIFAR10_FILES.contents,
            ),
        ),
        terms="none stated",
    )

    root: str | None = None
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, TRAIN_SIZE)

    def load(self) -> DataBundle:
        """Reads the six files and checks them against their sha256. Raises DataError or StorageError."""
        train, test = read_cifar(CIFAR10_FILES, self.published, root=self.root)
        return bundle_of(CIFAR10_SPEC, train, test, val_size=self.val_size, split_seed=self.split_seed)


@dataclass(frozen=True, kw_only=True)
class CIFAR100(DataSource):
    """CIFAR-100 (Krizhevsky 2009): as CIFAR-10, with 100 classes of 600 images; the fine labels. No licence is stated.

    Val is a stratified part of the 50,000 published train images, train the rest, test the 10,000 published ones.
    ``index`` counts within each split.

    Args:
        root: folder that holds cifar-100-binary or its files train.bin and test.bin, or cifar-100-binary.tar.gz, which is
            read as it is, in 2 s instead of half a second; None means ``$DL_DATA/cifar100``, then the user cache.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 49999].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    published: ClassVar[Published] = Published(
        name="cifar100",
        files=(
            Remote(
                name=CIFAR100_FILES.archive,
                urls=(_HOME + CIFAR100_FILES.archive,),
                size=168_513_733,
                sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                md5="03b5dce01913d631647c71ecec9e9cb8",
                contents=CIFAR100_FILES.contents,
            ),
        ),
        terms="none stated",
    )

    root: str | None = None
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, TRAIN_SIZE)

    def load(self) -> DataBundle:
        """Reads and checks the two files; mean and std are measured. Raises DataError or StorageError."""
        train, test = read_cifar(CIFAR100_FILES, self.published, root=self.root)
        return bundle_of(CIFAR100_SPEC, train, test, val_size=self.val_size, split_seed=self.split_seed)
