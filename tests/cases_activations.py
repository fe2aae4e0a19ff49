"""Cases of the activations that are compositions, and of softmax's relatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import FLOATS, Case, apart, exactly, t
from cases_elementwise import scalar
from cases_sampling import HIGH, draw, uniform64, words

PHI = scalar(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)))
KINKS = exactly([-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0])


def sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def softplus(x: Any) -> Any:
    return np.logaddexp(x, 0.0)


def pieces(x: Any, high: Any, low: Any) -> Any:
    """high where x > 0, else low."""
    return np.where(x > 0, high, low)


def elu(x: Any, alpha: float = 1.0, inner: float = 1.0) -> Any:
    return pieces(x, x, alpha * np.expm1(np.minimum(x, 0) * inner))


def selu(x: Any) -> Any:
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def celu(x: Any, alpha: float = 1.0) -> Any:
    return elu(x, alpha, 1.0 / alpha)


def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "none":
        return x * PHI(x)
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    return np.where(abs(x) <= lambd, 0.0, x)


def softshrink(x: Any, lambd: float = 0.5) -> Any:
    return np.where(abs(x) <= lambd, 0.0, x - np.sign(x) * lambd)


def threshold(x: Any, threshold: float, value: float) -> Any:
    return np.where(x <= threshold, value, x)


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return np.clip(x, min_val, max_val)


def hardsigmoid(x: Any) -> Any:
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


def relu6_third(x: Any) -> Any:
    """hardsigmoid in torch's ops: its own has 1/6 in float32, which float64 gradients notice."""
    import torch

    return torch.nn.functional.relu6(x + 3.0) / 6.0


def prelu(x: Any, w: Any) -> Any:
    return pieces(x, x, x * (w.reshape((-1, *(1,) * (x.ndim - 2))) if x.ndim > 1 else w))


def every(name: str, oracle: Any, low: float = -4.0, high: float = 4.0, **more: Any) -> Case:
    """A case on numbers that are far from each other and from kinks, and on special ones."""
    draw = apart(3, 5, low=low + 0.011, high=high)
    return Case(name, [draw], oracle, dtypes=FLOATS, elementwise=True, **more)


def kinks(name: str, oracle: Any = None, kwargs: Any = None, **more: Any) -> Case:
    """A case where pieces meet: torch says what the gradient is there."""
    return Case(f"{name} at its kinks", [KINKS], oracle, kwargs or {}, smooth=False, **more)


PIECES = [
    kinks("relu6", lambda x: np.clip(x, 0.0, 6.0)),
    every("hardsigmoid", hardsigmoid, torch=relu6_third),
    kinks("hardsigmoid", hardsigmoid, torch=relu6_third),
    every("hardswish", lambda x: x * hardsigmoid(x)),
    kinks("hardswish", lambda x: x * hardsigmoid(x)),
    kinks("hardtanh", hardtanh, {"min_val": -3.0, "max_val": 0.5}),
    kinks("leaky_relu", lambda x, negative_slope: pieces(x, x, x * 0.1), {"negative_slope": 0.1}),
    every("selu", selu),
    kinks("selu", selu),
    every("celu", celu),
    every("celu alpha", celu, kwargs={"alpha": 2.0}),
    kinks("celu", celu, {"alpha": 0.5}),
    kinks("elu", elu, {"alpha": 0.3}),
    every("hardshrink", hardshrink),
    kinks("hardshrink", hardshrink, {"lambd": 1.0}),
    every("softshrink", softshrink),
    kinks("softshrink", softshrink, {"lambd": 1.0}),
    every("threshold", threshold, kwargs={"threshold": 0.1, "value": 7.0}),
    kinks("threshold", threshold, {"threshold": 0.5, "value": -2.0}),
    every("hard_threshold", lambda x: np.where(np.isnan(x), x, x >= 0), torch=None),
    Case(
        "hard_threshold at its step",
        [KINKS],
        lambda x, threshold: x >= threshold,
        {"threshold": 0.5},
        torch=None,
        smooth=False,
    ),
]

SMOOTH = [
    every("mish", lambda x: x * np.tanh(softplus(x))),
    every("gelu near and far", gelu, kwargs={"approximate": "tanh"}),
    Case(
        "gelu tanh of huge numbers",
        [exactly([1e20, -1e20, 1e38])],
        gelu,
        {"approximate": "tanh"},
        smooth=False,
    ),
    every("softsign", lambda x: x / (1 + abs(x))),
    kinks("softsign", lambda x: x / (1 + abs(x))),
    every("tanhshrink", lambda x: x - np.tanh(x), loose=4),
    every("logsigmoid", lambda x: -softplus(-x)),
    Case("logsigmoid far out", [exactly([-800.0, 800.0, -30.0, 30.0])], lambda x: -softplus(-x)),
    Case("softplus far out", [exactly([-800.0, 800.0, -30.0, 30.0])], softplus),
]


