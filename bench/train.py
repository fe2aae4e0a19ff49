"""Training on digits until the test accuracy is reached: images a second, and seconds.

The runs are those of `etude compare`: the same weights, batches and rate on every backend, so all
need the same number of steps, and the seconds compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etude.framework.cli.recipe import Recipe, load_data, make_recipe, prepare
from etude.framework.errors import MissingLibrary
from etude.framework.training import Callback, Epoch, Trainer

from .options import Options
from .report import Table

MODELS = ("mlp", "lenet5")
ACCURACY = 0.95
EPOCHS = 10  # at most
CHOICES = {"data": "digits", "data_dir": None, "epochs": EPOCHS, "batch_size": 64, "seed": 0}
COLUMNS = [
    "model",
    "backend",
    "epochs",
    "accuracy",
    "images/s",
    "seconds",
    "first step",
    "numpy/this",
]


class Until(Callback):
    """Stop at the end of the epoch in which the test accuracy is reached."""

    def __init__(self, test: Any) -> None:
        self.test, self.accuracy = test, 0.0

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        self.accuracy = float(trainer.evaluate(self.test).accuracy or 0.0)
        if self.accuracy >= ACCURACY:
            trainer.stop(f"the accuracy is {self.accuracy:.3f}")


def run(options: Options) -> Iterator[Table]:
    """One table, a row for each model and backend. The python backend would take hours."""
    table = Table(f"Training on digits to a test accuracy of {ACCURACY:.0%}, batch 64", COLUMNS)
    try:
        for model in MODELS:
            if options.wants(model):
                _add(table, model, options)
    except MissingLibrary as error:
        table.remarks.append(f"left out: {error}")
    except KeyboardInterrupt:
        yield table
        raise
    yield table


def _add(table: Table, model: str, options: Options) -> None:
    recipe = make_recipe(
        model=model, optimizer="adam", lr=None, split=None, schedule="constant", shift=0, **CHOICES
    )
    splits = load_data(recipe)
    records = []
    for backend in options.backends:
        if backend != "python":
            options.say(f"{model} on {backend}")
            records.append(record(recipe, splits, backend))
            options.tell(
                f"{model}: {backend} {records[-1]['seconds']:.2f} s to "
                f"{records[-1]['accuracy']:.3f}, {records[-1]['images_per_second']:.0f} images/s"
            )
    base = next((r["seconds"] for r in records if r["by"] == "etude numpy"), None)
    for found in records:
        found["ratios"] = {} if base is None else {"etude numpy": base / found["seconds"]}
        shown = ("epochs", "accuracy", "images_per_second", "seconds", "first")
        ratio = found["ratios"].get("etude numpy")
        name = found["by"].removeprefix("etude ")
        table.rows.append([model, name, *(found[key] for key in shown), ratio])
    table.records += records


def record(recipe: Recipe, splits: Any, backend: str) -> dict[str, Any]:
    """One run. `seconds` are those of all steps but the first's extra; `first` is that extra."""
    session = prepare(recipe, splits, backend)
    until = Until(session.test)
    session.trainer.callbacks.append(until)
    history = session.trainer.fit(session.batches, recipe.epochs)
    return {
        "case": f"train {recipe.model}",
        "family": "train",
        "by": f"etude {backend}",
        "epochs": len(history.epochs),
        "accuracy": until.accuracy,
        "images_per_second": history.images_per_second or 0.0,
        "seconds": sum(step.seconds for step in history.steps) - history.warm_up,
        "first": history.warm_up,
        "reached": until.accuracy >= ACCURACY,
    }
