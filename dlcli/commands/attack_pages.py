"""The end of ``dl attack report``: figures, files, pictures, tables and the page."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import torch
from rich.console import RenderableType
from torch import Tensor

from dlcli.classifier import predicted_classes
from dlcli.commands.attack_budget import order_of
from dlcli.commands.attack_certified import (
    Certified,
    certified_csv,
    certified_metrics,
    certified_plot,
    certified_table,
    certified_words,
)
from dlcli.commands.attack_chain import CURVE, CURVE_STEPS, Examined, Link
from dlcli.commands.attack_masking import masking_csv, masking_metrics, masking_table, masking_words
from dlcli.commands.attack_results import (
    attack_csv,
    attack_table,
    class_table,
    curve_csv,
    curve_of,
    metrics_of,
    outcomes_csv,
)
from dlcli.commands.attack_study import RobustnessReport
from dlcli.commands.console import Talk
from dlcli.commands.session import plain_number
from dlcli.commands.subject import Subject
from dlcli.config.schema import AttackSettings
from dlcli.contracts import Metric
from dlcli.metrics.accuracy import confusion_counts
from dlcli.metrics.masking import Check
from dlcli.metrics.paired import mcnemar, paired_difference
from dlcli.metrics.robustness import histogram
from dlcli.randomness import SampleKeys
from dlcli.report import page_html, terminal
from dlcli.report.attack_page import Robustness, attack_page
from dlcli.report.images import to_uint8
from dlcli.report.page import Table
from dlcli.report.plots import confusion_plot
from dlcli.report.robust_plots import distance_plot, robust_curve_plot
from dlcli.report.sheet import image_rows
from dlcli.report.terminal import interval
from dlcli.report.text import safe
from dlcli.runs.run import Run

SHOWN = 6
_BARS = 20
# What costs are counted in: a narrow terminal shows the time alone.
_COUNTS = ("forwards", "backwards", "queries")


def conclude(
    run: Run,
    study: RobustnessReport,
    subject: Subject,
    found: Examined,
    *,
    checks: Sequence[Check],
    certified: Certified | None,
    other: tuple[Subject, Examined] | None,
    settings: AttackSettings,
    talk: Talk,
) -> tuple[dict[str, Metric], dict[str, str]]:
    """Writes and shows everything; returns the metrics and files of ``result.json``."""
    spec, effort = subject.loaded.model.spec, study.effort
    links = (*effort.chain(len(spec.classes)), effort.curve_link(steps=CURVE_STEPS))
    radii = effort.radii if CURVE in found.found else ()
    metrics = metrics_of(found, links, radii=radii, classes=len(spec.classes))
    title = f"{subject.loaded.name}: {plain_number(len(found.examined))} examples, {study.norm}, epsilon {study.epsilon:.4g}"
    tables: dict[str, list[Table]] = {"Attacks": [attack_table(found, links, caption=title)]}
    metrics |= masking_metrics(checks)
    tables["Can it be believed?"] = [masking_table(checks)]
    tables["Classes"] = [class_table(found, spec.classes)]
    curves = {subject.loaded.name: curve_of(found, radii)} if radii else {}
    pictures: dict[str, bytes] = {}
    if other is not None:
        metrics |= paired_metrics(found, other[1])
        tables["Against another model"] = [attack_table(other[1], links, caption=f"{other[0].loaded.name}, the same examples")]
    if certified is not None:
        metrics |= certified_metrics(certified)
        tables["Certified"] = [certified_table(certified)]
        pictures["certified"] = certified_plot(certified, plain=curves.get(subject.loaded.name))
    pictures |= _pictures(study, subject, found, links, curves, seed=settings.seed)
    files = {name: run.write(f"plots/{name}.png", data) for name, data in pictures.items()}
    if certified is not None:
        files["certified_values"] = run.write("certified.csv", certified_csv(certified, spec.classes))
    files |= {
        "masking": run.write("masking.csv", masking_csv(checks)),
        "attacks": run.write("attacks.csv", attack_csv(found, links)),
        "outcomes": run.write("outcomes.csv", outcomes_csv(found, spec.classes)),
    }
    if curves:
        files["curve_values"] = run.write("curve.csv", curve_csv(curves))
    verdicts = _verdicts(study, found, metrics, total=len(subject.split), budget=settings.budget)
    judged, *signs = masking_words(checks)
    verdicts = [verdicts[0], judged, *verdicts[1:], *([] if certified is None else [certified_words(certified)])]
    facts = Robustness(
        title=f"{subject.loaded.name}: robustness",
        lead=title,
        verdicts=verdicts,
        warnings=signs,
        tables=tables,
        pictures=pictures,
        made=f"Made by dl attack report, dlcli {importlib.metadata.version('dlcli')}, on {datetime.now(UTC):%Y-%m-%d}.",
    )
    files = {"report": run.write("report.html", page_html.html(attack_page(facts))), **files}
    _show(facts, curves, norm=study.norm, talk=talk)
    return metrics, files


def _show(facts: Robustness, curves: Mapping[str, Mapping[float, Metric]], *, norm: str, talk: Talk) -> None:
    """Tables, the curve and then what they say, since the end is what stays in sight."""
    for parts in facts.tables.values():
        for table in parts:
            talk.show(rich_table(table, width=talk.console.width))
    if curves:
        # The legend ends with a line's last value, so the name says of where it is.
        lines = {
            f"{name}, % at {max(curve):.3g}:": [(radius, 100 * metric.value) for radius, metric in curve.items()]
            for name, curve in curves.items()
        }
        talk.picture(terminal.curve(lines, width=min(talk.console.width, 72), x_label=f"radius ({norm})"))
    for sentence in (*facts.verdicts, *facts.warnings):
        talk.line(sentence)


def paired_metrics(found: Examined, other: Examined) -> dict[str, Metric]:
    """Returns the other model's robust accuracy less this one's, paired by example, and the p-value of McNemar's exact test."""
    rows = found.examined.sort().values
    first, second = found.standing()[rows], other.standing()[rows]
    return {
        "attack/paired/robust_accuracy_difference": paired_difference(first, second),
        "attack/paired/p_value": Metric(mcnemar(first, second), n=len(rows), method="mcnemar_exact"),
    }


