"""Initial weights. Every function fills a tensor in place and returns it.

The draws happen on the tensor's own backend, from etude's one generator; the formulas use only
operations that every backend rounds alike, so one seed gives the same weights everywhere, to the
bit.

fan_in is the number of inputs that one output sums over (in_features, or C/groups * prod(kernel));
fan_out is the number of outputs that one input reaches. For a weight (a, b, *kernel) they are
b * prod(kernel) and a * prod(kernel).

The lecture decks' forms are here under these names:

    uniform +-sqrt(3) sigma       uniform_(w, -sqrt(3) * sigma, sqrt(3) * sigma): deviation sigma
    Xavier, 1/sqrt(N) (D0, D3)    lecun_normal_
    Xavier, 2/(n_in + n_out) (D2) xavier_normal_
    He                            kaiming_normal_(w, nonlinearity="relu")
    Kumar                         kumar_normal_
    Saxe                          orthogonal_, by SVD with form="SVD"
    Mishkin & Matas               nn.lsuv_(model, batch)
    positive bias for ReLU        constant_(b, 0.1)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod, sqrt
from typing import Any

from .. import functional as F
from ..autograd import enable_grad, no_grad
from ..checks import choice, real
from ..checks import tensor as expect_tensor
from ..creation import eye, zeros
from ..dtypes import float64
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..inplace import replace
from ..ops.sampling import Generator
from ..sweep import grad
from ..tensor import Tensor

GAINS = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
)

POLAR_STEPS, POLAR_ERROR = 100, 1e-13

# Value and slope at 0 of each activation that Kumar's formula covers: those smooth there.
AT_ZERO = {
    "linear": (0.0, 1.0),
    "sigmoid": (0.5, 0.25),
    "tanh": (0.0, 1.0),
    "softplus": (math.log(2.0), 0.5),
    "elu": (0.0, 1.0),
    "silu": (0.0, 0.5),
    "gelu": (0.0, 0.5),
}


def _filled(op: str, tensor: Tensor, values: Tensor) -> Tensor:
    with no_grad():
        return replace(tensor, op, values)


def _floats(op: str, tensor: Tensor) -> None:
    if not expect_tensor(op, "tensor", tensor).dtype.is_floating_point:
        raise fail(
            DTypeError, op, f"expected a float tensor, got {tensor.dtype}; convert with .float()"
        )


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element is `val`. A small positive bias keeps ReLU units alive at first.

    Source: Krizhevsky et al. 2012, section 5. Decks: D2.
    """
    expect_tensor("constant_", "tensor", tensor)
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros. For biases: weights of equal units would stay equal for ever.

    Source: Rumelhart, Hinton & Williams 1986. Decks: D0, D2.
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """U(a, b), whose standard deviation is (b - a) / sqrt(12).

    Source: LeCun et al. 1998 (Efficient BackProp), section 4.6. Decks: D0.
    """
    _floats("uniform_", tensor)
    if not a <= b:
        raise fail(ArgumentError, "uniform_", f"expected a <= b, got {a} and {b}; swap them")
    u = F.rand(tensor.shape, dtype=tensor.dtype, backend=tensor.backend, generator=generator)
    return _filled("uniform_", tensor, u * (b - a) + a)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """N(mean, std^2). Source: Krizhevsky et al. 2012, section 5 (deviation 0.01). Decks: D0, D2."""
    _floats("normal_", tensor)
    real("normal_", "std", std)
    z = F.randn(tensor.shape, dtype=tensor.dtype, backend=tensor.backend, generator=generator)
    return _filled("normal_", tensor, z * std + mean)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity; `param` is leaky_relu's slope.

    1 for linear, conv and sigmoid, 5/3 for tanh, sqrt(2) for relu, 3/4 for selu,
    sqrt(2 / (1 + slope^2)) for leaky_relu.
    """
    choice("calculate_gain", "nonlinearity", nonlinearity, GAINS)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else real("calculate_gain", "param", param, -math.inf)
        return sqrt(2.0 / (1.0 + slope**2))
    return {"tanh": 5.0 / 3.0, "relu": sqrt(2.0), "selu": 0.75}.get(nonlinearity, 1.0)


def fans(op: str, tensor: Any) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel)."""
    shape = expect_tensor(op, "tensor", tensor).shape
    if len(shape) < 2:
        raise fail(
            ShapeError,
            op,
            f"expected a weight of at least 2 axes (out, in, ...), got {shape}; "
            "use zeros_, normal_ or uniform_ for a bias",
        )
    return shape[1] * prod(shape[2:]), shape[0] * prod(shape[2:])


