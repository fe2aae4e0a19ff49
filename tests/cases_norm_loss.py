"""Cases of softmax, normalisation and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import INTEGERS, Case, apart, exactly, ints, t

from etude import functional as F


def softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    e = np.exp(x - x.max(dim, keepdims=True)) if x.size else x
    return e / e.sum(dim, keepdims=True)


def log_softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    if x.size == 0:
        return x
    shifted = x - x.max(dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(dim, keepdims=True))


def batch_norm(
    x: Any,
    mean: Any,
    var: Any,
    w: Any = None,
    b: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    shape = (1, -1, *[1] * (x.ndim - 2))
    if training or mean is None:
        axes = (0, *range(2, x.ndim))
        mean, var = x.mean(axes), x.var(axes)
    y = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps)
    y = y if w is None else y * w.reshape(shape)
    return y if b is None else y + b.reshape(shape)


def reduced(losses: Any, reduction: str) -> Any:
    return {"none": lambda x: x, "sum": np.sum, "mean": np.mean}[reduction](losses)


def mse_loss(x: Any, y: Any, reduction: str = "mean") -> Any:
    return reduced((x - y) ** 2, reduction)


def l1_loss(x: Any, y: Any, reduction: str = "mean") -> Any:
    return reduced(np.abs(x - y), reduction)


def nll_loss(
    x: Any, labels: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    if x.ndim == 1:
        y = nll_loss(x[None], labels[None], weight, ignore_index, reduction)
        return y[0] if reduction == "none" else y
    weight = np.ones(x.shape[1]) if weight is None else weight
    counts = labels != ignore_index
    safe = np.where(counts, labels, 0)
    each = np.where(counts, weight[safe], 0.0)
    losses = -np.take_along_axis(x, np.expand_dims(safe, 1), 1).squeeze(1) * each
    if reduction == "mean":
        return losses.sum() / each.sum()
    return reduced(losses, reduction)


def cross_entropy(x: Any, labels: Any, **more: Any) -> Any:
    return nll_loss(log_softmax(x, 0 if x.ndim == 1 else 1), labels, **more)


X, LABELS = t(5, 4), ints(5, high=3)
SOME = exactly([0, 3, -100, 1, -100], "int64", False)
MEAN, VAR = t(3, grad=False), t(3, low=0.5, high=2.0, grad=False)
WEIGHT = t(4, low=0.2, high=2.0, grad=False)
SOFT = exactly(np.arange(1.0, 21.0).reshape(5, 4) / 40.0)
REDUCTIONS = ("mean", "sum", "none")

SOFTMAX = [
    Case("softmax", [X, 1], softmax, reduction=True),
    Case("softmax first axis", [t(3, 4, 2), 0], softmax),
    Case("softmax middle axis", [t(3, 4, 2), -2], softmax),
    Case("softmax of large numbers", [t(3, 4, low=900.0, high=1000.0), 1], softmax, loose=50),
    Case(
        "softmax of whole numbers",
        [t(3, 4), 1],
        None,
        {"dtype": "float32"},
        dtypes=INTEGERS,
        torch=lambda x, dim, dtype: x.float().softmax(dim),
        grad=False,
    ),
    Case("softmax of one", [t(3, 1), 1], softmax),
    Case("softmax of nothing", [t(0, 4), 1], softmax),
    Case("softmax of a number", [t(), 0], lambda x, dim: 1.0),
    Case("softmax with -inf", [exactly([[0.0, -np.inf], [1.0, 2.0]]), 1], softmax, smooth=False),
    Case("log_softmax", [X, 1], log_softmax, reduction=True),
    Case("log_softmax first axis", [t(3, 4, 2), 0], log_softmax),
    Case(
        "log_softmax of large numbers", [t(3, 4, low=900.0, high=1000.0), 1], log_softmax, loose=50
    ),
    Case("log_softmax of nothing", [t(3, 0), 1], log_softmax),
    Case("log_softmax of a number", [t(), 0], lambda x, dim: 0.0),
]


def training(what: str, inputs: Any, **kwargs: Any) -> Case:
    return Case(
        f"batch_norm training {what}",
        inputs,
        batch_norm,
        {"training": True, **kwargs},
        in_place=(1, 2),
    )


def statistics(functional: Any) -> Any:
    """The running statistics after a training step."""

    def function(x: Any, mean: Any, var: Any) -> Any:
        functional.batch_norm(x, mean, var, training=True, momentum=0.3)
        return mean, var

    return function


def moved(x: Any, mean: Any, var: Any) -> Any:
    axes = (0, *range(2, x.ndim))
    return mean * 0.7 + x.mean(axes) * 0.3, var * 0.7 + x.var(axes, ddof=1) * 0.3


def torch_statistics(*xs: Any) -> Any:
    import torch

    return statistics(torch.nn.functional)(*xs)


NORM = [
    training("all", [t(4, 3, 2, 5), MEAN, VAR, t(3), t(3)]),
    training("without statistics", [t(6, 3), None, None, t(3), t(3)], eps=1e-3),
    training("without affine", [t(4, 3, 5), MEAN, VAR]),
    training("with weight only", [t(4, 3, 5), MEAN, VAR, t(3)]),
    Case(
        "batch_norm statistics",
        [t(4, 3, 5), MEAN, VAR],
        moved,
        function=statistics(F),
        torch=torch_statistics,
        grad=False,
        in_place=(1, 2),
    ),
    Case("batch_norm", [t(4, 3, 2, 2), MEAN, VAR, t(3), t(3)], batch_norm),
    Case("batch_norm without affine", [t(4, 3), MEAN, VAR], batch_norm),
    Case("batch_norm with bias only", [t(4, 3), MEAN, VAR, None, t(3)], batch_norm),
    Case("batch_norm of no image", [t(0, 3, 2, 2), MEAN, VAR, t(3), t(3)], batch_norm),
]

LOSSES = [
    *[Case(f"mse_loss {r}", [X, t(5, 4)], mse_loss, {"reduction": r}) for r in REDUCTIONS],
    *[
        Case(
            f"l1_loss {r}",
            [apart(5, 4), exactly(np.full((5, 4), 0.011))],
            l1_loss,
            {"reduction": r},
        )
        for r in REDUCTIONS
    ],
    *[Case(f"nll_loss {r}", [X, LABELS], nll_loss, {"reduction": r}) for r in REDUCTIONS],
    *[Case(f"cross_entropy {r}", [X, LABELS], cross_entropy, {"reduction": r}) for r in REDUCTIONS],
    *[
        Case(f"cross_entropy ignoring {r}", [X, SOME], cross_entropy, {"reduction": r})
        for r in REDUCTIONS
    ],
    *[
        Case(f"cross_entropy weighted {r}", [X, LABELS, WEIGHT], None, {"reduction": r})
        for r in REDUCTIONS
    ],
    *[
        Case(
            f"cross_entropy smoothed {r}",
            [X, SOME, WEIGHT],
            None,
            {"reduction": r, "label_smoothing": 0.3},
        )
        for r in REDUCTIONS
    ],
    *[
        Case(f"cross_entropy probabilities {r}", [X, SOFT], None, {"reduction": r})
        for r in REDUCTIONS
    ],
    *[
        Case(
            f"cross_entropy weighted probabilities {r}",
            [X, SOFT, WEIGHT],
            None,
            {"reduction": r, "label_smoothing": 0.2},
        )
        for r in REDUCTIONS
    ],
    Case(
        "cross_entropy of an int32 label",
        [X, exactly([0, 1, 2, 3, 0], "int32", False)],
        cross_entropy,
        torch=None,
    ),
    Case("cross_entropy of images", [t(2, 4, 3, 2), ints(2, 3, 2, high=3)], cross_entropy),
    Case(
        "cross_entropy of images unreduced",
        [t(2, 4, 3), ints(2, 3, high=3)],
        cross_entropy,
        {"reduction": "none"},
    ),
    Case(
        "cross_entropy of probabilities of images",
        [t(2, 3, 2), t(2, 3, 2, low=0.0, high=0.5)],
        None,
    ),
    Case("cross_entropy of one", [t(4), ints(high=3)], cross_entropy),
    Case(
        "cross_entropy of one unreduced", [t(4), ints(high=3)], cross_entropy, {"reduction": "none"}
    ),
    Case("cross_entropy of one with probabilities", [t(4), t(4, low=0.0, high=0.5)], None),
    Case(
        "cross_entropy of large logits",
        [t(5, 4, low=-900.0, high=900.0), LABELS],
        cross_entropy,
        second=False,
        loose=10,
    ),
    Case(
        "cross_entropy with another ignore_index",
        [X, exactly([0, 1, 2, 2, 3], "int64", False)],
        cross_entropy,
        {"ignore_index": 2},
    ),
    Case("nll_loss weighted", [X, SOME, WEIGHT], nll_loss),
    Case("nll_loss of images", [t(2, 4, 3, 2), ints(2, 3, 2, high=3)], nll_loss),
    Case("nll_loss of one", [t(4), ints(high=3)], nll_loss),
]

CASES = SOFTMAX + NORM + LOSSES
