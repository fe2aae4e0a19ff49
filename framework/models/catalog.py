"""Models by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from .. import nn
from ..errors import ArgumentError, fail, nearest
from .lenet import LeNet5
from .mlp import mlp
from .resnet import resnet20
from .vgg import VGG11


@dataclass(frozen=True)
class Entry:
    """How to build a model, and the images (C, H, W) that it takes when built without options."""

    build: Callable[..., nn.Module]
    input_shape: tuple[int, int, int]


MODELS = {
    "mlp": Entry(mlp, (1, 28, 28)),
    "lenet5": Entry(LeNet5, (1, 32, 32)),
    "resnet20": Entry(resnet20, (3, 32, 32)),
    "vgg11": Entry(VGG11, (3, 32, 32)),
}


def entry(name: str) -> Entry:
    """What is known about a model. Raises ArgumentError, naming the nearest, if there is none."""
    if name not in MODELS:
        raise fail(ArgumentError, "models", f"no model is called {name!r}; {nearest(name, MODELS)}")
    return MODELS[name]


def create(name: str, **options: Any) -> nn.Module:
    """Build a model by name, with new weights on the default backend.

    `create("lenet5", num_classes=26)`. Raises ArgumentError for an unknown name or option.
    """
    build = entry(name).build
    known = signature(build).parameters
    for option in options:
        if option not in known:
            raise fail(ArgumentError, name, f"has no option {option!r}; {nearest(option, known)}")
    return build(**options)
