"""One change that fools a model on most images."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .. import functional as F
from ..autograd import no_grad
from ..checks import choice, real, whole
from ..ops.sampling import Generator, randperm
from ..tensor import Tensor
from .adversarial import deepfool
from .canvas import panels, show_image
from .inputs import Model, batch_of_images, evaluating, logits_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fooling_rate(model: Model, x: Tensor, r: Tensor) -> float:
    """The part of images whose predicted class another image r, added, changes: 0 ... 1.

    Args: x (N, C, H, W); r (C, H, W) or of the shape of x.
    """
    images = batch_of_images("fooling_rate", x)
    with evaluating(model), no_grad():
        before = F.argmax(logits_of("fooling_rate", model, images), 1)
        after = F.argmax(logits_of("fooling_rate", model, images + r), 1)
    return float((before != after).float().mean())


def projected(r: Tensor, radius: float, norm: str = "l2") -> Tensor:
    """The change nearest to r whose norm, "l2" or "linf" (the largest pixel), is at most radius."""
    if choice("projected", "norm", norm, ("l2", "linf")) == "linf":
        return F.clamp(r, -radius, radius)
    size = float((r * r).sum()) ** 0.5
    return r * (radius / size) if size > radius else r


def universal_perturbation(
    model: Model,
    x: Tensor,
    radius: float,
    norm: str = "l2",
    rate: float = 0.8,
    epochs: int = 5,
    seed: int = 0,
) -> Tensor:
    """One small image r that changes the class of most images when it is added to them.

    Goes over the images in random order; where x + r has still the class of x, `deepfool` finds
    what takes x + r over the border, r grows by it and is brought back to the radius.

    Args: model to scores (N, K); x (N, C, H, W), which r is made for; radius, the largest norm
    of r; norm "l2" or "linf"; rate, the part of images that is enough; epochs, at most.
    Returns: r (C, H, W). Raises: ArgumentError, ShapeError.
    Source: Moosavi-Dezfooli et al. 2017, algorithm 1. Decks: D0
    """
    op = "universal_perturbation"
    images = batch_of_images(op, x)
    real(op, "radius", radius, 0.0, inf, "("), real(op, "rate", rate, 0.0, 1.0)
    choice(op, "norm", norm, ("l2", "linf"))
    generator = Generator(seed)
    r = images[0] * 0.0
    with evaluating(model), no_grad():
        classes = F.argmax(logits_of(op, model, images), 1).tolist()
        for _ in range(whole(op, "epochs", epochs)):
            for i in randperm(len(images), generator=generator).tolist():
                moved = images[i : i + 1] + r
                if int(F.argmax(logits_of(op, model, moved), 1)) == classes[i]:
                    r = projected(r + deepfool(model, moved)[0], radius, norm)
            if fooling_rate(model, images, r) >= rate:
                break
    return r


def plot_universal(model: Model, x: Tensor, r: Tensor, most: int = 5) -> Figure:
    """A universal change r and images with it, with the classes before and after.

    Args: x (N, C, H, W); r (C, H, W), as `universal_perturbation` gives it.
    Returns: Figure; its title has the fooling rate over all of x.
    Source: Moosavi-Dezfooli et al. 2017, figure 1. Decks: D0
    """
    op = "plot_universal"
    images = batch_of_images(op, x)
    few = images[:most]
    with evaluating(model), no_grad():
        before, after = (F.argmax(logits_of(op, model, t), 1).tolist() for t in (few, few + r))
    rate = fooling_rate(model, images, r)
    title = f"One change fools {100 * rate:.0f} % of {len(images)} images"
    figure, axes = panels(2, len(few) + 1, (1.5, 1.7), title)
    show_image(axes[0], r, "the change", signed=True)
    axes[len(few) + 1].axis("off")
    for i in range(len(few)):
        show_image(axes[i + 1], few[i], f"class {before[i]}")
        show_image(axes[len(few) + 2 + i], few[i] + r, f"class {after[i]}")
    return figure
