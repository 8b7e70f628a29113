"""``--select worst|uncertain|per-class|random|flipped-by:ATTACK_RUN``: which examples are explained."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcli.classifier import probabilities
from dlcli.commands.subject import Subject
from dlcli.config.stored import read_stored
from dlcli.engine.evaluate import evaluate, joined
from dlcli.errors import DataError, UsageError, did_you_mean
from dlcli.randomness import SampleKeys
from dlcli.runs.find import find_run
from dlcli.runs.folder import read_file
from dlcli.runs.run import read_config

RULES = ("worst", "uncertain", "per-class", "random")
FLIPPED = "flipped-by:"


def check_selection(text: str | None, *, labelled: bool) -> None:
    """Raises UsageError for a selection that does not exist, or needs labels that are not there."""
    if text is None:
        return
    if text not in RULES and not text.startswith(FLIPPED):
        hint = f"--select {', '.join(RULES)} or {FLIPPED}ATTACK_RUN"
        raise UsageError(f"--select {text}: there is no such selection{did_you_mean(text, RULES)}", hint=hint)
    if not labelled and (text == "worst" or text.startswith(FLIPPED)):
        raise UsageError(f"--select {text}: these images have no labels", hint="--select uncertain, per-class or random")


def selected_rows(
    text: str | None, subject: Subject, *, limit: int, batch_size: int, seed: int, split: str, check: Callable[[], None]
) -> Tensor:
    """Returns up to ``limit`` positions in the subject's split, int64, in the order in which they are shown.

    None takes the first ones; "worst" those whose true class is least likely, "uncertain" those whose two likeliest classes are
    closest, "per-class" as many of each class as there is room for (of its own predictions where there are no labels).

    Args:
        split: its name, which an attack run must have attacked.

    Raises:
        UsageError: the run that flipped examples is no attack on this model and split, or it flipped none.
        DataError: its table is damaged.
    """
    count = len(subject.split)
    if text is None:
        return torch.arange(min(limit, count))
    if text == "random":
        order: Tensor = SampleKeys(seed, torch.arange(count)).bits("explain/select", 0, ()).argsort()
        return order[:limit]
    if text.startswith(FLIPPED):
        return _flipped(text.removeprefix(FLIPPED), subject, split=split)[:limit]
    parts = []
    for part in evaluate(subject.loaded.model, subject.split, batch_size=batch_size):
        check()
        parts.append(part)
    found = joined(iter(parts))
    chances, targets = probabilities(found.logits), found.targets
    if text == "per-class":
        return _per_class(targets, limit=limit)
    if text == "worst":
        least: Tensor = chances.gather(1, targets[:, None])[:, 0].argsort(stable=True)
        return least[:limit]
    first, second = chances.topk(2, dim=1).values.T
    closest: Tensor = (first - second).argsort(stable=True)
    return closest[:limit]


def _per_class(targets: Tensor, *, limit: int) -> Tensor:
    """The first of each class, then the second of each, and so on; shown class by class."""
    order = targets.argsort(stable=True)
    counts = torch.bincount(targets)
    rank = torch.arange(len(targets)) - (counts.cumsum(0) - counts)[targets[order]]
    taken = order[rank.argsort(stable=True)][:limit].sort().values
    return taken[targets[taken].argsort(stable=True)]


def _flipped(reference: str, subject: Subject, *, split: str) -> Tensor:
    """The positions that an attack run turned from right to wrong."""
    info = find_run(reference, prefer=lambda run: run.verb == "attack" and run.state == "finished")
    table = Path(info.path) / "examples.csv"
    what = f"--select {FLIPPED}{reference}"
    if info.verb != "attack" or info.state != "finished" or not table.is_file():
        raise UsageError(f"{what}: run {info.id} is no finished attack with examples", hint="dl attack fgsm; dl runs lists them")
    if info.information.get("parent") != subject.loaded.reference:
        raise UsageError(
            f"{what}: that run attacked {info.information.get('parent')}, this is {subject.loaded.reference}",
            hint=f"--run {info.information.get('parent')}",
        )
    own = read_stored(read_config(info.path), source=f"{info.path}/config.yaml").get("split", split)
    if own != split:
        raise UsageError(f"{what}: that run attacked the {own} split", hint=f"--split {own}")
    rows = _rows(read_file(table), str(table), most=len(subject.split))
    if not rows:
        raise UsageError(f"{what}: that attack flipped nothing", hint="a stronger one, or --select worst")
    return torch.tensor(rows)


def _rows(data: bytes, source: str, *, most: int) -> list[int]:
    try:
        lines: Sequence[dict[str, str]] = list(csv.DictReader(io.StringIO(data.decode())))
        rows = [int(line["index"]) for line in lines if line["clean"] == line["target"] != line["attacked"]]
    except (KeyError, ValueError) as error:
        raise DataError(f"{source} is not the table of an attack run") from error
    if any(not 0 <= row < most for row in rows):
        raise DataError(f"{source} names examples that the data do not have")
    return rows
