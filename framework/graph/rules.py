"""Shapes of the contract's methods that follow from more than the shapes of their buffers.

Each rule has its method's name and arguments, without `out`, and returns the shape and dtype of
each result. It raises Misfit for what would make a kernel read or write outside its buffers, or
what the contract leaves undefined: kernels check the values of indices and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from etude.backends.base import Expression, Number, Pairs, Register, Shape, Step, Value

from ..dtypes import DTYPES, check_fits
from ..errors import EtudeError
from ..ops import derivatives
from ..ops.elementwise import Binary, Unary
from .forms import Misfit, Spec, fit, need, one_dtype, together, typed
from .window_rules import WINDOW_RULES

# Of each function: whether it takes floats only ("float"), numbers ("same"), or gives bool.
KINDS = {f.name: f.result for f in vars(derivatives).values() if isinstance(f, (Unary, Binary))}
BOOLS = ("maximum", "minimum", "mul", "add")  # functions of numbers that take bools too
FORMULAS = ("gelu_grad", "relu_grad", "sigmoid_grad", "softplus_grad", "tanh_grad")


def _fits(number: Number, dtype: str) -> None:
    """A plain number that takes a dtype."""
    whole = not dtype.startswith("float")
    need(dtype != "bool" or number in (True, False), "True or False", number)
    need(not (whole and isinstance(number, float)), f"a whole number for {dtype}", number)
    try:
        check_fits("number", number, DTYPES[dtype])
    except EtudeError as error:
        raise Misfit(str(error)) from None


def _reached(shape: Shape, strides: Sequence[int], offset: int, size: int) -> None:
    """All positions that a walk comes to are inside."""
    need(len(shape) == len(strides), f"{len(shape)} strides", strides)
    ends = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    low = offset + sum(min(e, 0) for e in ends)
    high = offset + sum(max(e, 0) for e in ends)
    inside = 0 in shape or 0 <= low <= high < size
    need(inside, f"positions 0 ... {size - 1}", f"{low} ... {high}")


def _axes(axes: Shape, shape: Shape) -> None:
    """Axes that exist, each once, in order."""
    good = list(axes) == sorted({*axes}) and all(a < len(shape) for a in axes)
    need(good and bool(axes), f"axes of {shape}, each once", axes)


# making and moving --------------------------------------------------------------------------------
def full(shape: Shape, value: Number, dtype: str) -> list[Spec]:
    need(dtype in DTYPES, "a dtype", dtype)
    _fits(value, dtype)
    return [(shape, dtype)]


def reshape(x: Value, shape: Shape) -> list[Spec]:
    old, dtype = typed(x)
    need(prod(old) == prod(shape), f"a shape for {prod(old)} elements", shape)
    return [(shape, dtype)]


def strided(x: Value, shape: Shape, strides: Sequence[int], offset: int) -> list[Spec]:
    own, dtype = typed(x)
    _reached(shape, strides, offset, prod(own))
    return [(shape, dtype)]


def unstrided(x: Value, shape: Shape, strides: Sequence[int], offset: int) -> list[Spec]:
    own, dtype = typed(x)
    _reached(own, strides, offset, prod(shape))
    reach = 0
    for step, n in sorted((abs(s), n) for s, n in zip(strides, own, strict=True) if n > 1):
        need(step > reach, "no position twice", f"strides {strides} for {own}")
        reach += step * (n - 1)
    return [(shape, dtype)]


def transpose(x: Value, axes: Shape) -> list[Spec]:
    shape, dtype = typed(x)
    need(sorted(axes) == list(range(len(shape))), f"an order of {len(shape)} axes", axes)
    return [(tuple(shape[a] for a in axes), dtype)]


def expand(x: Value, shape: Shape) -> list[Spec]:
    own, dtype = typed(x)
    need(together(own, shape) == shape, f"a shape that broadcasts to {shape}", own)
    return [(shape, dtype)]


def cat(xs: Sequence[Value], axis: int) -> list[Spec]:
    dtype = one_dtype(*xs, floats=False)
    shapes = [typed(x)[0] for x in xs]
    need(axis < len(shapes[0]), f"an axis of {shapes[0]}", axis)
    rest = {(s[:axis], s[axis + 1 :]) for s in shapes}
    need(len(rest) == 1, f"equal sizes outside axis {axis}", shapes)
    before, after = rest.pop()
    return [((*before, sum(s[axis] for s in shapes), *after), dtype)]


def pad(x: Value, padding: Pairs, value: Number) -> list[Spec]:
    shape, dtype = typed(x)
    need(len(padding) == len(shape), f"{len(shape)} pairs", padding)
    whole = isinstance(value, float) and value.is_integer() and not dtype.startswith("float")
    _fits(int(value) if whole else value, dtype)
    return [(tuple(n + lo + hi for n, (lo, hi) in zip(shape, padding, strict=True)), dtype)]


def scatter_add(x: Value, indices: Value, rows: int) -> list[Spec]:
    ((shape, dtype),) = fit("a:K M, i:K -> a:K M", [x, indices])
    return [((rows, shape[1]), dtype)]


# elementwise --------------------------------------------------------------------------------------
def _function(kind: str, name: str, dtype: str) -> str:
    """The dtype of a function's result. An Expression of one step knows what there is."""
    takes = KINDS.get(name, "float")
    floats = takes == "float" or name in FORMULAS
    need(dtype.startswith("float") or not floats, f"floats for {name}", dtype)
    need(dtype != "bool" or takes == "bool" or name in BOOLS, f"numbers for {name}", dtype)
    result = "bool" if takes == "bool" else dtype
    count = 1 if kind == "unary" else 2
    step = Step(kind, name, tuple(Register(i) for i in range(count)), result)
    try:
        Expression((dtype,) * count, (step,), (count,))
    except ValueError as error:
        raise Misfit(str(error)) from None
    return result


