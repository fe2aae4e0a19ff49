"""How work reaches the threads: one parallel loop, which calls machine code by its address.

    for each chunk of 0 ... count - 1:                  in parallel, if there is enough to do
        task(a, b, c, d, e, first, last)                numbers first ... last - 1 of the work

A `task` is a small C function of five pointers or numbers and a range: of elements, of rows, of
tiles. There are a hundred functions and five types, but only this one way to share work: so Numba
compiles one parallel loop, and tasks that are nothing but their loops, in 0.1 s each. (A parallel
loop of its own would cost each of them 0.4 s.) The call costs 2 ns.

A kernel with more arguments is written as the body of its loop, and uses the same one:

    @shared
    def softmax(piece, y, x): ...                       called softmax(pieces, threads, y, x)

`take_turns` puts the arguments side by side in memory, and the task that it writes takes them from
there for each turn.

A task for an elementwise function knows lines of elements, and nothing of broadcasting:

    for each run of the result along its last axis:     `binary_runs`
        task(out, a, b, mode, 0, 0, n)                  n elements; a or b may be one number

Addresses are plain integers here. `take` and `put` read and write through pointers, and tell LLVM
that what is written is not what is read next: without that each loop would be compiled twice, and
`out` being one of the inputs would run the slow version. (It may be one: element i of an input is
read before element i of `out` is written, and never after.)
"""
# ruff: noqa: F821 - `body` is filled in by `shared`

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from .toolchain import CONTRACT, callback, device, kernel

INT = ir.IntType(64)
ONE = ir.Constant(INT, 1)
SHARE = "etude_share"  # the parallel loop's name for LLVM
CHUNK = 1 << 14  # elements of one piece of parallel work
BOTH, NUMBER_LEFT, NUMBER_RIGHT = 0, 1, 2  # the modes: is a or b one number for the whole run?
TYPES = {
    "float32": types.float32,
    "float64": types.float64,
    "int8": types.int8,
    "int32": types.int32,
    "int64": types.int64,
    "bool": types.boolean,
    "number": None,
}


# tasks --------------------------------------------------------------------------------------------
def task(pattern: Any, label: str, *arguments: str, fastmath: Any = CONTRACT, **names: Any) -> int:
    """The address of a pattern's machine code, compiled or loaded from the cache.

    A pattern is a function (a, b, c, d, e, first, last) with free names, which `names` fill in.
    arguments says what its first parameters are: pointers to a dtype, or "number"s, like the rest.
    """
    code = pattern.__code__.replace(co_name=f"{pattern.__name__}_{label}")
    filled = FunctionType(code, {**pattern.__globals__, **names})
    filled.__qualname__ = code.co_name  # the cache tells functions apart by name and line
    kinds = [types.CPointer(TYPES[a]) if TYPES[a] else types.int64 for a in arguments]
    kinds += [types.int64] * (7 - len(kinds))
    return callback(types.void(*kinds), filled, fastmath=fastmath)


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
def call(
    typingctx: Any,
    task: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    e: Any,
    first: Any,
    last: Any,
) -> Any:
    """Call the machine code at address `task` with seven 64-bit arguments."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 7).as_pointer()
        builder.call(builder.inttoptr(arguments[0], function), arguments[1:])
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 8), generate


def address(x):
    """Where an array is in memory; a number stays what it is."""


@overload(address)
def _address(x):
    if isinstance(x, types.Array):
        return lambda x: types.int64(x.ctypes.data)
    return lambda x: types.int64(x)


# threads ------------------------------------------------------------------------------------------
def share_chunks(task, a, b, c, d, e, count, each):
    for chunk in prange((count + each - 1) // each):
        first = types.int64(chunk) * each
        call(task, a, b, c, d, e, first, min(count, first + each))


@cache
def prepare() -> None:
    """Make the parallel loop known to LLVM: kernels that call it are compiled or loaded later."""
    signature = types.void(*(types.int64,) * 8)
    llvm.add_symbol(SHARE, callback(signature, share_chunks, parallel=True))


def _share(builder: Any, *values: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [INT] * 8)
    builder.call(cgutils.get_or_insert_function(builder.module, kind, SHARE), values)


@intrinsic
def share(
    typingctx: Any,
    task: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    e: Any,
    count: Any,
    each: Any,
) -> Any:
    """task on 0 ... count - 1 by all threads, `each` at once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _share(builder, *arguments)
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 8), generate


@kernel
def run(task, a, b, c, d, e, count, each, threads):
    """task on 0 ... count - 1, `each` at once if by several threads; a to e: arrays or numbers."""
    if threads:
        share(task, address(a), address(b), address(c), address(d), address(e), count, each)
    else:
        call(task, address(a), address(b), address(c), address(d), address(e), 0, count)


@kernel
def place(x):
    """Where a flat array is in memory; an array's own way of telling takes five times as long."""
    return address(x)


# kernels that share their work --------------------------------------------------------------------
def _borrowed(context: Any, builder: Any, value: Any, kind: Any) -> Any:
    """An array that counts no references: threads would take turns at the counter (10 times)."""
    if not isinstance(kind, types.Array):
        return value
    array = context.make_array(kind)(context, builder, value)
    array.meminfo = ir.Constant(array.meminfo.type, None)
    return array._getvalue()


