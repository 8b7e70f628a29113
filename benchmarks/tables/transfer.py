"""Finetuning: a linear probe on features computed once against the frozen network in every epoch; steps against a plain loop."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import dl, peer, workplace

EPOCHS, SIDE = 30, 64
FIRST, LAST = 10, 120  # steps of 32 in 800 examples, reported every 10: five epochs end at step 125


def run(repeats: int) -> None:
    """Measures both with 1,000 labelled digits at 64 pixels; the steps on ResNet-18 with random weights, which cost the same."""
    before = machine()
    probe = ("backbone=efficientnet_lite0", f"size={SIDE}", f"trainer.epochs={EPOCHS}", "trainer.patience=null")
    with workplace():
        ways = [peer(f"probe, {way}", "frozen_backbone", way, *probe) for way in ("plain", "cached")]
        few = ("--data", "mnist", "--labels", "1000", "limit_test=200", "trainer.patience=null", "scheduler=constant")
        ours = dl("dl finetune", "finetune", "--backbone", "resnet18", "--weights", "none", *few, "--size", str(SIDE))
        words = ("--network", "resnet18", "--side", str(SIDE), "--epochs", "5", "--first", str(FIRST), "--last", str(LAST))
        bare = peer("plain loop", "plain_finetuning", *words)
        trials = run_alternating([*ways, bare, ours], repeats)
    assert all((trial["first_step"], trial["last_step"]) == (FIRST, LAST) for trial in trials[ours.name])
    faster = median(trials[ways[0].name], "training_seconds") / median(trials[ways[1].name], "training_seconds")
    step = median(trials[ours.name], "ms_per_step") / median(trials[bare.name], "ms_per_step")
    goals = [
        Goal("frozen backbone in every epoch / features once, 30 epochs", faster, 10, at_least=True),
        Goal("step of dl finetune / step of a plain loop, ResNet-18", step, 1.05, at_least=False),
    ]
    save("transfer", before, trials, goals)
