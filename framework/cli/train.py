"""etude train MODEL: one model, one backend."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ..creation import as_backend
from ..data import Splits
from ..errors import ArgumentError, NonFiniteLoss, fail
from ..training import Checkpoints, CsvLog, EarlyStopping, Score, resume, stop_on_signal
from .machine import describe
from .progress import progress
from .recipe import Recipe, Session, load_data, make_recipe, prepare
from .results import CHECKPOINT, HISTORY, RUN, WEIGHTS, curves, folder, save_json, save_weights
from .show import console, percent, say
from .threads import limit_threads

SIGNALS = {"Ctrl-C": 130, "SIGTERM": 143}  # as a shell reports them


def train(
    *,
    backend: str | None,
    validation: float,
    patience: int | None,
    threads: int | None,
    out: str | None,
    go_on: bool,
    checkpoint_every: int,
    workers: int,
    **chosen: Any,
) -> int:
    """Train, test and save; the exit code. What was done is saved however training ends."""
    if go_on and out is None:
        raise fail(
            ArgumentError,
            "train",
            "expected --out FOLDER with --resume, got none; name the folder of the run",
        )
    limit_threads(threads)
    recipe = make_recipe(**chosen)
    engine = as_backend(backend)
    if patience is not None and not validation:
        validation = 0.1
    splits = load_data(recipe)
    session = prepare(recipe, splits, engine, validation, workers)
    place = folder(out, "train", recipe.model, recipe.data, engine.name)
    screen = console()
    announce(screen, recipe, splits, session, f"on {engine.name}")
    if patience is not None:
        session.trainer.callbacks.append(EarlyStopping(patience))
    facts = {**asdict(recipe), "validation": validation, "patience": patience}
    checkpoints = Checkpoints(place / CHECKPOINT, checkpoint_every, facts)
    session.trainer.callbacks += [CsvLog(place / HISTORY), progress(screen, engine.name)]
    session.trainer.callbacks.append(checkpoints)
    if go_on:
        _go_on(screen, session, checkpoints)
    try:
        with stop_on_signal(session.trainer):
            session.trainer.fit(session.batches, recipe.epochs, session.validation)
    except NonFiniteLoss:
        _save(place, recipe, splits, session, engine.name, None)
        raise
    code = SIGNALS.get(session.trainer.history.stopped or "", 0)
    score = None if code else session.trainer.evaluate(session.test)
    _save(place, recipe, splits, session, engine.name, score)
    _report(screen, session, score, place)
    if code:
        say(screen, f"to go on: the same command with --out {place} --resume")
    return code


def _go_on(screen: Console, session: Session, checkpoints: Checkpoints) -> None:
    if resume(session.trainer, checkpoints.path, checkpoints.facts):
        steps = len(session.trainer.history.steps)
        say(screen, f"resumed from {checkpoints.path} after {steps} steps\n")
    else:
        say(screen, f"there is no {checkpoints.path} yet; starting at the beginning\n")


def announce(screen: Console, recipe: Recipe, splits: Splits, session: Session, where: str) -> None:
    """Say what will be done, to what."""
    count = sum(p.numel() for p in session.model.parameters())
    say(screen, f"{recipe.model} ({count:,} parameters) {where}, seed {recipe.seed}")
    say(
        screen,
        f"{recipe.data}: {len(splits.train):,} images to train, {len(splits.test):,} to test "
        f"({recipe.split} split), {splits.form}",
    )
    say(
        screen,
        f"{recipe.epochs} epochs of {len(session.batches)} steps of {recipe.batch_size} images, "
        f"{recipe.optimizer}, learning rate {recipe.lr:g} ({recipe.schedule}), "
        f"shifts up to {recipe.shift} pixels{recipe.augment and f', {recipe.augment}'}\n",
    )


def _save(
    place: Path, recipe: Recipe, splits: Splits, session: Session, backend: str, score: Score | None
) -> None:
    save_weights(place / WEIGHTS, session.model, recipe, splits.classes)
    content = {
        "recipe": asdict(recipe),
        "backend": backend,
        "input": splits.form,
        "test": None if score is None else asdict(score),
        **curves(session.trainer.history),
        "machine": describe(),
    }
    save_json(place / RUN, content)


def _report(screen: Console, session: Session, score: Score | None, place: Path) -> None:
    history = session.trainer.history
    if history.stopped:
        say(screen, f"\nstopped after {len(history.steps)} steps: {history.stopped}")
    if score is not None:
        say(
            screen,
            f"\ntest: accuracy {percent(score.accuracy)}, loss {score.loss:.4f} "
            f"over {score.samples:,} images",
        )
    names = ", ".join((WEIGHTS, HISTORY, RUN, CHECKPOINT))
    say(screen, f"{place}: {names}")
