"""Making tensors, and choosing the backend they live on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

from etude.backends import registry
from etude.backends.base import Backend

from . import tensor as _tensor
from .dtypes import DEFAULT, DTYPES, as_dtype, check_fits, float64, int64, number_dtype
from .errors import ArgumentError, DTypeError, fail, nearest
from .guard import wrong_type
from .host import BY_FORMAT, from_data
from .shape import check_size

if TYPE_CHECKING:
    from .tensor import Tensor

preferred: ContextVar[Backend | None] = ContextVar("backend", default=None)


def as_backend(backend: Any = None) -> Backend:
    """A Backend from a name, a Backend, or None: `use_backend`'s, ETUDE_BACKEND's, or numpy."""
    if backend is None:
        backend = preferred.get() or os.environ.get("ETUDE_BACKEND") or "numpy"
    if isinstance(backend, Backend):
        return backend
    if not isinstance(backend, str):
        raise wrong_type("backend", "backend", Backend | str, backend)
    if backend not in registry.PATHS:
        chosen = backend == os.environ.get("ETUDE_BACKEND")
        raise fail(
            ArgumentError,
            "backend",
            f"expected the name of a backend{' in ETUDE_BACKEND' if chosen else ''}, "
            f"got {backend!r}; {nearest(backend, registry.PATHS)}",
        )
    return registry.get(backend)


@contextmanager
def use_backend(backend: Any) -> Iterator[Backend]:
    """Make a backend the default for tensors created inside the context."""
    chosen = as_backend(backend)
    token = preferred.set(chosen)
    try:
        yield chosen
    finally:
        preferred.reset(token)


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
        return _leaf("tensor", copy.to(kind or copy.dtype), requires_grad)
    engine = as_backend(backend)
    host, shape, natural = from_data(data)
    source = DTYPES[BY_FORMAT[host.format]] if host.format in BY_FORMAT else natural
    buffer = engine.from_host(host, shape, source)
    target = kind or natural
    if target is not source:
        buffer = engine.cast(buffer, target)
    return _leaf("tensor", _tensor.Tensor(buffer, shape, target, engine), requires_grad)


def _leaf(op: str, t: Tensor, requires_grad: bool) -> Tensor:
    """A new tensor, which wants a gradient if asked."""
    if requires_grad:
        if not t.dtype.is_floating_point:
            raise fail(
                DTypeError,
                op,
                f"expected a float dtype with requires_grad=True, got {t.dtype}; "
                "pass dtype=etude.float32 or leave requires_grad out",
            )
        t.requires_grad = True
    return t


def _constant(op: str, size: Any, value: Any, dtype: Any, backend: Any, wants: bool) -> Tensor:
    shape = check_size(op, size)
    kind = DEFAULT if dtype is None else as_dtype(dtype, op)
    check_fits(op, value, kind)
    engine = as_backend(backend)
    return _leaf(op, _tensor.Tensor(engine.full(shape, value, kind), shape, kind, engine), wants)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    backend: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with one number, of its dtype by default."""
    return _full("full", size, fill_value, dtype, backend, requires_grad)


def _full(op: str, size: Any, value: Any, dtype: Any, backend: Any, wants: bool) -> Tensor:
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # a 0-d tensor or a NumPy scalar
    if not isinstance(value, (int, float)):
        raise wrong_type(op, "fill_value", float, value)
    kind = number_dtype(value) if dtype is None else dtype
    shape = size if isinstance(size, (tuple, list)) else (size,)
    return _constant(op, shape, value, kind, backend, wants)


def zeros(
    *size: Any, dtype: Any = None, backend: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros, float32 by default."""
    return _constant("zeros", size, 0, dtype, backend, requires_grad)


def ones(*size: Any, dtype: Any = None, backend: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones, float32 by default."""
    return _constant("ones", size, 1, dtype, backend, requires_grad)


def empty(
    *size: Any, dtype: Any = None, backend: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor to be filled later; it holds zeros, so that nothing unspecified is ever read."""
    return _constant("empty", size, 0, dtype, backend, requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """A constant of the shape, dtype and backend of `input`."""
    kind = input.dtype if dtype is None else dtype
    return _full("full_like", input.shape, fill_value, kind, input.backend, False)


def zeros_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Zeros of the shape, dtype and backend of `input`."""
    kind = input.dtype if dtype is None else dtype
    return _constant("zeros_like", input.shape, 0, kind, input.backend, False)


def ones_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Ones of the shape, dtype and backend of `input`."""
    kind = input.dtype if dtype is None else dtype
    return _constant("ones_like", input.shape, 1, kind, input.backend, False)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    backend: Any = None,
) -> Tensor:
    """start, start + step, ... below end; int64 if all three are whole, else float32."""
    if end is None:
        start, end = 0, start
    if step == 0 or not all(isfinite(v) for v in (start, end, step)):
        raise fail(
            ArgumentError,
            "arange",
            f"expected finite bounds and a step other than 0, got start {start}, end {end} and "
            f"step {step}; use finite numbers, and a step of the sign of end - start",
        )
    whole = all(hasattr(v, "__index__") for v in (start, end, step))
    count = max(-((start - end) // step), 0) if whole else max(ceil((end - start) / step), 0)
    kind = int64 if whole else float64
    (count,) = check_size("arange", (count,))
    engine = as_backend(backend)
    places = engine.scan("cumsum", engine.full((count,), 1, int64), 0)
    values = engine.binary("mul", engine.cast(engine.binary("sub", places, 1), kind), step)
    values = engine.binary("add", values, start)
    t = _tensor.Tensor(values, (count,), kind, engine)
    natural = int64 if whole else DEFAULT
    return t.to(natural if dtype is None else as_dtype(dtype, "arange"))


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, backend: Any = None
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced."""
    (count,) = check_size("linspace", (steps,))
    gap = (end - start) / (count - 1) if count > 1 else 0.0
    values = [start + i * gap for i in range(count)]
    if count > 1:
        values[-1] = float(end)
    kind = as_dtype(DEFAULT if dtype is None else dtype, "linspace")
    return tensor(values, dtype=float64, backend=backend).to(kind)


def eye(n: int, m: int | None = None, *, dtype: Any = None, backend: Any = None) -> Tensor:
    """The (n, m) identity matrix."""
    height, width = check_size("eye", (n, n if m is None else m))
    rows, columns = arange(height, backend=backend), arange(width, backend=backend)
    same: Tensor = rows.unsqueeze(1) == columns
    return same.to(as_dtype(DEFAULT if dtype is None else dtype, "eye"))
