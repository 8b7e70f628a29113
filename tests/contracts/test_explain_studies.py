"""What every study of ``dl explain`` promises, for every YAML in configs/study/explain."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import dlcli
from dlcli.commands.console import Talk
from dlcli.commands.explain_study import Findings, Scene
from dlcli.commands.models import data_source, load_model
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "study" / "explain").glob("*.yaml"))
CPU = torch.device("cpu")
SMALL = {"examples": 40, "resolution": 3, "line": 3, "hessian_examples": 20, "lanczos": 3, "replay_steps": 2}
SMALL |= {"methods": ["gradcam", "saliency"], "columns": 1}
SMALL |= {"directions": 1, "perplexity": 5.0, "channels": 1, "patches": 1}

every_study = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def study_of(path: Path) -> Any:
    settings = yaml.safe_load(path.read_text())
    module, _, name = settings.pop("_target_").rpartition(".")
    settings |= {key: value for key, value in SMALL.items() if key in settings}
    settings |= {"steps": 2} if "steps" in settings else {}
    return getattr(importlib.import_module(module), name)(**settings)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    """By the kind of data that a study looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(tmp_path_factory.mktemp("runs")))
        run = dlcli.train("breast_cancer", epochs=1)
        loaded = load_model(str(run.path), which="best", device=CPU, talk=Talk(quiet=True))
    test = data_source(loaded.data, source=loaded.reference).load().test
    assert test is not None
    return {"image": _images(), "table": Subject(loaded, test, CPU)}


@pytest.fixture
def subject(path: Path, subjects: dict[str, Subject]) -> Subject:
    """What the study at ``path`` can look at."""
    return subjects[getattr(type(study_of(path)), "data_kind", "image")]


def _images() -> Subject:
    loaded = load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True))
    images = torch.randint(0, 256, (60, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Subject(loaded, MemorySplit(images, torch.arange(60) % 10), CPU)


def scene(subject: Subject, **changes: Any) -> Scene:
    return Scene(**{"subject": subject, "split": "test", "seed": 0, "batch_size": 32, **changes})


@every_study
def test_the_model_and_the_random_numbers_stay_and_the_seed_gives_the_same(
    path: Path, subject: Subject, assert_untouched: Any
) -> None:
    model = subject.loaded.model
    model.train()
    model.net.head.weight.requires_grad_(False)
    numpys = np.random.get_state()[1].copy()
    try:
        with assert_untouched(model):
            first, again = (study_of(path)(scene(subject)) for _ in range(2))
    finally:
        model.eval().requires_grad_(True)
    assert np.array_equal(np.random.get_state()[1], numpys)
    assert isinstance(first, Findings)
    assert first.words
    assert all(data.startswith(b"\x89PNG") for data in first.pictures.values())
    assert all(name.startswith("explain/") for name in first.metrics)
    for name in first.arrays:
        assert np.array_equal(np.asarray(first.arrays[name]), np.asarray(again.arrays[name])), name


@every_study
def test_the_model_stays_after_an_exception_inside_it(path: Path, subject: Subject, assert_untouched: Any) -> None:
    class Boom(Exception):
        pass

    model = subject.loaded.model
    calls = []

    def fuse(*_: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Boom

    handle = model.net.head.register_forward_pre_hook(fuse)
    try:
        with assert_untouched(model), pytest.raises(Boom):
            study_of(path)(scene(subject))
    finally:
        handle.remove()
