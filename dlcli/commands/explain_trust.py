"""The evidence beside each map of ``dl explain``: what it takes to be believed, at least."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, probabilities
from dlcli.commands.console import Talk
from dlcli.commands.subject import Subject
from dlcli.commands.untrained import untrained
from dlcli.config.schema import ExplainSettings
from dlcli.contracts import Explainer, Metric
from dlcli.engine.attribute import ExplainReport
from dlcli.errors import GateError, UsageError
from dlcli.metrics.faithfulness import Faithfulness, faithfulness
from dlcli.metrics.intervals import mean_interval, wilson
from dlcli.metrics.null_maps import null_maps
from dlcli.metrics.rank_correlation import spearman
from dlcli.metrics.trust import Evidence, Verdict, Word, at_least, calibrated_bar, passes, sensitivity, verdicts
from dlcli.randomness import SampleKeys

NULLS = 20
_STEPS, _TWINS = (16, 50), (1, 3)  # of the curves, and networks without training: ordinary, and thorough
_DRAWS, _CHANGE = 10, 0.02
_CHUNK = 256
_PATIENCE = 20.0  # seconds that nobody has to be asked for


@dataclass(frozen=True)
class Trust:
    """What is known of N maps.

    Args:
        evidence, verdicts: of each.
        faith: areas of the maps, the first column, and of those that know nothing.
        bar: margin that a supported map reaches.
        false_trust: of the network's maps without training: how many would be supported, and how many there are.
    """

    evidence: Evidence
    verdicts: Sequence[Verdict]
    faith: Faithfulness
    bar: float
    false_trust: tuple[int, int]

    @property
    def items(self) -> list[dict[str, object]]:
        """A line for each map, for the file of maps."""
        found = []
        for row, verdict in enumerate(self.verdicts):
            values = {
                "insertion": self.faith.insertion[row, 0],
                "deletion": self.faith.deletion[row, 0],
                "percentile": self.evidence.percentile[row],
                "margin": self.evidence.margin[row],
                "similar_untrained": self.evidence.untrained[row],
                "similar_runner_up": None if self.evidence.runner_up is None else self.evidence.runner_up[row],
                "sensitivity": None if self.evidence.sensitivity is None else self.evidence.sensitivity[row],
            }
            numbers = {name: round(float(value), 4) for name, value in values.items() if value is not None}
            found.append({"verdict": verdict.word, "reason": verdict.reason, **numbers})
        return found

    @property
    def metrics(self) -> dict[str, Metric]:
        """The figures of a run."""
        supported = sum(verdict.word == "supported" for verdict in self.verdicts)
        return {
            "explain/supported": wilson(supported, len(self.verdicts)),
            "explain/insertion_auc": mean_interval(self.faith.insertion[:, 0]),
            "explain/deletion_auc": mean_interval(self.faith.deletion[:, 0]),
            "explain/false_trust_rate": wilson(*self.false_trust),
        }

    @property
    def words(self) -> list[str]:
        """What people read of all maps."""
        counts = {word: sum(verdict.word == word for verdict in self.verdicts) for word in ("supported", "weak", "unsupported")}
        listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        reasons = [verdict.reason for verdict in self.verdicts if verdict.word != "supported"]
        most = max(dict.fromkeys(reasons), key=reasons.count, default=None)
        own, of = self.false_trust
        areas = (self.faith.insertion[:, 0].mean(), self.faith.deletion[:, 0].mean())
        return [
            f"trust: {listed}" + (f"; mostly: {most}" if most else ""),
            f"  insertion {areas[0]:.2f}, deletion {areas[1]:.2f} · without training {own} of {of} maps would be supported",
            "  what is supported may still mislead: the evidence is necessary, not sufficient",
        ]


def wants_trust(settings: ExplainSettings, subject: Subject) -> bool:
    """Whether evidence is asked for, or allowed. Raises UsageError where it is asked for and cannot be had."""
    asked = settings.evidence or settings.thorough or settings.require is not None
    if asked and settings.evidence is False:
        raise UsageError("--no-evidence leaves nothing to be thorough about, or to require", hint="leave out --no-evidence")
    if subject.loaded.model.spec.kind != "image":
        if asked:
            raise UsageError(
                "the trust box hides pixels, and tables have none", hint="leave out --evidence, --thorough and --require"
            )
        return False
    return settings.evidence is not False


def weighed(
    settings: ExplainSettings,
    subject: Subject,
    explainer: Explainer,
    report: ExplainReport,
    *,
    seconds: float,
    check: Callable[[], None],
    talk: Talk,
) -> Trust | None:
    """Returns the evidence for a report's maps; None, with a word why, where it would take long and nobody asked for it.

    Args:
        seconds: that the maps themselves took.
    """
    steps, twins = (pair[settings.thorough] for pair in (_STEPS, _TWINS))
    scene = Weighing(subject, explainer, batch_size=settings.batch_size, seed=settings.seed, check=check)
    asked = settings.evidence or settings.thorough or settings.require is not None
    count = len(report.maps) * (NULLS + 3) * 2 * (steps + 1) * (1 + twins)
    need = (1 + twins + settings.thorough * _DRAWS) * seconds + count * scene.pace(report)
    if need > _PATIENCE and not asked:
        talk.line(f"trust: left out, as it would take about {need / 60:.0f} min; --evidence weighs it all the same")
        return None
    evidence, faith = scene.evidence(subject.loaded.model, report, steps=steps, thorough=settings.thorough)
    others = [scene.of_twin(seed) for seed in range(1, twins + 1)]
    found = [other.evidence_of(report, steps=steps) for other in others]
    same = torch.stack([spearman(report.maps.abs(), maps.abs()) for maps, _ in found]).mean(dim=0)
    evidence = replace(evidence, untrained=same)
    null = Faithfulness(
        *(torch.cat(areas) for areas in zip(*((each.insertion, each.deletion) for _, each in found), strict=True))
    )
    bar = calibrated_bar(null.percentile(), null.margin())
    false = passes(null.percentile(), null.margin(), bar)
    return Trust(evidence, verdicts(evidence, bar), faith, bar, (int(false.sum()), len(false)))


def refuse_less(word: Word | None, trust: Trust | None) -> None:
    """Raises GateError where maps are worth less than ``word``."""
    if word is not None and trust is not None and not at_least(word, trust.verdicts):
        worse = sum(not at_least(word, [verdict]) for verdict in trust.verdicts)
        raise GateError(f"{worse} of {len(trust.verdicts)} maps are less than {word}")


@dataclass(frozen=True)
class Weighing:
    """A model, its examples and an explainer."""

    subject: Subject
    explainer: Explainer
    _: KW_ONLY
    batch_size: int
    seed: int
    check: Callable[[], None]

    def of_twin(self, seed: int) -> Weighing:
        """The same with new weights."""
        loaded = self.subject.loaded
        return replace(self, subject=replace(self.subject, loaded=replace(loaded, model=untrained(loaded, seed=seed))))

    def pace(self, report: ExplainReport) -> float:
        """Seconds of a forward pass of one image among many, measured."""
        model = self.subject.loaded.model
        size = self._chunk(report)
        images = report.inputs[:1].to(self.subject.device).expand(size, -1, -1, -1)
        with borrowed(model), torch.no_grad():
            model(images)  # the first pass of all is slower
            started = time.perf_counter()
            model(images)
        return (time.perf_counter() - started) / size

    def maps(self, explained: Tensor) -> Tensor:
        """Maps for these classes, one for each example."""
        found = []
        model, split = self.subject.loaded.model, self.subject.split
        batches = split.batches(torch.arange(len(split)), self.batch_size)
        for batch, classes in zip(batches, torch.split(explained, self.batch_size), strict=True):
            self.check()
            keys = SampleKeys(self.seed, batch.index)
            with borrowed(model):
                maps = self.explainer(model, batch.inputs, classes.to(batch.inputs.device), rng=keys)
            found.append(maps.detach().float().cpu())
        return torch.cat(found)

    def faith(self, report: ExplainReport, maps: Tensor, *, steps: int) -> Faithfulness:
        """The areas of maps (N, H, W), or of several for each image (N, M, H, W), and of those that know nothing."""
        device, model = self.subject.device, self.subject.loaded.model
        images = report.inputs.to(device)
        keys = SampleKeys(self.seed, report.index.to(device))
        whole = torch.cat([maps.to(device).reshape(len(images), -1, *images.shape[2:]), null_maps(images, NULLS, keys)], dim=1)
        explained = report.explained.to(device)

        def ask(frames: Tensor, rows: Tensor) -> Tensor:
            self.check()
            chances = probabilities(model(frames))
            return chances.gather(1, explained[rows, None])[:, 0]

        mean = model.mean if isinstance(model.mean, Tensor) else torch.zeros(1)
        shown = mean.flatten().clamp(0, 1)
        shown = shown if len(shown) == images.shape[1] else shown.mean(dim=0, keepdim=True)
        with borrowed(model), torch.no_grad():
            found = faithfulness(ask, images, whole, shown, steps=steps, chunk=self._chunk(report))
        return Faithfulness(found.insertion.cpu(), found.deletion.cpu())

    def evidence(self, model: nn.Module, report: ExplainReport, *, steps: int, thorough: bool) -> tuple[Evidence, Faithfulness]:
        """What the model itself shows; how its maps differ without training comes later."""
        faith = self.faith(report, report.maps, steps=steps)
        contrast = self.contrast(model, report)
        unsteady = self._sensitivity(report) if thorough else None
        unknown = torch.zeros(len(report.maps))
        return Evidence(faith.percentile(), faith.margin(), unknown, report.empty, contrast, unsteady), faith

    def contrast(self, model: nn.Module, report: ExplainReport) -> Tensor | None:
        """Rank correlation with the maps of the second likeliest class; None where the class does not matter."""
        if not getattr(self.explainer, "class_dependent", True):
            return None
        with borrowed(model), torch.no_grad():
            batches = self.subject.split.batches(torch.arange(len(self.subject.split)), self.batch_size)
            chances = torch.cat([probabilities(model(batch.inputs)).cpu() for batch in batches])
        other = chances.scatter(1, report.explained[:, None], -1.0).argmax(dim=1)
        return spearman(report.maps, self.maps(other))

    def evidence_of(self, report: ExplainReport, *, steps: int) -> tuple[Tensor, Faithfulness]:
        """Maps for the same classes, and their areas."""
        maps = self.maps(report.explained)
        return maps, self.faith(report, maps, steps=steps)

    def _sensitivity(self, report: ExplainReport) -> Tensor:
        keys = SampleKeys(self.seed, report.index)
        images, model, found = report.inputs, self.subject.loaded.model, []
        for draw in range(_DRAWS):
            self.check()
            noise = keys.uniform("sensitivity", draw, tuple(images.shape[1:]), low=-_CHANGE, high=_CHANGE)
            changed = (images + noise).clamp(0, 1).to(self.subject.device)
            with borrowed(model):
                maps = self.explainer(model, changed, report.explained.to(self.subject.device), rng=keys)
            found.append(maps.detach().float().cpu())
        return sensitivity(report.maps, torch.stack(found))

    def _chunk(self, report: ExplainReport) -> int:
        """Images at once: many small ones, few large ones."""
        return max(8, min(_CHUNK, 256 * 3 * 64 * 64 // max(1, report.inputs[0].numel())))
