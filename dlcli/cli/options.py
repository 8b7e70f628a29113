"""The flags of the verbs that make a run: declared once, each with the config key that it stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from dlcli.cli.completion import complete_word

_HYDRA = "Hydra"
_OUTPUT = "Output"


@dataclass(frozen=True)
class Flag:
    """A typed flag.

    Args:
        type: its Python type; ``bool`` is a switch.
        names: as typed, the first one is canonical.
        help: one line.
        key: the config key that it overrides, or None where it is not configuration.
        panel: the help panel, or None for the main one.
        default: value where it is not given.
    """

    type: Any
    names: tuple[str, ...]
    help: str
    key: str | None = None
    panel: str | None = None
    default: Any = None


_EVERYWHERE: Mapping[str, Flag] = {
    "name": Flag(str, ("--name",), "Name of the run's folder.", "name"),
    "seed": Flag(int, ("--seed",), "Seed of everything random but the data split.", "seed"),
    "device": Flag(str, ("--device",), "auto, cpu, cuda, cuda:1 or mps.", "device"),
    "workers": Flag(int, ("--workers",), "Loader processes for streamed data; data in memory needs none.", "workers"),
    "dry_run": Flag(bool, ("--dry-run",), "Show configuration, sizes and cost; write nothing.", default=False),
    "trust": Flag(str, ("--trust",), "A package of yours whose classes may be built."),
    "json": Flag(bool, ("--json",), "Print result.json on standard output.", panel=_OUTPUT, default=False),
    "quiet": Flag(bool, ("--quiet", "-q"), "Say nothing but warnings and errors.", panel=_OUTPUT, default=False),
    "open": Flag(bool, ("--open",), "Show the first picture with the desktop's viewer.", panel=_OUTPUT, default=False),
    "debug": Flag(bool, ("--debug",), "Show the traceback of a failure.", panel=_OUTPUT, default=False),
    "multirun": Flag(bool, ("--multirun", "-m"), "Sweep: KEY=a,b runs once per value.", panel=_HYDRA, default=False),
    "cfg": Flag(str, ("--cfg", "-c"), "Print the configuration: job, hydra or all.", panel=_HYDRA),
    "package": Flag(str, ("--package", "-p"), "With --cfg: only this part.", panel=_HYDRA),
    "info": Flag(str, ("--info", "-i"), "Print Hydra's: all, config, defaults, defaults-tree, plugins, searchpath.", panel=_HYDRA),
    "config_dir": Flag(str, ("--config-dir",), "A folder of your own configs; they win over shipped ones.", panel=_HYDRA),
}
_RUN = Flag(str, ("--run", "--from"), "Model: latest, a name, an id, a path or builtin:mnist.", "run")
_CHECKPOINT = Flag(str, ("--checkpoint",), "best, last or a step number.", "checkpoint")
_FIT: Mapping[str, Flag] = {
    "data": Flag(str, ("--data",), "Data set; dl list data shows them.", "data"),
    "epochs": Flag(int, ("--epochs",), "Passes over the training data.", "trainer.epochs"),
    "batch_size": Flag(int, ("--batch-size", "-b"), "Training examples per step.", "trainer.batch_size"),
    "limit_train": Flag(str, ("--limit-train",), "1000 = that many training examples, 0.1 = that share.", "limit_train"),
    "overfit": Flag(int, ("--overfit",), "Train and validate on the same N examples.", "overfit"),
    "fast_dev_run": Flag(bool, ("--fast-dev-run",), "A few steps of everything, to see that it runs.", "fast_dev_run", default=False),
    "seeds": Flag(int, ("--seeds",), "Run with seeds 0 … N-1 and report mean and interval."),
    "resume": Flag(str, ("--resume",), "Continue an unfinished run; alone: the newest."),
}
_USE: Mapping[str, Flag] = {
    "run": _RUN,
    "checkpoint": _CHECKPOINT,
    "split": Flag(str, ("--split",), "train, val or test.", "split"),
    "limit": Flag(int, ("--limit",), "Only the first N examples of the split.", "limit"),
    "batch_size": Flag(int, ("--batch-size", "-b"), "Examples at once.", "batch_size"),
}
FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "train": {
        "start_from": Flag(str, ("--from", "--run"), "Start from this model's weights (same network).", "start_from"),
        **_FIT,
        **_EVERYWHERE,
    },
    "finetune": {"run": _RUN, "checkpoint": _CHECKPOINT, **_FIT, **_EVERYWHERE},
    "evaluate": {**_USE, **_EVERYWHERE},
    "attack": {**_USE, **_EVERYWHERE},
    "explain": {**_USE, **_EVERYWHERE},
}


def with_flags(verb: str, metavar: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Returns a decorator that gives a command the words and flags of ``verb``; it is called as (words, values)."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def wrapper(**values: Any) -> None:
            command(values.pop("words") or [], values)

        words = inspect.Parameter(
            "words",
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Argument(None, metavar=metavar, autocompletion=complete_word, show_default=False),
            annotation=list[str],
        )
        parameters = [words]
        for name, flag in FLAGS[verb].items():
            option = typer.Option(flag.default, *flag.names, help=flag.help, rich_help_panel=flag.panel, show_default=False)
            annotation = bool if flag.type is bool else flag.type | None
            parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation))
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        wrapper.__name__, wrapper.__doc__ = verb, command.__doc__
        return wrapper

    return decorate
