"""The Numba backend: kernels in Python (kernels/numba_cpu), compiled when first used, on all cores.

Buffers are C-contiguous ndarrays, large ones from kept memory; NumPy computes nothing. This file
holds memory and threads; the rest is in the files numba_<family>.py.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..kernels.numba_cpu import launch, toolchain
from .base import Backend
from .numba_conv import NumbaConv
from .numba_elementwise import NumbaElementwise
from .numba_fused import NumbaFused
from .numba_layout import NumbaLayout
from .numba_linear_optim import NumbaLinearOptim
from .numba_memory import POOL, empty
from .numba_norm import NumbaNorm
from .numba_pool import NumbaPool
from .numba_random import NumbaRandom
from .numba_recurrent import NumbaRecurrent
from .numba_reduce import NumbaReduce
from .numba_softmax import NumbaSoftmax
from .numpy_memory import keep_freed_memory
from .tier1 import Buffer, Number, Shape


class NumbaBackend(
    NumbaElementwise,
    NumbaFused,
    NumbaReduce,
    NumbaLayout,
    NumbaRandom,
    NumbaLinearOptim,
    NumbaConv,
    NumbaPool,
    NumbaNorm,
    NumbaSoftmax,
    NumbaRecurrent,
    Backend,
):
    name = "numba"

    def __init__(self) -> None:
        keep_freed_memory()
        launch.prepare()
        self.few = toolchain.parallel_from()

    @property
    def compile_seconds(self) -> float:
        return toolchain.compilations().seconds

    def set_threads(self, threads: int) -> None:
        toolchain.set_threads(threads)
        self.few = toolchain.parallel_from()

    def release_memory(self) -> None:
        POOL.release()

    # memory -------------------------------------------------------------------------------------
    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        y = empty(shape, dtype)
        np.copyto(y, _view(data, shape, dtype))
        return y

    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        if data.readonly:  # kernels would be compiled once more for arrays that are
            return self.from_host(data, shape, dtype)
        return _view(data, shape, dtype)

    def to_host(self, x: Buffer) -> memoryview:
        return memoryview(x.reshape(-1)).toreadonly()

    def dtype(self, x: Buffer) -> str:
        return str(x.dtype)

    def empty(self, shape: Shape, dtype: str) -> Buffer:
        return empty(shape, dtype)

    def full(self, shape: Shape, value: Number, dtype: str, out: Buffer = None) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        y.fill(value)
        return y

    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        return x.reshape(shape)

    def arena(self, size: int) -> Any:
        return empty((size,), "bool")

    def in_arena(self, arena: Any, offset: int, shape: Shape, dtype: str) -> Buffer:
        return np.ndarray(shape, dtype, arena, offset)


def _view(data: memoryview, shape: Shape, dtype: str) -> Buffer:
    if prod(shape) == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape)
