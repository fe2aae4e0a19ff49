"""Optimizers, schedules and clipping: what `torch.optim` is to torch."""

from ..checks import guard_constructors
from . import schedule as lr_scheduler
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .nesterov import Nesterov
from .noise import GradientNoise
from .optimizer import Optimizer
from .plateau import ReduceLROnPlateau
from .range_test import lr_range_test, try_rates
from .rmsprop import RMSprop
from .schedule import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
    StepLR,
)
from .schedule_decks import RestartFromBest, RobbinsMonroLR, TimeDecayLR
from .sgd import SGD
from .together import AllTogether

__all__ = [
    "lr_scheduler",
    "Adagrad",
    "Adam",
    "AdamW",
    "clip_grad_norm_",
    "clip_grad_value_",
    "Optimizer",
    "ReduceLROnPlateau",
    "RMSprop",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "LRScheduler",
    "MultiStepLR",
    "SequentialLR",
    "StepLR",
    "SGD",
    "AllTogether",
    "GradientNoise",
    "Nesterov",
    "RestartFromBest",
    "RobbinsMonroLR",
    "TimeDecayLR",
    "lr_range_test",
    "try_rates",
]

guard_constructors(
    globals(), Optimizer, LRScheduler, ReduceLROnPlateau, GradientNoise, RestartFromBest
)
