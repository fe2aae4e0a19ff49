"""Datasets and transforms for loader workers, in a module because workers import them by name."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import etude
from etude.framework.data import DataLoader, Dataset, TensorDataset
from etude.framework.errors import ShapeError


@dataclass
class Numbers(Dataset):
    """0 ... n - 1, on the default backend; appends the first number of each batch to a file."""

    n: int
    log: Path | None = None

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[etude.Tensor, ...]:
        return (etude.tensor(index),)

    def batch(self, indices: Sequence[int]) -> tuple[etude.Tensor, ...]:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{indices[0]}\n")
        return super().batch(indices)


class Noise(Dataset):
    """Samples that are drawn when they are asked for."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> tuple[etude.Tensor, ...]:
        return etude.rand(3), etude.tensor(index)


class TwoPart(Exception):
    """An exception that pickle cannot make again."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class Nested(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[etude.Tensor, ...]:
        return next(iter(DataLoader(TensorDataset(etude.arange(2)), num_workers=1)))


@dataclass(frozen=True)
class Trouble:
    """Does what it is called when the batch begins with the number `at`."""

    what: str
    at: int

    def __call__(self, x: etude.Tensor, generator: Any) -> etude.Tensor:
        if x[0].item() == self.at:
            getattr(self, self.what)()
        return x

    def shape_error(self) -> None:
        raise ShapeError("[here] a bad shape")

    def key_error(self) -> None:
        raise KeyError("lost")

    def two_part(self) -> None:
        raise TwoPart("one", "two")

    def exit(self) -> None:
        os._exit(3)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(self) -> None:
        time.sleep(600)


def facts(x: etude.Tensor, generator: Any) -> etude.Tensor:
    """The worker's process number and its thread limit, in place of the batch."""
    return etude.tensor([os.getpid(), int(os.environ.get("OMP_NUM_THREADS", "0"))])


def numpy_draws(x: etude.Tensor, generator: Any) -> etude.Tensor:
    """Numbers that do not come from etude."""
    import numpy as np

    return etude.tensor([np.random.rand(), random.random()], dtype=etude.float64)


def set_a_mark(number: int) -> None:
    os.environ["ETUDE_TEST_MARK"] = str(number + 10)


def mark(x: etude.Tensor, generator: Any) -> etude.Tensor:
    return etude.tensor(int(os.environ["ETUDE_TEST_MARK"]))


def fail_at_once(number: int) -> None:
    raise OSError(f"no disk for {number}")
