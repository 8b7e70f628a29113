import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from dlcli.config.build import TRUSTED, build, mistakes_of, resolve, trusted_packages
from dlcli.contracts import DataSpec
from dlcli.errors import ConfigError, UsageError

SPEC = DataSpec(name="probe", shape=(1, 8, 8), classes=("a", "b"), mean=(0.0,), std=(1.0,), epsilon={})
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the user's in the current folder, which leaves a file when it is imported."""
    source = f"open({str(tmp_path / 'canary')!r}, 'w').close()\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
    source += "    def __init__(self, width: int = 3):\n        super().__init__()\n        self.layer = nn.Linear(width, 2)\n"
    (tmp_path / "my_nets.py").write_text(source + "\n\ndef make():\n    return Net()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("my_nets", None)


def test_a_node_becomes_an_object_with_what_is_given_at_build_time():
    weights = nn.Parameter(torch.zeros(2))
    optimizer = build("optimizer", {**SGD, "momentum": 0.9}, params=[weights], nothing_of_its_own=1)
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["momentum"] == 0.9


def test_a_fraction_and_a_whole_number_become_floats():
    assert build("attack", {"_target_": "dlcli.attacks.fgsm.FGSM", "epsilon": "8/255"}).epsilon == 8 / 255
    assert isinstance(build("attack", {"_target_": "dlcli.attacks.fgsm.FGSM", "epsilon": 1}).epsilon, float)


@pytest.mark.parametrize(
    ("group", "target"),
    [
        ("model", "torch.load"),
        ("model", "torch.hub.load"),
        ("model", "torch.nn.functional.relu"),
        ("model", "torch.optim.SGD"),
        ("model", "dlcli.config.build.Path"),
        ("model", "dlcli.config.build.os.system"),
        ("model", "dlcli.config.build.importlib.import_module"),
        ("optimizer", "torch.nn.Linear"),
        ("data", "dlcli.attacks.fgsm.FGSM"),
        ("attack", "dlcli.explainers.saliency.Saliency"),
        ("explainer", "dlcli.attacks.fgsm.FGSM"),
        ("scheduler", "dlcli.contracts.Batch"),
        ("loss", "dlcli.contracts.Loss"),
    ],
)
def test_only_a_class_of_the_groups_kind_may_be_built(group, target):
    with pytest.raises(ConfigError, match="nothing of it was run"):
        resolve(group, target)


@pytest.mark.parametrize("target", ["os.system", "subprocess.Popen", "builtins.eval", "torchx.nn.Module", "dlcli_evil.Net"])
def test_a_package_that_is_not_trusted_is_not_imported(target):
    with pytest.raises(ConfigError, match="is not trusted"):
        resolve("model", target)


@pytest.mark.parametrize("target", [5, None, "Linear", "", "torch..nn", "torch.nn.Linear()", "../x.y", "torch.nn.Lin ear"])
def test_a_target_that_is_no_dotted_name_is_refused(target):
    with pytest.raises(ConfigError, match="expected a dotted class name"):
        resolve("model", target)


def test_a_class_that_only_claims_a_kind_must_be_frozen():
    @dataclass
    class Loose:
        kind = "attack"

    Loose.__module__ = "dlcli.attacks.loose"
    module = type(sys)("dlcli.attacks.loose")
    module.Loose = Loose
    sys.modules["dlcli.attacks.loose"] = module
    try:
        with pytest.raises(ConfigError, match="expected an attack"):
            resolve("attack", "dlcli.attacks.loose.Loose")
    finally:
        del sys.modules["dlcli.attacks.loose"]


def test_a_package_of_the_current_folder_is_neither_built_nor_imported_without_trust(package):
    with pytest.raises(ConfigError, match="if it is yours: --trust my_nets"):
        build("model", {"_target_": "my_nets.Net"})
    assert not (package / "canary").exists()
    assert str(package) not in sys.path


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_package_that_the_user_trusts_is_built(where, package, monkeypatch):
    if where == "environment":
        monkeypatch.setenv("DL_TRUST", "other, my_nets")
    else:
        Path("dlcli.yaml").write_text("trust: [my_nets]")
    assert trusted_packages()[: len(TRUSTED)] == TRUSTED
    assert build("model", {"_target_": "my_nets.Net", "width": 5}, spec=SPEC).layer.in_features == 5
    with pytest.raises(ConfigError, match=r"expected a torch\.nn\.Module class"):
        resolve("model", "my_nets.make")


@pytest.mark.parametrize(
    ("text", "reason"), [("trust: my_nets", "must be a list"), ("trust: [1]", "must be a list"), ("trust: [", "cannot read")]
)
def test_a_broken_list_of_trusted_packages_is_said(text, reason, package):
    Path("dlcli.yaml").write_text(text)
    with pytest.raises(UsageError, match=reason):
        trusted_packages()


def test_a_package_that_needs_another_one_says_which(package, monkeypatch):
    (package / "needy.py").write_text("import surely_not_installed\n")
    monkeypatch.setenv("DL_TRUST", "needy")
    with pytest.raises(ConfigError, match="importing needy needs 'surely_not_installed', which is not installed"):
        resolve("model", "needy.Net")


@pytest.mark.parametrize(
    ("group", "node", "line"),
    [
        ("optimizer", {**SGD, "lr": -1}, "optimizer.lr=-1.0: Invalid learning rate: -1.0; expected: peak learning rate, > 0"),
        ("optimizer", {**SGD, "lr": "abc"}, "optimizer.lr=abc: expected a number; example: 0.1 or 8/255"),
        ("optimizer", {**SGD, "momentum": -1}, "optimizer.momentum=-1.0: Invalid momentum value: -1.0; expected: in [0, 1)"),
        ("optimizer", {**SGD, "params": 1}, "unknown key 'optimizer.params'"),
        ("optimizer", {"lr": 1}, "optimizer: expected an entry with _target_; dl list shows what there is"),
        ("model", {"_target_": "dlcli.models.mlp.MLP", "dropout": 1.5}, "model.dropout must be in [0, 1)"),
        ("model", {"_target_": "dlcli.models.mlp.MLP", "widths": 3}, "model.widths=3: expected a list"),
        ("data", {"_target_": "dlcli.data.mnist.MNIST", "val_size": 0}, "data.val_size must be in 1"),
        ("augment", {"_target_": "dlcli.augment.standard.Standard", "flip": 2}, "augment.flip must be in [0, 1], got 2.0"),
        ("augment", {"_target_": "dlcli.augment.standard.Standard", "policy": 1}, "augment.policy=1: expected one of none"),
        ("attack", {"_target_": "dlcli.attacks.fgsm.FGSM", "epsilon": 8}, "attack.epsilon must be in [0, 1]"),
        ("attack", {"_target_": "dlcli.attacks.fgsm.FGSM"}, "missing value for 'attack.epsilon'; write attack.epsilon=VALUE"),
        ("scheduler", {"_target_": "dlcli.optim.schedules.Cosine", "warmup": 2}, "scheduler.warmup must be"),
    ],
)
def test_a_mistake_in_a_component_is_said_with_its_key_and_what_was_expected(group, node, line):
    (found,) = mistakes_of({group: node})
    assert found.startswith(line)


def test_two_keys_that_only_clash_together_are_said_as_the_class_says_it():
    (found,) = mistakes_of({"optimizer": {**SGD, "nesterov": True, "momentum": 0.0}})
    assert found.startswith("optimizer")
    assert "Nesterov momentum requires a momentum and zero dampening" in found


def test_an_epsilon_that_the_data_will_choose_is_no_mistake():
    assert mistakes_of({"attack": {"_target_": "dlcli.attacks.fgsm.FGSM", "epsilon": "auto"}}) == []


def test_a_network_that_looks_at_numbers_while_it_is_built_is_checked_when_it_is_built():
    # torchvision's RegNets round widths in tensors, which hold no numbers on the meta device.
    node = {"_target_": "dlcli.models.torchvision_model.TorchvisionModel", "name": "regnet_y_400mf"}
    assert mistakes_of({"model": node}) == []


def test_checking_a_huge_network_takes_no_memory():
    node = {"_target_": "dlcli.models.mlp.MLP", "widths": [10**6, 10**6], "dropout": 0.5}
    assert mistakes_of({"model": node}) == []


def test_building_what_is_wrong_raises_all_mistakes():
    with pytest.raises(ConfigError) as caught:
        build("optimizer", {**SGD, "lr": "x", "momentun": 1}, params=[])
    assert len(caught.value.mistakes) == 2
