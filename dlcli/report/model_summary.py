"""The report's first section: what the model is and what its figures come to, one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dlcli.report.dossier import Dossier, Evidence
from dlcli.report.numbers import Entry, count, figure, number, sample_size, value_of, written
from dlcli.report.page import Block, Facts, Section, Text

_PLACE = re.compile(r"[0-9]{1,6}")  # more digits are no class, and thousands of them no number that Python reads
SPLIT_WORDS = {"test": "test", "cv": "cross-validated", "val": "validation", "train": "training"}


def summary(dossier: Dossier) -> Section:
    """Returns the headline figure and the verdicts that the figures give."""
    blocks: list[Block] = [Facts(tuple(_facts(dossier)))]
    blocks += [Text(sentence, "verdict") for sentence in verdicts(dossier)]
    blocks += [Text(sentence, "warning") for sentence in cautions(dossier)]
    return Section("Summary", tuple(blocks))


def headline(dossier: Dossier) -> str:
    """Returns the model's accuracy with its interval and the examples that it rests on."""
    run, split = dossier.figures, dossier.figures.split
    entry = run.metrics.get(f"{split}/accuracy", {})
    size = sample_size(entry)
    return f"{figure('accuracy', entry)} {SPLIT_WORDS[split]} accuracy" + (f" (n = {size})" if size else "")


def _facts(dossier: Dossier) -> Iterator[tuple[str, str]]:
    model = dossier.model
    kind = {"image": "images", "table": "rows of a table"}.get(str(dossier.spec.get("kind")), "examples")
    what = f"a classifier of {kind} into {len(dossier.classes)} classes" if dossier.classes else "a classifier"
    yield "What it is", f"{what}, trained on {dossier.spec.get('name', 'unknown data')}"
    yield "Run", f"{model.verb} {model.name} {model.id}"
    yield "Accuracy", headline(dossier)
    yield (
        "Made",
        f"{model.start[:10] or 'unknown'}, {model.seconds:.1f} s on {model.information.get('device', 'an unknown device')}",
    )


def verdicts(dossier: Dossier) -> Iterator[str]:
    """Yields a sentence for each thing that was measured: against a baseline, weakest class, calibration, groups, attacks.

    Of a finetuned network first whether pretraining has helped, as its run found.
    """
    run, split = dossier.figures, dossier.figures.split
    found = dossier.model.information.get("verdict")
    if isinstance(found, str):
        yield f"{found[:1].upper()}{found[1:]}."
    yield from _against_baseline(dossier.model, split)
    yield from _ranking(dossier, run, split)
    yield from _weakest_class(dossier, run, split)
    ece, after = (value_of(run.metrics, f"{split}/{name}") for name in ("ece", "calibrated/ece"))
    if ece is not None:
        scaled = "" if after is None else f"; after temperature scaling {100 * after:.1f}"
        off = f"Its probabilities are off by {100 * ece:.1f} percentage points on average (calibration error)"
        yield f"{off}{scaled}{_by_chance(run, ece)}."
    for attack in dossier.probes:
        yield from _under_attack(attack, dossier)
    for column, verdict in group_verdicts(dossier):
        yield f"{column}: {verdict}"


def _by_chance(run: Evidence, ece: float) -> str:
    """Whether a calibrated model would show as large an error on so few examples."""
    high = number(run.metrics.get(f"{run.split}/ece_if_calibrated", {}).get("high"))
    if high is None:
        return ""
    return f"; chance alone makes up to {100 * high:.1f}" + ("" if ece > high else ", so this shows no fault")


