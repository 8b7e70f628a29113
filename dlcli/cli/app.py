"""The Typer app: every command of ``dl``."""

from __future__ import annotations

from typing import Any

import typer

from dlcli.cli import doctor, lists, runs
from dlcli.cli.options import with_flags
from dlcli.cli.verbs import run_verb

_EXAMPLES = """
Examples:

  dl train mnist                          train on the MNIST that ships with dlcli

  dl evaluate                             measure the newest model

  dl attack fgsm attack.epsilon=0.1       try to fool it

  dl explain gradcam                      see where it looks

  dl finetune --run latest --data digits  adapt it to other data
"""

app = typer.Typer(
    name="dl",
    help="Train, evaluate, finetune, attack and explain neural networks.",
    epilog=_EXAMPLES,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)
_WORK, _LOOK = "Work", "Look"


def verb_names() -> list[str]:
    """Returns the names of all commands."""
    return [str(command.name or getattr(command.callback, "__name__", "")) for command in app.registered_commands]


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True)) -> None:
    """Train, evaluate, finetune, attack and explain neural networks."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"dlcli {installed('dlcli')}")
        raise typer.Exit


@app.command("train", rich_help_panel=_WORK)
@with_flags("train", "[EXPERIMENT] [KEY=VALUE]...")
def train(words: list[str], values: dict[str, Any]) -> None:
    """Train a model: dl train mnist optimizer.lr=0.05

    dl train mnist --epochs 5 · dl train mnist model=mlp · dl train mnist -m optimizer.lr=0.05,0.1 ·
    dl train mnist --seeds 5 · dl train --resume
    """
    run_verb("train", words, values)


@app.command("evaluate", rich_help_panel=_WORK)
@with_flags("evaluate", "[KEY=VALUE]...")
def evaluate(words: list[str], values: dict[str, Any]) -> None:
    """Measure a model: dl evaluate --run latest

    dl evaluate --run mnist --split val · dl evaluate --run builtin:mnist --json
    """
    run_verb("evaluate", words, values)


@app.command("finetune", rich_help_panel=_WORK)
@with_flags("finetune", "[KEY=VALUE]...")
def finetune(words: list[str], values: dict[str, Any]) -> None:
    """Adapt a model to other data: dl finetune --run latest --data digits

    dl finetune --run builtin:mnist --data digits --epochs 5
    """
    run_verb("finetune", words, values)


@app.command("attack", rich_help_panel=_WORK)
@with_flags("attack", "[ATTACK] [KEY=VALUE]...")
def attack(words: list[str], values: dict[str, Any]) -> None:
    """Try to fool a model: dl attack fgsm attack.epsilon=8/255

    dl attack fgsm --limit 1000 · dl attack fgsm attack.norm=l2 · dl attack noise
    """
    run_verb("attack", words, values)


@app.command("explain", rich_help_panel=_WORK)
@with_flags("explain", "[EXPLAINER] [KEY=VALUE]...")
def explain(words: list[str], values: dict[str, Any]) -> None:
    """See where a model looks: dl explain gradcam

    dl explain gradcam --limit 24 · dl explain saliency --run builtin:mnist
    """
    run_verb("explain", words, values)


app.command("runs", rich_help_panel=_LOOK)(runs.runs)
app.command("list", rich_help_panel=_LOOK)(lists.list_entries)
app.command("doctor", rich_help_panel=_LOOK)(doctor.doctor)