def _turns(context: Any, module: Any, compiled: Any, pack: Any) -> Any:
    """A task in LLVM: compiled(index, *arguments) for each index, the arguments at address a."""
    kind = ir.FunctionType(ir.VoidType(), [INT] * 7)
    turns = ir.Function(module, kind, module.get_unique_name("turns"))
    turns.linkage = "internal"
    builder = ir.IRBuilder(turns.append_basic_block())
    place = builder.inttoptr(turns.args[0], context.get_value_type(pack).as_pointer())
    values = cgutils.unpack_tuple(builder, builder.load(place))
    values = [_borrowed(context, builder, x, kind) for x, kind in zip(values, pack)]
    body = context.declare_function(module, compiled.fndesc)
    context.add_linking_libs([compiled.library])
    with cgutils.for_range_slice(builder, turns.args[5], turns.args[6], ONE, INT) as (index, _):
        context.call_conv.call_function(
            builder, body, compiled.fndesc.restype, compiled.fndesc.argtypes, [index, *values],
            attrs=("noinline",),
        )  # fmt: skip
    builder.ret_void()
    return turns


@intrinsic
def take_turns(typingctx: Any, body: Any, count: Any, threads: Any, arguments: Any) -> Any:
    """body(index, *arguments) for index = 0 ... count - 1, in parallel if `threads` is true."""
    call_type = typingctx.resolve_function_type(body, (types.int64, *arguments), {})

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        compiled = body.dispatcher.overloads[call_type.args]
        turns = _turns(context, builder.module, compiled, arguments)
        place = builder.ptrtoint(cgutils.alloca_once_value(builder, values[3]), INT)
        zero = ir.Constant(INT, 0)
        with builder.if_else(values[2]) as (several, alone):
            with several:
                task = builder.ptrtoint(turns, INT)
                _share(builder, task, place, *[zero] * 4, values[1], ONE)
            with alone:
                builder.call(turns, [place, *[zero] * 5, values[1]])
        return context.get_dummy_value()

    return types.void(body, types.int64, types.boolean, arguments), generate


def _entry(count, threads, *arguments):
    take_turns(body, count, threads and count > 1, arguments)


def shared(body: Any = None, *, fastmath: Any = CONTRACT) -> Any:
    """A kernel from the body of its loop: body(index, *arguments) for each index, by all threads.

    It is called with (count, threads, *arguments); with threads=False one thread takes all turns.
    """
    if body is None:
        return lambda function: shared(function, fastmath=fastmath)
    source = body.__code__
    code = _entry.__code__.replace(
        co_name=source.co_name, co_filename=source.co_filename,
        co_firstlineno=source.co_firstlineno,
    )  # fmt: skip
    names = {"body": device(body, fastmath=fastmath), "take_turns": take_turns}
    entry = FunctionType(code, {**names, "__name__": body.__module__})
    entry.__qualname__, entry.__doc__ = body.__qualname__, body.__doc__
    return kernel(entry)


# elementwise --------------------------------------------------------------------------------------
@device
def _line(task, out, a, b, mode, n, few):
    if n <= few:
        call(task, out, a, b, mode, 0, 0, n)
    else:
        share(task, out, a, b, mode, 0, n, CHUNK)


@kernel
def unary(task, out, x, few):
    """task on all elements of x; by several threads if there are more than `few`."""
    _line(task, address(out), address(x), 0, 0, x.size, few)


@kernel
def binary(task, out, a, b, mode, few):
    """task on a and b, of which one may hold a single number (mode)."""
    _line(task, address(out), address(a), address(b), mode, out.size, few)


@kernel
def binary_number(task, out, a, number, mode, few):
    """task on a and a number, which stands on the left or on the right (mode)."""
    cell = a[:1].copy()
    if cell.size:
        cell[0] = number
    if mode == NUMBER_LEFT:
        _line(task, address(out), address(cell), address(a), mode, out.size, few)
    else:
        _line(task, address(out), address(a), address(cell), mode, out.size, few)
    return cell.size  # what was only an address to the call must live until here


# broadcasting -------------------------------------------------------------------------------------
@device
def _rows(task, out, a, b, out_step, step, plan, mode, first, last):
    """Runs first ... last - 1; where they begin in a and b is found by division."""
    axes = plan[0]
    n = plan[axes]
    for row in range(first, last):
        i = j = types.int64(0)
        rest = row
        for axis in range(axes - 1, 0, -1):
            index = rest % plan[axis]
            rest //= plan[axis]
            i += index * plan[axes + axis]
            j += index * plan[2 * axes + axis]
        call(task, out + row * n * out_step, a + i * step, b + j * step, mode, 0, 0, n)


@device
def _row_chunk(chunk, task, out, a, b, out_step, step, plan, mode, rows, each):
    first = chunk * each
    _rows(task, out, a, b, out_step, step, plan, mode, first, min(rows, first + each))


@kernel
def binary_runs(task, out, a, b, plan, mode, few):
    """task run by run; plan: the number of axes, their sizes, strides of a and b in elements."""
    n = plan[plan[0]]
    rows, each = out.size // n, max(1, CHUNK // n)
    places = task, address(out), address(a), address(b), out.itemsize, a.itemsize
    threads = out.size > few
    take_turns(_row_chunk, (rows + each - 1) // each, threads, (*places, plan, mode, rows, each))
