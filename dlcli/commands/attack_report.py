"""``dl attack report``: every attack on a model, the worst case of each example, and how far to believe it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlcli.commands.attack_budget import seconds_of, within_budget
from dlcli.commands.attack_certified import Certified
from dlcli.commands.attack_certify import Smoothing, certify
from dlcli.commands.attack_chain import CURVE_STEPS, Examined, Link, attempted, run_chain
from dlcli.commands.attack_estimate import duration, estimate
from dlcli.commands.attack_masking import Attempt, masking_checks
from dlcli.commands.attack_pages import conclude
from dlcli.commands.attack_results import fooled
from dlcli.commands.attack_store import digest_of, keep, kept
from dlcli.commands.attack_study import RobustnessReport, refuse_images, study_for
from dlcli.commands.console import Talk
from dlcli.commands.given_images import largest_batch
from dlcli.commands.session import failing, finished, plain_number, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.invocation import Invocation
from dlcli.config.schema import AttackSettings
from dlcli.config.stored import as_yaml
from dlcli.engine.device import make_repeatable, memory_errors
from dlcli.engine.outcomes import Clean, Outcomes, clean_outcomes
from dlcli.errors import ComputeError, Interrupted, UsageError
from dlcli.metrics.robustness import robust_accuracy
from dlcli.report.terminal import interval
from dlcli.runs.find import RunInfo
from dlcli.runs.record import Result
from dlcli.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a report works with."""

    run: Run
    study: RobustnessReport
    settings: AttackSettings
    invocation: Invocation
    talk: Talk
    flag: StopFlag
    started: float

    def batch_size(self, subject: Subject) -> int:
        """Returns how many examples are attacked at once."""
        return min(self.settings.batch_size, largest_batch(subject.loaded.model.spec.shape))


def report(settings: AttackSettings, invocation: Invocation) -> Result | None:
    """Reports on a model's robustness; returns the result, or None for ``--dry-run``."""
    talk = Talk.of(invocation)
    started = time.perf_counter()
    refuse_images(settings)  # before a model without data asks for them
    with catching_signals() as flag:
        subject = load_subject(settings, talk)
        study, settings, reason = study_for(settings, invocation, subject.loaded.model.spec)
        subject = study.seen_by(subject)
        rival = None if settings.against is None else _rival(settings, subject, settings.against, talk)
        talk.line(f"report · {study.norm} · epsilon {study.epsilon:.4g} ({reason})")
        if invocation.dry_run:
            links = study.effort.chain(len(subject.loaded.model.spec.classes))
            talk.text(as_yaml(settings).decode())
            size = min(settings.batch_size, largest_batch(subject.loaded.model.spec.shape))
            found = estimate(subject, links, batch_size=size, seed=settings.seed, check=flag.check)
            talk.line(f"{found.words(links, len(subject.split))}; nothing was written")
            return None
        parent = subject.loaded.reference
        with recorded(settings, invocation, name="report", parent=parent, device=subject.device) as run:
            bench = Bench(run=run, study=study, settings=settings, invocation=invocation, talk=talk, flag=flag, started=started)
            if rival is not None:
                run.describe(against=rival.loaded.reference)
            return _reported(bench, subject, rival)


def resumed(info: RunInfo, settings: AttackSettings, invocation: Invocation) -> Result:
    """Goes on with an unfinished report: attacks that are finished are not run again."""
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(replace(settings, run=str(info.information["parent"])), talk)
        study, settings, _ = study_for(settings, invocation, subject.loaded.model.spec)
        subject = study.seen_by(subject)
        # What "latest" or a name meant when the report began.
        against = info.information.get("against") or settings.against
        rival = None if against is None else _rival(settings, subject, str(against), talk)
        make_repeatable(subject.device)
        run = Run.reopen(info.path)
        with failing(run):
            talk.line(f"resuming {info.id}")
            bench = Bench(run=run, study=study, settings=settings, invocation=invocation, talk=talk, flag=flag, started=started)
            return _reported(bench, subject, rival)


def _reported(bench: Bench, subject: Subject, rival: Subject | None) -> Result:
    try:
        found, attempt = _examined(bench, subject, "attacks")
        seed = bench.settings.seed
        checks = masking_checks(subject, found, bench.study.effort, probes=bench.study.probes, seed=seed, attempt=attempt)
        certified = _certified(bench, subject, found)
        other = None
        if rival is not None:
            bench.talk.line(f"against {rival.loaded.name}:")
            other = (rival, _examined(bench, rival, "against", rows=found.examined, curve=False)[0])
        metrics, files = conclude(
            bench.run,
            bench.study,
            subject,
            found,
            checks=checks,
            certified=certified,
            other=other,
            settings=bench.settings,
            talk=bench.talk,
        )
    except Interrupted as error:
        error.hint = f"dl attack --resume {bench.run.id}"
        raise
    seconds = time.perf_counter() - bench.started
    result = finished(bench.run, bench.invocation, seconds=seconds, metrics=metrics, files=files)
    bench.talk.line(f"page: {bench.run.path}/{files['report']} · {duration(seconds)}")
    bench.talk.next_commands()
    return result


