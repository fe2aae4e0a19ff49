"""Copies between two ways of walking through memory.

    for i in range(shape[0]):
        for j in range(shape[1]):
            ...
                dst[dst_offset + i*dst_strides[0] + j*dst_strides[1] + ...] = \\
                src[src_offset + i*src_strides[0] + j*src_strides[1] + ...]

A stride may be negative (flip) or, in the source, zero (expand). The number of loops is known only
at run time, so `offsets` lists where each innermost run begins; a slice then copies the run. The
longest axis goes innermost, for a slice costs the same whether it moves two elements or twenty.
"""

from __future__ import annotations


def offsets(shape, strides, start):
    """Where the elements of a strided array lie, in row-major order."""
    places = [start]
    for n, stride in zip(shape, strides):
        places = [at + i * stride for at in places for i in range(n)]
    return places


def merged(shape, a_strides, b_strides):
    """The same walk in as few axes as possible: ones dropped, an axis joined to the next where both
    arrays step from the end of one row of the next straight into the following row."""
    axes = [(1, 0, 0)]
    for n, a, b in zip(shape, a_strides, b_strides):
        n0, a0, b0 = axes[-1]
        if n0 == 1:
            axes[-1] = (n, a, b)
        elif n != 1 and a0 == n * a and b0 == n * b:
            axes[-1] = (n0 * n, a, b)
        elif n != 1:
            axes.append((n, a, b))
    return axes


def run(start, stride, n):
    """The slice of n elements from `start` on."""
    stop = start + n * stride
    return slice(start, stop if stop >= 0 else None, stride)


def copy(dst, src, shape, dst_strides, src_strides, dst_offset, src_offset):
    """The loop nest above."""
    if 0 in shape:
        return
    axes = sorted(merged(shape, dst_strides, src_strides))
    n, to, of = axes.pop()
    sizes = [axis[0] for axis in axes]
    ends = offsets(sizes, [axis[1] for axis in axes], dst_offset)
    starts = offsets(sizes, [axis[2] for axis in axes], src_offset)
    for end, start in zip(ends, starts):
        values = src[run(start, of, n)] if of else src[start : start + 1] * n
        dst[run(end, to or 1, n)] = values
