import math

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dlcli.contracts import Column, DataSpec
from dlcli.metrics.baselines import baseline_logits


def spec(columns, classes=2):
    names = tuple(str(number) for number in range(classes))
    size = len(columns)
    return DataSpec(
        name="t", shape=(size,), classes=names, mean=(0.0,) * size, std=(1.0,) * size, kind="table", epsilon={}, columns=columns
    )


MIXED = (Column(name="n"), Column(name="k", categories=("u", "v", "w")), Column(name="m"))


def rows(count, classes=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(count, 2, generator=generator) * torch.tensor([1000.0, 0.01]) + 5
    codes = torch.randint(0, 4, (count,), generator=generator).float()
    targets = ((numbers[:, 0] / 1000 + (codes == 2) + torch.randn(count, generator=generator)) * 0.8).long().clamp(0, classes - 1)
    inputs = torch.stack([numbers[:, 0], codes, numbers[:, 1]], dim=1)
    inputs[::7, 0], inputs[::5, 1] = math.nan, math.nan
    return inputs, targets


def test_the_majority_gives_the_class_shares_to_every_row():
    inputs, _ = rows(5)
    logits = baseline_logits("majority", inputs, torch.tensor([0, 0, 0, 1, 1]), inputs, spec(MIXED))
    assert torch.allclose(logits.exp(), torch.tensor([[0.6, 0.4]]).expand(5, 2))


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_the_usual_scikit_learn_pipeline(classes):
    inputs, targets = rows(200, classes)
    others, _ = rows(50, classes, seed=1)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    # 0 is what an unknown and, here, a missing category looks like: all zeros.
    one_hot = OneHotEncoder(categories=[[1.0, 2.0, 3.0]], handle_unknown="ignore", sparse_output=False)
    pipeline = make_pipeline(ColumnTransformer([("n", numbers, [0, 2]), ("k", one_hot, [1])]), LogisticRegression(max_iter=5000))
    with_zero = [np.where(np.isnan(part) & [False, True, False], 0.0, part) for part in (inputs.numpy(), others.numpy())]
    expected = pipeline.fit(with_zero[0], targets.numpy()).predict_log_proba(with_zero[1])
    logits = baseline_logits("logistic_regression", inputs, targets, others, spec(MIXED, classes))
    assert np.allclose(logits.numpy(), expected, atol=1e-3)


def test_rows_to_predict_do_not_change_what_is_fitted():
    inputs, targets = rows(100)
    others, _ = rows(40, seed=1)
    both = baseline_logits("logistic_regression", inputs, targets, others, spec(MIXED))
    few = baseline_logits("logistic_regression", inputs, targets, others[:3], spec(MIXED))
    assert torch.allclose(both[:3], few, atol=1e-6)


def test_a_class_that_train_lacks_gets_next_to_nothing_and_no_error():
    inputs, targets = rows(60)
    for name in ("majority", "logistic_regression"):
        logits = baseline_logits(name, inputs, targets, inputs, spec(MIXED, 3))
        assert logits.shape == (60, 3)
        assert logits.isfinite().all()
        assert (logits[:, 2].exp() < 1e-9).all()


def test_where_train_has_one_class_there_is_nothing_to_regress():
    inputs, _ = rows(10)
    logits = baseline_logits("logistic_regression", inputs, torch.zeros(10, dtype=torch.long), inputs, spec(MIXED))
    assert (logits.argmax(1) == 0).all()


def test_a_column_without_a_value_and_a_constant_one_do_no_harm():
    inputs, targets = rows(60)
    inputs[:, 0], inputs[:, 2] = math.nan, 5.0
    assert baseline_logits("logistic_regression", inputs, targets, inputs, spec(MIXED)).isfinite().all()


def test_an_unknown_name_is_refused():
    inputs, targets = rows(10)
    with pytest.raises(ValueError, match=r"name must be one of .*; did you mean 'majority'\?"):
        baseline_logits("majorty", inputs, targets, inputs, spec(MIXED))
