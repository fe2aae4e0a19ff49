"""Cases of dropout by channel, of embedding's rarer arguments, and of attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import Case, bools, exactly, t
from cases_sampling import draw, kept, uniform64

from etude import functional as F


# dropout ------------------------------------------------------------------------------------------
def channels(own: int) -> Any:
    """Dropout whose mask has the first `own` axes."""

    def oracle(x: Any, p: float) -> Any:
        shape = x.shape[:own] + (1,) * (x.ndim - own)
        return x * kept(p, int(np.prod(shape))).reshape(shape)

    return oracle


def alpha(own: int) -> Any:
    def oracle(x: Any, p: float, training: bool) -> Any:
        shape = x.shape[:own] + (1,) * (x.ndim - own)
        keep = uniform64(int(np.prod(shape))).reshape(shape) >= p
        floor = -1.0507009873554805 * 1.6732632423543772
        scale = 1 / np.sqrt((1 - p) * (1 + p * floor**2))
        return scale * np.where(keep, x, floor) - scale * p * floor

    return oracle


TWICE: dict[str, Any] = {"grad": True, "dtypes": ("float64",)}
SOME = {"p": 0.3}
LEARN = {"p": 0.3, "training": True}
ALL = {"p": 1.0, "training": True}
IMAGE = t(2, 3, 4, 2)

DROPOUT = [
    draw("dropout1d", [t(4, 5, 3)], channels(2), SOME, **TWICE),
    draw("dropout1d of one", [t(5, 3)], channels(1), SOME, **TWICE),
    draw("dropout2d", [IMAGE], channels(2), SOME, **TWICE),
    draw("dropout2d of signals", [t(4, 5, 3)], channels(2), SOME, **TWICE),
    draw("dropout3d", [t(2, 5, 2, 1, 2)], channels(2), SOME, **TWICE),
    draw("dropout3d of one", [t(5, 2, 1, 2)], channels(1), SOME, **TWICE),
    draw("alpha_dropout", [t(4, 5)], alpha(2), LEARN, **TWICE),
    draw("alpha_dropout in evaluation", [t(4, 5)], lambda x: x, grad=True),
    draw("alpha_dropout all", [t(4, 5)], lambda x, p, training: x * 0, ALL, grad=True),
    draw("feature_alpha_dropout", [IMAGE], alpha(2), LEARN, **TWICE),
    *[
        Case(f"{name} in evaluation", [IMAGE], lambda x, training: x, {"training": False})
        for name in ("dropout2d", "dropout3d", "feature_alpha_dropout")
    ],
]


# embedding ----------------------------------------------------------------------------------------
WORDS = exactly([[0, 2, 2], [1, 4, 2]], "int64", False)


def shortened(i: Any, w: Any, padding_idx: Any, max_norm: float, norm_type: float) -> Any:
    size = np.linalg.norm(w, norm_type, 1, keepdims=True)
    return np.where(size > max_norm, w * (max_norm / (size + 1e-7)), w)[i]


def table(functional: Any) -> Any:
    """The weight after a look-up: rows that were read are shorter, others as they were."""

    def function(i: Any, w: Any) -> Any:
        functional.embedding(i, w, max_norm=1.0)
        return w

    return function


def torch_table(i: Any, w: Any) -> Any:
    import torch

    return table(torch.nn.functional)(i, w)


def read(i: Any, w: Any) -> Any:
    rows = np.isin(np.arange(len(w)), i)[:, None]
    size = np.linalg.norm(w, 2, 1, keepdims=True)
    return np.where(rows & (size > 1.0), w / (size + 1e-7), w)


SHORT: dict[str, Any] = {"in_place": (1,), "grad": False}

EMBEDDING = [
    Case(
        "embedding with frequent words",
        [WORDS, t(5, 3)],
        lambda i, w, scale_grad_by_freq: w[i],
        {"scale_grad_by_freq": True},
        smooth=False,  # the gradient is not the function's
    ),
    Case("embedding limited", [WORDS, t(5, 3), None, 1.0, 1.0], shortened, **SHORT),
    Case(
        "embedding limited in place",
        [exactly([0, 2, 2], "int64", False), t(5, 3)],
        read,
        function=table(F),
        torch=torch_table,
        **SHORT,
    ),
]


# attention ----------------------------------------------------------------------------------------
def softmax(x: Any) -> Any:
    top = x.max(-1, keepdims=True, initial=-1e300)
    e = np.exp(x - top)
    return e / np.maximum(e.sum(-1, keepdims=True), 1e-300)


def attention(q: Any, k: Any, v: Any, mask: Any = None, **rest: Any) -> Any:
    if rest.get("enable_gqa"):
        times = q.shape[-3] // k.shape[-3]
        k, v = k.repeat(times, -3), v.repeat(times, -3)
    scores = q @ k.swapaxes(-1, -2) * rest.get("scale", q.shape[-1] ** -0.5)
    if rest.get("is_causal"):
        mask = np.tri(*scores.shape[-2:], dtype=bool)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    return softmax(scores) @ v


def attend(what: str, inputs: Any, **kwargs: Any) -> Case:
    return Case(f"scaled_dot_product_attention {what}".strip(), inputs, attention, kwargs)


HEADS = [t(2, 3, 4, 5), t(2, 3, 6, 5), t(2, 3, 6, 2)]
SEES = exactly([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1]], "bool", False)
LESS = exactly([[0.0, -np.inf, 1.0], [-np.inf] * 3, [0.5, 0.5, -2.0]], grad=False)

ATTENTION = [
    attend("", HEADS),
    attend("of one", [t(4, 5), t(6, 5), t(6, 5)]),
    attend("scaled", HEADS, scale=0.7),
    attend("causal", HEADS, is_causal=True),
    attend("causal, more queries", [t(2, 6, 5), t(2, 4, 5), t(2, 4, 5)], is_causal=True),
    attend("masked", [*HEADS, bools(4, 6)]),
    attend("with a blind query", [t(2, 4, 5), t(2, 3, 5), t(2, 3, 5), SEES]),
    attend("biased", [*HEADS, t(2, 1, 4, 6)]),
    attend("biased by -inf", [t(3, 5), t(3, 5), t(3, 5), LESS]),
    attend("that broadcasts", [t(2, 3, 4, 5), t(1, 6, 5), t(6, 2)]),
    attend("of grouped queries", [t(2, 6, 4, 5), t(2, 2, 3, 5), t(2, 2, 3, 2)], enable_gqa=True),
    attend("without queries", [t(2, 0, 5), t(2, 3, 5), t(2, 3, 5)]),
    draw(
        "scaled_dot_product_attention with dropout",
        [t(4, 5), t(6, 5), t(6, 5)],
        lambda q, k, v, dropout_p: (
            (softmax(q @ k.T / np.sqrt(5)) * kept(0.3, 24).reshape(4, 6)) @ v
        ),
        {"dropout_p": 0.3},
        random=False,  # the mask is, the products round as they like
        **TWICE,
    ),
]

CASES = [*DROPOUT, *EMBEDDING, *ATTENTION]
