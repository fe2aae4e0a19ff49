"""Training: the loop, its callbacks, and the record of what happened."""

from .bptt import bptt
from .callbacks import Callback, CsvLog, EarlyStopping, TimeBudget
from .history import Epoch, History, Score, Step
from .search import LogUniform, Trial, Uniform, grid_search, random_search
from .survive import Checkpoints, resume, stop_on_signal
from .trainer import Trainer, evaluate

__all__ = [
    "Trainer", "evaluate", "Callback", "CsvLog", "EarlyStopping", "TimeBudget",
    "Checkpoints", "resume", "stop_on_signal",
    "bptt", "grid_search", "random_search", "Uniform", "LogUniform", "Trial",
    "History", "Step", "Epoch", "Score",
]  # fmt: skip
