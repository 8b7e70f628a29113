"""``torch.compile`` on and off over a whole MNIST run, on the device that ``dl`` chooses."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import dl, workplace


def run(repeats: int) -> None:
    """Measures the default recipe as it is, and compiled; from the second repeat on the compiler's disk cache is warm."""
    before = machine()
    with workplace():
        eager = dl("eager", "train", "mnist", seeded=True)
        compiled = dl("compiled", "train", "mnist", "trainer.compile=true", seeded=True)
        trials = run_alternating([eager, compiled], repeats)
    value = median(trials[compiled.name]) / median(trials[eager.name])
    save("compile", before, trials, [Goal("compiled / eager, whole process: eager is the default", value, 1, at_least=True)])
