"""What in an image made a unit fire: its activation led back to the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import functional as F
from .. import nn
from ..autograd import enable_grad, no_grad
from ..checks import whole
from ..creation import arange, tensor
from ..errors import ArgumentError, fail
from ..nn import Module
from ..sweep import grad
from ..tensor import Tensor
from .canvas import panels, show_image
from .inputs import Call, batch_of_images, calls_of, evaluating, find_layer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECTIFIED = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus,
             nn.Sigmoid, nn.Tanh)  # fmt: skip
PASSED = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.LocalResponseNorm)
LINEAR = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
          nn.BatchNorm1d, nn.BatchNorm2d, nn.Flatten)  # fmt: skip


def _path(model: Module, x: Tensor, layer: str, op: str) -> list[Call]:
    """The calls from the image to the first call of a layer, each fed by the one before."""
    find_layer(model, layer, op)
    chain: list[Call] = []
    for call in calls_of(model, x, op):
        before, given = (chain[-1] if chain else None), call[2]
        source = before[3] if before is not None else x
        if not given or given[0] is not source:
            raise fail(
                ArgumentError,
                op,
                f"expected layers that feed each other in a row, got {call[0]!r}, which has its "
                f"input not from {before[0] if before else 'the image'!r}; choose an earlier "
                "layer, or pass an nn.Sequential",
            )
        chain.append(call)
        if call[0] == layer:
            return chain
    raise fail(
        ArgumentError,
        op,
        f"expected a layer that is called and has no layers inside, got {layer!r}; "
        f"choose from {', '.join(dict.fromkeys(c[0] for c in chain))}",
    )


def _back(op: str, call: Call, signal: Tensor) -> Tensor:
    """A signal in the form of a layer's output, led back to the form of its input."""
    name, layer, (x, *_), _ = call
    if isinstance(layer, nn.MaxPool2d):
        window = (layer.kernel_size, layer.stride, layer.padding)
        _, switches = F.max_pool2d(x, *window, layer.dilation, layer.ceil_mode, True)
        return F.max_unpool2d(signal, switches, *window, x.shape[2:])
    if isinstance(layer, RECTIFIED):
        return F.relu(signal)
    if isinstance(layer, PASSED):
        return signal
    if not isinstance(layer, LINEAR):
        raise fail(
            ArgumentError,
            op,
            f"expected layers that can be led back (convolution, pooling, activation, linear), got "
            f"{name!r}, {type(layer).__name__}; choose a layer before it",
        )
    leaf = (x * 0.0).requires_grad_()
    with enable_grad():
        (found,) = grad(layer(leaf), leaf, signal)
    assert found is not None
    return found


def deconvolution(
    model: Module, x: Tensor, layer: str, channel: int | None = None, strongest: bool = True
) -> Tensor:
    """The activation of a channel led back to the pixels by the transposes of the layers.

    From the rectified maps of the layer, all other channels set to zero, down to the image: max
    pooling is undone by unpooling to where the maxima came from (the switches), activations by
    rectifying, convolutions and other linear layers by their transposes (a transposed convolution
    with the same weights). What comes out shows the parts of x that the channel saw.

    Args: model whose layers feed each other in a row up to `layer`, such as an nn.Sequential;
    x (N, C, H, W); layer by its dotted name (its first call); channel, None for the one with the
    largest activation in each image; strongest: keep only its largest place, as in the paper.
    Returns: (N, C, H, W).
    Raises: ArgumentError where the layers are no chain, or one of them cannot be led back.
    Source: Zeiler & Fergus 2014, section 2.1. Decks: D0, D1
    """
    op = "deconvolution"
    images = batch_of_images(op, x)
    chain = _path(model, images, layer, op)
    with evaluating(model), no_grad():
        signal = F.relu(chain[-1][3])
        signal = _only(op, signal, channel, strongest)
        for i, call in enumerate(reversed(chain)):
            if i > 0 or not isinstance(call[1], RECTIFIED):
                signal = _back(op, call, signal)
    return signal


def _only(op: str, maps: Tensor, channel: int | None, strongest: bool) -> Tensor:
    """One channel of each image, or its largest place, and zero elsewhere."""
    n, channels = maps.shape[:2]
    flat = maps.reshape(n, channels, -1)
    peaks = F.amax(flat, 2)
    if channel is None:
        chosen = F.argmax(peaks, 1)
    elif whole(op, "channel", channel, 0) < channels:
        chosen = tensor([channel] * n, backend=maps.backend)
    else:
        raise fail(
            ArgumentError,
            op,
            f"expected a channel below {channels}, got {channel}; count from 0",
        )
    keep = arange(channels, backend=maps.backend) == chosen.reshape(n, 1)
    kept = F.where(keep.reshape(n, channels, 1), flat, 0.0)
    if strongest:
        best = F.argmax(kept.reshape(n, -1), 1).reshape(n, 1)
        places = arange(channels * flat.shape[2], backend=maps.backend)
        kept = F.where((places == best).reshape(kept.shape), kept, 0.0)
    return F.reshape(kept, maps.shape)


def strongest_images(model: Module, x: Tensor, layer: str, channel: int, count: int = 9) -> Tensor:
    """The indices (count,) of the images that excite a channel of a layer most, best first."""
    op = "deconvolution"
    images = batch_of_images(op, x)
    maps = _path(model, images, layer, op)[-1][3]
    _only(op, maps, channel, False)
    peaks = F.amax(maps.reshape(*maps.shape[:2], -1), 2)[:, channel]
    return F.argsort(peaks, descending=True)[: min(count, len(images))]


def plot_deconvolution(
    model: Module, x: Tensor, layer: str, channels: Sequence[int], count: int = 4
) -> Figure:
    """For each channel of a layer, the images that excite it most and their deconvolution views.

    Args: as for `deconvolution`; x, the images to choose from; `count` of them for each channel.
    Returns: Figure with a row for each channel, images and views in turn.
    Source: Zeiler & Fergus 2014, figure 2. Decks: D0, D1
    """
    images = batch_of_images("plot_deconvolution", x)
    shown = min(count, len(images))
    figure, axes = panels(
        len(channels), 2 * shown, (1.3, 1.4), f"{layer}: strongest images, and what it saw there"
    )
    for r, channel in enumerate(channels):
        best = images[strongest_images(model, images, layer, channel, shown)]
        views = deconvolution(model, best, layer, channel)
        line = axes[r * 2 * shown : (r + 1) * 2 * shown]
        for i in range(shown):
            show_image(line[2 * i], best[i])
            show_image(line[2 * i + 1], views[i], signed=True)
        line[0].set_ylabel(f"channel {channel}", fontsize="small")
    return figure
