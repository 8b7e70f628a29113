"""A small model of the attrition table, for what is asked of tables; a comparison of the shipped model on digits."""

import shutil

import pytest
import torch

from dlcli.commands.comparison import Comparison, prepared
from dlcli.commands.console import Talk
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings


@pytest.fixture(scope="session")
def _trained(tmp_path_factory, dl):
    root = tmp_path_factory.mktemp("attrition")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        answer = dl("train", "attrition", "data.test_share=0.5", "--epochs", "3", "--quiet")
        assert answer.code == 0, answer.err
    return root


@pytest.fixture
def attrition(_trained, tmp_path):
    return shutil.copytree(_trained, tmp_path / "runs")


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Two and three labels per class, two seeds, one epoch of few steps, sixty test examples."""
    overrides = ["run=builtin:mnist", "compare='2,3'", "compare_seeds=2", "trainer.epochs=1", "limit_test=60"]
    settings = checked_settings("finetune", compose("finetune", overrides))
    assert isinstance(settings, FinetuneSettings)
    return prepared(settings, torch.device("cpu"), Talk(quiet=True), asked=())
