"""The flags of the verbs that make a run: declared once, each with the config key that it stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from dlcli.cli.completion import complete_word

_HYDRA = "Hydra"
OUTPUT = "Output"


@dataclass(frozen=True)
class Flag:
    """A typed flag.

    Args:
        type: its Python type; ``bool`` is a switch.
        names: as typed, the first one is canonical.
        help: one line.
        key: the config key that it overrides, or None where it is not configuration.
        metavar: what stands for the value on the help page.
        panel: the help panel, or None for the main one.
        default: value where it is not given.
        number: text that is a number to the configuration; all other text stays text.
        on: what a switch sets its key to.
    """

    type: Any
    names: tuple[str, ...]
    help: str
    key: str | None = None
    metavar: str | None = None
    panel: str | None = None
    default: Any = None
    number: bool = False
    on: str = "true"

    def typed(self, value: Any) -> list[str]:
        """Returns the flag with its value as words of a command line."""
        return [self.names[0]] if value is True else [self.names[0], str(value)]


def _switch(*names: str, says: str, key: str | None = None, panel: str | None = None, on: str = "true") -> Flag:
    return Flag(bool, names, says, key, " ", panel=panel, default=False, on=on)


_EVERYWHERE: Mapping[str, Flag] = {
    "name": Flag(str, ("--name",), "Name of the run's folder.", "name", "NAME"),
    "seed": Flag(int, ("--seed",), "Seed of everything random but the data split.", "seed", "N"),
    "device": Flag(str, ("--device",), "auto, cpu, cuda, cuda:1 or mps.", "device", "DEVICE"),
    "workers": Flag(int, ("--workers",), "Loader processes, for streamed data only.", "workers", "N"),
    "dry_run": _switch("--dry-run", says="Show configuration, sizes and cost; write nothing."),
    "trust": Flag(str, ("--trust",), "Your own package, whose classes may be built.", metavar="PACKAGE"),
    "json": _switch("--json", says="Print result.json on standard output.", panel=OUTPUT),
    "quiet": _switch("--quiet", "-q", says="Say nothing but warnings and errors.", panel=OUTPUT),
    "open": _switch("--open", says="Show the first picture with the desktop's viewer.", panel=OUTPUT),
    "debug": _switch("--debug", says="Show the traceback of a failure.", panel=OUTPUT),
    "multirun": _switch("--multirun", "-m", says="Sweep: KEY=a,b runs once per value.", panel=_HYDRA),
    "cfg": Flag(str, ("--cfg", "-c"), "Print the configuration: job, hydra or all.", metavar="WHAT", panel=_HYDRA),
    "package": Flag(str, ("--package", "-p"), "With --cfg: only this part.", metavar="KEY", panel=_HYDRA),
    "info": Flag(str, ("--info", "-i"), "Explain it: defaults-tree, searchpath, plugins …", metavar="WHAT", panel=_HYDRA),
    "config_dir": Flag(str, ("--config-dir",), "Your own configs; they win over shipped ones.", metavar="FOLDER", panel=_HYDRA),
}
_RUN = Flag(str, ("--run", "--from"), "Model: latest, a name, id, path or builtin:mnist.", "run", "RUN")
_CHECKPOINT = Flag(str, ("--checkpoint",), "best, last or a step number.", "checkpoint", "WHICH")
_FIT: Mapping[str, Flag] = {
    "data": Flag(str, ("--data",), "Data set, your folder of images, or your CSV.", metavar="NAME|DIR|CSV"),
    "target": Flag(str, ("--target",), "With --data FILE.csv: the column to predict.", metavar="COLUMN"),
    "epochs": Flag(int, ("--epochs",), "Passes over the training data.", "trainer.epochs", "N"),
    "batch_size": Flag(int, ("--batch-size", "-b"), "Training examples per step.", "trainer.batch_size", "N"),
    "limit_train": Flag(
        str, ("--limit-train",), "1000 = so many training examples, 0.1 = that share.", "limit_train", "N", number=True
    ),
    "overfit": Flag(int, ("--overfit",), "Train and validate on the same N examples.", "overfit", "N"),
    "fast_dev_run": _switch("--fast-dev-run", says="A few steps of everything, to see that it runs.", key="fast_dev_run"),
    "class_weights": Flag(
        str, ("--class-weights",), "balanced = rare classes count more.", "loss.class_weights", "WHICH", number=True
    ),
    "adversary": Flag(str, ("--adversary",), "Train against attacks: pgd, fgsm_rs or trades.", "adversary", "NAME"),
    "lr_find": _switch("--lr-find", says="First test rising learning rates; training stays the same.", key="lr_find"),
    "seeds": Flag(int, ("--seeds",), "Run with seeds 0 … N-1; report mean and interval.", metavar="N"),
    "resume": Flag(str, ("--resume",), "Continue an unfinished run; alone: the newest.", metavar="RUN"),
}
_USE: Mapping[str, Flag] = {
    "run": _RUN,
    "checkpoint": _CHECKPOINT,
    "split": Flag(str, ("--split",), "train, val or test.", "split", "SPLIT"),
    "limit": Flag(int, ("--limit",), "Only the first N examples of the split.", "limit", "N"),
    "batch_size": Flag(int, ("--batch-size", "-b"), "Examples at once.", "batch_size", "N"),
}
_TRANSFER: Mapping[str, Flag] = {
    "backbone": Flag(
        str, ("--backbone",), "Start from published weights: resnet18, efficientnet_lite0 …", "backbone", "NAME", number=True
    ),
    "weights": Flag(str, ("--weights",), "imagenet, a set's name, a .safetensors or .pth file, none.", "weights", "WHICH"),
    "strategy": Flag(
        str, ("--strategy",), "head-first, full, gradual, last-N or linear-probe.", "strategy", "STRATEGY", number=True
    ),
    "labels": Flag(int, ("--labels",), "So many labelled examples in train and val together.", "labels", "N"),
    "size": Flag(int, ("--size",), "Side of what a backbone sees, in pixels.", "size", "N"),
    "no_baseline": _switch("--no-baseline", says="Do not train a backbone from scratch beside it.", key="baseline", on="false"),
    "full_test": _switch("--full-test", says="Test a backbone on all test examples, not on 2,000.", key="limit_test", on="null"),
    "compare": Flag(str, ("--compare",), "10,30,100 labels per class: probe, finetuned, from scratch.", "compare", "N,N,…"),
}
_IMAGES = Flag(str, ("--images",), "Your own images without labels: a file or folder.", "images", "FILE|DIR")
FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "train": {
        "cv": Flag(str, ("--cv",), "Tables: 5 folds, or 5x5; then one model on all rows.", "cv", "N|NxM", number=True),
        "start_from": Flag(str, ("--from", "--run"), "Start from this model's weights (same network).", "start_from", "RUN"),
        **_FIT,
        **_EVERYWHERE,
    },
    "finetune": {**_TRANSFER, "run": _RUN, "checkpoint": _CHECKPOINT, **_FIT, **_EVERYWHERE},
    "evaluate": {
        **_USE,
        "data": Flag(str, ("--data",), "Other data of the same classes: a set, a folder, a CSV.", metavar="NAME|DIR|CSV"),
        "target": _FIT["target"],
        "attack": Flag(str, ("--attack",), "Also under this attack, side by side: fgsm.", "attack", "NAME"),
        "groups": Flag(str, ("--groups",), "Compare groups: Gender,Age:18-30-40-50, FILE.csv:COLUMN.", "groups", "COLUMNS"),
        "without_groups": _switch("--without-groups", says="Train it again without these columns, too.", key="without_groups"),
        "fail_on": Flag(str, ("--fail-on",), "Exit 1 if so: 'fairness/dp_difference>0.1,…'.", "fail_on", "BOUNDS"),
        **_EVERYWHERE,
    },
    "attack": {
        **_USE,
        "images": _IMAGES,
        "budget": Flag(str, ("--budget",), "Report: the best answer in 60s or 5m.", "budget", "TIME"),
        "against": Flag(str, ("--against",), "Report: a second model, paired on the same examples.", "against", "RUN"),
        "resume": Flag(str, ("--resume",), "Continue an unfinished attack or report; alone: the newest.", metavar="RUN"),
        "targeted": Flag(str, ("--targeted",), "What to be taken for: a class, random, least-likely.", "targeted", "CLASS"),
        "source": Flag(str, ("--source",), "Make the examples on this model, judge them on --run's.", "source", "RUN"),
        "immutable": Flag(str, ("--immutable",), "Tables: columns that nobody can change.", "immutable", "NAME,NAME"),
        "save_examples": _switch("--save-examples", says="Keep all adversarial examples, not only 1,000.", key="save_examples"),
        **_EVERYWHERE,
    },
    "explain": {
        **_USE,
        "images": _IMAGES,
        "explained": Flag(str, ("--class",), "The class explained: predicted, label, runner-up, NAME.", "explained", "CLASS"),
        "select": Flag(str, ("--select",), "worst, uncertain, per-class, random, flipped-by:RUN.", "select", "WHICH"),
        "layer": Flag(str, ("--layer",), "Layer that a CAM looks at.", "explainer.layer", "NAME"),
        "list_layers": _switch("--list-layers", says="Show what --layer may name.", key="list_layers"),
        "evidence": _switch("--evidence", says="Weigh the evidence for each map, however long.", key="evidence"),
        "no_evidence": _switch("--no-evidence", says="Maps alone.", key="evidence", on="false"),
        "thorough": _switch("--thorough", says="More evidence, more draws.", key="thorough"),
        "against": Flag(str, ("--against",), "Compare: the other model.", "study.against", "RUN"),
        "groups": Flag(str, ("--groups",), "Columns: groups compared, Gender,Age:18-30-40.", "study.groups", "COLUMNS"),
        "immutable": Flag(str, ("--immutable",), "Counterfactual: what nobody can change.", "study.immutable", "NAME,NAME"),
        "require": Flag(str, ("--require",), "Exit 1 if a map is less: supported or weak.", "require", "VERDICT"),
        **_EVERYWHERE,
    },
}


def with_flags(verb: str, metavar: str, words_help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Returns a decorator that gives a command the words and flags of ``verb``; it is called as (words, values)."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def wrapper(**values: Any) -> None:
            command(values.pop("words") or [], values)

        words = inspect.Parameter(
            "words",
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Argument(None, metavar=metavar, help=words_help, autocompletion=complete_word, show_default=False),
            annotation=list[str],
        )
        parameters = [words]
        for name, flag in FLAGS[verb].items():
            option = typer.Option(
                flag.default, *flag.names, help=flag.help, metavar=flag.metavar, rich_help_panel=flag.panel, show_default=False
            )
            annotation = bool if flag.type is bool else flag.type | None
            parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation))
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        wrapper.__name__, wrapper.__doc__ = verb, command.__doc__
        return wrapper

    return decorate
