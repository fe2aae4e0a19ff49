"""The stable order that sorts each line, and the places of a line's extremes.

    tile:  for each i in a tile of 256:  order[how many go before i] = i
    merge: for each i of a run:          out[its place + how many of the other run go before it] = i

A thread finds the place of its own element and writes it there; nothing is exchanged, so there are
no atomics, and the order of equal elements is that of their places. In a tile the element is
compared with all others, which lie in shared memory: 256 comparisons, of which a warp's 32 read
the same word. In a merge a binary search through the other run finds how many go before it. So n
elements take log2(n / 256) launches of n log2(n) reads, nearly all of which the second cache
answers.

Nan counts as the largest. `arg_lines` and `arg_block` find the first extreme, nan being one, by a
thread or a block for each line; pairs of value and place are folded as sums are (folding.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .folding import ALL, LANES
from .spec import TYPES, Kernel, cuda, int64

TILE, BLOCK = 256, 256


def goes_before(a, b):
    """Whether a sorts before b: nan is the largest."""
    return a < b or (a == a and b != b)


def goes_after(a, b):
    """The same in descending order."""
    return b < a or (b == b and a != a)


@cache
def tile(dtype: str, descending: bool) -> Kernel:
    """The order of each tile of TILE elements of the lines of x (outer, length, inner).

    Arguments: out, x, length, inner, tiles (of a line), begin. A block of TILE threads for each
    tile, from number `begin` on; with fewer threads tiles are as small.
    """
    T, before = TYPES[dtype], goes_after if descending else goes_before

    def kernel(out, x, length, inner, tiles, begin):
        values = cuda.shared.array(TILE, T)
        number, t = begin + cuda.blockIdx.x, cuda.threadIdx.x
        line = number // tiles
        start = (number - line * tiles) * cuda.blockDim.x
        n = min(cuda.blockDim.x, length - start)
        base = line // inner * length * inner + line % inner
        if t < n:
            values[t] = x[base + (start + t) * inner]
        cuda.syncthreads()
        if t < n:
            own, place = values[t], 0
            for i in range(n):
                other = values[i]
                if before(other, own) or (i < t and not before(own, other)):
                    place += 1
            out[base + (start + place) * inner] = start + t

    label = f"sort_tile_{'down' if descending else 'up'}_{dtype}"
    return Kernel(label, kernel, ("int64*", dtype + "*", *["int64"] * 4), (TILE, 1, 1))


@cache
def merge(dtype: str, descending: bool) -> Kernel:
    """Runs of `run` sorted elements merged two by two. Arguments: out, order, x, n, length, inner,
    run; a thread for each of the n elements.
    """
    before = goes_after if descending else goes_before

    def kernel(out, order, x, n, length, inner, run):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            j, rest = i % inner, i // inner
            line, at = rest // length, rest % length
            base = line * length * inner + j
            index = order[base + at * inner]
            own = x[base + index * inner]
            number = at // run
            odd = number % 2
            first = (number - odd) * run
            low = first if odd else min(length, first + run)
            high = first + run if odd else min(length, first + 2 * run)
            begin = low
            while low < high:
                middle = (low + high) // 2
                other = x[base + order[base + middle * inner] * inner]
                ahead = not before(own, other) if odd else before(other, own)
                if ahead:
                    low = middle + 1
                else:
                    high = middle
            place = at - number * run + low - begin + first
            out[base + place * inner] = index

    label = f"sort_merge_{'down' if descending else 'up'}_{dtype}"
    signature = ("int64*", "int64*", dtype + "*", *["int64"] * 4)
    return Kernel(label, kernel, signature, (BLOCK, 1, 1))


def larger_first(v, i, w, j):
    """Whether (w, j) is before (v, i) for argmax."""
    if w == v or (w != w and v != v):
        return j < i
    return w > v or w != w


def smaller_first(v, i, w, j):
    """Whether (w, j) is before (v, i) for argmin."""
    if w == v or (w != w and v != v):
        return j < i
    return w < v or w != w


def _wins(name: str) -> Any:
    return larger_first if name == "argmax" else smaller_first


@cache
def arg_lines(name: str, dtype: str) -> Kernel:
    """out[line] = where its extreme stands first: a thread for each line.

    Arguments: out, x, lines, length, inner.
    """
    wins = _wins(name)

    def kernel(out, x, lines, length, inner):
        line = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if line < lines:
            base = line // inner * length * inner + line % inner
            best, at = x[base], int64(0)
            for i in range(1, length):
                v = x[base + i * inner]
                if wins(best, at, v, i):
                    best, at = v, int64(i)
            out[line] = at

    signature = ("int64*", dtype + "*", "int64", "int64", "int64")
    return Kernel(f"{name}_lines_{dtype}", kernel, signature, (BLOCK, 1, 1))


@cache
def arg_block(name: str, dtype: str) -> Kernel:
    """The same, a block for each line. Arguments: out, x, length, inner."""
    wins, T = _wins(name), TYPES["int32" if dtype == "bool" else dtype]

    def kernel(out, x, length, inner):
        values, places = cuda.shared.array(LANES, T), cuda.shared.array(LANES, int64)
        line, t = cuda.blockIdx.x, cuda.threadIdx.x
        base = line // inner * length * inner + line % inner
        at = int64(min(t, length - 1))  # a number seen twice changes nothing
        best = T(x[base + at * inner])
        i = t + cuda.blockDim.x
        while i < length:
            v = T(x[base + i * inner])
            if wins(best, at, v, i):
                best, at = v, int64(i)
            i += cuda.blockDim.x
        lane, warp = t % LANES, t // LANES
        for turn in range(2):
            delta = LANES // 2
            while delta > 0:
                v, j = cuda.shfl_down_sync(ALL, best, delta), cuda.shfl_down_sync(ALL, at, delta)
                if wins(best, at, v, j):
                    best, at = v, j
                delta = delta // 2
            if turn == 0:
                if lane == 0:
                    values[warp], places[warp] = best, at
                cuda.syncthreads()
                known = lane if lane * LANES < cuda.blockDim.x else 0
                best, at = values[known], places[known]
        if t == 0:
            out[line] = at

    signature = ("int64*", dtype + "*", "int64", "int64")
    return Kernel(f"{name}_block_{dtype}", kernel, signature, (BLOCK, 1, 1))


def catalogue() -> Iterator[Kernel]:
    """Both parts of the sort, both ways to an extreme."""
    yield tile("float32", False)
    yield merge("float32", False)
    yield merge("int64", True)
    yield arg_lines("argmax", "float32")
    yield arg_block("argmax", "float32")
    yield arg_block("argmin", "int64")
