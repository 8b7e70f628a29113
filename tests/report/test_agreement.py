"""The matrix of agreement as a picture."""

import pytest
import torch

from dlcli.report.agreement import agreement_plot


def test_a_matrix_is_a_picture_and_the_same_numbers_give_the_same_bytes() -> None:
    matrix = torch.tensor([[1.0, -0.3], [-0.3, 1.0]])
    first, again = (agreement_plot(matrix, ["a$b", "c"], title="agreement") for _ in range(2))
    assert first.startswith(b"\x89PNG")
    assert first == again != agreement_plot(-matrix, ["a$b", "c"], title="agreement")


def test_another_number_of_names_is_refused() -> None:
    with pytest.raises(ValueError, match="3 x 3"):
        agreement_plot(torch.eye(2), ["a", "b", "c"], title="")
