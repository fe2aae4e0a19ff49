"""The elementwise functions that mean something else on int32, int64 and bool than in scalar.py."""

from __future__ import annotations


def identity(x):
    """x: an integer is its own floor, ceil, trunc and round."""
    return x


def floor_divide(a, b):
    """floor(a / b) of integers; 0 where b is 0."""
    return a // b if b != 0 else 0


def remainder(a, b):
    """a - b floor(a / b) of integers, with the sign of b; 0 where b is 0."""
    return a % b if b != 0 else 0


def fmod(a, b):
    """a - b trunc(a / b) of integers, with the sign of a; 0 where b is 0."""
    if b == 0:
        return 0
    r = abs(a) % abs(b)
    return -r if a < 0 else r


def pow_(a, b):
    """a^b of integers; for b < 0 the fraction is dropped, 0^b is 0."""
    if b >= 0:
        return a**b
    if a == -1:
        return 1 - 2 * (b % 2)
    return 1 if a == 1 else 0


UNARY = {"floor": identity, "ceil": identity, "trunc": identity, "round": identity}
BINARY = {"floor_divide": floor_divide, "remainder": remainder, "fmod": fmod, "pow": pow_}
