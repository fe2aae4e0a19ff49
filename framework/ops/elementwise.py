"""Elementwise operations: one line each, the name of its scalar function and its gradient.

The values are kernels/scalar.py's functions, run by the backend's `unary`, `binary`, `where` and
`cast`. A gradient rule receives g (the incoming gradient), y (the result) and the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from .. import tensor as _tensor
from ..autograd import Node, Op, Spec, apply, needs, recording, tick
from ..dtypes import (
    DEFAULT,
    DType,
    as_dtype,
    bool_,
    check_fits,
    number_dtype,
    promote,
    promote_number,
)
from ..errors import DTypeError, fail
from ..guard import wrong_type
from ..shape import broadcast
from .reduce import sum_to

if TYPE_CHECKING:
    from ..tensor import Tensor

Operand = Any  # a Tensor, a plain number, or a NumPy array (becomes a constant)
COST = {"exp": 8, "log": 8, "tanh": 12, "sigmoid": 10, "erf": 12, "pow": 16, "gelu": 16}


class Unary(Op):
    """y = f(x) elementwise. `result` is "float" (ints are converted), "same", or "bool"."""

    def __init__(
        self,
        name: str,
        grad: Callable[..., Any] | None,
        result: str = "float",
        keeps_output: bool = True,
    ) -> None:
        self.name, self.grad, self.result = name, grad, result
        self.keeps_output = keeps_output

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        if self.result == "bool":
            return x.shape, bool_
        if x.dtype is bool_ and self.result == "same":
            raise fail(
                DTypeError, self.name, "expected numbers, got bool; convert with .to(etude.int64)"
            )
        return x.shape, x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.unary(self.name, buffers[0])

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None]:
        if self.grad is None:
            return (None,)
        return (self.grad(g, y, inputs[0]),)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return COST.get(self.name, 1) * super().flops(inputs, outputs)

    def __call__(self, x: Any) -> Tensor:
        x = as_tensor_operand(self.name, x)
        if self.result == "float" and not x.dtype.is_floating_point:
            x = cast(x, DEFAULT)
        return apply(self, x)


class Binary(Op):
    """y = f(a, b) elementwise with broadcasting; one gradient rule for each input."""

    def __init__(
        self,
        name: str,
        grad_a: Callable[..., Any] | None = None,
        grad_b: Callable[..., Any] | None = None,
        result: str = "same",
        keeps_output: bool = False,
    ) -> None:
        self.name, self.grad_a, self.grad_b, self.result = name, grad_a, grad_b, result
        self.keeps_output = keeps_output

    def infer(self, *inputs: Any) -> Spec:
        a, b = inputs
        shape = broadcast(self.name, getattr(a, "shape", ()), getattr(b, "shape", ()))
        dtype: DType = a.dtype if isinstance(a, _tensor.Tensor) else b.dtype
        if self.result == "bool":
            return shape, bool_
        if dtype is bool_ and self.name not in ("maximum", "minimum", "mul", "add"):
            raise fail(
                DTypeError,
                self.name,
                "expected numbers, got two bools; convert one with .to(etude.int64), "
                "or use logical_and, logical_or, logical_xor",
            )
        return shape, dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.binary(self.name, buffers[0], buffers[1])

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, Tensor | None]:
        a, b = inputs
        ga = gb = None
        if self.grad_a is not None and needs(a):
            ga = self.grad_a(g, y, a, b)
            if ga.shape != a.shape:
                ga = sum_to(ga, a.shape)
        if self.grad_b is not None and needs(b):
            gb = self.grad_b(g, y, a, b)
            if gb.shape != b.shape:
                gb = sum_to(gb, b.shape)
        return ga, gb

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return COST.get(self.name, 1) * super().flops(inputs, outputs)

    def __call__(self, a: Any, b: Any) -> Tensor:
        """Run the op. The tail is `apply` written out for equal shapes and float dtypes."""
        try:
            backend, shape, dtype = a.backend, a.shape, a.dtype
            alike = b.backend is backend and b.dtype is dtype and dtype.is_floating_point
        except AttributeError:
            alike = False
        if not alike:
            return apply(self, *promote_operands(self, a, b))
        if b.shape != shape or backend.observe is not None:
            return apply(self, a, b)
        out = _tensor.Tensor(
            backend.binary(self.name, a.buffer, b.buffer),
            shape,
            bool_ if self.result == "bool" else dtype,
            backend,
        )
        if (a.requires_grad or b.requires_grad) and recording.get() and self.result != "bool":
            out.requires_grad = True
            saved = out.buffer if self.keeps_output else None
            out.node = Node(self, (a, b), tick(), saved, (shape, dtype))
        return out


class Cast(Op):
    """Conversion to another dtype."""

    name = "cast"

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, self.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.cast(buffers[0], self.dtype)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (cast(g, inputs[0].dtype),)


class Where(Op):
    """a where the condition holds, else b."""

    name = "where"

    def infer(self, *inputs: Any) -> Spec:
        condition, a, b = inputs
        if condition.dtype is not bool_:
            raise fail(
                DTypeError,
                "where",
                f"expected a bool condition, got {condition.dtype}; compare first, as in x > 0",
            )
        shape = broadcast("where", getattr(a, "shape", ()), getattr(b, "shape", ()))
        dtype = a.dtype if isinstance(a, _tensor.Tensor) else b.dtype
        return broadcast("where", condition.shape, shape), dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.where(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[None, Tensor | None, Tensor | None]:
        c, a, b = inputs
        ga = sum_to(WHERE(c, g, 0.0), a.shape) if needs(a) else None
        gb = sum_to(select(c, 0.0, g), b.shape) if needs(b) else None
        return None, ga, gb

    def __call__(self, condition: Any, a: Any, b: Any) -> Tensor:
        return apply(self, condition, a, b)


def as_tensor_operand(
    op: str, x: Any, like: Any = None, label: str = "input", kind: Any = None
) -> Tensor:
    """x if it is a Tensor; a NumPy array as a constant beside `like`; else an error."""
    if isinstance(x, _tensor.Tensor):
        return x
    if hasattr(x, "__array_interface__") or isinstance(x, memoryview):
        return _tensor.tensor(x, backend=None if like is None else like.backend)
    raise wrong_type(op, label, _tensor.Tensor if kind is None else kind, x)


def promote_operands(op: Binary, a: Any, b: Any) -> tuple[Any, Any]:
    """Both operands in the dtype of the result; a plain number stays a number."""
    if type(b) is float and isinstance(a, _tensor.Tensor) and a.dtype.is_floating_point:
        return a, b
    a, b = plain_number(a), plain_number(b)
    plain_a, plain_b = isinstance(a, (int, float)), isinstance(b, (int, float))
    if plain_a and plain_b:
        a, plain_a = _tensor.tensor(a), False
    if plain_a or plain_b:
        number = a if plain_a else b
        x = as_tensor_operand(op.name, b if plain_a else a, None, "other" if plain_a else "input")
        dtype = promote_number(x.dtype, number)
        check_fits(op.name, number, dtype)
        if dtype.is_floating_point:
            number = float(number)
        a, b = (number, x) if plain_a else (x, number)
    else:
        like = next((t for t in (a, b) if isinstance(t, _tensor.Tensor)), None)
        kind = _tensor.Tensor | float
        a = as_tensor_operand(op.name, a, like, "input", kind)
        b = as_tensor_operand(op.name, b, like, "other", kind)
        dtype = promote(a.dtype, b.dtype)
    if op.result == "float" and not dtype.is_floating_point:
        dtype = DEFAULT
    return (a if plain_a else cast(a, dtype)), (b if plain_b else cast(b, dtype))


def plain_number(x: Any) -> Any:
    """A NumPy scalar as a Python number, weak in promotion as in torch; anything else as it is."""
    if isinstance(x, (int, float, _tensor.Tensor)) or getattr(x, "shape", None) != ():
        return x
    return x if hasattr(x, "__setitem__") else x.item()  # a 0-d array is an array


def cast(x: Tensor, dtype: Any) -> Tensor:
    """x converted to `dtype`; x itself if it has that dtype."""
    if x.dtype is dtype:
        return x
    dtype = as_dtype(dtype, "cast")
    return x if x.dtype is dtype else apply(Cast(dtype), x)


WHERE = Where()


def select(condition: Any, input: Any, other: Any) -> Tensor:
    """input where condition holds, else other, broadcast and promoted; both may be numbers."""
    condition = as_tensor_operand("where", condition)
    a, b = input, other
    plain_a, plain_b = isinstance(a, (int, float)), isinstance(b, (int, float))
    if plain_a and plain_b:
        dtype = promote(number_dtype(a), number_dtype(b))
        return WHERE(condition, full_like(condition, a, dtype), b)
    if plain_a or plain_b:
        x = as_tensor_operand("where", b if plain_a else a, condition)
        number = a if plain_a else b
        dtype = promote_number(x.dtype, number)
        check_fits("where", number, dtype)
        x = cast(x, dtype)
        return WHERE(condition, *((a, x) if plain_a else (x, b)))
    a, b = (as_tensor_operand("where", t, condition) for t in (a, b))
    dtype = promote(a.dtype, b.dtype)
    return WHERE(condition, cast(a, dtype), cast(b, dtype))


def full_like(x: Tensor, value: float, dtype: DType | None = None) -> Tensor:
    """A constant of x's shape."""
    dtype = x.dtype if dtype is None else dtype
    return _tensor.Tensor(x.backend.full(x.shape, value, dtype), x.shape, dtype, x.backend)
