"""What holds for every YAML in configs/: it says when to choose it, lists every parameter, builds, and fits with the others."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml

from dlcli.config.build import GIVEN, build, mistakes_of, resolve
from dlcli.config.catalog import LISTED, WORD_GROUPS, config_root, description, entries, sweeps
from dlcli.config.compose import compose
from dlcli.config.mistakes import check
from dlcli.config.nested import TrainerSettings
from dlcli.config.schema import ROOTS
from dlcli.config.values import constructor_parameters
from dlcli.contracts import DataSpec

CONFIGS = config_root()
FILES = sorted(CONFIGS.glob("*/**/*.yaml"))
COMPONENTS = [path for path in FILES if path.relative_to(CONFIGS).parts[0] in GIVEN]
EXPERIMENTS = sorted(entries("experiment"))
SPEC = DataSpec(
    name="probe", shape=(1, 28, 28), classes=tuple("0123456789"), mean=(0.1,), std=(0.3,), epsilon={"linf": 0.3, "l2": 2.0}
)


def name_of(path: Path) -> str:
    return str(path.relative_to(CONFIGS).with_suffix(""))


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_config_says_first_in_one_line_when_to_choose_it(path):
    said = description(path)
    assert 10 <= len(said) <= 90
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "@package" not in line]
    assert lines[0] == f"# {said}"
    assert not lines[1].startswith("#")


@pytest.mark.parametrize("path", COMPONENTS, ids=name_of)
def test_a_component_lists_every_parameter_of_its_class(path):
    node, group = read(path), path.relative_to(CONFIGS).parts[0]
    owner = resolve(group, node["_target_"])
    listed = [name for name in node if name != "_target_"]
    expected = [name for name in constructor_parameters(owner) if name not in GIVEN[group]]
    if owner.__module__.startswith("dlcli."):
        assert sorted(listed) == sorted(expected)
    else:  # other people's classes: what has a speed or a meaning of its own is left at its default
        assert set(listed) <= set(expected)


@pytest.mark.parametrize("path", COMPONENTS, ids=name_of)
def test_a_component_builds_with_the_real_builder(path):
    node, group = read(path), path.relative_to(CONFIGS).parts[0]
    assert mistakes_of({group: node}) == []
    own = {name: 0.1 if (name, value) == ("epsilon", "auto") else value for name, value in node.items()}
    if node["_target_"].startswith("dlcli.models.timm_model."):
        pytest.importorskip("timm", reason="timm is not installed")
    given = {
        "spec": photos_of(SPEC, node) if group == "model" else SPEC,
        "class_counts": torch.full((10,), 5),
        "reduction": "mean",
        "total_steps": 10,
        "loss": torch.nn.CrossEntropyLoss(),
        "params": [{"params": [torch.nn.Parameter(torch.zeros(2))]}],
    }
    with torch.device("meta" if group == "model" else "cpu"):
        own_given = {name: given[name] for name in given if name in GIVEN[group]}  # an attack's own loss is a setting of it
        assert isinstance(build(group, own, **own_given), resolve(group, node["_target_"]))


def photos_of(spec: DataSpec, node: dict) -> DataSpec:
    """Images that every network takes, of two classes where it has one logit."""
    return dataclasses.replace(spec, shape=(1, 224, 224), classes=spec.classes[: 2 if node["outputs"] == 1 else None])


@pytest.mark.parametrize("path", sorted((CONFIGS / "trainer").glob("*.yaml")), ids=name_of)
def test_a_trainer_lists_every_setting_of_the_loop(path):
    assert list(read(path)) == [field.name for field in dataclasses.fields(TrainerSettings)]


@pytest.mark.parametrize("verb", ROOTS)
def test_a_root_composes_to_settings_without_a_mistake(verb):
    values = compose(verb, [])
    settings, mistakes = check(verb, values, overrides=[])
    assert mistakes == []
    # A group that is off by default, as adversary is, has no key.
    optional = {field.name for field in dataclasses.fields(settings) if field.default is None}
    assert {field.name for field in dataclasses.fields(settings)} - optional <= set(values)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_only_chooses_groups_and_sets_keys_of_the_root_and_the_trainer(name):
    content = read(entries("experiment")[name])
    groups = [key for default in content.pop("defaults") for key in default]
    assert all(group.startswith("override /") for group in groups)
    swept = content.pop("hydra", {"sweeper": {"params": {}}})
    assert list(swept) == ["sweeper"]
    assert list(swept["sweeper"]) == ["params"]
    assert {key: str(value) for key, value in swept["sweeper"]["params"].items()} == sweeps(name)
    allowed = set(read(CONFIGS / "train.yaml")) - {"defaults"}
    assert set(content) <= allowed | {"trainer"}
    assert set(content.get("trainer", {})) <= {field.name for field in dataclasses.fields(TrainerSettings)}
    assert (CONFIGS / "experiment" / f"{name}.yaml").read_text().startswith("# @package _global_\n")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes_without_a_mistake(name):
    assert check("train", compose("train", [f"experiment={name}"]), overrides=[])[1] == []


# As experiments only choose groups, what goes with one of them goes with all.
@pytest.mark.parametrize(
    ("group", "choice"), [(group, choice) for group in ("model", "optimizer", "loss", "augment") for choice in entries(group)]
)
def test_an_experiment_takes_any_other_component(group, choice):
    values = compose("train", ["experiment=digits", f"{group}={choice}"])
    assert values[group] == read(CONFIGS / group / f"{choice}.yaml")
    assert check("train", values, overrides=[f"{group}="])[1] == []


@pytest.mark.parametrize("verb", WORD_GROUPS)
def test_a_verbs_first_word_is_never_ambiguous(verb):
    names = [name for group in WORD_GROUPS[verb] for name in entries(group)]
    assert len(names) == len(set(names))
    assert not set(names) & set(compose(verb, []))


def test_every_group_that_can_be_listed_says_something_of_every_entry():
    for groups in LISTED.values():
        for group in groups:
            assert all(description(path) for path in entries(group).values())


def test_names_are_written_as_people_type_them():
    for path in FILES:
        assert path.stem == path.stem.lower()
        assert "-" not in path.stem


def test_keys_that_verbs_share_have_the_same_default_and_stand_in_the_same_order():
    keys = [[key for key in read(CONFIGS / f"{verb}.yaml") if key != "defaults"] for verb in ROOTS]
    for one, other in pairwise(keys):
        shared = [key for key in one if key in other]
        assert shared == [key for key in other if key in one]
