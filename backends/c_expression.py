"""Plans of expressions for kernels/c/expression.c: where each operand stands, and how it is cut.

An input that has all axes is read where it lies, a single number too. Other inputs repeat. Where
rows are long, blocks are parts of rows, in which such an input is a part of a row or one number;
where rows are short, blocks are many rows, and it is spread into a register (TILED).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

from .axes import merged_axes
from .c_elementwise import BINARY, TYPES, UNARY
from .c_library import ffi, lib
from .c_memory import ITEMSIZE
from .c_reduce import OF_BOOLS, OP, plan_reduce
from .expression import Constant, Expression, Operand, Step
from .tier1 import Number, Shape

WHOLE, SINGLE, IN_ROW, TILED = range(4)  # kernels/c/expression_inner.h
DIRECT, COPIED, AROUND, SPREAD, FOLDED = range(5)
LONG_ROW = 256  # numbers from which blocks stay within rows
MOST, LEAST = 2048, 64  # numbers in a block
FIRST_CACHE = 24 << 10  # bytes of it for all that a block touches
REGISTERS = 64  # the most at once: they are on the stack
AROUND_FROM = 8 << 20  # bytes of a result that would push everything out of the cache
ALONE, SHARE = 60_000, 25_000  # costs that one thread bears, and that one turn of a thread takes
PLANS = 4096  # remembered plans

VECTOR = {"exp", "expm1", "log", "log1p", "sigmoid", "tanh", "softplus", "erf", "erfc", "gelu"}
VECTOR |= {"softplus_grad", "gelu_grad"}
LIBRARY = {"exp2", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh"}
LIBRARY |= {"asinh", "acosh", "atanh", "erfinv", "lgamma", "digamma", "floor_divide", "remainder"}
LIBRARY |= {"fmod", "pow", "atan2", "hypot"}


def cost(step: Step, dtype: str) -> int:
    """What a step takes for a number, in additions of float32."""
    if step.name in LIBRARY:
        return 60
    slow = 6 if dtype == "float32" else 80
    return slow if step.name in VECTOR else ITEMSIZE[dtype] // 4 + 1


def bits(value: Number, dtype: str) -> int:
    """The memory of a number as a word of 64 bits."""
    kind = {"float32": "float", "float64": "double", "int32": "int32_t", "int64": "int64_t"}
    number = float(value) if dtype.startswith("float") else int(value)
    cell = ffi.new(f"{kind.get(dtype, 'uint8_t')}[1]")
    cell[0] = ffi.cast(kind[dtype], number) if dtype in kind else value != 0
    return int.from_bytes(bytes(ffi.buffer(cell)).ljust(8, b"\0"), sys.byteorder, signed=True)


@dataclass
class Table:
    """The slots of a plan as it grows; a slot is (kind, number) until all are counted."""

    expression: Expression
    ways: list[int]  # of the inputs
    alone: list[bool]  # by register of the expression: one number for the whole block
    slots: list[tuple[str, int]] = field(default_factory=list)  # by register of the expression
    constants: list[int] = field(default_factory=list)
    registers: int = 0
    free: list[int] = field(default_factory=list)

    def register(self) -> tuple[str, int]:
        """A register that nobody uses."""
        if not self.free:
            self.free.append(self.registers)
            self.registers += 1
        return "register", self.free.pop()

    def operand(self, operand: Operand, dtype: str) -> tuple[str, int]:
        """The slot of an operand; a number gets one of its own."""
        if not isinstance(operand, Constant):
            return self.slots[operand.index]
        self.constants.append(bits(operand.value, dtype))
        return "constant", len(self.constants) - 1

    def number(self, slot: tuple[str, int]) -> int:
        """The final number of a slot."""
        before = {"input": 0, "constant": len(self.expression.inputs)}
        before["register"] = before["constant"] + len(self.constants)
        before["result"] = before["register"] + self.registers
        return before[slot[0]] + slot[1]


def leaving(e: Expression, at: int, alone: bool, size: int, folded: bool) -> int | None:
    """How what step `at` makes leaves a block, if it is a result."""
    register = len(e.inputs) + at
    if register not in e.results:
        return None
    if folded and register == e.results[-1]:
        return FOLDED
    if alone:
        return SPREAD
    if size * ITEMSIZE[e.dtypes[register]] >= AROUND_FROM:
        return AROUND
    return DIRECT if at >= max(e.last_reads[: len(e.inputs)]) else COPIED


def instructions(table: Table, size: int, folded: bool) -> tuple[list[Any], dict[int, int]]:
    """The steps as (row, slots of result and operands, moving operands, alone); results' ways."""
    e, made, ways = table.expression, [], {}
    for at, step in enumerate(e.steps):
        register = len(e.inputs) + at
        read = [None if isinstance(o, Constant) else o.index for o in step.operands]
        registers = [r for r in read if r is not None]
        dtype = e.dtypes[registers[-1]]
        operands = [table.operand(o, dtype) for o in step.operands]
        alone = all(table.alone[r] for r in registers)
        table.alone.append(alone)
        way = leaving(e, at, alone, size, folded)
        if way is not None:
            ways[register] = way
        ended = [
            r
            for r in {*registers}
            if table.slots[r][0] == "register"
            and e.last_reads[r] == at
            and r not in e.results
            and r >= len(e.inputs)
        ]
        fits = [r for r in ended if ITEMSIZE[e.dtypes[r]] == ITEMSIZE[step.dtype]]
        fits = [r for r in fits if table.alone[r] == alone]
        if way in (DIRECT, FOLDED):
            table.slots.append(("result", e.results.index(register)))
        elif fits:
            table.slots.append(table.slots[fits[0]])
            ended.remove(fits[0])
        else:
            table.slots.append(table.register())
        table.free += [table.slots[r][1] for r in ended]
        moving = [alone or (r is not None and not table.alone[r]) for r in read]
        steps = sum(moves << k for k, moves in enumerate(moving))
        slots = [*operands, *[operands[0]] * (3 - len(operands))]
        made.append((row(step, dtype), table.slots[-1], *slots, steps, int(alone)))
    return made, ways


