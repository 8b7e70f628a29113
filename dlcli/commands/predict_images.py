"""Predictions of image files, and what the network saw of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from dlcli.commands.answers import percent
from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded
from dlcli.commands.predictions import Answers, Predicted, Prediction
from dlcli.config.build import resolve
from dlcli.data.ingest import Ingest, ingest_of
from dlcli.data.unlabelled import THUMBNAIL, Read, Reading, batches
from dlcli.engine.device import memory_errors
from dlcli.errors import ConfigError, DlcliError
from dlcli.report import terminal
from dlcli.report.images import letterboxed, to_uint8
from dlcli.report.sheet import image_blocks
from dlcli.report.text import shorten

PICTURED, PER_ROW = 40, 8
_CAPTION = 16  # letters that a caption has room for


class Wanted(Protocol):
    """What the command's settings say of images."""

    @property
    def batch_size(self) -> int: ...
    @property
    def ingest(self) -> str: ...
    @property
    def limit(self) -> int | None: ...


@dataclass(frozen=True)
class Seen:
    """Predictions, and the first images: what was given and what the network saw, uint8 (h, w, 3), with their predictions."""

    predicted: Predicted
    images: list[tuple[Tensor | None, Tensor, Prediction]] = field(default_factory=list)


def predict_images(
    files: Sequence[Path], loaded: Loaded, answers: Answers, wanted: Wanted, *, talk: Talk, check: Callable[[], None]
) -> Seen:
    """Reads and predicts images batch by batch; files that cannot be read are among the items, with their reason."""
    reading = reading_of(loaded, ingest=wanted.ingest, talk=talk)
    if reading.ingest is not None:
        talk.line(
            f"--ingest plain turns it off; validation examples are {loaded.model.spec.name}'s own images: "
            "photos may fare worse than these"
        )
    items: list[Prediction] = []
    images: list[tuple[Tensor | None, Tensor, Prediction]] = []
    size = wanted.batch_size
    what, advice = f"predicting {size} images at once", f"--batch-size {max(1, size // 4)}"
    with memory_errors(what, advice), talk.progress("images", len(files)) as bar:
        for batch in batches(files, reading, size=size):
            check()
            good = [each for each in batch if isinstance(each, Read)]
            chosen = iter(_answered(good, loaded, answers))
            for each in batch:
                name = str(files[len(items)])
                item = (
                    Prediction(file=name, error=each.message) if isinstance(each, DlcliError) else next(chosen)(name, each.note)
                )
                items.append(item)
                if isinstance(each, Read) and len(images) < PICTURED:
                    images.append((each.photo, to_uint8(each.image[None])[0], item))
            bar.at(len(items))
    seen = Seen(answers.predicted(items), images)
    _show(seen, talk)
    return seen


def reading_of(loaded: Loaded, *, ingest: str, talk: Talk) -> Reading:
    """Returns how images become inputs: as those of val and test did when the model was trained."""
    spec, crop = loaded.model.spec, loaded.data.get("eval_crop", 1.0)
    crop = float(crop) if isinstance(crop, int | float) and 0 < crop <= 1 else 1.0
    step = _own_step(loaded, talk) if ingest == "auto" else None
    if step is not None:
        talk.line(f"photos are prepared as {spec.name} is: {step.purpose}")
    return Reading(size=max(spec.shape[1:]), channels=spec.shape[0], crop=crop, ingest=step)


def pictured(seen: Seen) -> bytes | None:
    """Returns the first images as PNG: what was given, where it was changed, above what the network saw."""
    if not seen.images:
        return None
    names = [(_ends(Path(item.file).name), shorten(str(item.label), _CAPTION), percent(item.chance)) for *_, item in seen.images]
    captions = ["\n".join(lines) for lines in names]
    inputs = torch.stack([letterboxed(image, THUMBNAIL) for _, image, _ in seen.images])
    if all(photo is None for photo, _, _ in seen.images):
        return image_blocks([inputs], ["seen"], captions, columns=PER_ROW)
    photos = torch.stack([letterboxed(image if photo is None else photo, THUMBNAIL) for photo, image, _ in seen.images])
    return image_blocks([photos, inputs], ["given", "seen"], captions, columns=PER_ROW)


def _ends(name: str) -> str:
    """A file's name with its middle left out where it is long: what tells files apart stands at its ends."""
    half = _CAPTION // 2
    return name if len(name) <= _CAPTION else f"{name[:half]}…{name[1 - half :]}"


def _answered(good: Sequence[Read], loaded: Loaded, answers: Answers) -> list[Callable[[str, str], Prediction]]:
    """For each image what makes its prediction of a name and a note."""
    if not good:
        return []
    device = next(iter(loaded.model.buffers())).device
    inputs = torch.stack([each.image for each in good]).to(device)
    with torch.inference_mode():
        logits = loaded.model(inputs).float().cpu()
    return answers.to(logits)


def _own_step(loaded: Loaded, talk: Talk) -> Ingest | None:
    """The step that the data set of the model owns."""
    target = loaded.data.get("_target_")
    if target is None:
        return None
    try:
        return ingest_of(resolve("data", target))
    except ConfigError as error:
        talk.warn(f"images are read plainly, since their data set is not known here: {error.message}")
        return None


def _show(seen: Seen, talk: Talk) -> None:
    """Draws the first images in the terminal, each photo beside what the network saw of it."""
    if not talk.shows_pictures or not seen.images:
        return
    images, captions = [], []
    changed = any(photo is not None for photo, _, _ in seen.images)
    for photo, image, item in seen.images[:4]:
        side = max(image.shape[:2])
        if changed:
            images.append(letterboxed(image if photo is None else photo, side))
            captions.append(Path(item.file).name)
        images.append(letterboxed(image, side))
        captions.append(f"{'seen as ' if changed else ''}{item.label} {percent(item.chance)}")
    talk.picture(terminal.gallery(torch.stack(images), captions, columns=2 if changed else None))
