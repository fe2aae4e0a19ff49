"""Which classes a classifier takes for which, and the examples that it gets most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .. import functional as F
from ..autograd import no_grad
from ..checks import tensor as expect_tensor
from ..checks import whole
from ..composed.scattering import bincount
from ..errors import ArgumentError, ShapeError, fail
from ..tensor import Tensor
from .canvas import array, grid_shape, panels, show_image
from .inputs import Model, batch_of_images, evaluating, labels_for, logits_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ClassScores(NamedTuple):
    """Of each class (K,): precision, recall, F1; accuracy of all. Parts: 0 ... 1, nan for 0 / 0."""

    precision: Tensor
    recall: Tensor
    f1: Tensor
    accuracy: float


class Mistakes(NamedTuple):
    """The worst mistakes: indices, predicted classes and their probabilities, all (n,)."""

    indices: Tensor
    predicted: Tensor
    probability: Tensor


def confusion_matrix(predicted: Tensor, targets: Tensor, classes: int | None = None) -> Tensor:
    """M (K, K) int64: M[i, j] examples of class i were taken for class j.

    Args: predicted (N,) whole numbers, or scores (N, K), of which the largest counts; targets (N,);
    classes K, by default one more than the largest class, or the number of scores.
    Raises: ShapeError, ArgumentError. Decks: D1, D2
    """
    op = "confusion_matrix"
    p: Tensor = expect_tensor(op, "predicted", predicted).detach()
    t: Tensor = expect_tensor(op, "targets", targets).detach()
    if len(p.shape) == 2:
        classes = p.shape[1] if classes is None else classes
        p = F.argmax(p, 1)
    if p.shape != t.shape or len(t.shape) != 1 or not len(t):
        raise fail(
            ShapeError,
            op,
            f"expected predicted (N,) or scores (N, K), and targets (N,), got {predicted.shape} "
            f"and {t.shape}; flatten them",
        )
    if p.dtype.is_floating_point or t.dtype.is_floating_point:
        raise fail(
            ArgumentError,
            op,
            f"expected classes as whole numbers, got {p.dtype} and {t.dtype}; use .long()",
        )
    largest = max(int(p.max()), int(t.max()))
    k = largest + 1 if classes is None else whole(op, "classes", classes)
    if largest >= k or min(int(p.min()), int(t.min())) < 0:
        raise fail(
            ArgumentError,
            op,
            f"expected classes 0 ... {k - 1}, got {min(int(p.min()), int(t.min()))} to {largest}; "
            "pass the number of classes",
        )
    return bincount(t.long() * k + p.long(), minlength=k * k).reshape(k, k).long()


def class_scores(matrix: Tensor) -> ClassScores:
    """Precision M_kk / sum_i M_ik, recall M_kk / sum_j M_kj, their harmonic mean F1, and accuracy.

    Args: matrix (K, K), as `confusion_matrix` gives it.
    """
    m = expect_tensor("class_scores", "matrix", matrix).detach().double()
    right = F.diagonal(m)
    precision, recall = right / m.sum(0), right / m.sum(1)
    f1 = right * 2.0 / (m.sum(0) + m.sum(1))
    return ClassScores(precision, recall, f1, float(right.sum() / m.sum()))


def plot_confusion(
    matrix: Tensor, names: Sequence[str] | None = None, normalise: bool = False
) -> Figure:
    """The confusion matrix with its numbers; the diagonal is right, colours are parts of each row.

    Args: matrix (K, K); names of the classes; normalise: numbers in percent of each row.
    Returns: Figure with the accuracy in its title. Decks: D1, D2
    """
    op = "plot_confusion"
    m = expect_tensor(op, "matrix", matrix).detach().double()
    k = m.shape[0] if len(m.shape) else 0
    labels = list(map(str, range(k))) if names is None else list(names)
    if m.shape != (k, k) or len(labels) != k or not k:
        raise fail(
            ShapeError,
            op,
            f"expected a matrix (K, K) and K names, got {matrix.shape} and {len(labels)} names; "
            "make it with confusion_matrix(predicted, targets)",
        )
    parts = m / F.clamp(m.sum(1, keepdim=True), 1.0)
    side = 1.6 + 0.42 * k
    accuracy = class_scores(m).accuracy
    figure, (ax,) = panels(1, 1, (side + 0.8, side), f"{100 * accuracy:.1f} % right")
    drawn = ax.imshow(array(parts), cmap="Blues", vmin=0.0, vmax=1.0)
    for i, (row, share) in enumerate(zip(m.tolist(), parts.tolist(), strict=True)):
        for j, (count, part) in enumerate(zip(row, share, strict=True)):
            text = f"{100 * part:.0f}" if normalise else f"{count:.0f}"
            if count:
                ax.text(j, i, text, ha="center", va="center", fontsize="small",
                        color="white" if part > 0.5 else "black")  # fmt: skip
    wide = max(map(len, labels)) > 3
    ax.set_xticks(range(k), labels, rotation=60 if wide else 0, ha="right" if wide else "center")
    ax.set_yticks(range(k), labels)
    ax.set(xlabel="predicted class", ylabel="true class")
    figure.colorbar(drawn, ax=ax, label="part of the true class", shrink=0.8)
    return figure


def most_confused(scores: Tensor, targets: Tensor, count: int = 16) -> Mistakes:
    """The examples of which the model is most sure and wrong.

    Args: scores (N, K), before the softmax; targets (N,); count, at most.
    Returns: Mistakes(indices, predicted, probability), the surest first; fewer if there are fewer.
    Decks: D1, D2
    """
    op = "most_confused"
    given = expect_tensor(op, "scores", scores).detach()
    if len(given.shape) != 2:
        raise fail(
            ShapeError, op, f"expected scores (N, K), got shape {given.shape}; pass model(x)"
        )
    classes = labels_for(op, targets, given, "targets")
    p = F.softmax(given, 1)
    predicted = F.argmax(p, 1)
    sure = F.where(predicted != classes, F.amax(p, 1), -1.0)
    order = F.argsort(sure, descending=True)[: whole(op, "count", count)]
    order = order[: int((sure[order] >= 0.0).long().sum())]
    return Mistakes(order, predicted[order], sure[order])


def plot_mistakes(
    model: Model,
    x: Tensor,
    targets: Tensor,
    names: Sequence[str] | None = None,
    count: int = 16,
) -> Figure:
    """The images that a model is most sure and wrong about: true class, predicted, probability.

    Args: model to scores (N, K); x (N, C, H, W); targets (N,); names of the classes.
    Returns: Figure; one empty panel if there is no mistake. Decks: D1, D2
    """
    op = "plot_mistakes"
    images = batch_of_images(op, x)
    with evaluating(model), no_grad():
        scores = logits_of(op, model, images)
    found = most_confused(scores, targets, count)
    word = list(map(str, range(scores.shape[1]))) if names is None else list(names)
    rows, columns = grid_shape(len(found.indices), 8)
    wrong = int((F.argmax(scores, 1) != targets).long().sum())
    title = f"The surest of {wrong} mistakes in {len(images)} (true, predicted: probability)"
    figure, axes = panels(rows, columns, (1.4, 1.6), title)
    for ax in axes[len(found.indices) :]:
        ax.axis("off")
    lines = zip(
        found.indices.tolist(), found.predicted.tolist(), found.probability.tolist(), strict=True
    )
    for ax, (i, j, p) in zip(axes, lines, strict=False):
        truth = word[targets.tolist()[i]]
        show_image(ax, images[i], f"{truth}, {word[j]}: {100 * p:.0f} %")
    return figure
