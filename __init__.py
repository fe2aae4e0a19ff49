"""etude: a deep-learning framework to read in a weekend and race against PyTorch.

>>> import etude
>>> x = etude.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from importlib import import_module

from . import backends
from .backends.precision import get_float32_matmul_precision, set_float32_matmul_precision
from .backends.threads import get_num_threads, set_num_threads
from .framework import errors, functional, nn, optim
from .framework.anomaly import AnomalyError, detect_anomaly
from .framework.autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .framework.creation import (
    arange,
    default_backend,
    empty,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    use_backend,
    zeros,
    zeros_like,
)
from .framework.dtypes import bool_ as bool
from .framework.dtypes import float32, float64, int32, int64
from .framework.functional import *  # noqa: F403
from .framework.gradcheck import gradcheck, gradgradcheck
from .framework.guard import guard_functions
from .framework.interchange import from_dlpack
from .framework.ops.sampling import Generator, get_rng_state, set_rng_state
from .framework.public import publish
from .framework.sweep import grad
from .framework.tensor import Tensor

LATE = {"compile": "compile", "load_program": "compile", "profile": "profiling"}
ON_DEMAND = (
    *("checkpoint", "data", "graph", "models"),
    *("training", "transfer", "visualize", "weights"),
)

guard_functions(globals(), __name__)
publish(("errors", "functional", "nn", "optim", *ON_DEMAND))


def __getattr__(name: str) -> object:
    """The parts that not every program needs, and `etude.__version__`: imported when wanted."""
    if name in ON_DEMAND:
        return import_module(f".framework.{name}", __name__)
    if name in LATE:
        return getattr(import_module(f".framework.{LATE[name]}", __name__), name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("etude")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "0.0.0"
