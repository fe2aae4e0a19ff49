"""Cases of matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import INTEGERS, NUMBERS, Case, t


def linear(x: Any, w: Any, b: Any = 0.0) -> Any:
    return x @ np.swapaxes(w, -1, -2) + b


CASES = [
    Case("matmul", [t(3, 4), t(4, 5)], np.matmul, dtypes=NUMBERS),
    Case("matmul batched", [t(2, 3, 4), t(2, 4, 5)], np.matmul),
    Case("matmul broadcast", [t(2, 1, 3, 4), t(3, 4, 2)], np.matmul),
    Case("matmul matrix and batch", [t(3, 4), t(2, 4, 5)], np.matmul),
    Case("matmul vectors", [t(4), t(4)], np.matmul, dtypes=NUMBERS),
    Case("matmul matrix and vector", [t(2, 3, 4), t(4)], np.matmul),
    Case("matmul vector and matrix", [t(4), t(2, 4, 3)], np.matmul),
    Case("matmul of 1", [t(1, 1), t(1, 1)], np.matmul),
    Case("matmul over nothing", [t(3, 0), t(0, 5)], np.matmul),
    Case("matmul of no rows", [t(0, 4), t(4, 5)], np.matmul),
    Case("matmul no batch", [t(0, 3, 4), t(4, 5)], np.matmul),
    Case("matmul odd sizes", [t(17, 9), t(9, 13)], np.matmul),
    Case("matmul operator", [t(3, 4), t(4, 5)], "same", function=lambda a, b: a @ b),
    Case("matmul of transposes", [t(4, 3), t(5, 4)], "same", function=lambda a, b: a.T @ b.T),
    Case("matmul of two dtypes", [t(3, 4), t(4, 5, dtype="int64")], np.matmul, torch=None),
    Case("mm", [t(3, 4), t(4, 5)], np.matmul, dtypes=NUMBERS),
    Case("bmm", [t(2, 3, 4), t(2, 4, 5)], np.matmul),
    Case("mv", [t(3, 4), t(4)], np.matmul),
    Case("dot", [t(5), t(5)], np.dot, dtypes=NUMBERS),
    Case("dot of nothing", [t(0), t(0)], np.dot),
    Case("outer", [t(3), t(4)], np.outer, dtypes=NUMBERS),
    Case("linear", [t(3, 4), t(5, 4), t(5)], linear),
    Case("linear without bias", [t(3, 4), t(5, 4)], linear),
    Case("linear vector", [t(4), t(5, 4), t(5)], linear),
    Case("linear many axes", [t(2, 3, 4), t(5, 4), t(5)], linear),
    Case("linear no rows", [t(0, 4), t(5, 4), t(5)], linear),
    Case("linear of whole numbers", [t(3, 4), t(5, 4)], linear, dtypes=INTEGERS, grad=False),
]
