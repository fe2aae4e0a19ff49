"""Recurrent layers over whole sequences, time first, each with its gradient.

The product W x of all steps is one matrix product and done before; here is what must go step by
step: h[t] from a[t] (T, N, ...) and W_h h[t-1]. In the gradient, only the product that carries it
from h[t] to h[t-1] does; the weight's is one product over all steps in the end.
"""

from __future__ import annotations

from math import prod

from ..tier1 import Buffer, Shape
from .recurrent import RecurrentDefaults


class SequenceDefaults(RecurrentDefaults):
    def rnn(self, a: Buffer, w: Buffer, h0: Buffer, name: str) -> Buffer:
        """h (T, N, H) with h[t] = name(a[t] + h[t-1] W^T); name is tanh or relu, w (H, H)."""
        hs = self.empty(a.shape, self.dtype(a))
        h = h0
        for t in range(a.shape[0]):
            u = self.matmul(h, w, transpose_b=True)
            h = self.binary("add", u, self._step(a, t), u)
            h = self.unary(name, h, h)
            self._put_step(hs, h, t)
        return hs

    def rnn_grad(
        self, g: Buffer, hs: Buffer, w: Buffer, h0: Buffer, name: str
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(ga (T, N, H), gw (H, H), gh0 (N, H)) from the gradient g of h."""
        ga = self.empty(hs.shape, self.dtype(hs))
        carried = self.full(h0.shape, 0, self.dtype(h0))
        for t in reversed(range(hs.shape[0])):
            total = self.binary("add", self._step(g, t), carried)
            total = self.binary(f"{name}_grad", total, self._step(hs, t), total)
            self._put_step(ga, total, t)
            carried = self.matmul(total, w)
        return ga, self._weight_grad(ga, hs, h0), carried

    def lstm(
        self, a: Buffer, w: Buffer, h0: Buffer, c0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        """(h (T, N, H), c[T-1] (N, H), c (T, N, H), act (T, N, 4H)); w (4H, H), as `lstm_cell`."""
        hs = self.empty((a.shape[0], *h0.shape), self.dtype(a))
        cs, acts = self.empty(hs.shape, self.dtype(a)), self.empty(a.shape, self.dtype(a))
        h, c = h0, c0
        for t in range(a.shape[0]):
            u = self.matmul(h, w, transpose_b=True)
            h, c, act = self.lstm_cell(self.binary("add", u, self._step(a, t), u), c)
            self._put_step(hs, h, t)
            self._put_step(cs, c, t)
            self._put_step(acts, act, t)
        return hs, c, cs, acts

    def lstm_grad(
        self,
        g: Buffer,
        gc: Buffer,
        hs: Buffer,
        cs: Buffer,
        acts: Buffer,
        w: Buffer,
        h0: Buffer,
        c0: Buffer,
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        """(ga (T, N, 4H), gw (4H, H), gh0, gc0 (N, H)) from the gradients g of h, gc of c[T-1]."""
        ga = self.empty(acts.shape, self.dtype(acts))
        carried = self.full(h0.shape, 0, self.dtype(h0))
        for t in reversed(range(hs.shape[0])):
            gh = self.binary("add", self._step(g, t), carried)
            before = self._step(cs, t - 1) if t else c0
            gates, gc = self.lstm_cell_grad(gh, gc, self._step(acts, t), before, self._step(cs, t))
            self._put_step(ga, gates, t)
            carried = self.matmul(gates, w)
        return ga, self._weight_grad(ga, hs, h0), carried, gc

    def gru(self, a: Buffer, w: Buffer, b: Buffer | None, h0: Buffer) -> tuple[Buffer, Buffer]:
        """(h (T, N, H), act (T, N, 4H)); w (3H, H) and b (3H,) make u of `gru_cell` from h[t-1]."""
        hs = self.empty((a.shape[0], *h0.shape), self.dtype(a))
        acts = self.empty((*a.shape[:2], 4 * h0.shape[1]), self.dtype(a))
        h = h0
        for t in range(a.shape[0]):
            h, act = self.gru_cell(self._step(a, t), self._affine(h, w, b), h)
            self._put_step(hs, h, t)
            self._put_step(acts, act, t)
        return hs, acts

    def gru_grad(
        self, g: Buffer, hs: Buffer, acts: Buffer, w: Buffer, h0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        """(ga (T, N, 3H), gw (3H, H), gb (3H,), gh0 (N, H)) from the gradient g of h."""
        shape = (*hs.shape[:2], 3 * hs.shape[2])
        ga, gu = self.empty(shape, self.dtype(hs)), self.empty(shape, self.dtype(hs))
        carried = self.full(h0.shape, 0, self.dtype(h0))
        for t in reversed(range(hs.shape[0])):
            total = self.binary("add", self._step(g, t), carried)
            before = self._step(hs, t - 1) if t else h0
            step_a, step_u, passed = self.gru_cell_grad(total, self._step(acts, t), before)
            self._put_step(ga, step_a, t)
            self._put_step(gu, step_u, t)
            carried = self.binary("add", self.matmul(step_u, w), passed, passed)
        gb = self.reduce("sum", gu, (0, 1))
        return ga, self._weight_grad(gu, hs, h0), gb, carried

    def _affine(self, h: Buffer, w: Buffer, b: Buffer | None) -> Buffer:
        u = self.matmul(h, w, transpose_b=True)
        return u if b is None else self.binary("add", u, b, u)

    def _weight_grad(self, g: Buffer, hs: Buffer, h0: Buffer) -> Buffer:
        """sum_t g[t]^T h[t-1]: one product, over h from h0 to h[T-2]."""
        steps, n, size = hs.shape
        before = self.empty(hs.shape, self.dtype(hs))
        if steps:
            self.put_strided(before, h0, (size, 1), 0)
            rest = (steps - 1, n, size)
            strides = (n * size, size, 1)
            self.put_strided(before, self.strided(hs, rest, strides, 0), strides, n * size)
        rows = steps * n
        return self.matmul(
            self.reshape(g, (rows, g.shape[2])), self.reshape(before, (rows, size)), True
        )

    def _step(self, x: Buffer, t: int) -> Buffer:
        """x[t]."""
        shape: Shape = tuple(x.shape[1:])
        return self.strided(x, shape, (shape[1], 1), t * prod(shape))

    def _put_step(self, xs: Buffer, x: Buffer, t: int) -> None:
        self.put_strided(xs, x, (x.shape[1], 1), t * prod(x.shape))
