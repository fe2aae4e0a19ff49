"""Plans of expressions for interpreters over blocks: where each operand stands, and how it is cut.

An input that has all axes is read where it lies, a single number too. Other inputs repeat. Where
rows are long, blocks are parts of rows, in which such an input is a part of a row or one number;
where rows are short, blocks are many rows, and it is spread into a register (TILED).

A plan is a list of whole numbers, laid out as kernels/c/expression_inner.h tells. C and Numba run
the same plans, each with the addresses of its own functions.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

from .axes import merged_axes
from .expression import Constant, Expression, Operand, Step
from .tier1 import Number, Shape

Row = Callable[[Step, str], int]
ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1}
WHOLE, SINGLE, IN_ROW, TILED = range(4)  # how an input stands
DIRECT, COPIED, AROUND, SPREAD, FOLDED = range(5)  # how a result leaves a block
Generate = Callable[[Expression, list[bool], list[int]], int]
NO_FOLD = [-1, 0, 1, 1, 1]
LONG_ROW = 256  # numbers from which blocks stay within rows
MOST, LEAST = 2048, 64  # numbers in a block
FIRST_CACHE = 24 << 10  # bytes of it for all that a block touches
REGISTERS = 64  # the most at once: they are on the stack
AROUND_FROM = 8 << 20  # bytes of a result that would push everything out of the cache
ALONE, SHARE = 100_000, 50_000  # costs that one thread bears, and that one turn of a thread takes

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


NUMBERS: dict[str, Any] = {
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "bool": ctypes.c_bool,
}


def bits(value: Number, dtype: str) -> int:
    """The memory of a number as a word of 64 bits."""
    number = NUMBERS[dtype](float(value) if dtype.startswith("float") else int(value))
    return int.from_bytes(bytes(number).ljust(8, b"\0"), sys.byteorder, signed=True)


@dataclass
class Table:
    """The slots of a plan as it grows; a slot is (kind, number) until all are counted."""

    expression: Expression
    ways: list[int]  # of the inputs
    alone: list[bool]  # by register of the expression: one number for the whole block
    generated: bool  # code made for it keeps what is no result to itself
    ordered: bool  # and reads all of a number's inputs before it writes a result of it
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

    def ended(self, registers: list[int], at: int) -> list[int]:
        """Those that step `at` is the last to read, and whose memory is then free."""
        e = self.expression
        return [
            r
            for r in {*registers}
            if len(e.inputs) <= r
            and self.slots[r][0] == "register"
            and e.last_reads[r] == at
            and r not in e.results
        ]

    def takes(self, register: int, alone: bool, dtype: str) -> bool:
        """Whether a step may write its result over a register that it reads."""
        own = self.expression.dtypes[register]
        return self.alone[register] == alone and ITEMSIZE[own] == ITEMSIZE[dtype]

    def number(self, slot: tuple[str, int]) -> int:
        """The final number of a slot."""
        before = {"input": 0, "constant": len(self.expression.inputs)}
        before["register"] = before["constant"] + len(self.constants)
        before["result"] = before["register"] + self.registers
        return before[slot[0]] + slot[1]


def leaving(table: Table, at: int, alone: bool, size: int, folded: bool, around: int) -> int | None:
    """How what step `at` makes leaves a block, if it is a result."""
    e = table.expression
    register = len(e.inputs) + at
    if register not in e.results:
        return None
    if folded and register == e.results[-1]:
        return FOLDED
    if alone:
        return SPREAD
    if size * ITEMSIZE[e.dtypes[register]] >= around:
        return AROUND
    if table.generated:
        return DIRECT if table.ordered or len(e.results) == 1 else COPIED
    return DIRECT if at >= max(e.last_reads[: len(e.inputs)]) else COPIED


def instructions(
    table: Table, row: Row, size: int, folded: bool, around: int
) -> tuple[list[Any], dict[int, int]]:
    """The steps as (row, slots of result and operands, moving operands, alone); results' ways."""
    e, made, ways = table.expression, [], {}
    for at, step in enumerate(e.steps):
        read = [None if isinstance(o, Constant) else o.index for o in step.operands]
        registers = [r for r in read if r is not None]
        dtype = e.dtypes[registers[-1]]
        operands = [table.operand(o, dtype) for o in step.operands]
        alone = all(table.alone[r] for r in registers)
        table.alone.append(alone)
        way = leaving(table, at, alone, size, folded, around)
        if way is not None:
            ways[len(table.slots)] = way
        ended = table.ended(registers, at)
        if way in (DIRECT, FOLDED):
            table.slots.append(("result", e.results.index(len(table.slots))))
        elif table.generated and way is None:
            table.slots.append(("nowhere", 0))
        else:
            alike = [r for r in ended if table.takes(r, alone, step.dtype)]
            table.slots.append(table.slots[alike[0]] if alike else table.register())
            ended = [r for r in ended if r not in alike[:1]]
        table.free += [table.slots[r][1] for r in ended]
        moving = [alone or (r is not None and not table.alone[r]) for r in read]
        steps = sum(moves << k for k, moves in enumerate(moving))
        slots = [*operands, *[operands[0]] * (3 - len(operands))]
        made.append((row(step, dtype), table.slots[-1], *slots, steps, int(alone)))
    return made, ways