def paired_words(metrics: Mapping[str, Metric]) -> str:
    """Returns what a paired test came to, for people."""
    gap, chance = metrics["attack/paired/robust_accuracy_difference"], metrics["attack/paired/p_value"].value
    assert gap.low is not None and gap.high is not None
    points = f"{100 * gap.value:+.2f} points [{100 * gap.low:+.2f}, {100 * gap.high:+.2f}]"
    told = "they can be told apart" if chance < 0.05 else "they cannot be told apart"
    return f"The other model less this one: {points} of robust accuracy, p = {chance:.3g} (exact McNemar): {told}"


def rich_table(table: Table, *, width: int = 200) -> RenderableType:
    """Returns a page's table for the terminal; in one that is narrow intervals stand below, and counts are left to the page."""
    from rich.table import Table as RichTable

    columns = list(zip(table.header, *table.rows, strict=True))
    narrow = sum(max(map(len, column)) + 2 for column in columns) - 2 > width
    shown = RichTable(title=safe(table.caption), title_justify="left", box=None, pad_edge=False)
    kept = []
    for place, (name, *cells) in enumerate(columns):
        is_number = place not in table.words
        if narrow and name in _COUNTS:
            continue
        texts = [safe(cell) for cell in cells]
        if narrow and is_number:
            texts = [text.replace(" [", "\n[") for text in texts]
        # A number that is broken or cut off says something else; a title may go over several lines, word by word.
        parts = (*name.split(), *(line for text in texts for line in text.split("\n")))
        fixed = max(map(len, parts)) if narrow and is_number else None
        shown.add_column(safe(name), justify="right" if is_number else "left", width=fixed)
        kept.append(texts)
    for row in zip(*kept, strict=True):
        shown.add_row(*row)
    return shown


