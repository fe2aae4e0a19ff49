"""etude compare MODEL: the same training on every backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from etude.backends import registry
from etude.backends.base import Backend

from .. import visualize
from ..creation import as_backend
from ..data import Splits
from ..errors import ArgumentError, MissingLibrary, NonFiniteLoss, fail, nearest
from ..nn import Module
from ..training import Callback, History, Score, Step, TimeBudget, Trainer
from .machine import describe
from .progress import progress
from .recipe import Recipe, load_data, make_recipe, prepare
from .results import WEIGHTS, curves, folder, save_json, save_weights
from .show import console, duration, percent, say, table
from .threads import limit_threads
from .train import announce

REFERENCE = "numpy"
SLOW = ("python",)  # run within a time budget, not to the end


@dataclass
class Result:
    """One run. `startup` covers loading, building the model, and what the first step took extra.

    `compiling` is what of it went into compiling kernels, which `startup` does not count.
    """

    backend: str
    model: Module
    history: History
    startup: float
    steps_planned: int
    compiling: float = 0.0
    compiling_later: float = 0.0  # than in the first step
    test: Score | None = None

    @property
    def images_per_second(self) -> float | None:
        """Of all steps but the first, without the compiling; None before there are two."""
        rest = self.history.steps[1:]
        seconds = sum(s.seconds for s in rest) - self.compiling_later
        return sum(s.images for s in rest) / seconds if seconds > 0.0 else None

    @property
    def final_loss(self) -> float | None:
        """Mean loss over the images of the last epoch, as far as it went."""
        steps = self.history.steps
        last = [s for s in steps if s.epoch == steps[-1].epoch]
        images = sum(s.images for s in last)
        return sum(s.loss * s.images for s in last) / images if images else None


class Compiling(Callback):
    """Notes how long the backend had compiled kernels when the first step was done."""

    def __init__(self, engine: Backend) -> None:
        self.engine = engine
        self.after_first = 0.0
        self.steps = 0

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if self.steps == 0:
            self.after_first = self.engine.compile_seconds
        self.steps += 1


def compare(
    *, backends: str | None, budget: float, threads: int | None, out: str | None, **chosen: Any
) -> int:
    """Train on each backend, then print the table and save it; the exit code."""
    limit_threads(threads)
    recipe = make_recipe(**chosen)
    names, left_out = choose(backends)
    splits = load_data(recipe)
    place = folder(out, "compare", recipe.model, recipe.data)
    screen = console()
    announce(screen, recipe, splits, prepare(recipe, splits, REFERENCE), f"on {', '.join(names)}")
    for name, reason in left_out.items():
        say(screen, f"left out: {name}, {reason}")
    results: list[Result] = []
    code = 0
    try:
        for name in names:
            run(screen, recipe, splits, name, budget, results)
    except KeyboardInterrupt:
        if results:
            results[-1].history.stopped = "Ctrl-C"
        code = 130
    except NonFiniteLoss:
        conclude(screen, recipe, splits, place, results, budget)
        raise
    conclude(screen, recipe, splits, place, results, budget)
    return code


def choose(backends: str | None) -> tuple[list[str], dict[str, str]]:
    """The backends to run, NumPy first, and those left out with the reason.

    Raises ArgumentError for an unknown name, BackendUnavailable for one that was asked for.
    """
    if backends is None:
        states = registry.available()
        works = [name for name, reason in states.items() if reason is None]
        left_out = {name: reason for name, reason in states.items() if reason is not None}
        return sorted(works, key=lambda n: (n != REFERENCE, n in SLOW)), left_out
    names = list(dict.fromkeys(n.strip() for n in backends.split(",") if n.strip()))
    unknown = [n for n in names if n not in registry.PATHS]
    if unknown or not names:
        what = unknown[0] if unknown else ""
        raise fail(
            ArgumentError,
            "compare",
            f"no backend is called {what!r}; {nearest(what, registry.PATHS)}",
        )
    for name in names:
        registry.get(name)
    return sorted(names, key=lambda n: (n != REFERENCE, n in SLOW)), {}


def run(
    screen: Console,
    recipe: Recipe,
    splits: Splits,
    name: str,
    budget: float,
    results: list[Result],
) -> None:
    """Train on one backend; the result is in the list from the start, so that Ctrl-C keeps it."""
    started = perf_counter()
    engine = as_backend(name)
    compiled = engine.compile_seconds
    session = prepare(recipe, splits, engine)
    trainer = session.trainer
    built = perf_counter() - started
    planned = recipe.epochs * len(session.batches)
    result = Result(name, session.model, trainer.history, built, planned)
    results.append(result)
    kernels = Compiling(engine)
    trainer.callbacks.append(kernels)
    limit = budget if name in SLOW else None
    if limit is not None:
        trainer.callbacks.append(TimeBudget(limit))
    trainer.callbacks.append(progress(screen, name, limit))
    trainer.fit(session.batches, recipe.epochs)
    result.compiling = engine.compile_seconds - compiled
    result.compiling_later = engine.compile_seconds - kernels.after_first
    at_first = kernels.after_first - compiled
    result.startup = max(built + trainer.history.warm_up - at_first, 0.0)
    if len(trainer.history.steps) == planned:
        result.test = trainer.evaluate(session.test)


def deviation(losses: Sequence[float], reference: Sequence[float]) -> float | None:
    """max |a - b| / |b| over the steps that both curves have; None if there are none."""
    pairs = list(zip(losses, reference, strict=False))
    return max((abs(a - b) / max(abs(b), 1e-12) for a, b in pairs), default=None)


def rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """What the table shows of each backend, as plain data."""
    reference = next((r for r in results if r.backend == REFERENCE), None)
    base = None if reference is None else reference.images_per_second
    found = []
    for r in results:
        speed = r.images_per_second
        compared = reference is not None and r is not reference
        losses = reference.history.losses if reference is not None else []
        found.append(
            {
                "backend": r.backend,
                "steps": len(r.history.steps),
                "steps_planned": r.steps_planned,
                "test_accuracy": None if r.test is None else r.test.accuracy,
                "test_loss": None if r.test is None else r.test.loss,
                "final_loss": r.final_loss,
                "deviation": deviation(r.history.losses, losses) if compared else None,
                "images_per_second": speed,
                "ratio": speed / base if speed and base else None,
                "startup_seconds": r.startup,
                "compile_seconds": r.compiling,
                "stopped": r.history.stopped,
            }
        )
    return found


LEGEND = """
final loss: mean of the last epoch, as far as it went
deviation:  largest |loss - NumPy's| / NumPy's over the steps that both made
images/s:   forward, backward and update, without the first step and without compiling
start-up:   loading, building the model, and what the first step took beyond the others
compile:    of kernels, where they are compiled when first used; later runs find them on the disk"""

HEADINGS = ["backend", "steps", "test accuracy", "final loss", "deviation", "images/s", "x NumPy",
            "start-up", "compile"]  # fmt: skip


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table in words."""

    def show(key: str, form: str) -> str:
        return "-" if row[key] is None else format(row[key], form)

    return [
        row["backend"],
        f"{row['steps']}/{row['steps_planned']}",
        percent(row["test_accuracy"]),
        show("final_loss", ".5f"),
        show("deviation", ".1e"),
        show("images_per_second", ",.0f" if (row["images_per_second"] or 0) >= 100 else ".1f"),
        show("ratio", ".3g"),
        duration(row["startup_seconds"]),
        duration(row["compile_seconds"]) if row["compile_seconds"] else "-",
    ]


