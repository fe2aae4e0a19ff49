"""Random bits by counting, and the uniform, normal and exponential numbers made of them.

    for block in range(ceil(count / 4)):                each on its own: the threads' share
        words[4 block : 4 block + 4] = encrypt(counter + block, key)

kernels/python/philox.py tells the cipher. A block needs 20 multiplications and nothing from memory,
so numbers are made of the words at once: on one thread a uniform one takes 4 ns and a normal one 7,
where the composition of whole-array operations goes through memory fifty times.

The numbers are those of backends/defaults/sampling.py to the bit. So every step is one that IEEE
rounds exactly, in the order in which it stands there, and no product and sum may become one
(`EXACT`).
"""
# ruff: noqa: F821 - EACH is filled in when a pattern is compiled

from __future__ import annotations

import math

import numpy as np
from numba import types

from .launch import put, task
from .toolchain import device
from .vmath import exact_polynomial

EXACT: set[str] = set()
PIECE = 1 << 12  # numbers of one piece of parallel work
WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LN2 = 0.6931471805599453
LOG_SERIES = tuple(1.0 / (2 * k + 1) for k in reversed(range(13)))  # highest powers first
SIN_SERIES = tuple((-1) ** k / math.factorial(2 * k + 1) for k in reversed(range(8)))
COS_SERIES = tuple((-1) ** k / math.factorial(2 * k) for k in reversed(range(8)))


@device(fastmath=EXACT)
def _block(place, number):
    """Four words of block `number`; place is key, low and high half of the counter, as uint64."""
    key, low, high = place
    first = low + types.uint64(number)
    second = high + types.uint64(1 if first < low else 0)
    a, b, c, d = first & WORD, first >> HALF, second & WORD, second >> HALF
    even, odd = key & WORD, key >> HALF
    for _ in range(10):
        p, q = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (q >> HALF) ^ b ^ even, q & WORD, (p >> HALF) ^ d ^ odd, p & WORD
        even, odd = (even + KEY_STEPS[0]) & WORD, (odd + KEY_STEPS[1]) & WORD
    return a, b, c, d


@device(fastmath=EXACT)
def _words(out, place, begin, end):
    """out[i] = word begin + i."""
    for block in range(begin // 4, (end + 3) // 4):
        words = _block(place, block)
        for i in range(max(begin, 4 * block), min(end, 4 * block + 4)):
            out[i - begin] = words[i - 4 * block]


@device(fastmath=EXACT)
def _place(key, low, high):
    return types.uint64(key), types.uint64(low), types.uint64(high)


def bits_task(out, key, low, high, count, first, last):
    """out[i] = word i, for pieces of PIECE words."""
    words = np.empty(PIECE, np.int64)
    for begin in range(first * PIECE, min(count, last * PIECE), PIECE):
        many = min(PIECE, count - begin)
        _words(words, _place(key, low, high), begin, begin + many)
        for i in range(many):
            put(out, begin + i, words[i])


def uniform_task(out, key, low, high, count, first, last):
    """24 bits of one word in float32, 27 and 26 bits of two words in float64, as fractions."""
    words = np.empty(EACH * PIECE, np.int64)
    for begin in range(first * PIECE, min(count, last * PIECE), PIECE):
        many = min(PIECE, count - begin)
        _words(words, _place(key, low, high), EACH * begin, EACH * (begin + many))
        for i in range(many):
            if EACH == 1:
                put(out, begin + i, (words[i] >> 8) * 2.0**-24)
            else:
                both = (words[2 * i] >> 5) * (1 << 26) + (words[2 * i + 1] >> 6)
                put(out, begin + i, both * 2.0**-53)


# sampling.py's steps, on one number -------------------------------------------------------------
@device(fastmath=EXACT)
def _fraction(word):
    """In (0, 1), never 0."""
    return (float(word) + 0.5) * 2.0**-32


@device(fastmath=EXACT)
def _scaled(x, exponent, limit, factor, k):
    """x 2^k and exponent - k where x < 2^-k."""
    small = x < limit
    return x * factor if small else x, exponent - k if small else exponent


@device(fastmath=EXACT)
def _log(x):
    """ln x for 2^-33 <= x < 1."""
    x, exponent = _scaled(x, 0.0, 2.0**-32, 2.0**32, 32.0)
    x, exponent = _scaled(x, exponent, 2.0**-16, 2.0**16, 16.0)
    x, exponent = _scaled(x, exponent, 2.0**-8, 2.0**8, 8.0)
    x, exponent = _scaled(x, exponent, 2.0**-4, 2.0**4, 4.0)
    x, exponent = _scaled(x, exponent, 2.0**-2, 2.0**2, 2.0)
    x, exponent = _scaled(x, exponent, 2.0**-1, 2.0**1, 1.0)
    s = (x - 1.0) / (x + 1.0)
    return s * 2.0 * exact_polynomial(s * s, LOG_SERIES) + exponent * LN2


@device(fastmath=EXACT)
def _direction(word):
    """A point on the circle."""
    turns = float(word) * 2.0**-30
    quarter = np.floor(turns)
    angle = (turns - quarter - 0.5) * (math.pi / 2)
    square = angle * angle
    cos = exact_polynomial(square, COS_SERIES)
    sin = exact_polynomial(square, SIN_SERIES) * angle
    sign = -1.0 if quarter >= 2.0 else 1.0
    swap = (quarter - 2.0 if quarter >= 2.0 else quarter) > 0.5
    return (sin if swap else cos) * sign, (cos if swap else sin) * sign


def normal_task(out, key, low, high, count, first, last):
    """Box & Muller: radii from the first half of the words, directions from the second."""
    half = (count + 1) // 2
    radii, directions = np.empty(PIECE, np.int64), np.empty(PIECE, np.int64)
    for begin in range(first * PIECE, min(half, last * PIECE), PIECE):
        many = min(PIECE, half - begin)
        _words(radii, _place(key, low, high), begin, begin + many)
        _words(directions, _place(key, low, high), half + begin, half + begin + many)
        for i in range(many):
            radius = math.sqrt(_log(_fraction(radii[i])) * -2.0)
            x, y = _direction(directions[i])
            put(out, begin + i, radius * x)
            if half + begin + i < count:
                put(out, half + begin + i, radius * y)


def exponential_task(out, key, low, high, count, first, last):
    """-ln u."""
    words = np.empty(PIECE, np.int64)
    for begin in range(first * PIECE, min(count, last * PIECE), PIECE):
        many = min(PIECE, count - begin)
        _words(words, _place(key, low, high), begin, begin + many)
        for i in range(many):
            put(out, begin + i, _log(_fraction(words[i])) * -1.0)


PATTERNS = {
    "random_bits": bits_task,
    "uniform": uniform_task,
    "normal": normal_task,
    "exponential": exponential_task,
}


def draw(name: str, dtype: str) -> int:
    """Compile or load a distribution's task for a dtype."""
    each = 2 if dtype == "float64" else 1
    return task(PATTERNS[name], dtype, dtype, fastmath=EXACT, EACH=each)