def unary(name: str, x: Value) -> list[Spec]:
    shape, dtype = typed(x)
    return [(shape, _function("unary", name, dtype))]


def _operands(*given: Value | Number) -> tuple[Shape, str]:
    """The common shape and dtype of buffers and at most one plain number."""
    buffers = [v for v in given if isinstance(v, Value)]
    need(len(buffers) >= max(1, len(given) - 1), "at most one plain number", given)
    dtype = one_dtype(*buffers, floats=False)
    shape: Shape = ()
    for v in given:
        if isinstance(v, Value):
            shape = together(shape, typed(v)[0])
        else:
            need(dtype != "bool" or isinstance(v, bool), "True or False beside bools", v)
            _fits(v, dtype)
    return shape, dtype


def binary(name: str, a: Value | Number, b: Value | Number) -> list[Spec]:
    shape, dtype = _operands(a, b)
    return [(shape, _function("binary", name, dtype))]


def where(condition: Value, a: Value | Number, b: Value | Number) -> list[Spec]:
    own, boolean = typed(condition)
    need(boolean == "bool", "a bool condition", boolean)
    shape, dtype = _operands(a, b)
    return [(together(own, shape), dtype)]


def cast(x: Value, dtype: str) -> list[Spec]:
    need(dtype in DTYPES, "a dtype", dtype)
    return [(typed(x)[0], dtype)]


def fused(expression: Expression, inputs: Sequence[Value], shape: Shape) -> list[Spec]:
    dtypes = tuple(typed(v)[1] for v in inputs)
    need(dtypes == expression.inputs, f"inputs {expression.inputs}", dtypes)
    whole: Shape = ()
    for v in inputs:
        whole = together(whole, typed(v)[0])
    need(whole == shape, f"inputs that broadcast to {shape}", whole)
    for step in expression.steps:
        read = [o.index for o in step.operands[-2:] if isinstance(o, Register)]
        dtype = expression.dtypes[read[-1]]
        for o in step.operands:
            if not isinstance(o, Register):
                _fits(o.value, dtype)
        if step.kind in ("unary", "binary"):
            _function(step.kind, step.name, dtype)
    made: list[Spec] = [(shape, expression.dtypes[r]) for r in expression.results]
    if expression.reduce is not None:
        made[-1] = _reduced(expression.reduce[0], *made[-1], expression.reduce[1])
    return made


# reductions ---------------------------------------------------------------------------------------
def _reduced(name: str, shape: Shape, dtype: str, axes: Shape) -> Spec:
    _axes(axes, shape)
    need(name not in ("any", "all") or dtype == "bool", f"bools for {name}", dtype)
    some = name not in ("max", "min") or all(shape[a] for a in axes)
    need(some, f"at least one element for {name}", shape)
    return tuple(n for i, n in enumerate(shape) if i not in axes), dtype


def reduce(name: str, x: Value, axes: Shape) -> list[Spec]:
    return [_reduced(name, *typed(x), axes)]


def mean(x: Value, axes: Shape) -> list[Spec]:
    return [_reduced("mean", typed(x)[0], one_dtype(x), axes)]


def arg_reduce(name: str, x: Value, axis: int) -> list[Spec]:
    return [(_reduced("max", *typed(x), (axis,))[0], "int64")]


# norms --------------------------------------------------------------------------------------------
def group_norm(x: Value, w: Value | None, b: Value | None, groups: int, eps: float) -> list[Spec]:
    whole = fit("N C *S, C?, C? -> N C *S", (x, w, b))
    (n, c, *_), dtype = whole[0]
    need(groups > 0 and c % groups == 0, f"groups that divide {c} channels", groups)
    return [*whole, ((n, groups), dtype), ((n, groups), dtype)]


# many at once -------------------------------------------------------------------------------------
def sum_squares(xs: Sequence[Value]) -> list[Spec]:
    return [((), one_dtype(*xs))]


def scale_all(xs: Sequence[Value], s: Value) -> list[Spec]:
    need(typed(s)[0] == (), "one number without axes", typed(s)[0])
    dtype = one_dtype(*xs, s)
    return [(typed(x)[0], dtype) for x in xs]


RULES: dict[str, Callable[..., list[Spec]]] = {
    rule.__name__: rule
    for rule in (
        *(full, reshape, strided, unstrided, transpose, expand, cat, pad, scatter_add),
        *(unary, binary, where, cast, fused, reduce, mean, arg_reduce, sum_squares, scale_all),
        group_norm,
    )
} | WINDOW_RULES
