"""Randomized smoothing in a robustness report: a certificate for each example, and an attack on the same smoothed classifier."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.attacks.pgd import PGD
from dlcli.commands.attack_budget import order_of
from dlcli.commands.attack_certified import RADII_PER_SIGMA, Certified
from dlcli.commands.attack_estimate import duration
from dlcli.commands.attack_store import digest_of
from dlcli.commands.console import Talk
from dlcli.commands.session import plain_number
from dlcli.commands.subject import Subject
from dlcli.engine.outcomes import Clean, polled
from dlcli.engine.perturb import perturb
from dlcli.errors import DataError
from dlcli.metrics.smoothing import certified_radii, confident_classes
from dlcli.models.smoothed import Smoothed, votes
from dlcli.runs.record import SCHEMA, read_json
from dlcli.runs.run import Run

# Examples that are taken through all of it together, and kept when they are through.
_AT_ONCE = 25


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """How examples are certified and attacked.

    Args:
        sigma: standard deviation of the noise, in raw units; above 0.
        draws: votes that a certificate rests on, and votes that judge an attack.
        chosen_by: votes that choose the class to be certified (Cohen et al. 2019 take 100), and the examples worth judging.
        alpha: chance, of each example, that its certificate is wrong.
        steps: of PGD at each radius. copies: draws of noise that its gradient is a mean of.
    """

    sigma: float
    draws: int
    chosen_by: int = 100
    alpha: float = 0.001
    steps: int = 20
    copies: int = 8

    @property
    def passes(self) -> tuple[int, int]:
        """Forward and backward passes of one example that stands to the end; one that falls costs ``draws`` for its judgement."""
        steps, radii = self.steps * self.copies, len(RADII_PER_SIGMA)
        return self.chosen_by + self.draws + radii * (steps + 2 * self.copies + self.chosen_by), radii * steps


def certify(
    subject: Subject,
    clean: Clean,
    plan: Smoothing,
    *,
    count: int,
    seed: int,
    batch_size: int,
    run: Run,
    talk: Talk,
    check: Callable[[], None],
) -> Certified:
    """Certifies random examples and attacks them; parts that ``run`` holds already are taken from there."""
    rows = order_of(len(subject.split), seed=seed)[:count]
    parts = []
    _say_cost(subject, plan, rows, batch_size=batch_size, talk=talk)
    with talk.progress("examples", len(rows)) as bar, polled(subject.loaded.model, check):
        for number, chosen in enumerate(torch.split(rows, _AT_ONCE)):
            path, digest = f"certified/{number:04d}.json", digest_of(subject, clean, plan, chosen, seed=seed)
            part = _kept(run, path, digest)
            if part is None:
                part = certified_part(subject, plan, chosen, seed=seed, batch_size=batch_size)
                run.write(path, (json.dumps({"schema": SCHEMA, "digest": digest, **_lists(part)}) + "\n").encode())
            parts.append(part)
            bar.at(min((number + 1) * _AT_ONCE, len(rows)))
    return joined(parts)


def certified_part(subject: Subject, plan: Smoothing, rows: Tensor, *, seed: int, batch_size: int) -> Certified:
    """Certifies the examples at ``rows``, int64 (M,), M at least 1, and attacks those whose votes do not prove them wrong."""
    model = subject.loaded.model
    batch = next(iter(subject.split.batches(rows, len(rows))))
    targets = batch.targets.cpu()

    def voted(inputs: Tensor, index: Tensor, draws: int, purpose: str) -> Tensor:
        own = {"sigma": plan.sigma, "draws": draws, "seed": seed, "purpose": purpose, "batch_size": batch_size}
        return votes(model, inputs, index, **own)  # type: ignore[arg-type]

    chosen = voted(batch.inputs, batch.index, plan.chosen_by, "choose").argmax(dim=1)
    counts = voted(batch.inputs, batch.index, plan.draws, "certify")
    radii = certified_radii(counts.gather(1, chosen[:, None])[:, 0], plan.draws, sigma=plan.sigma, alpha=plan.alpha)
    seen = confident_classes(counts, alpha=plan.alpha)
    falls = torch.where((seen != -1) & (seen != targets), 0.0, torch.inf).double()
    smoothed = Smoothed(model, sigma=plan.sigma, draws=plan.copies, seed=seed)
    for number, factor in enumerate(RADII_PER_SIGMA):
        left = falls.isinf().nonzero().flatten()
        if not len(left):
            break
        part = subject.split.select(rows[left])
        attack = PGD(epsilon=factor * plan.sigma, norm="l2", steps=plan.steps, early_stop=False)
        size = max(1, batch_size // plan.copies)
        reports = list(perturb(smoothed, attack, part, batch_size=size, seed=seed, spare_misclassified=False))
        adversarial = torch.cat([report.adversarial for report in reports]).to(batch.inputs.device)
        distances = torch.cat([report.distances for report in reports]).double()
        index = batch.index[left.to(batch.index.device)]
        # Most that stand are seen to do so in few votes; only who seems to fall is judged by all.
        glance = voted(adversarial, index, plan.chosen_by, f"glance/{number}").argmax(dim=1)
        seems = (glance != targets[left]).nonzero().flatten()
        if len(seems):
            own = seems.to(index.device)
            after = confident_classes(voted(adversarial[own], index[own], plan.draws, f"judge/{number}"), alpha=plan.alpha)
            broken = (after != -1) & (after != targets[left[seems]])
            falls[left[seems[broken]]] = distances[seems[broken]]
    classes = torch.where(radii.isinf(), -1, chosen)
    return Certified(rows=rows, targets=targets, classes=classes, radii=radii, falls=falls, sigma=plan.sigma, draws=plan.draws)


def joined(parts: Sequence[Certified]) -> Certified:
    """Returns parts of one split as one."""
    tensors = {name: torch.cat([getattr(part, name) for part in parts]) for name in _DTYPES}
    return Certified(**tensors, sigma=parts[0].sigma, draws=parts[0].draws)


_DTYPES = {
    "rows": torch.int64,
    "targets": torch.int64,
    "classes": torch.int64,
    "radii": torch.float64,
    "falls": torch.float64,
}


def _lists(part: Certified) -> dict[str, object]:
    """A part as plain data; what is not finite as null."""
    lists = {name: getattr(part, name).tolist() for name in _DTYPES}
    plain = {name: [value if math.isfinite(value) else None for value in values] for name, values in lists.items()}
    return {**plain, "sigma": part.sigma, "draws": part.draws}


def _kept(run: Run, path: str, digest: str) -> Certified | None:
    """A part that the run's folder holds; None where it is not there, is damaged, or depends on something else."""
    infinite = {"radii": -math.inf, "falls": math.inf}
    try:
        content = read_json(run.path / path)
        if content["digest"] != digest:
            return None
        tensors = {
            name: torch.tensor([infinite[name] if value is None else value for value in content[name]], dtype=dtype)
            for name, dtype in _DTYPES.items()
        }
        return Certified(**tensors, sigma=float(content["sigma"]), draws=int(content["draws"]))
    except (FileNotFoundError, DataError, KeyError, TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _say_cost(subject: Subject, plan: Smoothing, rows: Tensor, *, batch_size: int, talk: Talk) -> None:
    few = rows[:_AT_ONCE]
    batch = next(iter(subject.split.batches(few, len(few))))
    draws = min(max(1, batch_size // len(few)), plan.draws)
    own = {"sigma": plan.sigma, "draws": draws, "seed": 0, "purpose": "cost", "batch_size": batch_size}
    votes(subject.loaded.model, batch.inputs, batch.index, **own)  # type: ignore[arg-type]
    started = time.perf_counter()
    votes(subject.loaded.model, batch.inputs, batch.index, **own)  # type: ignore[arg-type]
    each = (time.perf_counter() - started) / (draws * len(few))
    forwards, backwards = (len(rows) * passes for passes in plan.passes)
    # A backward pass takes about as long as two forward.
    seconds = each * (forwards + 2 * backwards)
    talk.line(
        f"certifying {plain_number(len(rows))} examples under noise of {plan.sigma:.4g}: about {plain_number(forwards)} "
        f"forward and {plain_number(backwards)} backward passes, {duration(seconds)}"
    )