def block_size(size: int, n: int, each: int, rows: bool) -> int:
    """Numbers in a block that touches `each` bytes for one: parts of a row, or several `rows`."""
    most = max(LEAST, min(MOST, FIRST_CACHE // each // 64 * 64))
    if rows:
        return max(1, most // n) * n
    pieces = (n - 1) // most + 1
    return min(n, -(-n // pieces // 64) * 64)


def lower(
    e: Expression,
    shape: Shape,
    shapes: tuple[Shape, ...],
    row: Row,
    fold: list[int] | None = None,
    around: int = AROUND_FROM,
    generate: Generate | None = None,
    ordered: bool = True,
) -> list[int] | None:
    """The plan, or None where the expression must go step by step.

    row: the address of the function for a step on operands of a dtype; fold: the words of the
    header that tell of a reduction; around: from how many bytes results go around the cache;
    generate: makes code of the expression, for each register whether it is one number for a whole
    block, and the results' slots: its address then stands for the instructions; ordered: whether
    that code may find results in the memory of inputs, though there are several.
    """
    size = prod(shape)
    axes = merged_axes(shape, shapes)
    n, last = axes[-1]
    other = TILED if n < LONG_ROW else IN_ROW
    ways = [WHOLE if prod(own) == size else SINGLE if prod(own) == 1 else other for own in shapes]
    single = [
        way == SINGLE or (way == IN_ROW and not step) for way, step in zip(ways, last, strict=True)
    ]
    table = Table(e, ways, single, generate is not None, ordered)
    table.slots = [table.register() if w == TILED else ("input", k) for k, w in enumerate(ways)]
    code, results = instructions(table, row, size, fold is not None, around)
    if size == 0 or table.registers > REGISTERS or (fold and table.alone[e.results[-1]]):
        return None
    made = 0
    if generate is not None:
        slots = [table.number(table.slots[r]) for r in e.results]
        made, code = generate(e, table.alone, slots), []
    widest = max(ITEMSIZE[dtype] for dtype in e.dtypes)
    touched = table.registers + len(e.results) + ways.count(WHOLE) + ways.count(IN_ROW)
    block = block_size(size, n, widest * touched, TILED in ways)
    taken = sum(cost(s, s.dtype) for s in e.steps) + len(shapes) + len(results)
    words = [size, n, len(axes) - 1, block, size if size * taken <= ALONE else SHARE // taken]
    words += [len(shapes), len(code), len(results), len(table.constants), table.registers]
    words += [(block * widest + 63) // 64 * 64, table.number(("result", len(results)))]
    return [*words, made] + (fold or NO_FOLD) + body(table, axes, code, results)


def body(
    table: Table, axes: list[tuple[int, list[int]]], code: list[Any], results: dict[int, int]
) -> list[int]:
    """What comes after the header: axes, inputs, strides, instructions, results, numbers."""
    e, last = table.expression, axes[-1][1]
    words = [length for length, _ in axes[:-1]]
    for k, own in enumerate(e.inputs):
        words += [table.ways[k], ITEMSIZE[own], last[k], table.number(table.slots[k])]
    for k in range(len(e.inputs)):
        words += [strides[k] for _, strides in axes[:-1]]
    for address, *slots, steps, alone in code:
        words += [address, *map(table.number, slots), steps, alone]
    for r in e.results:
        words += [results[r], table.number(table.slots[r]), ITEMSIZE[e.dtypes[r]]]
    return words + table.constants
