"""Numbers reach kernels as their signatures have them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from etude.kernels.cuda import plan


def test_numbers_are_those_of_the_signature() -> None:
    for kind, numbers in plan.NUMBERS.items():
        for value in (0, 1, True, np.int64(1)):
            number = numbers[value]
            assert (number.dtype, number) == (np.dtype(numbers.type), value), kind
    wide = plan.NUMBERS["float32"]
    assert wide[0.1] is wide[0.1] == np.float32(0.1)
    assert np.signbit([wide[z] for z in (0.0, -0.0, 0, 0.0, -0.0)]).tolist() == [0, 1, 0, 0, 1]
    largest = np.finfo(np.float32).max
    assert [wide[1e300], wide[-3.5e38], wide[float(largest)]] == [np.inf, -np.inf, largest]
    assert np.isnan(wide[float("nan")])
    assert plan.NUMBERS["uint64"][2**64 - 1] == 2**64 - 1
    for kind, value in (("int32", 2**31), ("uint32", -1), ("int64", 2**63), ("uint64", -1)):
        with pytest.raises(struct.error):
            plan.NUMBERS[kind][value]


def test_few_numbers_are_kept() -> None:
    few = plan.Numbers("int64")
    for i in range(plan.MOST + 10):
        assert few[i] == i
    assert len(few) == 10
