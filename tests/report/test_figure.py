import io
import warnings

import matplotlib as mpl
import pytest
from PIL import Image

from dlcli.report.figure import clean, legend, literal, new_figure, nothing, own_style, png

# Each would raise, warn or vanish if matplotlib read it as mathematics or as a private label.
NAMES = [r"$\frac{", "$$$", "a $x$ b", "_hidden", "猫", "\\", r"\$"]


def test_a_figure_has_120_dots_per_inch():
    assert Image.open(io.BytesIO(png(new_figure(3, 2)))).size == (360, 240)


def test_a_legend_shows_every_name_literally():
    figure = new_figure(3, 3)
    axes = figure.subplots()
    legend(axes, [axes.plot([0, 1])[0] for _ in NAMES], NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png(figure)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [mpl.text.Text(text=text)._preprocess_math(text) for text in texts] == [(name, False) for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_literal_text_is_no_mathematics(name):
    assert mpl.text.Text()._preprocess_math(literal(name)) == (name, False)


def test_literal_text_holds_no_control_characters():
    assert literal("a\nb\x1b") == "a\\x0ab\\x1b"


def test_a_long_name_is_cut():
    assert len(literal("x" * 500, 10)) == 10


def test_clean_axes_have_a_title_at_the_left_and_labels():
    axes = new_figure(2, 2).subplots()
    clean(axes, title="loss", x_label="epoch", y_label="nats")
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == ("loss", "epoch", "nats")
    assert not axes.spines["top"].get_visible()


def test_own_style_hides_the_users_and_gives_it_back():
    with mpl.rc_context({"font.size": 31}):
        assert own_style(lambda: str(mpl.rcParams["font.size"]).encode())() == b"10.0"
        assert mpl.rcParams["font.size"] == 31


def test_own_style_gives_the_users_back_after_an_error():
    def broken():
        raise KeyError("broken")

    with mpl.rc_context({"font.size": 31}):
        with pytest.raises(KeyError):
            own_style(broken)()
        assert mpl.rcParams["font.size"] == 31


def test_nothing_says_what_it_is_told():
    assert nothing("no loss") != nothing("no accuracy")
