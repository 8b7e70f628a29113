"""Metrics with their intervals, classes, confusion, calibration, thresholds and mistakes, as sections of a report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dlcli.report.dossier import Dossier, Evidence
from dlcli.report.model_summary import SPLIT_WORDS, class_figures
from dlcli.report.numbers import LABELS, Entry, bounds, count, figure, label, number, sample_size, value_of, written
from dlcli.report.page import Block, Missing, Picture, Section, Table, Text

_MOST_CLASSES = 40
_PER_CLASS = ("precision", "recall", "f1")
_CALIBRATION = ("nll", "brier", "ece", "adaptive_ece")
# These have a section of their own.
_ELSEWHERE = re.compile(
    r"(cv|test|val|train)/((precision|recall|f1)/\d+|threshold/.*|calibrated/.*|ece_if_calibrated|without_groups/.*)|(calibration|fairness)/.*"
)
_BASELINES = {"logistic_regression": "logistic regression", "majority": "the most frequent class"}
_MOST_NUMBERED = 40
_THRESHOLDS = {"half": "one half", "balanced_accuracy": "best balanced accuracy", "f1": "best F1"}


def results(dossier: Dossier) -> Section:
    """Returns the metrics of the evaluation, those of training beside them where they differ, and baselines."""
    run = dossier.figures
    blocks: list[Block] = [metrics_table(f"{SPLIT_WORDS[run.split].capitalize()} figures of {run.verb} {run.id}", run.metrics)]
    if run is dossier.model:
        blocks.append(
            Missing("what only an evaluation says; these figures are of the end of training", f"dl evaluate --run {run.id}")
        )
    blocks += _baselines(dossier.model)
    others = [other for other in dossier.of("evaluate") if other is not run]
    parts = [
        Section(_title(other), (metrics_table(f"Figures of {other.id}", other.metrics), *shots(other, _known_shots(run))))
        for other in others
    ]
    return Section("Results", tuple(blocks), tuple(parts))


def metrics_table(caption: str, metrics: Mapping[str, Entry]) -> Table:
    """Returns every metric that has no section of its own, with interval and sample size, well-known ones first."""
    order = list(LABELS)
    numbered = {name for name in metrics if name.rpartition("/")[2].isdecimal() and not _ELSEWHERE.fullmatch(name)}
    if len(numbered) > _MOST_NUMBERED:
        metrics = {name: entry for name, entry in metrics.items() if name not in numbered}
        caption += " (those of each class are in its result.json)"
    shown = [name for name in metrics if not _ELSEWHERE.fullmatch(name) and name.split("/")[1:2] not in [[b] for b in _BASELINES]]
    shown.sort(key=lambda name: order.index(last) if (last := name.rpartition("/")[2]) in order else len(order))
    mixed = len({name.split("/")[0] for name in shown}) > 1
    rows = []
    for name in shown:
        entry = metrics[name]
        where = f"{name.split('/')[0]} " if mixed and name.count("/") else ""
        whose = "from scratch: " if name.split("/")[1:2] == ["from_scratch"] else ""
        rows.append((f"{whose}{where}{label(name)}", written(name, entry.get("value")), bounds(name, entry), sample_size(entry)))
    return Table(caption, ("metric", "value", "95 % interval", "n"), tuple(rows))


def classes(dossier: Dossier) -> Section:
    """Returns precision, recall and F1 of each class, and the confusion matrix."""
    run, split = dossier.figures, dossier.figures.split
    found = {name: class_figures(run.metrics, split, name) for name in _PER_CLASS}
    recalls = found["recall"]
    blocks: list[Block] = []
    if recalls:
        places = sorted(recalls)
        if len(places) > _MOST_CLASSES:
            places = sorted(places, key=lambda place: recalls[place]["value"])[:_MOST_CLASSES]
            blocks.append(Text(f"The {_MOST_CLASSES} of {len(recalls)} classes that are found least often.", "aside"))
        rows = [_class_row(dossier.class_name(place), place, found) for place in places]
        header = ("class", "precision", "recall", "recall 95 %", "F1", "n")
        blocks.append(
            Table("Precision: how often the answer is right; recall: how much of the class is found", header, tuple(rows))
        )
    blocks += picture_or_missing(
        dossier, "confusion", "Confusion matrix: true classes in rows, predicted ones in columns", "which classes are mixed up"
    )
    return Section("Classes", tuple(blocks))


def calibration(dossier: Dossier) -> Section:
    """Returns calibration before and after temperature scaling, the reliability diagram, and thresholds."""
    run = dossier.with_metric(f"{dossier.figures.split}/calibrated/") or dossier.figures
    split = run.split
    temperature = value_of(run.metrics, "calibration/temperature")
    temperature = temperature if temperature is not None else _fitted(dossier, "temperature")
    rows = []
    for name in _CALIBRATION:
        before, after = run.metrics.get(f"{split}/{name}"), run.metrics.get(f"{split}/calibrated/{name}")
        if before:
            rows.append((label(name), figure(name, before), figure(name, after) if after else "–"))
    chance = run.metrics.get(f"{split}/ece_if_calibrated")
    if chance:
        rows.append((label("ece_if_calibrated"), figure("ece", chance), "–"))
    blocks: list[Block] = []
    if temperature is not None:
        blocks.append(Text(f"The temperature fitted on validation data is {temperature:.3f}: {_meaning(temperature)}."))
    if rows:
        blocks.append(Table("Smaller is better", ("metric", "as it is", "after temperature scaling"), tuple(rows)))
    alt = "Reliability diagram: how often answers were right against how sure the model was, with counts"
    blocks += picture_or_missing(dossier, "reliability", alt, "how far its probabilities can be believed")
    parts = [Section("Thresholds", part)] if (part := tuple(_thresholds(dossier))) else []
    return Section("Calibration", tuple(blocks), tuple(parts))


def mistakes(dossier: Dossier) -> Section:
    """Returns the worst examples as a picture, where the model reads images."""
    if dossier.is_table:
        run = next((run for run in dossier.evaluations if "predictions" in run.files), None)
        where = f"predictions.csv of evaluate {run.id} holds every row with its probabilities." if run else None
        hint: Block = Text(where) if where else Missing("which rows are wrong", f"dl evaluate --run {dossier.model.id}")
        return Section("Worst examples", (hint,))
    alt = "The most confident mistakes and the least certain examples, with what was predicted and what is true"
    return Section("Worst examples", tuple(picture_or_missing(dossier, "mistakes", alt, "its most confident mistakes")))


def picture_or_missing(dossier: Dossier, name: str, alt: str, missing: str) -> Iterator[Block]:
    """Yields the newest evaluation's picture of this name, or how it is made."""
    run = dossier.with_shot(name)
    if run is None:
        yield Missing(missing, f"dl evaluate --run {dossier.model.id}")
    else:
        yield Picture(
            run.shots[name].image,
            alt,
            f"{alt}. {SPLIT_WORDS[run.split].capitalize()} data, evaluate {run.id}.",
            run.shots[name].link,
        )


