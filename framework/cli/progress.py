"""Live progress of a training run: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ..training import Callback, Step, Trainer
from .show import duration, percent

PATIENCE = 5.0  # seconds without news after which a plain line is due


class Watch(Callback):
    """Counts what the displays show: means over the epoch so far, speed, and time left.

    `budget` is a limit in seconds, if there is one: the run is then expected to end at whichever
    comes first, the last step or the limit.
    """

    def __init__(self, console: Console, label: str, budget: float | None = None) -> None:
        self.console, self.label, self.budget = console, label, budget

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        self.epochs, self.total = epochs, epochs * steps_per_epoch
        self.started = self.shown = perf_counter()
        self.epoch = self.done = self.images = 0
        self.loss = self.hits = 0.0
        self.known = True

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if step.epoch != self.epoch:
            self.epoch, self.images, self.loss, self.hits = step.epoch, 0, 0.0, 0.0
        self.done += 1
        self.images += step.images
        self.loss += step.loss * step.images
        self.hits += (step.accuracy or 0.0) * step.images
        self.known = self.known and step.accuracy is not None
        self.speed = trainer.history.images_per_second or step.images / step.seconds
        self.show()

    def expected(self) -> tuple[int, float]:
        """Steps that the run will have, and seconds that it has left."""
        spent = perf_counter() - self.started
        each = spent / max(self.done, 1)
        total = self.total
        if self.budget is not None:
            total = max(min(total, int(self.budget / max(each, 1e-9))), self.done)
        return total, (total - self.done) * each

    def facts(self) -> str:
        """Loss, accuracy and speed in one line."""
        share = percent(self.hits / self.images if self.known else None)
        return (
            f"loss {self.loss / self.images:.4f} accuracy {share:>7} {self.speed:>6,.0f} images/s"
        )

    def show(self) -> None:
        """Bring the display up to date."""


class Lines(Watch):
    """A line after each epoch, and at least one in a while."""

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        super().on_fit_start(trainer, epochs, steps_per_epoch)
        self.steps_per_epoch, self.printed = steps_per_epoch, 0

    def show(self) -> None:
        """Print a line if it is time for one."""
        if self.done % self.steps_per_epoch == 0 or perf_counter() - self.shown > PATIENCE:
            self._print()

    def _print(self) -> None:
        self.shown, self.printed = perf_counter(), self.done
        total, left = self.expected()
        place = f"epoch {self.epoch}/{self.epochs}, step {self.done}/{total}"
        self.console.print(
            f"{self.label:<8} {place:<27} {self.facts()}, {duration(left)} left", soft_wrap=True
        )

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.done > self.printed:
            self._print()


class Bar(Watch):
    """One line that moves."""

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        super().on_fit_start(trainer, epochs, steps_per_epoch)
        self.progress = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[facts]}"),
            TextColumn("{task.fields[left]}", style="dim"),
            console=self.console,
            refresh_per_second=8,
            expand=True,
        )
        self.task: TaskID = self.progress.add_task(
            self.label, total=self.total, facts="starting", left=""
        )
        self.progress.start()

    def show(self) -> None:
        """Move the bar."""
        total, left = self.expected()
        self.progress.update(
            self.task,
            completed=self.done,
            total=total,
            facts=self.facts(),
            left=f"{duration(left)} left" if self.done < total else "",
        )

    def on_fit_end(self, trainer: Trainer) -> None:
        self.progress.update(self.task, total=max(self.done, 1), left="")
        self.progress.stop()


def progress(console: Console, label: str, budget: float | None = None) -> Watch:
    """The display that suits the console."""
    return (Bar if console.is_terminal else Lines)(console, label, budget)
