"""Inputs made by gradient ascent: what a unit looks for, and noise that a model is sure of."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

from .. import functional as F
from ..autograd import no_grad
from ..checks import real, whole
from ..creation import tensor, zeros
from ..errors import ArgumentError, fail
from ..guard import came
from ..nn import Module
from ..ops.sampling import Generator, randn
from ..tensor import Tensor
from .canvas import grid_shape, panels, show_image
from .inputs import evaluating, find_layer, gradient, logits_of, watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Images (N, C, H, W) smoothed by a Gaussian of this width in pixels; borders are repeated."""
    reach = max(int(3.0 * sigma + 0.5), 1)
    weights = [exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)]
    kernel = tensor([w / sum(weights) for w in weights], dtype=x.dtype, backend=x.backend)
    planes = x.reshape(-1, 1, *x.shape[2:])
    wide = F.pad(planes, (reach,) * 4, mode="replicate")
    down = F.conv2d(wide, kernel.reshape(1, 1, -1, 1))
    return F.conv2d(down, kernel.reshape(1, 1, 1, -1)).reshape(x.shape)


def _unit_values(op: str, model: Module, layer: str | None, x: Tensor, units: Tensor) -> Tensor:
    """What unit units[i] makes of image i, the mean over its map if it has one: (N,)."""
    if layer is None:
        out = model(x)
    else:
        with watching({layer: find_layer(model, layer, op)}) as calls:
            model(x)
        out = calls[0][3] if calls else None
    if not isinstance(out, Tensor) or len(out.shape) < 2 or out.shape[0] != x.shape[0]:
        raise fail(
            ArgumentError,
            op,
            f"expected a layer with an output (N, units, ...), got {came(out)}; choose another",
        )
    flat = out.reshape(*out.shape[:2], -1).mean(2)
    if int(units.max()) >= flat.shape[1]:
        raise fail(
            ArgumentError,
            op,
            f"expected units below {flat.shape[1]}, got {int(units.max())}; count from 0",
        )
    return F.gather(flat, 1, units.reshape(-1, 1)).reshape(-1)


