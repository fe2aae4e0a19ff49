"""The affine layer y = f(x W^T + b), its gradients, and its last part alone."""

from __future__ import annotations

from ..tier1 import Buffer, Tier1


class LinearDefaults(Tier1):
    def linear(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        """x (M, K), w (N, K), b (N,) or None, giving (M, N).

        activation: the name of a unary function for the result: relu, sigmoid, tanh or gelu.
        """
        y = self.matmul(x, w, transpose_b=True, out=out)
        if b is not None and activation is not None:
            return self.bias_activation(y, b, activation, y)
        if b is not None:
            return self.binary("add", y, b, y)
        return y if activation is None else self.unary(activation, y, y)

    def linear_grad(
        self, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool]
    ) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
        """(gx, gw, gb) = (g W, g^T x, sum of g over rows) from g (M, N); None if not in `needs`."""
        gx = self.matmul(g, w) if needs[0] else None
        gw = self.matmul(g, x, transpose_a=True) if needs[1] else None
        gb = self.reduce("sum", g, (0,)) if needs[2] else None
        return gx, gw, gb

    def bias_activation(self, x: Buffer, b: Buffer, name: str, out: Buffer = None) -> Buffer:
        """y = name(x + b), of x (M, N), b (N,) and a unary function; `out` may be x."""
        y = self.binary("add", x, b, out)
        return self.unary(name, y, y)
