"""Methods in the order of their evidence, on a network that has learned and by figures that are known."""

from __future__ import annotations

import csv
import io

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.explain_methods import Method
from dlcli.commands.explain_trust import weighed
from dlcli.commands.method_ranking import (
    Ranked,
    agreement,
    named_reason,
    ranked,
    ranking_csv,
    ranking_metrics,
    ranking_table,
    ranking_words,
)
from dlcli.commands.models import load_model
from dlcli.commands.subject import Subject
from dlcli.config.compose import compose
from dlcli.config.schema import ExplainSettings, checked_settings
from dlcli.data.memory import MemorySplit
from dlcli.data.mnist import MNIST
from dlcli.explainers.eigencam import EigenCAM
from dlcli.explainers.input_x_gradient import InputXGradient
from dlcli.explainers.integrated_gradients import IntegratedGradients
from dlcli.metrics.faithfulness import Faithfulness
from dlcli.metrics.trust import Verdict

CPU = torch.device("cpu")
METHODS = [
    Method("eigencam", EigenCAM(), 0.001, 2),
    Method("integrated_gradients", IntegratedGradients(), 0.02, 52),
    Method("input_x_gradient", InputXGradient(), 0.001, 1),
]


@pytest.fixture(scope="module")
def subject() -> Subject:
    test = MNIST().load().test
    assert isinstance(test, MemorySplit)
    return Subject(
        load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True)), test.select(torch.arange(6)), CPU
    )


@pytest.fixture(scope="module")
def found(subject: Subject) -> list[Ranked]:
    return ranked(METHODS, subject, batch_size=4, seed=0, steps=16, check=lambda: None)


def test_the_method_of_most_evidence_comes_first(found: list[Ranked]) -> None:
    assert found[0].method.name == "integrated_gradients"
    assert found[0].share.value == 1
    shares = [one.share.value for one in found]
    assert shares == sorted(shares, reverse=True)


def test_a_method_has_the_evidence_that_it_has_by_itself(subject: Subject, found: list[Ranked]) -> None:
    settings = checked_settings("explain", compose("explain", ["batch_size=4", "evidence=true"]))
    assert isinstance(settings, ExplainSettings)
    best = found[0]
    alone = weighed(settings, subject, best.method.explainer, best.report, seconds=0.0, check=lambda: None, talk=Talk(quiet=True))
    assert alone is not None
    assert torch.allclose(best.faith.insertion, alone.faith.insertion, atol=1e-5)
    assert torch.allclose(best.faith.deletion, alone.faith.deletion, atol=1e-5)
    assert [verdict.word for verdict in best.verdicts] == [verdict.word for verdict in alone.verdicts]
    assert best.false_trust == alone.false_trust


def test_agreement_is_symmetric_and_said_with_its_ends(found: list[Ranked]) -> None:
    agreeing = agreement(found)
    assert agreeing.shape == (6, 3, 3)
    assert torch.allclose(agreeing, agreeing.transpose(1, 2))
    mean = agreeing.mean(dim=0)
    names = [one.method.name for one in found]
    line = next(line for line in ranking_words(found, agreeing, {}) if "correlate" in line)
    row, column = divmod(int(mean.fill_diagonal_(-2).argmax()), 3)
    assert f"most {names[row]} and {names[column]}" in line
    assert ranking_metrics(found, agreeing)["explain/agreement"].n == 6
    assert [row[0] for row in ranking_table(found)[1:]] == [f"{place + 1}. {name}" for place, name in enumerate(names)]


def of_words(name: str, words: str) -> Ranked:
    """A method whose maps are supported (s) or weak (w), 1 and 0 of null maps beaten."""
    names = {"s": Verdict("supported", "it is"), "w": Verdict("weak", "it is not")}
    areas = torch.tensor([[0.9, 0.1] if word == "s" else [0.1, 0.9] for word in words])
    maps = torch.rand(len(words), 3, 3, generator=torch.Generator().manual_seed(len(name)))
    zeros = torch.zeros(len(words), dtype=torch.int64)
    report_of = (torch.zeros(len(words), 1, 3, 3), maps, zeros, zeros, zeros, torch.ones(len(words)), zeros)
    from dlcli.engine.attribute import ExplainReport

    faith = Faithfulness(areas, torch.full_like(areas, 0.5))
    return Ranked(Method(name, EigenCAM(), 0.002, 3), ExplainReport(*report_of), faith, [names[word] for word in words], (0, 9))


def test_a_lead_that_may_be_chance_is_called_so_and_a_clear_one_is_not() -> None:
    close, clear = (of_words("a", "s" * 20), of_words("b", "s" * 19 + "w")), (of_words("a", "s" * 20), of_words("b", "w" * 20))
    first, second = (ranking_words(pair, agreement(pair), {})[0] for pair in (close, clear))
    assert "+5 [" in first
    assert first.endswith("points on b, which may be chance")
    assert second.endswith("points on b")


def test_where_nothing_is_supported_nothing_is_best() -> None:
    one = of_words("a", "www")
    said = ranking_words([one], agreement([one]), {"b": "b needs a layer", "c": "too dear"})
    assert said[0] == "no method has a supported map: none of them is to be trusted here"
    assert said[1] == "a has no supported map, mostly: it is not"
    assert said[2:4] == ["left out: b needs a layer", "left out: c: too dear"]
    assert "explain/agreement" not in ranking_metrics([one], agreement([one]))
    (row,) = csv.DictReader(io.StringIO(ranking_csv([one]).decode()))
    assert (row["method"], row["supported"], row["n"], row["mostly"]) == ("a", "0", "3", "it is not")
    assert named_reason("lrp", "lrp's rule") == "lrp's rule"


def test_many_methods_without_a_supported_map_share_a_line() -> None:
    several = [of_words(name, "sw" if name == "a" else "ww") for name in "abcdef"]
    said = ranking_words(several, agreement(several), {})
    assert "without a supported map: b, c, d, e, f; ranking.csv says why" in said
    assert not any("mostly" in line for line in said)
