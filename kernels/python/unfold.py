"""Sliding windows laid out as columns (im2col), and columns added back into images (col2im).

    for each plane:                                     one channel of one sample
        for k in window:                                (one loop per spatial axis)
            for p in positions of the window:           (one loop per spatial axis)
                columns[plane, k, p] = x[plane, p * stride - before + k * dilation], or 0 outside

Where element k of window p lies does not depend on the plane, so `window_table` works it out once
and each plane is one walk through that table. -1 stands for the padding: each plane gets one more
element at its end, and -1 is Python's index of the last.
"""

from __future__ import annotations

from .store import stored


def axis_lines(n, kernel, stride, before, count, dilation):
    """For one axis and each k: where element k of each window lies, -1 outside 0 ... n-1."""
    for k in range(kernel):
        line = [p * stride - before + k * dilation for p in range(count)]
        yield [at if 0 <= at < n else -1 for at in line]


def window_table(size, kernel, stride, before, counts, dilation):
    """For each k, in row-major order: where element k of each window lies in the flat plane."""
    table = [[0]]
    for n, *axis in zip(size, kernel, stride, before, counts, dilation):
        table = [
            [-1 if a < 0 or b < 0 else a * n + b for a in line for b in axis_line]
            for line in table
            for axis_line in axis_lines(n, *axis)
        ]
    return table


def unfold(out, x, table, size):
    """Columns of each plane of `size` elements; `table` is the flattened `window_table`."""
    end = 0
    for start in range(0, len(x), size or 1):
        plane = x[start : start + size].tolist()
        plane.append(0)
        out[end : end + len(table)] = stored(out.typecode, [plane[i] for i in table])
        end += len(table)


def fold(out, columns, table, size):
    """out = 0, then each element of the columns added where `unfold` read it."""
    start = 0
    for end in range(0, len(out), size or 1):
        plane = [0] * (size + 1)
        for i, v in zip(table, columns[start : start + len(table)]):
            plane[i] += v
        plane.pop()
        out[end : end + size] = stored(out.typecode, plane)
        start += len(table)
