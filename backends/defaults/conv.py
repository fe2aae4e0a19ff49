"""Convolution as a matrix product over unfolded windows (im2col), with both gradients.

    y[n, o, p] = b[o] + sum_{c, k} w[o, c, k] x[n, c, p*stride - before + k*dilation]

that is, cross-correlation, as in torch; x (N, C, *S), w (O, C/groups, *K), any number of spatial
axes. `padding` is one (before, after) pair per spatial axis.
"""

from __future__ import annotations

from math import prod

from ..tier1 import Buffer, Pairs, Shape, Tier1, window_count


class ConvDefaults(Tier1):
    def conv(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        """Forward pass: (N, O, *out).

        activation: the name of a unary function for the result: relu, sigmoid, tanh or gelu.
        """
        n, o, kernel = x.shape[0], w.shape[0], w.shape[2:]
        columns = self._grouped_columns(x, kernel, stride, padding, dilation, groups)
        spatial = tuple(map(window_count, x.shape[2:], kernel, stride, padding, dilation))
        shape = (n, groups, o // groups, prod(spatial))
        y = self.matmul(
            self._grouped_weight(w, groups),
            columns,
            out=None if out is None or b is not None else self.reshape(out, shape),
        )
        y = self.reshape(y, (n, o, *spatial)) if out is None or b is not None else out
        if b is not None:
            y = self.binary("add", y, self.reshape(b, (1, o) + (1,) * len(spatial)), out)
        return y if activation is None else self.unary(activation, y, y)

    def conv_input_grad(
        self,
        g: Buffer,
        w: Buffer,
        x_shape: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        out: Buffer = None,
    ) -> Buffer:
        """Gradient for x from g (N, O, *out); also the transposed convolution of g with w."""
        n, o, kernel = g.shape[0], w.shape[0], w.shape[2:]
        g4 = self.reshape(g, (n, groups, o // groups, prod(g.shape[2:])))
        columns = self.matmul(self._grouped_weight(w, groups), g4, transpose_a=True)
        columns = self.reshape(columns, (n, x_shape[1] * prod(kernel), prod(g.shape[2:])))
        return self.fold(columns, x_shape, kernel, stride, padding, dilation, out)

    def conv_weight_grad(
        self,
        x: Buffer,
        g: Buffer,
        w_shape: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        out: Buffer = None,
    ) -> Buffer:
        """Gradient for w from x (N, C, *S) and g (N, O, *out)."""
        n, o = g.shape[:2]
        columns = self._grouped_columns(x, w_shape[2:], stride, padding, dilation, groups)
        g4 = self.reshape(g, (n, groups, o // groups, prod(g.shape[2:])))
        per_sample = self.matmul(g4, columns, transpose_b=True)
        flat = (groups, o // groups, prod(w_shape[1:]))
        target = None if out is None else self.reshape(out, flat)
        return self.reshape(self.reduce("sum", per_sample, (0,), target), w_shape)

    def _grouped_weight(self, w: Buffer, groups: int) -> Buffer:
        return self.reshape(w, (1, groups, w.shape[0] // groups, prod(w.shape[1:])))

    def _grouped_columns(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
    ) -> Buffer:
        columns = self.unfold(x, kernel, stride, padding, dilation)
        n, rows, length = columns.shape
        return self.reshape(columns, (n, groups, rows // groups, length))
