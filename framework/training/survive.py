"""Training that survives: checkpoints as it goes, and a Ctrl-C that stops between two steps."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .. import checkpoint
from ..errors import ArgumentError, BadFile, fail
from .callbacks import Callback
from .history import Epoch, Step

if TYPE_CHECKING:
    from .trainer import Trainer


class Checkpoints(Callback):
    """Save the run's state every `every` steps, after each epoch, and at the end.

    Put it last among the callbacks, so that the others' state is up to date. A run that was killed
    and resumed from the file is equal, to the bit, to one that was not. When a checkpoint cannot be
    written (a full disk), training goes on with a warning, and the file that was there stays; at
    the end it is tried once more and then raises BadFile.

    Args:
        path: the file, replaced whole each time.
        every: steps between checkpoints.
        facts: plain data stored with it, such as the run's options.
    """

    def __init__(self, path: str | Path, every: int = 100, facts: Any = None) -> None:
        if not isinstance(every, int) or every < 1:
            raise fail(ArgumentError, "Checkpoints", f"expected every >= 1, got {every!r}; use 100")
        self.path, self.every, self.facts = Path(path), every, facts
        self.saved: tuple[int, int] | None = None

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if step.step % self.every == 0:
            self._try(trainer)

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        self._try(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.saved != _moment(trainer) and trainer.between_steps:
            self.save(trainer)

    def _try(self, trainer: Trainer) -> None:
        try:
            self.save(trainer)
        except BadFile as error:
            warnings.warn(
                f"no checkpoint was written, the last one stays: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def save(self, trainer: Trainer) -> None:
        """Write the state now. Raises BadFile if that fails; the old file is then whole."""
        checkpoint.save({"facts": self.facts, "trainer": trainer.state_dict()}, self.path)
        self.saved = _moment(trainer)


def _moment(trainer: Trainer) -> tuple[int, int]:
    return trainer.place.epoch, trainer.place.batch


def resume(trainer: Trainer, path: str | Path, facts: Any = None) -> bool:
    """Load a checkpoint into a trainer; False if there is none yet.

    Raises BadFile if the file is damaged or was made with other `facts`.
    """
    if not Path(path).exists():
        return False
    state = checkpoint.load(path, next(iter(trainer.model.parameters())).backend)
    if not isinstance(state, dict) or "trainer" not in state:
        raise fail(
            BadFile,
            "resume",
            f"{path} is no checkpoint of a training run; start anew, or name another",
        )
    if state["facts"] != facts:
        raise fail(
            BadFile,
            "resume",
            f"{path} is of another run: {_difference(state['facts'], facts)}; "
            "resume with the same options",
        )
    trainer.load_state_dict(state["trainer"])
    return True


def _difference(old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        parts = [
            f"{key} was {old.get(key)!r}, now {new.get(key)!r}"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
        return "; ".join(parts) + "; resume with the same options, or choose another folder"
    return f"it has {old!r}, this one {new!r}"


@contextmanager
def stop_on_signal(trainer: Trainer) -> Iterator[None]:
    """Inside, Ctrl-C (or SIGTERM) lets the step in progress end and stops training there.

    A second Ctrl-C interrupts at once. Without effect outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if trainer.history.stopped is not None:
            raise KeyboardInterrupt
        trainer.stop("Ctrl-C" if number == signal.SIGINT else "SIGTERM")

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
