"""What ``dl explain`` writes and draws: maps as arrays, a line about each, overlays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from dlcli.commands.console import Talk
from dlcli.contracts import DataSpec
from dlcli.engine.attribute import ExplainReport
from dlcli.report import terminal
from dlcli.report.images import overlay, to_uint8
from dlcli.report.sheet import image_blocks
from dlcli.runs.run import Run

PER_ROW, MOST_SHOWN, COLUMNS = 8, 32, 4
EMPTY = "no positive evidence"


def joined(parts: Sequence[ExplainReport]) -> ExplainReport:
    """Returns the batches as one report."""
    names = ("inputs", "maps", "targets", "predicted", "explained", "confidence", "index")
    return ExplainReport(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def maps_npz(report: ExplainReport) -> bytes:
    """Returns the raw maps with what they belong to, as a NumPy archive without pickles."""
    names = ("maps", "index", "targets", "predicted", "explained", "confidence")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{name: getattr(report, name).numpy() for name in names})
    return buffer.getvalue()


def maps_json(
    report: ExplainReport, classes: Sequence[str], *, about: Mapping[str, object], more: Sequence[Mapping[str, object]] = ()
) -> bytes:
    """Returns a line about each map as JSON.

    Args:
        about: what is the same for all, such as explainer and layer.
        more: what else is known of each map.
    """
    known = more or [{}] * len(report.maps)
    items = [
        {
            "index": int(report.index[row]),
            "target": classes[int(report.targets[row])],
            "predicted": classes[int(report.predicted[row])],
            "explained": classes[int(report.explained[row])],
            "confidence": round(float(report.confidence[row]), 6),
            "status": EMPTY if bool(report.empty[row]) else "ok",
            **known[row],
        }
        for row in range(len(report.maps))
    ]
    return json.dumps({**about, "items": items}, indent=1, ensure_ascii=False).encode() + b"\n"


def captions(report: ExplainReport, classes: Sequence[str], *, labelled: bool) -> list[str]:
    """Returns what stands under each map: the explained class and its probability, and where it is another one, what is true."""
    found = []
    for row in range(len(report.maps)):
        target, predicted, explained = (int(getattr(report, name)[row]) for name in ("targets", "predicted", "explained"))
        text = f"{classes[explained]} {100 * float(report.confidence[row]):.0f} %"
        if explained != predicted:
            text += f"\ntaken for {classes[predicted]}"
        if labelled and target not in {explained, predicted}:
            text += f"\nis {classes[target]}"
        elif labelled and target == explained != predicted:
            text += "\nwhich it is"
        elif labelled and target == predicted != explained:
            text += "\nrightly"
        found.append(text)
    return found


def draw(run: Run, report: ExplainReport, spec: DataSpec, said: Sequence[str], *, name: str, talk: Talk) -> dict[str, str]:
    """Draws the first maps over their images, in the terminal and as a file; of tables it names the columns that weigh most."""
    if spec.kind != "image":
        for row, caption in enumerate(said[:PER_ROW]):
            about = " · ".join(caption.splitlines())
            talk.line(f"row {int(report.index[row])}: {about} · {_weightiest(report.maps[row], spec)}")
        return {}
    count = min(len(report.maps), MOST_SHOWN)
    images = to_uint8(report.inputs[:count])
    heat = overlay(images, report.maps[:count], alpha=0.7)
    talk.picture(terminal.gallery(heat[:PER_ROW], said[:PER_ROW]))
    if count < len(report.maps):
        talk.line(f"{count} of {len(report.maps)} maps are drawn; all are in maps.npz")
    return {
        "overlays": run.write("plots/overlays.png", image_blocks([images, heat], ["image", name], said[:count], columns=PER_ROW))
    }


def _weightiest(weights: Tensor, spec: DataSpec) -> str:
    """The columns of the largest attributions, with their sign: what speaks for the class, and against it."""
    order = weights.abs().argsort(descending=True)[:COLUMNS]
    names = [column.name for column in spec.columns] or [str(place) for place in range(len(weights))]
    return ", ".join(f"{names[int(place)]} {float(weights[place]):+.2f}" for place in order)
