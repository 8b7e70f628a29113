"""The Typer app: every command of ``dl``."""

from __future__ import annotations

from typing import Any

import typer

from dlcli.cli import data, doctor, fetch, learn, lists, predict, report, runs
from dlcli.cli.options import with_flags
from dlcli.cli.verbs import run_verb

app = typer.Typer(name="dl", pretty_exceptions_enable=False, context_settings={"help_option_names": ["--help", "-h"]})
_WORK, _LOOK = "Work", "Look"
_OVERRIDES = "overrides of the keys that --cfg job prints"


def verb_names() -> list[str]:
    """Returns the names of all commands."""
    return [str(command.name or getattr(command.callback, "__name__", "")) for command in app.registered_commands]


@app.callback(invoke_without_command=True)
def root(ctx: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True)) -> None:
    """Train, evaluate, finetune, attack and explain neural networks.

    dl train mnist                          train on digits
    dl evaluate                             measure it
    dl attack fgsm attack.epsilon=0.1       try to fool it
    dl explain gradcam                      see where it looks
    dl finetune --run latest --data digits  adapt it
    """
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"dlcli {installed('dlcli')}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@app.command("train", rich_help_panel=_WORK)
@with_flags("train", "EXPERIMENT|KEY=VALUE", f"One of dl list experiments; {_OVERRIDES}.")
def train(words: list[str], values: dict[str, Any]) -> None:
    """Train a model.

    dl train mnist                            shipped digits
    dl train mnist --epochs 5 optimizer.lr=0.05
    dl train mnist model=mlp optimizer=adam   other parts
    dl train mnist -m optimizer.lr=0.05,0.1   a sweep
    dl train mnist --seeds 5                  with interval
    dl train --resume                         after a stop
    """
    run_verb("train", words, values)


@app.command("evaluate", rich_help_panel=_WORK)
@with_flags("evaluate", "KEY=VALUE", f"{_OVERRIDES.capitalize()}.")
def evaluate(words: list[str], values: dict[str, Any]) -> None:
    """Measure a model on data that it has not seen.

    dl evaluate                               the newest model
    dl evaluate --run mnist --split val       by name; val
    dl evaluate --run builtin:mnist --json    for programs
    dl evaluate --run builtin:mnist --data digits   a shift
    dl evaluate --attack fgsm                 clean, robust
    dl evaluate --groups Gender,Age:18-30     who loses?
    """
    run_verb("evaluate", words, values)


@app.command("finetune", rich_help_panel=_WORK)
@with_flags("finetune", "KEY=VALUE", f"{_OVERRIDES.capitalize()}.")
def finetune(words: list[str], values: dict[str, Any]) -> None:
    """Adapt a model to other data; the head is replaced.

    dl finetune --backbone resnet18           ImageNet weights
    dl finetune --backbone efficientnet_lite0 --data DIR
    dl finetune --backbone resnet18 --compare 10,30,100
    dl finetune --run latest --data digits    your own model
    """
    run_verb("finetune", words, values)


@app.command("attack", rich_help_panel=_WORK)
@with_flags("attack", "ATTACK|KEY=VALUE", f"One of dl list attacks; {_OVERRIDES}.")
def attack(words: list[str], values: dict[str, Any]) -> None:
    """Try to fool a model with small changes of its inputs.

    dl attack fgsm --limit 1000
    dl attack fgsm attack.epsilon=8/255
    dl attack fgsm attack.norm=l2
    dl attack noise                           random changes
    dl attack report --limit 1000             all of them
    dl attack report --budget 60s             at once
    """
    run_verb("attack", words, values)


@app.command("explain", rich_help_panel=_WORK)
@with_flags("explain", "EXPLAINER|KEY=VALUE", f"One of dl list explainers; {_OVERRIDES}.")
def explain(words: list[str], values: dict[str, Any]) -> None:
    """See where a model looks.

    dl explain gradcam --limit 24
    dl explain gradcam --select worst --class label
    dl explain saliency --run builtin:mnist   single pixels
    dl explain gradients                      backpropagation, layer by layer
    dl explain auto                           methods by the evidence for them
    dl explain compare --run A --against B    two models, side by side
    dl explain counterfactual --run latest    tables: what would turn the answer
    """
    run_verb("explain", words, values)


app.command("predict", rich_help_panel=_WORK)(predict.predict)
app.command("learn", rich_help_panel=_LOOK)(learn.learn)
app.command("report", rich_help_panel=_LOOK)(report.report)
app.command("runs", rich_help_panel=_LOOK)(runs.runs)
app.command("data", rich_help_panel=_LOOK)(data.data)
app.command("fetch", rich_help_panel=_LOOK)(fetch.fetch)
app.command("list", rich_help_panel=_LOOK)(lists.list_entries)
app.command("doctor", rich_help_panel=_LOOK)(doctor.doctor)
