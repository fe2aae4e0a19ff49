"""Layers written by hand in NumPy, with their gradients; handwritten_numpy.py makes models of them.

Every array is allocated in the first step and used again in all others; BLAS computes all products;
no work is done that the models of handwritten_numpy.py can do without.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
CHANNELS = (0, 2, 3)  # the axes that a channel's statistics run over


class Parameter:
    """A value, its gradient and its momentum."""

    def __init__(self, value: Array) -> None:
        self.value, self.grad, self.velocity = value, np.zeros_like(value), np.zeros_like(value)

    def update(self, rate: float, momentum: float) -> None:
        self.velocity *= momentum
        self.velocity += self.grad
        self.value -= rate * self.velocity


class Layer:
    """Forward, then backward of the same batch. `room` is an array that lasts from step to step."""

    def __init__(self) -> None:
        self.rooms: dict[str, Array] = {}

    def room(self, name: str, shape: tuple[int, ...], like: Array) -> Array:
        if name not in self.rooms:
            self.rooms[name] = np.zeros(shape, like.dtype)
        return self.rooms[name]

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, g: Array) -> Array:
        raise NotImplementedError


class Chain(Layer):
    """Layers one after the other."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, g: Array) -> Array:
        for layer in reversed(self.layers):
            g = layer.backward(g)
        return g


class Linear(Layer):
    """y = x W^T + b on flattened images. The first layer of a model needs no gradient for x."""

    def __init__(self, w: Parameter, b: Parameter, first: bool = False) -> None:
        super().__init__()
        self.w, self.b, self.first = w, b, first

    def forward(self, x: Array) -> Array:
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        y = self.room("y", (len(x), len(self.w.value)), x)
        np.dot(self.x, self.w.value.T, out=y)
        y += self.b.value
        return y

    def backward(self, g: Array) -> Array:
        np.dot(g.T, self.x, out=self.w.grad)
        np.sum(g, axis=0, out=self.b.grad)
        if self.first:
            return g
        return np.dot(g, self.w.value, out=self.room("gx", self.x.shape, g)).reshape(self.shape)


class Relu(Layer):
    """max(x, 0)."""

    def forward(self, x: Array) -> Array:
        self.y = np.maximum(x, 0, out=self.room("y", x.shape, x))
        return self.y

    def backward(self, g: Array) -> Array:
        return np.multiply(g, self.y > 0, out=self.room("gx", g.shape, g))


class Conv(Layer):
    """Windows as columns, one matrix product for each image; the columns are kept for backward."""

    def __init__(
        self, w: Parameter, b: Parameter | None, stride: int, pad: int, first: bool = False
    ) -> None:
        super().__init__()
        self.w, self.b, self.stride, self.pad, self.first = w, b, stride, pad, first

    def places(self, padded: Array) -> list[Array]:
        """For each element of the window, where it meets the padded images."""
        k, s, (h, w) = self.w.value.shape[2], self.stride, self.out
        return [
            padded[:, :, i : i + s * h : s, j : j + s * w : s] for i in range(k) for j in range(k)
        ]

    def forward(self, x: Array) -> Array:
        (n, c, h, w), (o, _, k, _), p = x.shape, self.w.value.shape, self.pad
        self.out = (h + 2 * p - k) // self.stride + 1, (w + 2 * p - k) // self.stride + 1
        padded = x
        if p:
            padded = self.room("padded", (n, c, h + 2 * p, w + 2 * p), x)
            padded[:, :, p : p + h, p : p + w] = x
        columns = self.room("columns", (n, c, k * k, *self.out), x)
        for i, place in enumerate(self.places(padded)):
            columns[:, :, i] = place
        self.columns = columns.reshape(n, c * k * k, -1)
        y = self.room("y", (n, o, *self.out), x)
        flat = y.reshape(n, o, -1)
        np.matmul(self.w.value.reshape(o, -1), self.columns, out=flat)
        if self.b is not None:
            flat += self.b.value[:, None]
        self.x_shape = x.shape
        return y

    def backward(self, g: Array) -> Array:
        (n, c, h, w), o, p = self.x_shape, len(self.w.value), self.pad
        flat = g.reshape(n, o, -1)
        products = self.room("products", (n, o, self.columns.shape[1]), g)
        np.matmul(flat, self.columns.transpose(0, 2, 1), out=products)
        np.sum(products, axis=0, out=self.w.grad.reshape(o, -1))
        if self.b is not None:
            np.sum(flat, axis=(0, 2), out=self.b.grad)
        if self.first:
            return g
        columns = np.matmul(self.w.value.reshape(o, -1).T, flat, out=self.columns)
        columns = columns.reshape(n, c, -1, *self.out)
        gx = self.room("gx", (n, c, h + 2 * p, w + 2 * p), g)
        gx.fill(0)
        for i, place in enumerate(self.places(gx)):
            place += columns[:, :, i]
        return gx[:, :, p : p + h, p : p + w]


