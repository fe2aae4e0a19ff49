"""Binary cross-entropy on probabilities: -(t log x + (1 - t) log(1 - x)), logarithms >= -100."""

from __future__ import annotations

from ..tier1 import Buffer, Tier1


class LossDefaults(Tier1):
    def binary_cross_entropy(self, x: Buffer, t: Buffer, out: Buffer = None) -> Buffer:
        """Elementwise, of x and t of one shape. -100 is torch's limit: log 0 counts as that."""
        hit = self._limited_log(x)
        rest = self.binary("sub", 1.0, x)
        miss = self._limited_log(rest)
        hit = self.binary("mul", t, hit, hit)
        miss = self.binary("mul", self.binary("sub", 1.0, t, rest), miss, miss)
        total = self.binary("add", hit, miss, hit)
        return self.unary("neg", total, total if out is None else out)

    def _limited_log(self, x: Buffer) -> Buffer:
        y = self.unary("log", x)
        return self.binary("maximum", y, -100.0, y)
