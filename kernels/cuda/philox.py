"""Random bits by counting, and the uniform, normal and exponential numbers made of them.

    for block in range(ceil(count / 4)):                a thread each, neighbours by neighbours
        words[4 block : 4 block + 4] = encrypt(counter + block, key)

kernels/python/philox.py tells the cipher. Nothing is read, and a block is 40 multiplications, so a
thread makes four words, turns them into numbers at once and stores four: memory sees n numbers
written and nothing else, where the composition of whole-array operations goes through it fifty
times.

The numbers are those of backends/defaults/sampling.py to the bit: float64 operations that IEEE
rounds exactly, in the order in which they stand there, and no product and sum in one (`contract`).
So here float64 is meant: a float32 normal is a float64 one, rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

from .spec import TYPES, Kernel, cuda, float32, float64, int64, uint64

BLOCK = 256
WORD, HALF = 0xFFFFFFFF, 32
FIRST, SECOND = 0xD2511F53, 0xCD9E8D57
EVEN_STEP, ODD_STEP = 0x9E3779B9, 0xBB67AE85
LN2, QUARTER = 0.6931471805599453, math.pi / 2
LOG_SERIES = tuple(1.0 / (2 * k + 1) for k in reversed(range(13)))  # highest powers first
SIN_SERIES = tuple((-1) ** k / math.factorial(2 * k + 1) for k in reversed(range(8)))
COS_SERIES = tuple((-1) ** k / math.factorial(2 * k) for k in reversed(range(8)))


def encrypted(key, low, high, number):
    """The four words of block `number`: of low and high half of the counter plus that."""
    word, half = uint64(WORD), uint64(HALF)
    first = uint64(low + uint64(number))
    second = uint64(high + uint64(1)) if first < low else high
    a, b = first & word, first >> half
    c, d = second & word, second >> half
    even, odd = key & word, key >> half
    for _ in range(10):
        p, q = uint64(uint64(FIRST) * a), uint64(uint64(SECOND) * c)
        a, c = (q >> half) ^ b ^ even, (p >> half) ^ d ^ odd
        b, d = q & word, p & word
        even = (even + uint64(EVEN_STEP)) & word
        odd = (odd + uint64(ODD_STEP)) & word
    return a, b, c, d


def polynomial(x, coefficients):
    """By Horner's rule, as backends/defaults/sampling.py adds."""
    y = x * coefficients[0]
    for c in coefficients[1:-1]:
        y = (y + c) * x
    return y + coefficients[-1]


def fraction(word):
    """In (0, 1), never 0."""
    return (float64(word) + 0.5) * 2.3283064365386963e-10


def logarithm(x):
    """ln x for 2^-33 <= x < 1: scaled into [1/2, 1), then 2 artanh((x - 1) / (x + 1))."""
    exponent = 0.0
    if x < 2.3283064365386963e-10:  # 2^-32
        x, exponent = x * 4294967296.0, exponent - 32.0
    if x < 1.52587890625e-05:
        x, exponent = x * 65536.0, exponent - 16.0
    if x < 0.00390625:
        x, exponent = x * 256.0, exponent - 8.0
    if x < 0.0625:
        x, exponent = x * 16.0, exponent - 4.0
    if x < 0.25:
        x, exponent = x * 4.0, exponent - 2.0
    if x < 0.5:
        x, exponent = x * 2.0, exponent - 1.0
    s = (x - 1.0) / (x + 1.0)
    return s * 2.0 * polynomial(s * s, LOG_SERIES) + exponent * LN2


def direction(word):
    """A uniform point on the circle: an angle in +-pi/4, then one of the four quarters."""
    turns = float64(word) * 9.313225746154785e-10  # 2^-30
    quarter = float64(int64(turns))
    angle = (turns - quarter - 0.5) * QUARTER
    square = angle * angle
    cos = polynomial(square, COS_SERIES)
    sin = polynomial(square, SIN_SERIES) * angle
    sign = -1.0 if quarter >= 2.0 else 1.0
    swap = (quarter - 2.0 if quarter >= 2.0 else quarter) > 0.5
    return (sin if swap else cos) * sign, (cos if swap else sin) * sign


def whole(word):
    """The word itself."""
    return int64(word)


def uniform_single(word):
    """24 bits of a word as a fraction."""
    return float32(int64(word >> uint64(8))) * float32(5.960464477539063e-08)  # exact


def uniform_double(high, low):
    """27 and 26 bits of two words as a fraction."""
    both = ((high >> uint64(5)) << uint64(26)) + (low >> uint64(6))
    return float64(both) * 1.1102230246251565e-16


def exponential_of(word):
    """-ln u."""
    return logarithm(fraction(word)) * -1.0


ONE_WORD = {"random_bits": whole, "uniform": uniform_single, "exponential": exponential_of}
PLACE = ("uint64", "uint64", "uint64", "int64")


@cache
def one_word(name: str, dtype: str) -> Kernel:
    """A number for each word. Arguments: out, key, counter low and high, count; 4 a thread."""
    make, T = ONE_WORD[name], TYPES[dtype]

    def kernel(out, key, low, high, count):
        t = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        i = 4 * t
        if i < count:
            a, b, c, d = encrypted(key, low, high, t)
            out[i] = T(make(a))
            if i + 1 < count:
                out[i + 1] = T(make(b))
            if i + 2 < count:
                out[i + 2] = T(make(c))
            if i + 3 < count:
                out[i + 3] = T(make(d))

    return _kernel(f"philox_{name}_{dtype}", kernel, dtype)


@cache
def two_words() -> Kernel:
    """uniform in float64: two numbers a thread. Arguments as `one_word`'s."""

    def kernel(out, key, low, high, count):
        t = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        i = 2 * t
        if i < count:
            a, b, c, d = encrypted(key, low, high, t)
            out[i] = uniform_double(a, b)
            if i + 1 < count:
                out[i + 1] = uniform_double(c, d)

    return _kernel("philox_uniform_float64", kernel, "float64")


@cache
def normal(dtype: str) -> Kernel:
    """Box & Muller: radii from the first half of the words, directions from the second.

    Arguments as `one_word`'s; a thread for each pair of numbers.
    """
    T = TYPES[dtype]

    def kernel(out, key, low, high, count):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        half = (count + 1) // 2
        if i < half:
            radius = math.sqrt(logarithm(fraction(word_at(key, low, high, i))) * -2.0)
            x, y = direction(word_at(key, low, high, half + i))
            out[i] = T(radius * x)
            if half + i < count:
                out[half + i] = T(radius * y)

    return _kernel(f"philox_normal_{dtype}", kernel, dtype)


def word_at(key, low, high, i):
    """Word i of the sequence."""
    a, b, c, d = encrypted(key, low, high, i // 4)
    part = i % 4
    first = a if part == 0 else b
    second = c if part == 2 else d
    return first if part < 2 else second


def _kernel(label: str, function: Any, dtype: str) -> Kernel:
    return Kernel(label, function, (dtype + "*", *PLACE), (BLOCK, 1, 1), contract=False)


def catalogue() -> Iterator[Kernel]:
    """Each distribution."""
    yield one_word("random_bits", "int64")
    yield one_word("uniform", "float32")
    yield two_words()
    yield normal("float32")
    yield one_word("exponential", "float32")
