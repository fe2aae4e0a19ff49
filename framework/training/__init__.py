"""Training: the loop, its callbacks, and the record of what happened."""

from .callbacks import Callback, CsvLog, EarlyStopping, TimeBudget
from .history import Epoch, History, Score, Step
from .survive import Checkpoints, resume, stop_on_signal
from .trainer import Trainer, evaluate

__all__ = [
    "Trainer", "evaluate", "Callback", "CsvLog", "EarlyStopping", "TimeBudget",
    "Checkpoints", "resume", "stop_on_signal",
    "History", "Step", "Epoch", "Score",
]  # fmt: skip
