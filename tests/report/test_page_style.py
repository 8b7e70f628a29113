import base64
import hashlib
import re

import pytest

from dlcli.report.page_style import DARK, LIGHT, STYLE, policy


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_the_known_contrasts():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "panel"])
@pytest.mark.parametrize("ink", ["text", "soft", "link", "good", "warn", "fill"])
def test_every_text_stands_out_from_its_ground(ink, ground, palette):
    assert contrast(palette[ink], palette[ground]) >= 4.5


def test_the_policy_allows_this_sheet_and_embedded_pictures_only():
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy().split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_sheet_fetches_nothing_and_uses_only_colours_that_it_names():
    assert not re.search(r"url\(|@import|https?:|expression|</", STYLE)
    assert set(re.findall(r"var\(--(\w+)\)", STYLE)) <= set(LIGHT)
    assert set(LIGHT) == set(DARK)
