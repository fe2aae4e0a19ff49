"""Cases of generative losses, penalties, and pooling of regions and pyramids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import Case, apart, exactly, ints, t
from cases_norm_loss import REDUCTIONS, reduced
from cases_spatial import adaptive_max_pool2d

from etude import functional as F


# regions and pyramids -----------------------------------------------------------------------------
def roi_pool(x: Any, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Any:
    """Cell by cell, as the paper says it."""
    if isinstance(boxes, list):
        boxes = np.concatenate([np.c_[np.full(len(b), i), b] for i, b in enumerate(boxes)])
    rows, columns = (output_size,) * 2 if isinstance(output_size, int) else output_size
    y = np.zeros((len(boxes), x.shape[1], rows, columns))
    for k, (n, *corners) in enumerate(boxes):
        x1, y1, x2, y2 = (math.floor(c * spatial_scale + 0.5) for c in corners)
        h, w = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        for i in range(rows):
            for j in range(columns):
                down = slice(y1 + i * h // rows, y1 - (-(i + 1) * h // rows))
                right = slice(x1 + j * w // columns, x1 - (-(j + 1) * w // columns))
                patch = x[int(n), :, down, right]
                y[k, :, i, j] = patch.max((1, 2)) if patch.size else 0.0
    return y


def pyramid(x: Any, levels: Any = (4, 2, 1), mode: str = "max") -> Any:
    def average(x: Any, n: int) -> Any:
        return np.stack([p.mean((-2, -1)) for p in patches(x, n)], -1)

    def patches(x: Any, n: int) -> Any:
        h, w = x.shape[-2:]
        return [
            x[..., i * h // n : -(-(i + 1) * h // n), j * w // n : -(-(j + 1) * w // n)]
            for i in range(n)
            for j in range(n)
        ]

    pool = adaptive_max_pool2d if mode == "max" else average
    return np.concatenate([pool(x, n).reshape(len(x), -1) for n in levels], 1)


MAPS = apart(2, 2, 5, 6)
BOXES = exactly(
    [[0, 0, 0, 5, 4], [1, 1.4, 0.6, 4.4, 3.4], [1, 3, 2, 3, 2], [0, 4, 3, 6, 5]], grad=False
)
LISTED = [
    exactly([[0, 1, 3, 4]], grad=False),
    exactly([[2, 0, 5, 2.5], [1, 1, 0, 0]], grad=False),
]
# Of 95 by 111 pixels at stride 16: the map of 5 by 6 ends 0.94 of its pixels before the image.
CUT = exactly([[0, 0, 0, 111, 95], [1, 60, 70, 111, 95], [0, 105, 90, 111, 95]], grad=False)

POOLS = [
    Case("roi_pool", [MAPS, BOXES, 2], roi_pool, torch=None),
    Case("roi_pool of lists", [MAPS, LISTED, (3, 2)], roi_pool, torch=None),
    Case("roi_pool scaled", [MAPS, BOXES, 1], roi_pool, {"spatial_scale": 0.5}, torch=None),
    Case(
        "roi_pool of a map cut short",
        [MAPS, CUT, 2],
        roi_pool,
        {"spatial_scale": 1 / 16},
        torch=None,
    ),
    Case(
        "roi_pool of no region",
        [MAPS, exactly(np.zeros((0, 5)), grad=False), 2],
        lambda x, b, n: np.zeros((0, 2, 2, 2)),
        torch=None,
    ),
    Case("spatial_pyramid_pool", [MAPS], pyramid, torch=None),
    Case(
        "spatial_pyramid_pool mean", [MAPS], pyramid, {"levels": (3, 1), "mode": "avg"}, torch=None
    ),
]


# variational auto-encoders ------------------------------------------------------------------------
M, LV = t(4, 3), t(4, 3, low=-1.0, high=1.0)
PIXELS, LOGITS = t(4, 2, 5, low=0.0, high=1.0, grad=False), t(4, 2, 5)


def kl(m: Any, lv: Any, p: Any = 0.0, lp: Any = 0.0, reduction: str = "mean") -> Any:
    v, w = np.exp(lv), np.exp(lp)
    return reduced(0.5 * (v / w - 1 - np.log(v / w) + (m - p) ** 2 / w).sum(-1), reduction)


def elbo(x: Any, y: Any, m: Any, lv: Any, likelihood: str = "bernoulli", **given: Any) -> Any:
    p = 1 / (1 + np.exp(-x))
    bernoulli = y * np.log(p) + (1 - y) * np.log(1 - p)
    gaussian = -0.5 * ((x - y) ** 2 + np.log(2 * np.pi))
    each = (bernoulli if likelihood == "bernoulli" else gaussian).reshape(len(x), -1).sum(1)
    divergence = kl(m, lv, reduction="none") * given.get("beta", 1.0)
    return reduced(each - divergence, given.get("reduction", "mean"))


VARIATIONAL = [
    Case("reparameterize", [M, LV, t(4, 3)], lambda m, s, z: m + np.exp(s / 2) * z, torch=None),
    *[Case(f"gaussian_kl {r}", [M, LV], kl, {"reduction": r}, torch=None) for r in REDUCTIONS],
    Case("gaussian_kl between two", [M, LV, t(4, 3), t(3)], kl, torch=None),
    Case("gaussian_kl of a wide prior", [M, LV, 0.5, 1.0], kl, torch=None),
    *[
        Case(f"elbo {r}", [LOGITS, PIXELS, M, LV], elbo, {"reduction": r}, torch=None)
        for r in REDUCTIONS
    ],
    Case("elbo gaussian", [LOGITS, PIXELS, M, LV, "gaussian"], elbo, {"beta": 0.3}, torch=None),
]


# adversarial pairs --------------------------------------------------------------------------------
def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def game(x: Any, y: Any) -> Any:
    return -np.log(sigmoid(x)).mean() - np.log(1 - sigmoid(y)).mean()


def fooling(y: Any, form: str = "non_saturating") -> Any:
    p = sigmoid(y)
    return (-np.log(p) if form == "non_saturating" else np.log(1 - p)).mean()


def share(p: Any, q: Any) -> Any:
    return np.where(p + q > 0, p / np.where(p + q > 0, p + q, 1.0), 0.5)


def categorical(x: Any, c: Any, entropy: Any = None, reduction: str = "mean") -> Any:
    log_q = x - np.log(np.exp(x).sum(1, keepdims=True))
    known = np.log(x.shape[1]) if entropy is None else entropy
    return reduced(log_q[np.arange(len(x)), c] + known, reduction)


def continuous(m: Any, c: Any, lv: Any = 0.0, reduction: str = "mean") -> Any:
    log_q = -0.5 * (np.log(2 * np.pi) + lv + (c - m) ** 2 / np.exp(lv))
    return reduced(log_q.sum(1) + m.shape[1] * np.log(2.0), reduction)


DENSITIES = exactly([0.0, 0.0, 0.2, 1.0], grad=False), exactly([0.0, 3.0, 0.6, 0.0], grad=False)
ADVERSARIAL = [
    Case("gan_discriminator_loss", [t(4, 1), t(3)], game, torch=None),
    Case(
        "gan_discriminator_loss far out",
        [exactly([-90.0, 90.0]), exactly([90.0, -90.0])],
        lambda x, y: np.array(90.0),
        torch=None,
    ),
    Case("gan_generator_loss", [t(5, 1)], fooling, torch=None),
    Case("gan_generator_loss minimax", [t(5)], fooling, {"form": "minimax"}, torch=None),
    Case("optimal_discriminator", [t(4, low=0.1), t(4, low=0.1)], share, torch=None),
    Case("optimal_discriminator of nothing", DENSITIES, share, torch=None, grad=False),
    *[
        Case(
            f"mutual_information_bound {r}",
            [t(5, 3), ints(5, high=2)],
            categorical,
            {"reduction": r},
            torch=None,
        )
        for r in REDUCTIONS
    ],
    Case(
        "mutual_information_bound of uneven chances",
        [t(5, 3), ints(5, high=2)],
        categorical,
        {"entropy": 0.8},
        torch=None,
    ),
    Case("mutual_information_bound continuous", [t(5, 2), t(5, 2)], continuous, torch=None),
    Case(
        "mutual_information_bound with a variance",
        [t(5, 2), t(5, 2), t(5, 2)],
        continuous,
        {"reduction": "none"},
        torch=None,
    ),
]


# penalties ----------------------------------------------------------------------------------------
def total(part: Any) -> Any:
    def oracle(ws: Any, strength: float = 1.0, half: Any = None, weights_only: bool = False) -> Any:
        kept = [w for w in ws if w.ndim > 1 or not weights_only]
        half = part is square if half is None else half
        return sum(part(w).sum() for w in kept) * strength * (0.5 if half else 1.0)

    return oracle


def square(w: Any) -> Any:
    return w * w


def contractive(function: Any) -> Any:
    """contractive_penalty of sigmoid(x W^T + b), which requires its input's gradient."""

    def call(x: Any, w: Any, b: Any, **given: Any) -> Any:
        watched = x if x.requires_grad else x.detach().requires_grad_()
        found = function(F.sigmoid(F.linear(watched, w, b)), watched, **given)
        return found if watched is x else found.detach()

    return call


