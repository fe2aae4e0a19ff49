"""What each layer makes of an input: feature maps, and the distribution of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import functional as F
from ..composed.scattering import histc
from ..creation import linspace
from ..errors import ArgumentError, fail
from ..nn import Module
from ..tensor import Tensor
from .canvas import array, colour, grid_shape, panels, show_image
from .inputs import batch_of_images, layer_outputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def feature_maps(model: Module, x: Tensor, layer: str) -> Tensor:
    """The maps (N, C, H, W) that a layer (of its first call) makes of images (N, C', H', W').

    Raises: ArgumentError if the layer is unknown or its output is no stack of maps.
    """
    op = "feature_maps"
    found = layer_outputs(model, batch_of_images(op, x))
    maps = {name: out for name, out in found.items() if len(out.shape) == 4}
    if layer not in maps:
        what = f"one that gives {found[layer].shape}" if layer in found else f"{layer!r}"
        raise fail(
            ArgumentError,
            op,
            f"expected a layer with maps (N, C, H, W), got {what}; "
            f"choose from {', '.join(list(maps)[:12])}",
        )
    return maps[layer]


def plot_feature_maps(
    model: Module, x: Tensor, layers: Sequence[str] | None = None, most: int = 16
) -> Figure:
    """The feature maps of one image, a row for each layer and `most` channels at most.

    Args: x (1, C, H, W), or a batch of which the first is shown; layers by name, by default those
    of up to six calls with maps, evenly over the depth.
    Returns: Figure; each map by its own grey scale, the channel and its largest value above it.
    Source: Zeiler & Fergus 2014, section 4; LeCun et al. 1998, figure 13. Decks: D0, D1, D3, D4
    """
    op = "plot_feature_maps"
    image = batch_of_images(op, x)[:1]
    found = layer_outputs(model, image)
    maps = [name for name, out in found.items() if len(out.shape) == 4]
    if layers is None:
        step = max(-(-len(maps) // 6), 1)
        layers = maps[::step]
    if not layers:
        raise fail(
            ArgumentError,
            op,
            "expected a model with maps (N, C, H, W), got none; use plot_histograms for others",
        )
    stacks = [feature_maps(model, image, layer)[0][:most] for layer in layers]
    width = max(len(stack) for stack in stacks)
    figure, axes = panels(len(stacks), width + 1, (1.0, 1.15), "Feature maps (channel: maximum)")
    for r, (layer, stack) in enumerate(zip(layers, stacks, strict=True)):
        line = axes[r * (width + 1) : (r + 1) * (width + 1)]
        for ax in line:
            ax.axis("off")
        line[0].text(0.5, 0.5, f"{layer}\n{tuple(stack.shape[1:])}", ha="center", va="center",
                     fontsize="small")  # fmt: skip
        for c, ax in enumerate(line[1 : len(stack) + 1]):
            show_image(ax, stack[c], f"{c}: {float(stack[c].max()):.2g}")
    return figure


def histogram(t: Tensor, bins: int = 40) -> tuple[Tensor, Tensor]:
    """(counts (bins,), edges (bins + 1,)) of the finite elements of a tensor.

    Equal intervals from the smallest to the largest; if those are the same, one unit around it.
    Raises: ArgumentError if no element is finite.
    """
    flat = t.detach().reshape(-1)
    flat = flat if flat.dtype.is_floating_point else flat.float()
    flat = F.masked_select(flat, F.isfinite(flat))
    if not flat.numel():
        raise fail(
            ArgumentError,
            "histogram",
            f"expected finite numbers, got none in a tensor of shape {t.shape}; "
            "look for its nan with etude.detect_anomaly()",
        )
    low, high = float(flat.min()), float(flat.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = linspace(low, high, bins + 1, dtype=flat.dtype, backend=flat.backend)
    return histc(flat, bins, low, high), edges


def plot_histograms(model: Module, x: Tensor | None = None, bins: int = 40) -> Figure:
    """How the numbers of each layer are distributed: its weights, or its outputs for a batch x.

    The title of each panel has mean and standard deviation; a layer whose deviation falls to 0, or
    whose units sit in the flat parts of their activation, learns nothing.
    Returns: Figure with a panel for each parameter of two axes or more, or each layer's output.
    Source: Glorot & Bengio 2010, figures 2 and 6. Decks: D0, D3
    """
    if x is None:
        shown = {n: p.detach() for n, p in model.named_parameters() if len(p.shape) > 1}
    else:
        shown = {n: t for n, t in layer_outputs(model, x).items() if t.dtype.is_floating_point}
    if not shown:
        raise fail(
            ArgumentError,
            "plot_histograms",
            "expected a model with weights or layers, got none; pass a Module that has some",
        )
    rows, columns = grid_shape(len(shown), 4)
    title = "Weights" if x is None else f"Outputs of the layers for {x.shape[0]} inputs"
    figure, axes = panels(rows, columns, (2.9, 2.2), title)
    for ax, (name, t) in zip(axes, shown.items(), strict=False):
        counts, edges = histogram(t, bins)
        ax.stairs(array(counts), array(edges), fill=True, color=colour(0), alpha=0.8)
        spread = float(((t - t.mean()) ** 2).mean()) ** 0.5
        ax.set_title(f"{name}\nmean {float(t.mean()):.2g}, deviation {spread:.2g}",
                     fontsize="small")  # fmt: skip
        ax.tick_params(labelsize="small")
        ax.set_yticks([])
    for ax in axes[len(shown) :]:
        ax.axis("off")
    for ax in axes[: len(shown) : columns]:
        ax.set_ylabel("how many")
    return figure
