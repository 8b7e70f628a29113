"""Rows of images with titles and captions as one PNG.

Drawn with Pillow: importing matplotlib would take longer than attacking or explaining the images that are shown.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from dlcli.report.text import safe

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

_SIDE, _LARGEST = 144, 256  # pixels: small images are enlarged by a whole number up to one, large ones shrunk to the other
_GAP, _MARGIN, _LEADING = 10, 8, 4  # pixels between cells, around the sheet, and between lines of text
_TITLE_SIZE, _CAPTION_SIZE = 15, 13
_INK, _FRAME = "#222222", "#bbbbbb"


def image_rows(rows: Sequence[Tensor], row_titles: Sequence[str], column_captions: Sequence[str]) -> bytes:
    """Returns rows of images as PNG, such as clean, noise and adversarial, or images and their heat maps.

    Args:
        rows: uint8 (N, H, W, 3) each, the same shape in all.
        row_titles: one for each row, at its left.
        column_captions: N, above the columns; a line break starts a new line. What is too long for its cell is cut.

    Raises:
        ValueError: numbers of rows, titles, images and captions do not fit.
    """
    return _png(_sheet(rows, row_titles, column_captions))


def captioned_rows(rows: Sequence[Tensor], row_titles: Sequence[str], captions: Sequence[Sequence[str]]) -> bytes:
    """Returns rows of images, each image with a caption of its own, as PNG.

    Args:
        rows: uint8 (N, H, W, 3) each; the numbers of images may differ.
        row_titles: one for each row, at its left.
        captions: for each row one for each of its images.

    Raises:
        ValueError: numbers of rows, titles, images and captions do not fit.
    """
    if not len(rows) == len(row_titles) == len(captions):
        raise ValueError(f"expected a title and captions for each of {len(rows)} rows")
    return _stacked([_sheet([images], [title], own) for images, title, own in zip(rows, row_titles, captions, strict=True)])


def image_blocks(rows: Sequence[Tensor], row_titles: Sequence[str], captions: Sequence[str], *, columns: int) -> bytes:
    """Returns what :func:`image_rows` returns, broken into blocks of so many ``columns``, one below the other."""
    parts = [slice(start, start + columns) for start in range(0, len(captions), columns)]
    return _stacked([_sheet([images[part] for images in rows], row_titles, captions[part]) for part in parts])


def _stacked(sheets: Sequence[Image]) -> bytes:
    from PIL import Image

    whole = Image.new("RGB", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return _png(whole)


def _sheet(rows: Sequence[Tensor], row_titles: Sequence[str], column_captions: Sequence[str]) -> Image:
    """Draws :func:`image_rows`."""
    from PIL import Image, ImageDraw

    columns = len(column_captions)
    if not rows or not columns or len(rows) != len(row_titles) or any(len(images) != columns for images in rows):
        raise ValueError(
            f"expected a title for each row and a caption for each column, got {len(row_titles)} titles, {columns} captions"
            f" and rows of {[len(images) for images in rows]} images"
        )
    cells = [[_cell(image) for image in images] for images in rows]
    width, height = cells[0][0].size
    captions = [[_fitted(line, _CAPTION_SIZE, width) for line in caption.split("\n")] for caption in column_captions]
    left = _MARGIN + _TITLE_SIZE + _GAP
    line_height = _CAPTION_SIZE + _LEADING
    top = _MARGIN + line_height * max(map(len, captions))
    size = (left + columns * (width + _GAP) - _GAP + _MARGIN, top + len(rows) * (height + _GAP) - _GAP + _MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(captions):
        middle = left + column * (width + _GAP) + width // 2
        for number, line in enumerate(reversed(lines)):
            place = (middle, top - _LEADING - number * line_height)
            draw.text(place, line, fill=_INK, font=_font(_CAPTION_SIZE), anchor="md")
    for row, (images, title) in enumerate(zip(cells, row_titles, strict=True)):
        y = top + row * (height + _GAP)
        sheet.paste(_upright(title, height), (_MARGIN, y))
        for column, image in enumerate(images):
            x = left + column * (width + _GAP)
            sheet.paste(image, (x, y))
            draw.rectangle((x - 1, y - 1, x + width, y + height), outline=_FRAME)
    return sheet


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _cell(image: Tensor) -> Image:
    """An image, uint8 (H, W, 3), at the size that it is shown in; enlarged without smoothing, so each pixel can be seen."""
    from PIL import Image

    picture = Image.fromarray(image.cpu().contiguous().numpy())
    scale = max(_SIDE // max(picture.size), 1)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    picture.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    return picture


def _upright(title: str, height: int) -> Image:
    """A title that reads from bottom to top, in the middle of a strip of ``height`` pixels."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (height, _TITLE_SIZE + _LEADING), "white")
    text = _fitted(title, _TITLE_SIZE, height)
    ImageDraw.Draw(strip).text((height // 2, _TITLE_SIZE), text, fill=_INK, font=_font(_TITLE_SIZE), anchor="ms")
    return strip.transpose(Image.Transpose.ROTATE_90)


def _fitted(text: str, size: int, width: int) -> str:
    """Foreign text on one line, cut with an ellipsis to ``width`` pixels."""
    shown, font = safe(text)[:200], _font(size)
    if font.getlength(shown) <= width:
        return shown
    while shown and font.getlength(shown + "…") > width:
        shown = shown[:-1]
    return shown + "…"


@cache
def _font(size: int) -> FreeTypeFont:
    """DejaVu Sans, which matplotlib ships and its figures use; found without importing it."""
    from PIL import ImageFont

    package = importlib.util.find_spec("matplotlib")
    assert package is not None and package.origin is not None
    return ImageFont.truetype(str(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
