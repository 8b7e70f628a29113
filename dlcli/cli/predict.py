"""``dl predict``: what a model says about new images and rows."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

_PATHS = typer.Argument(None, metavar="FILE|DIR", help="Images, folders of images, or CSV files.", show_default=False)
_RUN = "Model: latest, a name, id, path or builtin:mnist."
_THRESHOLD = "Two classes: f1, balanced_accuracy, top_10 … or a number."


def predict(
    *,
    paths: list[str] | None = _PATHS,
    run: str | None = typer.Option(
        None, "--run", "--from", metavar="RUN", help="Model: latest, a name, id, path or builtin:mnist."
    ),
    checkpoint: str = typer.Option("best", "--checkpoint", metavar="WHICH", help="best, last or a step number."),
    top: int = typer.Option(3, "--top", metavar="N", help="So many classes for each example."),
    threshold: str | None = typer.Option(None, "--threshold", metavar="WHICH", help=_THRESHOLD),
    ingest: str = typer.Option("auto", "--ingest", metavar="HOW", help="plain: photos go in as they are."),
    limit: int = typer.Option(10, "--limit", "-n", metavar="N", help="Show the first N answers."),
    everything: bool = typer.Option(False, "--all", help="Show all answers."),
    csv: str | None = typer.Option(None, "--csv", metavar="FILE", help="Write all answers to a CSV file."),
    picture: str | None = typer.Option(None, "--picture", metavar="FILE", help="Write what the network saw to a PNG file."),
    batch_size: int = typer.Option(64, "--batch-size", "-b", metavar="N", help="Examples at once."),
    device: str = typer.Option("auto", "--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps."),
    trust: str | None = typer.Option(None, "--trust", metavar="PACKAGE", help="Your own package, whose classes may be built."),
    as_json: bool = typer.Option(False, "--json", help="Print all answers as JSON."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Only the answers, warnings and errors."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """Predict new images or rows with a trained model.

    dl predict photo.jpg                    the newest model
    dl predict photos --csv answers.csv     a folder
    dl predict people.csv --run attrition   who is at risk
    """
    settings: dict[str, Any] = {"run": run, "checkpoint": checkpoint, "device": device, "batch_size": batch_size, "top": top}
    settings |= {"threshold": threshold, "ingest": ingest, "limit": None if everything else limit, "csv": csv, "picture": picture}
    _answer(paths or [], settings, trust=trust, as_json=as_json, quiet=quiet)


def _answer(paths: list[str], values: dict[str, Any], *, trust: str | None, as_json: bool, quiet: bool) -> None:
    """Predicts, and prints the answers."""
    from dlcli.cli.verbs import trusting
    from dlcli.data.given import given
    from dlcli.errors import UsageError
    from dlcli.report.text import safe

    if not paths:
        raise UsageError("name what to predict", hint="dl predict photo.jpg, a folder of images, or FILE.csv")
    found = given(paths)  # what is not there is said at once: PyTorch takes seconds to load
    if not quiet:
        sys.stderr.write(f"{safe(' '.join(['dl predict', *paths[:3]]))}{' …' if len(paths) > 3 else ''} · loading PyTorch …\n")
        sys.stderr.flush()
    from dlcli.commands.answers import print_answers
    from dlcli.commands.console import Talk
    from dlcli.commands.predict import PredictSettings, predict
    from dlcli.config.invocation import Invocation

    settings = PredictSettings(**values)
    talk = Talk(quiet=quiet, about=Invocation(verb="predict"))
    with trusting(trust):
        predicted = predict(found, settings, talk)
    if as_json:
        sys.stdout.write(json.dumps({"schema": 1, "verb": "predict", "items": predicted.to_dicts()}, indent=1) + "\n")
    else:
        print_answers(predicted, limit=settings.limit)
        sys.stdout.flush()  # what to try next stands below the answers, also where both go to one file
        talk.next_commands(seen=["image" if all(item.line is None for item in predicted.items) else "table"])
