"""The special functions of scalar.py: the error function and the gamma function's relatives."""

from __future__ import annotations

import math
from math import inf, nan, pi

LGAMMA_MAX = 2.5563481638716906e305
HALF_SQRT_PI = math.sqrt(pi) / 2.0
GILES_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087) + (
    (-0.00125372503, -0.00417768164, 0.246640727, 1.50140941)
)
GILES_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773) + (
    (-0.0076224613, 0.00943887047, 1.00167406, 2.83297682)
)


def erf(x):
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    return math.erf(x)


def erfc(x):
    """1 - erf(x), accurate for large x."""
    return math.erfc(x)


def erfinv(x):
    """The y with erf(y) = x; infinite at -1 and 1.

    The polynomials of M. Giles ("Approximating the erfinv function", 2010, single precision), then
    Newton's method on erf, or on ln erfc where erf is close to 1.
    """
    a = abs(x)
    if not a < 1.0:
        return math.copysign(inf, x) if a == 1.0 else nan
    w = -math.log((1.0 - a) * (1.0 + a))
    z = w - 2.5 if w < 5.0 else math.sqrt(w) - 3.0
    y = 0.0
    for c in GILES_NEAR if w < 5.0 else GILES_FAR:
        y = c + z * y
    y *= a
    for _ in range(4):
        if a < 0.5:
            y -= (math.erf(y) - a) * math.exp(y * y) * HALF_SQRT_PI
        else:
            rest = math.erfc(y)
            y += math.log(rest / (1.0 - a)) * rest * math.exp(y * y) * HALF_SQRT_PI
    return math.copysign(y, x)


def lgamma(x):
    """ln |Gamma(x)|; inf at 0, -1, -2, ..."""
    if x > LGAMMA_MAX or x == -inf or (x <= 0.0 and x % 1.0 == 0.0):
        return inf
    return math.lgamma(x)


def digamma(x):
    """The derivative of ln Gamma(x); nan at -1, -2, ...

    By reflection to x > 0, the recurrence psi(x) = psi(x + 1) - 1/x up to 10, then the series
    ln x - 1/2x - 1/12x^2 + 1/120x^4 - ... (Abramowitz & Stegun 6.3.5, 6.3.7 and 6.3.18).
    """
    if x == 0.0:
        return math.copysign(inf, -x)
    if x == -inf:
        return nan
    y = 0.0
    if x < 0.0:
        turn = -(-x % 1.0)
        if turn == 0.0:
            return nan
        y = -pi / math.tan(pi * (turn + 1.0 if turn < -0.5 else turn))
        x = 1.0 - x
    while x < 10.0:
        y -= 1.0 / x
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132)))))
    return y + math.log(x) - 0.5 / x - series
