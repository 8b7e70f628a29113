"""Pictures made fit to be embedded: checked, stripped of metadata, no wider than a page and no heavier than it can carry."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass

_WIDEST = 1600  # pixels: twice the width of the page's column
_HEAVY = 300_000  # bytes as PNG, above which a JPEG is tried
_MOST_PIXELS = 40_000_000
_QUALITY = 85


@dataclass(frozen=True)
class Embedded:
    """A picture as bytes of ``media`` ("image/png" or "image/jpeg"), with its size in pixels."""

    data: bytes
    media: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address, which needs no request."""
        return f"data:{self.media};base64,{base64.b64encode(self.data).decode()}"


def embed(data: bytes) -> Embedded:
    """Returns a PNG re-encoded for a page: at most 1600 pixels wide, metadata gone, as JPEG where it would be heavy.

    Raises:
        ValueError: it is no PNG, damaged, or of more than 40 million pixels.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise ValueError(f"it has {opened.width} x {opened.height} pixels, more than {_MOST_PIXELS:,}")
                opened.seek(0)
                picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ValueError(f"it is no PNG that can be read ({type(error).__name__})") from error
    if picture.mode == "RGBA":  # shown on white, in the dark too: axes and letters are black
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        picture = ground
    if picture.width > _WIDEST:
        size = (_WIDEST, max(1, round(picture.height * _WIDEST / picture.width)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    encoded, media = _encoded(picture, "PNG", optimize=picture.width * picture.height < 2_000_000), "image/png"
    if len(encoded) > _HEAVY:
        lossy = _encoded(picture, "JPEG", quality=_QUALITY)
        if len(lossy) < len(encoded):
            encoded, media = lossy, "image/jpeg"
    return Embedded(encoded, media, picture.width, picture.height)


def _encoded(picture: object, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)  # type: ignore[attr-defined]
    return buffer.getvalue()
