"""How many threads the backends with threads of their own (c, numba) use.

By default all cores that the process may use; ETUDE_NUM_THREADS says otherwise. NumPy's products
run on the threads of its BLAS library, which reads its own variable when it is loaded.
"""

from __future__ import annotations

import os

_chosen: int | None = None


def get_num_threads() -> int:
    """Threads of a parallel kernel: `set_num_threads`'s number, ETUDE_NUM_THREADS, or all cores.

    Raises ImportError where ETUDE_NUM_THREADS is no whole number from 1.
    """
    if _chosen is not None:
        return _chosen
    text = os.environ.get("ETUDE_NUM_THREADS")
    if text is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise ImportError(f"ETUDE_NUM_THREADS={text}: expected a whole number from 1")
    return int(text)


def set_num_threads(threads: int) -> None:
    """Let parallel kernels of all backends use `threads` threads, from now on.

    Results do not depend on it. Raises ValueError for a number below 1, TypeError for no integer.
    """
    global _chosen
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise TypeError(f"[set_num_threads] expected an int, got {threads!r}")
    if threads < 1:
        raise ValueError(f"[set_num_threads] expected at least 1 thread, got {threads}")
    from .registry import loaded

    _chosen = threads
    for backend in loaded():
        backend.set_threads(threads)
