"""The per-class table of ``dl evaluate``."""

import torch
from rich.console import Console

from dlcli.commands.evaluate import _class_table
from dlcli.contracts import Predictions
from dlcli.metrics.summary import classification_metrics


def test_the_table_has_a_row_a_class_with_its_name_made_safe() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    predictions = Predictions(logits, torch.tensor([0, 1, 1]), torch.arange(3))
    classes = ("plain", "bad\x1b[2Jname")
    console = Console(width=120, file=None, record=True, quiet=False, force_terminal=False)
    with console.capture() as shown:
        console.print(_class_table(classes, classification_metrics(predictions, classes, split="test"), "test"))
    text = shown.get()
    assert "\x1b" not in text
    assert "\\x1b[2Jname" in text
    assert "50.00" in text.splitlines()[1]  # precision of the first class: one of two
