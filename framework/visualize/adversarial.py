"""Small changes of one image that change a model's mind."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .. import functional as F
from ..autograd import no_grad
from ..checks import real, whole
from ..errors import ArgumentError, fail
from ..optim import Adam
from ..sweep import grad
from ..tensor import Tensor
from .canvas import show_rows
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


def _setting(op: str, model: Model, x: Tensor, labels: object) -> tuple[Tensor, Tensor]:
    images = batch_of_images(op, x)
    with no_grad():
        return images, labels_for(op, labels, logits_of(op, model, images))


def fgsm(
    model: Model,
    x: Tensor,
    labels: object = None,
    eps: float = 0.1,
    targeted: bool = False,
    low: float = -inf,
    high: float = inf,
) -> Tensor:
    """The fast gradient sign method: x' = clamp(x + eps sign(dL/dx), low, high).

    L is the cross-entropy with the labels. With `targeted` the labels are wanted, and the step goes
    the other way.

    Args: model to scores (N, K); x (N, C, H, W); labels: the classes, None for those that the model
    predicts; eps, the change of each pixel, in the units of x; low, high: the range of pixels.
    Returns: x', like x. Raises: ArgumentError, ShapeError.
    Source: Goodfellow, Shlens & Szegedy 2015, section 4. Decks: D0
    """
    real("fgsm", "eps", eps)
    return iterated_fgsm(model, x, labels, eps, eps, 1, targeted, low, high)


def iterated_fgsm(
    model: Model,
    x: Tensor,
    labels: object = None,
    eps: float = 0.1,
    step: float | None = None,
    steps: int = 10,
    targeted: bool = False,
    low: float = -inf,
    high: float = inf,
) -> Tensor:
    """`fgsm` in small steps, each time brought back to at most eps from x in every pixel.

    Args: as for `fgsm`; step, the change of a pixel in each of `steps`, by default 2 eps / steps.
    Returns: x', like x.
    Source: Kurakin, Goodfellow & Bengio 2017, section 2.2; Madry et al. 2018. Decks: D0
    """
    op = "fgsm"
    size = 2.0 * real(op, "eps", eps) / whole(op, "steps", steps) if step is None else step
    with evaluating(model):
        images, classes = _setting(op, model, x, labels)
        found = images
        for _ in range(steps):
            g = gradient(
                lambda leaf: F.cross_entropy(logits_of(op, model, leaf), classes, reduction="sum"),
                found,
            )
            with no_grad():
                moved = found + F.sign(g) * (-size if targeted else size)
                found = F.clamp(F.minimum(F.maximum(moved, images - eps), images + eps), low, high)
    return found


def deepfool(model: Model, x: Tensor, steps: int = 50, overshoot: float = 0.02) -> Tensor:
    """The smallest change r of one image, in the Euclidean norm, that changes the model's class.

    Each step takes the scores f for linear: of all classes k != c, the nearest border is at
        r = |f_k - f_c| / ||w||^2 w,  w = grad f_k - grad f_c,
    and the sum goes (1 + overshoot) times as far, to end on the other side. For a linear model of
    two classes one step is exact.

    Args: model to scores (1, K); x (1, C, H, W).
    Returns: r, like x. Raises: ArgumentError for more than one image.
    Source: Moosavi-Dezfooli, Fawzi & Frossard 2016, algorithm 2. Decks: D0
    """
    op = "deepfool"
    image = batch_of_images(op, x)
    if len(image) != 1:
        raise fail(
            ArgumentError,
            op,
            f"expected one image (1, C, H, W), got {image.shape}; pass x[i : i + 1]",
        )
    with evaluating(model), no_grad():
        scores = logits_of(op, model, image)
        k, before = scores.shape[1], int(F.argmax(scores, 1))
        classes = labels_for(op, list(range(k)), scores.expand(k, k))
        total = image * 0.0
        for _ in range(whole(op, "steps", steps)):
            here = image + total * (1.0 + overshoot)
            scores = logits_of(op, model, here)[0]
            if int(F.argmax(scores, 0)) != before:
                break
            slopes = gradient(
                lambda leaf: picked(logits_of(op, model, leaf), classes).sum(),
                here.expand(k, *image.shape[1:]),
            )
            total = total + _to_the_nearest_border(scores, slopes, before)
    return total * (1.0 + overshoot)


def _to_the_nearest_border(scores: Tensor, slopes: Tensor, before: int) -> Tensor:
    """The step of deepfool from scores (K,) and their gradients (K, C, H, W): (1, C, H, W)."""
    w = slopes - slopes[before : before + 1]
    gaps = F.abs(scores - scores[before])
    sizes = F.sqrt((w * w).reshape(len(w), -1).sum(1))
    distances = [
        g / s if k != before and s > 0.0 else inf
        for k, (g, s) in enumerate(zip(gaps.tolist(), sizes.tolist(), strict=True))
    ]
    nearest = min(range(len(distances)), key=distances.__getitem__)
    if distances[nearest] == inf:
        return slopes[:1] * 0.0
    # A border that is reached to the last bit would stop the walk: go a little beyond.
    length = (distances[nearest] + 1e-4) / float(sizes[nearest])
    return w[nearest : nearest + 1] * length


def smallest_perturbation(
    model: Model,
    x: Tensor,
    target: int,
    steps: int = 100,
    lr: float = 0.02,
    tries: int = 6,
    low: float = -inf,
    high: float = inf,
) -> Tensor:
    """A small change r of one image after which a model sees a class of our choice.

        minimise c ||r||^2 + L(clamp(x + r), target),  L the cross-entropy

    by Adam (the paper takes L-BFGS). c starts at 1 and is divided by 4 until the model is fooled,
    which finds about the largest c, so the smallest r; of a run, the smallest r that fools counts.

    Args: x (1, C, H, W); target, the class; steps of Adam with rate lr for each of `tries`.
    Returns: r, like x, with x + r in [low, high]; if no try fooled the model, that of the last.
    Source: Szegedy et al. 2014, section 4.1. Decks: D0
    """
    op = "smallest_perturbation"
    image = batch_of_images(op, x)
    with evaluating(model):
        with no_grad():
            classes = labels_for(op, target, logits_of(op, model, image), "target")
        found, weight = image * 0.0, 1.0
        for _ in range(whole(op, "tries", tries)):
            found, fooled = _descend(model, image, classes, weight, steps, lr, low, high)
            if fooled:
                break
            weight /= 4.0
    return found


def _descend(
    model: Model, x: Tensor, classes: Tensor, weight: float, steps: int, lr: float,
    low: float, high: float,
) -> tuple[Tensor, bool]:  # fmt: skip
    """The best change that one weight of its size leads to, and whether it fools the model."""
    r = (x * 0.0).requires_grad_()
    optimizer = Adam([r], lr)
    best, smallest = r.detach(), inf
    for _ in range(steps):
        scores = logits_of("smallest_perturbation", model, F.clamp(x + r, low, high))
        size = (r * r).sum()
        with no_grad():
            hit = F.argmax(scores, 1).tolist() == classes.tolist()
        if hit and float(size) < smallest:
            best, smallest = F.clamp(x + r.detach(), low, high) - x, float(size)
        (r.grad,) = grad(F.cross_entropy(scores, classes) + size * weight, r)
        optimizer.step()
    if smallest == inf:
        best = F.clamp(x + r.detach(), low, high) - x
    return best, smallest < inf


def plot_adversarial(
    model: Model,
    x: Tensor,
    labels: object = None,
    eps: float = 0.1,
    steps: int = 1,
    most: int = 6,
    low: float = -inf,
    high: float = inf,
) -> Figure:
    """Images, what `fgsm` (or its iterated form) adds to them, and their sums, with the classes
    that the model sees and their probabilities.

    Returns: Figure with three rows. Source: Goodfellow et al. 2015, figure 1. Decks: D0
    """
    op = "plot_adversarial"
    images = batch_of_images(op, x)[:most]
    if isinstance(labels, (list, tuple, Tensor)) and len(labels) > most:
        labels = labels[:most]
    step = eps if steps == 1 else None
    changed = iterated_fgsm(model, images, labels, eps, step, steps, False, low, high)
    with evaluating(model), no_grad():
        seen = [F.softmax(logits_of(op, model, t), 1).tolist() for t in (images, changed)]
    before, after = [[f"{p.index(max(p))}: {100 * max(p):.0f} %" for p in rows] for rows in seen]
    return show_rows(
        [list(images), list(changed - images), list(changed)],
        ["image", "change", "sum"],
        [before, [""] * len(images), after],
        [False, True, False],
        f"Each pixel changed by at most {eps:g} (class: probability)",
    )