def glu(x: Any, dim: int = -1) -> Any:
    a, b = np.split(x, 2, dim)
    return a * sigmoid(b)


def softmin(x: Any, dim: int) -> Any:
    e = np.exp(x.min(dim, keepdims=True) - x) if x.size else x
    return e / e.sum(dim, keepdims=True)


GATES = [
    Case("glu", [t(3, 6)], glu),
    Case("glu along the first axis", [t(4, 3, 2)], glu, {"dim": 0}),
    Case("glu of nothing", [t(3, 0)], glu),
    Case("softmin", [t(3, 5), 1], softmin, reduction=True),
    Case("softmin first axis", [t(3, 4, 2), 0], softmin),
    Case("softmin of large numbers", [t(3, 4, low=900.0, high=1000.0), -1], softmin, loose=50),
    Case("prelu", [apart(2, 3, 4), t(1)], lambda x, w: pieces(x, x, x * w)),
    Case("prelu by channel", [apart(2, 3, 4), t(3)], prelu),
    Case("prelu of a row", [apart(4), t(1)], prelu),
    Case("prelu of a number", [exactly(-0.7), t(1)], lambda x, w: x * w[0]),
    Case("prelu at 0", [KINKS, t(1)], prelu, smooth=False),
    Case("prelu of nothing", [t(0, 3), t(3)], prelu),
    every("rrelu", lambda x: pieces(x, x, x * (1 / 8 + 1 / 3) / 2)),
]


def gumbel(x: Any, tau: float = 1.0, hard: bool = False, dim: int = -1) -> Any:
    u = ((words(x.size) + 0.5) * 2.0**-32).reshape(x.shape)
    soft = softmin(-(x - np.log(-np.log(u))) / tau, dim)
    if not hard:
        return soft
    return (soft == soft.max(dim, keepdims=True)) * 1.0


def rrelu(x: Any, lower: float, upper: float, training: bool) -> Any:
    slope = lower + (upper - lower) * uniform64(x.size).reshape(x.shape)
    return pieces(x, x, x * slope)


TWICE: dict[str, Any] = {"grad": True, "dtypes": ("float64",)}
RANDOM = [
    draw("gumbel_softmax", [t(3, 4)], gumbel, dtypes=FLOATS, grad=True, loose=10, random=False),
    draw("gumbel_softmax cold", [t(3, 4)], gumbel, {"tau": 0.5, "dim": 0}, random=False, **TWICE),
    draw(
        "gumbel_softmax hard",
        [t(5, 4, grad=False)],
        gumbel,
        {"hard": True},
        dtypes=FLOATS,
        random=False,
    ),
    draw(
        "rrelu in training",
        [apart(4, 9)],
        rrelu,
        {"lower": 0.1, "upper": 0.4, "training": True},
        **TWICE,
    ),
]


def race(w: Any, count: int) -> Any:
    """The first of exponential waiting times."""
    waits = -np.log((words(w.size) + 0.5) * 2.0**-32).reshape(w.shape)
    with np.errstate(divide="ignore"):
        return np.argsort(waits / w, -1, kind="stable")[..., :count]


def running_sums(w: Any, count: int, replacement: bool) -> Any:
    rows = w.reshape(-1, w.shape[-1])
    u = uniform64(len(rows) * count).reshape(len(rows), count)
    found = [np.searchsorted(r.cumsum(), v * r.sum(), "right") for r, v in zip(rows, u)]
    return np.array(found).reshape(*w.shape[:-1], count)


WEIGHTS = exactly([[1.0, 0.0, 3.0, 2.0], [0.0, 0.5, 0.25, 4.0]], grad=False)
BACK: dict[str, Any] = {"replacement": True}
MULTINOMIAL = [
    draw("multinomial", [WEIGHTS, 3], race, dtypes=FLOATS, result="int64"),
    draw("multinomial of a row", [t(6, low=0.1, high=2.0, grad=False), 6], race),
    draw("multinomial with replacement", [WEIGHTS, 9], running_sums, BACK, result="int64"),
    draw(
        "multinomial of a row with replacement", [t(5, low=0.0, grad=False), 40], running_sums, BACK
    ),
    draw(
        "rand_like of float64",
        [t(3, 2, grad=False)],
        lambda x, dtype: uniform64(6).reshape(3, 2),
        HIGH,
    ),
    draw("normal around tensors", [t(4, grad=False), 0.0], lambda m, s: m),
]

CASES = [*PIECES, *SMOOTH, *GATES, *RANDOM, *MULTINOMIAL]
