"""etude train MODEL: one model, one backend."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ..creation import as_backend
from ..data import Splits
from ..errors import NonFiniteLoss
from ..training import CsvLog, EarlyStopping, Score
from .machine import describe
from .progress import progress
from .recipe import Recipe, Session, load_data, make_recipe, prepare
from .results import HISTORY, RUN, WEIGHTS, curves, folder, save_json, save_weights
from .show import console, percent, say


def train(
    *, backend: str | None, validation: float, patience: int | None, out: str | None, **chosen: Any
) -> int:
    """Train, test and save; the exit code. What was done is saved however training ends."""
    recipe = make_recipe(**chosen)
    engine = as_backend(backend)
    if patience is not None and not validation:
        validation = 0.1
    splits = load_data(recipe)
    session = prepare(recipe, splits, engine, validation)
    place = folder(out, "train", recipe.model, recipe.data, engine.name)
    screen = console()
    announce(screen, recipe, splits, session, f"on {engine.name}")
    if patience is not None:
        session.trainer.callbacks.append(EarlyStopping(patience))
    session.trainer.callbacks += [CsvLog(place / HISTORY), progress(screen, engine.name)]
    try:
        session.trainer.fit(session.batches, recipe.epochs, session.validation)
        code = 0
    except KeyboardInterrupt:
        session.trainer.stop("Ctrl-C")
        code = 130
    except NonFiniteLoss:
        _save(place, recipe, splits, session, engine.name, None)
        raise
    score = None if code else session.trainer.evaluate(session.test)
    _save(place, recipe, splits, session, engine.name, score)
    _report(screen, session, score, place)
    return code


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
        f"shifts up to {recipe.shift} pixels\n",
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
    names = ", ".join((WEIGHTS, HISTORY, RUN))
    say(screen, f"{place}: {names}")
