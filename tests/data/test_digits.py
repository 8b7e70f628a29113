import subprocess
import sys

import pytest
import torch
from sklearn.datasets import load_digits

from dlcli.data.digits import Digits


@pytest.fixture(scope="module")
def bundle():
    return Digits().load()


def test_the_parts_are_70_15_and_15_per_cent(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (1257, 270, 270)


def test_the_parts_together_are_the_whole_set_each_image_once(bundle):
    parts = torch.cat([split.inputs.flatten(1) for split in (bundle.train, bundle.val, bundle.test)])
    rows = sorted(map(tuple, (parts * 16).long().tolist()))
    assert rows == sorted(map(tuple, load_digits().data.astype(int).tolist()))


def test_labels_follow_their_images(bundle):
    bunch = load_digits()
    label_of = {tuple(row): int(label) for row, label in zip(bunch.data.astype(int).tolist(), bunch.target, strict=True)}
    rows = (bundle.test.inputs.flatten(1) * 16).long().tolist()
    assert [label_of[tuple(row)] for row in rows] == bundle.test.targets.tolist()


def test_each_part_has_the_class_shares_of_the_whole(bundle):
    whole = torch.from_numpy(load_digits().target).bincount() / 1797
    for split in (bundle.train, bundle.val, bundle.test):
        assert (split.targets.bincount() - whole * len(split)).abs().max() < 2


def test_mean_and_std_are_those_of_the_train_images_alone(bundle):
    assert bundle.spec.mean[0] == pytest.approx(bundle.train.inputs.double().mean().item(), abs=1e-9)
    assert bundle.spec.std[0] == pytest.approx(bundle.train.inputs.double().numpy().std(), abs=1e-9)


def test_the_same_split_seed_gives_the_same_parts_and_another_seed_others(bundle):
    assert torch.equal(Digits().load().test.inputs, bundle.test.inputs)
    assert not torch.equal(Digits(split_seed=1).load().test.inputs, bundle.test.inputs)


def test_importing_the_module_does_not_import_scikit_learn():
    code = "import sys, dlcli.data.digits; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
