"""Which pixels matter: gradients of a class score, and scores of images with a part covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import functional as F
from ..autograd import no_grad
from ..checks import whole
from ..creation import arange
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from .canvas import SEQUENTIAL, array, panels, show_image
from .inputs import (
    Model,
    batch_of_images,
    evaluating,
    gradient,
    labels_for,
    logits_of,
    picked,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def input_gradient(model: Model, x: Tensor, labels: object = None) -> Tensor:
    """dS_c(x) / dx of the score S_c of class c, (N, C, H, W).

    Args: model to scores (N, K), best before the softmax; x (N, C, H, W); labels: a class, one for
    each image, or None for the class that scores best.
    """
    op = "input_gradient"
    images = batch_of_images(op, x)
    with evaluating(model):
        with no_grad():
            classes = labels_for(op, labels, logits_of(op, model, images))
        return gradient(lambda leaf: picked(logits_of(op, model, leaf), classes).sum(), images)


def saliency(model: Model, x: Tensor, labels: object = None) -> Tensor:
    """The saliency map max over channels of |dS_c(x) / dx|, (N, H, W).

    Args: as for `input_gradient`. For a linear score w x it is |w|.
    Source: Simonyan, Vedaldi & Zisserman 2014, section 3. Decks: D1, D4
    """
    return F.amax(F.abs(input_gradient(model, x, labels)), 1)


def plot_saliency(model: Model, x: Tensor, labels: object = None, most: int = 8) -> Figure:
    """Images and their saliency maps side by side, with the class whose score they are for.

    Returns: Figure with two rows: images, and maps (light pixels matter most).
    Source: Simonyan et al. 2014, figure 2. Decks: D1, D4
    """
    op = "plot_saliency"
    batch = batch_of_images(op, x)
    with evaluating(model), no_grad():
        classes = labels_for(op, labels, logits_of(op, model, batch))[:most]
    images = batch[:most]
    maps = saliency(model, images, classes)
    figure, axes = panels(2, len(images), (1.6, 1.7), "Saliency |dS/dx| of a class score S")
    for i in range(len(images)):
        show_image(axes[i], images[i], f"class {classes.tolist()[i]}")
        below = axes[len(images) + i]
        below.set(xticks=[], yticks=[])
        below.imshow(array(maps[i]), cmap=SEQUENTIAL)
    axes[0].set_ylabel("image")
    axes[len(images)].set_ylabel("saliency")
    return figure


def occlusion_map(
    model: Model,
    x: Tensor,
    label: object = None,
    size: int = 4,
    stride: int = 1,
    fill: float = 0.0,
) -> Tensor:
    """The probability of a class when a square of an image is covered, by the square's place.

    Args: x (1, C, H, W); label, by default the class that scores best; size of the square and
    stride in pixels; fill, the value that covers.
    Returns: (ceil((H - size) / stride) + 1, the same of W); entry (i, j) is for the square whose
    upper left corner is (i, j) * stride, moved inwards at the far borders.
    Raises: ArgumentError if the square does not fit.
    Source: Zeiler & Fergus 2014, section 4.2. Decks: D1
    """
    op = "occlusion_map"
    image = batch_of_images(op, x)
    size, stride = whole(op, "size", size), whole(op, "stride", stride)
    _, _, height, width = image.shape
    if len(image) != 1 or size > min(height, width):
        raise fail(
            ArgumentError,
            op,
            f"expected one image (1, C, H, W) and a size of at most its sides, got {image.shape} "
            f"and size {size}; pass x[:1] and a smaller square",
        )
    with evaluating(model), no_grad():
        classes = labels_for(op, label, logits_of(op, model, image))
        rows = []
        for top in _corners(height, size, stride):
            lefts = _corners(width, size, stride)
            covered = F.cat([_covered(image, top, left, size, fill) for left in lefts], 0)
            scores = F.softmax(logits_of(op, model, covered), 1)
            rows.append(picked(scores, classes.expand(len(lefts))))
        return F.stack(rows)


def _corners(side: int, size: int, stride: int) -> list[int]:
    starts = list(range(0, side - size + 1, stride))
    return starts if starts[-1] == side - size else [*starts, side - size]


def _covered(x: Tensor, top: int, left: int, size: int, fill: float) -> Tensor:
    """The image with a square of one value."""
    _, _, height, width = x.shape
    down = arange(height, backend=x.backend).reshape(height, 1)
    across = arange(width, backend=x.backend).reshape(1, width)
    inside = (down >= top) & (down < top + size) & (across >= left) & (across < left + size)
    covered: Tensor = F.where(inside, fill, x)
    return covered


def plot_occlusion(
    model: Model,
    x: Tensor,
    label: object = None,
    size: int = 4,
    stride: int = 1,
    fill: float = 0.0,
) -> Figure:
    """One image, and the probability of its class by the place of a covering square.

    Where it is dark the model loses the class: there lies what it looks at.
    Returns: Figure. Source: Zeiler & Fergus 2014, figure 7 (d). Decks: D1
    """
    image = batch_of_images("plot_occlusion", x)[:1]
    values = occlusion_map(model, image, label, size, stride, fill)
    figure, axes = panels(1, 2, (3.4, 3.8), f"Covered by a square of {size} x {size} pixels")
    show_image(axes[0], image[0], "image")
    height, width = image.shape[2:]
    half = size / 2
    drawn = axes[1].imshow(
        array(values), cmap=SEQUENTIAL, vmin=0.0, vmax=1.0,
        extent=(half, width - half, height - half, half),
    )  # fmt: skip
    axes[1].set(xlabel="centre of the square (pixels)", title="probability of the class")
    axes[1].title.set_fontsize("small")
    figure.colorbar(drawn, ax=axes[1], shrink=0.8)
    return figure
