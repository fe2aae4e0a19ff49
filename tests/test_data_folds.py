"""Parts of a dataset."""

from __future__ import annotations

from typing import Any

import pytest

import etude
from etude.framework.data import TensorDataset, k_fold, train_validation_test
from etude.framework.errors import ArgumentError
from etude.framework.ops.sampling import Generator

DATA = TensorDataset(etude.arange(200))


def test_seventy_to_thirty_and_thirty_of_the_first_to_validate() -> None:
    parts = train_validation_test(DATA, generator=Generator(1))
    assert [len(p) for p in parts] == [98, 42, 60]
    assert sorted(i for p in parts for i in p.indices) == list(range(200))
    train, none, test = train_validation_test(DATA, validation=0.0)
    assert (len(train), len(none), len(test)) == (140, 0, 60)
    again = train_validation_test(DATA, generator=Generator(1))
    assert [p.indices for p in parts] == [p.indices for p in again]


@pytest.mark.parametrize("k", [2, 3, 7, 200])
def test_each_sample_validates_once_and_trains_otherwise(k: int) -> None:
    folds = k_fold(DATA, k, Generator(0))
    assert len(folds) == k
    assert sorted(i for _, watch in folds for i in watch.indices) == list(range(200))
    for learn, watch in folds:
        assert sorted(learn.indices + watch.indices) == list(range(200))
        assert len(watch) in (200 // k, -(-200 // k))


@pytest.mark.parametrize("call, message", [
    (lambda: k_fold(DATA, 1), r"k of 2 \.\.\. 200, the number of samples, got 1"),
    (lambda: k_fold(DATA, 201), "got 201; use 5 or 10"),
    (lambda: train_validation_test(DATA, test=1.0), "got 1.0; use 0.3"),
    (lambda: train_validation_test(DATA, validation=-0.1), "got -0.1"),
])  # fmt: skip
def test_what_is_wrong_is_said(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
