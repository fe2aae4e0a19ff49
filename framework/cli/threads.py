"""How many threads the matrix products may use.

One by default. The products of these models are small: with two free cores a second thread gains
LeNet-5 next to nothing, and where another program wants a core too, it takes nine tenths of the
speed away, because BLAS threads wait for each other by spinning. One thread also gives one result:
BLAS adds in an order that depends on their number.
"""

from __future__ import annotations

import os
import sys

from .machine import BLAS_VARIABLES, THREAD_VARIABLES


def limit_threads(count: int | None) -> None:
    """Let BLAS use `count` threads; by default one, or what the environment says.

    BLAS reads this when NumPy is loaded, so it must not have been: in a process that has, nothing
    changes.
    """
    chosen = any(os.environ.get(name) for name in THREAD_VARIABLES)
    if "numpy" in sys.modules or (count is None and chosen):
        return
    for name in BLAS_VARIABLES:
        os.environ[name] = str(count or 1)
