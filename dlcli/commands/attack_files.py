"""What an attack leaves in its run folder: a line for each example, and the adversarial examples themselves."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.classifier import predicted_classes
from dlcli.commands.attack_figures import Attacked, norms
from dlcli.data.memory import MemorySplit
from dlcli.engine.evaluate import evaluate, joined
from dlcli.engine.perturb import AttackReport
from dlcli.report.text import cell

# Examples are kept unasked up to so many, and up to so many bytes.
KEPT_EXAMPLES, KEPT_BYTES = 1000, 64_000_000


def in_8_bits(images: Tensor) -> Tensor:
    """Returns images (N, C, H, W) in [0, 1] as uint8, each number rounded to the nearest of 256 levels, never cut off."""
    return images.clamp(0, 1).mul(255).round().to(torch.uint8)


def rounded_predictions(model: nn.Module, report: AttackReport, *, batch_size: int, device: torch.device) -> Tensor:
    """Returns what the model takes the attacked images for as 8 bits hold them, int64 (N,).

    Rounding takes an image out of its ball by half a level, 1/510, at most.
    """
    split = MemorySplit(in_8_bits(report.adversarial), report.targets).to(device)
    return predicted_classes(joined(evaluate(model, split, batch_size=batch_size)).logits)


def examples_csv(attacked: Attacked, classes: Sequence[str]) -> bytes:
    """Returns a line per example: position in the split, class, prediction before and after, success, size of the change.

    With goals also the goal, and with rounded predictions the success after rounding.
    """
    report, names = attacked.report, [cell(name) for name in classes]

    def named(numbers: Tensor) -> list[str]:
        return [names[number] for number in numbers.tolist()]

    sizes = norms(report)
    columns: dict[str, list[str]] = {
        "index": [str(place) for place in report.index.tolist()],
        "target": named(report.targets),
        "clean": named(report.clean),
        "attacked": named(report.attacked),
        **({} if report.goals is None else {"goal": named(report.goals)}),
        "success": _flags(report.success),
        "linf": [f"{size:.6g}" for size in sizes["linf"].tolist()],
        "l2": [f"{size:.6g}" for size in sizes["l2"].tolist()],
        **({} if attacked.rounded is None else {f"success_{attacked.rounding}": _flags(report.succeeded(attacked.rounded))}),
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def keeps_examples(report: AttackReport, asked: bool | None) -> bool:
    """Returns whether the adversarial examples are written: where they are few and small, unless the user said otherwise."""
    if asked is not None:
        return asked
    return len(report.targets) <= KEPT_EXAMPLES and report.adversarial.numel() * 4 <= KEPT_BYTES


def examples_npz(report: AttackReport) -> bytes:
    """Returns the adversarial examples as a NumPy archive that needs no pickle; the same examples give the same bytes.

    ``adversarial`` float32 (N, ...) in raw units, ``targets`` and ``index`` int64 (N,), and of images ``adversarial_8bit`` uint8.
    """
    arrays = {"adversarial": report.adversarial.numpy(), "targets": report.targets.numpy(), "index": report.index.numpy()}
    if report.adversarial.ndim == 4:
        arrays["adversarial_8bit"] = in_8_bits(report.adversarial).numpy()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return buffer.getvalue()


def _flags(which: Tensor) -> list[str]:
    return [str(int(flag)) for flag in which.tolist()]
