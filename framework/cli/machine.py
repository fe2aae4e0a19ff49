"""What etude runs on: read from the system, importing no optional library."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from etude.backends import registry

CUDA = ("numba-cuda", "greenlet")
OPTIONAL = ("numba", *CUDA, "scikit-learn", "safetensors", "matplotlib", "click", "rich", "torch")
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
THREAD_VARIABLES = ("ETUDE_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", *BLAS_VARIABLES)


def installed(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def cpu_name() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas() -> str:
    """The BLAS library that NumPy's products run on."""
    import numpy

    config: Any = numpy.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()


def describe() -> dict[str, Any]:
    """All of it, as plain data."""
    return {
        "etude": installed("etude"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": cores(),
        "numpy": installed("numpy"),
        "blas": blas(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "backends": registry.available(),
        "optional": {name: installed(name) for name in OPTIONAL},
    }
