"""Uniform and normal numbers from random bits, equal to the bit on every backend.

Only operations that IEEE 754 rounds exactly (+ - * / sqrt, comparisons) are used, in float64, and
a polynomial in place of each library's own log, sine and cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial, pi, prod

from ..tier1 import Buffer, Number, Shape
from .layout import LayoutDefaults

LOG_SERIES = [1.0 / (2 * k + 1) for k in range(13)]
SIN_SERIES = [(-1) ** k / factorial(2 * k + 1) for k in range(8)]
COS_SERIES = [(-1) ** k / factorial(2 * k) for k in range(8)]


def words_per_number(distribution: str, dtype: str) -> int:
    """How many 32-bit words one number consumes, so that a generator knows how far to step."""
    return 2 if distribution == "uniform" and dtype == "float64" else 1


class SamplingDefaults(LayoutDefaults):
    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        """[0, 1): 24 random bits times 2^-24 in float32, 53 bits times 2^-53 in float64."""
        count = prod(shape)
        if dtype == "float32":
            bits = self.random_bits(key, counter, count)
            top = self.cast(self.binary("floor_divide", bits, 1 << 8), dtype)
            return self.binary("mul", self.reshape(top, shape), 2.0**-24, out)
        bits = self.random_bits(key, counter, 2 * count)
        high = self.binary("floor_divide", self.strided(bits, shape, self._every(shape, 2), 0), 32)
        low = self.binary("floor_divide", self.strided(bits, shape, self._every(shape, 2), 1), 64)
        both = self.binary("add", self.binary("mul", high, 1 << 26), low)
        return self.binary("mul", self.cast(both, dtype), 2.0**-53, out)

    def normal(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        """Mean 0, variance 1, by Box & Muller (1958): sqrt(-2 ln u) (cos t, sin t), t uniform."""
        count = prod(shape)
        half = (count + 1) // 2
        words = self.cast(self.random_bits(key, counter, 2 * half), "float64")
        u = self.binary("mul", self.binary("add", self._part(words, 0, half), 0.5), 2.0**-32)
        radius = self.unary("sqrt", self.binary("mul", self._log(u), -2.0))
        cos, sin = self._direction(self._part(words, half, half))
        z = self.cat([self.binary("mul", radius, cos), self.binary("mul", radius, sin)], 0)
        z = self.reshape(self._part(z, 0, count), shape)
        return self.cast(z, dtype, out)

    def exponential(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        """-ln u, u uniform in (0, 1): mean 1, never 0."""
        words = self.cast(self.random_bits(key, counter, prod(shape)), "float64")
        u = self.binary("mul", self.binary("add", words, 0.5), 2.0**-32)
        z = self.binary("mul", self.reshape(self._log(u), shape), -1.0)
        return self.cast(z, dtype, out)

    def _every(self, shape: Shape, step: int) -> list[int]:
        strides = [step] * len(shape)
        for axis in range(len(shape) - 2, -1, -1):
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        return strides

    def _part(self, x: Buffer, start: int, count: int) -> Buffer:
        return self.strided(x, (count,), (1,), start)

    def _polynomial(self, coefficients: Sequence[Number], x: Buffer) -> Buffer:
        y = self.binary("mul", x, float(coefficients[-1]))
        for c in reversed(coefficients[1:-1]):
            y = self.binary("mul", self.binary("add", y, float(c), y), x, y)
        return self.binary("add", y, float(coefficients[0]), y)

    def _log(self, x: Buffer) -> Buffer:
        """ln x for 2^-33 <= x < 1: scale into [1/2, 1), then 2 artanh((x - 1) / (x + 1))."""
        exponent = self.full(x.shape, 0.0, "float64")
        for k in (32, 16, 8, 4, 2, 1):
            small = self.binary("lt", x, 2.0**-k)
            x = self.where(small, self.binary("mul", x, 2.0**k), x)
            exponent = self.where(small, self.binary("sub", exponent, float(k)), exponent)
        s = self.binary("div", self.binary("sub", x, 1.0), self.binary("add", x, 1.0))
        series = self._polynomial(LOG_SERIES, self.binary("mul", s, s))
        mantissa = self.binary("mul", self.binary("mul", s, 2.0), series)
        return self.binary("add", mantissa, self.binary("mul", exponent, 0.6931471805599453))

    def _direction(self, words: Buffer) -> tuple[Buffer, Buffer]:
        """A uniform point on the circle: an angle in +-pi/4, then one of the four quarters."""
        turns = self.binary("mul", words, 2.0**-30)
        quarter = self.unary("floor", turns)
        angle = self.binary("sub", self.binary("sub", turns, quarter), 0.5)
        angle = self.binary("mul", angle, pi / 2)
        square = self.binary("mul", angle, angle)
        cos = self._polynomial(COS_SERIES, square)
        sin = self.binary("mul", self._polynomial(SIN_SERIES, square), angle)
        negative = self.binary("ge", quarter, 2.0)
        sign = self.where(negative, self.full(words.shape, -1.0, "float64"), 1.0)
        odd = self.binary("sub", quarter, self.where(negative, self.full((), 2.0, "float64"), 0.0))
        swap = self.binary("gt", odd, 0.5)
        x, y = self.where(swap, sin, cos), self.where(swap, cos, sin)
        return self.binary("mul", x, sign), self.binary("mul", y, sign)
