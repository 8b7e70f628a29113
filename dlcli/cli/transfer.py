"""What ``dl finetune`` takes for granted of a backbone: a recipe of its own, and data where none are named."""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.errors import DlcliError, UsageError

_RECIPE = ("trainer=transfer", "optimizer=adamw_transfer", "limit_test=2000")
_DATA, _LABELS = "data=mnist", "labels=1000"


def backbone_defaults(verb: str, overrides: Sequence[str]) -> list[str]:
    """Returns the overrides that stand before the user's own where these name a backbone, or a run that began as one.

    A run has the recipe alone: at the learning rate of small networks a step would undo what published weights know.

    Args:
        overrides: those of flags among them.
    """
    if verb != "finetune":
        return []
    named = dict(text.lstrip("+").split("=", 1) for text in overrides if "=" in text)
    run = named.get("run", "null").strip("'\"")
    if named.get("backbone", "null") == "null" and not run.startswith("pretrained:"):
        return [*_RECIPE] if _began_as_backbone(None if run == "null" else run) else []
    without_data = "data" not in named
    few = without_data and not {"labels", "limit_train", "compare"} & set(named)
    return [*_RECIPE, *([_DATA] if without_data else []), *([_LABELS] if few else [])]


def refuse_two_limits(overrides: Sequence[str], *, full_test: bool) -> None:
    """Raises UsageError where somebody wants all test examples and some of them."""
    some = next((text for text in overrides if text.lstrip("+").startswith("limit_test=") and not text.endswith("=null")), None)
    if full_test and some is not None:
        raise UsageError(f"--full-test and {some} exclude each other", hint=f"--full-test, or {some}")


def _began_as_backbone(reference: str | None) -> bool:
    """Whether a model's own record, or that of a run that it goes on from, names a backbone; False where there is no such run."""
    from dlcli.runs.find import RunInfo, default_model, find_model, list_runs

    try:
        found = default_model()[0] if reference is None else find_model(reference)
    except DlcliError:  # said where the model is read
        return False
    seen: set[str] = set()
    while isinstance(found, RunInfo) and found.id not in seen:
        seen.add(found.id)
        origin = found.information.get("origin")
        if isinstance(origin, dict) and "backbone" in origin:
            return True
        found = next(list_runs(found.path.parent.parent.parent, named=str(found.information.get("parent"))), None)
    return isinstance(found, str)  # pretrained:NAME, which an attack on it stands for
