"""The CUDA backend over a device of a test's own: the simulator, or one that a test makes up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import etude
from etude.backends import registry


@contextmanager
def cuda_backend(device: Any = None) -> Iterator[Any]:
    """The name "cuda" means this backend inside, and nothing of it is left after."""
    pytest.importorskip("greenlet", reason="the simulator needs greenlet: etude[cudasim]")
    from etude.backends import cuda_runtime as runtime
    from etude.backends.cuda_backend import CudaBackend
    from etude.backends.cuda_simulated import Simulated
    from etude.kernels.cuda import toolchain

    with (
        pytest.MonkeyPatch.context() as patch,
        toolchain.simulated(races=False),
        runtime.on(device or Simulated()) as chosen,
    ):
        patch.setattr(runtime, "start", lambda chosen=chosen: chosen)
        engine = CudaBackend()
        get = registry.get
        patch.setattr(registry, "get", lambda name: engine if name == "cuda" else get(name))
        with etude.use_backend(engine):
            yield engine
