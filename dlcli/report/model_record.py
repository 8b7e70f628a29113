"""Data, training, lineage and how to repeat it, as sections of a report: what the runs recorded of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcli.report.dossier import Dossier, Evidence
from dlcli.report.numbers import count, written
from dlcli.report.page import Block, Code, Facts, Items, Picture, Section, Table, Text

_MOST_NAMES = 60
_MOST_CONFIG = 12_000  # characters
_PARTS = ("model", "optimizer", "scheduler", "loss", "augment", "adversary", "data")
_CHOICES = ("epochs", "batch_size", "accumulate", "precision", "ema", "clip_norm", "patience", "monitor")
_STARTS = {"backbone": "backbone", "its weights": "weights", "replaced head": "replaced", "what was trained": "trained"}
_CURVES = "Loss, accuracy and learning rate over the steps of training"


def data(dossier: Dossier) -> Section:
    """Returns what the model learned from and was measured on, and what the reader noticed."""
    spec, facts = dossier.spec, dossier.data_facts
    rows: list[tuple[str, str]] = [("Data set", str(spec.get("name", "unknown")))]
    shape = spec.get("shape")
    if isinstance(shape, list) and shape:
        sizes = " x ".join(map(str, shape))
        rows.append(("An example", f"{shape[0]} columns" if dossier.is_table else f"{spec.get('kind', 'array')} of {sizes}"))
    if dossier.classes:
        rows.append(("Classes", f"{len(dossier.classes)}: {_names(dossier.classes)}"))
    parts = facts.get("sizes")
    if isinstance(parts, Mapping) and parts:
        rows.append(("Examples", ", ".join(f"{count(size)} {part}" for part, size in parts.items())))
    else:
        rows += [(f"Examples of {part}", count(size)) for part, size in _measured_sizes(dossier.model).items()]
    if dossier.is_table and isinstance(spec.get("columns"), list):
        rows.append(("Columns", _names([str(column.get("name")) for column in spec["columns"] if isinstance(column, Mapping)])))
    rows.append(("Digest", f"{dossier.state.get('data_digest') or 'not recorded'} (of its parts, as they were read)"))
    notes = facts.get("notes")
    blocks: list[Block] = [Facts(tuple(rows))]
    if isinstance(notes, list) and notes:
        blocks += [Text("What was noticed when it was read:"), Items(tuple(map(str, notes)))]
    return Section("Data", tuple(blocks))


def training(dossier: Dossier) -> Section:
    """Returns the parts that were chosen, the trainer's settings and the curves."""
    model = dossier.model
    rows = [(name, _part(model.config[name])) for name in _PARTS if isinstance(model.config.get(name), Mapping)]
    if not isinstance(model.config.get("model"), Mapping) and isinstance(dossier.state.get("model"), Mapping):
        rows.insert(0, ("model", _part(dossier.state["model"])))  # a finetuned network is its parent's
    trainer = model.config.get("trainer")
    trainer = trainer if isinstance(trainer, Mapping) else {}
    rows += [(name.replace("_", " "), str(trainer[name])) for name in _CHOICES if trainer.get(name) is not None]
    origin = _mapping(model.information.get("origin"))
    rows += [(name, str(origin[key]).removeprefix("trained: ")) for name, key in _STARTS.items() if origin.get(key)]
    parameters = model.information.get("parameters")
    if parameters is not None:
        rows.insert(0, ("parameters", count(parameters)))
    rows += [("seed", str(model.config.get("seed", "unknown"))), ("time", f"{model.seconds:.1f} s")]
    blocks: list[Block] = [Facts(tuple(rows))]
    for name, shot in model.shots.items():
        words = _CURVES if name == "curves" else f"{name.replace('_', ' ')} of {model.verb} {model.name}"
        blocks.append(Picture(shot.image, words, f"{words}.", shot.link))
    return Section("Model and training", tuple(blocks))


def lineage(dossier: Dossier) -> Section:
    """Returns the runs before and after the model, oldest first."""
    rows = []
    if dossier.missing_parent is not None:
        rows.append(("its origin", dossier.missing_parent, "not among the runs here", ""))
    for run in reversed(dossier.parents):
        rows.append(("goes on from", f"{run.verb} {run.name} {run.id}", run.start[:10], _accuracy(run)))
    rows.append(
        (
            "this model",
            f"{dossier.model.verb} {dossier.model.name} {dossier.model.id}",
            dossier.model.start[:10],
            _accuracy(dossier.model),
        )
    )
    for run in reversed(dossier.measured):
        rows.append(("measured by", f"{run.verb} {run.name} {run.id}", run.start[:10], ""))
    for verb, name, run_id in reversed(dossier.descendants):
        rows.append(("continued by", f"{verb} {name} {run_id}", "", ""))
    return Section(
        "Lineage", (Table("Runs around this model", ("", "run", "date", "accuracy"), tuple(rows), frozenset({0, 1, 2})),)
    )


def repeat(dossier: Dossier) -> Section:
    """Returns the commands of the whole chain, the environment and the resolved configuration."""
    chain = sorted((*dossier.parents, dossier.model, *dossier.measured), key=lambda run: run.id)
    lines = [_one_line(run.command) for run in chain]
    own = dossier.model.information
    said = "As they were typed, in their order. Without --run a command took the newest model there was; see Lineage for which."
    rows = [(str(name), str(version)) for name, version in _mapping(own.get("versions")).items()]
    rows += [("platform", str(own.get("platform", "unknown"))), ("device", str(own.get("device", "unknown")))]
    rows += [("threads", str(own.get("threads", "unknown"))), ("code (git)", str(own.get("git") or "not recorded"))]
    rows += [(str(name), str(value)) for name, value in _mapping(own.get("environment")).items()]
    config = dossier.model.config_text
    cut = config[:_MOST_CONFIG] + ("\n…" if len(config) > _MOST_CONFIG else "")
    parts = (
        Section("Commands", (Text(said), Code("\n".join(lines)))),
        Section(
            "Environment",
            (
                Facts(tuple(rows)),
                Text(
                    "The same machine, versions and threads give the same bits; others give valid figures that differ a little.",
                    "aside",
                ),
            ),
        ),
        Section("Configuration", (Code(cut),) if cut else (Text("config.yaml cannot be read.", "warning"),)),
    )
    return Section("How to repeat it", (), parts)


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _part(node: Mapping[str, Any]) -> str:
    target = str(node.get("_target_", "")).rpartition(".")[2]
    values = ", ".join(f"{key} {_value(value)}" for key, value in node.items() if key != "_target_" and value is not None)
    return f"{target} ({values})" if values else target


def _value(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def _measured_sizes(model: Evidence) -> dict[str, Any]:
    found = {part: model.metrics.get(f"{part}/accuracy", {}).get("n") for part in ("train", "val", "test")}
    return {part: size for part, size in found.items() if size is not None}


def _accuracy(run: Evidence) -> str:
    entry = run.metrics.get(f"{run.split}/accuracy")
    return written("accuracy", entry.get("value")) if entry else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _one_line(command: str) -> str:
    return " ".join(command.splitlines())
