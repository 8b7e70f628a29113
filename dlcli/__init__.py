"""dlcli from Python: the same verbs as on the command line, with results as objects.

>>> import dlcli
>>> run = dlcli.train("mnist", epochs=2)
>>> dlcli.attack("fgsm", run=run, limit=1000)
>>> model = dlcli.load("builtin:mnist")     # raw inputs in, logits out

Importing this module imports neither torch nor Hydra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcli.classifier import Classifier
    from dlcli.commands.predictions import Predicted
    from dlcli.runs.record import Result

# What makes many runs, none, or prints.
_COMMAND_LINE_ONLY = {"multirun", "seeds", "cfg", "package", "info", "dry_run", "json", "resume"}
__all__ = ["attack", "evaluate", "explain", "finetune", "load", "predict", "train"]


def train(experiment: str | None = None, *overrides: str, **settings: Any) -> Result:
    """Trains a model: ``train("mnist", epochs=2)``, ``train(data="people.csv", target="left")``.

    Args:
        experiment: an entry of ``configs/experiment`` that makes one run; None is mnist, or what suits your own ``data``.
        overrides: ``"optimizer.lr=0.05"`` and the like.
        settings: any flag of ``dl train`` (``epochs=2``, ``seed=1``) or group (``model="mlp"``).

    Raises:
        dlcli.errors.DlcliError: where ``dl train`` would say so.
    """
    from dlcli.config.catalog import sweeps
    from dlcli.errors import UsageError

    if experiment is not None and sweeps(experiment):
        raise UsageError(f"'{experiment}' is a sweep; train() makes one run", hint=f"dl train {experiment}")
    return _run("train", [*filter(None, [experiment]), *overrides], settings)


def evaluate(*overrides: str, **settings: Any) -> Result:
    """Measures a model; ``run=`` takes a result or a model reference."""
    return _run("evaluate", list(overrides), settings)


def finetune(*overrides: str, **settings: Any) -> Result:
    """Adapts a model to other data: ``finetune(run=run, data="digits")``."""
    return _run("finetune", list(overrides), settings)


def attack(name: str = "fgsm", *overrides: str, **settings: Any) -> Result:
    """Attacks a model: ``attack("fgsm", "attack.epsilon=0.1", run=run)``."""
    return _run("attack", [name, *overrides], settings)


def explain(name: str = "gradcam", *overrides: str, **settings: Any) -> Result:
    """Explains a model's predictions: ``explain("gradcam", run=run)``."""
    return _run("explain", [name, *overrides], settings)


def predict(*paths: str, run: Result | str | None = None, **settings: Any) -> Predicted:
    """Predicts images, folders of images or CSV files: ``predict("photo.png", run=run).items``.

    Args:
        paths: what to predict.
        run: a result or a model reference; None is the newest finished model, else the shipped one.
        settings: fields of :class:`dlcli.commands.predict.PredictSettings` (``top=5``, ``threshold="f1"``).
    """
    from dataclasses import fields

    from dlcli.commands.console import Talk
    from dlcli.commands.predict import PredictSettings
    from dlcli.commands.predict import predict as task
    from dlcli.data.given import given
    from dlcli.errors import UsageError, did_you_mean

    known = [field.name for field in fields(PredictSettings)]
    for name in settings:
        if name not in known:
            raise UsageError(f"predict has no setting '{name}'{did_you_mean(name, known)}", hint=f"one of {', '.join(known)}")
    reference = None if run is None else _reference(run)
    return task(given([str(path) for path in paths]), PredictSettings(run=reference, **settings), Talk(quiet=True))


def load(reference: Result | str, *, checkpoint: str = "best", device: str = "auto") -> Classifier:
    """Returns the classifier that a result or a model reference names: raw inputs in, logits out, in evaluation mode."""
    from dlcli.commands.console import Talk
    from dlcli.commands.models import load_model
    from dlcli.engine.device import choose_device

    return load_model(_reference(reference), which=checkpoint, device=choose_device(device), talk=Talk(quiet=True)).model


def _run(verb: str, words: list[str], settings: dict[str, Any]) -> Result:
    from dlcli.cli.options import FLAGS
    from dlcli.cli.verbs import run_verb
    from dlcli.config.catalog import groups_of
    from dlcli.errors import UsageError, did_you_mean

    flags = FLAGS[verb]
    values = {name: flag.default for name, flag in flags.items()} | {"quiet": True}
    for name, value in settings.items():
        own = name if name in flags else next((known for known, flag in flags.items() if flag.key == name), None)
        if own in _COMMAND_LINE_ONLY:
            raise UsageError(f"{name} belongs on the command line; {verb}() makes one run", hint="call it once per run")
        if own is not None:
            values[own] = _reference(value) if own in {"run", "start_from"} and value is not None else value
        elif name in groups_of(verb):
            words = [*words, f"{name}={value}"]
        else:
            known = [*flags, *groups_of(verb)]
            raise UsageError(f"{verb} has no setting '{name}'{did_you_mean(name, known)}", hint='others as "key=value"')
    result: Result = run_verb(verb, words, values)[0]
    return result


def _reference(value: Any) -> str:
    return value if isinstance(value, str) else str(value.path)
