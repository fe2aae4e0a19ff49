"""Making tensors, and choosing the backend they live on."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from typing import TYPE_CHECKING, Any

from etude.backends import registry
from etude.backends.base import Backend

from . import tensor as _tensor
from .dtypes import DEFAULT, as_dtype, float64, int64, number_dtype
from .errors import ArgumentError, fail
from .host import from_data
from .shape import check_size

if TYPE_CHECKING:
    from .tensor import Tensor

_default: ContextVar[Backend | None] = ContextVar("backend", default=None)


def as_backend(backend: Any = None) -> Backend:
    """A Backend from a name, a Backend, or None: `use_backend`'s, ETUDE_BACKEND's, or numpy."""
    chosen = _default.get() if backend is None else backend
    if isinstance(chosen, Backend):
        return chosen
    try:
        return registry.get(chosen or os.environ.get("ETUDE_BACKEND") or "numpy")
    except ValueError as error:
        raise ArgumentError(str(error)) from None


@contextmanager
def use_backend(backend: Any) -> Iterator[Backend]:
    """Make a backend the default for tensors created inside the context."""
    chosen = as_backend(backend)
    token = _default.set(chosen)
    try:
        yield chosen
    finally:
        _default.reset(token)


def default_backend() -> str:
    """The name of the backend that new tensors are created on."""
    return as_backend().name


def tensor(
    data: Any, dtype: Any = None, requires_grad: bool = False, backend: Any = None
) -> Tensor:
    """A new tensor from a number, nested lists, a NumPy array or any buffer, or another tensor.

    Python floats become float32 and ints int64 unless `dtype` says otherwise; arrays keep theirs
    (8- and 16-bit numbers widen to int32, half precision to float32). The data is copied.
    """
    kind = None if dtype is None else as_dtype(dtype, "tensor")
    if isinstance(data, _tensor.Tensor):
        engine = data.backend if backend is None else as_backend(backend)
        copy = data.detach().clone().to(engine)
        return copy.to(kind or copy.dtype).requires_grad_(requires_grad)
    engine = as_backend(backend)
    host, shape, natural = from_data(data)
    source = float64 if host.format == "d" else natural
    buffer = engine.from_host(host, shape, source)
    target = kind or natural
    if target is not source:
        buffer = engine.cast(buffer, target)
    return _tensor.Tensor(buffer, shape, target, engine).requires_grad_(requires_grad)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    backend: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with one number, of its dtype by default."""
    shape = check_size("full", (size,) if isinstance(size, int) else (tuple(size),))
    kind = number_dtype(fill_value) if dtype is None else as_dtype(dtype, "full")
    engine = as_backend(backend)
    buffer = engine.full(shape, fill_value, kind)
    return _tensor.Tensor(buffer, shape, kind, engine).requires_grad_(requires_grad)


def zeros(
    *size: Any, dtype: Any = None, backend: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros, float32 by default."""
    return full(
        check_size("zeros", size),
        0.0,
        dtype=dtype or DEFAULT,
        backend=backend,
        requires_grad=requires_grad,
    )


def ones(*size: Any, dtype: Any = None, backend: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones, float32 by default."""
    return full(
        check_size("ones", size),
        1.0,
        dtype=dtype or DEFAULT,
        backend=backend,
        requires_grad=requires_grad,
    )


def empty(
    *size: Any, dtype: Any = None, backend: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor to be filled later; it holds zeros, so that nothing unspecified is ever read."""
    return zeros(*size, dtype=dtype, backend=backend, requires_grad=requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """A constant of the shape, dtype and backend of `input`."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, backend=input.backend)


def zeros_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Zeros of the shape, dtype and backend of `input`."""
    return full_like(input, 0, dtype=dtype)


def ones_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Ones of the shape, dtype and backend of `input`."""
    return full_like(input, 1, dtype=dtype)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, backend: Any = None
) -> Tensor:
    """start, start + step, ... below end; int64 if all three are whole, else float32."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise fail(ArgumentError, "arange", "expected a step other than 0")
    whole = all(isinstance(v, int) for v in (start, end, step))
    if whole:
        values = array("q", range(start, end, step))
    else:
        values = array("d", (start + i * step for i in range(max(ceil((end - start) / step), 0))))
    engine = as_backend(backend)
    source = int64 if whole else float64
    t = _tensor.Tensor(
        engine.from_host(memoryview(values), (len(values),), source), (len(values),), source, engine
    )
    return t.to(dtype or (int64 if whole else DEFAULT))


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, backend: Any = None
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced."""
    if steps < 0:
        raise fail(ArgumentError, "linspace", f"expected steps >= 0, got {steps}")
    gap = (end - start) / (steps - 1) if steps > 1 else 0.0
    values = [start + i * gap for i in range(steps)]
    if steps > 1:
        values[-1] = float(end)
    return tensor(values, dtype=float64, backend=backend).to(dtype or DEFAULT)


def eye(n: int, m: int | None = None, *, dtype: Any = None, backend: Any = None) -> Tensor:
    """The (n, m) identity matrix."""
    rows, columns = arange(n, backend=backend), arange(n if m is None else m, backend=backend)
    same: Tensor = rows.unsqueeze(1) == columns
    return same.to(dtype or DEFAULT)
