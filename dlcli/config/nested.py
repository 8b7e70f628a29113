"""Settings inside the roots: of the training loop, and of what finetuning trains. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


def at_least(value: float | None, low: float, key: str) -> None:
    """Raises ValueError where ``value`` of ``key`` is below ``low``."""
    if value is not None and value < low:
        raise ValueError(f"{key}={value}: expected {low} or more")


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """How long and how the training loop runs; ``configs/trainer/default.yaml`` describes each key."""

    epochs: int
    batch_size: int
    eval_batch_size: int
    accumulate: int
    precision: Literal["fp32", "bf16", "fp16"]
    compile: bool
    ema: float | None
    clip_norm: float | None
    patience: int | None
    max_time: float | None
    save_every: int | None
    log_every: int
    monitor: Literal["auto", "val/accuracy", "val/robust_accuracy", "val/loss", "last"]
    watch: bool = False
    robust_limit: int = 1000

    def __post_init__(self) -> None:
        for key in (
            "epochs",
            "batch_size",
            "eval_batch_size",
            "accumulate",
            "patience",
            "save_every",
            "log_every",
            "robust_limit",
        ):
            at_least(getattr(self, key), 1, f"trainer.{key}")
        for key in ("clip_norm", "max_time"):
            value = getattr(self, key)
            if value is not None and value <= 0:
                raise ValueError(f"trainer.{key}={value}: expected more than 0")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"trainer.ema={self.ema}: expected a decay between 0 and 1, such as 0.99, or null")
        if self.monitor == "last" and self.patience is not None:
            raise ValueError("trainer.patience needs something to wait for: trainer.monitor=val/accuracy or val/loss")


@dataclass(frozen=True, kw_only=True)
class StrategySettings:
    """What finetuning trains and when; ``configs/strategy/head_first.yaml`` describes each key."""

    probe_epochs: int
    last: int | None
    stage_epochs: int | None
    body_lr: float
    stage_decay: float
    batch_norm: Literal["frozen", "trained"]

    def __post_init__(self) -> None:
        for key, low in (("probe_epochs", 0), ("last", 0), ("stage_epochs", 1)):
            at_least(getattr(self, key), low, f"strategy.{key}")
        for key in ("body_lr", "stage_decay"):
            if not 0 < getattr(self, key) <= 1:
                raise ValueError(f"strategy.{key}={getattr(self, key)}: expected a share of the learning rate in (0, 1]")
