import numpy as np

from dlcli.data.ink import Ink
from dlcli.data.marks import marks_of


def ink(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (200, 200)) -> Ink:
    """Ink in boxes of (top, bottom, left, right)."""
    mask = np.zeros(shape, dtype=bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return Ink(mask.astype(np.float32), mask)


def test_no_ink_has_no_mark():
    assert marks_of(ink()) is None


def test_one_stroke_is_one_mark():
    marks = marks_of(ink((50, 150, 90, 100)))
    assert marks is not None
    assert (marks.count, int(marks.mask.sum())) == (1, 1000)


def test_a_bar_above_its_body_belongs_to_it():
    marks = marks_of(ink((60, 150, 80, 120), (45, 52, 85, 125)))
    assert marks is not None
    assert (marks.count, int(marks.mask.sum())) == (1, 90 * 40 + 7 * 40)


def test_two_marks_beside_each_other_are_counted_and_the_larger_is_taken():
    marks = marks_of(ink((50, 150, 40, 60), (50, 150, 90, 120)))
    assert marks is not None
    assert (marks.count, int(marks.mask.sum())) == (2, 3000)


def test_dust_is_no_mark():
    marks = marks_of(ink((50, 150, 90, 100), (20, 23, 20, 23)))
    assert marks is not None
    assert (marks.count, int(marks.mask.sum())) == (1, 1000)
    assert marks_of(ink((20, 24, 20, 24))) is None


def test_what_covers_a_whole_edge_is_the_desk():
    assert marks_of(ink((0, 200, 0, 30))) is None
    marks = marks_of(ink((0, 200, 0, 30), (50, 150, 90, 100)))
    assert marks is not None
    assert (marks.count, int(marks.mask.sum())) == (1, 1000)


def test_a_mark_at_the_edge_counts_where_there_is_no_other():
    marks = marks_of(ink((0, 100, 90, 100)))
    assert marks is not None
    assert int(marks.mask.sum()) == 1000


def test_a_dark_corner_that_fades_into_the_light_is_no_mark():
    far = np.hypot(*np.mgrid[0:200, 0:200]).astype(np.float32)
    cover = np.clip(0.4 - far / 400, 0, 1)
    assert marks_of(Ink(cover, cover > 0.1)) is None
