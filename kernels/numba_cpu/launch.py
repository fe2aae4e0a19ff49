"""How an elementwise function reaches all elements: chunks, threads and broadcasting, once for all.

    for each chunk of the result:                           in parallel, if the result is large
        for each run of it along the last axis:             one run if nothing is broadcast
            task(out, a, b, n, mode)                        n elements, compiled for one function

There are a hundred functions and five types, but only this one way of walking. So a `task` knows
nothing but one line of elements, and is called by its address. That costs 2 ns a run, and it makes
a task small: Numba compiles one in 0.1 s, against 0.4 s for a kernel with its own parallel loop.

Addresses are plain integers here. `take` and `put` read and write through pointers, and tell LLVM
that what is written is not what is read next: without that each loop would be compiled twice, and
`out` being one of the inputs would run the slow version. (It may be one: element i of an input is
read before element i of `out` is written, and never after.)
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from .toolchain import device, kernel, parallel

CHUNK = 1 << 14  # elements of one piece of parallel work
BOTH, NUMBER_LEFT, NUMBER_RIGHT = 0, 1, 2  # the modes: is a or b one number for the whole run?


# pointers -----------------------------------------------------------------------------------------
def _scope(builder: Any, name: str) -> Any:
    """A list of one alias scope: accesses marked with it touch no memory of the other scope."""
    domain = builder.module.add_metadata(["etude elementwise"])
    return builder.module.add_metadata([builder.module.add_metadata([name, domain])])


def _load(pointer: Any, place: str, elsewhere: str) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(builder.gep(arguments[0], [arguments[1]]))
        loaded.set_metadata("alias.scope", _scope(builder, place))
        loaded.set_metadata("noalias", _scope(builder, elsewhere))
        return context.data_model_manager[pointer.dtype].from_data(builder, loaded)

    return pointer.dtype(pointer, types.int64), generate


@intrinsic
def take(typingctx: Any, pointer: Any, index: Any) -> Any:
    """pointer[index], an input."""
    return _load(pointer, "inputs", "output")


@intrinsic
def take_back(typingctx: Any, pointer: Any, index: Any) -> Any:
    """pointer[index] of the output, which was put there before."""
    return _load(pointer, "output", "inputs")


@intrinsic
def put(typingctx: Any, pointer: Any, index: Any, value: Any) -> Any:
    """pointer[index] = value, converted to the element's type: the output."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        model = context.data_model_manager[pointer.dtype]
        converted = context.cast(builder, arguments[2], value, pointer.dtype)
        place = builder.gep(arguments[0], [arguments[1]])
        stored = builder.store(model.as_data(builder, converted), place)
        stored.set_metadata("alias.scope", _scope(builder, "output"))
        stored.set_metadata("noalias", _scope(builder, "inputs"))
        return context.get_dummy_value()

    return types.void(pointer, types.int64, value), generate


@intrinsic
def call(typingctx: Any, task: Any, out: Any, a: Any, b: Any, n: Any, mode: Any) -> Any:
    """Call the machine code at address `task` with five 64-bit arguments."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [number] * 5).as_pointer()
        builder.call(builder.inttoptr(arguments[0], function), arguments[1:])
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 6), generate


def task_signature(out: Any, inputs: Any) -> Any:
    """The signature of a task whose elements have these Numba types."""
    pointer = types.CPointer(inputs)
    return types.void(types.CPointer(out), pointer, pointer, types.int64, types.int64)


# one run, cut into chunks -------------------------------------------------------------------------
@parallel
def _chunks(task, out, a, b, out_step, a_step, b_step, n, mode):
    """One run of n elements; steps are the bytes from element to element, 0 for a number."""
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        at = types.int64(chunk) * CHUNK
        count = min(CHUNK, n - at)
        call(task, out + at * out_step, a + at * a_step, b + at * b_step, count, mode)


@device
def _run(task, out, a, b, out_step, step, n, mode, few):
    if n <= few:
        call(task, out, a, b, n, mode)
    else:
        a_step = 0 if mode == NUMBER_LEFT else step
        b_step = 0 if mode == NUMBER_RIGHT else step
        _chunks(task, out, a, b, out_step, a_step, b_step, n, mode)


@device
def address(x):
    return types.int64(x.ctypes.data)


@kernel
def unary(task, out, x, few):
    """task on all elements of x; in parallel if there are more than `few`."""
    _run(task, address(out), address(x), 0, out.itemsize, x.itemsize, x.size, BOTH, few)


@kernel
def binary(task, out, a, b, mode, few):
    """task on a and b, of which one may hold a single number (mode)."""
    steps = out.itemsize, a.itemsize
    _run(task, address(out), address(a), address(b), *steps, out.size, mode, few)


@kernel
def binary_number(task, out, a, number, mode, few):
    """task on a and a number, which stands on the left or on the right (mode)."""
    cell = a[:1].copy()
    cell[0] = number
    left, right = (
        (address(cell), address(a)) if mode == NUMBER_LEFT else (address(a), address(cell))
    )
    _run(task, address(out), left, right, out.itemsize, a.itemsize, out.size, mode, few)


# many runs: broadcasting --------------------------------------------------------------------------
@device
def _starts(row, plan):
    """Where run number `row` begins in a and b: its position along the outer axes by division."""
    a = b = types.int64(0)
    for axis in range(plan.shape[1] - 2, -1, -1):
        size = plan[0, axis]
        index = row % size
        row //= size
        a += index * plan[1, axis]
        b += index * plan[2, axis]
    return a, b


@device
def _rows(task, out, a, b, out_step, step, plan, mode, first, last):
    n = plan[0, plan.shape[1] - 1]
    for row in range(first, last):
        i, j = _starts(row, plan)
        call(task, out + row * n * out_step, a + i * step, b + j * step, n, mode)


@parallel
def _row_chunks(task, out, a, b, out_step, step, plan, mode, rows, each):
    for chunk in prange((rows + each - 1) // each):
        first = types.int64(chunk) * each
        last = min(rows, first + each)
        _rows(task, out, a, b, out_step, step, plan, mode, first, last)


@kernel
def binary_runs(task, out, a, b, plan, mode, few):
    """task run by run; plan holds the axes' sizes, and the strides of a and of b in elements."""
    n = plan[0, plan.shape[1] - 1]
    rows = out.size // n
    places = address(out), address(a), address(b), out.itemsize, a.itemsize
    if out.size <= few:
        _rows(task, *places, plan, mode, 0, rows)
    else:
        _row_chunks(task, *places, plan, mode, rows, max(1, CHUNK // n))
