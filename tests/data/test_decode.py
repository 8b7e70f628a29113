from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from dlcli.data.decode import FORMATS, PIXEL_CAP, decode, decode_whole, shown
from dlcli.errors import DataError, StorageError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """Left red, right blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds hardly any pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


def test_a_photo_becomes_a_square_of_uint8_channels_first_that_lies_channels_last(photos, tmp_path):
    decoded = decode(saved(tmp_path / "a.jpg", photos["china"]), size=64)
    assert (decoded.pixels.dtype, tuple(decoded.pixels.shape)) == (torch.uint8, (3, 64, 64))
    assert decoded.pixels[None].is_contiguous(memory_format=torch.channels_last)
    assert (decoded.width, decoded.height, decoded.mode) == (640, 427, "RGB")


def test_the_result_is_pillows_shorter_side_resize_and_central_crop(photos, tmp_path):
    photo = photos["flower"]
    decoded = decode(saved(tmp_path / "a.png", photo), size=96)
    wide = photo.resize((round(640 * 96 / 427), 96), Image.Resampling.BILINEAR)
    left = (wide.width - 96) // 2
    expected = np.asarray(wide.crop((left, 0, left + 96, 96))).astype(int)
    difference = np.abs(decoded.pixels.permute(1, 2, 0).numpy().astype(int) - expected)
    # Both round: to whole pixels there, to none here; half a pixel of shift at most.
    assert difference.mean() < 4
    assert np.abs(decoded.pixels.float().mean((1, 2)).numpy() - expected.mean((0, 1))).max() < 0.5


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(photos, tmp_path):
    large = photos["china"].resize((2560, 1708), Image.Resampling.BICUBIC)
    fast = decode(saved(tmp_path / "a.jpg", large, quality=90), size=64).pixels.float()
    exact = decode(saved(tmp_path / "a.png", Image.open(tmp_path / "a.jpg"), compress_level=1), size=64).pixels.float()
    assert (fast - exact).abs().mean() < 2


def test_a_crop_keeps_the_central_share_of_the_shorter_side(tmp_path):
    image = Image.new("RGB", (80, 40), WHITE)
    image.paste(RED, (30, 10, 50, 30))
    path = saved(tmp_path / "a.png", image)
    assert decode(path, size=20, crop=0.5).pixels[1].max() == 0
    assert decode(path, size=20, crop=1.0).pixels[1].max() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_of_a_camera_is_undone(tmp_path, orientation):
    stored = halves(20, 20)
    # What a viewer shows: Pillow's own rule, applied to the whole picture.
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", stored, exif=exif)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(decode(path, size=20).pixels.permute(1, 2, 0).numpy(), upright)


def test_an_orientation_turns_the_picture_at_all(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    top = decode(saved(tmp_path / "a.png", halves(20, 20), exif=exif), size=20).pixels[:, 0, 10]
    assert top.tolist() == [255, 0, 0]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_metadata_do_not_refuse_a_picture(tmp_path):
    path = saved(tmp_path / "a.jpg", halves(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\x01" * 30)
    assert decode(path, size=8).pixels.shape == (3, 8, 8)


def test_alpha_is_laid_over_white(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("RGBA", (10, 10), (255, 0, 0, 51)))
    assert decode(path, size=4).pixels[:, 0, 0].tolist() == [255, 204, 204]


def test_what_a_transparent_pixel_hides_does_not_bleed_into_its_neighbours(tmp_path):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 20, 40))
    assert decode(saved(tmp_path / "a.png", image), size=7).pixels.min() >= 254


def test_a_palette_with_a_transparent_colour_is_laid_over_white(tmp_path):
    image = Image.new("P", (10, 10), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (0, 0, 5, 10))
    pixels = decode(saved(tmp_path / "a.gif", image, transparency=0), size=10).pixels
    assert pixels[:, 5, 1].tolist() == [0, 255, 0]
    assert pixels[:, 5, 8].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("image", "suffix", "expected"),
    [
        (Image.new("L", (9, 9), 77), "png", [77, 77, 77]),
        (Image.new("1", (9, 9), 1), "png", [255, 255, 255]),
        (Image.new("LA", (9, 9), (0, 51)), "png", [204, 204, 204]),
        (Image.new("P", (9, 9), 1), "png", None),
        (Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "tif", [255, 0, 0]),
        (Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "jpg", [255, 0, 0]),
        (Image.fromarray(np.full((9, 9), 0x4DFF, dtype=np.uint16)), "png", [0x4D] * 3),
        (Image.fromarray(np.full((9, 9), 0x4DFF, dtype=np.uint16)), "tif", [0x4D] * 3),
        (Image.new("RGB", (9, 9), RED), "webp", [255, 0, 0]),
        (Image.new("RGB", (9, 9), RED), "bmp", [255, 0, 0]),
        (Image.new("RGB", (9, 9), RED), "ppm", [255, 0, 0]),
    ],
    ids=lambda value: getattr(value, "mode", None) or str(value),
)
def test_every_mode_becomes_colour_or_grey(tmp_path, image, suffix, expected):
    path = saved(tmp_path / f"a.{suffix}", image, **({"lossless": True} if suffix == "webp" else {}))
    colour, grey = decode(path, size=4).pixels, decode(path, size=4, channels=1).pixels
    assert (tuple(colour.shape), tuple(grey.shape)) == ((3, 4, 4), (1, 4, 4))
    if expected:
        assert (colour[:, 0, 0].float() - torch.tensor(expected)).abs().max() <= 2
        luma = (torch.tensor(expected).float() * torch.tensor([0.299, 0.587, 0.114])).sum()
        assert abs(float(grey[0, 0, 0]) - float(luma)) <= 2


def test_a_jpeg_read_as_grey_is_its_luma(photos, tmp_path):
    path = saved(tmp_path / "a.jpg", photos["china"])
    grey = decode(path, size=200, channels=1).pixels.float()
    colour = decode(path, size=200).pixels.float()
    luma = (colour * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    assert (grey[0] - luma).abs().mean() < 1


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for name in ("a.gif", "a.png", "a.webp"):
        path = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
        assert (decode(path, size=4).pixels[:, 0, 0].float() - torch.tensor(RED)).abs().max() < 4


def test_what_decides_is_the_content_and_not_the_name(photos, tmp_path):
    saved(tmp_path / "a.jpg", photos["china"])
    right = decode(tmp_path / "a.jpg", size=16).pixels
    for name in ("b.png", "b.txt", "b"):
        (tmp_path / name).write_bytes((tmp_path / "a.jpg").read_bytes())
        assert torch.equal(decode(tmp_path / name, size=16).pixels, right)


def test_one_pixel_is_enough(tmp_path):
    assert decode(saved(tmp_path / "a.png", Image.new("RGB", (1, 1), RED)), size=5).pixels[0].min() == 255


@pytest.fixture(scope="module")
def in_a_fresh_process(python, tmp_path_factory) -> list[str]:
    """Of a 30,000 x 30,000 image the error and by how many kB memory grew; of one just below the cap its level."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "bomb.png").write_bytes(png_of_size(30_000, 30_000))
    saved(folder / "a.jpg", Image.new("L", (12_000, 9_000), 99))
    code = (
        "import sys, resource\nfrom dlcli.data.decode import decode\nfrom dlcli.errors import DataError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    decode(sys.argv[1], size=8)\nexcept DataError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        "print(decode(sys.argv[2], size=8).pixels.max().item())"
    )
    answer = python(code, str(folder / "bomb.png"), str(folder / "a.jpg"))
    return [*answer.out.splitlines(), answer.err]


