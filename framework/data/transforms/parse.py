"""Transforms from words, for the command line: "flip,rotate=15,noise=0.1"."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from ...errors import ArgumentError, fail, nearest
from .colour import RandomBrightness, RandomContrast
from .common import Compose, RandomApply, Transform
from .crop import RandomHorizontalFlip, RandomShift, RandomVerticalFlip
from .geometry import RandomRotation, RandomShear, RandomTranslate, RandomZoom
from .noise import Cutout, GaussianNoise, SaltAndPepper

# Word -> its number if none is given, and what it makes of a number and of what black became.
WORDS: dict[str, tuple[float, Callable[[float, float], Any]]] = {
    "flip": (0.5, lambda p, fill: RandomHorizontalFlip(p)),
    "vflip": (0.5, lambda p, fill: RandomVerticalFlip(p)),
    "shift": (2, lambda pixels, fill: RandomShift(int(pixels), fill)),
    "translate": (2.0, RandomTranslate),
    "rotate": (10.0, RandomRotation),
    "zoom": (0.1, RandomZoom),
    "shear": (10.0, RandomShear),
    "brightness": (0.2, lambda amount, fill: RandomBrightness(amount, shift=True)),
    "contrast": (0.2, lambda amount, fill: RandomContrast(amount)),
    "noise": (0.1, lambda std, fill: GaussianNoise(std)),
    "saltpepper": (0.02, lambda p, fill: SaltAndPepper(p, None, None)),
    "cutout": (4, lambda size, fill: RandomApply(Cutout(int(size), fill))),
}


def augmentation(words: str, background: float = 0.0) -> Transform:
    """Transforms in the order of the words, each `name` or `name=number`, for normalised images.

    Names: flip, vflip, shift, translate, rotate, zoom, shear, brightness, contrast, noise,
    saltpepper, cutout. `background` is what black became. Raises ArgumentError.
    """
    made = []
    for word in filter(None, (w.strip() for w in words.split(","))):
        name, _, text = word.partition("=")
        if name not in WORDS:
            why = f"no augmentation is called {name!r}; {nearest(name, WORDS)}"
            raise fail(ArgumentError, "augment", why)
        usual, make = WORDS[name]
        made.append(make(_number(word, text, usual), background))
    return Compose(*made)


def _number(word: str, text: str, usual: float) -> float:
    try:
        value = float(text) if text else usual
    except ValueError:
        value = -1.0
    if not (isfinite(value) and value >= 0.0):
        why = f"expected a number >= 0 after '=', got {word!r}; write it as in rotate=15"
        raise fail(ArgumentError, "augment", why)
    return value
