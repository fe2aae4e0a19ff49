"""erf, erfc, erfinv, lgamma and digamma, which NumPy lacks: whole arrays at a time, in float64.

Each range of arguments has its own formula, so the elements are sorted by range first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, pi, sqrt
from typing import Any

import numpy as np

from ..kernels.scalar_special import GILES_FAR, GILES_NEAR

# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969):
# numerator and denominator, highest power first.
ERF_NEAR = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
ERFC_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594e0,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
ERFC_FAR = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242e0,
        1.87295284992346725e0,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)
NEAR, FAR = 0.46875, 4.0

EULER = 0.57721566490153286061
# zeta(k) - 1 for k = 2, 3, ... (Abramowitz & Stegun, table 23.3).
ZETA_LESS_1 = (
    0.6449340668482264,
    0.2020569031595943,
    0.08232323371113819,
    0.03692775514336993,
    0.01734306198444914,
    0.008349277381922827,
    0.00407735619794434,
    0.0020083928260822143,
    0.0009945751278180853,
    0.0004941886041194645,
    0.0002460865533080483,
    0.00012271334757848915,
    6.124813505870483e-05,
    3.058823630702049e-05,
    1.528225940865187e-05,
    7.637197637899763e-06,
    3.81729326499984e-06,
    1.908212716553939e-06,
    9.539620338727962e-07,
    4.769329867878064e-07,
    2.38450502727733e-07,
    1.1921992596531106e-07,
    5.960818905125948e-08,
    2.980350351465228e-08,
    1.4901554828365043e-08,
    7.45071178983543e-09,
    3.725334024788457e-09,
    1.862659723513049e-09,
)
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
PSI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
LARGE = 9  # from here on Stirling's series


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's rule, highest power first."""
    y = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y *= x
        y += c
    return y


def ratio(x: Any, top_and_bottom: tuple[Sequence[float], Sequence[float]]) -> Any:
    """A rational function."""
    return polynomial(x, top_and_bottom[0]) / polynomial(x, top_and_bottom[1])


def _gaussian(x: Any) -> Any:
    """e^(-x^2), with x^2 in two parts, as its rounding error would grow to a relative one."""
    head = np.trunc(x * 16.0) / 16.0
    return np.exp(-head * head) * np.exp((head - x) * (head + x))


def _near_and_tail(x: Any) -> tuple[Any, Any]:
    """Where |x| <= 0.46875, and an array of erf(x) there and erfc(|x|) elsewhere."""
    size = np.abs(x)
    near, far = size <= NEAR, size > FAR
    y = np.empty_like(size)
    z = x[near]
    y[near] = z * ratio(z * z, ERF_NEAR)
    middle = ~(near | far)
    z = size[middle]
    y[middle] = _gaussian(z) * ratio(z, ERFC_MIDDLE)
    z = np.minimum(size[far], 30.0)  # erfc(30) is 0
    w = 1.0 / (z * z)
    y[far] = _gaussian(z) * (1.0 / sqrt(pi) - w * ratio(w, ERFC_FAR)) / z
    return near, y


def _erf(x: Any) -> Any:
    near, y = _near_and_tail(x)
    return np.where(near, y, np.copysign(1.0 - y, x))


def _erfc(x: Any) -> Any:
    near, y = _near_and_tail(x)
    return np.where(near, 1.0 - y, np.where(x < 0.0, 2.0 - y, y))


def _erfinv(x: Any) -> Any:
    """Polynomials of single precision, then Newton's method; see kernels/scalar.py."""
    a = np.abs(x)
    inside = a < 1.0
    a = np.where(inside, a, 0.0)
    w = -np.log((1.0 - a) * (1.0 + a))
    near, low = w < 5.0, a < 0.5
    y = np.where(near, polynomial(w - 2.5, GILES_NEAR), polynomial(np.sqrt(w) - 3.0, GILES_FAR))
    y *= a
    for _ in range(4):
        rest = _erfc(y)
        miss = np.where(low, a - _erf(y), np.log(rest / (1.0 - a)) * rest)
        y += miss * np.exp(y * y) * (sqrt(pi) / 2.0)
    y = np.where(inside, y, np.where(np.abs(x) == 1.0, np.inf, np.nan))
    return np.copysign(y, x)


