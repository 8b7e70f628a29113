"""A small model of the attrition table, for what is asked of tables."""

import shutil

import pytest


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
