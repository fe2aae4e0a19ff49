"""Cases of the losses with a margin, of distances, and of the losses that learn them."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import Case, apart, exactly, ints, t
from cases_losses import every, one
from cases_norm_loss import REDUCTIONS, reduced

SIGNS = exactly([[1.0, -1.0, 1.0, -1.0]] * 5, grad=False)
SIDES = exactly([1.0, -1.0, 1.0, -1.0, -1.0], grad=False)
X, Y = t(5, 4), t(5, 4)
FAR = apart(5, 4)
LABELS = ints(5, high=3)


def hinge(x: Any, y: Any, margin: float = 1.0) -> Any:
    return np.where(y == 1, x, np.maximum(0.0, margin - x))


def ranking(a: Any, b: Any, y: Any, margin: float = 0.0) -> Any:
    return np.maximum(0.0, -y * (a - b) + margin)


def multi_margin(x: Any, labels: Any, p: int, margin: float, w: Any = None, **k: Any) -> Any:
    rows, labels = np.atleast_2d(x), np.atleast_1d(labels)
    at = np.arange(len(rows)), labels
    each = np.maximum(0.0, margin - rows[at][:, None] + rows) ** p
    each = each if w is None else each * w[labels][:, None]
    each[at] = 0.0
    losses = each.sum(1) / rows.shape[1]
    return reduced(losses if x.ndim == 2 else losses[0], k.get("reduction", "mean"))


def multilabel_margin(x: Any, target: Any, reduction: str = "mean") -> Any:
    losses = []
    for row, labels in zip(np.atleast_2d(x), np.atleast_2d(target)):
        end = list(labels).index(-1) if -1 in labels else len(labels)
        listed = list(labels[:end])
        others = [i for i in range(len(row)) if i not in listed]
        gaps = [max(0.0, 1 - row[j] + row[i]) for j in listed for i in others]
        losses.append(sum(gaps) / len(row))
    return reduced(np.array(losses) if x.ndim == 2 else losses[0], reduction)


def soft_margins(x: Any, y: Any, w: Any = 1.0, reduction: str = "mean") -> Any:
    losses = (y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)) * w
    return reduced(losses.mean(-1), reduction)


LISTED = exactly([[2, 0, -1, 1], [-1, 0, 0, 0], [3, 2, 1, 0]], "int64", False)
HOT = exactly([[1.0, 0.0, 1.0, 0.0]] * 5, grad=False)

MARGINS = [
    *every("hinge_embedding_loss", [FAR, SIGNS], hinge),
    one("hinge_embedding_loss wide", [FAR, SIGNS], hinge, margin=1.7),
    one(
        "hinge_embedding_loss at its edge",
        [exactly([0.0, 1.0, 2.0]), exactly([-1.0, -1.0, -1.0], grad=False)],
        hinge,
        smooth=False,
    ),
    *every("margin_ranking_loss", [X, Y, SIGNS], ranking),
    one("margin_ranking_loss apart", [X, Y, SIGNS], ranking, margin=0.7),
    one(
        "margin_ranking_loss of ties",
        [t(4), exactly([0.0] * 4), exactly([1.0, -1.0, 1.0, 0.0])],
        ranking,
        smooth=False,
    ),
    *every("soft_margin_loss", [X, SIGNS], lambda x, y: np.logaddexp(0.0, -y * x)),
    one(
        "soft_margin_loss far out",
        [exactly([-800.0, 800.0]), exactly([1.0, 1.0], grad=False)],
        lambda x, y: np.maximum(0.0, -x),
        torch=None,
    ),
    *[
        Case(f"multi_margin_loss {r}", [X, LABELS, 1, 1.0], multi_margin, {"reduction": r})
        for r in REDUCTIONS
    ],
    Case("multi_margin_loss squared", [X, LABELS, 2, 0.7], multi_margin),
    Case(
        "multi_margin_loss weighted", [X, LABELS, 2, 1.0, t(4, low=0.5, grad=False)], multi_margin
    ),
    Case("multi_margin_loss of one", [t(4), exactly(2, "int64", False), 1, 1.0], multi_margin),
    *[
        Case(f"multilabel_margin_loss {r}", [t(3, 4), LISTED], multilabel_margin, {"reduction": r})
        for r in REDUCTIONS
    ],
    Case(
        "multilabel_margin_loss of one",
        [t(3), exactly([1, -1, 0], "int64", False)],
        multilabel_margin,
    ),
    *[
        Case(f"multilabel_soft_margin_loss {r}", [X, HOT], soft_margins, {"reduction": r})
        for r in REDUCTIONS
    ],
    Case("multilabel_soft_margin_loss weighted", [X, HOT, t(4, low=0.2)], soft_margins),
]


# distances ----------------------------------------------------------------------------------------
def length(x: Any, p: float = 2.0, axis: int = -1, keep: bool = False) -> Any:
    return np.linalg.norm(x, p, axis, keepdims=keep)


def cosine(a: Any, b: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    a, b = np.broadcast_arrays(a, b)
    u, v = (x / np.maximum(length(x, 2, dim, True), eps) for x in (a, b))
    return (u * v).sum(dim)


def distance(a: Any, b: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return length(a - b + eps, p, -1, keepdim)


def pairs(x: Any, p: float = 2.0) -> Any:
    return np.array([length(a - b, p) for i, a in enumerate(x) for b in x[i + 1 :]])


def cosine_loss(a: Any, b: Any, y: Any, margin: float = 0.0) -> Any:
    c = cosine(a, b, -1, 1e-12)
    return np.where(y == 1, 1 - c, np.maximum(0.0, c - margin))


def contrastive(a: Any, b: Any, y: Any, margin: float = 1.0) -> Any:
    d = length(a - b)
    return np.where(y == 1, d**2, np.maximum(0.0, margin - d) ** 2) / 2


def triplet(a: Any, p: Any, n: Any, margin: float = 1.0, swap: bool = False, **k: Any) -> Any:
    near, far = distance(a, p, **k), distance(a, n, **k)
    far = np.minimum(far, distance(p, n, **k)) if swap else far
    return np.maximum(0.0, near - far + margin)


def cityblock(a: Any, b: Any) -> Any:
    return (a - b).abs().sum(-1)


NOTHING = exactly([[0.0, 0.0], [1e-12, 0.0], [1.0, 2.0]])
ORDERS = {"city block": 1.0, "cubes": 3.0, "largest": float("inf")}

DISTANCES = [
    Case("cosine_similarity", [X, Y], cosine),
    Case("cosine_similarity of rows that broadcast", [t(3, 1, 4), t(2, 4), -1], cosine),
    Case("cosine_similarity first axis", [t(3, 4), t(4), 0], cosine),
    Case("cosine_similarity of nothing", [NOTHING, t(3, 2)], cosine, smooth=False),
    Case("pairwise_distance", [X, Y], distance),
    Case("pairwise_distance kept", [X, t(4)], distance, {"keepdim": True}),
    *[Case(f"pairwise_distance {n}", [FAR, Y, p], distance) for n, p in ORDERS.items()],
    Case(
        "pairwise_distance of equal rows", [NOTHING, NOTHING], distance, {"eps": 0.0}, smooth=False
    ),
    Case("pdist", [t(4, 3)], pairs),
    *[Case(f"pdist {n}", [t(4, 3), p], pairs) for n, p in ORDERS.items()],
    Case("pdist of one", [t(1, 3)], lambda x: np.zeros(0)),
    *every("cosine_embedding_loss", [X, Y, SIDES], cosine_loss),
    one("cosine_embedding_loss apart", [X, Y, SIDES], cosine_loss, margin=0.4),
    one("cosine_embedding_loss of one", [t(4), t(4), exactly(1.0, grad=False)], cosine_loss),
    *every("contrastive_loss", [X, Y, SIDES], contrastive, margin=4.0, torch=None),
    one(
        "contrastive_loss of equal rows",
        [NOTHING, NOTHING, exactly([1.0, 0.0, 1.0], grad=False)],
        contrastive,
        torch=None,
        smooth=False,
    ),
    *every("triplet_margin_loss", [X, Y, t(5, 4)], triplet, margin=3.0),
    one("triplet_margin_loss swapped", [X, Y, t(5, 4)], triplet, margin=3.0, swap=True, eps=0.1),
    one("triplet_margin_loss of one", [t(4), t(4), t(4)], triplet, margin=9.0, eps=0.01),
    *every("triplet_margin_with_distance_loss", [X, Y, t(5, 4)], triplet, margin=3.0),
    Case(
        "triplet_margin_with_distance_loss of one's own",
        [FAR, Y, t(5, 4)],
        None,
        {"distance_function": cityblock, "margin": 2.0, "swap": True},
    ),
]

CASES = [*MARGINS, *DISTANCES]
