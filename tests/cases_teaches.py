"""Cases of what the lectures use beside torch: designed filters, forms of losses, CRFs, codes."""

from __future__ import annotations

from math import lgamma
from typing import Any

import numpy as np
from case import Case, apart, exactly, ints, t
from cases_norm_loss import REDUCTIONS, reduced


# filters ------------------------------------------------------------------------------------------
def correlate(x: Any, w: Any) -> Any:
    """(N, C, H, W) with (O, C, K, L), no padding."""
    rows, columns = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    y = np.zeros((len(x), len(w), rows, columns))
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            y += np.einsum("nchw,oc->nohw", x[:, :, i : i + rows, j : j + columns], w[:, :, i, j])
    return y


def convolve(x: Any, w: Any, b: Any = 0.0) -> Any:
    return correlate(x, w[:, :, ::-1, ::-1]) + np.reshape(b, (1, -1, 1, 1))


def filtered(x: Any, k: Any, mode: str = "edge") -> Any:
    k = k if k.ndim == 3 else k[None]
    high, wide = k.shape[1] // 2, k.shape[2] // 2
    mode = {"replicate": "edge"}.get(mode, mode)
    x = np.pad(x, ((0, 0), (0, 0), (high, high), (wide, wide)), mode)
    each = [correlate(x[:, c : c + 1], k[:, None]) for c in range(x.shape[1])]
    return np.concatenate(each, 1)


def gaussian(size: Any, sigma: float) -> Any:
    rows, columns = (size, size) if isinstance(size, int) else size
    y, x = np.mgrid[:rows, :columns]
    g = np.exp(-((y - (rows - 1) / 2) ** 2 + (x - (columns - 1) / 2) ** 2) / (2 * sigma**2))
    return g / g.sum()


def dog(size: Any, sigma: float, ratio: float = 1.6) -> Any:
    return gaussian(size, sigma * ratio) - gaussian(size, sigma)


SOBEL = np.array([[[1, 0, -1], [2, 0, -2], [1, 0, -1]], [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]])
MADE = {"torch": None, "grad": False, "dtypes": ("float32",)}
IMAGES = t(2, 2, 4, 5)
FILTERS = [
    Case("convolve2d", [IMAGES, t(3, 2, 2, 3)], convolve, torch=None),
    Case("convolve2d with a bias", [IMAGES, t(3, 2, 3, 1), t(3)], convolve, torch=None),
    Case("filter2d", [IMAGES, t(3, 3, 3)], filtered, torch=None),
    Case("filter2d one kernel", [IMAGES, t(1, 3)], filtered, {"mode": "reflect"}, torch=None),
    Case("filter2d in zeros", [IMAGES, t(2, 3, 3)], filtered, {"mode": "constant"}, torch=None),
    Case("mean_kernel", [(3, 2)], lambda size: np.full(size, 1 / 6), **MADE),
    Case("sobel_kernels", [], lambda: SOBEL, **MADE),
    Case("gaussian_kernel", [(5, 4), 1.2], gaussian, **MADE),
    Case("dog_kernel", [7, 1.0], dog, **MADE),
]


# forms of losses ----------------------------------------------------------------------------------
def squared(x: Any, y: Any, form: str = "mean") -> Any:
    d = (x - y) ** 2
    return {"mean": d.mean(), "sum": d.sum(), "half": d.sum() / 2}[form]


def multinomial(x: Any, n: Any, full: bool = False, reduction: str = "mean") -> Any:
    losses = -(n * x).sum(1)
    if full:
        factorials = np.vectorize(lambda v: lgamma(v + 1.0))
        losses += factorials(n).sum(1) - factorials(n.sum(1))
    return reduced(losses, reduction)


def sequences(x: Any, y: Any, lengths: Any = None, reduction: str = "mean") -> Any:
    lengths = [x.shape[1]] * len(x) if lengths is None else lengths
    logp = x - np.log(np.exp(x).sum(2, keepdims=True))
    kept = [min(int(n), x.shape[1]) for n in lengths]
    losses = [-sum(logp[i, j, y[i, j]] for j in range(n)) / max(n, 1) for i, n in enumerate(kept)]
    return reduced(np.array(losses), reduction)


