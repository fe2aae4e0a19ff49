"""The functions of vmath.py under one name for both float types: the argument's type chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from . import vmath


def chosen(name: str) -> Any:
    """A function that kernels may call with float32 or float64."""

    def function(x):
        raise NotImplementedError

    @overload(function)
    def choose(x):
        f = vmath.functions(np.float32 if x == types.float32 else np.float64)[name]
        return lambda x: f(x)

    return function


exp, log, tanh, sigmoid, gelu = map(chosen, ("exp", "log", "tanh", "sigmoid", "gelu"))
