"""Trainer: the training loop, written out.

    for each epoch, for each batch:
        forget the gradients; predict; measure the loss; differentiate; update

with a place for callbacks after each step and epoch, and a watch over the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan, nan
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..autograd import no_grad
from ..errors import ArgumentError, NonFiniteLoss, fail
from ..functional import cross_entropy
from ..optim import clip_grad_norm_
from .callbacks import Callback
from .compiled import compiled_step, count_hits, parts
from .history import Epoch, History, Score, Step
from .snapshot import Snapshot
from .state import Place, load_trainer_state, restore_callbacks, trainer_state

if TYPE_CHECKING:
    from ..data import DataLoader
    from ..nn import Module
    from ..tensor import Tensor

_NO_LABELS = nan  # makes the accuracy of a step None


class Trainer:
    """Trains a model on batches (x, y).

    Args:
        model: any Module.
        optimizer: of the model's parameters.
        loss: loss(model(x), y) -> scalar.
        scheduler: its `step()` follows every optimizer step, or every epoch with
            `schedule_by="epoch"`, torch's habit.
        accumulate: compute each batch's gradient in this many parts, to save memory.
        clip_norm: scale gradients down to this global norm (D0; Pascanu et al. 2013).
        compile: record the step once and replay it (`etude.compile`): True, or the names of the
            passes to run, `EXACT` for results equal to the bit to eager ones. Hooks of modules and
            tensors then run while a step is recorded, not at each; inside `detect_anomaly` every
            step runs eagerly. When the loss is nan or inf the weights are put back as always, but
            the optimizer's averages have made the step.
        callbacks: see callbacks.py.

    `history` grows as training goes on, so it is there after an exception too.

    Decks: D0 (first see that 20 examples can be learnt by heart).
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any,
        loss: Callable[[Any, Any], Tensor] = cross_entropy,
        *,
        scheduler: Any = None,
        schedule_by: str = "step",
        accumulate: int = 1,
        clip_norm: float | None = None,
        compile: bool | Iterable[str] = False,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        if schedule_by not in ("step", "epoch"):
            raise fail(
                ArgumentError,
                "Trainer",
                f"expected schedule_by 'step' or 'epoch', got {schedule_by!r}; use 'epoch'",
            )
        if not isinstance(accumulate, int) or accumulate < 1:
            raise fail(
                ArgumentError,
                "Trainer",
                f"expected accumulate >= 1, got {accumulate!r}; use 1 for a step after each batch",
            )
        if clip_norm is not None and not clip_norm > 0:
            raise fail(
                ArgumentError,
                "Trainer",
                f"expected clip_norm > 0, got {clip_norm!r}; use None for no clipping",
            )
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.scheduler = scheduler
        self.schedule_by = schedule_by
        self.accumulate = accumulate
        self.clip_norm = clip_norm
        self.run = None
        if compile is not False:
            self.run = compiled_step(self, None if compile is True else compile)
        self.callbacks = list(callbacks)
        self.history = History()
        self.good = Snapshot(model)
        self.place = Place()
        self.between_steps = True  # else the state is no place to go on from
        self.resumed: dict[str, Any] | None = None

    def fit(
        self, batches: DataLoader, epochs: int, validation: DataLoader | None = None
    ) -> History:
        """Train for a number of epochs, or until a callback calls `stop`.

        After `load_state_dict` training goes on where that state was taken, up to `epochs`.

        Raises NonFiniteLoss when the loss, or a weight at the end of an epoch, is nan or inf; the
        model then has the weights that last gave a finite loss.
        """
        if not isinstance(epochs, int) or epochs < 0:
            raise fail(ArgumentError, "fit", f"expected epochs >= 0, got {epochs!r}; use 1 or more")
        self.history.stopped = None
        if self.resumed is None:
            self.place = Place(first_order=batches.epoch)
        self._tell("on_fit_start", epochs, len(batches))
        restore_callbacks(self)
        try:
            while self.place.epoch <= epochs and not self.history.stopped:
                self._epoch(batches, validation)
        finally:
            batches.epoch = self.place.order + (self.place.batch > 0)
            self._tell("on_fit_end")
        return self.history

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on; see state.py."""
        return trainer_state(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called; the next `fit` goes on from there."""
        load_trainer_state(self, state)

    def stop(self, reason: str) -> None:
        """Let training end after this step; for callbacks."""
        self.history.stopped = reason

    def _epoch(self, batches: DataLoader, validation: DataLoader | None) -> None:
        self.model.train()
        started, epoch = perf_counter(), self.place.epoch
        for x, y in batches.batches(self.place.order, self.place.batch):
            step = self._step(x, y, epoch)
            self.history.steps.append(step)
            self.place.batch += 1
            self.between_steps = True
            self._tell("on_step", step)
            if self.history.stopped:
                return
        self.between_steps = False
        self._check_weights(epoch)
        lr = self._lr()
        if self.scheduler is not None and self.schedule_by == "epoch":
            self.scheduler.step()
        score = None if validation is None else self.evaluate(validation)
        steps = [s for s in self.history.steps if s.epoch == epoch]
        record = _summary(epoch, steps, lr, perf_counter() - started, score)
        self.history.epochs.append(record)
        self.place.next_epoch()
        self.between_steps = True
        self._tell("on_epoch", record)

    def _step(self, x: Tensor, y: Tensor, epoch: int) -> Step:
        number, started = len(self.history.steps) + 1, perf_counter()
        self.between_steps = False
        make = self._eagerly if self.run is None else self._compiled
        value, hits = make(x, y, epoch, number)
        x.backend.synchronize()
        seconds = perf_counter() - started
        return Step(epoch, number, value, None if isnan(hits) else hits, x.shape[0], seconds)

    def _eagerly(self, x: Tensor, y: Tensor, epoch: int, number: int) -> tuple[float, float]:
        """The loss and the share of hits of a step."""
        self.optimizer.zero_grad()
        value, hits = 0.0, 0.0
        for part_x, part_y in parts(x, y, self.accumulate):
            share = part_x.shape[0] / x.shape[0]
            output = self.model(part_x)
            loss = self.loss(output, part_y)
            value += float(loss.item()) * share
            if not isfinite(value):
                raise self._diverged(f"the loss became {value}", epoch, number)
            hits += _NO_LABELS if (hit := accuracy(output, part_y)) is None else hit * share
            (loss if share == 1.0 else loss * share).backward()
        self.good.take()
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        if self.scheduler is not None and self.schedule_by == "step":
            self.scheduler.step()
        return value, hits

    def _compiled(self, x: Tensor, y: Tensor, epoch: int, number: int) -> tuple[float, float]:
        """The same by one call of the compiled step, of which the numbers are read afterwards."""
        assert self.run is not None
        losses, counts, weights = self.run(x, y)
        value, hits, images = 0.0, 0.0, x.shape[0]
        sizes = [part.shape[0] for part, _ in parts(x, y, self.accumulate)]
        for loss, count, size in zip(losses, counts, sizes, strict=True):
            value += float(loss.item()) * (size / images)
            hits += _NO_LABELS if count is None else _share(count, size) * (size / images)
        before = Snapshot(self.model, weights)
        if not isfinite(value):
            if not self.good.taken:
                before.restore()
            raise self._diverged(f"the loss became {value}", epoch, number)
        self.good = before
        return value, hits

    def evaluate(self, batches: DataLoader) -> Score:
        """Mean loss and accuracy over the batches, in evaluation mode; the weights stay."""
        return evaluate(self.model, batches, self.loss)

    def _check_weights(self, epoch: int) -> None:
        for name, p in self.model.named_parameters():
            if not p.detach().isfinite().all().item():
                what = f"the weights {name!r} became nan or inf"
                raise self._diverged(what, epoch, len(self.history.steps))

    def _diverged(self, what: str, epoch: int, step: int) -> NonFiniteLoss:
        self.between_steps = False
        kept = "the model has its initial weights again"
        if self.good.taken:
            self.good.restore()
            kept = "the model has the last weights that gave a finite loss"
        self.history.stopped = f"{what} at epoch {epoch}, step {step}"
        return NonFiniteLoss(
            f"[fit] {what} at epoch {epoch}, step {step}; {kept}; "
            f"lower the learning rate (now {self._lr():g}), or look for nan in the data"
        )

    def _lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _tell(self, event: str, *facts: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *facts)


