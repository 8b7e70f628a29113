"""Flags of one study, typed where they belong and where they do not."""

from __future__ import annotations

import pytest

from dlcli.cli.options import FLAGS
from dlcli.cli.study_flags import refuse_foreign_flags
from dlcli.errors import UsageError


def values(**typed: str) -> dict[str, object]:
    return {name: flag.default for name, flag in FLAGS["explain"].items()} | typed


def refused(verb: str, word: str | None, typed: dict[str, object]) -> bool:
    try:
        refuse_foreign_flags(verb, word, typed)
    except UsageError:
        return True
    return False


@pytest.mark.parametrize(("word", "flag"), [("compare", "against"), ("columns", "groups"), ("counterfactual", "immutable")])
def test_a_flag_is_taken_where_the_study_has_its_key(word: str, flag: str) -> None:
    assert not refused("explain", word, values(**{flag: "x"}))
    assert not refused("explain", f"{word},{word}", values(**{flag: "x"}))
    assert not refused("explain", "saliency", values())
    assert refused("explain", "saliency", values(**{flag: "x"}))


@pytest.mark.parametrize("word", ["saliency", "gradients", "columns", "compare,columns", None])
def test_it_is_refused_elsewhere_and_where_it_belongs_is_said(word: str | None) -> None:
    with pytest.raises(UsageError, match="--against has no place") as refusal:
        refuse_foreign_flags("explain", word, values(against="a b"))
    assert refusal.value.hint == "dl explain compare --against 'a b'"


def test_other_verbs_have_no_such_flags() -> None:
    assert not refused("attack", "report", {name: flag.default for name, flag in FLAGS["attack"].items()} | {"against": "x"})


def test_a_refusal_is_one_line_and_a_hint(dl, runs) -> None:  # type: ignore[no-untyped-def]
    answer = dl("explain", "saliency", "--against", "flat")
    assert answer.code == 2
    assert len(answer.errors) == 2
