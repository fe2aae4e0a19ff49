"""Data: datasets, loaders, transforms, and the data sets that etude knows by name."""

from . import transforms
from .archive import unpack
from .catalog import SETS, load, split_names
from .cifar import cifar10, cifar100
from .dataset import Dataset, Subset, TensorDataset, random_split
from .digits import digits
from .download import Resource, cache_folder, fetch
from .folder import ImageFolder
from .folds import k_fold, train_validation_test
from .loader import DataLoader
from .mixing import MixUp, Transformed
from .mnist import fashion_mnist, mnist
from .pickles import load_pickle
from .sampling import curriculum_indices, sample_indices
from .splits import Splits
from .synthetic import (
    synthetic_characters,
    synthetic_echo,
    synthetic_pairs,
    synthetic_recall,
    synthetic_shapes,
    synthetic_sines,
    synthetic_strokes,
    synthetic_tags,
    synthetic_text,
)
from .worker_process import WorkerError

__all__ = [
    "Dataset", "TensorDataset", "Subset", "Transformed", "MixUp", "random_split",
    "sample_indices", "curriculum_indices",
    "train_validation_test", "k_fold", "DataLoader", "WorkerError", "transforms",
    "SETS", "Splits", "load", "split_names", "digits", "mnist", "fashion_mnist", "cifar10",
    "cifar100", "Resource", "cache_folder", "fetch", "unpack", "load_pickle", "ImageFolder",
    "synthetic_shapes", "synthetic_strokes", "synthetic_pairs", "synthetic_sines", "synthetic_echo",
    "synthetic_recall", "synthetic_text", "synthetic_characters", "synthetic_tags",
]  # fmt: skip
