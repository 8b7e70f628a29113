"""``--images FILE|DIR``: images without labels for attack and explain; the model's own predictions stand for the labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from dlcli.classifier import predicted_classes
from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded
from dlcli.commands.predict_images import reading_of
from dlcli.data.given import TABLES, given
from dlcli.data.memory import MemorySplit
from dlcli.data.unlabelled import Read, batches
from dlcli.engine.device import memory_errors
from dlcli.errors import UsageError

_NUMBERS = 2**24  # in the inputs of a batch; activations take some tens of times as much


def largest_batch(shape: Sequence[int]) -> int:
    """Returns how many examples of this shape are computed at once at most, so that large photos fit into memory."""
    return max(1, _NUMBERS // math.prod(shape))


def given_images(path: str, loaded: Loaded, *, limit: int | None, batch_size: int, talk: Talk) -> MemorySplit:
    """Returns the images that ``path`` means, read as ``dl predict`` reads them, each with its predicted class as its target.

    Args:
        path: a file, a folder of images, or a pattern.
        limit: only the first so many.

    Raises:
        UsageError: nothing is there, the model reads no images, or none of the files can be read.
    """
    if loaded.model.spec.kind != "image":
        raise UsageError(f"--images {path}: {loaded.reference} reads {loaded.model.spec.kind}s", hint="leave out --images")
    files = [file for file in given([path]).files if file.suffix.lower() not in TABLES][:limit]
    if not files:
        raise UsageError(f"--images {path} names a table", hint="--images FILE or a folder of images")
    batch_size = min(batch_size, largest_batch(loaded.model.spec.shape))
    images = []
    for batch in batches(files, reading_of(loaded, ingest="auto", talk=talk), size=batch_size):
        for each in batch:
            if isinstance(each, Read):
                images.append(each.image)
            else:
                talk.warn(f"left out: {each.message}")
    if not images:
        # Why stands above, file by file: no image, or none of what the model knows.
        hint = f"JPEG or PNG files of what {loaded.model.spec.name} holds"
        raise UsageError(f"--images {path}: none of {len(files)} files can be used", hint=hint)
    talk.line("no labels: what the model predicts of the unchanged images stands for them")
    inputs = torch.stack(images)
    return MemorySplit(inputs, _predictions(loaded, inputs, batch_size))


def _predictions(loaded: Loaded, inputs: torch.Tensor, batch_size: int) -> torch.Tensor:
    device = next(iter(loaded.model.buffers())).device
    advice = f"--batch-size {max(1, batch_size // 4)}"
    with torch.inference_mode(), memory_errors(f"predicting {batch_size} images at once", advice):
        parts = [inputs[start : start + batch_size] for start in range(0, len(inputs), batch_size)]
        logits = torch.cat([loaded.model(part.to(device)).float().cpu() for part in parts])
    return predicted_classes(logits.clone())
