"""Normalisation, fused activations, softmax and cross-entropy."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

import etude

from . import references
from .case import Case, Step, Work, uniform

Shape = tuple[int, ...]
EPS = 1e-5


def batch_norm(rng: np.random.Generator, shape: Shape) -> Work:
    """In training: y, and the mean of each channel."""

    def in_torch(torch: Any, x: Any, w: Any, b: Any) -> Step:
        return lambda: torch.native_batch_norm(x, w, b, None, None, True, 0.1, EPS)[:2]

    return Work(
        [uniform(rng, *shape), uniform(rng, shape[1]), uniform(rng, shape[1])],
        ours=lambda backend, x, w, b: lambda: backend.batch_norm(x, w, b, EPS)[:2],
        torch=in_torch,
        reference=lambda x, w, b: references.batch_norm(x, w, b, EPS)[:2],
    )


def batch_norm_grad(rng: np.random.Generator, shape: Shape) -> Work:
    """Gradients for x, w and b."""
    x, w = uniform(rng, *shape), uniform(rng, shape[1])
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))

    def in_torch(torch: Any, g: Any, x: Any, w: Any, mean: Any, var: Any) -> Step:
        backward, rstd = torch.ops.aten.native_batch_norm_backward.default, (var + EPS).rsqrt()
        rest = None, None, mean, rstd, True, EPS, [True, True, True]
        return lambda: backward(g, x, w, *rest)

    return Work(
        [uniform(rng, *shape), x, w, mean, var],
        ours=lambda backend, *given: lambda: backend.batch_norm_grad(*given, EPS),
        torch=in_torch,
        reference=lambda *given: references.batch_norm_grad(*given, EPS),
    )


def layer_norm(rng: np.random.Generator, rows: int, size: int) -> Work:
    """y, mean and 1 / deviation of each row."""

    def in_torch(torch: Any, x: Any, w: Any, b: Any) -> Step:
        def step() -> Any:
            y, mean, rstd = torch.native_layer_norm(x, (size,), w, b, EPS)
            return y, mean[:, 0], rstd[:, 0]

        return step

    return Work(
        [uniform(rng, rows, size), uniform(rng, size), uniform(rng, size)],
        ours=lambda backend, x, w, b: lambda: backend.layer_norm(x, w, b, EPS),
        torch=in_torch,
        reference=lambda x, w, b: references.layer_norm(x, w, b, EPS),
    )


def layer_norm_grad(rng: np.random.Generator, rows: int, size: int) -> Work:
    """Gradients for x, w and b."""
    x, w = uniform(rng, rows, size), uniform(rng, size)
    mean, rstd = x.mean(axis=1), (1 / np.sqrt(x.var(axis=1) + EPS)).astype(np.float32)

    def in_torch(torch: Any, g: Any, x: Any, w: Any, mean: Any, rstd: Any) -> Step:
        backward, b = torch.ops.aten.native_layer_norm_backward.default, torch.zeros(size)
        rest = [size], mean[:, None], rstd[:, None], w, b, [True, True, True]
        return lambda: backward(g, x, *rest)

    return Work(
        [uniform(rng, rows, size), x, w, mean, rstd],
        ours=lambda backend, *given: lambda: backend.layer_norm_grad(*given),
        torch=in_torch,
        reference=references.layer_norm_grad,
    )


def group_norm(rng: np.random.Generator, shape: Shape, groups: int) -> Work:
    """y, mean and 1 / deviation of each group of channels of each example."""
    n, c, *plane = shape

    def in_torch(torch: Any, x: Any, w: Any, b: Any) -> Step:
        return lambda: torch.native_group_norm(x, w, b, n, c, prod(plane), groups, EPS)

    return Work(
        [uniform(rng, *shape), uniform(rng, c), uniform(rng, c)],
        ours=lambda backend, x, w, b: lambda: backend.group_norm(x, w, b, groups, EPS),
        torch=in_torch,
        reference=lambda x, w, b: references.group_norm(x, w, b, groups, EPS),
    )


def group_norm_grad(rng: np.random.Generator, shape: Shape, groups: int) -> Work:
    """Gradients for x, w and b."""
    n, c, *plane = shape
    x, w = uniform(rng, *shape), uniform(rng, c)
    rows = x.reshape(n, groups, -1)
    mean, rstd = rows.mean(axis=2), (1 / np.sqrt(rows.var(axis=2) + EPS)).astype(np.float32)

    def in_torch(torch: Any, g: Any, x: Any, w: Any, mean: Any, rstd: Any) -> Step:
        backward = torch.ops.aten.native_group_norm_backward.default
        rest = n, c, prod(plane), groups, [True, True, True]
        return lambda: backward(g, x, mean, rstd, w, *rest)

    return Work(
        [uniform(rng, *shape), x, w, mean, rstd],
        ours=lambda backend, *given: lambda: backend.group_norm_grad(*given),
        torch=in_torch,
        reference=references.group_norm_grad,
    )


def bias_relu(rng: np.random.Generator, rows: int, size: int, into: bool) -> Work:
    """relu(x + b)."""

    def ours(backend: Any, x: Any, b: Any) -> Step:
        out = backend.empty((rows, size), "float32") if into else None
        return lambda: backend.bias_activation(x, b, "relu", out)

    def in_torch(torch: Any, x: Any, b: Any) -> Step:
        out = torch.empty(rows, size) if into else None
        return lambda: torch.add(x, b, out=out).relu_()

    def in_numpy(np: Any, x: Any, b: Any) -> Step:
        out = np.empty((rows, size), np.float32) if into else None

        def step() -> Any:
            y = np.add(x, b, out=out)
            return np.maximum(y, 0, out=y)

        return step

    inputs = [uniform(rng, rows, size), uniform(rng, size)]
    return Work(inputs, ours, lambda x, b: np.maximum(x + b, 0), in_torch, in_numpy)


def softmax(rng: np.random.Generator, rows: int, size: int) -> Work:
    """Along the rows."""

    def in_numpy(np: Any, x: Any) -> Step:
        def step() -> Any:
            e = x - x.max(axis=1, keepdims=True)
            np.exp(e, out=e)
            e /= e.sum(axis=1, keepdims=True)
            return e

        return step

    return Work(
        [uniform(rng, rows, size, low=-4, high=4)],
        ours=lambda backend, x: lambda: backend.softmax(x, 1),
        torch=lambda torch, x: lambda: torch.softmax(x, 1),
        numpy=in_numpy,
        reference=references.softmax,
    )


def cross_entropy(rng: np.random.Generator, rows: int, classes: int) -> Work:
    """The losses of softmax and cross-entropy, then the gradient of their mean.

    torch's by its own kernels, called without its autograd: as little around them as around ours.
    """

    def ours(backend: Any, x: Any, labels: Any) -> Step:
        g = backend.full((rows,), 1.0 / rows, "float32")

        def step() -> Any:
            losses, p = backend.cross_entropy(x, labels)
            return losses, backend.cross_entropy_grad(g, p, labels)

        return step

    def in_torch(torch: Any, x: Any, labels: Any) -> Step:
        aten, g = torch.ops.aten, torch.full((rows,), 1.0 / rows)
        loss, loss_grad = aten.nll_loss_forward.default, aten.nll_loss_backward.default
        softmax, softmax_grad = torch.log_softmax, aten._log_softmax_backward_data.default

        def step() -> Any:
            logp = softmax(x, 1)
            losses, weight = loss(logp, labels, None, 0, -100)
            gp = loss_grad(g, logp, labels, None, 0, -100, weight)
            return losses, softmax_grad(gp, logp, 1, torch.float32)

        return step

    def in_numpy(np: Any, x: Any, labels: Any) -> Step:
        index = np.arange(rows)

        def step() -> Any:
            p = x - x.max(axis=1, keepdims=True)
            picked = p[index, labels]
            np.exp(p, out=p)
            total = p.sum(axis=1)
            losses = np.log(total) - picked
            p *= (1.0 / (rows * total))[:, None]
            p[index, labels] -= 1.0 / rows
            return losses, p

        return step

    inputs = [uniform(rng, rows, classes, low=-4, high=4), rng.integers(0, classes, rows)]
    return Work(inputs, ours, references.cross_entropy, in_torch, in_numpy)


def recorded_cross_entropy(rng: np.random.Generator, rows: int, classes: int) -> Work:
    """The mean loss and its gradient as training asks for them: by autograd, on both sides."""
    x, labels = uniform(rng, rows, classes, low=-4, high=4), rng.integers(0, classes, rows)

    def ours(backend: Any, *_: Any) -> Step:
        z = etude.tensor(x, backend=backend.name, requires_grad=True)
        at = etude.tensor(labels, backend=backend.name)

        def step() -> Any:
            z.grad = None
            loss = etude.functional.cross_entropy(z, at)
            loss.backward()
            return loss.buffer, z.grad.buffer

        return step

    def in_torch(torch: Any, x: Any, labels: Any) -> Step:
        z, cross_entropy = x.clone().requires_grad_(), torch.nn.functional.cross_entropy

        def step() -> Any:
            z.grad = None
            loss = cross_entropy(z, labels)
            loss.backward()
            return loss, z.grad

        return step

    def reference(x: Any, labels: Any) -> Any:
        losses, gx = references.cross_entropy(x, labels)
        return np.asarray(losses.mean()), gx

    return Work([x, labels], ours, reference, in_torch)


IMAGES, SMALL_IMAGES = (32, 64, 56, 56), (3, 5, 6, 7)
NORMS = [
    Case("batch norm 32x64x56x56 forward", "norm", batch_norm, (IMAGES,), (SMALL_IMAGES,)),
    Case("batch norm 32x64x56x56 gradient", "norm", batch_norm_grad, (IMAGES,), (SMALL_IMAGES,)),
    Case("layer norm 4096x1024 forward", "norm", layer_norm, (4096, 1024), (5, 19)),
    Case("layer norm 4096x1024 gradient", "norm", layer_norm_grad, (4096, 1024), (5, 19)),
    Case("bias+relu 4096x1024", "bias+relu", bias_relu, (4096, 1024, False), (5, 19, False)),
    Case("bias+relu 4096x1024 into out", "bias+relu", bias_relu, (4096, 1024, True), (5, 19, True)),
]
CASES = [
    *NORMS,
    *(
        Case(f"softmax {n}x{c}", "softmax", softmax, (n, c), (5, 19))
        for n, c in ((64, 10), (4096, 1000))
    ),
    *(
        Case(f"cross-entropy {n}x{c}", "softmax", cross_entropy, (n, c), (5, 19))
        for n, c in ((64, 10), (128, 1000), (4096, 1000))
    ),
    *(
        Case(f"recorded cross-entropy {n}x{c}", "softmax", recorded_cross_entropy, (n, c), (5, 19))
        for n, c in ((64, 10), (128, 1000))
    ),
]