def evaluate(
    model: Module, batches: DataLoader, loss: Callable[[Any, Any], Tensor] = cross_entropy
) -> Score:
    """Mean loss and accuracy of a model over batches (x, y), in evaluation mode, without a graph.

    The model goes back to the mode it was in. Raises ArgumentError if there is no batch.
    """
    was_training = model.training
    model.eval()
    total, hits, samples, labelled = 0.0, 0.0, 0, True
    with no_grad():
        for x, y in batches:
            output, n = model(x), x.shape[0]
            share = accuracy(output, y)
            total += loss(output, y).item() * n
            hits += (share or 0.0) * n
            samples += n
            labelled = labelled and share is not None
    model.train(was_training)
    if not samples:
        raise fail(
            ArgumentError,
            "evaluate",
            "expected at least one batch, got none; give data with samples, or drop_last=False",
        )
    return Score(total / samples, hits / samples if labelled else None, samples)


def accuracy(output: Any, y: Tensor) -> float | None:
    """The share of rows whose largest output is at the label; None if y is not labels."""
    hits = count_hits(output, y)
    return None if hits is None or not y.shape[0] else _share(hits, y.shape[0])


def _share(hits: Tensor, rows: int) -> float:
    return float(hits.item()) / rows


def _summary(
    epoch: int, steps: list[Step], lr: float, seconds: float, score: Score | None
) -> Epoch:
    images = max(sum(s.images for s in steps), 1)
    loss = sum(s.loss * s.images for s in steps) / images
    known = bool(steps) and all(s.accuracy is not None for s in steps)
    share = sum((s.accuracy or 0.0) * s.images for s in steps) / images if known else None
    val_loss, val_accuracy = (None, None) if score is None else (score.loss, score.accuracy)
    return Epoch(epoch, loss, share, lr, seconds, val_loss, val_accuracy)
