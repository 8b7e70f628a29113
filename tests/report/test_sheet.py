"""Rows of images with titles and captions."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.report.sheet import image_rows

# Each would raise, drive a terminal or run out of its cell if it were drawn as it stands.
NAMES = [r"$\frac{", "$$$", "_hidden", "猫", "a\nb\x1b", "\\", "x" * 300, "", "\ud800"]


def images(count, height=6, width=6):
    return torch.zeros(count, height, width, 3, dtype=torch.uint8)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_every_pixel_is_shown_in_its_colour_at_a_whole_scale():
    checks = torch.tensor([[[200, 0, 0], [0, 200, 0]], [[0, 0, 200], [200, 200, 0]]], dtype=torch.uint8)[None]
    shown = pixels(image_rows([checks], ["row"], ["column"]))
    for color in checks.reshape(-1, 3).numpy():
        rows, columns = np.nonzero((shown == color).all(axis=-1))
        assert len(rows) == 72 * 72  # 144 pixels for two
        assert rows.max() - rows.min() == columns.max() - columns.min() == 71


def test_large_images_are_shrunk_and_keep_their_shape():
    shown = pixels(image_rows([images(1, 600, 1200)], [""], [""]))
    rows, columns = np.nonzero((shown == 0).all(axis=-1))
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (128, 256)


def test_titles_and_captions_are_drawn_where_they_belong():
    bare = pixels(image_rows([images(2)] * 2, ["", ""], ["", ""]))
    titled = pixels(image_rows([images(2)] * 2, ["clean", ""], ["", "7 → 3"]))
    assert bare.shape == titled.shape
    changed = np.argwhere((bare != titled).any(axis=-1))
    at_left, above = changed[:, 1] < 30, changed[:, 0] < 25
    assert at_left.any() and above.any()
    assert (at_left | above).all()
    assert (changed[at_left][:, 0] < bare.shape[0] / 2).all()
    assert (changed[above & ~at_left][:, 1] > bare.shape[1] / 2).all()


def test_a_line_break_makes_room_for_a_second_line():
    one, two = (pixels(image_rows([images(1)], ["row"], [text])).shape for text in ("a", "a\nb"))
    assert two[0] > one[0]
    assert two[1] == one[1]


def test_every_name_can_be_a_title_or_a_caption_and_stays_in_its_cell():
    count, one_line = len(NAMES), [name.replace("\n", " ") for name in NAMES]
    plain = image_rows([images(count)] * count, [""] * count, [""] * count)
    named = image_rows([images(count)] * count, one_line, one_line)
    assert pixels(named).shape == pixels(plain).shape
    x = 8 + 15 + 10 + 6 * 154  # the cell under 300 letters
    between = pixels(named)[:20, [x - 1, x + 144 + 1]]
    assert (between == 255).all()


def test_the_same_images_give_the_same_bytes_without_metadata():
    first = image_rows([images(2)], ["row"], ["a", "b"])
    assert first == image_rows([images(2)], ["row"], ["a", "b"])
    assert not any(chunk in first for chunk in (b"tEXt", b"tIME", b"iTXt", b"Software"))


def test_it_does_not_import_matplotlib(python):
    code = (
        "import sys, torch; from dlcli.report.sheet import image_rows\n"
        "image_rows([torch.zeros(1, 8, 8, 3, dtype=torch.uint8)], ['a'], ['b']); print('matplotlib' in sys.modules)"
    )
    assert python(code).out == "False\n"


@pytest.mark.parametrize(
    ("rows", "titles", "captions"),
    [([2, 2], ["a"], ["x", "y"]), ([2, 3], ["a", "b"], ["x", "y"]), ([2], ["a"], ["x"]), ([], [], ["x"]), ([0], ["a"], [])],
)
def test_rows_that_do_not_fit_are_refused(rows, titles, captions):
    with pytest.raises(ValueError, match="expected a title for each row"):
        image_rows([images(count) for count in rows], titles, captions)
