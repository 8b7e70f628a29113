"""Start-up: dl against ``import torch``, and ``dl --help`` against a bare Typer app."""

from __future__ import annotations

from benchmarks.measure import PYTHON, Goal, Side, machine, median, run_alternating, run_process, save
from benchmarks.sides import DL, dl, peer, workplace


def run(repeats: int) -> None:
    """Measures help, the first optimizer step, an attack on 10,000 digits and a set of heat maps.

    The attack is measured on a network of the ``mnist`` recipes and on the shipped one, which is twice as large.
    """
    before = machine()
    with workplace():
        run_process(dl("trained network", "train", "mnist_fast"), 0)
        code = "import json, time, torch; print(json.dumps({'cpu_to_import': time.process_time()}))"
        torch = Side("import torch", lambda _: [PYTHON, "-c", code])
        bare = peer("bare Typer --help", "bare_typer", "--help")
        usage = Side("dl --help", lambda _: [DL, "--help"])
        step = peer("first step of dl train mnist", "first_step", "train", "mnist", "--quiet")
        attack = dl("dl attack fgsm, 10,000 digits", "attack", "fgsm")
        shipped = dl("dl attack fgsm --run builtin:mnist", "attack", "fgsm", "--run", "builtin:mnist")
        explain = dl("dl explain gradcam", "explain", "gradcam")
        trials = run_alternating([torch, bare, usage, step, attack, shipped, explain], repeats)
    cpu = median(trials[step.name], "cpu_to_first_step") - median(trials[torch.name], "cpu_to_import")
    seconds = median(trials[torch.name])
    goals = [
        Goal("CPU seconds to the first step beyond import torch", cpu, 1.5, at_least=False),
        Goal("dl --help / bare Typer --help", median(trials[usage.name]) / median(trials[bare.name]), 1.3, at_least=False),
        Goal("dl attack fgsm / import torch", median(trials[attack.name]) / seconds, 2, at_least=False),
        Goal("dl attack fgsm --run builtin:mnist / import torch", median(trials[shipped.name]) / seconds, 2, at_least=False),
        Goal("dl explain gradcam / import torch", median(trials[explain.name]) / seconds, 2, at_least=False),
    ]
    save("startup", before, trials, goals)
