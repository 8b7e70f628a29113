"""Which explainers fit a model, and what they cost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.commands.explain_methods import Method, counted_passes, fitting_methods, named_methods, within_budget
from dlcli.errors import UsageError
from dlcli.explainers.gradcam import GradCAM
from dlcli.explainers.occlusion import Occlusion
from dlcli.explainers.saliency import Saliency


class Broken:
    kind = "explainer"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: object = None) -> Tensor:
        raise ZeroDivisionError


def flat() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def tried(**methods: object) -> tuple[list[Method], dict[str, str]]:
    return fitting_methods(methods, flat(), torch.rand(1, 1, 4, 4), torch.tensor([1]), seed=0)  # type: ignore[arg-type]


def test_what_does_not_fit_says_why_and_what_fits_says_what_it_costs() -> None:
    fitting, unfit = tried(saliency=Saliency(), gradcam=GradCAM(), occlusion=Occlusion(patch=2, stride=2))
    assert [method.name for method in fitting] == ["saliency", "occlusion"]
    assert "needs a layer with a spatial map" in unfit["gradcam"]
    # One pass, and one for the whole with one for each of four windows.
    assert [method.passes for method in fitting] == [1, 5]
    assert all(method.seconds > 0 for method in fitting)


def test_a_mistake_inside_an_explainer_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        tried(broken=Broken())


def test_names_choose_and_an_unknown_one_is_refused() -> None:
    assert list(named_methods(["rise", "lime", "rise"])) == ["rise", "lime"]
    assert {"gradcam", "saliency", "occlusion"} <= set(named_methods(None))
    with pytest.raises(UsageError, match="did you mean 'saliency'"):
        named_methods(["salency"])


def test_the_cheapest_are_taken_until_the_time_is_spent_and_stay_in_their_order() -> None:
    methods = [Method(name, Saliency(), seconds, 1) for name, seconds in (("a", 3.0), ("b", 1.0), ("c", 2.0), ("d", 9.0))]
    kept, dear = within_budget(methods, maps=2, seconds=6.5)
    assert [one.name for one in kept] == ["b", "c"]
    assert [one.name for one in dear] == ["a", "d"]


def test_passes_are_counted_and_the_hook_goes() -> None:
    model = flat()
    with counted_passes(model) as counts:
        model(torch.rand(3, 16))
        model(torch.rand(2, 16))
    model(torch.rand(2, 16))
    assert counts == [3, 2]
    assert not model._forward_hooks
