"""Copies between two ways of walking through memory: permute, expand, slice, flip, diagonal; fills.

    for i in range(shape[0]):
        for j in range(shape[1]):
            ...
                dst[to + i*dst_strides[0] + j*dst_strides[1] + ...] = \\
                src[of + i*src_strides[0] + j*src_strides[1] + ...]

The caller merges axes and puts that which is contiguous in dst last, so what follows is about what
the last axis is in src. The ladder, in requests of a warp for 32 numbers (128 bytes of float32):

    `walk`      one thread a number: coordinates by multiplication (divide.py). Contiguous in both:
                1 request to read, 1 to write, and that is the bound. A transpose reads 32 lines of
                memory for 32 numbers: 8 times the bytes.
    `wide`      contiguous in both by fours: a quarter of the instructions.
    `tiles`     contiguous in src along another axis: a block reads a tile of 32 x 32 along src's
                axis into shared memory and writes it along dst's: 1 request each. Rows of the tile
                are 33 long: with 32 the column that is written would lie in one of the 32 banks and
                be read number by number; with 33 its numbers lie in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .divide import MAGIC, quotient_of
from .elementwise import compiled
from .four import load4, store4
from .indexed import named
from .spec import TYPES, Kernel, cuda

BLOCK, EACH = 256, 4
TILE, ROWS = 32, 8
NAMES: dict[str, Any] = {"cuda": cuda, "load4": load4, "store4": store4}


@cache
def fill(dtype: str) -> Kernel:
    """y[0 ... n-1] = value, four by a thread; y starts at a multiple of 16 bytes."""
    T = TYPES[dtype]

    def kernel(n, y, value):
        v = T(value)
        i = EACH * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        if i + EACH <= n:
            store4(y, i, v, v, v, v)
        else:
            for k in range(EACH - 1):
                if i + k < n:
                    y[i + k] = v

    number = dtype if dtype in ("float32", "float64") else "int64"
    return Kernel(f"fill_{dtype}", kernel, ("int64", dtype + "*", number), (BLOCK, 1, 1))


def axes_arguments(rank: int, index: str) -> tuple[list[str], list[str]]:
    """Names and types: magic, shift and size of axes 1, 2, ...; strides of dst, then of src."""
    names = [f"{letter}{axis}" for axis in range(1, rank) for letter in "msd"]
    kinds = [*MAGIC[index], index] * (rank - 1)
    names += [f"{letter}{axis}" for letter in "ab" for axis in range(rank)]
    return names, kinds + [index] * (2 * rank)


def place(depth: int, rest: str, rank: int, u: str = "") -> list[str]:
    """Lines that add to i<u> and j<u>, in dst and src, what index `rest` over the axes makes."""
    lines, pad = [], "    " * depth
    for axis in range(rank - 1, -1, -1):
        at = rest
        if axis:
            lines.append(f"{pad}q{axis}{u} = quotient({rest}, m{axis}, s{axis})")
            at, rest = f"({rest} - q{axis}{u} * d{axis})", f"q{axis}{u}"
        lines.append(f"{pad}p{axis}{u} = {at}")
        lines.append(f"{pad}i{u}, j{u} = i{u} + p{axis}{u} * a{axis}, j{u} + p{axis}{u} * b{axis}")
    return lines


@cache
def walk(dtype: str, rank: int, wide: bool = False, index: str = "int32") -> Kernel:
    """Arguments: n, dst, src, to, of and `axes_arguments`; EACH numbers a thread.

    wide: the last axis has stride 1 in both; its size, all other strides, to and of are multiples
    of four.
    """
    names, kinds = axes_arguments(rank, index)
    if wide:
        lines = [
            f"    t = {EACH} * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)",
            "    if t < n:",
            "        i, j = to, of",
            *place(2, "t", rank),
            "        v0, v1, v2, v3 = load4(src, j)",
            "        store4(dst, i, v0, v1, v2, v3)",
        ]
    else:  # all places and loads before the first store, which might be to where a load is from
        step = "cuda.blockDim.x"
        lines = [f"    t = {EACH} * cuda.blockIdx.x * {step} + cuda.threadIdx.x"]
        lines.append(f"    if t + {EACH - 1} * {step} < n:")
        for u in map(str, range(EACH)):
            lines.append(f"        t{u}, i{u}, j{u} = t + {u} * {step}, to, of")
            lines += place(2, f"t{u}", rank, u)
            lines.append(f"        v{u} = src[j{u}]")
        lines += [f"        dst[i{u}] = v{u}" for u in range(EACH)]
        rest = ["        if t < n:", "            i, j = to, of", *place(3, "t", rank)]
        rest += ["            dst[i] = src[j]", f"        t += {step}"]
        lines += ["    else:", *rest * (EACH - 1)]
    head = f"def kernel({', '.join(['n', 'dst', 'src', 'to', 'of', *names])}):"
    label = named(f"copy_{'wide' if wide else 'walk'}{rank}", dtype, index)
    own = {**NAMES, "quotient": quotient_of(index)}
    function = compiled(label, "\n".join([head, *lines]) + "\n", own)
    start = index, dtype + "*", dtype + "*", "int64", "int64"
    return Kernel(label, function, (*start, *kinds), (BLOCK, 1, 1))


@cache
def tiles(dtype: str, rank: int, index: str = "int32") -> Kernel:
    """Blocks of TILE x ROWS threads; a block for each tile of each of the other axes' places.

    Arguments: dst, src, to, of; height, width; magic and shift of the tiles across and down;
    dst's stride along the height (src's is 1), src's along the width (dst's is 1);
    `axes_arguments` of the other axes, `rank` of them.
    """
    names, kinds = axes_arguments(rank, index) if rank else ([], [])
    arguments = ["dst", "src", "to", "of", "height", "width"]
    arguments += ["across", "am", "ash", "down", "dm", "dsh", "step", "stride", *names]
    lines = [
        f"    tile = cuda.shared.array({TILE * (TILE + 1)}, T)",
        "    c, r = cuda.threadIdx.x, cuda.threadIdx.y",
        "    t = cuda.blockIdx.x",
        "    q = quotient(t, am, ash)",
        f"    left = {TILE} * (t - q * across)",
        "    t = quotient(q, dm, dsh)",
        f"    top = {TILE} * (q - t * down)",
        "    i, j = to + top * step + left + c, of + left * stride + top + c",
        *place(1, "t", rank),
        "    inside = top + c < height",
    ]
    rows = range(0, TILE, ROWS)  # written out: all loads are under way before the first is stored
    for k in rows:
        read = f"src[j + (r + {k}) * stride] if inside and left + r + {k} < width else T(0)"
        lines.append(f"    v{k} = {read}")
    lines += [f"    tile[(r + {k}) * {TILE + 1} + c] = v{k}" for k in rows]
    lines += ["    cuda.syncthreads()", "    inside = left + c < width"]
    for k in rows:
        lines.append(f"    if inside and top + r + {k} < height:")
        lines.append(f"        dst[i + (r + {k}) * step] = tile[c * {TILE + 1} + r + {k}]")
    label = named(f"copy_tiles{rank}", dtype, index)
    head = f"def kernel({', '.join(arguments)}):"
    own = {**NAMES, "T": TYPES[dtype], "quotient": quotient_of(index)}
    function = compiled(label, "\n".join([head, *lines]) + "\n", own)
    start = [dtype + "*", dtype + "*", "int64", "int64", index, index]
    start += [*(index, *MAGIC[index]) * 2, "int64", "int64"]
    return Kernel(label, function, (*start, *kinds), (TILE, ROWS, 1))


def catalogue() -> Iterator[Kernel]:
    """A fill, walks of 1 to 4 axes, by fours, and tiles; two over indices of 64 bits."""
    yield fill("float32")
    yield fill("bool")
    for rank in (1, 2, 4):
        yield walk("float32", rank)
    yield walk("float64", 3)
    yield walk("float32", 2, wide=True)
    yield walk("float32", 3, index="int64")
    yield tiles("float32", 0)
    yield tiles("float32", 1, "int64")
    yield tiles("float32", 2)
    yield tiles("float64", 1)
