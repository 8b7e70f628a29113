"""``dl attack``: accuracy before and after an attack, beside random noise of the same size."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from dlcli.commands import attack_report
from dlcli.commands.attack_checks import refuse_keys_of_another
from dlcli.commands.attack_figures import Attacked, attack_metrics, labels
from dlcli.commands.attack_files import examples_csv, examples_npz, keeps_examples, rounded_predictions
from dlcli.commands.attack_loop import cost_of, run_attack
from dlcli.commands.attack_parts import Parts
from dlcli.commands.attack_pictures import triple
from dlcli.commands.attack_plan import Plan, planned
from dlcli.commands.attack_tables import adversarial_rows, change_lines, changes_csv, settled
from dlcli.commands.console import Talk, metrics_table
from dlcli.commands.given_images import largest_batch
from dlcli.commands.next_steps import after_attack
from dlcli.commands.session import failing, finished, plain_number, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.config.invocation import Invocation
from dlcli.config.schema import AttackSettings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Metric, Split
from dlcli.engine.device import make_repeatable
from dlcli.errors import Interrupted
from dlcli.runs.find import RunInfo
from dlcli.runs.record import Result
from dlcli.runs.run import Run

# Examples that a dry run attacks to see what all would cost.
_FEW = 16


def attack(settings: AttackSettings, invocation: Invocation) -> Result | None:
    """Attacks a model; returns the result, or None for ``--dry-run``."""
    refuse_keys_of_another(settings)
    if settings.study is not None:
        return attack_report.report(settings, invocation)
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        plan = planned(settings, invocation, talk)
        loaded = plan.subject.loaded
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{_cost(plan, settings, flag)}, and more at once take less each; nothing was written")
            return None
        with recorded(settings, invocation, name=plan.name, parent=loaded.reference, device=plan.subject.device) as run:
            run.describe(
                **({} if plan.goal is None else {"goal": plan.goal.words}),
                **({} if plan.source is None else {"source": plan.source.reference}),
            )
            return _concluded(plan, settings, invocation, flag, run=run, started=started)


def resumed(info: RunInfo, settings: AttackSettings, invocation: Invocation) -> Result:
    """Goes on with an unfinished attack behind the examples that it had finished."""
    talk = Talk.of(invocation)
    started = time.perf_counter()
    # What "latest" or a name meant when the attack began.
    source = info.information.get("source") or settings.source
    settings = replace(settings, run=str(info.information["parent"]), source=None if source is None else str(source))
    overrides = tuple(map(str, info.information["overrides"]))
    chosen = [text.removeprefix("attack=") for text in overrides if text.startswith("attack=")]
    invocation = replace(invocation, overrides=overrides, choices={"attack": chosen[-1]} if chosen else {})
    with catching_signals() as flag:
        plan = planned(settings, invocation, talk)
        make_repeatable(plan.subject.device)
        run = Run.reopen(info.path)
        with failing(run):
            talk.line(f"resuming {info.id}")
            return _concluded(plan, settings, invocation, flag, run=run, started=started)


def _concluded(
    plan: Plan, settings: AttackSettings, invocation: Invocation, flag: StopFlag, *, run: Run, started: float
) -> Result:
    talk, loaded = Talk.of(invocation), plan.subject.loaded
    parts = Parts(run, plan.model, *([] if plan.looked_at is None else [plan.looked_at]))
    try:
        attacked = _attacked(plan, settings, flag, talk, parts)
    except Interrupted as error:
        error.hint = f"dl attack --resume {run.id}"
        raise
    metrics = _metrics(attacked, plan)
    files = _files(run, attacked, plan, settings, talk)
    result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
    parts.clear()
    report = attacked.report
    title = f"{plan.name} on {plan.models} (n = {len(report.targets)})"
    talk.show(metrics_table(title, metrics, _labels(plan)))
    for line in () if plan.moves is None else change_lines(report, plan.moves, loaded.model.spec):
        talk.line(line)
    cost = f"{plain_number(report.forwards)} forward and {plain_number(report.backwards)} backward passes of one example"
    talk.line(f"cost: {cost} · {result.seconds:.1f} s")
    talk.line(f"attack run: {run.path}")
    kind, epsilon = loaded.model.spec.kind, plan.chosen.threat.epsilon
    talk.next_commands(*after_attack(settings, name=plan.name, kind=kind, epsilon=epsilon))
    return result


def _cost(plan: Plan, settings: AttackSettings, flag: StopFlag) -> str:
    """What the attack would cost, seen from a few examples."""
    few = plan.split.select(torch.arange(min(_FEW, len(plan.split))))
    started = time.perf_counter()
    _ran(plan, settings, flag, Talk(quiet=True), split=few)
    return cost_of(time.perf_counter() - started, len(few), len(plan.split))[1]


def _attacked(plan: Plan, settings: AttackSettings, flag: StopFlag, talk: Talk, parts: Parts) -> Attacked:
    attacked = _ran(plan, settings, flag, talk, split=plan.split, kept=parts)
    model, size = plan.subject.loaded.model, _batch_size(plan, settings)
    if plan.moves is not None:
        return settled(attacked, plan.moves, model, batch_size=size)
    rounded = rounded_predictions(model, attacked.report, batch_size=size, device=plan.subject.device)
    return replace(attacked, rounded=rounded)


def _ran(
    plan: Plan, settings: AttackSettings, flag: StopFlag, talk: Talk, *, split: Split, kept: Parts | None = None
) -> Attacked:
    return run_attack(
        plan.model,
        split,
        plan.chosen,
        batch_size=_batch_size(plan, settings),
        seed=settings.seed,
        flag=flag,
        talk=talk,
        goals=plan.goal,
        source=plan.looked_at,
        kept=kept,
    )


def _batch_size(plan: Plan, settings: AttackSettings) -> int:
    return min(settings.batch_size, largest_batch(plan.subject.loaded.model.spec.shape))


def _metrics(attacked: Attacked, plan: Plan) -> dict[str, Metric]:
    """The figures, and of a goal that is one class its number."""
    own = {} if plan.goal is None or plan.goal.number is None else {"attack/goal": Metric(float(plan.goal.number))}
    return {**attack_metrics(attacked, labelled=plan.subject.labelled, radius=plan.radius), **own}


def _labels(plan: Plan) -> dict[str, str]:
    goal, norm = None if plan.goal is None else plan.goal.words, plan.chosen.threat.norm
    if plan.moves is not None:
        return labels(goal, norm=norm, radius=plan.radius, changed="one column", unit=" in train's ranges")
    return labels(goal, norm=norm, radius=plan.radius, labelled=plan.subject.labelled)


def _files(run: Run, attacked: Attacked, plan: Plan, settings: AttackSettings, talk: Talk) -> dict[str, str]:
    spec, report, moves, files = plan.subject.loaded.model.spec, attacked.report, plan.moves, {}
    if moves is None:
        null = "random" if plan.chosen.threat.norm == "spatial" else "noise"
        picture = triple(attacked, spec.classes, attack=plan.name, goal=plan.goal, talk=talk, null=null)
        files["triple"] = run.write("plots/triple.png", picture)
    files["examples"] = run.write("examples.csv", examples_csv(attacked, spec.classes))
    if moves is not None:
        files["changes"] = run.write("changes.csv", changes_csv(report, moves, spec))
        report = replace(report, adversarial=adversarial_rows(report, moves).cpu())
    if keeps_examples(report, settings.save_examples):
        files["adversarial"] = run.write("adversarial.npz", examples_npz(report))
    return files