class MaxPool(Layer):
    """2x2 maxima of what a ReLU gave.

    Equal maxima all get the gradient: they are zeros, whose gradient the ReLU stops.
    """

    def places(self, x: Array) -> list[Array]:
        return [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]

    def forward(self, x: Array) -> Array:
        self.parts = self.places(x)
        n, c, h, w = x.shape
        self.y = self.room("y", (n, c, h // 2, w // 2), x)
        np.maximum(self.parts[0], self.parts[1], out=self.y)
        for part in self.parts[2:]:
            np.maximum(self.y, part, out=self.y)
        return self.y

    def backward(self, g: Array) -> Array:
        n, c, h, w = g.shape
        gx = self.room("gx", (n, c, 2 * h, 2 * w), g)
        for part, place in zip(self.parts, self.places(gx)):
            np.multiply(g, part == self.y, out=place)
        return gx


class BatchNorm(Layer):
    """(x - mean) / sqrt(var + eps) w + b by the statistics of the batch."""

    def __init__(
        self, w: Parameter, b: Parameter, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.w, self.b, self.eps, self.momentum = w, b, eps, momentum
        self.mean, self.var = np.zeros_like(w.value), np.ones_like(w.value)

    def forward(self, x: Array) -> Array:
        self.count = x.size // x.shape[1]
        mean = np.einsum("nchw->c", x) / self.count
        xhat = np.subtract(x, mean[:, None, None], out=self.room("xhat", x.shape, x))
        var = np.einsum("nchw,nchw->c", xhat, xhat) / self.count
        self.rstd = 1 / np.sqrt(var + x.dtype.type(self.eps))
        xhat *= self.rstd[:, None, None]
        y = np.multiply(xhat, self.w.value[:, None, None], out=self.room("y", x.shape, x))
        y += self.b.value[:, None, None]
        self.xhat = xhat
        self.mean += self.momentum * (mean - self.mean)
        self.var += self.momentum * (var * (self.count / (self.count - 1)) - self.var)
        return y

    def backward(self, g: Array) -> Array:
        np.einsum("nchw->c", g, out=self.b.grad)
        np.einsum("nchw,nchw->c", g, self.xhat, out=self.w.grad)
        xhat = self.xhat
        xhat *= (self.w.grad / -self.count)[:, None, None]
        xhat += g
        xhat -= (self.b.grad / self.count)[:, None, None]
        xhat *= (self.w.value * self.rstd)[:, None, None]
        return xhat


class ShortcutA(Layer):
    """Every other pixel, and as many channels of zeros again."""

    def forward(self, x: Array) -> Array:
        n, self.c, h, w = x.shape
        y = self.room("y", (n, 2 * self.c, h // 2, w // 2), x)
        y[:, : self.c] = x[:, :, ::2, ::2]
        return y

    def backward(self, g: Array) -> Array:
        n, _, h, w = g.shape
        gx = self.room("gx", (n, self.c, 2 * h, 2 * w), g)
        gx[:, :, ::2, ::2] = g[:, : self.c]
        return gx


class Block(Layer):
    """relu(body(x) + shortcut(x))."""

    def __init__(self, body: Layer, shortcut: Layer | None) -> None:
        super().__init__()
        self.body, self.shortcut, self.relu = body, shortcut, Relu()

    def forward(self, x: Array) -> Array:
        y = self.body.forward(x)
        y += x if self.shortcut is None else self.shortcut.forward(x)
        return self.relu.forward(y)

    def backward(self, g: Array) -> Array:
        g = self.relu.backward(g)
        gx = self.body.backward(g)
        gx += g if self.shortcut is None else self.shortcut.backward(g)
        return gx


class GlobalMean(Layer):
    """The mean over each plane."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.mean(axis=(2, 3))

    def backward(self, g: Array) -> Array:
        gx = self.room("gx", self.shape, g)
        gx[...] = (g / (self.shape[2] * self.shape[3]))[:, :, None, None]
        return gx
