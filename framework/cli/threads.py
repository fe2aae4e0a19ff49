"""How many threads the backends may use.

The kernels of c and numba use all cores by default (backends/threads.py), NumPy's BLAS one. The
products of these models are small: with two free cores a second thread of BLAS gains LeNet-5 next
to nothing, and where another program wants a core too, it takes nine tenths of the speed away,
because those threads wait for each other by spinning. One thread also gives one result: BLAS adds
in an order that depends on their number.
"""

from __future__ import annotations

import os
import sys

from etude.backends.registry import set_num_threads

from .machine import BLAS_VARIABLES


def limit_threads(count: int | None) -> None:
    """Let kernels and BLAS use `count` threads; BLAS by default one, or what the environment says.

    BLAS reads this when NumPy is loaded, so it must not have been: in a process that has, nothing
    changes.
    """
    if count is not None:
        set_num_threads(count)
    chosen = any(os.environ.get(name) for name in ("OMP_NUM_THREADS", *BLAS_VARIABLES))
    if "numpy" in sys.modules or (count is None and chosen):
        return
    for name in BLAS_VARIABLES:
        os.environ[name] = str(count or 1)
