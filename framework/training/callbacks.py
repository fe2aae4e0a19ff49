"""Callbacks: what a Trainer tells as it goes on. Subclass Callback and override what you need."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from math import inf
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING, Any

from ..errors import ArgumentError, BadFile, fail
from .history import Epoch, Step
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """Every method may be left out. `trainer.history` is the past, `trainer.stop(why)` ends it."""

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        """Training begins."""

    def on_step(self, trainer: Trainer, step: Step) -> None:
        """The weights were updated once."""

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        """A pass over the data, and its validation, is done."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Training is over; also after an exception or Ctrl-C."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep of this callback: tensors and plain data."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned; called after `on_fit_start`."""


class EarlyStopping(Callback):
    """Stop when the validation loss has not fallen for `patience` epochs; keep the best weights.

    The best weights are put back at the end of training, however it ends. `min_delta` is the least
    fall that counts. `monitor` may be "val_accuracy", whose rise then counts.
    Source: Prechelt, "Early stopping - but when?", 1998. Decks: D0, D3.
    """

    def __init__(
        self, patience: int = 5, min_delta: float = 0.0, monitor: str = "val_loss"
    ) -> None:
        if monitor not in ("val_loss", "val_accuracy"):
            raise fail(
                ArgumentError,
                "EarlyStopping",
                f"expected monitor 'val_loss' or 'val_accuracy', got {monitor!r}; use 'val_loss'",
            )
        if patience < 1:
            raise fail(
                ArgumentError,
                "EarlyStopping",
                f"expected patience >= 1, got {patience}; use 1 to stop at the first rise",
            )
        self.patience, self.min_delta, self.monitor = patience, min_delta, monitor
        self.best, self.best_epoch, self.snapshot = inf, 0, None

    best: float
    best_epoch: int
    snapshot: Snapshot | None

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        self.best, self.best_epoch, self.snapshot = inf, 0, Snapshot(trainer.model)

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        value = getattr(epoch, self.monitor)
        if value is None:
            raise fail(
                ArgumentError,
                "EarlyStopping",
                f"there is no {self.monitor} to watch; give fit() a validation loader",
            )
        cost = value if self.monitor == "val_loss" else -value
        if cost < self.best - self.min_delta and self.snapshot is not None:
            self.best, self.best_epoch = cost, epoch.epoch
            self.snapshot.take()
        elif epoch.epoch - self.best_epoch >= self.patience:
            trainer.stop(f"{self.monitor} was best at epoch {self.best_epoch}")

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.snapshot is not None and self.snapshot.taken:
            self.snapshot.restore()

    def state_dict(self) -> dict[str, Any]:
        weights = {} if self.snapshot is None else self.snapshot.values
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        if self.snapshot is not None:
            self.snapshot.values = state["weights"]


class TimeBudget(Callback):
    """Stop before the next step would end later than `seconds` after the start; do at least one."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = 0.0

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        self.started = perf_counter()

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if perf_counter() - self.started + step.seconds > self.seconds:
            trainer.stop(f"the time budget of {self.seconds:g} s")


class CsvLog(Callback):
    """Write each epoch as a line of a CSV file, at once, so that it can be watched.

    A resumed run writes the epochs before it again, so that none is missing or there twice.

    Raises BadFile when training begins if the file cannot be written. Source: lecture only. Decks:
    D0 (track the loss).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.file: IO[str] | None = None

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        try:
            self.file = open(self.path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise fail(
                BadFile,
                "CsvLog",
                f"cannot write {self.path}: {error.strerror or error}; choose another place",
            ) from None
        lines = csv.writer(self.file)
        lines.writerow(f.name for f in fields(Epoch))
        lines.writerows(asdict(epoch).values() for epoch in trainer.history.epochs)
        self.file.flush()

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        if self.file is not None:
            csv.writer(self.file).writerow(asdict(epoch).values())
            self.file.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.file is not None:
            self.file.close()