def test_thirty_thousand_by_thirty_thousand_pixels_are_refused_before_they_are_decoded(in_a_fresh_process):
    message, grown, *_ = in_a_fresh_process
    assert message.endswith("bomb.png has 900,000,000 pixels, which was not decoded; expected at most 178,956,970")
    assert int(grown) < 20_000  # the pixels would be 2.7 GB


def test_a_large_photo_below_the_cap_is_read_without_a_word(in_a_fresh_process):
    assert in_a_fresh_process[2:] == ["99", ""]


def test_the_cap_is_ours_even_where_pillows_own_is_off(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "a.png").write_bytes(png_of_size(20_000, PIXEL_CAP // 20_000 + 1))
    with pytest.raises(DataError, match=r"has 178,9\d\d,000 pixels"):
        decode(tmp_path / "a.png", size=8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"bad\.jpg is empty \(0 bytes\)"),
        (b"hello, I am no picture", r"bad\.jpg is no image that can be read; expected JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"bad\.jpg is no image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", r"bad\.jpg is no image that can be read"),
        (b"\0\0\0\x18ftypheic" + bytes(40), r"bad\.jpg is a HEIC photo; expected JPEG or PNG"),
        (b"\xff\xd8\xff\xe0", r"bad\.jpg is"),
        (png_of_size(400, 400), r"bad\.jpg is cut or damaged"),
    ],
    ids=["empty", "text", "eps", "svg", "heic", "two bytes of jpeg", "missing pixels"],
)
def test_what_is_no_image_is_said_in_one_line_that_names_the_file(tmp_path, content, message):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        decode(tmp_path / "bad.jpg", size=8)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp"])
def test_a_cut_file_is_refused(photos, tmp_path, suffix):
    whole = saved(tmp_path / f"a.{suffix}", photos["china"].resize((160, 107))).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"cut\.{suffix} is"):
        decode(tmp_path / f"cut.{suffix}", size=32)


