"""etude eval RUN: the score of saved weights."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from etude.backends.base import Backend

from .. import data, models, weights
from ..creation import as_backend, use_backend
from ..data import catalog
from ..errors import BadFile, fail
from ..nn import Module
from ..training import evaluate as score_of
from .recipe import Recipe, load_data
from .results import WEIGHTS
from .show import console, percent, say

LATER = ("compile", "augment", "input")  # what a recipe has had from a later version on


def evaluate(
    *, run: str, backend: str | None, batch_size: int, seed: int | None, **chosen: Any
) -> int:
    """Load, test and print; the exit code."""
    engine = as_backend(backend)
    path = weights_of(run)
    model, trained, _ = restore(path, engine)
    recipe = _asked_for(trained, seed, **chosen)
    splits = load_data(recipe)
    loader = data.DataLoader(splits.test, batch_size, backend=engine)
    score = score_of(model, loader)
    screen = console()
    say(screen, f"{recipe.model} from {path}, on {engine.name}")
    say(
        screen,
        f"{recipe.data}: {score.samples:,} test images ({recipe.split} split, seed {recipe.seed}), "
        f"{splits.form}",
    )
    if recipe.data == trained.data and (recipe.split, recipe.seed) != (trained.split, trained.seed):
        say(screen, f"note: it was trained on the {trained.split} split of seed {trained.seed}, "
            "so it has seen some of these images")  # fmt: skip
    say(screen, f"accuracy {percent(score.accuracy)}, loss {score.loss:.4f}")
    return 0


def weights_of(run: str) -> Path:
    """The weights' file of a run's folder, or the file itself."""
    return Path(run) / WEIGHTS if Path(run).is_dir() else Path(run)


def restore(path: Path, engine: Backend) -> tuple[Module, Recipe, int]:
    """A trained model on a backend, the recipe that it was trained by, and its classes."""
    trained, classes = _about(path)
    with use_backend(engine):
        model = models.create(trained.model, num_classes=classes)
        model.load_state_dict(weights.load(path))
    return model, trained, classes


def _about(path: Path) -> tuple[Recipe, int]:
    """The recipe that the weights were trained by, and the number of classes."""
    metadata = weights.load_metadata(path)
    try:
        about = json.loads(metadata["etude"])
        recipe = about["recipe"]
        facts = {f.name: recipe[f.name] for f in fields(Recipe) if f.name not in LATER}
        facts["input"] = recipe.get("input", "")
        return Recipe(**facts), int(about["num_classes"])
    except (KeyError, TypeError, ValueError):
        raise fail(
            BadFile,
            "eval",
            f"expected weights of etude train, but {path} does not say which model it holds; "
            "train again with --out",
        ) from None


def _asked_for(
    trained: Recipe, seed: int | None, data: str | None, data_dir: str | None, split: str | None
) -> Recipe:
    recipe = replace(trained, data=data or trained.data, data_dir=data_dir or trained.data_dir)
    if split is not None or data is not None:
        recipe = replace(recipe, split=split or catalog.split_names(recipe.data)[0])
    return recipe if seed is None else replace(recipe, seed=seed)
