"""Reductions over axes, running sums, positions of extremes, sorting order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from etude.backends.base import Backend, Buffer, Shape

from .. import tensor as _tensor
from ..autograd import Op, Spec, apply
from ..dtypes import DEFAULT, as_dtype, bool_, int64
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..shape import check_axes, check_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

Axes = int | Sequence[int] | None


class Found(NamedTuple):
    """Elements of a tensor and where they stood along the axis."""

    values: Tensor
    indices: Tensor


class Reduce(Op):
    """A reduction by name over axes, which leave the shape."""

    def __init__(self, name: str, axes: Shape) -> None:
        self.name, self.axes = name, axes
        self.keeps_output = name in ("max", "min", "prod")

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        if self.name in ("max", "min") and any(x.shape[a] == 0 for a in self.axes):
            raise fail(
                ShapeError,
                self.name,
                f"expected at least one element, got axes {self.axes} of shape {x.shape}; "
                "leave empty tensors out",
            )
        return tuple(n for i, n in enumerate(x.shape) if i not in self.axes), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.reduce(self.name, buffers[0], self.axes)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        from .layout import Expand, Reshape

        (x,) = inputs
        kept = self._kept(x.shape)
        wide = g if g.shape in ((), kept) else apply(Reshape(kept), g)
        spread = wide if x.shape == wide.shape else apply(Expand(x.shape), wide)
        if self.name == "sum":
            return (spread,)
        if self.name == "prod":
            return (spread * _product_of_others(x, self.axes),)
        from .derivatives import EQ
        from .elementwise import cast

        hit = cast(EQ(x, y.reshape(kept)) | (x.isnan()), x.dtype)
        count = sum_(hit, self.axes, True)
        return (hit * (wide / count),)

    def _kept(self, shape: Shape) -> Shape:
        return tuple(1 if i in self.axes else n for i, n in enumerate(shape))

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(inputs[0][0])


class ArgReduce(Op):
    """The position of the largest or smallest element along one axis."""

    def __init__(self, name: str, axis: int) -> None:
        self.name, self.axis = name, axis

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        if x.shape[self.axis] == 0:
            raise fail(
                ShapeError,
                self.name,
                f"expected at least one element, got axis {self.axis} of shape {x.shape}; "
                "leave empty tensors out",
            )
        return x.shape[: self.axis] + x.shape[self.axis + 1 :], int64

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.arg_reduce(self.name, buffers[0], self.axis)


class Scan(Op):
    """A running sum or product."""

    def __init__(self, name: str, axis: int) -> None:
        self.name, self.axis = name, axis
        self.keeps_output = name == "cumprod"

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.scan(self.name, buffers[0], self.axis)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        from .layout import flip

        if self.name == "cumsum":
            return (flip(cumsum(flip(g, [self.axis]), self.axis), [self.axis]),)
        return (_cumprod_grad(g, inputs[0], self.axis),)


class ArgSort(Op):
    """The stable sorting order along an axis."""

    name = "argsort"

    def __init__(self, axis: int, descending: bool) -> None:
        self.axis, self.descending = axis, descending

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, int64

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.argsort(buffers[0], self.axis, self.descending)


def _exclusive_product(x: Tensor, axis: int) -> Tensor:
    """The product of all earlier elements along an axis."""
    from .layout import cat, narrow

    shape = x.shape[:axis] + (1,) + x.shape[axis + 1 :]
    one = _tensor.ones(shape, dtype=x.dtype, backend=x.backend)
    return cumprod(cat([one, narrow(x, axis, 0, x.shape[axis] - 1)], axis), axis)


def _product_of_others(x: Tensor, axes: Shape) -> Tensor:
    """For each element the product of all others in its group; exact with zeros in the group."""
    from .layout import flip, permute

    rest = tuple(i for i in range(len(x.shape)) if i not in axes)
    order = rest + axes
    moved = permute(x, order)
    if prod(x.shape) == 0:
        return x
    flat = moved.reshape(tuple(x.shape[i] for i in rest) + (prod(x.shape[i] for i in axes),))
    last = len(rest)
    after = flip(_exclusive_product(flip(flat, [last]), last), [last])
    others = (_exclusive_product(flat, last) * after).reshape(moved.shape)
    inverse = [0] * len(order)
    for i, a in enumerate(order):
        inverse[a] = i
    return permute(others, inverse)


def _cumprod_grad(g: Tensor, x: Tensor, axis: int) -> Tensor:
    """gx_k = sum_{j >= k} g_j prod_{i <= j, i != k} x_i, by one masked product per pair (k, j).

    Quadratic in the length, but exact where x holds zeros, and differentiable again.
    """
    from .elementwise import select
    from .layout import expand, movedim

    n = x.shape[axis]
    if n == 0:
        return g
    moved, gm = movedim(x, axis, -1), movedim(g, axis, -1)
    wide = expand(moved.unsqueeze(-2), (*moved.shape[:-1], n, n))  # [..., k, i]
    eye = _tensor.eye(n, dtype=bool_, backend=x.backend)
    products = cumprod(select(eye, 1.0, wide), -1)  # [..., k, j]
    upper = _tensor.ones((n, n), dtype=bool_, backend=x.backend).triu()
    return movedim(sum_(select(upper, products, 0.0) * gm.unsqueeze(-2), -1), -1, axis)


def sum_to(g: Tensor, shape: Shape) -> Tensor:
    """Undo broadcasting: sum g over the axes that `shape` lacks or holds as 1."""
    if g.shape == shape:
        return g
    lead = len(g.shape) - len(shape)
    axes = (
        *range(lead),
        *(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1),
    )
    total = apply(Reduce("sum", axes), g)
    return total if total.shape == shape else total.reshape(shape)


def reduction(name: str, x: Tensor, axes: Shape, keepdim: bool) -> Tensor:
    """Apply a Reduce and put the reduced axes back as ones if asked."""
    y = apply(Reduce(name, axes), x) if axes else x
    if not keepdim:
        return y
    return y.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def sum_(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over `dim` (all axes by default). bool and int32 are summed as int64, as in torch."""
    x = _as_counted("sum", input, dtype)
    return reduction("sum", x, check_axes("sum", dim, len(x.shape)), keepdim)


