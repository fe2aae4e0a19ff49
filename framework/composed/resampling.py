"""Images in another size: interpolation along one axis after another, and shuffled pixels.

Along an axis, each place of the result is a weighted sum of a few places of the input, its taps.
Their indices and weights depend on the sizes alone, so that a resampling is a gather, a product and
a sum for each tap, and its gradient a scatter.
"""

from __future__ import annotations

from array import array
from math import floor
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..ops.index import index_select
from ..ops.layout import permute, reshape
from ..ops.pool import adaptive_avg_pool
from ..shape import int_tuple

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle"]

Taps = list[list[tuple[int, float]]]  # for each place of the result: (index, weight)
RANKS = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """x (N, C, *S) resampled to `size` (or floor(S * scale_factor)), one to three spatial axes.

    mode "nearest", "nearest-exact", "linear" (1-d), "bilinear" and "bicubic" (2-d), "trilinear"
    (3-d) or "area" (adaptive averages). Place i of the result lies at (i + 1/2) n/m - 1/2 of the
    input, with `align_corners` at i (n - 1)/(m - 1); "nearest" takes floor(i n/m). With
    `scale_factor` n/m is 1 / scale_factor, unless `recompute_scale_factor`. `antialias` widens the
    kernel when it shrinks an image. Cubic: Keys 1981 with a = -3/4.
    """
    rank = len(input.shape) - 2
    _check_interpolate(input, rank, mode, align_corners, antialias)
    sizes, scales = _sizes(input, rank, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return adaptive_avg_pool(rank, input, sizes)
    y = input
    for axis, (m, scale) in enumerate(zip(sizes, scales, strict=True), 2):
        n = input.shape[axis]
        if m != n or scale != 1.0:
            y = _resample(y, axis, _taps(mode, n, m, scale, bool(align_corners), antialias))
    return y


def _check_interpolate(
    x: Tensor, rank: int, mode: str, align_corners: bool | None, antialias: bool
) -> None:
    op = "interpolate"
    if mode not in RANKS:
        raise fail(
            ArgumentError,
            op,
            f"expected a mode of {', '.join(map(repr, RANKS))}, got {mode!r}; use nearest",
        )
    if rank not in RANKS[mode]:
        raise fail(
            ShapeError,
            op,
            f"mode {mode!r} takes {' or '.join(map(str, RANKS[mode]))} spatial axes, "
            f"expected x (N, C, ...) with as many, got {x.shape}; "
            "choose another mode, or reshape x",
        )
    if align_corners is not None and (mode.startswith("nearest") or mode == "area"):
        raise fail(
            ArgumentError, op, f"expected no align_corners in mode {mode!r}, got one; leave it out"
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise fail(
            ArgumentError,
            op,
            f"expected mode 'bilinear' or 'bicubic' with antialias, got {mode!r}; "
            "leave antialias out",
        )
    if not mode.startswith("nearest") and not x.dtype.is_floating_point:
        raise fail(DTypeError, op, f"expected a float tensor, got {x.dtype}; use .float()")


def _sizes(
    x: Tensor, rank: int, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float]]:
    """Sizes of the result, and how many places of the input one of its places is."""
    op = "interpolate"
    if (size is None) == (scale_factor is None):
        raise fail(
            ArgumentError, op, "expected either size or scale_factor, got both or neither; give one"
        )
    old = x.shape[2:]
    if size is not None:
        if recompute:
            raise fail(
                ArgumentError,
                op,
                "expected recompute_scale_factor with scale_factor, got it with size; leave it out",
            )
        new = list(int_tuple(op, "size", size, rank, 1))
        return new, [n / m for n, m in zip(old, new, strict=True)]
    factors = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor]
    factors = [float(f) for f in (factors * rank if len(factors) == 1 else factors)]
    if len(factors) != rank or any(f <= 0 for f in factors):
        raise fail(
            ArgumentError,
            op,
            f"expected scale_factor as one or {rank} positive numbers, got {scale_factor!r}; "
            "use 2.0 to double the size",
        )
    new = [floor(n * f) for n, f in zip(old, factors, strict=True)]
    if 0 in new:
        raise fail(
            ArgumentError,
            op,
            f"expected a result with pixels, got {tuple(new)} from {old}; "
            "use a larger scale_factor",
        )
    if recompute:
        return new, [n / m for n, m in zip(old, new, strict=True)]
    return new, [1.0 / f for f in factors]


