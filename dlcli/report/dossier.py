"""What a report is made of: the facts about a model and what measured it, read from run folders, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.report.embed import Embedded
from dlcli.report.numbers import Entry, number, value_of


@dataclass(frozen=True)
class Shot:
    """A picture of a run, and where Markdown finds it."""

    image: Embedded
    link: str


@dataclass(frozen=True)
class Evidence:
    """One finished run.

    Args:
        metrics: as in ``result.json``.
        information: ``run.json``.
        config: ``config.yaml``; empty where it cannot be read.
        config_text: the same, as it lies.
        shots: its pictures, by the names in ``result.json``.
        files: its other files, name → path in the run folder.
        groups: ``groups.json``; None where there is none.
        remarks: what could not be read or shown, one line each.
    """

    verb: str
    name: str
    id: str
    seconds: float
    metrics: Mapping[str, Entry]
    information: Mapping[str, Any]
    config: Mapping[str, Any]
    config_text: str
    shots: Mapping[str, Shot]
    files: Mapping[str, str]
    groups: Mapping[str, Any] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """As it was typed."""
        return str(self.information.get("command", f"dl {self.verb}"))

    @property
    def start(self) -> str:
        """ISO time; empty where it is not recorded."""
        return str(self.information.get("start") or "")

    @property
    def split(self) -> str:
        """What the run measured on: the part with an accuracy, test before val before train, else ``cv``."""
        return next((split for split in ("test", "cv", "val", "train") if f"{split}/accuracy" in self.metrics), "test")

    @property
    def examples(self) -> float:
        """How many examples the accuracy rests on; 0 where that is not recorded."""
        return self.examples_of(self.split)

    @property
    def examples_under_attack(self) -> float:
        """How many examples the robust accuracy rests on; 0 where that is not recorded."""
        return number(self.metrics.get("attack/robust_accuracy", {}).get("n")) or 0.0

    @property
    def checkpoint(self) -> str:
        """Which weights of the model were measured: ``best``, ``last`` or a step."""
        return str(self.config.get("checkpoint", "best"))

    @property
    def threat(self) -> str:
        """What attacked on which part of the data, so that equal ones asked the same."""
        attack, split = self.config.get("attack"), self.config.get("split", "test")
        said = attack if isinstance(attack, Mapping) else self.name
        return repr((said, split))

    def examples_of(self, split: str) -> float:
        """Returns how many examples the accuracy of a part rests on; 0 where that is not recorded."""
        return number(self.metrics.get(f"{split}/accuracy", {}).get("n")) or 0.0

    @property
    def is_shifted(self) -> bool:
        """Whether an evaluation was of other data than the model's own."""
        return bool(self.config.get("data"))

    def has(self, name: str) -> bool:
        """Whether there is a finite value of a metric."""
        return value_of(self.metrics, name) is not None


@dataclass(frozen=True)
class Dossier:
    """Everything that a report knows.

    Args:
        model: the run that holds the model.
        state: of its best checkpoint: ``spec``, ``data_digest``, ``calibration``; empty where it cannot be read.
        parents: what it goes on from, nearest first; ``missing_parent`` names one that is no run here.
        measured: the newest evaluate, attack and explain run of each kind, newest first.
        descendants: (verb, name, id) of models that go on from it.
        notes: what a person wrote, field of the card → paragraphs.
        remarks: what could not be read, one line each.
        made: when the report was made, and by which version.
    """

    model: Evidence
    state: Mapping[str, Any]
    parents: tuple[Evidence, ...]
    missing_parent: str | None
    measured: tuple[Evidence, ...]
    descendants: tuple[tuple[str, str, str], ...]
    notes: Mapping[str, tuple[str, ...]]
    remarks: tuple[str, ...]
    made: str

    @property
    def spec(self) -> Mapping[str, Any]:
        """The data's spec, as the checkpoint keeps it."""
        spec = self.state.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    @property
    def data_facts(self) -> Mapping[str, Any]:
        """What training recorded of its data: ``sizes`` of the parts, and ``notes``."""
        facts = self.model.information.get("data")
        return facts if isinstance(facts, Mapping) else {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of their numbers."""
        names = self.spec.get("classes")
        return tuple(map(str, names)) if isinstance(names, list) else ()

    @property
    def is_table(self) -> bool:
        """Whether the model reads tables."""
        return self.spec.get("kind") == "table"

    def class_name(self, number: int) -> str:
        """Returns the name of a class, or its number where it has none."""
        return self.classes[number] if 0 <= number < len(self.classes) else f"class {number}"

    def of(self, verb: str) -> tuple[Evidence, ...]:
        """Returns the runs of one verb, newest first."""
        return tuple(run for run in self.measured if run.verb == verb)

    @property
    def evaluations(self) -> tuple[Evidence, ...]:
        """Evaluations of the model's best weights on its own data: test before val before train, more examples before fewer."""
        order = ("test", "cv", "val", "train")
        own = [run for run in self.of("evaluate") if not run.is_shifted and run.checkpoint == "best"]
        return tuple(sorted(own, key=lambda run: (order.index(run.split), -run.examples)))

    @property
    def whole_evaluations(self) -> tuple[Evidence, ...]:
        """The evaluations on no fewer examples than the model's own run measured on of the same part."""
        return tuple(run for run in self.evaluations if run.examples >= self.model.examples_of(run.split))

    @property
    def probes(self) -> tuple[Evidence, ...]:
        """What tells how the model's best weights stand attacks: attack runs, then evaluations under an attack.

        Of those that asked the same, the one with the most examples, and the newest of these.
        """
        found: dict[str, Evidence] = {}
        for run in self.attempts:
            if run.checkpoint != "best" or run.is_shifted:
                continue
            known = found.get(run.threat)
            if known is None or run.examples_under_attack > known.examples_under_attack:
                found[run.threat] = run
        return tuple(found.values())

    @property
    def attempts(self) -> tuple[Evidence, ...]:
        """Every run that tried to fool the model: attack runs, then evaluations under an attack, newest first."""
        return (*self.of("attack"), *(run for run in self.of("evaluate") if run.has("attack/robust_accuracy")))

    @property
    def figures(self) -> Evidence:
        """The run whose figures stand for the model: the evaluation of test, or what training measured at its end."""
        best = next(iter(self.whole_evaluations), None)
        return best if best is not None and (best.split == self.model.split or self.model.split != "test") else self.model

    def with_metric(self, prefix: str) -> Evidence | None:
        """Returns the newest whole evaluation with metrics that begin with ``prefix``."""
        return next((run for run in self.whole_evaluations if any(name.startswith(prefix) for name in run.metrics)), None)

    def with_shot(self, name: str) -> Evidence | None:
        """Returns the newest whole evaluation with a picture of this name."""
        return next((run for run in self.whole_evaluations if name in run.shots), None)
