"""Time of a step: ``dl train`` with its logging, metrics and checkpoints against a bare loop on the same network."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import dl, peer, workplace

EPOCHS = 3
FIRST, LAST = 50, 1250  # steps of 128 in 55,000 examples, reported every 50: three epochs end at step 1,290


def run(repeats: int) -> None:
    """Measures three epochs without augmentation; both sides validate once an epoch, dl also saves."""
    before = machine()
    same = ("augment=none", "loss=cross_entropy", "optimizer=sgd", "optimizer.lr=0.05", "trainer.clip_norm=null")
    with workplace():
        ours = dl("dl train", "train", "mnist", *same, "scheduler=constant", "--epochs", str(EPOCHS))
        words = ("--model", "mnist_cnn", "--epochs", str(EPOCHS), "--first", str(FIRST), "--last", str(LAST))
        bare = peer("bare loop", "bare_loop", *words)
        trials = run_alternating([bare, ours], repeats)
    assert all((trial["first_step"], trial["last_step"]) == (FIRST, LAST) for trial in trials[ours.name])
    value = median(trials[ours.name], "ms_per_step") / median(trials[bare.name], "ms_per_step")
    save("overhead", before, trials, [Goal("step of dl train / step of a bare loop", value, 1.05, at_least=False)])
