"""What every file in configs/model must hold."""

import functools
import importlib
import inspect
import re
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError
from dlcli.explainers.layers import spatial_layer
from dlcli.models.heads import head_name

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))
LARGE = 5_000_000  # parameters: to fit more would take minutes
pytestmark = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def read(path: Path) -> tuple[type, dict]:
    values = yaml.safe_load(path.read_text())
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name), values


def spec(shape: tuple[int, ...], classes: int) -> DataSpec:
    names = tuple(str(number) for number in range(classes))
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.4,) * shape[0], std=(0.2,) * shape[0], epsilon={})


def build(path: Path, shape: tuple[int, ...], *, classes: int | None = None, **changes: object) -> nn.Module:
    """The network, with weights that hold no numbers inside ``torch.device("meta")``.

    Without ``classes`` there are ten, or two where the file asks for one logit.
    """
    target, values = read(path)
    if target.__module__.endswith("timm_model"):
        pytest.importorskip("timm", reason="timm is not installed")
    if classes is None:
        classes = 2 if values["outputs"] == 1 else 10
    return target(spec=spec(shape, classes), **{**values, **changes})


@functools.cache
def smallest(path: Path, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """``shape``, or the smallest square that the network says it needs where that is too small."""
    try:
        with torch.device("meta"):
            build(path, shape)
    except ValueError as error:
        needed = re.search(r"at least (\d+) x (\d+) pixels", str(error))
        assert needed, error
        return (shape[0], int(needed[1]), int(needed[2]))
    return shape


@pytest.fixture
def model(path: Path) -> nn.Module:
    """A network for the smallest images that it takes, from 8 pixels up, with one logit for two classes."""
    torch.manual_seed(0)
    return build(path, smallest(path, (1, 8, 8)), classes=2, outputs=1)


def images(path: Path, count: int) -> torch.Tensor:
    return torch.randn(count, *smallest(path, (1, 8, 8)), generator=torch.Generator().manual_seed(1))


def test_a_model_config_lists_every_parameter_and_says_when_to_choose_it(path):
    target, values = read(path)
    assert issubclass(target, nn.Module)
    parameters = inspect.signature(target).parameters
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert list(values) == [name for name in parameters if name != "spec"]
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) <= 92


@pytest.mark.parametrize(
    ("shape", "classes", "outputs"), [((1, 28, 28), 2, None), ((3, 32, 32), 10, None), ((1, 8, 8), 2, 1)], ids=str
)
def test_a_model_gives_one_logit_per_class_or_one_for_two_classes(path, shape, classes, outputs):
    shape = smallest(path, shape)
    with torch.device("meta"):
        logits = build(path, shape, classes=classes, outputs=outputs)(torch.empty(4, *shape))
    # The perceptron is one neuron for two classes, unless it is told otherwise.
    one = outputs == 1 or (path.stem == "perceptron" and classes == 2)
    assert logits.shape == (4, 1 if one else classes)


def test_a_model_is_repeated_by_the_seed_and_draws_from_torchs_generator_alone(path):
    shape, states = smallest(path, (1, 8, 8)), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(list(build(path, shape).parameters()))
    assert all(map(torch.equal, states[0], states[1]))
    starts_at_zero = not any(parameter.any() for parameter in states[0])
    assert starts_at_zero or not all(map(torch.equal, states[0], states[2]))


def test_a_model_gives_finite_logits_and_every_parameter_gets_a_gradient(path, model):
    assert model(images(path, 8)).isfinite().all()
    for parameter in model.parameters():  # weights that start at zero hide those before them
        parameter.data += 0.01 * torch.randn_like(parameter)
    model(images(path, 8)).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


def test_in_evaluation_an_examples_logits_do_not_depend_on_its_batch(path, model):
    inputs = images(path, 6)
    with torch.no_grad():
        assert torch.allclose(model.eval()(inputs)[2:4], model(inputs[2:4]), atol=1e-5)


def test_a_model_loads_its_own_state_strictly(path, model):
    other, inputs = build(path, smallest(path, (1, 8, 8)), classes=2, outputs=1), images(path, 2)
    other.load_state_dict(model.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(model.eval()(inputs), other.eval()(inputs))


def test_a_model_works_inside_a_classifier_on_raw_inputs(path):
    shape = smallest(path, (3, 32, 32))
    classifier = Classifier(spec(shape, 2), build(path, shape, classes=2)).eval()
    with torch.no_grad():
        assert classifier(torch.rand(2, *shape)).isfinite().all()


def test_a_models_head_is_a_linear_layer_with_its_logits(path, model):
    assert model.get_submodule(head_name(model)).out_features == 1


def test_a_convolutional_model_has_late_maps_that_its_logits_depend_on(path):
    shape, found = smallest(path, (1, 64, 64)), []
    model = build(path, shape).eval()
    if not any(isinstance(module, nn.Conv2d) for module in model.modules()):
        with pytest.raises(UsageError, match="this model has none"):
            spatial_layer(model, torch.zeros(1, *shape))
        return
    layer = spatial_layer(model, torch.zeros(1, *shape))[1]
    layer.register_forward_hook(lambda module, inputs, output: found.append(output))
    logits = model(torch.randn(1, *shape))
    (gradient,) = torch.autograd.grad(logits[0, 0], found)
    assert min(gradient.shape[2:]) > 1
    assert gradient.any()


def loss_of(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(model(inputs)[:, 0], targets.float())


def test_a_model_can_be_fitted_to_a_handful_of_examples_or_begins_to_where_it_is_large(path, model):
    inputs, targets = images(path, 16), torch.arange(16) % 2
    for module in model.modules():
        module.train(not isinstance(module, nn.Dropout))
    large = sum(parameter.numel() for parameter in model.parameters()) > LARGE
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3) if large else torch.optim.Adam(model.parameters(), lr=3e-3)
    before = loss_of(model, inputs, targets).item()
    for _ in range(3 if large else 150):
        optimizer.zero_grad()
        loss_of(model, inputs, targets).backward()
        optimizer.step()
        if not large and ((model(inputs)[:, 0] > 0) == targets.bool()).all():
            return
    assert large
    assert loss_of(model, inputs, targets).item() < before
