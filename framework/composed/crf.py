"""The fully connected conditional random field over the pixels of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..checks import real, whole
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.index import gather
from ..ops.layout import permute, reshape
from ..ops.matmul import matmul
from ..ops.pointwise import floor_divide, remainder
from ..ops.softmax import softmax

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["crf_energy", "crf_mean_field", "crf_pairwise"]

MOST = 10_000


def crf_pairwise(
    image: Tensor,
    w1: float = 1.0,
    alpha: float = 0.01,
    beta: float = 10.0,
    w2: float = 1.0,
    gamma: float = 0.1,
) -> Tensor:
    """k_ij = w1 exp(-alpha |p_i - p_j|^2 - beta |I_i - I_j|^2) + w2 exp(-gamma |p_i - p_j|^2).

    k_ii is 0. The first Gaussian binds near pixels of like colour, the second near pixels whatever
    they look like. In the paper's terms alpha = 1 / (2 theta_alpha^2), and so on.

    Args: image (N, C, H, W), float, the colours I; places p count pixels. Returns: (N, H W, H W):
    exact and quadratic, for small images. Raises: ShapeError, ArgumentError.
    Source: Krähenbühl & Koltun 2011, equation 3. Decks: D3.
    """
    op = "crf_pairwise"
    x = float_tensor(op, image)
    if len(x.shape) != 4:
        raise fail(ShapeError, op, f"expected images (N, C, H, W), got {x.shape}; use unsqueeze(0)")
    given = {"w1": w1, "alpha": alpha, "beta": beta, "w2": w2, "gamma": gamma}
    for name, value in given.items():
        real(op, name, value)
    n, channels, height, width = x.shape
    pixels = height * width
    number = _tensor.arange(pixels, backend=x.backend)
    rows = floor_divide(number, width).to(x.dtype)
    columns = remainder(number, width).to(x.dtype)
    near = _squares(rows) + _squares(columns)
    colours = permute(reshape(x, n, channels, pixels), (0, 2, 1))
    d = colours.unsqueeze(2) - colours.unsqueeze(1)
    alike = e.EXP((d * d).sum(3) * -beta - near * alpha) * w1 + e.EXP(near * -gamma) * w2
    apart = e.NE(number.unsqueeze(1), number.unsqueeze(0)).to(x.dtype)
    return alike * apart


def _squares(v: Tensor) -> Tensor:
    d = v.unsqueeze(1) - v.unsqueeze(0)
    return d * d


def crf_energy(labels: Tensor, unary: Tensor, pairwise: Tensor) -> Tensor:
    """E(x) = sum_i theta_i(x_i) + sum over pairs i < j of [x_i != x_j] k_ij.

    The most probable labels have the least energy. Args: labels (N, H, W) int64; unary (N, K, H, W)
    float, theta, as -log_softmax of a network's scores; pairwise (N, H W, H W) from crf_pairwise.
    Returns: (N,). Raises: ShapeError, IndexOutOfRange.
    Source: Krähenbühl & Koltun 2011, equation 1; Chen et al. 2016 (DeepLab). Decks: D3.
    """
    op = "crf_energy"
    theta = _check(op, unary, pairwise)
    n, _, height, width = theta.shape
    if labels.shape != (n, height, width):
        raise fail(
            ShapeError,
            op,
            f"expected labels {(n, height, width)}, got {labels.shape}; take argmax(1)",
        )
    own = reshape(gather(theta, 1, labels.unsqueeze(1)), n, -1).sum(1)
    flat = reshape(labels, n, height * width)
    differ = e.NE(flat.unsqueeze(2), flat.unsqueeze(1)).to(theta.dtype)
    return own + (pairwise * differ).sum((1, 2)) * 0.5


def crf_mean_field(unary: Tensor, pairwise: Tensor, iterations: int = 10) -> Tensor:
    """Q_i(l) = exp(-theta_i(l) - sum_{l' != l} sum_j k_ij Q_j(l')) / Z_i, again and again.

    From Q = softmax(-theta), all pixels at once; each is the label's probability under the best
    distribution of independent pixels. The gradient goes through all iterations.

    Args: unary and pairwise as for crf_energy. Returns: (N, K, H, W), sums over K are 1.
    Raises: ShapeError, ArgumentError.
    Source: Krähenbühl & Koltun 2011, algorithm 1 (without its filtering; exact). Decks: D3.
    """
    op = "crf_mean_field"
    theta = _check(op, unary, pairwise)
    n, classes, height, width = theta.shape
    energies = reshape(theta, n, classes, height * width)
    q = softmax(-energies, 1)
    if whole(op, "iterations", iterations, 0) > MOST:
        raise fail(
            ArgumentError,
            op,
            f"expected at most {MOST} iterations, got more; 10 are enough: it has settled by then",
        )
    for _ in range(iterations):
        # The sum over other labels is that over all, equal for each l, less the label's own.
        q = softmax(matmul(q, pairwise) - energies, 1)
    return reshape(q, n, classes, height, width)


def _check(op: str, unary: Tensor, pairwise: Tensor) -> Tensor:
    theta = float_tensor(op, unary)
    pixels = theta.shape[-2] * theta.shape[-1] if len(theta.shape) == 4 else 0
    if len(theta.shape) != 4 or pairwise.shape != (theta.shape[0], pixels, pixels):
        raise fail(
            ShapeError,
            op,
            f"expected unary (N, K, H, W) and pairwise (N, H W, H W), got {theta.shape} and "
            f"{pairwise.shape}; make the latter with crf_pairwise(image)",
        )
    return theta
