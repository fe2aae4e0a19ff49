"""One step of an LSTM and of a GRU after their matrix products, each with its gradient.

Gates lie side by side in one row, (N, 4H) or (N, 3H), in torch's order.

    LSTM (Hochreiter & Schmidhuber 1997, with Gers' forget gate), from the sums a for i, f, g, o:
        i, f, o = sigmoid(a),  g = tanh(a);   c' = f c + i g;   h' = o tanh(c')
    GRU (Cho et al. 2014; the reset gate after the product), from a = W x + b and u = U h + b':
        r, z = sigmoid(a + u);   n = tanh(a_n + r u_n);   h' = (1 - z) n + z h
"""

from __future__ import annotations

from collections.abc import Sequence

from ..tier1 import Buffer, Tier1


class RecurrentDefaults(Tier1):
    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        """(h', c', act): act (N, 4H) holds the gates i, f, g, o after their functions."""
        names = ("sigmoid", "sigmoid", "tanh", "sigmoid")
        i, f, g, o = (self.unary(name, x) for name, x in zip(names, self._parts(gates, 4)))
        c2 = self.binary("add", self.binary("mul", f, c), self.binary("mul", i, g))
        h = self.binary("mul", o, self.unary("tanh", c2))
        return h, c2, self._joined((i, f, g, o))

    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        """(ggates (N, 4H), gc (N, H)) from the gradients of h' and c'.

        With e = gc' + gh o (1 - tanh(c')^2), the whole gradient of c': gc = e f, and the gates get
        e g, e c, e i and gh tanh(c'), each times the slope of its function.
        """
        i, f, g, o = self._parts(act, 4)
        t = self.unary("tanh", c2)
        e = self.binary("mul", gh, o)
        e = self.binary("add", gc2, self.binary("tanh_grad", e, t, e), e)
        gates = (
            self.binary("sigmoid_grad", self.binary("mul", e, g), i),
            self.binary("sigmoid_grad", self.binary("mul", e, c), f),
            self.binary("tanh_grad", self.binary("mul", e, i), g),
            self.binary("sigmoid_grad", self.binary("mul", gh, t), o),
        )
        return self._joined(gates), self.binary("mul", e, f)

    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        """(h', act): gi = a and gh = u are (N, 3H); act (N, 4H) holds r, z, n and u_n."""
        (a_r, a_z, a_n), (u_r, u_z, u_n) = self._parts(gi, 3), self._parts(gh, 3)
        r = self.unary("sigmoid", self.binary("add", a_r, u_r))
        z = self.unary("sigmoid", self.binary("add", a_z, u_z))
        n = self.unary("tanh", self.binary("add", a_n, self.binary("mul", r, u_n)))
        h2 = self.binary("add", n, self.binary("mul", z, self.binary("sub", h, n)))
        return h2, self._joined((r, z, n, u_n))

    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        """(ggi (N, 3H), ggh (N, 3H), gh_prev (N, H)) from the gradient g of h'.

        The part of h that passes by the gates: gh_prev = g z. What comes through ggh is the
        caller's product.
        """
        r, z, n, u_n = self._parts(act, 4)
        keep = self.binary("mul", g, z)
        gn = self.binary("tanh_grad", self.binary("sub", g, keep), n)
        gz = self.binary("mul", g, self.binary("sub", h, n))
        gz = self.binary("sigmoid_grad", gz, z, gz)
        gr = self.binary("sigmoid_grad", self.binary("mul", gn, u_n), r)
        hidden = self.binary("mul", gn, r)
        return self._joined((gr, gz, gn)), self._joined((gr, gz, hidden)), keep

    def _parts(self, x: Buffer, count: int) -> list[Buffer]:
        """x (N, count H) as `count` buffers (N, H)."""
        n, width = x.shape
        size = width // count
        return [self.strided(x, (n, size), (width, 1), k * size) for k in range(count)]

    def _joined(self, parts: Sequence[Buffer]) -> Buffer:
        """The transpose of `_parts`."""
        n, size = parts[0].shape
        y = self.empty((n, len(parts) * size), self.dtype(parts[0]))
        for k, part in enumerate(parts):
            self.put_strided(y, part, (len(parts) * size, 1), k * size)
        return y
