import numpy as np
import pytest

from dlcli.data.ink import ink_of


def paper(level: float = 0.9, shape: tuple[int, int] = (200, 160)) -> np.ndarray:
    return np.full(shape, level, dtype=np.float32) + np.random.default_rng(0).normal(0, 0.01, shape).astype(np.float32)


def test_blank_paper_has_no_ink():
    assert not ink_of(paper()).mask.any()


def test_a_dark_stroke_is_ink_and_the_paper_is_not():
    grey = paper()
    grey[50:150, 70:80] = 0.2
    mask = ink_of(grey).mask
    assert mask[60:140, 72:78].all()
    assert not mask[:, :60].any()
    assert mask.sum() == pytest.approx(1000, rel=0.15)


def test_bright_on_dark_is_ink_too():
    grey = 1 - paper()
    grey[50:150, 70:80] = 0.9
    assert ink_of(grey).mask.sum() == pytest.approx(1000, rel=0.15)


def test_a_shadow_is_no_ink_and_a_stroke_in_it_is():
    grey = paper() * np.linspace(1, 0.3, 200, dtype=np.float32)[:, None]
    stroke = np.zeros_like(grey, dtype=bool)
    stroke[20:180, 70:80] = True
    grey[stroke] *= 0.3
    mask = ink_of(grey).mask
    assert mask[30:170, 72:78].mean() > 0.99
    assert mask[~stroke].mean() < 0.02


def test_cover_is_the_share_of_light_that_is_lost():
    grey = paper()
    grey[50:150, 70:90] = 0.45
    assert ink_of(grey).cover[80:120, 76:84].mean() == pytest.approx(0.5, abs=0.05)
