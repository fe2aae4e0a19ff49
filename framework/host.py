"""Values between Python, NumPy and a backend's host form, by the buffer protocol alone."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Shape

from .dtypes import DTYPES, DType, bool_, float32, int32, int64
from .errors import ArgumentError, DTypeError, ShapeError, fail

if TYPE_CHECKING:
    from .tensor import Tensor

WIDEN = {"int8": int32, "uint8": int32, "int16": int32, "uint16": int32, "float16": float32}


def nested_list(values: memoryview, shape: Shape) -> Any:
    """Flat values as nested lists of the given shape."""
    flat: list[Any] = values.tolist() if prod(shape) else []
    if not shape:
        return flat[0]
    for n in shape[:0:-1]:
        count = len(flat) // n if n else 0
        flat = [flat[i * n : (i + 1) * n] for i in range(count)]
    if prod(shape) == 0:
        return _empty_list(shape)
    return flat


def _empty_list(shape: Shape) -> list[Any]:
    return [_empty_list(shape[1:]) for _ in range(shape[0])] if len(shape) > 1 else []


def numpy_view(t: Tensor) -> Any:
    """A read-only NumPy array over the tensor's host memory."""
    import numpy as np

    if prod(t.shape) == 0:
        return np.empty(t.shape, str(t.dtype))
    return np.frombuffer(t.backend.to_host(t.buffer), str(t.dtype)).reshape(t.shape)


def from_data(data: Any) -> tuple[memoryview[Any], Shape, DType]:
    """Host memory, shape and dtype of a number, nested sequence, or object with a buffer."""
    if type(data) in (bool, int, float):  # a NumPy float64 is a float, but keeps its dtype
        return _from_flat([data], ())
    if isinstance(data, (list, tuple)):
        shape = _shape_of(data)
        flat: list[Any] = []
        _flatten(data, shape, flat)
        return _from_flat(flat, shape)
    return _from_buffer(data)


def _shape_of(data: Any) -> Shape:
    shape = []
    while isinstance(data, (list, tuple)):
        shape.append(len(data))
        if not data:
            break
        data = data[0]
    return tuple(shape)


def _flatten(data: Any, shape: Shape, out: list[Any]) -> None:
    if not shape:
        if isinstance(data, (list, tuple)):
            raise _ragged(shape, len(data))
        out.append(data.item() if hasattr(data, "item") else data)
        return
    if not isinstance(data, (list, tuple)) or len(data) != shape[0]:
        raise _ragged(shape, len(data) if isinstance(data, (list, tuple)) else 0)
    for part in data:
        _flatten(part, shape[1:], out)


def _ragged(shape: Shape, got: int) -> ShapeError:
    want = shape[0] if shape else "a number"
    return ShapeError(
        f"[tensor] the nested lists are ragged: expected {want} elements, as in the first "
        f"row, got {got}; pad the rows to one length"
    )


def _from_flat(flat: Sequence[Any], shape: Shape) -> tuple[memoryview[Any], Shape, DType]:
    kinds = {type(v) for v in flat}
    if not kinds <= {bool, int, float}:
        bad = next(k for k in kinds if k not in (bool, int, float))
        raise fail(
            DTypeError,
            "tensor",
            f"expected numbers, got a {bad.__name__}; convert the values to float, int or bool",
        )
    if kinds == {bool}:
        return memoryview(bytes(flat)).cast("?"), shape, bool_
    if float in kinds or not kinds:
        return memoryview(array("d", flat)), shape, float32
    try:
        return memoryview(array("q", flat)), shape, int64
    except OverflowError:
        raise fail(
            ArgumentError, "tensor", "a whole number does not fit int64; use floats"
        ) from None


def _from_buffer(data: Any) -> tuple[memoryview[Any], Shape, DType]:
    name = str(getattr(data, "dtype", ""))
    if name in WIDEN or name.startswith((">", "<")):
        data = data.astype(
            WIDEN.get(
                name,
                name.lstrip("><")
                .replace("f4", "float32")
                .replace("f8", "float64")
                .replace("i4", "int32")
                .replace("i8", "int64"),
            )
        )
    try:
        view = memoryview(data)
    except (TypeError, ValueError, BufferError):
        raise fail(
            DTypeError,
            "tensor",
            f"cannot make a tensor of {type(data).__name__}"
            f"{' of ' + name if name else ''}; expected numbers, nested lists or an array of "
            f"{', '.join(DTYPES)}",
        ) from None
    codes = {"f": 4, "d": 8, "i": 4, "q": 8, "l": 8, "?": 1}
    names = {"f": "float32", "d": "float64", "i": "int32", "q": "int64", "l": "int64", "?": "bool"}
    if view.format not in codes or view.itemsize != codes[view.format]:
        raise fail(
            DTypeError,
            "tensor",
            f"cannot take values of format {view.format!r} {name}; convert "
            f"them to one of {', '.join(DTYPES)}",
        )
    shape = tuple(view.shape or ())
    if prod(shape) == 0:
        return memoryview(b""), shape, DTYPES[names[view.format]]
    if not view.c_contiguous:
        view = memoryview(view.tobytes()).cast(view.format)  # type: ignore[call-overload]
    return view, shape, DTYPES[names[view.format]]
