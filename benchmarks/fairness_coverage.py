"""How often the intervals of differences between groups contain the true difference, and how often p falls below 0.05.

``python -m benchmarks.fairness_coverage [--draws 1000] [--resamples 500]`` writes ``results/coverage/fairness.json``. Logits are
normal with mean ±0.75 by class, moved by the group's shift, so every true rate has a closed form. Where the true difference is 0
(``like groups``, and AUROC everywhere) ``p below 0.05`` should be near 0.05, elsewhere it is the power of the test.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dlcli.contracts import Predictions
from dlcli.metrics import fairness
from dlcli.metrics.fairness import ColumnReport, column_report

_RESULTS = Path(__file__).parent / "results" / "coverage" / "fairness.json"
_CENTER = 0.75


@dataclass(frozen=True)
class Scenario:
    """Groups of some sizes, each with a base rate and a shift of its logits."""

    sizes: tuple[int, ...]
    base: tuple[float, ...]
    shift: tuple[float, ...]

    def draw(self, seed: int) -> ColumnReport:
        """Returns the report of one sample."""
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(len(self.sizes)), self.sizes)
        targets = (random.random(len(groups)) < np.array(self.base)[groups]).astype(int)
        logits = random.normal(size=len(groups)) + _CENTER * (2 * targets - 1) + np.array(self.shift)[groups]
        predictions = Predictions(torch.tensor(logits)[:, None], torch.tensor(targets), torch.arange(len(groups)))
        return column_report(predictions, torch.tensor(groups), [f"g{number}" for number in range(len(self.sizes))], column="g")

    def truth(self) -> dict[str, float]:
        """Returns the true differences."""
        tpr = [_normal_cdf(_CENTER + shift) for shift in self.shift]
        fpr = [_normal_cdf(-_CENTER + shift) for shift in self.shift]
        groups = list(zip(self.base, tpr, fpr, self.shift, strict=True))
        selected = [base * hit + (1 - base) * alarm for base, hit, alarm, _ in groups]
        right = [base * hit + (1 - base) * (1 - alarm) for base, hit, alarm, _ in groups]
        forecast = [
            base * _mean_chance(_CENTER + shift) + (1 - base) * _mean_chance(-_CENTER + shift) for base, _, _, shift in groups
        ]
        gaps = [chance - base for chance, base in zip(forecast, self.base, strict=True)]
        return {
            "dp_difference": _range(selected),
            "dp_ratio": min(selected) / max(selected),
            "equalized_odds_difference": max(_range(tpr), _range(fpr)),
            "tpr_difference": _range(tpr),
            "fpr_difference": _range(fpr),
            "accuracy_difference": _range(right),
            "auroc_gap": 0.0,
            "calibration_gap": _range(gaps),
        }


SCENARIOS = {
    "two groups": Scenario((200, 300), (0.3, 0.4), (0.0, 0.4)),
    "two small groups": Scenario((60, 80), (0.3, 0.4), (0.0, 0.5)),
    "attrition's test rows by gender": Scenario((132, 88), (0.17, 0.15), (0.0, 0.3)),
    "three groups": Scenario((150, 200, 250), (0.2, 0.3, 0.4), (0.0, 0.3, 0.6)),
    "four groups, two and two alike": Scenario((120, 150, 200, 300), (0.3,) * 4, (0.0, 0.0, 0.4, 0.4)),
    "three like groups": Scenario((150, 200, 250), (0.3,) * 3, (0.0,) * 3),
}


def coverage(scenario: Scenario, draws: int) -> dict[str, dict[str, float]]:
    """Returns for each difference its truth, the share of intervals that contain it, and the share of p-values below 0.05."""
    truth = scenario.truth()
    held: dict[str, list[bool]] = {name: [] for name in truth}
    found: dict[str, list[bool]] = {name: [] for name in truth}
    for seed in range(draws):
        for name, difference in scenario.draw(seed).differences.items():
            metric = difference.metric
            if metric.low is None or metric.high is None or difference.p is None:
                continue
            held[name].append(metric.low - 1e-9 <= truth[name] <= metric.high + 1e-9)
            found[name].append(difference.p < 0.05)
    return {
        name: {
            "truth": round(truth[name], 4),
            "coverage": round(sum(held[name]) / len(held[name]), 4),
            "p below 0.05": round(sum(found[name]) / len(found[name]), 4),
        }
        for name in truth
    }


def _normal_cdf(value: float) -> float:
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))


def _mean_chance(center: float) -> float:
    """The mean of sigmoid(z) over z ~ N(center, 1)."""
    steps = np.linspace(-9, 9, 6001)
    weights = np.exp(-(steps**2) / 2)
    return float((weights / weights.sum() / (1 + np.exp(-(steps + center)))).sum())


def _range(values: list[float]) -> float:
    return max(values) - min(values)


def main() -> None:
    """Runs all scenarios, printing each as it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    fairness.RESAMPLES = arguments.resamples
    results = {}
    for name, scenario in SCENARIOS.items():
        results[name] = coverage(scenario, arguments.draws)
        sys.stdout.write(f"{name}: {results[name]}\n")
        sys.stdout.flush()
    content = {"draws": arguments.draws, "resamples": arguments.resamples, "scenarios": results}
    _RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