def test_numbers_without_an_agreed_range_are_refused(tmp_path):
    path = saved(tmp_path / "a.tif", Image.fromarray(np.zeros((4, 4), dtype=np.float32)))
    with pytest.raises(DataError, match="holds 32-bit numbers, which have no agreed range"):
        decode(path, size=4)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd metadata
@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tif", "webp"])
def test_damaged_bytes_give_an_image_or_a_data_error_and_nothing_else(photos, tmp_path, suffix):
    buffer = io.BytesIO()
    photos["flower"].resize((48, 32)).save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    whole, random = buffer.getvalue(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), 8):
            damaged[position] = random.integers(256)
        (tmp_path / "a").write_bytes(damaged)
        try:
            outcomes.add(tuple(decode(tmp_path / "a", size=16).pixels.shape))
        except DataError as error:
            outcomes.add("\n" in error.message)
    assert outcomes <= {(3, 16, 16), False}
    assert False in outcomes


def test_a_missing_file_is_a_matter_of_storage(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*gone\.jpg: No such file"):
        decode(tmp_path / "gone.jpg", size=8)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("\x1b[31mred\x07.jpg", r"\x1b[31mred\x07.jpg"),
        ("line\nbreak.jpg", r"line\nbreak.jpg"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("Häßlich 猫.jpg", "Häßlich 猫.jpg"),
        (os.fsdecode(b"\xff\xfe.jpg"), r"\udcff\udcfe.jpg"),
    ],
)
def test_a_hostile_name_is_shown_without_what_drives_a_terminal(tmp_path, name, said):
    try:
        (tmp_path / name).write_bytes(b"no image")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(DataError) as caught:
        decode(tmp_path / name, size=8)
    assert said in caught.value.message
    assert caught.value.message.isprintable()
    caught.value.message.encode()
    assert shown(name) == said


def test_formats_that_start_other_programs_are_not_among_those_that_are_read():
    assert not {"EPS", "PDF", "WMF", "FPX", "MIC"} & set(FORMATS)


def test_a_whole_image_keeps_its_shape_and_shrinks_to_the_longest_side(tmp_path):
    path = saved(tmp_path / "a.png", halves(400, 200))
    assert tuple(decode_whole(path, longest=100).pixels.shape) == (3, 50, 100)
    assert tuple(decode_whole(path, longest=1000).pixels.shape) == (3, 200, 400)


def test_a_whole_image_is_turned_upright_and_laid_over_white(tmp_path):
    turned = halves()
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees clockwise
    path = saved(tmp_path / "a.png", turned, exif=exif)
    pixels = decode_whole(path, longest=64).pixels
    assert tuple(pixels.shape) == (3, 40, 20)
    assert pixels[:, 0, 0].tolist() == list(RED)
    clear = saved(tmp_path / "b.png", Image.new("RGBA", (8, 8), (0, 0, 0, 0)))
    assert bool((decode_whole(clear, longest=8).pixels == 255).all())


def test_a_whole_image_that_is_cut_is_named(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(tmp_path / "b.png", halves()).read_bytes()[:60])
    with pytest.raises(DataError, match=r"a\.png is cut or damaged"):
        decode_whole(path, longest=8)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "photo.png")
    with pytest.raises(DataError, match="is no plain file"):
        decode(tmp_path / "photo.png", size=8, channels=3)