def _verdicts(
    study: RobustnessReport, found: Examined, metrics: Mapping[str, Metric], *, total: int, budget: str | None
) -> list[str]:
    robust, clean = interval(metrics["attack/robust_accuracy"]), interval(metrics["attack/clean_accuracy"])
    said = [f"Of changes up to {study.epsilon:.4g} ({study.norm}) accuracy goes from {clean} to {robust} in the worst case."]
    if budget is not None:
        examined = len(found.examined)
        count = f"{plain_number(examined)} of {plain_number(total)} examples, drawn at random,"
        count = f"all {plain_number(total)} examples" if examined == total else count
        said.append(
            f"Within the budget of {budget}, {count} were examined fully: an upper bound, as longer attacks can only break more."
        )
    if "attack/paired/p_value" in metrics:
        said.append(paired_words(metrics))
    return said


def _pictures(
    study: RobustnessReport,
    subject: Subject,
    found: Examined,
    links: tuple[Link, ...],
    curves: Mapping[str, Mapping[float, Metric]],
    *,
    seed: int,
) -> dict[str, bytes]:
    classes = subject.loaded.model.spec.classes
    pictures = {}
    if curves:
        radii = study.effort.radii
        pictures["curve"] = robust_curve_plot(curves, epsilon=study.epsilon, norm=study.norm)
        # Bars of one width: what is taller is more, whatever the radii of the curve.
        edges = [radii[-1] * place / _BARS for place in range(_BARS + 1)]
        counts, beyond = histogram(found.distances(), edges)
        pictures["distances"] = distance_plot(edges, counts, beyond=beyond, epsilon=study.epsilon, norm=study.norm)
    rows = found.examined
    matrix = confusion_counts(found.attacked_classes()[rows], found.clean.targets[rows], len(classes))
    pictures["confusion"] = confusion_plot(matrix, classes, title="confusion matrix under attack")
    if (examples := _examples(subject, found, links, seed=seed)) is not None:
        pictures["examples"] = examples
    return pictures


def _examples(subject: Subject, found: Examined, links: tuple[Link, ...], *, seed: int) -> bytes | None:
    """Some examples that fall, by the attack that changes them least; None where none does. Attacks draw the same again."""
    order = order_of(len(found.clean.targets), seed=seed)
    fallen = (found.right & ~found.standing())[order]
    rows = [row for row in order[fallen].tolist() if found.nearest(row) is not None][:SHOWN]
    if not rows:
        return None
    batch = next(iter(subject.split.batches(torch.tensor(rows), len(rows))))
    by = {link.name: link for link in links}
    names = [str(found.nearest(row)) for row in rows]
    changed = [
        _again(subject, by[name], batch.inputs[[place]], batch.targets[[place]], batch.index[[place]], seed=seed)
        for place, name in enumerate(names)
    ]
    adversarial = torch.cat(changed)
    change = (adversarial - batch.inputs).cpu()
    largest = change.flatten(1).abs().amax(dim=1).clamp_min(1e-12).reshape(-1, 1, 1, 1)
    pictures = [to_uint8(images) for images in (batch.inputs, adversarial, 0.5 + change / (2 * largest))]
    spec, sizes = subject.loaded.model.spec, found.distances()
    with torch.no_grad():
        after = predicted_classes(subject.loaded.model(adversarial)).tolist()
    captions = [
        f"{spec.classes[int(target)]} → {spec.classes[after[place]]}\n{by[name].words}, {float(sizes[row]):.3g}"
        for place, (name, row, target) in enumerate(zip(names, rows, batch.targets, strict=True))
    ]
    return image_rows(pictures, ["unchanged", "changed", "the change"], captions)


def _again(subject: Subject, link: Link, inputs: Tensor, targets: Tensor, index: Tensor, *, seed: int) -> Tensor:
    return link.attack(subject.loaded.model, inputs, targets, rng=SampleKeys(seed, index))
