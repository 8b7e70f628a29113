"""The masking verdict on nets that hide their gradient, which must fail, and on ordinary ones, which must pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dlcli.commands.attack_chain import Effort, Examined, attempted, run_chain
from dlcli.commands.attack_masking import (
    _radii,
    masking_checks,
    masking_csv,
    masking_metrics,
    masking_table,
    masking_words,
)
from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, load_model
from dlcli.commands.subject import Subject
from dlcli.contracts import DataSpec
from dlcli.data.memory import MemorySplit
from dlcli.data.mnist import MNIST
from dlcli.engine.outcomes import Outcomes, clean_outcomes
from dlcli.metrics.masking import Check, overall

COUNT = 40
EFFORT = Effort(epsilon=0.1, norm="linf", steps=10, targets=2, queries=100, reach=2.0, rungs=4)


class Changed(nn.Module):
    """A trained network with something before and after it."""

    def __init__(self, inner: nn.Module, before=lambda x: x, after=lambda z: z) -> None:
        super().__init__()
        self.inner, self.before, self.after, self.spec = inner, before, after, inner.spec

    def forward(self, images: Tensor) -> Tensor:
        return self.after(self.inner(self.before(images)))


@pytest.fixture(scope="module")
def digits() -> Loaded:
    return load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True))


@pytest.fixture(scope="module")
def split() -> MemorySplit:
    return MNIST().load().test.select(torch.arange(COUNT))


def checks_of(model: nn.Module, split: MemorySplit, *, effort: Effort = EFFORT, whole: bool = True) -> dict[str, Check]:
    subject = Subject(Loaded(model, None, "x", "x", {}), split, torch.device("cpu"))  # type: ignore[arg-type]
    clean = clean_outcomes(model, split, batch_size=COUNT)

    def attempt(link, rows):
        return attempted(subject, link, rows, clean, batch_size=COUNT, seed=0, check=lambda: None)

    rows = torch.arange(len(split))
    links = effort.chain(len(model.spec.classes))
    examined = run_chain(subject, links, clean, rows, epsilon=effort.epsilon, attempt=attempt)
    found = masking_checks(subject, examined, effort, probes=20, seed=0, attempt=attempt if whole else None)
    return {check.name: check for check in found}


def test_points_that_more_effort_costs_are_points_of_accuracy(digits, split):
    """Of 40 examples 30 are right, and all of them stand until more effort breaks them."""
    targets = torch.where(torch.arange(COUNT) < 10, (split.targets + 1) % 10, split.targets)
    subject = Subject(Loaded(digits.model, None, "x", "x", {}), MemorySplit(split.inputs, targets), torch.device("cpu"))  # type: ignore[arg-type]
    clean = clean_outcomes(digits.model, subject.split, batch_size=COUNT)

    def attempt(link, rows):
        predicted = (targets[rows] + 1) % 10 if link.name == "masking_more" else clean.predicted[rows]
        return Outcomes(rows=rows, predicted=predicted, distances=torch.zeros(len(rows)), forwards=0, backwards=0, seconds=0.0)

    examined = run_chain(subject, EFFORT.chain(10), clean, torch.arange(COUNT), epsilon=0.1, attempt=attempt)
    found = masking_checks(subject, examined, EFFORT, probes=20, seed=0, attempt=attempt)
    (check,) = (each for each in found if each.name == "more_effort")
    assert check.value == pytest.approx(0.75)
    assert check.figure == "20 of 20 that stood fell: 75.00 points"


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_ordinary_network_passes_every_check(norm, digits, split):
    effort = Effort(epsilon={"linf": 0.1, "l2": 1.0}[norm], norm=norm, steps=20, targets=2, queries=100, reach=2.0, rungs=4)
    checks = checks_of(digits.model, split, effort=effort)
    assert {name: check.verdict for name, check in checks.items()} == dict.fromkeys(checks, "PASS")
    assert len(checks) == 9


def test_an_affine_network_passes_every_check():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    images = torch.rand(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    model.spec = DataSpec(name="toy", shape=(1, 8, 8), classes=("a", "b", "c"), mean=(0.0,), std=(1.0,), epsilon={})
    checks = checks_of(model, MemorySplit(images, model(images).argmax(dim=1)))
    assert {check.verdict for check in checks.values()} == {"PASS"}


def test_a_network_with_saturated_logits_fails(digits, split):
    checks = checks_of(Changed(digits.model, after=lambda logits: 1e4 * logits), split)
    assert checks["zero_gradients"].verdict == "FAIL"
    assert "underflows" in checks["zero_gradients"].reason
    assert overall(list(checks.values())) == "FAIL"


def test_a_network_with_a_quantised_input_fails_on_several_counts(digits, split):
    checks = checks_of(Changed(digits.model, before=lambda images: (images * 3).round() / 3), split)
    assert checks["zero_gradients"].verdict == "FAIL"
    assert checks["finite_differences"].verdict == "FAIL"
    assert "square" in checks["zero_gradients"].advice


def test_a_network_that_draws_noise_fails(digits, split):
    checks = checks_of(Changed(digits.model, before=lambda images: images + 0.2 * torch.randn_like(images)), split)
    assert checks["randomness"].verdict == "FAIL"
    assert "EOT" in checks["randomness"].advice


def test_a_network_with_a_softmax_at_its_end_fails(digits, split):
    checks = checks_of(Changed(digits.model, after=lambda logits: logits.softmax(dim=1)), split, whole=False)
    assert checks["softmax_outputs"].verdict == "FAIL"


def test_within_a_budget_only_what_needs_no_further_attack_is_checked(digits, split):
    checks = checks_of(digits.model, split, whole=False)
    assert set(checks) == {
        "zero_gradients", "finite_differences", "randomness", "softmax_outputs", "pgd_over_fgsm", "black_box",
    }  # fmt: skip


def test_a_network_that_is_always_wrong_is_looked_at_all_the_same(digits, split):
    wrong = MemorySplit(split.inputs, (split.targets + 1) % 10)
    assert set(checks_of(digits.model, wrong)) == {"zero_gradients", "finite_differences", "randomness", "softmax_outputs"}


def failing() -> list[Check]:
    def check(name: str, verdict: str) -> Check:
        advice = "" if verdict == "PASS" else "dl attack square"
        return Check(name=name, words=name, verdict=verdict, value=0.5, figure="half", reason="why", advice=advice)  # type: ignore[arg-type]

    return [check("one", "PASS"), check("two", "WARN"), check("three", "FAIL")]


def test_the_verdict_comes_first_and_then_what_failed():
    verdict, *signs = masking_words(failing())
    assert "FAIL" in verdict
    assert [sign.split()[:2] for sign in signs] == [["FAIL", "three:"], ["WARN", "two:"]]
    assert all("dl attack square" in sign for sign in signs)
    assert masking_words(failing()[:1]) == ["Masking verdict PASS: none of 1 checks found a hidden gradient."]


def test_figures_table_and_file_hold_every_check():
    metrics = masking_metrics(failing())
    assert (metrics["attack/masking/warned"].value, metrics["attack/masking/failed"].value) == (1, 1)
    assert metrics["attack/masking/three"].value == 0.5
    assert [row[1] for row in masking_table(failing()).rows] == ["PASS", "WARN", "FAIL"]
    assert masking_csv(failing()).decode().splitlines()[3] == "three,FAIL,0.5,half,why,dl attack square"


def test_radii_lie_where_accuracy_falls_and_reach_the_end(digits, split):
    model = digits.model
    subject = Subject(Loaded(model, None, "x", "x", {}), split, torch.device("cpu"))  # type: ignore[arg-type]
    clean = clean_outcomes(model, split, batch_size=COUNT)
    tried: dict[str, float] = {}

    def attempt(link, rows):
        if link.name.startswith("masking_") and link.name != "masking_more":
            tried[link.name] = link.attack.epsilon
        return attempted(subject, link, rows, clean, batch_size=COUNT, seed=0, check=lambda: None)

    links = (*EFFORT.chain(10)[:4], EFFORT.curve_link(steps=5))
    examined = run_chain(subject, links, clean, torch.arange(COUNT), epsilon=0.1, attempt=attempt)
    square = {"square": attempt(EFFORT.chain(10)[-1], torch.arange(0))}
    examined = replace(examined, found={**examined.found, **square})
    masking_checks(subject, examined, EFFORT, probes=20, seed=0, attempt=attempt)
    median = float(examined.distances()[examined.right].median())
    assert list(tried.values()) == sorted(tried.values())
    assert {f"{radius:.3g}" for radius in tried.values()} == {
        f"{radius:.3g}" for radius in (median / 2, median, 0.05, 0.1, 0.2, 1.0)
    }


def test_radii_that_read_alike_are_tried_once(digits, split):
    clean = clean_outcomes(digits.model, split, batch_size=COUNT)
    rows = clean.right.nonzero().flatten()
    wrong = (clean.targets[rows] + 1) % 10
    # A float32's 0.3 is no float's.
    sizes = torch.full((len(rows),), 0.3)
    found = Outcomes(rows=rows, predicted=wrong, distances=sizes, forwards=1, backwards=0, seconds=0.0)
    examined = Examined(clean=clean, epsilon=0.3, examined=torch.arange(COUNT), found={"square": found})
    assert _radii(examined, replace(EFFORT, epsilon=0.3), 1.0) == [0.15, 0.3, 0.6, 1.0]