def row(step: Step, dtype: str) -> int:
    """The address of the C function for a step on operands of `dtype`."""
    if step.kind == "unary":
        return int(lib.expression_row(1, UNARY[dtype][step.name][0]))
    if step.kind == "binary":
        return int(lib.expression_row(2, BINARY[dtype][step.name][0]))
    if step.kind == "where":
        return int(lib.expression_row(3, ITEMSIZE[step.dtype]))
    return int(lib.expression_row(4, TYPES[dtype] * len(TYPES) + TYPES[step.dtype]))


def block_size(size: int, n: int, each: int, rows: bool) -> int:
    """Numbers in a block that touches `each` bytes for one: parts of a row, or several `rows`."""
    most = max(LEAST, min(MOST, FIRST_CACHE // each // 64 * 64))
    if rows:
        return max(1, most // n) * n
    pieces = (n - 1) // most + 1
    return min(n, -(-n // pieces // 64) * 64)


Passes = list[tuple[int, int, int]]


@lru_cache(PLANS)
def plan_expression(
    e: Expression, shape: Shape, shapes: tuple[Shape, ...]
) -> tuple[Any, Shape, Passes] | None:
    """The plan, the last result's shape, and the passes of its reduction (c_reduce.py).

    None where the expression must go step by step.
    """
    size, kept = prod(shape), shape
    passes: Passes = []
    if e.reduce:
        kept, passes, _ = plan_reduce(shape, e.reduce[1])
    axes = merged_axes(shape, shapes)
    n, last = axes.pop()
    short = n < LONG_ROW
    ways = [
        WHOLE if prod(own) == size else SINGLE if prod(own) == 1 else TILED if short else IN_ROW
        for own in shapes
    ]
    single = [
        way == SINGLE or (way == IN_ROW and not step) for way, step in zip(ways, last, strict=True)
    ]
    table = Table(e, ways, single)
    table.slots = [table.register() if w == TILED else ("input", k) for k, w in enumerate(ways)]
    code, results = instructions(table, size, bool(passes))
    if size == 0 or table.registers > REGISTERS or (table.alone[e.results[-1]] and passes):
        return None
    widest = max(ITEMSIZE[dtype] for dtype in e.dtypes)
    touched = table.registers + len(e.results) + ways.count(WHOLE) + ways.count(IN_ROW)
    block = block_size(size, n, widest * touched, TILED in ways)
    taken = sum(cost(s, s.dtype) for s in e.steps) + len(shapes) + len(results)
    words = [size, n, len(axes), block, size if size * taken <= ALONE else SHARE // taken]
    words += [len(shapes), len(code), len(results), len(table.constants), table.registers]
    words += [(block * widest + 63) // 64 * 64, table.number(("result", len(results)))]
    words += [*fold(e, passes), *(length for length, _ in axes)]
    for k, own in enumerate(e.inputs):
        words += [ways[k], ITEMSIZE[own], last[k], table.number(table.slots[k])]
    for k in range(len(shapes)):
        words += [strides[k] for _, strides in axes]
    for address, *slots, steps, alone in code:
        words += [address, *map(table.number, slots), steps, alone]
    for r in e.results:
        words += [results[r], table.number(table.slots[r]), ITEMSIZE[e.dtypes[r]]]
    return ffi.new("int64_t[]", words + table.constants), kept, passes


def fold(e: Expression, passes: Passes) -> list[int]:
    """The first pass of a reduction, which goes with the chain: its number, the type, and sizes."""
    if not passes or not e.reduce:
        return [-1, 0, 1, 1, 1]
    dtype = e.dtypes[e.results[-1]]
    return [(OF_BOOLS if dtype == "bool" else OP)[e.reduce[0]], TYPES[dtype], *passes[0]]
