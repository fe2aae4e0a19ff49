"""Elementwise operations: one line each, the name of its scalar function and its gradient.

The values are kernels/scalar.py's functions, run by the backend's `unary`, `binary`, `where` and
`cast`. A gradient rule receives g (the incoming gradient), y (the result) and the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from .. import tensor as _tensor
from ..autograd import Node, Op, Spec, apply, needs, recording, tick
from ..dtypes import DEFAULT, DType, as_dtype, bool_, number_dtype, promote, promote_number
from ..errors import ArgumentError, DTypeError, fail
from ..shape import broadcast
from .reduce import sum_to

if TYPE_CHECKING:
    from ..tensor import Tensor

Operand = Any  # a Tensor, a plain number, or a NumPy array (becomes a constant)
COST = {"exp": 8, "log": 8, "tanh": 12, "sigmoid": 10, "erf": 12, "pow": 16, "gelu": 16}


class Unary(Op):
    """y = f(x) elementwise. `result` is "float" (ints are converted), "same", or "bool"."""

    def __init__(self, name: str, grad: Callable[..., Any] | None, result: str = "float",
                 keeps_output: bool = True) -> None:
        self.name, self.grad, self.result = name, grad, result
        self.keeps_output = keeps_output

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        if self.result == "bool":
            return x.shape, bool_
        if x.dtype is bool_ and self.result == "same":
            raise fail(DTypeError, self.name, "does not take bool; convert with .to(etude.int64)")
        return x.shape, x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.unary(self.name, buffers[0])

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None]:
        if self.grad is None:
            return (None,)
        return (self.grad(g, y, inputs[0]),)

    def flops(self, inputs: Any, outputs: Any) -> int:
        return COST.get(self.name, 1) * super().flops(inputs, outputs)

    def __call__(self, x: Any) -> Tensor:
        x = as_tensor_operand(self.name, x)
        if self.result == "float" and not x.dtype.is_floating_point:
            x = cast(x, DEFAULT)
        return apply(self, x)


class Binary(Op):
    """y = f(a, b) elementwise with broadcasting; one gradient rule for each input."""

    def __init__(self, name: str, grad_a: Callable[..., Any] | None = None,
                 grad_b: Callable[..., Any] | None = None, result: str = "same",
                 keeps_output: bool = False) -> None:
        self.name, self.grad_a, self.grad_b, self.result = name, grad_a, grad_b, result
        self.keeps_output = keeps_output

    def infer(self, *inputs: Any) -> Spec:
        a, b = inputs
        shape = broadcast(self.name, getattr(a, "shape", ()), getattr(b, "shape", ()))
        dtype: DType = a.dtype if isinstance(a, _tensor.Tensor) else b.dtype
        if self.result == "bool":
            return shape, bool_
        if dtype is bool_ and self.name not in ("maximum", "minimum", "mul", "add"):
            raise fail(DTypeError, self.name, "does not take two bools; convert one with "
                       ".to(etude.int64), or use logical_and, logical_or, logical_xor")
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

    def flops(self, inputs: Any, outputs: Any) -> int:
        return COST.get(self.name, 1) * super().flops(inputs, outputs)

    def __call__(self, a: Any, b: Any) -> Tensor:
        """Run the op. The first branch is `apply` written out: same dtype, same shape, no checks left."""
        try:
            backend, shape, dtype = a.backend, a.shape, a.dtype
            same = b.backend is backend and b.dtype is dtype and b.shape == shape
        except AttributeError:
            same = False
        if not same or not dtype.is_floating_point:
            return apply(self, *promote_operands(self, a, b))
        out = _tensor.Tensor(
            backend.binary(self.name, a.buffer, b.buffer),
            shape, bool_ if self.result == "bool" else dtype, backend,
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
            raise fail(DTypeError, "where", f"expected a bool condition, got {condition.dtype}; "
                       "compare first, as in x > 0")
        shape = broadcast("where", getattr(a, "shape", ()), getattr(b, "shape", ()))
        dtype = a.dtype if isinstance(a, _tensor.Tensor) else b.dtype
        return broadcast("where", condition.shape, shape), dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.where(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[None, Tensor | None, Tensor | None]:
        c, a, b = inputs
        ga = sum_to(WHERE(c, g, 0.0), a.shape) if needs(a) else None
        gb = sum_to(where(c, 0.0, g), b.shape) if needs(b) else None
        return None, ga, gb

    def __call__(self, condition: Any, a: Any, b: Any) -> Tensor:
        return apply(self, condition, a, b)


def as_tensor_operand(op: str, x: Any, like: Any = None) -> Tensor:
    """x if it is a Tensor; a NumPy array as a constant beside `like`; else an error."""
    if isinstance(x, _tensor.Tensor):
        return x
    if hasattr(x, "__array_interface__") or isinstance(x, memoryview):
        return _tensor.tensor(x, backend=None if like is None else like.backend)
    raise fail(DTypeError, op, f"expected a Tensor or a number, got {type(x).__name__}; "
               "make it one with etude.tensor(...)")


def promote_operands(op: Binary, a: Any, b: Any) -> tuple[Any, Any]:
    """Both operands in the dtype of the result; a plain number stays a number."""
    plain_a, plain_b = isinstance(a, (int, float)), isinstance(b, (int, float))
    if plain_a and plain_b:
        a, plain_a = _tensor.tensor(a), False
    if plain_a or plain_b:
        x = as_tensor_operand(op.name, b if plain_a else a)
        number = a if plain_a else b
        dtype = promote_number(x.dtype, number)
        check_fits(op.name, number, dtype)
    else:
        x = a if isinstance(a, _tensor.Tensor) else b
        a, b = as_tensor_operand(op.name, a, x), as_tensor_operand(op.name, b, x)
        dtype = promote(a.dtype, b.dtype)
    if op.result == "float" and not dtype.is_floating_point:
        dtype = DEFAULT
    return (a if plain_a else cast(a, dtype)), (b if plain_b else cast(b, dtype))


def check_fits(op: str, number: float | int | bool, dtype: DType) -> None:
    """A plain integer must fit the integer dtype that it is used in."""
    if dtype.is_floating_point or isinstance(number, float):
        return
    limit = 2 ** (8 * dtype.itemsize - 1)
    if not -limit <= number < limit:
        raise fail(ArgumentError, op, f"the number {number} does not fit {dtype}; "
                   "convert the tensor to a wider dtype first")


def cast(x: Tensor, dtype: Any) -> Tensor:
    """x converted to `dtype`; x itself if it has that dtype."""
    dtype = as_dtype(dtype, "cast")
    return x if x.dtype is dtype else apply(Cast(dtype), x)


WHERE = Where()


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """input where condition holds, else other, broadcast; with one argument, the nonzero indices."""
    condition = as_tensor_operand("where", condition)
    if input is None and other is None:
        from .index import nonzero

        return nonzero(condition, as_tuple=True)
    a, b = input, other
    plain_a, plain_b = isinstance(a, (int, float)), isinstance(b, (int, float))
    if plain_a and plain_b:
        dtype = promote(number_dtype(a), number_dtype(b))
        a = full_like(condition, a, dtype)
        return WHERE(condition, a, b)
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


def _zero(g: Any, y: Any, *inputs: Any) -> Tensor:
    return full_like(inputs[0], 0.0)


# unary ------------------------------------------------------------------------------------------
NEG = Unary("neg", lambda g, y, x: NEG(g), "same", False)
ABS = Unary("abs", lambda g, y, x: g * SIGN(x), "same", False)
SIGN = Unary("sign", _zero, "same", False)
EXP = Unary("exp", lambda g, y, x: g * y)
EXP2 = Unary("exp2", lambda g, y, x: g * y * math.log(2.0))
EXPM1 = Unary("expm1", lambda g, y, x: g * (y + 1.0))
LOG = Unary("log", lambda g, y, x: g / x, keeps_output=False)
LOG2 = Unary("log2", lambda g, y, x: g / (x * math.log(2.0)), keeps_output=False)
LOG10 = Unary("log10", lambda g, y, x: g / (x * math.log(10.0)), keeps_output=False)
LOG1P = Unary("log1p", lambda g, y, x: g / (x + 1.0), keeps_output=False)
SQRT = Unary("sqrt", lambda g, y, x: g / (y * 2.0))
RSQRT = Unary("rsqrt", lambda g, y, x: g * y * y * y * -0.5)
RECIPROCAL = Unary("reciprocal", lambda g, y, x: NEG(g * y * y))
SIN = Unary("sin", lambda g, y, x: g * COS(x), keeps_output=False)
COS = Unary("cos", lambda g, y, x: NEG(g * SIN(x)), keeps_output=False)
TAN = Unary("tan", lambda g, y, x: g * (y * y + 1.0))
ASIN = Unary("asin", lambda g, y, x: g * RSQRT(1.0 - x * x), keeps_output=False)
ACOS = Unary("acos", lambda g, y, x: NEG(g * RSQRT(1.0 - x * x)), keeps_output=False)
ATAN = Unary("atan", lambda g, y, x: g / (x * x + 1.0), keeps_output=False)
SINH = Unary("sinh", lambda g, y, x: g * COSH(x), keeps_output=False)
COSH = Unary("cosh", lambda g, y, x: g * SINH(x), keeps_output=False)
TANH = Unary("tanh", lambda g, y, x: TANH_GRAD(g, y))
ASINH = Unary("asinh", lambda g, y, x: g * RSQRT(x * x + 1.0), keeps_output=False)
ACOSH = Unary("acosh", lambda g, y, x: g * RSQRT(x * x - 1.0), keeps_output=False)
ATANH = Unary("atanh", lambda g, y, x: g / (1.0 - x * x), keeps_output=False)
ERF = Unary("erf", lambda g, y, x: g * EXP(NEG(x * x)) * (2.0 / math.sqrt(math.pi)),
            keeps_output=False)
ERFC = Unary("erfc", lambda g, y, x: g * EXP(NEG(x * x)) * (-2.0 / math.sqrt(math.pi)),
             keeps_output=False)
LGAMMA = Unary("lgamma", lambda g, y, x: g * DIGAMMA(x), keeps_output=False)
DIGAMMA = Unary("digamma", None, keeps_output=False)
SIGMOID = Unary("sigmoid", lambda g, y, x: SIGMOID_GRAD(g, y))
SOFTPLUS = Unary("softplus", lambda g, y, x: SOFTPLUS_GRAD(g, x), keeps_output=False)
RELU = Unary("relu", lambda g, y, x: RELU_GRAD(g, y), "same")
GELU = Unary("gelu", lambda g, y, x: GELU_GRAD(g, x), keeps_output=False)
FLOOR = Unary("floor", _zero, "same", False)
CEIL = Unary("ceil", _zero, "same", False)
TRUNC = Unary("trunc", _zero, "same", False)
ROUND = Unary("round", _zero, "same", False)
ISNAN = Unary("isnan", None, "bool", False)
ISINF = Unary("isinf", None, "bool", False)
ISFINITE = Unary("isfinite", None, "bool", False)
LOGICAL_NOT = Unary("logical_not", None, "bool", False)

# binary -----------------------------------------------------------------------------------------
ADD = Binary("add", lambda g, y, a, b: g, lambda g, y, a, b: g)
SUB = Binary("sub", lambda g, y, a, b: g, lambda g, y, a, b: NEG(g))
MUL = Binary("mul", lambda g, y, a, b: MUL(g, b), lambda g, y, a, b: MUL(g, a))
DIV = Binary("div", lambda g, y, a, b: DIV(g, b), lambda g, y, a, b: NEG(DIV(g, b) * y),
             "float", True)
FLOOR_DIVIDE = Binary("floor_divide", _zero, lambda g, y, a, b: full_like(b, 0.0))
REMAINDER = Binary("remainder", lambda g, y, a, b: g,
                   lambda g, y, a, b: NEG(g * FLOOR_DIVIDE(a, b)))
FMOD = Binary("fmod", lambda g, y, a, b: g, lambda g, y, a, b: NEG(g * TRUNC(a / b)))
MAXIMUM = Binary("maximum", lambda g, y, a, b: g * _share(GT, EQ, a, b),
                 lambda g, y, a, b: g * _share(LT, EQ, a, b))
MINIMUM = Binary("minimum", lambda g, y, a, b: g * _share(LT, EQ, a, b),
                 lambda g, y, a, b: g * _share(GT, EQ, a, b))
ATAN2 = Binary("atan2", lambda g, y, a, b: g * b / (a * a + b * b),
               lambda g, y, a, b: NEG(g * a / (a * a + b * b)), "float")
HYPOT = Binary("hypot", lambda g, y, a, b: g * a / y, lambda g, y, a, b: g * b / y, "float", True)
COPYSIGN = Binary("copysign", lambda g, y, a, b: g * SIGN(a) * SIGN(y),
                  lambda g, y, a, b: full_like(b, 0.0), "float", True)
EQ, NE = Binary("eq", result="bool"), Binary("ne", result="bool")
LT, LE = Binary("lt", result="bool"), Binary("le", result="bool")
GT, GE = Binary("gt", result="bool"), Binary("ge", result="bool")
LOGICAL_AND = Binary("logical_and", result="bool")
LOGICAL_OR = Binary("logical_or", result="bool")
LOGICAL_XOR = Binary("logical_xor", result="bool")
RELU_GRAD = Binary("relu_grad", lambda g, y, a, b: RELU_GRAD(g, b),
                   lambda g, y, a, b: full_like(b, 0.0))
TANH_GRAD = Binary("tanh_grad", lambda g, y, a, b: TANH_GRAD(g, b),
                   lambda g, y, a, b: g * a * b * -2.0)
SIGMOID_GRAD = Binary("sigmoid_grad", lambda g, y, a, b: SIGMOID_GRAD(g, b),
                      lambda g, y, a, b: g * a * (1.0 - b * 2.0))
SOFTPLUS_GRAD = Binary("softplus_grad", lambda g, y, a, b: SOFTPLUS_GRAD(g, b),
                       lambda g, y, a, b: SIGMOID_GRAD(g * a, SIGMOID(b)))
GELU_GRAD = Binary("gelu_grad", lambda g, y, a, b: GELU_GRAD(g, b),
                   lambda g, y, a, b: g * a * (2.0 - b * b) * _normal_density(b))


def _pow_grad_base(g: Any, y: Any, a: Any, b: Any) -> Any:
    """b a^(b-1), and 0 where b = 0 even if a = 0."""
    slope = b * POW(a, b - 1.0)
    zero = b == 0
    if isinstance(zero, bool):
        return full_like(g, 0.0) if zero else g * slope
    return g * where(zero, 0.0, slope)


def _pow_grad_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    """a^b ln a, and 0 where a = 0 and b >= 0 (the limit)."""
    if isinstance(a, (int, float)):
        return g * y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan)
    flat = LOGICAL_AND(EQ(a, 0.0), GE(b, 0.0))
    return g * where(flat, 0.0, y * LOG(where(flat, 1.0, a)))


POW = Binary("pow", _pow_grad_base, _pow_grad_exponent, keeps_output=True)


def _share(wins: Binary, ties: Binary, a: Any, b: Any) -> Tensor:
    """1 where this side wins, 1/2 where both are equal: how torch splits the gradient of a tie."""
    dtype = a.dtype if isinstance(a, _tensor.Tensor) else b.dtype
    return cast(wins(a, b), dtype) + cast(ties(a, b), dtype) * 0.5


def _normal_density(x: Any) -> Any:
    return EXP(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))


# functions whose signature says more than (input) or (input, other) -----------------------------
def add(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""
    return ADD(input, other) if alpha == 1 else ADD(input, MUL(other, alpha))


def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    return SUB(input, other) if alpha == 1 else SUB(input, MUL(other, alpha))


def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; rounding_mode "floor" or "trunc" rounds the quotient that way."""
    if rounding_mode is None:
        return DIV(input, other)
    if rounding_mode == "floor":
        return FLOOR_DIVIDE(input, other)
    if rounding_mode != "trunc":
        raise fail(ArgumentError, "div", f"expected rounding_mode None, 'floor' or 'trunc', "
                   f"got {rounding_mode!r}")
    quotient = DIV(input, other)
    integers = [getattr(t, "dtype", None) for t in (input, other)]
    whole = all(d is None or not d.is_floating_point for d in integers)
    return SUB(input, FMOD(input, other)).__floordiv__(other) if whole else TRUNC(quotient)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """input limited to [min, max]; the gradient passes where min <= input <= max, as in torch."""
    if min is None and max is None:
        raise fail(ArgumentError, "clamp", "expected min, max or both, got neither")
    y = input
    if min is not None:
        y = where(LT(y, min), min, y)
    if max is not None:
        y = where(GT(y, max), max, y)
    return y
