"""ImageNet: the 1,281,167 training and 50,000 validation photos of ILSVRC 2012, or any folder of that shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.folder import ImageFolder
from dlcli.data.places import folders_of
from dlcli.errors import UsageError

# Some classes of the thousand by their place among the sorted ids; where all fit, so do the names of the others.
_LANDMARKS: Mapping[int, str] = {
    0: "n01440764",
    134: "n02012849",
    281: "n02123045",
    398: "n02666196",
    517: "n03126707",
    657: "n03773504",
    723: "n03944341",
    848: "n04392985",
    963: "n07873807",
    977: "n09421951",
}


@dataclass(frozen=True, kw_only=True)
class ImageNet(DataSource):
    """ImageNet (Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge"); for research, not fetched.

    Laid out as torchvision and everybody else has it: ROOT/train/WNID/*.JPEG and ROOT/val/WNID/*.JPEG. The published
    validation photos are the test part, as in all papers; val is held back from train, for what selects must not test.
    With all thousand classes, their names and numbers are those of torchvision's weights; a folder with fewer, or with
    others, is read the same way and its classes are named by its folders.

    Images are decoded to ``size`` pixels, which is what networks are trained at here. Train sees the centred square, of
    which random-resized-crop augmentation takes its pieces; val and test see the central 0.875 of it, which is the
    usual "resize to 256, crop 224" (He et al. 2016, section 3.4). A larger ``size`` keeps more detail for the crops.
    The radii for attacks are those of the literature: 4/255 (linf), 3 (l2).

    Args:
        root: the folder; None means ``imagenet`` in $DL_DATA or in the user cache.
        size, split_seed, val_share, eval_crop, memory_limit, skip_unreadable, workers: as in
            :class:`dlcli.data.folder.ImageFolder`; 0.04 of train is about 50,000.

    Raises:
        ValueError: a value is out of range.
    """

    root: str | None = None
    size: int = 224
    split_seed: int = 0
    val_share: float = 0.04
    eval_crop: float = 0.875
    memory_limit: int = 1_000_000_000
    skip_unreadable: bool = False
    workers: int = 0

    def __post_init__(self) -> None:
        self._folder("")

    def load(self) -> DataBundle:
        """Lists, splits and, where they fit into memory, decodes the images.

        Raises:
            UsageError: no root is given and there is no ImageNet where it is looked for.
            DataError, StorageError: as in :class:`dlcli.data.folder.ImageFolder`.
        """
        bundle = self._folder(str(self._root())).load()
        classes = names_of(bundle.spec.classes)
        spec = replace(bundle.spec, name="imagenet", classes=classes, epsilon={"linf": 4 / 255, "l2": 3.0})
        return replace(bundle, spec=spec)

    def _folder(self, root: str) -> ImageFolder:
        return ImageFolder(
            root=root,
            size=self.size,
            split_seed=self.split_seed,
            val_share=self.val_share,
            eval_crop=self.eval_crop,
            memory_limit=self.memory_limit,
            skip_unreadable=self.skip_unreadable,
            workers=self.workers,
        )

    def _root(self) -> Path:
        folders = folders_of("imagenet", root=self.root)
        for folder in folders:
            if self.root is not None or folder.is_dir():
                return folder
        raise UsageError(
            f"there is no ImageNet in {' or '.join(map(str, folders))}; it can be had from image-net.org after signing up",
            hint="data.root=FOLDER, which holds train/WNID/*.JPEG and val/WNID/*.JPEG",
        )


def names_of(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Returns torchvision's class names where ``folders`` are the ids of the thousand classes, sorted; else ``folders``."""
    ids = len(folders) == 1000 and all(re.fullmatch(r"n\d{8}", name) for name in folders)
    if not ids or any(folders[number] != name for number, name in _LANDMARKS.items()):
        return folders
    # Seconds: only who has the thousand classes pays.
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    return tuple(_IMAGENET_CATEGORIES)
