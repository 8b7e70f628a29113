import base64
import hashlib
import re

import pytest

from dlcli.report.page import Code, Facts, Items, Missing, Page, Picture, Section, Table, Text
from dlcli.report.page_html import MARK, escaped, html

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><h1>x",
    "<!-- x -->",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "a\x00b\x1b[31mc\u202edef",
]


def page_of(text, picture):
    table = Table(text, (text, text), ((text, text),))
    blocks = (
        Text(text),
        Text(text, "verdict"),
        Text(text, "warning"),
        Text(text, "fill"),
        Missing(text, text),
        Items((text,)),
        Facts(((text, text),)),
        table,
        Picture(picture.image, text, text, text),
        Code(f"{text}\n{text}"),
    )
    return Page(text, text, (Section(text, blocks, (Section(text, blocks),)),), text)


def test_a_plain_page_has_no_fault(faults, shot):
    assert faults(html(page_of("plain words", shot))) == []


def test_the_reader_of_faults_sees_them(faults):
    bad = b'<html><h1>a</h1><h3>b<script>1</script><img src="http://x/y" onload="z"><th>c</html>'
    found = "\n".join(faults(bad))
    for fault in ("<script>", "<img onload>", "<img src=http://x/y>", "headings [1, 3]", "without words", "without scope"):
        assert fault in found


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_makes_no_markup_wherever_it_stands(text, faults, read_page, shot):
    plain, hostile = html(page_of("plain words", shot)), html(page_of(text, shot))
    assert faults(hostile) == []
    assert [tag for tag, _ in read_page(hostile).tags] == [tag for tag, _ in read_page(plain).tags]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", hostile.decode())


def test_foreign_text_is_shown_as_it_is(read_page, shot):
    assert read_page(html(page_of(HOSTILE[0], shot))).text.count(HOSTILE[0]) > 10


def test_the_policy_is_that_of_the_style_in_the_page(shot):
    page = html(page_of("x", shot)).decode()
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert MARK in page[:4096]


def test_a_picture_is_embedded_byte_for_byte(read_page, shot):
    source = read_page(html(page_of("x", shot))).all("img")[0]["src"]
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == shot.image.data


def test_lines_of_code_stay_lines(read_page):
    page = html(Page("t", "l", (Section("s", (Code("dl train\ndl <b>"),)),)))
    assert "<pre><code>dl train\ndl &lt;b&gt;</code></pre>" in page.decode()


def test_quotes_and_control_characters_are_escaped():
    assert escaped("\"'<&\x1b") == "&quot;&#x27;&lt;&amp;\\x1b"


def test_a_number_is_not_broken_over_two_lines():
    page = html(Page("t", "l", (Section("s", (Text("of 10 000, 99.4 % in 2 rows"),)),))).decode()
    assert "of 10&nbsp;000, 99.4&nbsp;% in 2 rows" in page


def test_a_wide_picture_and_a_table_can_be_scrolled_by_keyboard_and_an_interval_is_set_apart(read_page, shot):
    table = Table("c", ("a", "b"), (("[x [y]", "90.00 % [80.00 … 95.00 %]"),))
    page = html(Page("t", "l", (Section("s", (table, Picture(shot.image, "words", "caption"))),)))
    assert [attributes["tabindex"] for attributes in read_page(page).all("div")] == ["0", "0"]
    assert '90.00 %<span class="bounds"> [80.00 … 95.00 %]</span>' in page.decode()
    assert '<th scope="row" class="word">[x [y]</th>' in page.decode()