def maximise(
    model: Module,
    units: Sequence[int],
    shape: Sequence[int],
    layer: str | None = None,
    steps: int = 100,
    lr: float = 1.0,
    l2: float = 0.01,
    blur: float = 0.0,
    blur_every: int = 4,
    noise: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """Inputs that excite units most, by gradient ascent from black or from noise.

        x <- x + lr d/dx (a_u(x) - l2 ||x||^2), then x <- blur(x) every few steps

    a_u is the output of unit u, or the mean of channel u's map. For a linear unit w x the maximum
    is w / (2 l2).

    Args: units, one image is made for each; shape of one input (C, H, W) or (D,); layer by name,
    None for the model's own output (class scores before the softmax); l2 >= 0; blur, the width of
    the Gaussian in pixels, 0 for none; noise, the deviation of the start.
    Returns: (len(units), *shape). Raises: ArgumentError for a unit or layer that is not there.
    Source: Erhan et al. 2009; Simonyan et al. 2014, section 2; blur: Yosinski et al. 2015,
    section 3. Decks: D0
    """
    op = "maximise"
    chosen = tensor([whole(op, "units", u, 0) for u in units])
    sizes = (len(units), *(whole(op, "shape", s) for s in shape))
    real(op, "l2", l2), real(op, "blur", blur), real(op, "lr", lr)
    if not len(units) or (blur and len(sizes) != 4):
        raise fail(
            ArgumentError,
            op,
            f"expected one unit or more, and images (C, H, W) to blur, got {len(units)} units and "
            f"shape {tuple(shape)}; use blur=0 for other inputs",
        )
    like = next(iter(model.parameters()), None)
    where = None if like is None else like.backend
    chosen = chosen.to(where) if where is not None else chosen
    x = zeros(*sizes, backend=where)
    if noise:
        x = randn(*sizes, backend=where, generator=Generator(seed)) * noise
    with evaluating(model):
        for step in range(whole(op, "steps", steps)):
            g = gradient(lambda leaf: _unit_values(op, model, layer, leaf, chosen).sum(), x)
            with no_grad():
                x = x + (g - x * (2.0 * l2)) * lr
                if blur and (step + 1) % whole(op, "blur_every", blur_every) == 0:
                    x = blurred(x, blur)
    return x


def plot_maximised(
    model: Module,
    units: Sequence[int],
    shape: Sequence[int],
    layer: str | None = None,
    **options: float,
) -> Figure:
    """Images that excite units most, one panel for each, white at zero if they are grey.

    Args: as for `maximise`.
    Returns: Figure. Source: Erhan et al. 2009; Simonyan et al. 2014, figure 1. Decks: D0
    """
    images = maximise(model, units, shape, layer, **options)  # type: ignore[arg-type]
    rows, columns = grid_shape(len(units), 10)
    title = f"What units of {layer or 'the output'} look for"
    figure, axes = panels(rows, columns, (1.5, 1.6), title)
    for ax in axes[len(units) :]:
        ax.axis("off")
    for ax, unit, image in zip(axes, units, images, strict=False):
        if len(image.shape) == 3 and image.shape[0] not in (1, 3):
            image = image.mean(0)
        show_image(ax, image, f"unit {unit}", signed=True)
    return figure


def fooling_image(
    model: Module,
    label: int,
    shape: Sequence[int],
    confidence: float = 0.99,
    steps: int = 200,
    lr: float = 0.1,
    l2: float = 0.0,
    low: float = 0.0,
    high: float = 1.0,
    seed: int = 0,
) -> tuple[Tensor, float]:
    """Noise that a model takes for a class, and how sure it is.

    Gradient ascent on log p_label(x) - l2 ||x||^2 from uniform noise, by steps of constant length,
    x clamped into [low, high], until p_label reaches `confidence`.

    Args: label, the class; shape (C, H, W); lr, the largest change of a pixel in a step, as a part
    of high - low.
    Returns: (image (1, C, H, W), p_label).
    Source: Nguyen, Yosinski & Clune 2015, section 2.4 (gradient ascent). Decks: D0
    """
    op = "fooling_image"
    real(op, "confidence", confidence, 0.0, 1.0)
    first = next(iter(model.parameters()), None)
    where = None if first is None else first.backend
    sizes = (1, *(whole(op, "shape", s) for s in shape))
    x = F.rand(*sizes, backend=where, generator=Generator(seed)) * (high - low) + low
    target = tensor([whole(op, "label", label, 0)], backend=where)

    def log_probability(leaf: Tensor) -> Tensor:
        scores = logits_of(op, model, leaf)
        if label >= scores.shape[1]:
            raise fail(
                ArgumentError,
                op,
                f"expected a label below {scores.shape[1]}, got {label}; use the index of a class",
            )
        return -F.cross_entropy(scores, target)

    sure = 0.0
    with evaluating(model):
        for _ in range(whole(op, "steps", steps)):
            with no_grad():
                sure = exp(float(log_probability(x)))
            if sure >= confidence:
                break
            g = gradient(log_probability, x) - x * (2.0 * l2)
            size = float(F.abs(g).max())
            if size == 0.0:
                break
            x = F.clamp(x + g * (lr * (high - low) / size), low, high)
        with no_grad():
            sure = exp(float(log_probability(x)))
    return x, sure


def plot_fooling(
    model: Module, labels: Sequence[int], shape: Sequence[int], **options: float
) -> Figure:
    """Noise that the model takes for each of the classes, with its confidence.

    Args: as for `fooling_image`. Returns: Figure. Source: Nguyen et al. 2015, figure 1. Decks: D0
    """
    rows, columns = grid_shape(len(labels), 10)
    figure, axes = panels(rows, columns, (1.5, 1.7), "Images that fool the model")
    for ax in axes[len(labels) :]:
        ax.axis("off")
    for ax, label in zip(axes, labels, strict=False):
        image, sure = fooling_image(model, label, shape, **options)  # type: ignore[arg-type]
        show_image(ax, image[0], f"class {label}: {100 * sure:.1f} %")
    return figure
