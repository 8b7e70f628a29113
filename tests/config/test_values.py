from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from torch import Tensor

from dlcli.config.values import constructor_parameters, convert, mistakes_in, near_key


@dataclass(frozen=True, kw_only=True)
class Thing:
    size: int
    rate: float = 0.1
    kind: Literal["round", "square"] = "round"
    widths: tuple[int, ...] = (1,)
    spec: Any = None


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("8/255", float, 8 / 255),
        (" 1 / 2 ", float, 0.5),
        ("1e-3/2", float, 0.0005),
        (3, float, 3.0),
        (3, int, 3),
        (3, int | float | None, 3),
        (1.0, int | float | None, 1.0),
        (None, int | None, None),
        (None, type(None), None),
        ("round", Literal["round", "square"], "round"),
        ([1, "1/2"], list[float], [1.0, 0.5]),
        ((1, 2), tuple[int, ...], [1, 2]),
        ("balanced", Literal["balanced"] | list[float], "balanced"),
        ([1, 2], Literal["balanced"] | list[float], [1.0, 2.0]),
        (7, str, "7"),
        (True, bool, True),
        ("anything", Tensor, "anything"),
        ("anything", Any, "anything"),
    ],
)
def test_a_value_becomes_what_the_annotation_wants(value, annotation, expected):
    found = convert(value, annotation)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "reason"),
    [
        ("ten", int, "expected a whole number"),
        (1.0, int, "expected a whole number"),
        (True, int, "expected a whole number"),
        (True, float, "expected a number"),
        ("8/0", float, "divides by zero"),
        ("8/255/2", float, "expected a number"),
        (float("nan"), float, "finite"),
        (float("inf"), float | None, "finite"),
        ("", float, "has no value"),
        (None, float, "has no value"),
        (1, bool, "expected true or false"),
        ("rond", Literal["round", "square"], "did you mean 'round'"),
        (5, list[int], "expected a list"),
        ([1, "x"], list[int], "expected a whole number"),
        (1, type(None), "expected null"),
        ("abc", float | Tensor, "expected a number"),
        ("x", Literal["balanced"] | list[float], "expected one of balanced; or expected a list"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_was_expected(value, annotation, reason):
    with pytest.raises(ValueError, match=reason):
        convert(value, annotation)


@given(some.integers(0, 10**6), some.integers(1, 10**6))
def test_a_fraction_is_exactly_its_quotient(numerator, denominator):
    assert convert(f"{numerator}/{denominator}", float) == numerator / denominator


def test_mistakes_are_collected_under_their_dotted_keys():
    converted, mistakes = mistakes_in({"size": "x", "rat": 1, "kind": "round"}, Thing, prefix="thing", ignore=frozenset({"spec"}))
    assert converted == {"kind": "round"}
    assert mistakes == [
        "thing.size=x: expected a whole number; example: 3",
        "unknown key 'thing.rat'; did you mean 'thing.rate'?",
    ]


def test_what_must_be_given_is_asked_for():
    assert mistakes_in({}, Thing, prefix="thing")[1] == ["missing value for 'thing.size'; write thing.size=VALUE"]
    assert mistakes_in({"size": "???"}, Thing, prefix="")[1] == ["missing value for 'size'; write size=VALUE"]


def test_what_is_given_at_build_time_may_not_be_set():
    converted, mistakes = mistakes_in({"size": 1, "spec": 2}, Thing, prefix="t", ignore=frozenset({"spec"}))
    assert converted == {"size": 1}
    assert [line.partition(";")[0] for line in mistakes] == ["unknown key 't.spec'"]


def test_parameters_come_with_their_annotations_and_without_catch_alls():
    class Loose:
        def __init__(self, a: int, b=2, **rest):
            pass

    assert constructor_parameters(Loose) == {"a": int, "b": Any}
    assert list(constructor_parameters(Thing)) == ["size", "rate", "kind", "widths", "spec"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("optimizer.lrr", "; did you mean 'optimizer.lr'?"),
        ("optimizer.betas", "; optimizer has lr, momentum"),
        ("optimiser", "; did you mean 'optimizer'?"),
        ("lr", "; did you mean 'optimizer.lr'?"),
        ("optimzer.lr", "; did you mean 'optimizer.lr'?"),
        ("zzz", "; --cfg job prints all keys"),
    ],
)
def test_an_unknown_key_is_answered_with_what_to_type_instead(key, expected):
    assert near_key(key, ["optimizer", "seed", "optimizer.lr", "optimizer.momentum", "model.widths"]) == expected
