"""Memory for arrays: freed memory kept for the next one, and starts at whole cache lines.

A training step makes and drops the same large arrays again and again. glibc gives such memory back
to the system at once and fetches it anew, and the first touch of each fetched page costs more than
the arithmetic: ten relus on 1 MB, one after the other, take 3.6 ms, or 0.7 ms on memory kept.
"""

from __future__ import annotations

import ctypes
import os
from math import prod
from typing import Any

import numpy as np

from .tier1 import Shape

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # mallopt's names for them, from malloc.h
LARGEST_FROM_HEAP = 32 << 20  # the most that glibc allows: larger arrays are always mapped
KEPT = 512 << 20  # free bytes at the top of the heap that are not given back


def keep_freed_memory() -> bool:
    """Ask malloc to keep up to 512 MB of freed memory; says whether it will.

    Not where malloc is not glibc's, nor where its own variables (MALLOC_TRIM_THRESHOLD_,
    MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES) show that somebody has decided already.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_FROM_HEAP) and mallopt(TRIM_THRESHOLD, KEPT))


LINE = 64  # bytes of a cache line, and of the widest vector
LARGE = 1 << 16  # bytes from which the 1 us that a start at a line costs is earned back


def room(shape: Shape, dtype: Any) -> Any:
    """np.empty, at a whole cache line if it is large.

    NumPy's arrays begin 16 bytes after one, as malloc's memory does; then every vector of 64 bytes
    lies across two lines. Three such arrays of 800 kB make a step of gradient descent 1.35 times
    as long, and one a product of 64x784x256 1.08 times.
    """
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    memory: Any = np.empty(size + LINE, np.int8)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))  # in 0.3 us
    return np.ndarray(shape, dtype, memory, -start % LINE)