def _near_two(z: Any) -> Any:
    """ln Gamma(2 + z) = (1 - gamma) z + sum_k (-1)^k (zeta(k) - 1) z^k / k, for |z| <= 1/2.

    The logarithm's series is taken out of the usual one: it converges like 4^-k (A&S 6.1.33).
    """
    series = [(-1) ** k * c / k for k, c in enumerate(ZETA_LESS_1, 2)]
    return z * polynomial(z, [*reversed(series), 1.0 - EULER])


def _lgamma_small(x: Any) -> Any:
    """ln Gamma(x) for 0 < x < 9: from the interval around 2 by Gamma(x + 1) = x Gamma(x)."""
    whole = np.rint(x)
    z = x - whole
    product = np.ones_like(x)
    for j in range(2, LARGE):
        product *= np.where(j < whole, z + j, 1.0)
    below_two = np.where(whole < 2.0, np.log1p(z), 0.0)
    below_one = np.where(whole < 1.0, np.log(np.where(whole < 1.0, x, 1.0)), 0.0)
    return _near_two(z) + np.log(product) - below_two - below_one


def _lgamma_large(x: Any) -> Any:
    """Stirling's series (A&S 6.1.41)."""
    z = 1.0 / x
    tail = z * polynomial(z * z, STIRLING[::-1])
    return (x - 0.5) * (np.log(x) - 1.0) + (0.5 * log(2.0 * pi) - 0.5) + tail


def _lgamma(x: Any) -> Any:
    size = np.abs(x)
    y = size.copy()  # nan and inf stay
    small = (size < LARGE) & (size > 0.0)
    large = (size >= LARGE) & (size < 2.5e305)
    y[small] = _lgamma_small(size[small])
    y[large] = _lgamma_large(size[large])
    turned = (x < 0.0) & (x > -np.inf)
    z = x[turned]
    # Gamma(x) Gamma(-x) = -pi / (x sin(pi x)) (A&S 6.1.17)
    y[turned] = log(pi) - np.log(-z) - np.log(np.abs(_sin_pi(z))) - y[turned]
    y[((x <= 0.0) & (x == np.floor(x))) | (size >= 2.5e305)] = np.inf
    return y


def _sin_pi(x: Any) -> Any:
    """sin(pi x), exact in its zeros."""
    return np.sin(pi * (x - np.rint(x)))


def _digamma(x: Any) -> Any:
    """By reflection to x > 0, the recurrence up to 10, then the series; see kernels/scalar.py."""
    turned = (x < 0.0) & (x > -np.inf)
    turn = x - np.rint(x)
    y = np.where(turned, -pi / np.tan(pi * turn), 0.0)
    y[turned & (turn == 0.0)] = np.nan
    z = np.where(turned, 1.0 - x, x)
    for _ in range(10):
        small = z < 10.0
        y -= np.where(small, 1.0 / z, 0.0)
        z += small
    w = 1.0 / (z * z)
    return y + np.log(z) - 0.5 / z - w * polynomial(w, PSI[::-1])


def _in_float64(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of (x, out=None) that computes in float64 and rounds once."""

    def apply(x: Any, out: Any = None) -> Any:
        y = function(x.astype(np.float64).reshape(-1)).astype(x.dtype, copy=False)
        y = y.reshape(x.shape)
        if out is None:
            return y
        np.copyto(out, y)
        return out

    return apply


erf, erfc, erfinv = _in_float64(_erf), _in_float64(_erfc), _in_float64(_erfinv)
lgamma, digamma = _in_float64(_lgamma), _in_float64(_digamma)