def _spread(gain: float, fan: float) -> float:
    return gain / sqrt(fan) if fan else 0.0


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)). Glorot & Bengio 2010, equation 16.

    Decks: D0 (as U(-sqrt(3) s, sqrt(3) s), whose s is `lecun_normal_`'s; here `xavier_normal_`'s).
    """
    std = _spread(gain, sum(fans("xavier_uniform_", tensor)) / 2.0)
    return uniform_(tensor, -sqrt(3.0) * std, sqrt(3.0) * std, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(0, s^2) with s = gain sqrt(2 / (fan_in + fan_out)). Glorot & Bengio 2010.

    Decks: D2. D0 and D3 give the name Xavier to s = 1 / sqrt(fan_in): that is `lecun_normal_`.
    """
    std = _spread(gain, sum(fans("xavier_normal_", tensor)) / 2.0)
    return normal_(tensor, 0.0, std, generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """N(0, s^2) with s = 1 / sqrt(fan_in).

    LeCun et al., "Efficient BackProp", 1998. The same as kaiming_normal_(nonlinearity="linear").
    Decks: D0, D3, which call it Xavier, as Caffe does.
    """
    return normal_(tensor, 0.0, _spread(1.0, fans("lecun_normal_", tensor)[0]), generator)


def _kaiming(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    choice(op, "mode", mode, ("fan_in", "fan_out"))
    fan_in, fan_out = fans(op, tensor)
    return _spread(calculate_gain(nonlinearity, a), fan_in if mode == "fan_in" else fan_out)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """U(-b, b) with b = gain sqrt(3 / fan), `a` being leaky_relu's slope. He et al. 2015, eq. 10.

    Linear and convolution start with a = sqrt(5), which gives b = 1 / sqrt(fan_in), as in torch.
    """
    std = _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -sqrt(3.0) * std, sqrt(3.0) * std, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """N(0, s^2) with s = gain / sqrt(fan): sqrt(2 / fan_in) for ReLU. He et al. 2015 (10).

    Decks: D0, D3.
    """
    std = _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def kumar_normal_(
    tensor: Tensor,
    nonlinearity: str | Callable[[Tensor], Tensor] = "sigmoid",
    generator: Generator | None = None,
) -> Tensor:
    """N(0, s^2) with s^2 = 1 / (N g'(0)^2 (1 + g(0)^2)), N = fan_in and g the activation.

    About (3.6 / sqrt(N))^2 for the sigmoid, whose mean is not 0. For g differentiable at 0; Kumar,
    "On weight initialization in deep neural networks", 2017. For ReLU the paper arrives at He's
    form. nonlinearity: a name, or any function, whose g(0), g'(0) are then found. Decks: D0.
    """
    op = "kumar_normal_"
    if nonlinearity in ("relu", "leaky_relu"):
        raise fail(
            ArgumentError,
            op,
            f"expected an activation with a derivative at 0, got {nonlinearity!r}; "
            "use kaiming_normal_",
        )
    if callable(nonlinearity):
        value, slope = _at_zero(op, nonlinearity)
    else:
        value, slope = AT_ZERO[choice(op, "nonlinearity", nonlinearity, AT_ZERO)]
    gain = 1.0 / (abs(slope) * sqrt(1.0 + value**2))
    return normal_(tensor, 0.0, _spread(gain, fans(op, tensor)[0]), generator)


def _at_zero(op: str, function: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """Value and slope of a function at 0."""
    zero = zeros((), dtype=float64).requires_grad_()
    with enable_grad():
        value = function(zero)
        slope = grad(value, zero, allow_unused=True)[0]
    if slope is None or not slope.item():
        raise fail(
            ArgumentError,
            op,
            "expected an activation with a slope at 0, got one without; use kaiming_normal_",
        )
    return value.item(), slope.item()


def orthogonal_(
    tensor: Tensor,
    gain: float = 1.0,
    generator: Generator | None = None,
    *,
    form: str = "QR",
) -> Tensor:
    """gain * Q with orthonormal rows (or columns, whichever are fewer) of the (out, rest) matrix.

    Q is a factor of a normal matrix M, uniform over the orthogonal matrices either way: for "QR"
    the one whose triangular part has a positive diagonal, as in torch; for "SVD" U V^T of M = U S
    V^T, the orthogonal matrix nearest to M. Saxe et al. 2014. Decks: D0 (SVD).
    """
    choice("orthogonal_", "form", form, ("QR", "SVD"))
    shape = expect_tensor("orthogonal_", "tensor", tensor).shape
    fans("orthogonal_", tensor)
    rows, columns = shape[0], prod(shape[1:])
    z = F.randn(rows, columns, dtype=float64, backend=tensor.backend, generator=generator)
    factor = _orthonormal_rows if form == "QR" else _polar
    with no_grad():
        q = factor(z if rows <= columns else z.T)
    return _filled("orthogonal_", tensor, ((q if rows <= columns else q.T) * gain).reshape(shape))


def _orthonormal_rows(a: Tensor) -> Tensor:
    """Gram & Schmidt, modified and done twice, in sums that all backends add in one order."""
    for _sweep in range(2):
        done = []
        for _ in range(a.shape[0]):
            q = a[0] / _ordered_sum(a[:1] * a[:1]).sqrt()
            done.append(q)
            rest = a[1:]
            a = rest - _ordered_sum(rest * q).unsqueeze(1) * q
        a = F.stack(done) if done else a
    return a


def _polar(a: Tensor) -> Tensor:
    """U V^T of a = U S V^T by Newton & Schulz, which brings all singular values to 1."""
    if 0 in a.shape:
        return a
    q = a / F.norm(a)
    one = eye(a.shape[0], dtype=a.dtype, backend=a.backend)
    for _ in range(POLAR_STEPS):
        square = q @ q.T
        if F.amax(F.abs(square - one)).item() < POLAR_ERROR:
            break
        q = q * 1.5 - (square @ q) * 0.5
    return q


def _ordered_sum(x: Tensor) -> Tensor:
    """Row sums by halving: elementwise additions alone, so equal to the bit on every backend."""
    while x.shape[1] > 1:
        half = (x.shape[1] + 1) // 2
        low, high = x[:, :half], x[:, half:]
        x = low + F.pad(high, (0, 2 * half - x.shape[1]))
    return x[:, 0]
