"""Whether tensors agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import no_grad
from ..dtypes import promote
from ..errors import ArgumentError, fail
from ..ops import derivatives as e
from ..ops.elementwise import cast, select
from ..ops.reduce import all_

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["allclose", "equal", "isclose"]


@no_grad()
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """|input - other| <= atol + rtol |other|, elementwise; equal infinities are close.

    nan is close to nothing, unless `equal_nan`.
    """
    if rtol < 0 or atol < 0:
        raise fail(
            ArgumentError,
            "isclose",
            f"expected rtol and atol >= 0, got {rtol} and {atol}; use their absolute values",
        )
    dtype = promote(input.dtype, other.dtype)
    a, b = cast(input, dtype), cast(other, dtype)
    same = e.EQ(a, b)
    if not dtype.is_floating_point:
        if rtol == 0 and atol == 0:
            return same
        a, b = a.to("float64"), b.to("float64")
    finite = e.LOGICAL_AND(e.ISFINITE(a), e.ISFINITE(b))
    gap = e.ABS(select(finite, a, 0.0) - select(finite, b, 0.0))
    near = e.LOGICAL_AND(e.LE(gap, e.ABS(b) * rtol + atol), finite)
    close = e.LOGICAL_OR(same, near)
    if equal_nan:
        close = e.LOGICAL_OR(close, e.LOGICAL_AND(e.ISNAN(a), e.ISNAN(b)))
    return close


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as a Python bool; see isclose."""
    return bool(all_(isclose(input, other, rtol, atol, equal_nan)).item())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements, as a Python bool."""
    if input.shape != other.shape:
        return False
    with no_grad():
        return bool(all_(e.EQ(input, other)).item())