LOGP = t(4, 3, low=-3.0, high=-0.1)
LOSSES = [
    *[
        Case(f"squared_error {form}", [t(3, 4), t(3, 4)], squared, {"form": form}, torch=None)
        for form in ("mean", "sum", "half")
    ],
    *[
        Case(
            f"multinomial_nll_loss {r}", [LOGP, ints(4, 3)], multinomial, {"reduction": r},
            torch=None,
        )
        for r in REDUCTIONS
    ],
    Case("multinomial_nll_loss full", [LOGP, ints(4, 3)], multinomial, {"full": True}, torch=None),
    *[
        Case(
            f"sequence_cross_entropy {r}",
            [t(3, 4, 5), ints(3, 4)],
            sequences,
            {"reduction": r},
            torch=None,
        )
        for r in REDUCTIONS
    ],
    Case(
        "sequence_cross_entropy of lengths",
        [t(3, 4, 5), ints(3, 4), exactly([4, 1, 2], "int64", False)],
        sequences,
        torch=None,
    ),
    Case(
        "sequence_cross_entropy of lengths 0 and above T",
        [t(3, 4, 5), ints(3, 4), exactly([0, 9, 2], "int64", False)],
        sequences,
        torch=None,
    ),
]  # fmt: skip


# conditional random fields ------------------------------------------------------------------------
def pairwise(
    x: Any,
    w1: float = 1.0,
    alpha: float = 0.01,
    beta: float = 10.0,
    w2: float = 1.0,
    gamma: Any = 0.1,
) -> Any:
    n, _, h, w = x.shape
    y = np.zeros((n, h * w, h * w))
    for i in range(h * w):
        for j in range(h * w):
            a, b = divmod(i, w), divmod(j, w)
            place = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
            colour = ((x[:, :, *a] - x[:, :, *b]) ** 2).sum(1)
            if i != j:
                y[:, i, j] = w1 * np.exp(-alpha * place - beta * colour) + w2 * np.exp(
                    -gamma * place
                )
    return y


def energy(labels: Any, unary: Any, k: Any) -> Any:
    n, _, h, w = unary.shape
    total = np.zeros(n)
    for m in range(n):
        flat = labels[m].reshape(-1)
        theta = unary[m].reshape(unary.shape[1], -1)
        total[m] = sum(theta[flat[i], i] for i in range(h * w))
        for i in range(h * w):
            total[m] += sum(k[m, i, j] for j in range(h * w) if flat[i] != flat[j]) / 2
    return total


def mean_field(unary: Any, k: Any, iterations: int = 10) -> Any:
    theta = unary.reshape(*unary.shape[:2], -1)

    def softmax(x: Any) -> Any:
        z = np.exp(x - x.max(1, keepdims=True))
        return z / z.sum(1, keepdims=True)

    q = softmax(-theta)
    for _ in range(iterations):
        says = np.einsum("nlj,nji->nli", q, k)
        q = softmax(-theta - (says.sum(1, keepdims=True) - says))
    return q.reshape(unary.shape)


BOND = t(2, 6, 6, low=0.0, high=1.0)
FIELDS = [
    Case("crf_pairwise", [t(2, 3, 2, 3, low=0.0, high=0.5)], pairwise, torch=None),
    Case(
        "crf_pairwise with strengths",
        [t(1, 1, 3, 2), 0.5, 0.2, 0.3, 2.0, 0.4],
        pairwise,
        torch=None,
    ),
    Case("crf_energy", [ints(2, 2, 3, high=2), t(2, 3, 2, 3), BOND], energy, torch=None),
    Case("crf_mean_field", [t(2, 3, 2, 3), BOND], mean_field, {"iterations": 3}, torch=None),
    Case(
        "crf_mean_field at once", [t(2, 2, 2, 3), BOND], mean_field, {"iterations": 0}, torch=None
    ),
]


# words and codes ----------------------------------------------------------------------------------
def shifted(v: Any, a: int, b: int, c: int, k: int = 1) -> Any:
    unit = v / np.linalg.norm(v, axis=1, keepdims=True)
    scores = unit @ (unit[b] - unit[a] + unit[c])
    scores[[a, b, c]] = -np.inf
    return np.argsort(-scores)[:k]


def packed(h: Any, threshold: float = 0.5) -> Any:
    bits = h > threshold
    return (bits * 2 ** np.arange(h.shape[-1], dtype=np.int64)).sum(-1)


def differing(a: Any, b: Any) -> Any:
    return np.vectorize(lambda x, y: bin(x ^ y).count("1"))(a, b)


PLAIN = {"torch": None, "grad": False}
WORDS = [
    Case("analogy", [apart(9, 4), 1, 2, 3], shifted, **PLAIN),
    Case("analogy the first three", [apart(9, 4), 0, 5, 8, 3], shifted, **PLAIN),
    Case("semantic_hash", [t(3, 32, low=0.0, high=1.0)], packed, **PLAIN),
    Case("semantic_hash of few units", [t(2, 3, 5), 0.0], packed, **PLAIN),
    Case(
        "hamming_distance",
        [ints(3, 1, high=2**32 - 1), ints(1, 4, high=2**32 - 1)],
        differing,
        **PLAIN,
    ),
]

CASES = [*FILTERS, *LOSSES, *FIELDS, *WORDS]
