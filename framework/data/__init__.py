"""Data: datasets, loaders, transforms, and the data sets that etude knows by name."""

from .catalog import SETS, load, split_names
from .dataset import Dataset, Subset, TensorDataset, random_split
from .digits import digits
from .loader import DataLoader
from .mnist import mnist
from .splits import Splits
from .worker_process import WorkerError

__all__ = [
    "Dataset", "TensorDataset", "Subset", "random_split", "DataLoader", "WorkerError",
    "SETS", "Splits", "load", "split_names", "digits", "mnist",
]  # fmt: skip
