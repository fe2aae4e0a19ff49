"""The affine layer y = x W^T + b."""

from __future__ import annotations

from ..tier1 import Buffer, Tier1


class LinearDefaults(Tier1):
    def linear(self, x: Buffer, w: Buffer, b: Buffer | None, out: Buffer = None) -> Buffer:
        """x (M, K), w (N, K), b (N,) or None, giving (M, N)."""
        if b is None:
            return self.matmul(x, w, transpose_b=True, out=out)
        y = self.matmul(x, w, transpose_b=True, out=out)
        return self.binary("add", y, b, y)