def conclude(
    screen: Console,
    recipe: Recipe,
    splits: Splits,
    place: Path,
    results: Sequence[Result],
    budget: float,
) -> None:
    """Print the table and save it with the curves, the picture and the weights."""
    done = [r for r in results if r.history.steps]
    found = rows(done)
    say(screen)
    screen.print(table(HEADINGS, map(cells, found)))
    for row in found:
        if row["stopped"]:
            say(
                screen,
                f"{row['backend']} stopped after {row['steps']} of {row['steps_planned']} steps, "
                f"and is compared over those: {row['stopped']}",
            )
    say(screen, LEGEND, style="dim")
    content = {
        "recipe": asdict(recipe),
        "input": splits.form,
        "budget_seconds": budget,
        "results": found,
        "curves": {r.backend: curves(r.history) for r in done},
        "machine": describe(),
    }
    files = [save_json(place / "compare.json", content)]
    if done:
        files.append(save_weights(place / WEIGHTS, done[0].model, recipe, splits.classes))
        files += _picture(screen, recipe, splits, place, done)
    say(screen, f"\n{place}: {', '.join(f.name for f in files)}")


def _picture(
    screen: Console, recipe: Recipe, splits: Splits, place: Path, done: Sequence[Result]
) -> list[Path]:
    title = f"{recipe.model} on {recipe.data} ({splits.form}), seed {recipe.seed}"
    losses = {r.backend: r.history.losses for r in done}
    per_epoch = max(done[0].steps_planned // recipe.epochs, 1)
    try:
        path = place / "compare.png"
        return [visualize.comparison(path, title, losses, done[0].model, per_epoch)]
    except MissingLibrary as error:
        say(screen, f"no picture: {error}")
        return []
