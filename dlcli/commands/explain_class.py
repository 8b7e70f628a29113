"""``--class predicted|label|runner-up|NAME``: the class that maps are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.errors import UsageError, did_you_mean

RULES = ("predicted", "label", "runner-up")
_WORDS = {"predicted": "the predicted class", "label": "the true class", "runner-up": "the second likeliest class"}


@dataclass(frozen=True)
class ExplainedClass:
    """A choice of :data:`dlcli.engine.attribute.Explained`.

    Args:
        words: what people read.
        number: the class for all examples; None for one that depends on the example.
        rule: one of ``RULES`` where ``number`` is None.
    """

    words: str
    number: int | None = None
    rule: str = "predicted"

    def __call__(self, chances: Tensor, targets: Tensor) -> Tensor:
        """Returns a class for each example, int64 (N,)."""
        if self.number is not None:
            return torch.full_like(targets, self.number)
        if self.rule == "label":
            return targets
        predicted = chances.argmax(dim=1)
        if self.rule == "predicted":
            return predicted
        return chances.scatter(1, predicted[:, None], -1.0).argmax(dim=1)


def read_class(text: str, classes: Sequence[str], *, labelled: bool) -> ExplainedClass:
    """Returns the choice that ``text`` names; a class's name goes before its number.

    Raises:
        UsageError: there is no such class, the examples have no labels, or one class alone has no second.
    """
    if text == "label" and not labelled:
        raise UsageError("--class label: these images have no labels", hint="--class predicted, runner-up or a class's name")
    if text == "runner-up" and len(classes) < 2:
        raise UsageError("--class runner-up: the model knows one class alone", hint="--class predicted")
    if text in classes:
        return ExplainedClass(text, list(classes).index(text))
    if text in RULES:
        return ExplainedClass(_WORDS[text], rule=text)
    if text.isdecimal() and int(text) < len(classes):
        return ExplainedClass(classes[int(text)], int(text))
    same = [name for name in classes if name.casefold() == text.casefold()]
    if len(same) == 1:
        return ExplainedClass(same[0], list(classes).index(same[0]))
    near = did_you_mean(text, [*classes, *RULES])
    hint = f"--class predicted, label, runner-up, a class's name or its number from 0 to {len(classes) - 1}"
    raise UsageError(f"--class {text}: the model has no such class{near}", hint=hint)
