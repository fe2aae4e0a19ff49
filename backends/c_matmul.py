"""Matrix products in C (kernels/c/gemm.c), and the affine layer with its gradients."""

from __future__ import annotations

from math import prod
from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_memory import check
from .defaults.linear_optim import Gradients, LinearOptimDefaults
from .tier1 import Buffer, Shape

FLOATS = ("float32", "float64")
ACTIVATIONS = {None: 0, "relu": 1, "sigmoid": 2, "tanh": 3, "gelu": 4}  # as in gemm_inner.h
NULL = ffi.NULL


class CMatmul(CBase, LinearOptimDefaults):
    """Products; shapes are settled here, so that kernels see sizes of at least 1."""

    def matmul(
        self,
        a: Buffer,
        b: Buffer,
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Buffer = None,
    ) -> Buffer:
        if len(a.shape) != 2 or len(b.shape) != 2:
            return self._batched(a, b, transpose_a, transpose_b, out)
        k, m = a.shape if transpose_a else a.shape[::-1]
        n = b.shape[0] if transpose_b else b.shape[1]
        y = self.empty((m, n), a.dtype) if out is None else out
        if not (m and n and k):
            return self.full((m, n), 0, a.dtype, y)
        run = self.c.matmul[a.dtype]
        if run(1, m, n, k, a.data, 0, transpose_a, b.data, 0, transpose_b, y.data):
            check(-1, "matmul")
        return y

    def _batched(self, a: Any, b: Any, transpose_a: bool, transpose_b: bool, out: Any) -> Buffer:
        lead = _broadcast(a.shape[:-2], b.shape[:-2])
        k, m = a.shape[-2:] if transpose_a else a.shape[:-3:-1]
        n = b.shape[-2] if transpose_b else b.shape[-1]
        y = self.empty((*lead, m, n), a.dtype) if out is None else out
        if not y.size or not k:
            return self.full(y.shape, 0, a.dtype, y)
        batch, of_a, of_b = prod(lead), a.size // (m * k), b.size // (k * n)
        if of_b == 1 and of_a == batch and not transpose_a:
            batch, of_a, m = 1, 1, batch * m  # one matrix on the right: one product for all
        sizes, run = (m, n, k), self.c.matmul[a.dtype]
        if of_a in (1, batch) and of_b in (1, batch):
            steps = m * k if of_a > 1 else 0, k * n if of_b > 1 else 0
            status = run(
                *(batch, *sizes, a.data, steps[0], transpose_a),
                *(b.data, steps[1], transpose_b, y.data),
            )
            check(status or 0, "matmul")
            return y
        for item in range(batch):
            left = self.at(a, _place(item, lead, a.shape[:-2]) * m * k)
            right = self.at(b, _place(item, lead, b.shape[:-2]) * k * n)
            status = run(
                1, *sizes, left, 0, transpose_a, right, 0, transpose_b, self.at(y, item * m * n)
            )
            check(status or 0, "matmul")
        return y

    def linear(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        (m, k), n = x.shape, w.shape[0]
        if x.dtype not in FLOATS or activation not in ACTIVATIONS or not (m and n and k):
            return super().linear(x, w, b, activation, out)
        y = self.empty((m, n), x.dtype) if out is None else out
        bias = NULL if b is None else b.data
        f = ACTIVATIONS[activation]
        if self.c.linear[x.dtype](m, n, k, x.data, w.data, bias, f, y.data):
            check(-1, "linear")
        return y

    def linear_grad(
        self, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool]
    ) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
        (m, k), n = x.shape, w.shape[0]
        if x.dtype not in FLOATS or not (m and n and k):
            return super().linear_grad(g, x, w, needs)
        found, places = self._gradients(x, w, needs)
        check(self.c.linear_grad[x.dtype](m, n, k, g.data, x.data, w.data, *places), "linear_grad")
        return found

    def _gradients(
        self, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool]
    ) -> tuple[Gradients, list[Any]]:
        """Memory for those of (gx, gw, gb) that are needed, and where it is."""
        gx = self.empty(x.shape, x.dtype) if needs[0] else None
        gw = self.empty(w.shape, x.dtype) if needs[1] else None
        gb = self.empty(w.shape[:1], x.dtype) if needs[2] else None
        return (gx, gw, gb), [NULL if y is None else y.data for y in (gx, gw, gb)]

    def linear_grad_sgd(
        self,
        g: Buffer,
        x: Buffer,
        w: Buffer,
        needs: tuple[bool, bool, bool],
        v: Buffer | None,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> Gradients:
        sizes = x.shape[0], *w.shape
        rule = lr, momentum, dampening, weight_decay, nesterov
        if not all(sizes):
            return super().linear_grad_sgd(g, x, w, needs, v, *rule)
        found, places = self._gradients(x, w, needs)
        given = g.data, x.data, w.data, NULL if v is None else v.data
        check(self.c.linear_grad_sgd[x.dtype](*sizes, *given, *places, *rule), "linear_grad_sgd")
        return found

    def linear_grad_adam(
        self,
        g: Buffer,
        x: Buffer,
        w: Buffer,
        needs: tuple[bool, bool, bool],
        m: Buffer,
        v: Buffer,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> Gradients:
        sizes = x.shape[0], *w.shape
        rule = step, lr, beta1, beta2, eps, weight_decay, decoupled
        if not all(sizes):
            return super().linear_grad_adam(g, x, w, needs, m, v, *rule)
        found, places = self._gradients(x, w, needs)
        given = g.data, x.data, w.data, m.data, v.data
        check(self.c.linear_grad_adam[x.dtype](*sizes, *given, *places, *rule), "linear_grad_adam")
        return found


def _broadcast(a: Shape, b: Shape) -> Shape:
    """The common shape of leading axes, which were checked: where one is 1, the other."""
    axes = max(len(a), len(b))
    pairs = zip((1,) * (axes - len(a)) + a, (1,) * (axes - len(b)) + b)
    return tuple(y if x == 1 else x for x, y in pairs)


def _place(item: int, lead: Shape, own: Shape) -> int:
    """Which matrix of an operand with leading axes `own` belongs to matrix `item` of the result."""
    place, step = 0, 1
    for axis in range(-1, -len(lead) - 1, -1):
        item, position = divmod(item, lead[axis])
        if -axis <= len(own) and own[axis] > 1:
            place += position * step
            step *= own[axis]
    return place
