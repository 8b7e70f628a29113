import pytest
import torch
from sklearn.datasets import load_breast_cancer

from dlcli.data.breast_cancer import BreastCancer


def test_malignant_is_the_positive_class():
    bundle, raw = BreastCancer().load(), BreastCancer().raw()
    assert raw.classes == ("benign", "malignant")
    assert raw.targets.bincount().tolist() == [357, 212]
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (399, 85, 85)
    # scikit-learn numbers them the other way: 0 is malignant.
    assert torch.equal(raw.targets, 1 - torch.from_numpy(load_breast_cancer().target))


def test_measurements_keep_their_units_and_names():
    bundle = BreastCancer().load()
    assert bundle.spec.columns[0].name == "mean radius"
    values = torch.cat([split.inputs for split in (bundle.train, bundle.val, bundle.test)])
    assert values[:, 0].min() == pytest.approx(6.981)
    assert values[:, 0].max() == pytest.approx(28.11)


def test_shares_out_of_range_are_refused():
    with pytest.raises(ValueError, match="test_share must be in"):
        BreastCancer(test_share=1.0)
