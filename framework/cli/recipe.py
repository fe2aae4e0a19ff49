"""A recipe: all that decides how a model is trained, so that every backend is given the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import data, models, nn, optim
from ..checks import choice
from ..creation import use_backend
from ..data.transforms import Compose, RandomShift, Transform, augmentation
from ..errors import ArgumentError, fail
from ..models.catalog import classifier
from ..ops.sampling import Generator, manual_seed
from ..training import Trainer

# Learning rates that suit the models and data sets here; sgd's is for its momentum of 0.9.
OPTIMIZERS: dict[str, tuple[Any, dict[str, float]]] = {
    "adam": (optim.Adam, {"lr": 0.002}),
    "adamw": (optim.AdamW, {"lr": 0.002}),
    "sgd": (optim.SGD, {"lr": 0.02, "momentum": 0.9}),
}
SCHEDULES = ("cosine", "constant")
EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """The choices of a training run; see the options of `etude train --help`."""

    model: str
    data: str
    split: str
    data_dir: str | None
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    schedule: str
    shift: int
    seed: int
    compile: bool = False
    augment: str = ""
    input: str = ""  # the images' shape, as in 3x64x64, if not the model's own


def make_recipe(
    *,
    optimizer: str,
    lr: float | None,
    split: str | None,
    schedule: str,
    size: tuple[int, ...] | None = None,
    **chosen: Any,
) -> Recipe:
    """Fill in what was not chosen. Raises ArgumentError for a name that does not exist."""
    classifier(chosen["model"], "train")
    splits = data.split_names(chosen["data"])
    choice("train", "optimizer", optimizer, OPTIMIZERS)
    choice("train", "schedule", schedule, SCHEDULES)
    augmentation(chosen.get("augment", ""))
    return Recipe(
        split=choice(chosen["data"], "split", splits[0] if split is None else split, splits),
        optimizer=optimizer,
        lr=OPTIMIZERS[optimizer][1]["lr"] if lr is None else lr,
        schedule=schedule,
        input="x".join(map(str, size or ())),
        **chosen,
    )


def load_data(recipe: Recipe) -> data.Splits:
    """The recipe's data in the form that its model takes."""
    shape = models.entry(recipe.model).input_shape
    if recipe.input:
        shape = tuple(map(int, recipe.input.split("x")))
    if len(shape) != 3:
        raise fail(
            ArgumentError,
            "data",
            f"expected images of three sizes (C, H, W), got {shape}; use such as 3,64,64",
        )
    channels, height, width = shape
    return data.load(
        recipe.data, recipe.split, recipe.seed, (channels, height, width), recipe.data_dir
    )


@dataclass(frozen=True)
class Session:
    """A model, ready to be trained on one backend."""

    model: nn.Module
    trainer: Trainer
    batches: data.DataLoader
    validation: data.DataLoader | None
    test: data.DataLoader


def prepare(
    recipe: Recipe, splits: data.Splits, backend: Any, held_out: float = 0.0, workers: int = 0
) -> Session:
    """Build the recipe's model, with the same weights on every backend, and what trains it.

    `held_out` is the part of the training data that is kept for validation; `workers` is how many
    processes make the batches, which are the same for any number.
    """
    training: data.Dataset = splits.train
    validation: data.Dataset | None = None
    if held_out:
        training, validation = _hold_out(splits.train, held_out, recipe.seed)
    batches = data.DataLoader(
        training,
        recipe.batch_size,
        True,
        seed=recipe.seed,
        transform=_changes(recipe, splits.background),
        backend=backend,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    manual_seed(recipe.seed)
    with use_backend(backend):
        model = models.create(recipe.model, num_classes=splits.classes)
    build, options = OPTIMIZERS[recipe.optimizer]
    optimizer = build(model.parameters(), **{**options, "lr": recipe.lr})
    schedule = None
    if recipe.schedule == "cosine":
        schedule = optim.CosineAnnealingLR(optimizer, recipe.epochs * len(batches))
    return Session(
        model,
        Trainer(model, optimizer, scheduler=schedule, compile=recipe.compile),
        batches,
        None if validation is None else _whole(validation, backend),
        _whole(splits.test, backend),
    )


def _changes(recipe: Recipe, background: float) -> Transform | None:
    """What is done to the training images of each batch."""
    shift = RandomShift(recipe.shift, background) if recipe.shift else None
    if not recipe.augment:
        return shift
    return Compose(*filter(None, [shift]), augmentation(recipe.augment, background))


def _whole(dataset: data.Dataset, backend: Any) -> data.DataLoader:
    return data.DataLoader(dataset, EVALUATION_BATCH, backend=backend)


def _hold_out(dataset: data.Dataset, part: float, seed: int) -> tuple[data.Subset, data.Subset]:
    rest, held = data.random_split(
        dataset, [1.0 - part, part], generator=Generator().manual_seed(seed)
    )
    if not len(held) or not len(rest):
        raise fail(
            ArgumentError,
            "train",
            f"expected some images to learn and some to watch, but a validation part of {part:g} "
            f"leaves {len(rest)} images to learn and {len(held)} to watch; use another part",
        )
    return rest, held