def shots(run: Evidence, known: frozenset[str] = frozenset()) -> Iterator[Block]:
    """Yields every picture of a run that is not shown elsewhere, by its name: what a new verb draws needs no word here."""
    for name, shot in run.shots.items():
        if name not in known:
            words = name.replace("_", " ")
            yield Picture(shot.image, f"{words} of {run.verb} {run.name}", f"{words}: {run.files.get(name, name)}", shot.link)


def _known_shots(run: Evidence) -> frozenset[str]:
    return frozenset({"confusion", "reliability", "mistakes"}) if run.verb == "evaluate" else frozenset()


def _title(run: Evidence) -> str:
    attack = run.config.get("attack")
    other = ", other data" if run.is_shifted else ""
    under = f", under {str(attack.get('_target_', 'attack')).rpartition('.')[2]}" if isinstance(attack, Mapping) else ""
    weights = "" if run.checkpoint == "best" else f", checkpoint {run.checkpoint}"
    return f"Evaluation on {SPLIT_WORDS[run.split]} data{other}{under}{weights}: {run.name} (n = {count(run.examples)})"


def _class_row(name: str, place: int, found: Mapping[str, Mapping[int, Entry]]) -> tuple[str, ...]:
    precision, recall, f1 = (found[kind].get(place, {}) for kind in _PER_CLASS)
    values = (written(kind, entry.get("value")) for kind, entry in zip(_PER_CLASS, (precision, recall, f1), strict=True))
    first, second, third = values
    return (name, first, second, bounds("recall", recall), third, sample_size(recall))


def _baselines(model: Evidence) -> Iterator[Block]:
    split = model.split
    there = [name for name in _BASELINES if model.metrics.get(f"{split}/{name}/accuracy")]
    if not there:
        return
    names = [
        n for n in ("accuracy", "balanced_accuracy", "auroc", "average_precision", "brier", "nll") if model.has(f"{split}/{n}")
    ]
    rows = [
        (
            label(name),
            figure(name, model.metrics[f"{split}/{name}"]),
            *(figure(name, model.metrics.get(f"{split}/{b}/{name}")) for b in there),
        )
        for name in names
    ]
    header = ("metric", "this model", *(_BASELINES[name] for name in there))
    yield Table(f"Beside simpler models ({SPLIT_WORDS[split]} data)", header, tuple(rows))


def _meaning(temperature: float) -> str:
    if temperature > 1.02:
        return "above 1, it was too sure of itself"
    return "below 1, it was surer than it dared to say" if temperature < 0.98 else "near 1, its probabilities needed no change"


def _fitted(dossier: Dossier, name: str) -> float | None:
    fitted = dossier.state.get("calibration")
    return number(fitted.get(name)) if isinstance(fitted, Mapping) else None


def _thresholds(dossier: Dossier) -> Iterator[Block]:
    split = dossier.figures.split
    prefix = f"{split}/threshold/"
    run = dossier.with_metric(prefix)
    if run is None:
        return
    names = dict.fromkeys(name.removeprefix(prefix).rpartition("/")[0] for name in run.metrics if name.startswith(prefix))
    rows = []
    for name in names:
        cells = (figure(kind, run.metrics.get(f"{prefix}{name}/{kind}")) for kind in ("precision", "recall", "selected"))
        rows.append((_threshold_words(name), written("at", run.metrics.get(f"{prefix}{name}/at", {}).get("value")), *cells))
    header = ("threshold chosen for", "at probability", "precision", "recall", "selected")
    positive = dossier.class_name(1)
    yield Table(
        f"Acting on {positive}: thresholds fitted on validation data, measured on {SPLIT_WORDS[split]} data", header, tuple(rows)
    )


def _threshold_words(name: str) -> str:
    top = re.fullmatch(r"top_(\d+)", name)
    return f"capacity for {top[1]} % of all" if top else _THRESHOLDS.get(name, name.replace("_", " "))
