"""One image file → pixels, whatever it claims to be: what decides is its content, and what is wrong with it is one line.

The files are other people's. So only raster formats that Pillow reads by itself are opened (EPS, for one, would start
Ghostscript), the size is looked at before a pixel is decoded, and names go into messages without control characters.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from dlcli.errors import DataError, DlcliError, StorageError

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")
PIXEL_CAP = 178_956_970  # where Pillow calls an image a decompression bomb: 512 MiB of colour pixels
_ORIENTATION = 0x0112  # the EXIF tag; its values and what undoes them
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow warns of odd metadata and, at half the cap, of large photos; what matters is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image as a network gets it, and as it was.

    Args:
        pixels: uint8 (C, H, W), lying in memory as (H, W, C); :func:`decode` gives a square.
        width, height: of the file, in pixels, before its orientation is applied.
        mode: of the file, in Pillow's words: "RGB", "L" (grey), "P" (palette), "CMYK", "I;16" …
    """

    pixels: Tensor
    width: int
    height: int
    mode: str


def decode(path: str | os.PathLike[str], *, size: int, channels: int = 3, crop: float = 1.0) -> Decoded:
    """Reads an image file as a square of ``size`` pixels.

    The shorter side becomes ``size / crop`` pixels, and of the result the central square is kept: one bilinear, antialiased
    resize of that square. The orientation that a camera notes is applied; alpha is laid over white; a palette or CMYK
    becomes RGB; 16 bits become 8 by their high byte; of an animation the first frame counts. JPEGs are decoded at 1/2,
    1/4 or 1/8 where that leaves twice ``size`` or more, which is four times as fast on large photos and moves a pixel
    by about one level of 255 on average.

    Args:
        size: S, at least 1.
        channels: 3, or 1 for grey (ITU-R BT.601 luma).
        crop: share of the shorter side that is kept, in (0, 1]; 0.875 is the usual 224 of 256.

    Raises:
        DataError: no image, cut, damaged, too large, or of a kind with no agreed range (32-bit numbers); it names the file.
        StorageError: the file is missing or cannot be read.
    """
    with _opened(path) as image:
        width, height, mode = image.width, image.height, image.mode
        image.draft("L" if channels == 1 and mode in {"L", "RGB"} else None, (2 * size, 2 * size))
        square = _upright(image, shown(path), lambda whole: _square(whole, size, crop))
        values = np.array(_flat(square, "L" if channels == 1 else "RGB"))
    return Decoded(torch.from_numpy(values.reshape(size, size, channels)).permute(2, 0, 1), width, height, mode)


def decode_whole(path: str | os.PathLike[str], *, longest: int) -> Decoded:
    """Reads an image file in its own shape, shrunk where its longer side exceeds ``longest`` pixels; else as in :func:`decode`.

    Returns:
        Pixels uint8 (3, H, W).

    Raises:
        DataError, StorageError: as :func:`decode`.
    """
    with _opened(path) as image:
        width, height, mode = image.width, image.height, image.mode
        image.draft(None, (longest, longest))
        values = np.array(_flat(_upright(image, shown(path), lambda whole: _shrunk(whole, longest)), "RGB"))
    return Decoded(torch.from_numpy(values).permute(2, 0, 1), width, height, mode)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Lends the image of a file, whose size has been looked at and whose pixels have not; what goes wrong names the file."""
    name = shown(path)
    try:
        # Opening a pipe would wait for a writer that may never come.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise DataError(f"{name} is no plain file; expected an image")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > PIXEL_CAP:
                raise DataError(_too_large(name, image.width * image.height))
            yield image
    except (DlcliError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise DataError(_too_large(name, int(pixels[0]) if pixels else None)) from error
    except UnidentifiedImageError as error:
        raise DataError(_no_image(path, name)) from error
    except Exception as error:  # what a damaged file makes Pillow raise is an open set
        if isinstance(error, OSError) and error.errno is not None:
            raise StorageError(f"cannot read {name}: {error.strerror}", hint="check the path and its permissions") from error
        raise DataError(f"{name} is cut or damaged: {shown(str(error)) or type(error).__name__}") from error


def shown(name: str | os.PathLike[str]) -> str:
    r"""Returns a file's name for messages: what is not printable (controls, direction marks, broken encoding) as ``\x1b``."""
    text = os.fspath(name)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """The image as L, RGB or RGBA, which can be resized."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise DataError(f"{name} holds 32-bit numbers, which have no agreed range; expected 8 or 16 bits a pixel")
    wanted = "RGBA" if image.has_transparency_data else "L" if image.mode in {"1", "L"} else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _upright(image: Image.Image, name: str, resize: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The image resized, and then turned as the camera noted it."""
    image.load()
    turned = _TURNS.get(_orientation(image))
    resized = resize(_eight_bits(image, name))
    return resized if turned is None else resized.transpose(turned)


def _shrunk(image: Image.Image, longest: int) -> Image.Image:
    """The image with its longer side at most ``longest``."""
    share = longest / max(image.size)
    if share >= 1:
        return image
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BILINEAR)


def _square(image: Image.Image, size: int, crop: float) -> Image.Image:
    """The central square with ``crop`` of the shorter side, resized."""
    side = min(image.size) * crop
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The image in ``mode``, its alpha laid over white."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where there is none or its block is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken metadata are no reason to refuse the picture
        return 1


def _too_large(name: str, pixels: int | None) -> str:
    size = "too many" if pixels is None else f"{pixels:,}"
    return f"{name} has {size} pixels, which was not decoded; expected at most {PIXEL_CAP:,}"


def _no_image(path: str | os.PathLike[str], name: str) -> str:
    """What to say of a file that Pillow does not know."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(16)
    except OSError:
        start = b"?"
    if not start:
        return f"{name} is empty (0 bytes)"
    if start[4:8] == b"ftyp" and start[8:12] in {b"heic", b"heix", b"mif1", b"msf1"}:
        return f"{name} is a HEIC photo; expected JPEG or PNG: export it as one"
    return f"{name} is no image that can be read; expected JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF or PPM"
