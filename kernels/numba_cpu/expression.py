"""An interpreter for chains of elementwise functions: kernels/c/expression.c, on Numba's tasks.

    for each block of positions:                        (parallel)
        for each instruction:  task(to, a, b, count)    the machine code of a single function

A block goes through all instructions while it is in the first cache, so memory is swept once. Ten
functions of 1M numbers take 0.45 ms instead of 2.0.

A loop compiled for all ten takes 0.28 ms, and 0.2 s or more to compile for each new expression, so
functions are called, a few nanoseconds for each block. Where a plan has such a loop (generated.py),
it takes the place of a block's instructions.

The plan is laid out as kernels/c/expression_inner.h tells; backends/expression_plan.py writes it.
"""

from __future__ import annotations

import numpy as np

from .launch import BOTH, NUMBER_LEFT, NUMBER_RIGHT, address, call, put, take, take_turns, task
from .toolchain import device, kernel, wide

SIZE, N, AXES, BLOCK, _, INPUTS, STEPS, RESULTS, CONSTANTS, REGISTERS, ROOM, SLOTS, MADE = range(13)
HEADER = 18  # words, the last five of reductions, which are not done here
INPUT, INSTRUCTION, RESULT = 4, 7, 3  # words of each
SINGLE, IN_ROW, TILED = 1, 2, 3
DIRECT, SPREAD = 0, 3
ZEROS = 128  # for generated code, which must not know them


# the patterns of tasks ----------------------------------------------------------------------------
def copy_task(out, x, mode, b, c, first, last):
    wide()
    for i in range(first, last):
        put(out, i, take(x, i))


def fill_task(out, x, mode, b, c, first, last):
    wide()
    value = take(x, 0)
    for i in range(first, last):
        put(out, i, value)


def movers() -> np.ndarray:
    """The addresses of tasks that copy and that repeat numbers of 4, 8 bytes and 1."""
    kinds = ("float32", "float64", "bool")
    return np.array([task(f, k, k, k) for k in kinds for f in (copy_task, fill_task)], np.int64)


@device
def _move(movers, size, repeat, to, x, count):
    """Copy `count` numbers of `size` bytes, or repeat one."""
    kind = 0 if size == 4 else 2 if size == 8 else 4
    call(movers[kind + repeat], to, x, 0, 0, 0, 0, count)


# blocks -------------------------------------------------------------------------------------------
@device
def _offset(plan, strides, row):
    """Where a row of an input begins, in numbers; strides: their place in the plan."""
    offset = 0
    for axis in range(plan[AXES] - 1, -1, -1):
        size = plan[HEADER + axis]
        offset += row % size * plan[strides + axis]
        row //= size
    return offset


@device
def _spread(plan, movers, x, strides, source, tile, row, first, count):
    """Spread an input over `count` positions from column `first` of `row` on."""
    size, step, done = plan[x + 1], plan[x + 2], 0
    while done < count:
        m = min(plan[N] - first, count - done)
        start = source + (_offset(plan, strides, row) + step * first) * size
        _move(movers, size, 1 - step, tile + done * size, start, m)
        done += m
        row += 1
        first = 0


@device
def _inputs(plan, movers, sources, at, p, count):
    """Fill in where the inputs of a block stand."""
    row, first = p // plan[N], p % plan[N]
    x = HEADER + plan[AXES]
    strides = x + INPUT * plan[INPUTS]
    for k in range(plan[INPUTS]):
        way, size = plan[x], plan[x + 1]
        if way == TILED:
            at[k] = at[plan[x + 3]]
            _spread(plan, movers, x, strides, sources[k], at[k], row, first, count)
        elif way == IN_ROW:
            at[k] = sources[k] + (_offset(plan, strides, row) + plan[x + 2] * first) * size
        else:
            at[k] = sources[k] + (0 if way == SINGLE else p * size)
        x += INPUT
        strides += plan[AXES]


@device
def _instruction(plan, i, at, count, shape):
    """Call one function; `shape` is room for what `where_task` wants to know."""
    n = 1 if plan[i + 6] else count
    row, moving = plan[i], plan[i + 5]
    to, a, b = at[plan[i + 1]], at[plan[i + 2]], at[plan[i + 3]]
    if row > 0:
        mode = BOTH if moving == 3 else NUMBER_LEFT if moving == 2 else NUMBER_RIGHT
        call(row, to, a, b, mode, 0, 0, n)
    else:
        shape[1] = n
        for k in range(3):
            shape[2 + k] = moving >> k & 1
        call(-row, to, a, b, at[plan[i + 4]], address(shape), 0, 1)


@device
def _results(plan, movers, outs, at, p, count, after):
    """Before the instructions of a block, or after them: where results go."""
    code = HEADER + plan[AXES] + (INPUT + plan[AXES]) * plan[INPUTS]
    r = code + INSTRUCTION * plan[STEPS]
    for k in range(plan[RESULTS]):
        way, slot, size = plan[r], plan[r + 1], plan[r + 2]
        out = outs[k] + p * size
        if way == DIRECT and not after:
            at[slot] = out
        elif way != DIRECT and after:
            _move(movers, size, 1 if way == SPREAD else 0, out, at[slot], count)
        r += RESULT


@device
def _units(plan, movers, buffers, begin, end):
    """Blocks begin ... end - 1: of rows that are as long as one, else of all positions."""
    results, first_register = plan[RESULTS], plan[INPUTS] + plan[CONSTANTS]
    at, shape = np.empty(plan[SLOTS], np.int64), np.ones(5, np.int64)
    zeros = np.zeros(ZEROS, np.int64)
    registers = np.empty(plan[REGISTERS] * plan[ROOM] + 64, np.uint8)
    base = (address(registers) + 63) // 64 * 64
    for k in range(plan[REGISTERS]):
        at[first_register + k] = base + k * plan[ROOM]
    for k in range(plan[CONSTANTS]):
        at[plan[INPUTS] + k] = address(plan) + (len(plan) - plan[CONSTANTS] + k) * 8
    code = HEADER + plan[AXES] + (INPUT + plan[AXES]) * plan[INPUTS]
    line = plan[N] if plan[BLOCK] <= plan[N] else plan[SIZE]
    pieces = (line - 1) // plan[BLOCK] + 1
    for unit in range(begin, end):
        start = unit % pieces * plan[BLOCK]
        p, count = unit // pieces * line + start, min(plan[BLOCK], line - start)
        _inputs(plan, movers, buffers[results:], at, p, count)
        _results(plan, movers, buffers, at, p, count, False)
        if plan[MADE]:
            call(plan[MADE], address(at), address(zeros), 0, 0, 0, 0, count)
        for k in range(plan[STEPS]):
            _instruction(plan, code + INSTRUCTION * k, at, count, shape)
        _results(plan, movers, buffers, at, p, count, True)
    # What is only an address to the calls above must live until here.
    return at[0] + shape[0] + registers[0] + zeros[0]


@device
def _chunk(chunk, plan, movers, buffers, units, each):
    first = chunk * each
    _units(plan, movers, buffers, first, min(units, first + each))


@kernel
def run(plan, movers, buffers, units, each):
    """All blocks, `each` at once; buffers: the addresses of results, then of inputs."""
    chunks = (units + each - 1) // each
    take_turns(_chunk, chunks, chunks > 1, (plan, movers, buffers, units, each))
