"""What the rest of a run depends on: weights, optimizer, schedule, random numbers, place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..creation import tensor
from ..dtypes import float64
from ..errors import BadFile, fail
from ..ops.sampling import get_rng_state, set_rng_state
from .history import Epoch, History, Step

if TYPE_CHECKING:
    from .trainer import Trainer


@dataclass
class Place:
    """Where a run is: the epoch, counted from 1, and how many of its batches are done.

    `first_order` is the loader's epoch that this run began with, so that the data's order goes on.
    """

    epoch: int = 1
    batch: int = 0
    first_order: int = 0

    @property
    def order(self) -> int:
        """The loader's epoch."""
        return self.first_order + self.epoch - 1

    def next_epoch(self) -> None:
        """The epoch is over."""
        self.epoch, self.batch = self.epoch + 1, 0


def trainer_state(trainer: Trainer) -> dict[str, Any]:
    """A nest for `checkpoint.save`."""
    scheduler = trainer.scheduler
    return {
        "model": dict(trainer.model.state_dict()),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "rng": list(get_rng_state()),
        "place": asdict(trainer.place),
        "history": pack_history(trainer.history),
        "callbacks": [callback.state_dict() for callback in trainer.callbacks],
    }


def load_trainer_state(trainer: Trainer, state: dict[str, Any]) -> None:
    """Put a state back; the callbacks' part waits for `fit`, which starts them.

    Raises BadFile if the state is of another kind of run.
    """
    if len(state["callbacks"]) != len(trainer.callbacks):
        raise fail(
            BadFile,
            "resume",
            f"the checkpoint was made with {len(state['callbacks'])} callbacks, this run has "
            f"{len(trainer.callbacks)}; resume with the same options",
        )
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if trainer.scheduler is not None:
        trainer.scheduler.load_state_dict(state["scheduler"])
    set_rng_state((state["rng"][0], state["rng"][1]))
    trainer.place = Place(**state["place"])
    trainer.history = unpack_history(state["history"])
    trainer.resumed = state


def restore_callbacks(trainer: Trainer) -> None:
    """Give the callbacks their part of the state that was loaded, once."""
    state, trainer.resumed = trainer.resumed, None
    if state is not None:
        for callback, part in zip(trainer.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(part)


def pack_history(history: History) -> dict[str, Any]:
    """Steps as columns, so that a long run's checkpoint stays small."""
    columns = {
        name: tensor([_number(getattr(s, name)) for s in history.steps], dtype=float64)
        for name in Step.__dataclass_fields__
    }
    return {"steps": columns, "epochs": [asdict(e) for e in history.epochs]}


def unpack_history(packed: dict[str, Any]) -> History:
    """The opposite of `pack_history`."""
    columns = [packed["steps"][name].tolist() for name in Step.__dataclass_fields__]
    steps = [
        Step(int(e), int(n), loss, None if a != a else a, int(i), s)
        for e, n, loss, a, i, s in zip(*columns, strict=True)
    ]
    return History(steps, [Epoch(**e) for e in packed["epochs"]])


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
