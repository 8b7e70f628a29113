import pytest

from dlcli.models.checks import check_at_least, check_counts, check_dropout, check_image, check_momentum


def test_an_image_that_is_large_enough_gives_its_channels_height_and_width():
    assert check_image("Net", (3, 12, 20), smallest=12) == (3, 12, 20)


@pytest.mark.parametrize("shape", [(30,), (3, 11, 20), (3, 20, 11), (20, 20)])
def test_a_small_image_or_a_table_is_refused_with_the_smallest_size(shape):
    with pytest.raises(ValueError, match=r"^Net needs images .C, H, W. of at least 12 x 12 pixels, got"):
        check_image("Net", shape, smallest=12)


def test_the_edges_of_a_range_are_inside_or_outside_as_said():
    for allowed in (0.0, 0.999):
        check_dropout(allowed)
    for allowed in (1e-3, 1.0):
        check_momentum(allowed)
    check_at_least("width", 1, 1)
    check_counts("widths", [])
    check_counts("widths", [1, 2], length=2)
    check_counts("residuals", [0, 1], least=0)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_dropout(1.0), r"^dropout must be in \[0, 1\), got 1.0"),
        (lambda: check_dropout(-0.1), r"^dropout must be in \[0, 1\), got -0.1"),
        (lambda: check_dropout(float("nan")), r"^dropout must be in \[0, 1\), got nan"),
        (lambda: check_momentum(0.0), r"^norm_momentum must be in \(0, 1\], got 0.0"),
        (lambda: check_at_least("width", 0, 1), "^width must be at least 1, got 0"),
        (lambda: check_counts("widths", [8, 0]), r"^widths must hold numbers of at least 1, got \[8, 0\]"),
        (lambda: check_counts("widths", [8], length=2), r"^widths must hold 2 numbers of at least 1, got \[8\]"),
        (lambda: check_counts("residuals", [-1], least=0), r"^residuals must hold numbers of at least 0, got \[-1\]"),
    ],
)
def test_what_lies_outside_is_refused_by_name(check, message):
    with pytest.raises(ValueError, match=message):
        check()
