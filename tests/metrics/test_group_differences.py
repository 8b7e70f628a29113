import math

import numpy as np
import pytest

from dlcli.contracts import Metric
from dlcli.metrics.group_differences import largest_difference, ratio_of, signed_difference
from dlcli.metrics.intervals import wilson

NAMES = ("a", "b", "c")


def of_rates(rates, sizes, seed=0, enough=(True, True, True)):
    random = np.random.default_rng(seed)
    values, sizes = np.array(rates)[:, None], np.array(sizes)
    drawn = random.binomial(sizes[:, None], values, size=(1000, 3, 1)) / sizes[:, None]
    dealt = random.binomial(sizes[:, None], values.mean(), size=(1000, 3, 1)) / sizes[:, None]
    mask = np.array(enough)[:, None]
    arguments = {"enough": {"rate": mask}, "names": NAMES, "sizes": sizes, "method": "bootstrap"}
    return largest_difference({"rate": values}, {"rate": drawn}, {"rate": dealt}, **arguments), values[:, 0], drawn[:, :, 0]


def test_the_largest_difference_is_named_and_bounded():
    found, _, _ = of_rates([0.2, 0.5, 0.3], [100, 100, 100])
    assert found.metric.value == pytest.approx(0.3)
    assert found.between == ("b", "a")
    assert found.metric.low < 0.3 < found.metric.high
    assert found.p == pytest.approx(1 / 1001)


def test_like_groups_get_an_interval_from_zero_and_no_small_p():
    found, _, _ = of_rates([0.30, 0.31, 0.29], [100, 100, 100])
    assert found.metric.low == 0
    assert found.p > 0.3


def test_a_group_with_too_few_examples_takes_no_part_and_is_named():
    found, _, _ = of_rates([0.2, 1.0, 0.3], [100, 5, 100], enough=(True, False, True))
    assert found.metric.value == pytest.approx(0.1)
    assert found.left_out == ("b",)
    assert found.metric.n == 200


def test_one_group_alone_has_no_difference():
    found, _, _ = of_rates([0.2, 1.0, 0.3], [100, 5, 5], enough=(True, False, False))
    assert math.isnan(found.metric.value)
    assert found.p is None
    assert found.to_dict()["between"] is None


def test_without_any_spread_there_are_no_bounds():
    found, _, _ = of_rates([0.0, 1.0, 1.0], [100, 100, 100])
    assert (found.metric.value, found.metric.low, found.metric.high) == (1.0, None, None)


def test_the_ratio_is_lowest_by_highest():
    found, values, drawn = of_rates([0.2, 0.5, 0.3], [100, 100, 100])
    ratio = ratio_of(found, values, drawn, names=NAMES, sizes=np.array([100, 100, 100]))
    assert ratio.metric.value == pytest.approx(0.4)
    assert ratio.metric.low < 0.4 < ratio.metric.high
    assert ratio.p == found.p


def test_the_ratio_of_groups_of_whom_nobody_is_selected_is_unknown_and_that_of_one_such_group_is_zero():
    found, values, drawn = of_rates([0.0, 0.0, 0.0], [100, 100, 100])
    assert math.isnan(ratio_of(found, values, drawn, names=NAMES, sizes=np.array([100, 100, 100])).metric.value)
    found, values, drawn = of_rates([0.0, 0.4, 0.3], [100, 100, 100])
    ratio = ratio_of(found, values, drawn, names=NAMES, sizes=np.array([100, 100, 100])).metric
    assert ratio.value == 0
    assert ratio.low == 0 < ratio.high


def test_a_signed_difference_of_shares_has_newcombes_interval():
    # Newcombe 1998, table II, method 10: 56/70 - 48/80 is 0.2000, 0.0524 to 0.3339; 9/10 - 3/10 is 0.6000, 0.1705 to 0.8090.
    published = ((wilson(56, 70), wilson(48, 80), 0.0524, 0.3339), (wilson(9, 10), wilson(3, 10), 0.1705, 0.8090))
    for one, other, low, high in published:
        found = signed_difference(one, other)
        assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)
    assert signed_difference(wilson(1, 2), Metric(0.1)).low is None
