"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ..errors import ArgumentError, fail, nearest
from . import cifar as _cifar
from . import digits as _digits
from . import folder as _folder
from . import mnist as _mnist
from .splits import Splits

SETS: dict[str, tuple[ModuleType, Callable[..., Splits]]] = {
    "digits": (_digits, _digits.digits),
    "mnist": (_mnist, _mnist.mnist),
    "fashion-mnist": (_mnist, _mnist.fashion_mnist),
    "cifar10": (_cifar, _cifar.cifar10),
    "cifar100": (_cifar, _cifar.cifar100),
    "folder": (_folder, _folder.folder),
}
FROM_FILES = ("mnist", "fashion-mnist", "cifar10", "cifar100", "folder")


def split_names(name: str) -> tuple[str, ...]:
    """The ways a data set can be split, its default first. Raises ArgumentError for no such set."""
    if name not in SETS:
        raise fail(ArgumentError, "data", f"no data set is called {name!r}; {nearest(name, SETS)}")
    return tuple(SETS[name][0].SPLITS)


def load(
    name: str,
    split: str | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
    root: str | Path | None = None,
) -> Splits:
    """A data set by name, split and brought to a model's image shape (C, H, W).

    `root` is the folder of a set that is read from files; without it they are downloaded once into
    the folder that ETUDE_DATA names, or the user's cache. Raises ArgumentError for an unknown set
    or split, MissingLibrary, BadFile or DownloadError if the data cannot be had.
    """
    known = split_names(name)
    chosen = known[0] if split is None else split
    if chosen not in known:
        raise fail(
            ArgumentError,
            "data",
            f"{name} has no split called {chosen!r}; {nearest(chosen, known)}",
        )
    module, build = SETS[name]
    options = {"root": root} if root is not None and name in FROM_FILES else {}
    return build(chosen, seed, shape or module.IMAGE, **options)
