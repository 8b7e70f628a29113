"""``dl predict``: what a trained model says about new images and rows, with probabilities that validation data bear out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, load_model
from dlcli.commands.predict_images import PICTURED, pictured, predict_images
from dlcli.commands.predict_rows import predict_rows
from dlcli.commands.predictions import Answers, Predicted
from dlcli.commands.signals import catching_signals
from dlcli.data.given import IMAGES, TABLES, Given
from dlcli.engine.device import choose_device, describe_device
from dlcli.errors import DataError, UsageError, did_you_mean
from dlcli.metrics.calibrated import Calibration
from dlcli.runs.folder import write_file_atomically

INGEST = ("auto", "plain")
_NAMED_ERRORS = 5


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """How to predict.

    Args:
        run: a model reference; None is the newest finished model, else the shipped one.
        checkpoint: best, last or a step number.
        device: auto, cpu, cuda …
        batch_size: examples at once.
        top: how many classes to keep for each example.
        threshold: of two classes: the name of one fitted to validation data, or a number; None is 0.5.
        ingest: "auto" lets the data set's own step prepare photos, "plain" reads them as training does.
        limit: how many answers to show; None for all.
        csv, picture: files to write, or None.

    Raises:
        UsageError: a value is out of range.
    """

    run: str | None = None
    checkpoint: str = "best"
    device: str = "auto"
    batch_size: int = 64
    top: int = 3
    threshold: str | None = None
    ingest: str = "auto"
    limit: int | None = 10
    csv: str | None = None
    picture: str | None = None

    def __post_init__(self) -> None:
        for flag, value in (("--batch-size", self.batch_size), ("--top", self.top), ("--limit", self.limit)):
            if value is not None and value < 1:
                raise UsageError(f"{flag} {value}: expected 1 or more", hint=f"{flag} 3")
        if self.ingest not in INGEST:
            near = did_you_mean(self.ingest, INGEST)
            raise UsageError(f"--ingest {self.ingest}: expected auto or plain{near}", hint="--ingest plain")
        for flag, file, suffix, start in (("--csv", self.csv, ".csv", b"file,"), ("--picture", self.picture, ".png", b"\x89PNG")):
            if file is not None:
                _refuse_to_replace(Path(file), flag=flag, suffix=suffix, start=start)


def predict(found: Given, settings: PredictSettings, talk: Talk) -> Predicted:
    """Predicts images or rows, writes the files that are asked for, and says what was noticed.

    Raises:
        UsageError: nothing to read, or files of a kind that the model does not read.
        DataError: none of the files can be read, or a table lacks the model's columns.
        StorageError: a file or folder cannot be read or written.
    """
    with catching_signals() as flag:
        _refuse_own_input(settings, found)
        device = choose_device(settings.device)
        loaded = load_model(settings.run, which=settings.checkpoint, device=device, talk=talk)
        spec = loaded.model.spec
        _refuse_other_kind(loaded, found)
        if settings.picture is not None and spec.kind != "image":
            raise UsageError(f"--picture draws images, and {spec.name} holds {spec.kind}s", hint="--csv FILE")
        answers = answers_of(loaded, top=settings.top, threshold=settings.threshold)
        talk.line(f"{describe_device(device)} · {spec.name}, {len(spec.classes)} classes · {_scale(answers)}")
        if spec.kind == "image":
            _tell_skipped(found, talk)
            seen = predict_images(found.files, loaded, answers, settings, talk=talk, check=flag.check)
            predicted, drawn = seen.predicted, pictured(seen)
        else:
            predicted = predict_rows(found.files, loaded, answers, batch_size=settings.batch_size, talk=talk, check=flag.check)
            drawn = None
        _tell_unreadable(predicted, talk)
        for path, content in ((settings.csv, predicted.to_csv()), (settings.picture, drawn)):
            if path is not None and content is not None:
                write_file_atomically(Path(path), content)
                talk.line(f"written: {path}" + (_of_all(predicted) if path == settings.picture else ""))
        return predicted


def _of_all(predicted: Predicted) -> str:
    count = len(predicted.read)
    return f", the first {PICTURED} of {count}" if count > PICTURED else ""


def answers_of(loaded: Loaded, *, top: int, threshold: str | None) -> Answers:
    """Returns how logits of a model become answers. Raises UsageError for a threshold that it does not have."""
    calibration = Calibration.of(loaded.checkpoint.calibration)
    classes = loaded.model.spec.classes
    chosen = None if len(classes) != 2 else ("0.5", 0.5)
    if threshold is not None:
        chosen = _threshold(threshold, classes, calibration.thresholds if calibration else {}, name=loaded.name)
    return Answers(classes=classes, calibration=calibration, threshold=chosen, top=top)


def _threshold(text: str, classes: Sequence[str], known: Mapping[str, float], *, name: str) -> tuple[str, float]:
    if len(classes) != 2:
        raise UsageError(f"--threshold is for two classes; {name} has {len(classes)}", hint="leave it out")
    if text in known:
        return text, known[text]
    try:
        value = float(text)
    except ValueError:
        named = ", ".join(known)
        have = (
            f"expected {named} or a number between 0 and 1"
            if known
            else "none was fitted (no validation data); expected a number"
        )
        raise UsageError(f"--threshold {text}: {have}{did_you_mean(text, known)}", hint="--threshold 0.5") from None
    if not 0 < value < 1:
        raise UsageError(f"--threshold {text}: expected a number between 0 and 1", hint="--threshold 0.5")
    return text, value


def _scale(answers: Answers) -> str:
    if answers.calibration is None:
        return "probabilities are not calibrated: nothing was fitted to validation data"
    return f"calibrated probabilities (temperature {answers.calibration.temperature:.2f}, fitted to validation data)"


def _refuse_other_kind(loaded: Loaded, found: Given) -> None:
    """Raises UsageError where a file is of a kind that the model does not read."""
    spec = loaded.model.spec
    if spec.kind not in {"image", "table"}:
        raise UsageError(f"{loaded.name} reads {spec.kind}s, and dl predict reads images and tables", hint="another --run")
    if spec.kind == "image":
        table = next((path for path in found.files if path.suffix.lower() in TABLES), None)
        if table is not None:
            raise UsageError(f"{table} is a table, and {loaded.name} reads images", hint="--run with a model of that table")
        if len(spec.shape) != 3 or spec.shape[0] not in {1, 3}:
            raise UsageError(f"{loaded.name} reads images of {spec.shape}; expected grey or colour images", hint="another --run")
        return
    if not spec.columns:
        raise UsageError(f"{loaded.name} was trained on a table without column names", hint="dl evaluate")
    if found.folders:
        raise UsageError(f"{found.folders[0][0]} is a folder, and {loaded.name} reads tables", hint="dl predict FILE.csv")
    image = next((path for path in found.files if path.suffix.lower() in IMAGES), None)
    if image is not None:
        hint = "dl predict FILE.csv, or --run with a model of images such as builtin:mnist"
        raise UsageError(f"{image} is an image, and {loaded.name} reads tables", hint=hint)


def _refuse_to_replace(file: Path, *, flag: str, suffix: str, start: bytes) -> None:
    """Raises UsageError where writing would put a file under an odd name, or destroy what is none of ours."""
    if file.suffix.lower() != suffix:
        raise UsageError(f"{flag} {file}: expected a name that ends in {suffix}", hint=f"{flag} predictions{suffix}")
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise UsageError(f"{flag} {file} exists and is no plain file; it was left alone", hint="another name")
    if file.exists():
        with file.open("rb") as opened:
            own = opened.read(len(start)) == start and (suffix == ".png" or b",note,error" in opened.readline())
        if not own:
            what = "picture" if suffix == ".png" else "table of predictions"
            raise UsageError(f"{flag} {file} exists and is no {what}; it was left alone", hint="another name")


def _refuse_own_input(settings: PredictSettings, found: Given) -> None:
    for flag, file in (("--csv", settings.csv), ("--picture", settings.picture)):
        if file is not None and any(Path(file).resolve() == path.resolve() for path in found.files):
            raise UsageError(f"{flag} {file} is one of the files to read; it was left alone", hint="another name")


def _tell_skipped(found: Given, talk: Talk) -> None:
    for folder, others in found.folders:
        if others:
            talk.line(f"{folder}: {others} other files left out (by their names no images)")


def _tell_unreadable(predicted: Predicted, talk: Talk) -> None:
    """Names the first files that could not be read. Raises DataError where none could."""
    broken = [item for item in predicted.items if item.error is not None]
    if broken and len(broken) == len(predicted.items):
        more = f" (and {len(broken) - 1} other files that cannot be read either)" if len(broken) > 1 else ""
        raise DataError(f"{broken[0].error}{more}", hint="dl predict photo.jpg")
    for item in broken[:_NAMED_ERRORS]:
        talk.warn(f"left out: {item.error}")
    if len(broken) > _NAMED_ERRORS:
        talk.warn(f"left out: {len(broken) - _NAMED_ERRORS} more files")
    if broken:
        talk.warn(f"{len(broken)} of {len(predicted.items)} files gave no answer")
