"""Optimizer steps: the methods that change parameters and their state in place."""

from __future__ import annotations

from math import sqrt

from ..tier1 import Buffer, Tier1


class OptimDefaults(Tier1):
    def sgd_step(
        self,
        p: Buffer,
        g: Buffer,
        v: Buffer | None,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> None:
        """In place: g += weight_decay p; v = momentum v + (1 - dampening) g; p -= lr v.

        With Nesterov p -= lr (g + momentum v); without a velocity v, p -= lr g. (torch.optim.SGD's
        form; in its first step v = g, which is v = 0 and dampening = 0.)
        """
        if weight_decay:
            g = self.binary("add", g, self.binary("mul", p, weight_decay))
        step = g
        if v is not None:
            self.binary("mul", v, momentum, v)
            self.binary("add", v, self.binary("mul", g, 1.0 - dampening), v)
            step = self.binary("add", g, self.binary("mul", v, momentum)) if nesterov else v
        self.binary("sub", p, self.binary("mul", step, lr), p)

    def adam_step(
        self,
        p: Buffer,
        g: Buffer,
        m: Buffer,
        v: Buffer,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        """In place, step counted from 1: m and v are moving averages of g and g^2, then

        p -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)

        Weight decay joins g, or with `decoupled` shrinks p by lr * weight_decay first (AdamW).
        Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019.
        """
        _adam(self, p, g, m, v, None, step, lr, beta1, beta2, eps, weight_decay, decoupled)

    def amsgrad_step(
        self,
        p: Buffer,
        g: Buffer,
        m: Buffer,
        v: Buffer,
        peak: Buffer,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        """In place: `adam_step` with the largest v so far, `peak`, in place of v under the root.

        Reddi, Kale & Kumar 2018, algorithm 2, with Adam's corrections of the start.
        """
        _adam(self, p, g, m, v, peak, step, lr, beta1, beta2, eps, weight_decay, decoupled)

    def rmsprop_step(
        self,
        p: Buffer,
        g: Buffer,
        square: Buffer,
        mean: Buffer | None,
        velocity: Buffer | None,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
    ) -> None:
        """In place: square is the moving average of g^2, and p -= lr g / (sqrt(square) + eps).

        With `mean`, the moving average of g, the root is of square - mean^2 (Graves 2013). With a
        velocity, velocity = momentum velocity + g / (...) and p -= lr velocity. Hinton 2012.
        """
        if weight_decay:
            g = self.binary("add", g, self.binary("mul", p, weight_decay))
        squared = self.binary("mul", g, g)
        self.binary("mul", square, alpha, square)
        self.binary("add", square, self.binary("mul", squared, 1.0 - alpha, squared), square)
        spread = square
        if mean is not None:
            self.binary("mul", mean, alpha, mean)
            self.binary("add", mean, self.binary("mul", g, 1.0 - alpha), mean)
            spread = self.binary("sub", square, self.binary("mul", mean, mean), squared)
        root = self.unary("sqrt", spread, squared)
        self.binary("add", root, eps, root)
        step = self.binary("div", g, root, root)
        if velocity is not None:
            self.binary("mul", velocity, momentum, velocity)
            step = self.binary("add", velocity, step, velocity)
        self.binary("sub", p, self.binary("mul", step, lr), p)

    def adagrad_step(
        self, p: Buffer, g: Buffer, total: Buffer, lr: float, eps: float, weight_decay: float
    ) -> None:
        """In place: total += g^2; p -= lr g / (sqrt(total) + eps). Duchi, Hazan & Singer 2011."""
        if weight_decay:
            g = self.binary("add", g, self.binary("mul", p, weight_decay))
        squared = self.binary("mul", g, g)
        self.binary("add", total, squared, total)
        root = self.unary("sqrt", total, squared)
        self.binary("add", root, eps, root)
        step = self.binary("div", g, root, root)
        self.binary("sub", p, self.binary("mul", step, lr, step), p)


def _adam(
    B: Tier1,
    p: Buffer,
    g: Buffer,
    m: Buffer,
    v: Buffer,
    peak: Buffer | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Adam's step, or with `peak` AMSGrad's."""
    if weight_decay and decoupled:
        B.binary("mul", p, 1.0 - lr * weight_decay, p)
    elif weight_decay:
        g = B.binary("add", g, B.binary("mul", p, weight_decay))
    B.binary("mul", m, beta1, m)
    B.binary("add", m, B.binary("mul", g, 1.0 - beta1), m)
    B.binary("mul", v, beta2, v)
    square = B.binary("mul", g, g)
    B.binary("add", v, B.binary("mul", square, 1.0 - beta2, square), v)
    if peak is not None:
        B.binary("maximum", peak, v, peak)
    root = B.unary("sqrt", v if peak is None else peak, square)
    B.binary("div", root, sqrt(1.0 - beta2**step), root)
    B.binary("add", root, eps, root)
    update = B.binary("div", m, root, root)
    B.binary("sub", p, B.binary("mul", update, lr / (1.0 - beta1**step), update), p)
