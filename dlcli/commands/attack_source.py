"""``--source REF``: adversarial examples made on one model and judged on another (transfer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, load_model
from dlcli.commands.subject import Subject
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError


def load_source(reference: str | None, subject: Subject, talk: Talk) -> Loaded | None:
    """Returns the model that the attack looks at in place of the subject's own; None without a reference.

    Raises:
        UsageError: nothing or more than one fits, or it reads other inputs or knows other classes.
        DataError: no checkpoint verifies.
    """
    if reference is None:
        return None
    source = load_model(reference, which="best", device=subject.device, talk=talk)
    own, other = subject.loaded.model.spec, source.model.spec
    if own.shape != other.shape or own.columns != other.columns:
        differ = "other columns" if own.shape == other.shape else f"{_inputs(other)}, not {_inputs(own)}"
        raise UsageError(
            f"--source {source.name} reads {differ} as {subject.loaded.name} does", hint="two models of the same data"
        )
    if own.classes != other.classes:
        counts = f"{len(other.classes)} classes, {subject.loaded.name} {len(own.classes)}"
        what = counts if len(own.classes) != len(other.classes) else f"other classes than {subject.loaded.name}, or another order"
        raise UsageError(f"--source {source.name} knows {what}", hint="two models of the same classes")
    talk.line(f"transfer: made on {source.name}, judged on {subject.loaded.name}")
    return source


def for_transfer(node: Mapping[str, Any], overrides: Sequence[str], talk: Talk) -> dict[str, Any]:
    """Returns an attack's node for another model than the one it looks at: up all steps, unless the user said otherwise.

    What is just beyond one model's boundary is seldom beyond another's.
    """
    if node.get("early_stop") is not True or any(text.lstrip("+").startswith("attack.early_stop=") for text in overrides):
        return dict(node)
    talk.line("attack.early_stop=false, as what barely fools one model seldom fools another")
    return {**node, "early_stop": False}


def _inputs(spec: DataSpec) -> str:
    return f"{spec.kind}s of {'×'.join(map(str, spec.shape))}"
