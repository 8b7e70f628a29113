"""One attack by one library on the same network and the same test images, with what it left standing checked by other code."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcli.commands.console import Talk
from dlcli.commands.models import data_source, load_model

CPU = torch.device("cpu")
STEP_SIZE = 0.01
Run = Callable[[Tensor, Tensor], Tensor]


def ours(model: nn.Module, attack: str, epsilon: float, steps: int) -> Run:
    """dlcli's attacks, in a process that keeps freed memory as ``dl`` does."""
    from dlcli.attacks.autoattack import AutoAttack
    from dlcli.attacks.pgd import PGD
    from dlcli.cli.memory import keep_freed_memory

    keep_freed_memory()
    if attack == "autoattack":
        chosen = AutoAttack(epsilon=epsilon)
        return lambda inputs, targets: chosen(model, inputs, targets)
    pgd = PGD(epsilon=epsilon, steps=steps, step_size=STEP_SIZE)
    return lambda inputs, targets: pgd(model, inputs, targets)


def foolbox(model: nn.Module, attack: str, epsilon: float, steps: int) -> Run:
    """foolbox's PGD, which steps to the end for every image."""
    import foolbox

    assert attack == "pgd"
    pgd = foolbox.attacks.LinfPGD(steps=steps, abs_stepsize=STEP_SIZE, random_start=True)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    return lambda inputs, targets: pgd(wrapped, inputs, targets, epsilons=epsilon)[1]


def torchattacks(model: nn.Module, attack: str, epsilon: float, steps: int) -> Run:
    """torchattacks' PGD, which steps to the end for every image."""
    import torchattacks

    assert attack == "pgd"
    return torchattacks.PGD(model, eps=epsilon, alpha=STEP_SIZE, steps=steps, random_start=True)


def original(model: nn.Module, attack: str, epsilon: float, steps: int) -> Run:
    """The standard version of the original AutoAttack, as its package on the registry has it."""
    from pyautoattack.autoattack import AutoAttack

    assert attack == "autoattack"
    chosen = AutoAttack(model, norm="Linf", eps=epsilon, seed=0, version="standard")
    chosen.verbose = False
    return lambda inputs, targets: chosen.run_standard_evaluation(inputs, targets, batch_size=len(inputs))[0]


LIBRARIES = {"dlcli": ours, "foolbox": foolbox, "torchattacks": torchattacks, "original": original}


def right(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Which images a network is right about, bool (N,)."""
    with torch.no_grad():
        return model(inputs).argmax(dim=1) == targets


def main() -> None:
    """Prints seconds, clean and robust accuracy, and which images still stand, as one digit each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("attack", choices=["pgd", "autoattack"])
    parser.add_argument("--run", required=True)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--epsilon", type=float, default=0.3)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    loaded = load_model(options.run, which="best", device=CPU, talk=Talk(quiet=True))
    model = loaded.model.eval()
    test = data_source(loaded.data, source=loaded.reference).load().test
    assert test is not None
    (batch,) = test.batches(torch.arange(options.images), options.images)
    inputs, targets = batch.inputs, batch.targets
    clean = right(model, inputs, targets)
    attack = LIBRARIES[options.library](model, options.attack, options.epsilon, options.steps)
    torch.manual_seed(0)
    if options.attack == "pgd":
        attack(inputs[:50], targets[:50])
    started = time.perf_counter()
    batches = zip(inputs.split(options.batch), targets.split(options.batch), strict=True)
    found = torch.cat([attack(*batch).detach() for batch in batches])
    seconds = time.perf_counter() - started
    found = torch.where(clean[:, None, None, None], found, inputs)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found - inputs).abs().max() <= options.epsilon + 1e-6
    standing = clean & right(model, found, targets)
    figures = {"attack_seconds": seconds, "clean": clean.float().mean().item(), "robust": standing.float().mean().item()}
    print(json.dumps({**figures, "standing": "".join(str(int(each)) for each in standing)}))


if __name__ == "__main__":
    main()
