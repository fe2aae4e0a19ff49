"""Softmax, log-softmax and the fused softmax + cross-entropy, each with its gradient.

softmax(x)_i = exp(x_i - m) / sum_j exp(x_j - m),  m = max(x)     (the shift avoids overflow)
"""

from __future__ import annotations

from array import array

from ..tier1 import Buffer
from .layout import LayoutDefaults


class SoftmaxDefaults(LayoutDefaults):
    def softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        """Softmax along `axis`."""
        e = self._shifted(x, axis)
        e = self.unary("exp", e, e)
        total = self.keep(self.reduce("sum", e, (axis,)), x, (axis,))
        return self.binary("div", e, total, e if out is None else out)

    def softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        """gx = y (g - sum(g y)), from the softmax y."""
        gy = self.binary("mul", g, y)
        inner = self.keep(self.reduce("sum", gy, (axis,)), y, (axis,))
        return self.binary("mul", y, self.binary("sub", g, inner, gy), gy if out is None else out)

    def log_softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        """x - m - log(sum(exp(x - m))) along `axis`."""
        shifted = self._shifted(x, axis)
        total = self.reduce("sum", self.unary("exp", shifted), (axis,))
        log_total = self.keep(self.unary("log", total, total), x, (axis,))
        return self.binary("sub", shifted, log_total, shifted if out is None else out)

    def log_softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        """gx = g - exp(y) sum(g), from the log-softmax y."""
        total = self.keep(self.reduce("sum", g, (axis,)), y, (axis,))
        p = self.unary("exp", y)
        return self.binary("sub", g, self.binary("mul", p, total, p), p if out is None else out)

    def cross_entropy(self, x: Buffer, labels: Buffer, ignore: int = -100) -> tuple[Buffer, Buffer]:
        """Losses -log softmax(x)[labels] (N,) and softmax (N, C), of x (N, C), labels (N,) int64.

        A label equal to `ignore` has loss 0. Raises IndexError for another outside 0 ... C-1.
        """
        logp = self.log_softmax(x, 1)
        counts, flat = self._label_rows(labels, x.shape[1], ignore)
        n = x.shape[0]
        picked = self.gather(self.reshape(logp, (n * x.shape[1], 1)), flat)
        losses = self.unary("neg", self.reshape(picked, (n,)))
        return self.where(counts, losses, 0.0), self.unary("exp", logp, logp)

    def cross_entropy_grad(
        self, g: Buffer, p: Buffer, labels: Buffer, ignore: int = -100, out: Buffer = None
    ) -> Buffer:
        """gx = g[:, None] (p - onehot(labels)), from g (N,) and the softmax p (N, C).

        Rows whose label is `ignore` get 0.
        """
        n, c = p.shape
        counts, flat = self._label_rows(labels, c, ignore)
        g2 = self.reshape(self.where(counts, g, 0.0), (n, 1))
        hot = self.scatter_add(g2, flat, n * c)
        gp = self.binary("mul", p, g2)
        return self.binary("sub", gp, self.reshape(hot, (n, c)), gp if out is None else out)

    def cross_entropy_mean(
        self, x: Buffer, labels: Buffer, ignore: int = -100
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(mean of the losses that count (), softmax (N, C), how many count (), of x's dtype).

        The mean over none is nan. Otherwise as `cross_entropy`.
        """
        losses, p = self.cross_entropy(x, labels, ignore)
        counts = self.cast(self.binary("ne", labels, ignore), self.dtype(x))
        count = self.reduce("sum", counts, (0,))
        return self.binary("div", self.reduce("sum", losses, (0,)), count), p, count

    def cross_entropy_mean_grad(
        self,
        g: Buffer,
        p: Buffer,
        labels: Buffer,
        count: Buffer,
        ignore: int = -100,
        out: Buffer = None,
    ) -> Buffer:
        """gx = g / count (p - onehot(labels)), from g () and what `cross_entropy_mean` returned."""
        each = self.expand(self.binary("div", g, count), labels.shape)
        return self.cross_entropy_grad(each, p, labels, ignore, out)

    def _shifted(self, x: Buffer, axis: int) -> Buffer:
        """x minus its maximum along `axis`."""
        if x.shape[axis] == 0:
            return self.unary("abs", x)
        m = self.reduce("max", x, (axis,))
        return self.binary("sub", x, self.keep(m, x, (axis,)))

    def _label_rows(self, labels: Buffer, classes: int, ignore: int) -> tuple[Buffer, Buffer]:
        """Which labels count, and flat positions n*C + labels[n] (class 0 for the others).

        Checked, because a wrong label would read another row.
        """
        n = labels.shape[0]
        counts = self.binary("ne", labels, ignore)
        safe = self.where(counts, labels, 0)
        if n:
            self.check_range(safe, 0, classes)
        starts = array("q", range(0, n * classes, classes)) if classes else array("q", [0] * n)
        offsets = self.from_host(memoryview(starts), (n,), "int64")
        return counts, self.binary("add", safe, offsets)