def jacobian(x: Any, w: Any, b: Any, strength: float = 1.0, reduction: str = "mean") -> Any:
    h = sigmoid(x @ w.T + b)
    each = ((h * (1 - h)) ** 2 * (w**2).sum(1)).sum(1)
    return reduced(each * strength, reduction)


WEIGHTS = [[apart(3, 2), apart(3)]]
PENALTIES = [
    *[
        Case(f"{name} {what}", WEIGHTS, total(part), given, torch=None)
        for name, part in (("l2_penalty", square), ("l1_penalty", np.abs))
        for what, given in (
            ("plain", {}),
            ("D3", {"strength": 0.3, "half": True}),
            ("D4", {"strength": 0.3, "half": False, "weights_only": True}),
        )
    ],
    Case(
        "activity_penalty",
        [apart(3, 2, 2)],
        lambda h, s: s * np.abs(h).sum((1, 2)).mean(),
        {"s": 0.5},
        lambda h, s: F.activity_penalty(h, s),
        torch=None,
    ),
    *[
        Case(
            f"contractive_penalty {r}",
            [t(3, 2), t(4, 2), t(4)],
            jacobian,
            {"reduction": r, "strength": 0.7},
            contractive(F.contractive_penalty),
            torch=None,
        )
        for r in REDUCTIONS
    ],
]

CASES = [*POOLS, *VARIATIONAL, *ADVERSARIAL, *PENALTIES]
