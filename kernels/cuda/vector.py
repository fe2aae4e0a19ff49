"""Shared memory by 128 bits, and copies into it that nobody waits for.

    a, b, c, d = take4(s, i)           s[i] ... s[i + 3] of shared float32, i a multiple of 4
    a = take1(s, i)                    s[i], without the question whether i counts from the end
    copy1(s, i, x, at, j)              s[i] = x[at + j], before this thread's next `arrived()`
    copy4(s, i, x, at, j)              four of them, i and at + j multiples of 4
    copy1_if(s, i, x, at, j, valid)    zero where `valid` is false; then nothing is read
    copy4_if(s, i, x, at, j, valid)
    arrived()                          wait for this thread's copies; a barrier tells the others
    thread_again(), block_again()      threadIdx.x and blockIdx.x, read anew: what is worked out
                                       from them after a loop needs no register in the loop

A multiplication of 8 x 8 numbers a thread needs 16 numbers of shared memory for 64 products. Read
one by one that is an instruction for every four products, and the units that compute wait for the
one that loads: 33 % of what is issued is FFMA. Four at a time it is 4 instructions, and 90 %.

The copies are `cp.async` of sm_80: from memory to shared memory past the registers. So a tile is on
its way while the one before is multiplied, and holds no register of a kernel that has none over.

x + at stays a pointer of 64 bits through a loop; an int32 j then costs one instruction, not four.

In the simulator a copy poisons where it will land at once and lands when it is waited for: a kernel
that reads too early reads nan.

Source: NVIDIA, "Parallel Thread Execution ISA", cp.async; "CUDA C++ Programming Guide", section on
asynchronous data copies.
"""

from __future__ import annotations

from operator import getitem
from typing import Any

from .simulator_device import KernelFault, now
from .spec import cuda, device


def _place(context: Any, builder: Any, kind: Any, value: Any, index: Any, space: int) -> Any:
    """A pointer to an element, of shared (3) or of global (1) memory."""
    from llvmlite import ir
    from numba.core import types

    if isinstance(kind, types.Array):
        value = context.make_array(kind)(context, builder, value).data
    element = value.type.pointee
    return builder.gep(builder.addrspacecast(value, ir.PointerType(element, space)), [index])


def _index(context: Any, builder: Any, value: Any, kind: Any) -> Any:
    from numba.core import types

    return context.cast(builder, value, kind, types.int64)


def _take(count: int) -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def take(typing_context, s, i):
        result = types.UniTuple(s.dtype, count) if count > 1 else s.dtype

        def make(context, builder, signature, args):
            at = _place(context, builder, s, args[0], _index(context, builder, args[1], i), 3)
            if count == 1:
                return builder.load(at)
            kind = ir.VectorType(at.type.pointee, count)
            whole = builder.load(builder.bitcast(at, ir.PointerType(kind, 3)), align=16)
            parts = [builder.extract_element(whole, ir.IntType(32)(k)) for k in range(count)]
            return context.make_tuple(builder, result, parts)

        return result(s, i), make

    return take


def _copy(count: int, checked: bool) -> Any:
    """Emit `cp.async` of `count` numbers of 4 bytes; `checked`: of none where it is not valid."""
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    word, long = ir.IntType(32), ir.IntType(64)
    size, way = 4 * count, "ca" if count == 1 else "cg"

    def make(context, builder, signature, args):
        kinds = signature.args
        here = _index(context, builder, args[1], kinds[1])
        there, more = (_index(context, builder, args[k], kinds[k]) for k in (3, 4))
        to = builder.ptrtoint(_place(context, builder, kinds[0], args[0], here, 3), word)
        pointer = _place(context, builder, kinds[2], args[2], there, 1)
        if kinds[4] == types.int32:  # one multiplication and addition to a pointer that is kept
            of = builder.add(builder.ptrtoint(pointer, long), builder.mul(more, long(4)))
        else:
            of = builder.ptrtoint(builder.gep(pointer, [more]), long)
        operands, text, constraints = [to, of], f"[$0], [$1], {size}", "r,l"
        if checked:
            valid = context.cast(builder, args[5], kinds[5], types.boolean)
            operands.append(builder.select(valid, word(size), word(0)))
            text, constraints = text + ", $2", constraints + ",r"
        kind = ir.FunctionType(ir.VoidType(), [x.type for x in operands])
        line = f"cp.async.{way}.shared.global {text};"
        builder.asm(kind, line, constraints + ",~{memory}", operands, True)
        return context.get_dummy_value()

    if checked:

        @intrinsic
        def copy_if(typing_context, s, i, x, at, j, valid):
            return types.void(s, i, x, at, j, valid), make

        return copy_if

    @intrinsic
    def copy(typing_context, s, i, x, at, j):
        return types.void(s, i, x, at, j), make

    return copy


def _arrived() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def arrived(typing_context):
        def make(context, builder, signature, args):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.asm(kind, "cp.async.wait_all;", "~{memory}", [], True)
            return context.get_dummy_value()

        return types.void(), make

    return arrived


def _register(name: str) -> Any:
    """Read a special register at this place, also where it was read before."""
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def read(typing_context):
        def make(context, builder, signature, args):
            kind = ir.FunctionType(ir.IntType(32), [])
            return builder.asm(kind, f"mov.u32 $0, %{name};", "=r", [], True)

        return types.int32(), make

    return read


# the simulator's ----------------------------------------------------------------------------------
UNDER_WAY: dict[Any, list[Any]] = {}  # by block and thread: copies that nobody waited for yet


def _aligned(index: int) -> int:
    if index % 4:
        raise KernelFault(f"four numbers at {index}, which is no multiple of 4")
    return index


def _take_simulated(s: Any, i: int) -> Any:
    _aligned(i)
    return s[i], s[i + 1], s[i + 2], s[i + 3]


def _copy_simulated(count: int) -> Any:
    def copy(s: Any, i: int, x: Any, at: int, j: int, valid: bool = True) -> None:
        j += at
        if count == 4:
            _aligned(i), _aligned(j)
        waiting = UNDER_WAY.setdefault((id(now.arena), now.block, now.thread), [])
        for k in range(count):
            if valid:
                x.at(j + k)
            s[i + k] = float("nan")
            waiting.append((s, i + k, x if valid else None, j + k))

    return copy


def _arrived_simulated() -> None:
    for s, i, x, j in UNDER_WAY.pop((id(now.arena), now.block, now.thread), ()):
        s[i] = 0.0 if x is None else x[j]


take1 = device(build=lambda: _take(1), simulate=getitem)
take4 = device(build=lambda: _take(4), simulate=_take_simulated)
arrived = device(build=_arrived, simulate=_arrived_simulated)
copy1, copy4, copy1_if, copy4_if = (
    device(build=lambda n=n, c=c: _copy(n, c), simulate=_copy_simulated(n))
    for c in (False, True)
    for n in (1, 4)
)
thread_again = device(build=lambda: _register("tid.x"), simulate=lambda: cuda.threadIdx.x)
block_again = device(build=lambda: _register("ctaid.x"), simulate=lambda: cuda.blockIdx.x)
