"""Changes to a batch of images (N, C, H, W), made of etude's own operations: one result everywhere.

Each is called with the batch and, if it draws random numbers, a generator; a DataLoader takes one
as `transform`. Every image of a batch gets numbers of its own.
"""

from .basic import Normalize, Pad, Resize
from .colour import Lighting, RandomBrightness, RandomContrast, RandomSaturation
from .common import Compose, RandomApply, Transform
from .crop import (
    CenterCrop,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomShift,
    RandomVerticalFlip,
)
from .geometry import RandomAffine, RandomRotation, RandomShear, RandomTranslate, RandomZoom, affine
from .noise import Cutout, GaussianNoise, SaltAndPepper
from .parse import augmentation
from .views import average_predictions, five_crop, googlenet_views, ten_crop

__all__ = [
    "Transform", "Compose", "RandomApply", "Normalize", "Resize", "Pad",
    "CenterCrop", "RandomCrop", "RandomResizedCrop", "RandomShift",
    "RandomFlip", "RandomHorizontalFlip", "RandomVerticalFlip",
    "affine", "RandomAffine", "RandomRotation", "RandomZoom", "RandomTranslate", "RandomShear",
    "RandomBrightness", "RandomContrast", "RandomSaturation", "Lighting",
    "GaussianNoise", "SaltAndPepper", "Cutout", "augmentation",
    "five_crop", "ten_crop", "googlenet_views", "average_predictions",
]  # fmt: skip
