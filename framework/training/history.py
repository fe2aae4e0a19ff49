"""What a training run was like: a record of every step and every epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One update of the weights. Loss and accuracy are the batch's, before the update.

    `seconds` covers forward, backward and update, not the making of the batch. Epochs and steps
    count from 1; accuracy is None where the targets are not labels.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float | None
    images: int
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data: means over its samples, and the validation's, if any."""

    epoch: int
    loss: float
    accuracy: float | None
    lr: float
    seconds: float
    val_loss: float | None = None
    val_accuracy: float | None = None


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy (0 ... 1, or None without labels) over `samples` samples."""

    loss: float
    accuracy: float | None
    samples: int


@dataclass
class History:
    """All steps and epochs so far, and why training stopped early, if it did."""

    steps: list[Step] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    stopped: str | None = None

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        return [s.loss for s in self.steps]

    @property
    def warm_up(self) -> float:
        """Seconds that the first step took beyond the median of the others, such as compiling."""
        rest = sorted(s.seconds for s in self.steps[1:])
        return max(self.steps[0].seconds - rest[len(rest) // 2], 0.0) if rest else 0.0

    @property
    def images_per_second(self) -> float | None:
        """Samples per second of all steps but the first; None before there are two."""
        rest = self.steps[1:]
        seconds = sum(s.seconds for s in rest)
        return sum(s.images for s in rest) / seconds if seconds > 0.0 else None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
