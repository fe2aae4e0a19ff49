"""Four numbers side by side by one instruction: 128 bits of float32, the widest that a thread can.

    a, b, c, d = load4(x, i)            x[i], x[i + 1], x[i + 2], x[i + 3]
    store4(y, i, a, b, c, d)

i and the pointer are multiples of four numbers; what is not is read from the wrong place or stops
the device, so callers ask `wide` (backends/cuda_plans.py) first. A warp of 32 threads then moves
512 bytes by one instruction in place of four: the same lines of memory, a quarter of the
instructions, and more bytes under way for each thread, which is what hides the way to memory.

Numba knows no vectors, so the pair is written in LLVM's own terms: a load of `<4 x float>`, taken
apart at once; ptxas keeps it whole (ld.global.v4.f32). float64 takes two, bool a single word.
"""

from __future__ import annotations

from typing import Any

from .spec import device


def _load() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def load4(typing_context, x, i):
        result = types.UniTuple(x.dtype, 4)

        def make(context, builder, signature, args):
            kind = context.get_data_type(x.dtype)
            vector = ir.VectorType(kind, 4)
            at = builder.gep(args[0], [_index(context, builder, args[1], i)])
            whole = builder.load(builder.bitcast(at, vector.as_pointer()))
            whole.align = min(16, 4 * _bytes(kind))
            word = ir.IntType(32)
            parts = [builder.extract_element(whole, word(k)) for k in range(4)]
            parts = [context.data_model_manager[x.dtype].from_data(builder, v) for v in parts]
            return context.make_tuple(builder, result, parts)

        return result(x, i), make

    return load4


def _store() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def store4(typing_context, x, i, a, b, c, d):
        def make(context, builder, signature, args):
            kind = context.get_data_type(x.dtype)
            vector = ir.VectorType(kind, 4)
            word = ir.IntType(32)
            whole = ir.Constant(vector, ir.Undefined)
            for k, (value, own) in enumerate(zip(args[2:], (a, b, c, d), strict=True)):
                value = context.cast(builder, value, own, x.dtype)
                value = context.data_model_manager[x.dtype].as_data(builder, value)
                whole = builder.insert_element(whole, value, word(k))
            at = builder.gep(args[0], [_index(context, builder, args[1], i)])
            done = builder.store(whole, builder.bitcast(at, vector.as_pointer()))
            done.align = min(16, 4 * _bytes(kind))
            return context.get_dummy_value()

        return types.void(x, i, a, b, c, d), make

    return store4


def _index(context: Any, builder: Any, value: Any, kind: Any) -> Any:
    from numba.core import types

    return context.cast(builder, value, kind, types.int64)


def _bytes(kind: Any) -> int:
    from llvmlite import ir

    if isinstance(kind, ir.IntType):
        return max(1, kind.width // 8)
    return 4 if isinstance(kind, ir.FloatType) else 8


def _load_simulated(x: Any, i: int) -> Any:
    if i % 4:
        raise IndexError(f"[cuda] load4 at {i}: expected a multiple of 4")
    return x[i], x[i + 1], x[i + 2], x[i + 3]


def _store_simulated(x: Any, i: int, *values: Any) -> None:
    if i % 4:
        raise IndexError(f"[cuda] store4 at {i}: expected a multiple of 4")
    for k, value in enumerate(values):
        x[i + k] = value


load4 = device(build=_load, simulate=_load_simulated)
store4 = device(build=_store, simulate=_store_simulated)
