"""a where a condition holds, else b, with broadcasting.

    for each run of the result:                         a piece of its last axis
        for t in range(n):
            out[t] = a[t] if condition[t] else b[t]

Both values are fetched before one is chosen: a choice between two numbers is one instruction for a
whole vector, a choice between two loads is a jump for each element. Steps along the run are 1, or 0
for what is broadcast; LLVM cannot know, so the frequent cases have loops of their own.
"""

from __future__ import annotations

from .launch import put, take, task
from .toolchain import device, wide

PIECE = 1 << 14  # elements of a run that are one number of the task's range


@device
def _run(out, c, a, b, o, i, j, k, n, c_step, a_step, b_step):
    """n elements from the places o, i, j, k on."""
    if c_step == 1 and a_step == 1 and b_step == 1:
        for t in range(n):
            x, y = take(a, j + t), take(b, k + t)
            put(out, o + t, x if take(c, i + t) else y)
    elif c_step == 1 and a_step == 1:
        y = take(b, k)
        for t in range(n):
            x = take(a, j + t)
            put(out, o + t, x if take(c, i + t) else y)
    else:
        for t in range(n):
            x, y = take(a, j + t * a_step), take(b, k + t * b_step)
            put(out, o + t, x if take(c, i + t * c_step) else y)


def where_task(out, c, a, b, plan, first, last):
    """plan: the number of axes, their sizes, and the strides of c, of a and of b in elements."""
    wide()
    axes = take(plan, 0)
    size = take(plan, axes)
    pieces = (size + PIECE - 1) // PIECE
    for piece in range(first, last):
        row, begin = piece // pieces, (piece % pieces) * PIECE
        steps = take(plan, 2 * axes), take(plan, 3 * axes), take(plan, 4 * axes)
        i, j, k = begin * steps[0], begin * steps[1], begin * steps[2]
        rest = row
        for axis in range(axes - 1, 0, -1):
            index = rest % take(plan, axis)
            rest //= take(plan, axis)
            i += index * take(plan, axes + axis)
            j += index * take(plan, 2 * axes + axis)
            k += index * take(plan, 3 * axes + axis)
        n = min(PIECE, size - begin)
        _run(out, c, a, b, row * size + begin, i, j, k, n, steps[0], steps[1], steps[2])


def where(dtype: str) -> int:
    """Compile or load `where_task` for out, a and b of a dtype."""
    return task(where_task, dtype, dtype, "bool", dtype, dtype, "int64")
