"""Many views of each test image, and the mean of what one or more models say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...autograd import no_grad
from ...checks import choice
from ...errors import ArgumentError, fail
from ...functional import flip, softmax
from .basic import Resize
from .common import check
from .crop import CenterCrop, check_fits

if TYPE_CHECKING:
    from ...nn import Module
    from ...tensor import Tensor

SCALES = (256, 288, 320, 352)


def five_crop(x: Tensor, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """The four corners (upper left, upper right, lower left, lower right) and the middle.

    x (N, C, H, W) gives five (N, C, *size). Source: Krizhevsky et al. 2012, section 4.1. Decks: D2.
    """
    check("five_crop", x)
    check_fits("five_crop", x, size)
    height, width = size
    h, w = x.shape[2:]
    corners = [(top, left) for top in (0, h - height) for left in (0, w - width)]
    crops = [x[:, :, top : top + height, left : left + width] for top, left in corners]
    return (*crops, CenterCrop(size)(x))


def ten_crop(x: Tensor, size: tuple[int, int], vertical_flip: bool = False) -> tuple[Tensor, ...]:
    """`five_crop`, then the five of the mirror image.

    Source: Krizhevsky et al. 2012, section 4.1. Decks: D0 (crop and flip), D2.
    """
    check("ten_crop", x)
    return five_crop(x, size) + five_crop(flip(x, 2 if vertical_flip else 3), size)


def googlenet_views(x: Tensor, size: int = 224, scales: Sequence[int] = SCALES) -> Iterator[Tensor]:
    """144 views of each image: 4 scales x 3 squares x 6 crops x 2 mirror images, one at a time.

    The shorter side is brought to each scale; the squares are the left, middle and right one, or
    upper, middle and lower; the crops are four corners, the middle, and the whole square resized.
    Source: Szegedy et al. 2015, section 7. Decks: D2.
    """
    check("googlenet_views", x)
    for scale in scales:
        for square in _squares(_shorter_side(x, scale)):
            crops = (*five_crop(square, (size, size)), Resize((size, size))(square))
            for crop in crops:
                yield crop
                yield flip(crop, 3)


def _shorter_side(x: Tensor, size: int) -> Tensor:
    """x resized so that its shorter side has `size` pixels."""
    h, w = x.shape[2:]
    return Resize((max(round(h * size / min(h, w)), size), max(round(w * size / min(h, w)), size)))(
        x
    )


def _squares(x: Tensor) -> Iterator[Tensor]:
    h, w = x.shape[2:]
    side, room = min(h, w), max(h, w) - min(h, w)
    for start in (0, room // 2, room):
        stop = start + side
        yield x[:, :, :, start:stop] if w > h else x[:, :, start:stop]


def average_predictions(
    models: Module | Sequence[Module],
    x: Tensor,
    views: Callable[[Tensor], Iterable[Tensor]] | None = None,
    average: str = "probabilities",
) -> Tensor:
    """The mean over models, and over views of x, of softmax(model(view)): (N, classes).

    With several models that is an ensemble. `average` "logits" leaves the softmax out. The models
    run in evaluation mode and go back to the mode they were in; nothing is recorded.

        >>> probabilities = average_predictions(
        ...     model, x, views=lambda x: ten_crop(x, (224, 224)))  # doctest: +SKIP

    Source: Krizhevsky et al. 2012, section 4.1. Raises ArgumentError without a model or a view.
    Decks: D0, D2.
    """
    choice("average_predictions", "average", average, ("probabilities", "logits"))
    all_models: list[Any] = list(models) if isinstance(models, (list, tuple)) else [models]
    total: Any = None
    count = 0
    modes = [(m, m.training) for model in all_models for m in model.modules()]
    try:
        with no_grad():
            for model in all_models:
                model.eval()
            for view in [x] if views is None else views(x):
                for model in all_models:
                    out = model(view)
                    out = softmax(out, -1) if average == "probabilities" else out
                    total, count = out if total is None else total + out, count + 1
    finally:
        for module, mode in modes:
            module.training = mode
    if not count:
        why = "expected a model and a view at least, got none; give both"
        raise fail(ArgumentError, "average_predictions", why)
    mean: Tensor = total / count
    return mean
