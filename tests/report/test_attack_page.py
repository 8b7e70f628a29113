"""The page of a robustness report holds what there is, in one order, and no foreign markup."""

from __future__ import annotations

import pytest

from dlcli.contracts import Metric
from dlcli.report.attack_page import SECTIONS, Robustness, attack_page
from dlcli.report.page import Picture, Table, Text
from dlcli.report.page_html import html
from dlcli.report.robust_plots import robust_curve_plot

PNG = robust_curve_plot({"a": {0.0: Metric(1.0), 0.1: Metric(0.0)}}, epsilon=0.1, norm="linf")
TABLE = Table("a caption", ("attack", "n"), (("FGSM", "1"),))


def facts(**changes) -> Robustness:
    own = {
        "title": "a <b>model</b>",
        "lead": "100 examples",
        "verdicts": ["nothing stood"],
        "warnings": ["do not believe it"],
        "tables": {"Attacks": [TABLE]},
        "pictures": {"curve": PNG},
        "made": "today",
    }
    return Robustness(**{**own, **changes})


def test_sections_without_content_are_left_out_and_the_others_keep_their_order():
    tables = {"Classes": [TABLE], "Attacks": [TABLE]}
    titles = [section.title for section in attack_page(facts(tables=tables)).sections]
    assert titles == ["Summary", "Attacks", "Over the radius", "Classes"]
    assert titles[1:] == [title for title in SECTIONS if title in titles]


def test_verdicts_and_warnings_come_first():
    summary = attack_page(facts()).sections[0].blocks
    assert summary == (Text("nothing stood", "verdict"), Text("do not believe it", "warning"))


def test_every_picture_has_words_for_those_who_do_not_see_it():
    pictures = dict.fromkeys([name for names in SECTIONS.values() for name in names], PNG)
    shown = [block for block in attack_page(facts(pictures=pictures)).blocks() if isinstance(block, Picture)]
    assert len(shown) == len(pictures)
    assert all(len(picture.alt) > 20 for picture in shown)


def test_a_class_name_with_markup_is_shown_and_not_obeyed():
    page = html(attack_page(facts())).decode()
    assert "a &lt;b&gt;model&lt;/b&gt;" in page
    assert "<b>model" not in page
    assert page.count("data:image/png") == 1


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match="no PNG"):
        attack_page(facts(pictures={"curve": b"GIF89a"}))
