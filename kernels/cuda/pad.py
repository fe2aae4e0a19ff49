"""A box of numbers in a larger one that is otherwise constant.

    for i in range(n):                              n numbers of y, a thread each
        y[i] = x[...] where i's coordinates lie in the box, else value

The ladder: filling y and then copying x into it writes the box twice, 4 n bytes more for n floats;
here each number of y is written once and each of x read once, the bound. Axes without padding are
merged by the caller, so an image batch padded in both directions is three axes whatever it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .divide import quotient_of
from .elementwise import compiled
from .indexed import kernel as indexed
from .spec import TYPES, Kernel, cuda

BLOCK = 256


@cache
def pad(dtype: str, rank: int, index: str = "int32") -> Kernel:
    """Arguments: n, y, x, value; for each axis size of y, of x, padding before; magic and shift of
    y's sizes but the first."""
    names = [f"{letter}{axis}" for axis in range(rank) for letter in ("h", "w", "b")]
    names += [f"{letter}{axis}" for axis in range(1, rank) for letter in ("m", "s")]
    lines = ["i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x", "if i < n:"]
    rest = "i"
    for axis in range(rank - 1, 0, -1):
        lines.append(f"    q{axis} = quotient({rest}, m{axis}, s{axis})")
        lines.append(f"    p{axis} = {rest} - q{axis} * h{axis} - b{axis}")
        rest = f"q{axis}"
    lines.append(f"    p0 = {rest} - b0")
    inside = " and ".join(f"p{axis} >= 0 and p{axis} < w{axis}" for axis in range(rank))
    place = "p0"
    for axis in range(1, rank):
        place = f"({place} * w{axis} + p{axis})"
    lines.append(f"    y[i] = x[{place}] if {inside} else T(value)")
    source = f"def kernel(n, y, x, value, {', '.join(names)}):\n"
    source += "".join(f"    {line}\n" for line in lines)
    own = {"cuda": cuda, "quotient": quotient_of(index), "T": TYPES[dtype]}
    function = compiled(f"pad{rank}_{index}_{dtype}", source, own)
    number = dtype if dtype in ("float32", "float64") else "int64"
    kinds = ("index", "*", "*", number, *["index"] * (3 * rank), *["divisor"] * (rank - 1))
    return indexed(f"pad{rank}", dtype, function, kinds, (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """One and three axes; one over indices of 64 bits."""
    yield pad("float32", 1)
    yield pad("float32", 2, "int64")
    yield pad("float32", 3)
