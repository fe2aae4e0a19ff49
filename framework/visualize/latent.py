"""What a decoder makes of the space of codes: manifolds, traversals, ways between, arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from .. import functional as F
from ..autograd import no_grad
from ..checks import tensor as expect_tensor
from ..checks import whole
from ..composed.arithmetic import lerp
from ..creation import tensor
from ..errors import ArgumentError, ShapeError, fail
from ..guard import came
from ..tensor import Tensor
from .canvas import mosaic, new_figure, panels, show_image
from .inputs import evaluating

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Decoder = Callable[[Tensor], Tensor]  # codes (N, Z) to images (N, C, H, W) or (N, H * W)


def decoded(decoder: Decoder, codes: Tensor, shape: Sequence[int] | None = None) -> Tensor:
    """The images (N, C, H, W) of codes (N, Z), in evaluation and outside any graph.

    Args: decoder, a Module or function whose output is (N, C, H, W), (N, H, W) or (N, D); `shape`
    (C, H, W) says how D numbers are an image, by default a square one.
    Raises: ShapeError if they are no images.
    """
    op = "decoded"
    with evaluating(decoder), no_grad():
        out = decoder(expect_tensor(op, "codes", codes))
    sizes = out.shape if isinstance(out, Tensor) else ()
    if len(sizes) == 4 and sizes[0] == len(codes):
        return out
    if len(sizes) == 3 and sizes[0] == len(codes):
        return out.unsqueeze(1)
    if len(sizes) == 2 and sizes[0] == len(codes):
        side = isqrt(sizes[1])
        form = (1, side, side) if shape is None else tuple(shape)
        if len(form) == 3 and form[0] * form[1] * form[2] == sizes[1]:
            return out.reshape(len(codes), *form)
    raise fail(
        ShapeError,
        op,
        f"expected a decoder that gives images (N, C, H, W) or (N, D) for codes {codes.shape}, got "
        f"{came(out)}; pass shape=(C, H, W), or wrap the decoder in a function",
    )


def quantiles(count: int) -> list[float]:
    """`count` numbers that cut the standard normal distribution into parts of equal probability:
    its inverse distribution function at (i + 1/2) / count."""
    return [
        NormalDist().inv_cdf((i + 0.5) / count) for i in range(whole("manifold", "side", count))
    ]


def manifold(
    decoder: Decoder,
    side: int = 15,
    size: int = 2,
    axes: tuple[int, int] = (0, 1),
    shape: Sequence[int] | None = None,
    backend: object = None,
) -> Tensor:
    """The images of a grid of codes, at quantiles of the normal prior in two axes and 0 in others.

    Args: decoder, see `decoded`; side, images along each axis; size Z of a code; axes, the two that
    vary: the first to the right, the second upwards.
    Returns: (side * side, C, H, W), row by row from the top.
    Source: Kingma & Welling 2014, figure 4. Decks: D3, D4
    """
    places = quantiles(side)
    if len(set(axes)) != 2 or not all(0 <= a < size for a in axes):
        raise fail(
            ArgumentError,
            "manifold",
            f"expected two axes below size {size}, got {axes}; pass the size of a code and (0, 1)",
        )
    codes = [[0.0] * size for _ in range(side * side)]
    for i, code in enumerate(codes):
        code[axes[0]], code[axes[1]] = places[i % side], places[side - 1 - i // side]
    return decoded(decoder, tensor(codes, backend=backend), shape)


def plot_manifold(
    decoder: Decoder,
    side: int = 15,
    size: int = 2,
    axes: tuple[int, int] = (0, 1),
    shape: Sequence[int] | None = None,
    backend: object = None,
) -> Figure:
    """The learned manifold: a decoder's images over a grid of quantiles of the prior.

    Args: as for `manifold`. Returns: Figure; ticks are the codes.
    Source: Kingma & Welling 2014, figure 4. Decks: D3, D4
    """
    images = manifold(decoder, side, size, axes, shape, backend)
    height, width = images.shape[2:]
    figure = new_figure(5.6, 5.6 * height / width, "Images over the quantiles of the prior")
    ax = figure.subplots()
    ax.imshow(mosaic(list(images), side, 0), cmap="gray")
    ticks = range(0, side, max(side // 5, 1))
    labels = [f"{v:.1f}" for v in quantiles(side)]
    ax.set_xticks([(i + 0.5) * width - 0.5 for i in ticks], [labels[i] for i in ticks])
    ax.set_yticks([(side - i - 0.5) * height - 0.5 for i in ticks], [labels[i] for i in ticks])
    ax.set(xlabel=f"z[{axes[0]}]", ylabel=f"z[{axes[1]}]")
    return figure


def traversal(
    decoder: Decoder,
    code: Tensor,
    axis: int,
    values: Sequence[float],
    shape: Sequence[int] | None = None,
) -> Tensor:
    """The images (len(values), C, H, W) of one code while one of its numbers takes `values`.

    Args: code (Z,), axis below Z.
    Source: Higgins et al. 2017, figure 1; Chen et al. 2016 (InfoGAN), figure 2. Decks: D4
    """
    given = expect_tensor("traversal", "code", code).detach().reshape(-1)
    if not isinstance(axis, int) or not 0 <= axis < len(given) or not len(values):
        raise fail(
            ArgumentError,
            "traversal",
            f"expected an axis below {len(given)} and one value or more, got {came(axis)} and "
            f"{came(values)}; count axes from 0",
        )
    base = given.tolist()
    codes = [[*base[:axis], float(v), *base[axis + 1 :]] for v in values]
    return decoded(decoder, tensor(codes, dtype=given.dtype, backend=given.backend), shape)


def plot_traversals(
    decoder: Decoder,
    code: Tensor,
    axes: Sequence[int],
    values: Sequence[float] = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0),
    shape: Sequence[int] | None = None,
) -> Figure:
    """One row of images for each number of a code, which takes `values` while the others stay.

    Args: as for `traversal`. Returns: Figure.
    Source: Chen et al. 2016 (InfoGAN), figure 2. Decks: D4
    """
    rows = [traversal(decoder, code, axis, values, shape) for axis in axes]
    figure, cells = panels(len(rows), len(values), (0.9, 1.0), "One number of the code at a time")
    for r, images in enumerate(rows):
        line = cells[r * len(values) : (r + 1) * len(values)]
        for ax, value, image in zip(line, values, images, strict=True):
            show_image(ax, image, f"{value:g}" if r == 0 else "")
        line[0].set_ylabel(f"z[{axes[r]}]")
    return figure


def interpolation(first: Tensor, last: Tensor, steps: int = 9, spherical: bool = False) -> Tensor:
    """Codes (steps, Z) on the way from one code (Z,) to another, both included.

        z(t) = (1 - t) z0 + t z1,  or on the great circle between them:
        z(t) = (sin((1 - t) a) z0 + sin(t a) z1) / sin a,  a the angle between z0 and z1

    which keeps codes of a Gaussian prior in many dimensions at a likely length.
    Raises: ShapeError if the codes differ in shape.
    Source: White 2016, section 3.1. Decks: D4
    """
    op = "interpolation"
    a, b = (expect_tensor(op, n, t).detach() for n, t in (("first", first), ("last", last)))
    if a.shape != b.shape or len(a.shape) != 1:
        raise fail(
            ShapeError,
            op,
            f"expected two codes of one shape (Z,), got {a.shape} and {b.shape}; flatten them",
        )
    count = whole(op, "steps", steps, 2)
    places = [i / (count - 1) for i in range(count)]
    t = tensor(places, dtype=a.dtype, backend=a.backend).reshape(-1, 1)
    if spherical:
        lengths = F.sqrt((a * a).sum() * (b * b).sum())
        angle = F.acos(F.clamp((a * b).sum() / lengths, -1.0, 1.0))
        if float(F.sin(angle)) > 1e-6:
            a, b = F.sin(angle * (1.0 - t)) / F.sin(angle) * a, F.sin(angle * t) / F.sin(angle) * b
            return F.add(a, b)
    return lerp(a, b, t)


def plot_interpolation(
    decoder: Decoder,
    first: Tensor,
    last: Tensor,
    steps: int = 9,
    spherical: bool = False,
    shape: Sequence[int] | None = None,
) -> Figure:
    """The images on the way from one code to another.

    Args: as for `interpolation`. Returns: Figure. Decks: D3, D4
    """
    images = decoded(decoder, interpolation(first, last, steps, spherical), shape)
    title = "On the great circle between two codes" if spherical else "Between two codes"
    figure, axes = panels(1, steps, (1.0, 1.2), title)
    for i, (ax, image) in enumerate(zip(axes, images, strict=True)):
        show_image(ax, image, f"t = {i / (steps - 1):.2g}")
    return figure


def latent_arithmetic(plus: Tensor, minus: Tensor, other: Tensor) -> Tensor:
    """mean(plus) - mean(minus) + mean(other): codes (N, Z) of three groups give one code (Z,).

    With the codes of men with glasses, men without and women without, it is a woman with glasses.
    Raises: ShapeError if the groups differ in Z.
    Source: Radford, Metz & Chintala 2016, section 6.3.2. Decks: D3
    """
    op = "latent_arithmetic"
    groups = [expect_tensor(op, "codes", t).detach() for t in (plus, minus, other)]
    if any(len(t.shape) != 2 for t in groups) or len({t.shape[1] for t in groups}) != 1:
        raise fail(
            ShapeError,
            op,
            "expected three groups of codes (N, Z) with one Z, got "
            f"{', '.join(str(t.shape) for t in groups)}; a single code needs .unsqueeze(0)",
        )
    a, b, c = (F.mean(t, 0) for t in groups)
    return a - b + c


def plot_arithmetic(
    decoder: Decoder,
    plus: Tensor,
    minus: Tensor,
    other: Tensor,
    shape: Sequence[int] | None = None,
) -> Figure:
    """The images of three mean codes, and of the first minus the second plus the third.

    Args: as for `latent_arithmetic`. Returns: Figure.
    Source: Radford et al. 2016, figure 7. Decks: D3
    """
    result = latent_arithmetic(plus, minus, other)
    codes = F.stack([plus.detach().mean(0), minus.detach().mean(0), other.detach().mean(0), result])
    figure, axes = panels(1, 4, (1.6, 1.8), "Arithmetic of codes")
    titles = ("mean of A", "mean of B", "mean of C", "A - B + C")
    for ax, image, title in zip(axes, decoded(decoder, codes, shape), titles, strict=True):
        show_image(ax, image, title)
    return figure
