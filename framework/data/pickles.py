"""Pickles that hold plain data and NumPy arrays, read without running anything that is in them.

A pickle is a program that may name any function and call it. Here the few names that arrays need
lead to stand-ins of ours, every other name is refused, and NumPy's own unpickling is never called:
an array is made of its bytes when its dtype, shape and length have been found to agree. The
interpreter is the one written in Python, because the one in C takes memory for as many notes as a
pickle says it has.
"""

from __future__ import annotations

import io
import pickle
from math import prod
from pathlib import Path
from typing import Any

from ..errors import BadFile, fail

OP = "load_pickle"
LARGEST = 2**30  # bytes; the largest CIFAR pickle holds 155 million
NUMBERS = "biuf"  # kinds of dtype: bool, signed and unsigned whole numbers, floats
DEEPEST = 20


def load_pickle(path: str | Path, encoding: str = "bytes") -> Any:
    """The dict, list, tuple, str, bytes, number or NumPy array in a pickle, or a nest of them.

    `encoding` is how str of Python 2 are read, as in `pickle.load`. Raises BadFile for a file that
    is damaged, too large or holds anything else; no code from the file is run.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        why = f"cannot read {path}: {error.strerror or error}; check the path"
        raise fail(BadFile, OP, why) from None
    if len(raw) > LARGEST:
        why = f"{path} is larger than {LARGEST} bytes; read it in parts"
        raise fail(BadFile, OP, why)
    try:
        # Every value takes a byte or more, unless containers are shared to be multiplied.
        return _Finish(len(raw)).value(_Plain(io.BytesIO(raw), encoding=encoding).load(), 0)
    except Exception as error:  # a made up pickle can raise anything
        why = str(error) or type(error).__name__
        raise fail(
            BadFile,
            OP,
            f"expected {path} to be a pickle of plain data and arrays, got: {why:.120}; "
            "fetch it again from a source that you trust",
        ) from None


class _DType:
    """What a pickle says of a dtype: its code, then its byte order."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        self.code, self.order = _text(code), "|"

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def numpy(self) -> Any:
        """The dtype, if it is one of plain numbers."""
        import numpy as np

        kind: Any = np.dtype(self.code)
        if kind.kind not in NUMBERS or len(self.order) != 1:
            raise ValueError(f"an array of {kind}")
        return kind.newbyteorder(self.order)


class _Array:
    """What a pickle says of an array: shape, dtype and bytes."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, raw = state
        self.state = (shape, dtype, "F" if by_columns else "C", raw)

    def numpy(self) -> Any:
        """The array, if what is said of it agrees."""
        import numpy as np

        shape, dtype, order, raw = self.state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not isinstance(raw, (bytes, bytearray)):
            raise ValueError(f"an array of a {type(raw).__name__}")
        kind = dtype.numpy()
        sizes = tuple(n for n in shape if type(n) is int and n >= 0)
        if len(sizes) != len(shape) or prod(sizes) * kind.itemsize != len(raw):
            raise ValueError(f"an array of shape {shape} and {kind} in {len(raw)} bytes")
        return np.frombuffer(raw, kind).reshape(sizes, order=order)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise ValueError(f"a dtype of {value!r:.40}")
    return value


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    return _Array()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.state = (shape, dtype, "F" if order == "F" else "C", raw)
    return array


def _encode(text: Any, encoding: Any) -> bytes:
    if encoding != "latin1" or not isinstance(text, str):
        raise ValueError(f"bytes in the encoding {encoding!r:.40}")
    return text.encode("latin1")


NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):
    NAMES[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    NAMES[f"{_core}.numeric", "_frombuffer"] = _from_buffer


_InPython: Any = vars(pickle)["_Unpickler"]


class _Plain(_InPython):  # type: ignore[misc]
    """Reads plain data; a name is looked up in the table above and nowhere else."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name. Raises UnpicklingError for any other."""
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"the name {module}.{name}, which is not data")
        return NAMES[module, name]

    def get_extension(self, code: int) -> Any:
        """Refuse names given as numbers, which pickle looks up in a table of the program."""
        raise pickle.UnpicklingError(f"the extension {code}, which is not data")

    def load_build(self) -> None:
        """Give a state to what was made here, and to nothing that was there before."""
        if not isinstance(self.stack[-2], (_Array, _DType)):
            raise pickle.UnpicklingError("a state for something that is not an array")
        super().load_build()

    dispatch = {**_InPython.dispatch, pickle.BUILD[0]: load_build}


class _Finish:
    """Puts arrays in place of what was said of them, for as many values as there can be."""

    def __init__(self, most: int) -> None:
        self.left = most

    def value(self, value: Any, depth: int) -> Any:
        """The finished value."""
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            raise ValueError("more values than the file has room for")
        if isinstance(value, _Array):
            return value.numpy()
        if isinstance(value, dict):
            return {_key(k): self.value(v, depth + 1) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.value(v, depth + 1) for v in value)
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return value
        raise ValueError(f"a {type(value).__name__.strip('_')}, which is not data")


def _key(value: Any) -> Any:
    if not isinstance(value, (str, bytes, int)):
        raise ValueError(f"a key of {type(value).__name__}")
    return value
