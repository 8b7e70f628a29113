"""Checks that several networks make of their data and their numbers; each error starts with the name of what is wrong."""

from __future__ import annotations

from collections.abc import Sequence


def check_image(owner: str, shape: Sequence[int], *, smallest: int) -> tuple[int, int, int]:
    """Returns the (C, H, W) of an example.

    Raises:
        ValueError: it is no image, or a side is below ``smallest`` pixels; the message names the network (``owner``) and
            the smallest size.
    """
    if len(shape) != 3 or min(shape[1:]) < smallest:
        raise ValueError(f"{owner} needs images (C, H, W) of at least {smallest} x {smallest} pixels, got {tuple(shape)}")
    channels, height, width = shape
    return channels, height, width


def check_dropout(dropout: float) -> None:
    """Raises ValueError unless ``dropout`` is a probability in [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout}")


def check_momentum(norm_momentum: float) -> None:
    """Raises ValueError unless ``norm_momentum``, the share of the newest batch, is in (0, 1]."""
    if not 0 < norm_momentum <= 1:
        raise ValueError(f"norm_momentum must be in (0, 1], got {norm_momentum}")


def check_counts(name: str, values: Sequence[int], *, length: int | None = None, least: int = 1) -> None:
    """Raises ValueError unless ``values`` are ``length`` (None: any number of) whole numbers of at least ``least``."""
    if (length is not None and len(values) != length) or any(value < least for value in values):
        wanted = "numbers" if length is None else f"{length} numbers"
        raise ValueError(f"{name} must hold {wanted} of at least {least}, got {list(values)}")


def check_at_least(name: str, value: float, least: float) -> None:
    """Raises ValueError where ``value`` is below ``least``."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
