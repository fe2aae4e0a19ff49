"""Cases of the losses of regression and of likelihoods, and of cross-entropy's rarer forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import Case, apart, exactly, ints, t
from cases_norm_loss import REDUCTIONS, reduced

from etude import functional as F

X, Y = t(5, 4), t(5, 4)
FAR = apart(5, 4)
LEVEL = exactly(np.full((5, 4), 0.013))
WEIGHT = t(5, 4, low=0.2, high=2.0)
SUM = {"reduction": "sum"}
NONE = {"reduction": "none"}
BATCH = {"reduction": "batchmean"}


def every(name: str, inputs: Any, oracle: Any, **kwargs: Any) -> list[Case]:
    """A case for each reduction of a function that gives a loss for each element."""
    more = {key: kwargs.pop(key) for key in ("smooth", "loose", "dtypes", "torch") if key in kwargs}

    def total(*xs: Any, reduction: str, **rest: Any) -> Any:
        return reduced(oracle(*xs, **rest), reduction)

    return [
        Case(f"{name} {r}", inputs, total, {"reduction": r, **kwargs}, **more) for r in REDUCTIONS
    ]


def one(name: str, inputs: Any, oracle: Any, **kwargs: Any) -> Case:
    """The case without a reduction."""
    return every(name, inputs, oracle, **kwargs)[2]


def named(name: str, inputs: Any, oracle: Any, *last: str, **kwargs: Any) -> Case:
    """A case whose last inputs are given by name, because they come after a torch argument."""

    def calls(place: Any) -> Any:
        def function(*xs: Any, **rest: Any) -> Any:
            ends = dict(zip(last, xs[-len(last) :]))
            return getattr(place(), name.split()[0])(*xs[: -len(last)], **ends, **rest)

        return function

    return Case(name, inputs, oracle, kwargs, calls(lambda: F), calls(torch_functional))


def torch_functional() -> Any:
    import torch

    return torch.nn.functional


# regression ---------------------------------------------------------------------------------------
def huber(x: Any, y: Any, delta: float = 1.0, weight: Any = 1.0) -> Any:
    d = abs(x - y)
    return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)) * weight


def smooth_l1(x: Any, y: Any, beta: float = 1.0) -> Any:
    return huber(x, y, beta) / beta if beta else abs(x - y)


def weighted_mean(square: Any) -> Any:
    return lambda x, y, w: (square(x - y) * w).sum() / w.sum()


def huber_mean(x: Any, y: Any, w: Any) -> Any:
    return huber(x, y, weight=w).mean()


ZEROS = exactly(np.zeros(5), grad=False)
EDGES = exactly([-1.0, 0.0, 0.5, 1.0, 3.0])

REGRESSION = [
    *every("smooth_l1_loss", [FAR, LEVEL], smooth_l1),
    *every("huber_loss", [FAR, LEVEL], huber),
    one("smooth_l1_loss narrow", [FAR, LEVEL], smooth_l1, beta=0.3),
    one("smooth_l1_loss without a bend", [FAR, LEVEL], smooth_l1, beta=0.0),
    one("smooth_l1_loss at its edges", [EDGES, ZEROS], smooth_l1, smooth=False),
    one("huber_loss wide", [FAR, LEVEL], huber, delta=1.7),
    one("huber_loss at its edges", [EDGES, ZEROS], huber, smooth=False),
    one("huber_loss far away", [exactly([1e20, -1e20]), exactly([0.0, 0.0])], huber, smooth=False),
    one("l1_loss at 0", [EDGES, ZEROS], lambda x, y: abs(x - y), smooth=False),
    named("mse_loss weighted", [X, Y, WEIGHT], weighted_mean(np.square), "weight"),
    named("l1_loss weighted", [FAR, LEVEL, WEIGHT], weighted_mean(np.abs), "weight"),
    named("huber_loss weighted", [FAR, LEVEL, WEIGHT], huber_mean, "weight"),
    named("mse_loss weighted sum", [X, Y, WEIGHT], None, "weight", reduction="sum"),
    named("huber_loss weighted none", [FAR, LEVEL, WEIGHT], None, "weight", reduction="none"),
    Case("mse_loss of nothing", [t(0, 4), t(0, 4)], lambda x, y, reduction: 0.0, SUM),
    Case("smooth_l1_loss of a number", [exactly(0.2), exactly(1.9)], smooth_l1),
]


# likelihoods --------------------------------------------------------------------------------------
P = t(5, 4, low=0.1, high=0.9)
LOGITS = t(5, 4, low=-6.0, high=6.0)


def bce(x: Any, y: Any, weight: Any = 1.0) -> Any:
    hit, miss = np.maximum(np.log(x), -100.0), np.maximum(np.log(1.0 - x), -100.0)
    return -(y * hit + (1.0 - y) * miss) * weight


def logits(x: Any, y: Any, weight: Any = 1.0, pos_weight: Any = 1.0) -> Any:
    hit, miss = np.logaddexp(0.0, -x), np.logaddexp(0.0, x)
    return (pos_weight * y * hit + (1.0 - y) * miss) * weight


def kl(x: Any, y: Any, log_target: bool = False) -> Any:
    if log_target:
        return np.exp(y) * (y - x)
    return np.where(y > 0, y * (np.log(np.where(y > 0, y, 1.0)) - x), 0.0)


def gaussian(x: Any, y: Any, var: Any, full: bool = False, eps: float = 1e-6) -> Any:
    v = np.maximum(var, eps)
    return 0.5 * (np.log(v) + (x - y) ** 2 / v) + full * 0.5 * math.log(2 * math.pi)


def poisson(x: Any, y: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> Any:
    losses = np.exp(x) - y * x if log_input else x - y * np.log(x + eps)
    if full:
        s = np.where(y > 1, y, 1.0)
        losses = losses + (y > 1) * (s * np.log(s) - s + 0.5 * np.log(2 * math.pi * s))
    return losses


CORNERS = [exactly([0.0, 0.0, 1.0, 1.0]), exactly([0.0, 1.0, 1.0, 0.0], grad=False)]
SURE = [exactly([800.0, -800.0, 800.0, -800.0, 0.0]), exactly([1.0, 0.0, 0.0, 1.0, 0.3])]

LIKELIHOOD = [
    *every("binary_cross_entropy", [P, t(5, 4, low=0.1, high=0.9)], bce),
    one("binary_cross_entropy weighted", [P, P, t(4, low=0.5, grad=False)], bce),
    one("binary_cross_entropy of nothing", [t(0, 3), t(0, 3)], bce),
    Case(
        "binary_cross_entropy at 0 and 1",
        CORNERS,
        None,
        NONE,
        dtypes=("float64",),
        smooth=False,
        loose=1e4,  # torch has its limit 1e-12 in float32
    ),
    *every("binary_cross_entropy_with_logits", [LOGITS, P], logits),
    one("binary_cross_entropy_with_logits of sure ones", SURE, logits, smooth=False),
    named(
        "binary_cross_entropy_with_logits weighted",
        [LOGITS, P, t(4, low=0.5, grad=False), t(4, low=0.5, grad=False)],
        lambda x, y, w, p, reduction: logits(x, y, w, p),
        "weight",
        "pos_weight",
        reduction="none",
    ),
    *every("kl_div", [X, P], kl),
    one("kl_div of logarithms", [X, Y], kl, log_target=True),
    one("kl_div with a target of 0", [t(3), exactly([0.0, 0.4, 0.6], grad=False)], kl),
    Case("kl_div batchmean", [X, P], lambda x, y, reduction: kl(x, y).sum() / 5, BATCH),
    Case("kl_div batchmean of a row", [t(4), t(4, low=0.1)], None, BATCH),
    *every("gaussian_nll_loss", [X, Y, t(5, 4, low=0.3)], gaussian),
    one("gaussian_nll_loss full", [X, Y, t(5, 4, low=0.3)], gaussian, full=True),
    one("gaussian_nll_loss one variance a row", [X, Y, t(5, 1, low=0.3)], gaussian),
    Case(
        "gaussian_nll_loss a variance a row",
        [X, Y, t(5, low=0.3)],
        lambda x, y, v: gaussian(x, y, v[:, None]).mean(),
    ),
    Case("gaussian_nll_loss one variance", [X, Y, 0.7], lambda x, y, v: gaussian(x, y, v).mean()),
    one(
        "gaussian_nll_loss at its limit",
        [t(3), t(3), exactly([0.0, 1e-6, 1e-3])],
        gaussian,
        smooth=False,
    ),
    *every("poisson_nll_loss", [X, t(5, 4, low=0.0)], poisson),
    one("poisson_nll_loss full", [X, t(5, 4, low=1.2, high=5.0)], poisson, full=True),
    one(
        "poisson_nll_loss full and few", [t(4), exactly([0.2, 0.9, 0.99, 3.0])], poisson, full=True
    ),
    one("poisson_nll_loss of rates", [t(5, 4, low=0.2), t(5, 4)], poisson, log_input=False),
]


# cross-entropy ------------------------------------------------------------------------------------
IMAGES, PIXELS = t(2, 3, 2, 2), ints(2, 2, 2, high=2)
CLASSES = t(3, low=0.2, grad=False)


def forms(name: str, inputs: Any, **kwargs: Any) -> list[Case]:
    return [Case(f"{name} {r}", inputs, None, {"reduction": r, **kwargs}) for r in REDUCTIONS]


CROSS_ENTROPY = [
    *forms("cross_entropy smoothed pixels", [IMAGES, PIXELS], label_smoothing=0.2),
    *forms(
        "cross_entropy weighted smoothed pixels", [IMAGES, PIXELS, CLASSES], label_smoothing=0.2
    ),
    *forms("cross_entropy ignoring class 1", [IMAGES, PIXELS], ignore_index=1),
    *forms("cross_entropy weighted pixels", [IMAGES, PIXELS, CLASSES], ignore_index=0),
    *forms("cross_entropy smoothed probabilities", [X, P, t(4, low=0.2)], label_smoothing=0.4),
    *forms("cross_entropy probabilities of pixels", [IMAGES, t(2, 3, 2, 2, low=0.1), CLASSES]),
    *forms("cross_entropy probabilities of one", [t(4), t(4, low=0.1)], label_smoothing=0.1),
    *forms("cross_entropy smoothed one", [t(4), exactly(2, "int64", False)], label_smoothing=0.1),
    *forms("nll_loss weighted pixels", [IMAGES, PIXELS, CLASSES], ignore_index=2),
    *forms("nll_loss of one", [t(4), exactly(1, "int64", False), t(4, low=0.2, grad=False)]),
    Case("cross_entropy of no pixels", [t(2, 3, 0), ints(2, 0)], None, {"reduction": "sum"}),
    Case("nll_loss of no pixels", [t(2, 3, 0), ints(2, 0)], None, {"reduction": "none"}),
    Case(
        "cross_entropy of huge logits",
        [exactly([[1e4, -1e4, 0.0], [1e30, 0.0, 1.0]]), exactly([1, 0], "int64", False)],
        None,
        {"reduction": "none", "label_smoothing": 0.1},
        smooth=False,
    ),
]

CASES = [*REGRESSION, *LIKELIHOOD, *CROSS_ENTROPY]