def group_verdicts(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Yields (column, verdict) as the newest evaluation with groups found them."""
    run = next((run for run in dossier.evaluations if run.groups is not None), None)
    columns = run.groups.get("columns") if run is not None and run.groups is not None else None
    for column in columns if isinstance(columns, list) else ():
        if isinstance(column, Mapping) and isinstance(column.get("verdict"), str):
            yield str(column.get("column", "?")), column["verdict"]


def cautions(dossier: Dossier) -> Iterator[str]:
    """Yields what a reader must know before trusting the figures."""
    if dossier.model.information.get("fast_dev_run"):
        yield "this was a trial run of a few steps (--fast-dev-run); its figures say nothing about the model."
    if dossier.figures.split == "train":
        yield "the accuracy is of the examples that it learned from, and says nothing about others."
    if dossier.figures.split == "val":
        yield "the accuracy is of validation examples, which chose the weights; it flatters the model."
    yield from dossier.remarks
    for run in (dossier.model, *dossier.measured):
        for remark in run.remarks:
            yield f"{run.verb} {run.name} {run.id}: {remark}"


def _against_baseline(model: Evidence, split: str) -> Iterator[str]:
    own = model.metrics.get(f"{split}/accuracy")
    most = model.metrics.get(f"{split}/majority/accuracy")
    if not isinstance(own, Mapping) or not isinstance(most, Mapping):
        return
    low, base = number(own.get("low")), number(most.get("value"))
    if low is None or base is None:
        return
    always = f"always answering the most frequent class is right in {written('accuracy', base)}"
    if low > base:
        yield f"It is better than no model: {always}."
    else:
        yield f"By accuracy it is not shown to be better than no model: {always}, which its interval does not exclude."


def _ranking(dossier: Dossier, run: Evidence, split: str) -> Iterator[str]:
    entry = run.metrics.get(f"{split}/auroc")
    if not entry or len(dossier.classes) != 2 or number(entry.get("value")) is None:
        return
    area, positive = figure("auroc", entry), dossier.class_name(1)
    yield f"Of one example that is {positive} and one that is not it ranks the first higher with chance {area}; a guess, 0.5."


def _weakest_class(dossier: Dossier, run: Evidence, split: str) -> Iterator[str]:
    recalls = class_figures(run.metrics, split, "recall")
    if len(recalls) < 2:
        return
    place, entry = min(recalls.items(), key=lambda item: item[1]["value"])
    name = dossier.class_name(place)
    found = f"{figure('recall', entry)} of its {sample_size(entry)} examples are found"
    yield f"The class that it misses most often is {name}: {found}."


def class_figures(metrics: Mapping[str, Entry], split: str, name: str) -> dict[int, Entry]:
    """Returns one metric's finite entries by class number."""
    prefix = f"{split}/{name}/"
    found = {key.removeprefix(prefix): entry for key, entry in metrics.items() if key.startswith(prefix)}
    right = {place: entry for place, entry in found.items() if _PLACE.fullmatch(place) and number(entry.get("value")) is not None}
    return {int(place): entry for place, entry in right.items()}


def _under_attack(run: Evidence, dossier: Dossier) -> Iterator[str]:
    robust = run.metrics.get("attack/robust_accuracy")
    clean = run.metrics.get("attack/clean_accuracy") or run.metrics.get(f"{run.split}/accuracy")
    if not clean or not robust:
        return
    noise = run.metrics.get("attack/noise_accuracy") if attack_name(run) != "noise" else None
    beside = f"; random noise of the same size leaves {written('accuracy', noise.get('value'))}" if noise else ""
    fall = f"from {written('accuracy', clean.get('value'))} to {figure('accuracy', robust)}"
    part = str(run.config.get("split", "test"))
    where = "" if part == "test" else f" on {SPLIT_WORDS.get(part, part)} data"
    yield f"Under {attack_name(run)}{threat_of(run, dossier)}{where} accuracy goes {fall}, n = {count(robust.get('n'))}{beside}."


def attack_name(run: Evidence) -> str:
    """Returns what an attack is called: an attack run by its own name, an evaluation by its attack's."""
    attack = run.config.get("attack")
    if run.verb == "attack" or not isinstance(attack, Mapping):
        return run.name
    return str(attack.get("_target_", "attack")).rpartition(".")[2]


def asked_of(run: Evidence) -> str:
    """Returns what sets a run apart from the usual: ``", checkpoint last, on training data"``; empty where nothing does."""
    part, limit = str(run.config.get("split", "test")), run.config.get("limit")
    said = "" if run.checkpoint == "best" else f", checkpoint {run.checkpoint}"
    said += "" if part == "test" else f", on {SPLIT_WORDS.get(part, part)} data"
    return said + ("" if limit is None else f", limit {limit}")


def threat_of(run: Evidence, dossier: Dossier) -> str:
    """Returns how far an attack may go, as its command set it: ``" (linf, epsilon 0.1)"``; empty where nothing is recorded."""
    node = run.config.get("attack")
    if not isinstance(node, Mapping):
        return ""
    norm, epsilon = str(node.get("norm") or ""), node.get("epsilon")
    if epsilon == "auto":
        defaults = dossier.spec.get("epsilon")
        epsilon = defaults.get(norm, "auto") if isinstance(defaults, Mapping) else "auto"
    if epsilon is None:  # A minimum-norm attack has none; its accuracy is for the data's.
        epsilon = run.metrics.get("attack/epsilon", {}).get("value")
    said = ", ".join(filter(None, [norm, "" if epsilon is None else f"epsilon {epsilon}"]))
    return f" ({said})" if said else ""