def _examined(
    bench: Bench, subject: Subject, folder: str, *, rows: Tensor | None = None, curve: bool = True
) -> tuple[Examined, Attempt | None]:
    """Runs the chain on all examples, on some, or on as many as fit into the budget, and then the curve.

    Returns what they did, and what runs further attacks, which a budget has no time for.
    """
    study, effort, size = bench.study, bench.study.effort, bench.batch_size(subject)
    links = effort.chain(len(subject.loaded.model.spec.classes))
    what, advice = f"attacking {size} examples at once", f"--batch-size {max(1, size // 4)}"
    with memory_errors(what, advice):
        clean = clean_outcomes(subject.loaded.model, subject.split, batch_size=size, check=bench.flag.check)
        if bench.settings.budget is not None and rows is None:
            return _budgeted(bench, subject, links, clean), None
        everything = links + ((effort.curve_link(steps=CURVE_STEPS),) if curve and bench.settings.budget is None else ())
        guess = estimate(subject, everything, batch_size=size, seed=bench.settings.seed, check=bench.flag.check)
        bench.talk.line(guess.words(everything, len(subject.split) if rows is None else len(rows)))
        chosen = torch.arange(len(subject.split)) if rows is None else rows
        attempt = _remembering(bench, subject, folder, clean)
        return run_chain(subject, everything, clean, chosen, epsilon=study.epsilon, attempt=attempt), attempt


def _remembering(bench: Bench, subject: Subject, folder: str, clean: Clean) -> Attempt:
    """Runs a link, or takes what the run's folder holds of it."""

    def attempt(link: Link, rows: Tensor) -> Outcomes:
        digest = digest_of(subject, clean, link.attack, rows, seed=bench.settings.seed)
        known = kept(bench.run, folder, link, rows, digest=digest)
        if known is None:
            with bench.talk.progress("examples", len(rows)) as bar:
                known = attempted(
                    subject,
                    link,
                    rows,
                    clean,
                    batch_size=bench.batch_size(subject),
                    seed=bench.settings.seed,
                    check=bench.flag.check,
                    done=lambda count: bar.at(count, link.words),
                )
            keep(bench.run, folder, link, known, digest=digest)
            state = f"{duration(known.seconds)}"
        else:
            state = "as it was found before"
        # The checks for masking have radii of their own; what looks for the nearest error may find it beyond any.
        own = link.attack.threat.epsilon if link.name.startswith("masking") else None
        broken = fooled(known, clean, bench.study.epsilon if own is None else own)
        bench.talk.line(f"  {link.words:<13} fools {plain_number(broken)} of {plain_number(len(rows))} · {state}")
        return known

    return attempt


def _budgeted(bench: Bench, subject: Subject, links: Sequence[Link], clean: Clean) -> Examined:
    assert bench.settings.budget is not None
    total, given = len(subject.split), seconds_of(bench.settings.budget)
    with bench.talk.progress("examples", total) as bar:
        found = within_budget(
            subject,
            links,
            clean,
            epsilon=bench.study.epsilon,
            # A tenth, and ten seconds at most, are left for the checks and the page.
            until=bench.started + (given - min(0.1 * given, 10.0)),
            batch_size=bench.batch_size(subject),
            seed=bench.settings.seed,
            check=bench.flag.check,
            done=bar.at,
        )
    if not len(found.examined):
        reason = f"budget {bench.settings.budget}: not even {min(16, total)} examples could be taken through all attacks"
        raise ComputeError(reason, hint="--budget 5m, or study.queries=500 study.steps=20")
    robust = interval(robust_accuracy(found.distances(), found.epsilon))
    seen = f"{plain_number(len(found.examined))} of {plain_number(total)} examples, drawn at random"
    when = "the time is over"
    if len(found.examined) == total:
        when, seen = "done before the time is over", f"all {plain_number(total)} examples"
    bench.talk.line(f"{when}: robust accuracy is at most about {robust}, on {seen}")
    return found


def _certified(bench: Bench, subject: Subject, found: Examined) -> Certified | None:
    """The smoothed classifier's certificates and attacks; None in Linf, which they say little of, and within a budget."""
    study = bench.study
    if study.norm != "l2" or not study.certify or bench.settings.budget is not None:
        return None
    size = bench.batch_size(subject)
    with memory_errors(f"voting on {size} noisy copies at once", f"--batch-size {max(1, size // 4)}"):
        return certify(
            subject,
            found.clean,
            Smoothing(sigma=study.sigma, draws=study.draws),
            count=study.certify,
            seed=bench.settings.seed,
            batch_size=size,
            run=bench.run,
            talk=bench.talk,
            check=bench.flag.check,
        )


def _rival(settings: AttackSettings, subject: Subject, reference: str, talk: Talk) -> Subject:
    """The other model on the same examples. Raises UsageError where there is none, or it has others."""
    rival = load_subject(replace(settings, run=reference), talk)
    own, other = subject.loaded.model.spec, rival.loaded.model.spec
    same = len(subject.split) == len(rival.split) and torch.equal(subject.split.targets.cpu(), rival.split.targets.cpu())
    if (own.name, own.shape, own.classes) != (other.name, other.shape, other.classes) or not same:
        reason = f"--against {reference} reads {other.name}, this model reads {own.name}: a paired test needs the same examples"
        raise UsageError(reason, hint="two models of the same data")
    return rival
