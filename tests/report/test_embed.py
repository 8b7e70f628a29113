import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dlcli.report.embed import embed


def png(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def opened(embedded):
    return Image.open(io.BytesIO(embedded.data))


def test_a_small_picture_keeps_its_pixels_and_loses_its_metadata():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    words = PngInfo()
    words.add_text("Author", "somebody at home")
    embedded = embed(png(Image.fromarray(pixels), pnginfo=words))
    assert (embedded.media, embedded.width, embedded.height) == ("image/png", 30, 20)
    assert (np.asarray(opened(embedded)) == pixels).all()
    assert b"somebody" not in embedded.data


def test_a_wide_picture_becomes_1600_pixels_wide_and_keeps_its_shape():
    embedded = embed(png(Image.new("RGB", (4000, 1000), "blue")))
    assert (embedded.width, embedded.height) == opened(embedded).size == (1600, 400)


def test_a_heavy_picture_becomes_a_lighter_jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    data = png(Image.fromarray(noise))
    embedded = embed(data)
    assert embedded.media == "image/jpeg"
    assert len(embedded.data) < len(data) / 2
    assert embedded.uri.startswith("data:image/jpeg;base64,")


def test_what_is_transparent_becomes_white():
    assert opened(embed(png(Image.new("RGBA", (4, 4), (0, 0, 0, 0))))).getpixel((0, 0)) == (255, 255, 255)


def bomb(width, height):
    """A PNG whose header promises many pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 10_000), (7_000, 7_000)])
def test_a_picture_of_too_many_pixels_is_refused_unread(size):
    with pytest.raises(ValueError, match=r"pixels|no PNG"):
        embed(bomb(*size))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg onload='x'/>", png(Image.new("RGB", (50, 50)))[:60]])
def test_what_is_no_png_is_refused(data):
    with pytest.raises(ValueError, match="no PNG that can be read"):
        embed(data)
