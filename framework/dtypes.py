"""The five dtypes and how they combine.

Promotion: bool < int32 < int64 < float32 < float64; the result of two tensors is the larger.
A plain Python number is weak: it changes the dtype only to a higher kind (bool < int < float), so
`float64 * 2.0` stays float64 and `int64 * 2.0` becomes float32, the default, as in torch.
"""

from __future__ import annotations

from typing import Any

from .errors import ArgumentError, DTypeError, fail, nearest
from .guard import came


class DType(str):
    """A dtype is its name, with facts attached; backends see plain strings."""

    __slots__ = ("code", "is_floating_point", "itemsize", "rank")
    code: str  # the format of struct and memoryview
    itemsize: int
    rank: int
    is_floating_point: bool

    def __new__(cls, name: str, fmt: str, itemsize: int, rank: int) -> DType:
        self = super().__new__(cls, name)
        self.code, self.itemsize, self.rank = fmt, itemsize, rank
        self.is_floating_point = name.startswith("float")
        return self

    def __repr__(self) -> str:
        return f"etude.{self!s}"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (str(self),)


bool_ = DType("bool", "?", 1, 0)
int32 = DType("int32", "i", 4, 1)
int64 = DType("int64", "q", 8, 2)
float32 = DType("float32", "f", 4, 3)
float64 = DType("float64", "d", 8, 4)

DTYPES: dict[str, DType] = {d: d for d in (bool_, int32, int64, float32, float64)}
DEFAULT = float32


def as_dtype(dtype: Any, op: str = "dtype") -> DType:
    """The DType for a DType, its name, or the Python types float, int and bool."""
    if type(dtype) is DType:
        return dtype
    if isinstance(dtype, type):
        name: Any = {float: "float32", int: "int64", bool: "bool"}.get(dtype, dtype.__name__)
    else:
        name = getattr(dtype, "name", dtype)  # of a NumPy dtype
    if not isinstance(name, str) or name not in DTYPES:
        hint = nearest(str(name), DTYPES)
        raise fail(DTypeError, op, f"expected a dtype, got {came(dtype)}; {hint}")
    return DTYPES[name]


def promote(a: DType, b: DType) -> DType:
    """The dtype of an operation on tensors of dtypes a and b."""
    return a if a.rank >= b.rank else b


def number_dtype(x: float | int | bool) -> DType:
    """The dtype that a tensor made of this Python number gets."""
    return bool_ if isinstance(x, bool) else int64 if isinstance(x, int) else DEFAULT


def promote_number(dtype: DType, x: float | int | bool) -> DType:
    """The dtype of an operation on a tensor and a plain number."""
    if isinstance(x, bool) or dtype.is_floating_point:
        return dtype
    if isinstance(x, int):
        return int64 if dtype is bool_ else dtype
    return DEFAULT


def _shown(number: float | int | bool) -> str:
    short = isinstance(number, float) or abs(number) < 10**30
    return str(number) if short else "one of more than 30 digits"


def check_fits(op: str, number: float | int | bool, dtype: DType) -> None:
    """A plain number must fit the dtype that it is used in; float dtypes take nan and inf too."""
    if dtype is bool_ or (dtype.is_floating_point and isinstance(number, float)):
        return
    limit = 2.0**1023 if dtype.is_floating_point else 2 ** (8 * dtype.itemsize - 1)
    if not -limit <= number < limit:
        raise fail(
            ArgumentError,
            op,
            f"expected a number that fits {dtype}, got {_shown(number)}; "
            f"use a {'float' if number != number else 'wider'} dtype",
        )
