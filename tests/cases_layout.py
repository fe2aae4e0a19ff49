"""Cases of layout: the same values in another shape or order."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import ALL, Case, t

X = t(2, 3, 4)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    a, b = start_dim % max(x.ndim, 1), end_dim % max(x.ndim, 1)
    return x.reshape(*x.shape[:a], int(np.prod(x.shape[a : b + 1])), *x.shape[b + 1 :])


def narrow(x: Any, dim: int, start: int, length: int) -> Any:
    return np.take(x, np.arange(length) + start % x.shape[dim], dim)


def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return np.diagonal(x, offset, dim1, dim2)


def unbind(x: Any, dim: int = 0) -> Any:
    return [np.take(x, i, dim) for i in range(x.shape[dim])]


def pad(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))[::-1]
    kind = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    crop = tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, x.shape))
    more = {"constant_values": value or 0} if mode == "constant" else {}
    return np.pad(x[crop], [(max(a, 0), max(b, 0)) for a, b in widths], kind[mode], **more)


CASES = [
    Case("reshape", [X, (4, 6)], np.reshape, dtypes=ALL),
    Case("reshape with -1", [X, (-1, 8)], np.reshape),
    Case("reshape to nothing", [t(0, 3), (3, 0, 2)], np.reshape),
    Case("reshape to a number", [t(1, 1), ()], np.reshape),
    Case("view", [X, (6, 4)], np.reshape),
    Case("view_as", [X, t(6, 4, grad=False)], lambda x, y: x.reshape(y.shape)),
    Case("flatten", [X], flatten, dtypes=ALL),
    Case("flatten from 1", [X], flatten, {"start_dim": 1}),
    Case("flatten some", [t(2, 3, 4, 2)], flatten, {"start_dim": 1, "end_dim": 2}),
    Case("flatten a number", [t()], np.ravel),
    Case("permute", [X, (2, 0, 1)], np.transpose, dtypes=ALL),
    Case("permute from the end", [X, (-1, 0, -2)], np.transpose),
    Case("permute the same", [X, (0, 1, 2)], np.transpose),
    Case("transpose", [X, 0, -1], np.swapaxes),
    Case("transpose T", [X], "same", function=lambda x: x.T, torch=None),
    Case("transpose mT", [X], lambda x: np.swapaxes(x, -1, -2), function=lambda x: x.mT),
    Case("movedim", [X, 0, 2], np.moveaxis),
    Case("movedim several", [t(2, 3, 4, 5), (0, 2), (-1, 0)], np.moveaxis),
    Case("expand", [t(3, 1), (2, 3, 4)], np.broadcast_to, dtypes=ALL),
    Case("expand keeping", [t(3, 1), (-1, 4)], lambda x, shape: np.broadcast_to(x, (3, 4))),
    Case("expand a number", [t(), (2, 3)], np.broadcast_to),
    Case("expand to nothing", [t(3, 1), (3, 0)], np.broadcast_to),
    Case("expand_as", [t(3, 1), t(2, 3, 4, grad=False)], lambda x, y: np.broadcast_to(x, y.shape)),
    Case("unsqueeze", [X, 1], np.expand_dims),
    Case("unsqueeze last", [X, -1], np.expand_dims),
    Case("squeeze", [t(1, 3, 1)], np.squeeze),
    Case("squeeze one", [t(1, 3, 1)], lambda x, dim: np.squeeze(x, dim), {"dim": -1}),
    Case("squeeze none", [t(1, 3, 1)], lambda x, dim: x, {"dim": 1}),
    Case("squeeze two", [t(1, 3, 1, 2)], lambda x, dim: np.squeeze(x, dim), {"dim": (0, 2)}),
    Case("flip", [X, (0, 2)], np.flip, dtypes=ALL),
    Case("flip one", [X, (-2,)], np.flip),
    Case("flip nothing", [t(0, 2), (0,)], np.flip),
    Case("narrow", [t(5, 4), 0, 1, 3], narrow, dtypes=ALL),
    Case("narrow from the end", [t(4, 5), 1, -3, 2], narrow),
    Case("narrow to nothing", [t(4, 5), 1, 2, 0], narrow),
    Case("diagonal", [t(3, 4)], diagonal, dtypes=ALL),
    Case("diagonal above", [t(2, 4, 3)], diagonal, {"offset": 1, "dim1": -2, "dim2": -1}),
    Case("diagonal below", [t(4, 3)], diagonal, {"offset": -2}),
    Case("diagonal outside", [t(3, 4)], diagonal, {"offset": 9}),
    Case("cat", [[X, t(2, 1, 4)], 1], np.concatenate, dtypes=ALL),
    Case("cat last", [[X, t(2, 3, 0), X], -1], np.concatenate),
    Case("cat one", [[X]], np.concatenate),
    Case("cat of two dtypes", [[t(2), t(3, dtype="int64")]], np.concatenate),
    Case("stack", [[t(2, 3), t(2, 3)]], np.stack, dtypes=ALL),
    Case("stack last", [[t(2, 3), t(2, 3), t(2, 3)], -1], np.stack),
    Case("stack numbers", [[t(), t()]], np.stack),
    Case("split", [t(7, 2), 3], lambda x, n: np.split(x, [3, 6]), dtypes=ALL),
    Case("split sections", [t(2, 7), [4, 0, 3], 1], lambda x, n, dim: np.split(x, [4, 4], 1)),
    Case("split nothing", [t(0, 2), 3], lambda x, n: [x]),
    Case("chunk", [t(7, 2), 3], lambda x, n: np.split(x, [3, 6])),
    Case("chunk more than there are", [t(2, 2), 5, 1], lambda x, n, dim: np.split(x, 2, 1)),
    Case("unbind", [t(3, 2)], unbind, dtypes=ALL),
    Case("unbind last", [t(3, 2), -1], unbind),
    Case("unbind by iteration", [t(3, 2)], unbind, function=lambda x: list(x)),
    Case("pad", [X, (1, 2)], pad, dtypes=ALL),
    Case("pad two axes with a value", [X, (1, 0, 2, 1)], pad, {"value": 1.5}),
    Case("pad cropping", [t(4, 5), (-1, 2, 1, -2)], pad),
    Case("pad reflect", [t(1, 2, 4, 5), (2, 1, 1, 3)], pad, {"mode": "reflect"}),
    Case("pad replicate", [t(1, 2, 3, 4), (2, 1, 0, 3)], pad, {"mode": "replicate"}),
    Case("pad circular", [t(1, 2, 4), (2, 3)], pad, {"mode": "circular"}),
    Case("tril", [t(2, 3, 4)], np.tril, dtypes=ALL),
    Case("tril above", [t(4, 4), 1], np.tril),
    Case("triu", [t(2, 3, 4)], np.triu, dtypes=ALL),
    Case("triu below", [t(4, 4), -2], np.triu),
]
