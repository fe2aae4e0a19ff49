"""Are the gradient rules right? Compare them with central differences in float64.

    (f(x + eps u) - f(x - eps u)) . v / (2 eps)  =  v^T J u + O(eps^2)

with u and v unit vectors, one for each element, or in fast mode one irregular vector each.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from math import isclose, isnan, prod, sin
from typing import TYPE_CHECKING, Any, NamedTuple

from etude.backends.base import Shape

from . import tensor as _tensor
from .autograd import enable_grad
from .dtypes import float64
from .errors import DTypeError, GradError, fail
from .sweep import grad

if TYPE_CHECKING:
    from .tensor import Tensor

Function = Callable[..., Any]
Vector = dict[int, float]  # weights by flat position


class Rule(NamedTuple):
    """How far to step, and how far numeric and analytic values may be apart."""

    op: str
    eps: float
    atol: float
    rtol: float
    fast: bool


def gradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    fast_mode: bool = False,
) -> bool:
    """Whether the gradients of `func` agree with central differences.

    |numeric - analytic| <= atol + rtol |numeric|, for every element of every float output and of
    every input that requires a gradient.

    Args: `func` takes the inputs and returns one tensor or several. Inputs that require a gradient
    are float64; others, tensors or not, are passed through. `eps` is the step. With
    `raise_exception=False` a disagreement gives False. With `fast_mode=True` one direction in the
    space of each input and of each output is compared in place of every pair of elements: two runs
    for each input.

    Returns: True. Raises: GradError, naming input, element and both values; DTypeError for an input
    that requires a gradient and is not float64.

    Source: Goodfellow, Bengio & Courville 2016, section 11.5. Decks: none; the check that every
    hand-derived gradient needs.
    """
    given = _checked("gradcheck", inputs)
    return _verdict(Rule("gradcheck", eps, atol, rtol, fast_mode), func, given, raise_exception)


def gradgradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    fast_mode: bool = False,
) -> bool:
    """`gradcheck` for the gradients of `func`, as functions of its inputs and of `grad_outputs`.

    `grad_outputs` are the gradients that arrive at the float outputs; by default irregular numbers.
    Source: Goodfellow, Bengio & Courville 2016, section 11.5. Decks: none; second derivatives as
    the contractive auto-encoder (D0) takes them.
    """
    given = _checked("gradgradcheck", inputs)
    with enable_grad():
        outs = _float_outputs(func(*given))
    if grad_outputs is None:
        seeds = [_like(y, _irregular(prod(y.shape), 2.0)).requires_grad_() for y in outs]
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, _tensor.Tensor) else list(grad_outputs)

    def gradients(*args: Any) -> list[Tensor]:
        xs, gs = args[: len(given)], args[len(given) :]
        pairs = [
            (y, g) for y, g in zip(_float_outputs(func(*xs)), gs, strict=True) if y.requires_grad
        ]
        found = grad(
            [y for y, _ in pairs],
            [x for x in xs if _wants(x)],
            [g for _, g in pairs],
            create_graph=True,
            allow_unused=True,
        )
        return [g for g in found if g is not None]

    rule = Rule("gradgradcheck", eps, atol, rtol, fast_mode)
    return _verdict(rule, gradients, [*given, *seeds], raise_exception)


def _wants(x: Any) -> bool:
    return isinstance(x, _tensor.Tensor) and x.requires_grad


def _checked(op: str, inputs: Any) -> list[Any]:
    """The inputs as a list; one or more want a gradient, and all those are float64."""
    given = [inputs] if isinstance(inputs, _tensor.Tensor) else list(inputs)
    for number, x in enumerate(given):
        if _wants(x) and x.dtype is not float64:
            raise fail(
                DTypeError,
                op,
                f"expected float64 for input {number}, got {x.dtype}, where "
                "differences drown in rounding; make it with dtype=etude.float64",
            )
    if not any(map(_wants, given)):
        raise fail(
            GradError,
            op,
            "expected an input that requires a gradient, got none; call requires_grad_() on one",
        )
    return given


def _verdict(rule: Rule, func: Function, given: list[Any], raise_exception: bool) -> bool:
    try:
        with enable_grad():
            _compare(rule, func, given)
    except GradError:
        if raise_exception:
            raise
        return False
    return True


def _compare(rule: Rule, func: Function, given: list[Any]) -> None:
    """Raise GradError at the first pair of elements, or directions, where the values differ."""
    wanted = [number for number, x in enumerate(given) if _wants(x)]
    outs = _float_outputs(func(*given))
    probes = [_vectors(prod(y.shape), rule.fast, 1.0) for y in outs]
    rows = [
        [_pull(y, v, [given[n] for n in wanted]) for v in vs]
        for y, vs in zip(outs, probes, strict=True)
    ]
    for at, number in enumerate(wanted):
        x = given[number]
        for u in _vectors(prod(x.shape), rule.fast, 0.0):
            slopes = _push(func, given, number, u, rule.eps)
            for output, (slope, y) in enumerate(zip(slopes, outs, strict=True)):
                for v, row in zip(probes[output], rows[output], strict=True):
                    numeric, analytic = _dot(v, slope), _dot(u, row[at])
                    scale = sum(abs(w * row[at][i]) for i, w in u.items())
                    if not _agree(numeric, analytic, rule.atol + rule.rtol * scale):
                        place = (
                            f"input {number}{_place(u, x.shape)}, "
                            f"output {output}{_place(v, y.shape)}"
                        )
                        raise _disagreement(rule.op, place, numeric, analytic)


def _agree(a: float, b: float, tolerance: float) -> bool:
    return isclose(a, b, rel_tol=0.0, abs_tol=tolerance) or (isnan(a) and isnan(b))


def _disagreement(op: str, place: str, numeric: float, analytic: float) -> GradError:
    return GradError(
        f"[{op}] the gradients disagree at {place}: expected {numeric:.9g} by differences, "
        f"got {analytic:.9g}; check the op's vjp, and that the function is smooth there"
    )


def _place(vector: Vector, shape: Shape) -> str:
    """ " element [1, 2]" for a unit vector, nothing for a direction or a scalar."""
    if not shape or len(vector) != 1:
        return ""
    (flat,) = vector
    index = []
    for n in reversed(shape):
        flat, i = divmod(flat, n)
        index.append(i)
    return f" element {index[::-1]}"


def _irregular(size: int, phase: float) -> list[float]:
    """Numbers without a pattern that a wrong gradient could hide in, between 0.4 and 1.6."""
    return [1.0 + 0.6 * sin(12.9898 * i + phase) for i in range(size)]


def _vectors(size: int, fast: bool, phase: float) -> list[Vector]:
    if fast:
        return [dict(enumerate(_irregular(size, phase)))]
    return [{i: 1.0} for i in range(size)]


def _dot(vector: Vector, values: list[float]) -> float:
    return sum(w * values[i] for i, w in vector.items())


def _float_outputs(result: Any) -> list[Tensor]:
    outs = [result] if isinstance(result, _tensor.Tensor) else list(result)
    return [y for y in outs if y.dtype.is_floating_point]


def _flat(x: Tensor) -> list[float]:
    return list(map(float, x.backend.to_host(x.buffer)))


def _like(x: Tensor, values: list[float]) -> Tensor:
    """A new leaf with these values in the shape, dtype and backend of x."""
    buffer = x.backend.from_host(memoryview(array("d", values)), x.shape, float64)
    return _tensor.Tensor(buffer, x.shape, float64, x.backend).to(x.dtype)


def _pull(y: Tensor, v: Vector, xs: list[Tensor]) -> list[list[float]]:
    """v^T J for each of xs, flat."""
    zeros = [[0.0] * prod(x.shape) for x in xs]
    if not y.requires_grad:
        return zeros
    seed = [v.get(i, 0.0) for i in range(prod(y.shape))]
    found = grad(y, xs, _like(y, seed), retain_graph=True, allow_unused=True)
    return [z if g is None else _flat(g) for z, g in zip(zeros, found, strict=True)]


def _push(
    func: Function, given: list[Any], number: int, u: Vector, eps: float
) -> list[list[float]]:
    """J u for each output, flat, by a step to either side."""
    ends = []
    for step in (eps, -eps):
        moved = _flat(given[number])
        for i, w in u.items():
            moved[i] += step * w
        args = list(given)
        args[number] = _like(given[number], moved).requires_grad_()
        ends.append([_flat(y) for y in _float_outputs(func(*args))])
    return [
        [(b - a) / (2 * eps) for b, a in zip(up, down, strict=True)]
        for up, down in zip(*ends, strict=True)
    ]
