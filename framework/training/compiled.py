"""A training step as one function, for `etude.compile`: all that is read is read after it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..compile import compile
from ..optim import clip_grad_norm_

if TYPE_CHECKING:
    from ..tensor import Tensor
    from .trainer import Trainer


def compiled_step(trainer: Trainer, passes: Iterable[str] | None) -> Any:
    """A compiled function (x, y) -> what the step computes of each part of the batch.

    Returns losses, counts of hits (None without labels), and the weights before they were moved.
    """

    def step(x: Tensor, y: Tensor) -> Any:
        model = trainer.model
        trainer.optimizer.zero_grad()
        losses, hits = [], []
        for part_x, part_y in parts(x, y, trainer.accumulate):
            share = part_x.shape[0] / x.shape[0]
            output = model(part_x)
            value = trainer.loss(output, part_y)
            losses.append(value.detach())
            hits.append(count_hits(output, part_y))
            (value if share == 1.0 else value * share).backward()
        kept = {name: t.clone() for name, t in model.state_dict().items()}
        if trainer.clip_norm is not None:
            clip_grad_norm_(model.parameters(), trainer.clip_norm)
        trainer.optimizer.step()
        if trainer.scheduler is not None and trainer.schedule_by == "step":
            trainer.scheduler.step()
        return losses, hits, kept

    return compile(step, passes=passes)


def parts(x: Tensor, y: Tensor, count: int) -> list[tuple[Tensor, Tensor]]:
    """A batch in at most `count` parts."""
    return list(zip(x.chunk(count), y.chunk(count), strict=True)) if count > 1 else [(x, y)]


def count_hits(output: Any, y: Tensor) -> Tensor | None:
    """How many rows have their largest output at the label; None if y is not labels.

    Of several outputs, such as those of auxiliary heads, the first counts.
    """
    output = output[0] if isinstance(output, tuple) else output
    if y.dtype.is_floating_point or len(output.shape) != 2 or not y.shape:
        return None
    hits: Tensor = (output.detach().argmax(1) == y).sum()
    return hits
