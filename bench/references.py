"""Layers spelled out in NumPy, in the dtype of their inputs: what benchmark cases are checked by.

Written for being right at a glance. Convolutions add up one matrix product for each element of the
window, so nothing is copied and float64 references of large cases fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Place = tuple[tuple[int, int], tuple[slice, ...]]


def places(kernel: tuple[int, int], stride: int, out: tuple[int, int]) -> Iterator[Place]:
    """Each window element (i, j), and where it meets the padded images."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i, i + stride * (out[0] - 1) + 1, stride)
            yield (i, j), (..., rows, slice(j, j + stride * (out[1] - 1) + 1, stride))


def padded(x: Array, pad: int, value: float = 0.0) -> Array:
    """Images with a border."""
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=value)


def out_size(size: int, kernel: int, stride: int, pad: int) -> int:
    """How many windows there are along one axis."""
    return (size + 2 * pad - kernel) // stride + 1


def grouped(x: Array, groups: int) -> Array:
    """(N, C, ...) as (N, G, C/G, pixels)."""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)


def conv(x: Array, w: Array, b: Array | None, stride: int, pad: int, groups: int) -> Array:
    """Cross-correlation of x (N, C, H, W) and w (O, C/G, K, L)."""
    kernel = w.shape[2:]
    size = tuple(out_size(s, k, stride, pad) for s, k in zip(x.shape[2:], kernel))
    weights = w.reshape(groups, -1, *w.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[0] // groups, size[0] * size[1]), x.dtype)
    big = padded(x, pad)
    for (i, j), place in places(kernel, stride, size):
        y += weights[..., i, j] @ grouped(big[place], groups)
    y = y.reshape(x.shape[0], w.shape[0], *size)
    return y if b is None else y + b[:, None, None]


def conv_input_grad(
    g: Array, w: Array, shape: tuple[int, ...], stride: int, pad: int, groups: int
) -> Array:
    """The gradient for x of `shape`."""
    weights = w.reshape(groups, -1, *w.shape[1:])
    big = padded(np.zeros(shape, g.dtype), pad)
    for (i, j), place in places(w.shape[2:], stride, g.shape[2:]):
        part = np.swapaxes(weights[..., i, j], 1, 2) @ grouped(g, groups)
        big[place] += part.reshape(big[place].shape)
    return big[:, :, pad : pad + shape[2], pad : pad + shape[3]]


def conv_weight_grad(
    x: Array, g: Array, shape: tuple[int, ...], stride: int, pad: int, groups: int
) -> Array:
    """The gradient for w of `shape`."""
    gw = np.zeros((groups, shape[0] // groups, *shape[1:]), g.dtype)
    big = padded(x, pad)
    for (i, j), place in places(shape[2:], stride, g.shape[2:]):
        pixels = np.swapaxes(grouped(big[place], groups), 2, 3)
        gw[..., i, j] = np.sum(grouped(g, groups) @ pixels, axis=0)
    return gw.reshape(shape)


def windows(x: Array, kernel: int, stride: int) -> Array:
    """The elements of each window on a last axis, (N, C, H', W', K*K)."""
    size = tuple(out_size(s, kernel, stride, 0) for s in x.shape[2:])
    return np.stack([x[place] for _, place in places((kernel, kernel), stride, size)], axis=-1)


def max_pool(x: Array, kernel: int, stride: int) -> tuple[Array, Array]:
    """Maxima, and where each stands in its plane."""
    parts = windows(x, kernel, stride)
    which = np.argmax(parts, axis=-1)
    height, width = which.shape[2:]
    rows = stride * np.arange(height)[:, None] + which // kernel
    return np.max(parts, axis=-1), rows * x.shape[3] + stride * np.arange(width) + which % kernel


def max_pool_grad(g: Array, positions: Array, shape: tuple[int, ...]) -> Array:
    """Each g is added where its maximum stood."""
    planes = shape[0] * shape[1]
    gx = np.zeros((planes, shape[2] * shape[3]), g.dtype)
    rows = np.arange(planes)[:, None]
    np.add.at(gx, (rows, positions.reshape(planes, -1)), g.reshape(planes, -1))
    return gx.reshape(shape)


def sum_pool_grad(g: Array, shape: tuple[int, ...], kernel: int, stride: int) -> Array:
    """Each g is added to its whole window."""
    gx = np.zeros(shape, g.dtype)
    for _, place in places((kernel, kernel), stride, g.shape[2:]):
        gx[place] += g
    return gx


def batch_norm(x: Array, w: Array, b: Array, eps: float) -> tuple[Array, Array, Array]:
    """y, and the mean and biased variance of each channel."""
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    column = (slice(None), None, None)
    y = (x - mean[column]) * (w / np.sqrt(var + eps))[column] + b[column]
    return y, mean, var


def batch_norm_grad(
    g: Array, x: Array, w: Array, mean: Array, var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Gradients for x, w and b."""
    column = (slice(None), None, None)
    rstd = 1 / np.sqrt(var + eps)
    xhat = (x - mean[column]) * rstd[column]
    gb, gw = g.sum(axis=(0, 2, 3)), (g * xhat).sum(axis=(0, 2, 3))
    count = x.size // x.shape[1]
    inner = g - (gb / count)[column] - xhat * (gw / count)[column]
    return (w * rstd)[column] * inner, gw, gb


def layer_norm(x: Array, w: Array, b: Array, eps: float) -> tuple[Array, Array, Array]:
    """y, and the mean and 1 / deviation of each row."""
    mean = x.mean(axis=1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(axis=1, keepdims=True) + eps)
    return (x - mean) * rstd * w + b, mean[:, 0], rstd[:, 0]


def layer_norm_grad(
    g: Array, x: Array, w: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """Gradients for x, w and b."""
    xhat = (x - mean[:, None]) * rstd[:, None]
    h = g * w
    inner = h - h.mean(axis=1, keepdims=True) - xhat * (h * xhat).mean(axis=1, keepdims=True)
    return inner * rstd[:, None], (g * xhat).sum(axis=0), g.sum(axis=0)


def group_norm(x: Array, w: Array, b: Array, groups: int, eps: float) -> tuple[Array, Array, Array]:
    """y, and the mean and 1 / deviation of each group of channels of each example."""
    rows = x.reshape(len(x), groups, -1)
    mean, rstd = rows.mean(axis=2), 1 / np.sqrt(rows.var(axis=2) + eps)
    xhat = ((rows - mean[..., None]) * rstd[..., None]).reshape(x.shape)
    return xhat * w[:, None, None] + b[:, None, None], mean, rstd


def group_norm_grad(
    g: Array, x: Array, w: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """Gradients for x, w and b."""
    rows, scale = x.reshape(*mean.shape, -1), rstd[..., None]
    xhat, h = (rows - mean[..., None]) * scale, (g * w[:, None, None]).reshape(rows.shape)
    inner = h - h.mean(axis=2, keepdims=True) - xhat * (h * xhat).mean(axis=2, keepdims=True)
    gw = (g * xhat.reshape(x.shape)).sum(axis=(0, 2, 3))
    return (inner * scale).reshape(x.shape), gw, g.sum(axis=(0, 2, 3))


def softmax(x: Array) -> Array:
    """Along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy(x: Array, labels: Array) -> tuple[Array, Array]:
    """The loss of each row, and the gradient for x of their mean."""
    rows = np.arange(len(x))
    p = softmax(x)
    losses = -np.log(p[rows, labels])
    p[rows, labels] -= 1
    return losses, p / len(x)


def lstm_cell(gates: Array, c: Array) -> tuple[Array, Array, Array]:
    """h, the next c, and the activated gates, in the order i f g o."""
    i, f, g, o = np.split(gates, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-x)) for x in (i, f, o))
    g = np.tanh(g)
    after = f * c + i * g
    return o * np.tanh(after), after, np.concatenate([i, f, g, o], axis=1)


def philox(key: int, counter: int, count: int) -> Array:
    """Words of Philox4x32-10 (Salmon et al., SC 2011) as int64."""
    low = np.uint64(0xFFFFFFFF)
    blocks = np.arange(counter, counter + -(-count // 4), dtype=np.uint64)
    words = [blocks & low, blocks >> np.uint64(32), blocks * np.uint64(0), blocks * np.uint64(0)]
    keys = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        first, second = words[0] * np.uint64(0xD2511F53), words[2] * np.uint64(0xCD9E8D57)
        words = [
            (second >> np.uint64(32)) ^ words[1] ^ np.uint64(keys[0]),
            second & low,
            (first >> np.uint64(32)) ^ words[3] ^ np.uint64(keys[1]),
            first & low,
        ]
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(words, axis=1).reshape(-1)[:count].astype(np.int64)
