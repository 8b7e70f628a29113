"""What people should know of a folder of images before they trust a model trained on it: one line each, no control characters."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcli.contracts import Split
from dlcli.data.decode import shown
from dlcli.data.fetchable import readable
from dlcli.data.layout import Files, Found, listing
from dlcli.errors import DlcliError

_FEW = 500  # train images below which a network that was trained on others does better
_UNEVEN = 3  # times that the largest class outnumbers the smallest


def of_layout(found: Found, splits: Mapping[str, Split]) -> Iterable[str]:
    """Says which parts are not the folder's own, and what lies beside it unread."""
    sizes = ", ".join(f"{name} {len(split):,}" for name, split in splits.items())
    given = set(found.parts)
    if given == {"train"}:
        yield f"the folder has no parts: {sizes} were chosen by data.split_seed, with equal shares of each class"
    elif given == {"train", "val"}:
        yield f"the folder's val is the test part, for what selects must not test; val was held back from train: {sizes}"
    elif given == {"train", "test"}:
        yield f"the folder has no val: it was held back from train: {sizes}"
    if found.left_out:
        yield f"beside the class folders, and not read: {listing(found.left_out)}"


def of_copies(found: Found, parts: Mapping[str, Tensor], groups: Tensor | None) -> Iterable[str]:
    """Says where files have the same bytes: in one part, in two (a leak), in two classes (a contradiction).

    Args:
        groups: from :func:`dlcli.data.identical.copies`; None where nobody looked.
    """
    files = found.files
    if groups is None:
        yield f"{len(files):,} files are too many to look for copies at every start: dl data check data.eval_crop=1 does"
        return
    copied = (groups != torch.arange(len(files))).nonzero().flatten().tolist()
    if not copied:
        return
    leaders = groups.tolist()
    part_of = {row: part for part, rows in parts.items() for row in rows.tolist()}
    leaks = [row for row in copied if part_of[row] != part_of[leaders[row]]]
    if leaks:
        pairs = f"{len(leaks)} file{'s are' if len(leaks) > 1 else ' is'} in two parts"
        yield f"leak: {pairs}, {_pair(files, leaks[0], leaders)}: test figures will flatter; keep one of each"
    wrong = [row for row in copied if files.targets[row] != files.targets[leaders[row]]]
    if wrong:
        pair = _pair(files, wrong[0], leaders)
        yield f"contradiction: {len(wrong)} times the same image has two classes, {pair}; keep the right one"
    rest = len(copied) - len(set(leaks) | set(wrong))
    if rest:
        example = next(row for row in copied if row not in {*leaks, *wrong})
        what = f"{rest} file{'s are copies' if rest > 1 else ' is a copy'}"
        yield f"{what} of others in the same part, {_pair(files, example, leaders)}"


def of_unreadable(errors: Sequence[DlcliError], root: Path) -> Iterable[str]:
    """Says what was left out."""
    if errors:
        reasons = "; ".join(within(str(root), error.message) for error in errors[:5])
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        yield f"left out {len(errors)} file{'s' if len(errors) > 1 else ''}: {reasons}{more}"


def of_sizes(seen: Sequence[tuple[int, int, str]], *, size: int, total: int) -> Iterable[str]:
    """Says how large the images are and of which modes; of a sample where it is one."""
    if not seen:
        return
    by_area = sorted((width * height, width, height) for width, height, _ in seen)
    (_, *small), (_, *large) = by_area[0], by_area[-1]
    extent = f"{small[0]} x {small[1]}" + ("" if small == large else f" to {large[0]} x {large[1]}")
    modes = Counter(mode for _, _, mode in seen)
    kinds = ", ".join(f"{mode} {count:,}" for mode, count in modes.most_common())
    whole = "images" if len(seen) == total else f"a sample of {len(seen):,} images"
    yield f"{whole} of {extent} pixels ({kinds}), seen as {size} x {size}"
    smaller = sum(min(width, height) < size for width, height, _ in seen)
    if smaller * 2 > len(seen):
        yield f"most images are smaller than data.size={size} and were enlarged; a smaller data.size shows as much"


def of_classes(classes: Sequence[str], splits: Mapping[str, Split]) -> Iterable[str]:
    """Says where classes differ much in size, and which are missing in a part."""
    counts = torch.bincount(splits["train"].targets.cpu(), minlength=len(classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] >= _UNEVEN * counts[least]:
        sizes = f"{classes[most]} {int(counts[most]):,}, {classes[least]} {int(counts[least]):,}"
        yield f"classes differ in size in train ({sizes}); loss.class_weights=balanced gives them equal weight"
    for part in ("val", "test"):
        present = torch.bincount(splits[part].targets.cpu(), minlength=len(classes))
        missing = [classes[number] for number in (present == 0).nonzero().flatten().tolist()]
        if missing:
            yield f"{part} has no image of {listing(missing)}: nothing can be said of them there"


def of_streaming(total: int, needed: int, *, limit: int, workers: int) -> Iterable[str]:
    """Says that images are read from disk, and how that is made faster."""
    faster = "" if workers else "; --workers 4 decodes ahead in 4 processes"
    yield f"{total:,} images would take {readable(needed)} (data.memory_limit={limit}): they are read from disk{faster}"


def of_few(count: int, root: Path) -> Iterable[str]:
    """Points small sets to a network that has seen others."""
    if count < _FEW:
        yield f"{count} images are few to learn from scratch: dl finetune --data {shown(root)} starts from a trained network"


def within(root: str, message: str) -> str:
    """Returns ``message`` with file names relative to ``root``."""
    return message.replace(f"{shown(root)}{os.sep}", "")


def _pair(files: Files, row: int, leaders: Sequence[int]) -> str:
    return f"such as {shown(files.name(leaders[row]))} = {shown(files.name(row))}"