# taps ---------------------------------------------------------------------------------------------
def _taps(mode: str, n: int, m: int, scale: float, align: bool, antialias: bool) -> Taps:
    """The taps of each of m places along an axis of n."""
    if mode.startswith("nearest"):
        shift, step = (0.5 if mode == "nearest-exact" else 0.0), _float32(scale)
        return [[(min(floor(_float32((i + shift) * step)), n - 1), 1.0)] for i in range(m)]
    if align:
        scale = (n - 1) / (m - 1) if m > 1 else 0.0
    if antialias:
        return [_wide_taps(mode, n, i, scale) for i in range(m)]
    places = [i * scale if align else (i + 0.5) * scale - 0.5 for i in range(m)]
    if mode != "bicubic":
        return [_linear_taps(n, min(max(p, 0.0), n - 1.0)) for p in places]
    return [
        [(min(max(floor(p) + k, 0), n - 1), _cubic(p - floor(p) - k, -0.75)) for k in range(-1, 3)]
        for p in places
    ]


def _float32(x: float) -> float:
    """x rounded to float32: which of two neighbours is nearer can depend on it, as in torch."""
    return array("f", [x])[0]


def _linear_taps(n: int, place: float) -> list[tuple[int, float]]:
    low = min(floor(place), n - 1)
    return [(low, 1.0 - (place - low)), (min(low + 1, n - 1), place - low)]


def _wide_taps(mode: str, n: int, i: int, scale: float) -> list[tuple[int, float]]:
    """All places under a kernel that is as wide as the step between places of the result."""
    stretch = max(scale, 1.0)
    reach = (2.0 if mode == "bicubic" else 1.0) * stretch
    centre = scale * (i + 0.5)
    first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), n)
    gaps = [(j, (j - centre + 0.5) / stretch) for j in range(first, last)]
    kernel = _hat if mode == "bilinear" else _keys
    found = [(j, kernel(gap)) for j, gap in gaps]
    total = sum(w for _, w in found) or 1.0
    return [(j, w / total) for j, w in found]


def _hat(x: float) -> float:
    return max(1.0 - abs(x), 0.0)


def _keys(x: float) -> float:
    return _cubic(x, -0.5)


def _cubic(x: float, a: float) -> float:
    """Keys' cubic convolution kernel; a = -3/4 in torch's bicubic, -1/2 when antialiasing."""
    x = abs(x)
    if x <= 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    return (((x - 5.0) * x + 8.0) * x - 4.0) * a if x < 2.0 else 0.0


def _resample(x: Tensor, axis: int, taps: Taps) -> Tensor:
    """The weighted sum of the taps of each place along an axis."""
    width = max(map(len, taps))
    padded = [row + [(row[-1][0], 0.0)] * (width - len(row)) for row in taps]
    total: Any = None
    for column in zip(*padded, strict=True):
        part = index_select(x, axis, [i for i, _ in column])
        weights = [w for _, w in column]
        if any(w != 1.0 for w in weights):
            shape = tuple(-1 if i == axis else 1 for i in range(len(x.shape)))
            w = _tensor.tensor(weights, dtype=x.dtype, backend=x.backend)
            part = part * reshape(w, shape)
        total = part if total is None else total + part
    return total  # type: ignore[no-any-return]


# shuffled pixels ----------------------------------------------------------------------------------
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C r^2, H, W) to (..., C, H r, W r): channels become pixels. Shi et al. 2016."""
    r = upscale_factor
    if len(input.shape) < 3 or r < 1 or input.shape[-3] % (r * r):
        raise fail(
            ShapeError,
            "pixel_shuffle",
            f"expected (..., C * {r}^2, H, W) for upscale_factor {r}, got {input.shape}; "
            "use a factor whose square divides the channels",
        )
    *lead, c, h, w = input.shape
    x = reshape(input, -1 if 0 not in input.shape else 0, c // (r * r), r, r, h, w)
    return reshape(permute(x, 0, 1, 4, 2, 5, 3), *lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H r, W r) to (..., C r^2, H, W): pixels become channels."""
    r = downscale_factor
    if len(input.shape) < 3 or r < 1 or input.shape[-2] % r or input.shape[-1] % r:
        raise fail(
            ShapeError,
            "pixel_unshuffle",
            f"expected (..., C, H * {r}, W * {r}) for downscale_factor {r}, got {input.shape}; "
            "use a factor that divides both sizes",
        )
    *lead, c, h, w = input.shape
    x = reshape(input, -1 if 0 not in input.shape else 0, c, h // r, r, w // r, r)
    return reshape(permute(x, 0, 1, 3, 5, 2, 4), *lead, c * r * r, h // r, w // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels of (N, C, ...) dealt out to `groups` in turn. Zhang et al. 2018 (ShuffleNet)."""
    if len(input.shape) < 3 or groups < 1 or input.shape[1] % groups:
        raise fail(
            ShapeError,
            "channel_shuffle",
            f"expected (N, C, ...) with C divisible by groups={groups}, got {input.shape}; "
            "use groups that divide C",
        )
    n, c, *rest = input.shape
    apart = reshape(input, n, groups, c // groups, *rest)
    return reshape(apart.transpose(1, 2), input.shape)
