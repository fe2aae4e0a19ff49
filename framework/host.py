"""Values between Python, NumPy and a backend's host form, by the buffer protocol alone."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Shape

from .dtypes import DTYPES, DType, bool_, float32, int32, int64, promote
from .errors import ArgumentError, CallError, DTypeError, ShapeError, fail
from .guard import came

if TYPE_CHECKING:
    from .tensor import Tensor

WIDEN = {
    "int8": int32, "uint8": int32, "int16": int32, "uint16": int32, "uint32": int64,
    "float16": float32,
}  # fmt: skip
PLAIN = {bool, int, float}
BY_FORMAT = {"f": "float32", "d": "float64", "i": "int32", "q": "int64", "l": "int64", "?": "bool"}


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
    if isinstance(data, (bool, int, float)) and not hasattr(data, "dtype"):
        return _from_flat([data], ())
    if _is_row(data):
        shape = _shape_of(data)
        flat: list[Any] = []
        kinds: set[str | None] = set()
        _flatten(data, shape, flat, kinds)
        host, shape, natural = _from_flat(flat, shape)
        return host, shape, _common(kinds, natural)
    return _from_buffer(data)


def _plain(data: Any) -> Any:
    """An array, tensor or NumPy scalar inside a list as lists or a number."""
    return data.tolist() if hasattr(data, "tolist") else data


def _is_row(data: Any) -> bool:
    memory = (str, bytes, bytearray, memoryview, array)
    return isinstance(data, Sequence) and not isinstance(data, memory)


def _shape_of(data: Any) -> Shape:
    shape = []
    while _is_row(data):
        shape.append(len(data))
        if not data:
            break
        data = _plain(data[0])
    return tuple(shape)


def _flatten(
    data: Any, shape: Shape, out: list[Any], kinds: set[str | None], kind: str | None = None
) -> None:
    """The numbers in order, and the dtypes that NumPy's among them have; None for Python's."""
    kind = str(getattr(data, "dtype", kind or "")) or None
    data = _plain(data)
    if not shape:
        if _is_row(data):
            raise _ragged("a number", data)
        out.append(data)
        kinds.add(kind)
        return
    if not _is_row(data) or len(data) != shape[0]:
        raise _ragged(f"a row of {shape[0]}", data)
    if len(shape) == 1 and kind is None and {type(v) for v in data} <= PLAIN:
        out.extend(data)  # what most lists hold, without a call for each number
        kinds.add(None)
        return
    for part in data:
        _flatten(part, shape[1:], out, kinds, kind)


def _common(kinds: set[str | None], natural: DType) -> DType:
    """The dtype of a list: NumPy's if all numbers have one, else that of Python's numbers."""
    known = [WIDEN.get(str(k)) or DTYPES.get(str(k)) for k in kinds]
    return natural if None in known or not known else reduce(promote, [k for k in known if k])


def _ragged(wanted: str, data: Any) -> ShapeError:
    got = f"a row of {len(data)}" if _is_row(data) else came(data)
    return ShapeError(
        f"[tensor] expected nested lists of one shape, got {got} where the first holds {wanted}; "
        "pad the rows to one length and depth"
    )


def _from_flat(flat: Sequence[Any], shape: Shape) -> tuple[memoryview[Any], Shape, DType]:
    kinds = {type(v) for v in flat}
    if not kinds <= PLAIN:
        odd = next(v for v in flat if type(v) not in PLAIN)
        if not isinstance(odd, (int, float)):
            raise fail(
                CallError,
                "tensor",
                f"expected numbers, got {came(odd)}; convert every value to float, int or bool",
            )
        kinds = {bool if k is bool else int if issubclass(k, int) else float for k in kinds}
    if kinds == {bool}:
        return memoryview(bytes(flat)).cast("?"), shape, bool_
    if float in kinds or not kinds:
        return memoryview(array("d", flat)), shape, float32
    try:
        return memoryview(array("q", flat)), shape, int64
    except OverflowError:
        large = next(v for v in flat if not -(2**63) <= v < 2**63)
        raise fail(
            ArgumentError,
            "tensor",
            f"expected whole numbers that fit int64, got {large}; use a float",
        ) from None


def _from_buffer(data: Any) -> tuple[memoryview[Any], Shape, DType]:
    if hasattr(data, "__array__") and not hasattr(data, "__array_interface__"):
        data = data.__array__()  # another library's tensor
    if hasattr(data, "astype"):
        data = _native(data, data.dtype.name)
    try:
        view = memoryview(data)
    except (TypeError, ValueError, BufferError):
        raise fail(
            CallError,
            "tensor",
            f"expected numbers, nested lists or an array, got {came(data)}; "
            "make it a list of numbers",
        ) from None
    name = BY_FORMAT.get(view.format)
    if name is None or view.itemsize != DTYPES[name].itemsize:
        raise fail(
            DTypeError,
            "tensor",
            f"expected memory of {', '.join(DTYPES)}, got {came(data)} of format {view.format!r}; "
            "pass a list or a NumPy array of the values",
        )
    shape = tuple(view.shape or ())
    if prod(shape) == 0:
        return memoryview(b""), shape, DTYPES[name]
    if not view.c_contiguous:
        view = memoryview(view.tobytes()).cast(view.format)  # type: ignore[call-overload]
    return view, shape, DTYPES[name]


def _native(data: Any, name: str) -> Any:
    """A NumPy array in one of the five dtypes and the machine's byte order."""
    target = WIDEN.get(name) or DTYPES.get(name)
    if target is None:
        raise fail(
            DTypeError,
            "tensor",
            f"expected an array of {', '.join(DTYPES)}, got one of {name}; "
            "convert it with .astype('float32')",
        )
    return data if name not in WIDEN and data.dtype.isnative else data.astype(str(target))