def prod_(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Product over `dim`. bool and int32 are multiplied as int64."""
    x = _as_counted("prod", input, dtype)
    return reduction("prod", x, check_axes("prod", dim, len(x.shape)), keepdim)


def _as_counted(op: str, x: Tensor, dtype: Any) -> Tensor:
    if dtype is not None:
        return x.to(as_dtype(dtype, op))
    return x if x.dtype.is_floating_point or x.dtype is int64 else x.to(int64)


def mean(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Mean over `dim`, of floats."""
    x = input if dtype is None else input.to(dtype)
    if not x.dtype.is_floating_point:
        raise fail(
            DTypeError,
            "mean",
            f"expected a float tensor, got {x.dtype}; "
            "convert it with .float() or pass dtype=etude.float32",
        )
    axes = check_axes("mean", dim, len(x.shape))
    count = prod(x.shape[a] for a in axes)
    total = reduction("sum", x, axes, keepdim)
    return total / float(count)


def var(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> Tensor:
    """sum((x - mean)^2) / (n - correction); correction 1 is the unbiased estimate, as in torch."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = 1 if unbiased else 0
    if correction is None:
        correction = 1
    if not input.dtype.is_floating_point:
        raise fail(
            DTypeError,
            "var",
            f"expected a float tensor, got {input.dtype}; convert it with .float()",
        )
    axes = check_axes("var", dim, len(input.shape))
    centred = input - mean(input, axes, True)
    count = prod(input.shape[a] for a in axes)
    return reduction("sum", centred * centred, axes, keepdim) / float(max(count - correction, 0))


def std(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> Tensor:
    """The square root of `var`."""
    return var(input, dim, unbiased, keepdim, correction=correction).sqrt()


def amax(input: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Largest element over `dim`; equal maxima share the gradient evenly."""
    return reduction("max", input, check_axes("amax", dim, len(input.shape)), keepdim)


def amin(input: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Smallest element over `dim`; equal minima share the gradient evenly."""
    return reduction("min", input, check_axes("amin", dim, len(input.shape)), keepdim)


def max_(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Without `dim` the largest element; with it (values, indices); with a Tensor, `maximum`."""
    return _extreme("max", input, dim, keepdim)


def min_(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Without `dim` the smallest element; with it (values, indices); with a Tensor, `minimum`."""
    return _extreme("min", input, dim, keepdim)


def _extreme(name: str, x: Tensor, dim: Any, keepdim: bool) -> Any:
    from .derivatives import MAXIMUM, MINIMUM
    from .index import gather

    if dim is None:
        return reduction(name, x, tuple(range(len(x.shape))), False)
    if isinstance(dim, _tensor.Tensor):
        return (MAXIMUM if name == "max" else MINIMUM)(x, dim)
    axis = check_axis(name, dim, len(x.shape))
    if not x.shape:
        return Found(x.clone(), _tensor.zeros((), dtype=int64, backend=x.backend))
    where = apply(ArgReduce("arg" + name, axis), x)
    values = gather(x, axis, where.unsqueeze(axis))
    if keepdim:
        return Found(values, where.unsqueeze(axis))
    return Found(values.squeeze(axis), where)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the first largest element, of the flattened tensor or along `dim`."""
    return _arg("argmax", input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the first smallest element, of the flattened tensor or along `dim`."""
    return _arg("argmin", input, dim, keepdim)


def _arg(name: str, x: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    if dim is None:
        y = apply(ArgReduce(name, 0), x.reshape(-1))
        return y.reshape((1,) * len(x.shape)) if keepdim else y
    axis = check_axis(name, dim, len(x.shape))
    if not x.shape:
        return apply(ArgReduce(name, 0), x.reshape(1))
    y = apply(ArgReduce(name, axis), x)
    return y.unsqueeze(axis) if keepdim else y


def all_(input: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true (not zero)."""
    return reduction("all", input.to(bool_), check_axes("all", dim, len(input.shape)), keepdim)


def any_(input: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether some element is true (not zero)."""
    return reduction("any", input.to(bool_), check_axes("any", dim, len(input.shape)), keepdim)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sum along `dim`."""
    return _scan("cumsum", input, dim, dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running product along `dim`."""
    return _scan("cumprod", input, dim, dtype)


def _scan(name: str, x: Tensor, dim: int, dtype: Any) -> Tensor:
    x = _as_counted(name, x, dtype)
    axis = check_axis(name, dim, len(x.shape))
    return apply(Scan(name, axis), x) if x.shape else x.clone()


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The order that sorts `input` along `dim`, always a stable one. nan counts as the largest."""
    axis = check_axis("argsort", dim, len(input.shape))
    if not input.shape:
        return _tensor.zeros((), dtype=int64, backend=input.backend)
    return apply(ArgSort(axis, descending), input)


def logsumexp(input: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) with the maximum taken out first, so that nothing overflows."""
    from .elementwise import select

    x = input if input.dtype.is_floating_point else input.to(DEFAULT)
    axes = check_axes("logsumexp", dim, len(x.shape))
    if any(x.shape[a] == 0 for a in axes):
        return sum_(x.exp(), axes, keepdim).log()
    top = amax(x, axes, True).detach()
    top = select(top.isfinite(), top, 0.0)
    total = sum_((x - top).exp(), axes, True).log() + top
    return (
        total
        if keepdim
        else total.reshape(tuple(n for i, n in enumerate(x.shape) if i not in axes))
    )


def norm(input: Tensor, p: float | str = "fro", dim: Axes = None, keepdim: bool = False) -> Tensor:
    """(sum |x|^p)^(1/p); p = inf is the largest |x|, p = 0 counts nonzeros, "fro" is p = 2."""
    axes = check_axes("norm", dim, len(input.shape))
    order = 2.0 if p == "fro" else p
    if isinstance(order, str):
        raise fail(
            ArgumentError, "norm", f"expected a number or 'fro' for p, got {p!r}; use 2 for length"
        )
    if order == 2:
        return _euclidean(input, axes, keepdim)
    size = input.abs()
    if order == float("inf"):
        return amax(size, axes, keepdim)
    if order == float("-inf"):
        return amin(size, axes, keepdim)
    if order == 0:
        return sum_((size != 0).to(input.dtype), axes, keepdim)
    if order == 1:
        return sum_(size, axes, keepdim)
    if order < 0:
        return sum_(size**order, axes, keepdim) ** (1.0 / order)
    return _power(sum_(_power(size, order), axes, keepdim), 1.0 / order)


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x >= 0 and a positive exponent, with gradient 0 at x = 0, as in torch."""
    from .elementwise import select

    zero = x == 0
    return select(zero, 0.0, select(zero, 1.0, x) ** exponent)


def _euclidean(x: Tensor, axes: Shape, keepdim: bool) -> Tensor:
    """sqrt(sum x^2), with gradient 0 at x = 0, as in torch."""
    return _power(sum_(x * x, axes, keepdim), 0.5)
