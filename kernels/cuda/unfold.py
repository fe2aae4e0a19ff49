"""Sliding windows laid out as columns (im2col), and columns added back into images (col2im).

    for each plane:                                     a channel of a sample
        for k in window:                                (one loop per spatial axis)
            for p in positions of the window:           (one loop per spatial axis)
                columns[plane, k, p] = x[plane, p * stride - before + k * dilation], or 0 outside

`unfold`: a thread for each number of the columns. Neighbouring threads are neighbouring positions,
so writes are whole lines; reads of stride 1 are too, and what windows share comes from the cache.

`fold` is not a thread for each number of the columns: several fall on one pixel, and atomic
additions would come in another order in each run. A thread takes a pixel and looks for the windows
that hold it: element k of window p lies there if p * stride = i + before - k * dilation, so k loops
over the window and p is a division. Terms are added in the order of k, always.

The number of spatial axes is any; the source is written out for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .divide import quotient_of
from .elementwise import compiled
from .folding import operation
from .indexed import kernel as indexed
from .spec import TYPES, Kernel, cuda

BLOCK = 256
# For each axis: size, kernel, stride, padding before, dilation, count; magic and shift of kernel,
# stride and count.
AXIS = ("size", "kernel", "stride", "before", "dilation", "count")
MAGIC = ("kernel", "stride", "count")


def arguments(axes: int) -> tuple[list[str], list[str]]:
    """Names and types of what describes the axes, in order."""
    names, kinds = [], []
    for axis in range(axes):
        names += [f"{name}{axis}" for name in AXIS]
        kinds += ["index"] * len(AXIS)
        for name in MAGIC:
            names += [f"{name}{axis}m", f"{name}{axis}s"]
            kinds.append("divisor")
    return names, kinds


def split(rest: str, name: str, letter: str, axes: int) -> list[str]:
    """Lines that take `rest` apart into <letter>0, <letter>1, ... below sizes <name>0, ...

    What is left over is <letter>_rest.
    """
    lines = []
    for axis in range(axes - 1, -1, -1):
        whole = f"{letter}_{axis}"
        lines.append(f"{whole} = quotient({rest}, {name}{axis}m, {name}{axis}s)")
        lines.append(f"{letter}{axis} = {rest} - {whole} * {name}{axis}")
        rest = whole
    return [*lines, f"{letter}_rest = {rest}"]


@cache
def unfold(dtype: str, axes: int, index: str = "int32") -> Kernel:
    """Arguments: columns, x, n (numbers of columns), then `arguments`."""
    names, kinds = arguments(axes)
    lines = split("i", "count", "p", axes) + split("p_rest", "kernel", "k", axes)
    lines += ["inside, at = True, k_rest"]
    for axis in range(axes):
        place = f"p{axis} * stride{axis} - before{axis} + k{axis} * dilation{axis}"
        lines.append(f"a{axis} = {place}")
        lines.append(f"inside = inside and a{axis} >= 0 and a{axis} < size{axis}")
        lines.append(f"at = at * size{axis} + a{axis}")
    source = f"def kernel(columns, x, n, {', '.join(names)}):\n"
    source += "    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x\n    if i < n:\n"
    source += "".join(f"        {line}\n" for line in lines)
    source += "        columns[i] = x[at] if inside else T(0)\n"
    label, own = f"unfold{axes}", {"cuda": cuda, "quotient": quotient_of(index)}
    function = compiled(f"{label}_{index}_{dtype}", source, {**own, "T": TYPES[dtype]})
    return indexed(label, dtype, function, ("*", "*", "index", *kinds), (BLOCK, 1, 1), index)


@cache
def fold(dtype: str, axes: int, index: str = "int32") -> Kernel:
    """Arguments: x, columns, n (numbers of x), then `arguments`, with sizes' magic for counts'."""
    names, kinds = arguments(axes)
    combine, _, kind, first = operation("sum", dtype)
    names = [name.replace("count", "size") if name[-1] in "ms" else name for name in names]
    source = f"def kernel(x, columns, n, {', '.join(names)}):\n"
    source += "    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x\n    if i < n:\n"
    source += "".join(f"        {line}\n" for line in split("i", "size", "a", axes))
    source += "        y = A(0)\n"
    pad = "        "
    for axis in range(axes):
        source += f"{pad}for k{axis} in range(kernel{axis}):\n"
        pad += "    "
        source += f"{pad}d{axis} = a{axis} + before{axis} - k{axis} * dilation{axis}\n"
        source += f"{pad}if d{axis} >= 0:\n"
        pad += "    "
        source += f"{pad}p{axis} = quotient(d{axis}, stride{axis}m, stride{axis}s)\n"
        source += f"{pad}if p{axis} * stride{axis} == d{axis} and p{axis} < count{axis}:\n"
        pad += "    "
    row, line = "a_rest", "0"
    for axis in range(axes):
        row, line = f"({row} * kernel{axis} + k{axis})", f"({line} * count{axis} + p{axis})"
    many = " * ".join(f"count{axis}" for axis in range(axes))
    source += f"{pad}y = combine(y, first(columns[{row} * {many} + {line}]))\n"
    source += "        x[i] = y\n"
    label, own = f"fold{axes}", {"cuda": cuda, "quotient": quotient_of(index)}
    own |= {"A": TYPES[kind.name], "combine": combine, "first": first}
    function = compiled(f"{label}_{index}_{dtype}", source, own)
    return indexed(label, dtype, function, ("*", "*", "index", *kinds), (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """One to three axes; two over indices of 64 bits."""
    yield unfold("float32", 2)
    yield unfold("float32", 3)
    yield unfold("float32", 2, "int64")
    yield fold("float32", 2)
    yield fold("float32", 2, "int64")
    yield fold("float64", 1)
