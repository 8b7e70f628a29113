import pytest
from markdown_it import MarkdownIt  # comes with rich

from dlcli.report.page import Code, Facts, Items, Missing, Page, Picture, Section, Table, Text
from dlcli.report.page_markdown import MARK, escaped, markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil/x.png)",
    "[x](javascript:alert(1))",
    "**bold** _it_ `code` ~~gone~~",
    "# heading",
    "1. list",
    "2) list",
    "- list",
    "+ list",
    "> quote",
    "=====",
    "a | b | c",
    "line\n\n# heading",
    "&lt;b&gt; &amp;",
    "\\*x\\*",
    "$x$",
    "```\nfence",
    "<https://evil>",
    "[x]: http://evil",
]
PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def page_of(text, picture):
    blocks = (
        Text(text),
        Text(text, "fill"),
        Missing(text, text),
        Items((text, text)),
        Facts(((text, text),)),
        Table(text, (text, text), ((text, text),)),
        Picture(picture.image, text, text, "plots/a b(1).png"),
        Picture(picture.image, text, text),
        Code(f"{text}\n{text}"),
    )
    return Page(text, text, (Section(text, blocks, (Section(text, blocks),)),), text)


def shape_of(data):
    """Kinds of blocks and of what stands in them, without the words."""
    tokens = PARSER.parse(data.decode())
    kinds = [(token.type, token.tag) for token in tokens]
    inner = [child.type for token in tokens for child in token.children or () if child.type not in {"text", "text_special"}]
    return kinds, inner


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_makes_no_markup_wherever_it_stands(text, shot):
    assert shape_of(markdown(page_of(text, shot))) == shape_of(markdown(page_of("plain words", shot)))


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_read_back_as_it_was(text):
    (token,) = [token for token in PARSER.parse(escaped(text)) if token.type == "inline"]
    assert "".join(child.content for child in token.children) == text.replace("\n", "\\x0a")


def test_figures_are_left_readable():
    assert escaped("99.25 % of 10 000, 3-fold; a-b") == "99.25 % of 10 000, 3-fold; a-b"


def test_bare_addresses_become_no_links_on_github():
    assert escaped("http://evil www.evil.org a@b") == r"http\://evil www\.evil.org a&#64;b"


def test_a_picture_links_to_its_file_and_one_without_a_file_says_where_it_is(shot):
    shown = markdown(page_of("x", shot)).decode()
    assert "![x](plots/a%20b%281%29.png)" in shown
    assert "x (the picture is in the HTML file)" in shown


def test_the_file_says_what_made_it():
    assert markdown(Page("t", "l")).decode().startswith(f"{MARK}\n\n# t\n\nl\n")
