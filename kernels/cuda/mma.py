"""Tensor cores: a warp multiplies two small matrices by one instruction, `mma.sync`.

    d = mma_tf32(c0 ... c3, a0 ... a3, b0, b1)   16 x 8 of float32 += 16 x 8 by 8 x 8 of TF32
    d = mma_bf16(c0 ... c3, a0 ... a3, b0, b1)   16 x 8 of float32 += 16 x 16 by 16 x 8 of bfloat16
    tf32(x)          x rounded to 10 bits of fraction, in a float32
    pair(low, high)  two numbers rounded to 7 bits of fraction (bfloat16), in the bits of a float32

Each of the 32 lanes holds a few numbers of each matrix. With g = lane // 4 and t = lane % 4:

    c, d     (g, 2t) (g, 2t+1) (g+8, 2t) (g+8, 2t+1)                 of 16 rows and 8 columns
    a, TF32  (g, t) (g+8, t) (g, t+4) (g+8, t+4)                     of 16 rows and 8 of the depth
    b, TF32  (t, g) (t+4, g)                                         of 8 of the depth and 8 columns
    a, bf16  pairs (g, 2t | 2t+1) (g+8, same) (g, 2t+8 | 2t+9) (g+8, same)
    b, bf16  pairs (2t | 2t+1, g) (2t+8 | 2t+9, g)

In the simulator lanes hand their numbers over by shuffles, so this layout is what is tested.

Source: NVIDIA, "Parallel Thread Execution ISA", section on matrix multiply-accumulate instructions.
"""

from __future__ import annotations

from typing import Any

from .spec import cuda, device

ALL = 0xFFFFFFFF


def _assembly(line: str, results: str, operands: str) -> Any:
    """A function of float32 numbers that is one instruction of PTX.

    results, operands: a letter for each, f for a number, r for the bits of one.
    """
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    register = {"f": ir.FloatType(), "r": ir.IntType(32)}
    many = len(results) > 1
    kind = types.UniTuple(types.float32, len(results)) if many else types.float32
    kinds = [register[letter] for letter in operands]
    parts = [register[letter] for letter in results]
    function = ir.FunctionType(ir.LiteralStructType(parts) if many else parts[0], kinds)
    constraints = ",".join([f"={letter}" for letter in results] + list(operands))

    def make(context, builder, signature, args):
        given = [builder.bitcast(x, own) for x, own in zip(args, kinds, strict=True)]
        made = builder.asm(function, line, constraints, given, False)
        if not many:
            return builder.bitcast(made, register["f"])
        numbers = [builder.extract_value(made, k) for k in range(len(results))]
        return context.make_tuple(builder, kind, numbers)

    if len(operands) == 1:

        @intrinsic
        def single(typing_context, x):
            return kind(types.float32), make

        return single
    if len(operands) == 2:

        @intrinsic
        def double(typing_context, x, y):
            return kind(types.float32, types.float32), make

        return double

    @intrinsic
    def fragments(typing_context, c0, c1, c2, c3, a0, a1, a2, a3, b0, b1):
        return kind(*[types.float32] * 10), make

    return fragments


def _mma(shape: str, kind: str) -> Any:
    line = (
        f"mma.sync.aligned.{shape}.row.col.f32.{kind}.{kind}.f32 "
        "{$0,$1,$2,$3}, {$8,$9,$10,$11}, {$12,$13}, {$4,$5,$6,$7};"
    )
    return _assembly(line, "ffff", "ffffrrrrrr")


# the simulator's ----------------------------------------------------------------------------------
def _bits(x: Any) -> int:
    import numpy as np

    return int(np.float32(x).view(np.uint32))


def _number(bits: int) -> Any:
    import numpy as np

    return np.uint32(bits).view(np.float32)


def _round_tf32(x: Any) -> Any:
    """To the nearest, halves away from zero."""
    return x if x != x else _number((_bits(x) + 0x1000) & 0xFFFFE000)


def _bfloat(x: Any) -> int:
    """The upper 16 bits, to the nearest, halves to even."""
    bits = _bits(x)
    return 0x7FFF if x != x else ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) & 0xFFFF


def _pair_simulated(low: Any, high: Any) -> Any:
    return _number(_bfloat(high) << 16 | _bfloat(low))


def _halves(packed: Any) -> tuple[Any, Any]:
    bits = _bits(packed)
    return _number(bits << 16 & 0xFFFFFFFF), _number(bits & 0xFFFF0000)


def _lines(mine: Any, first: int) -> list[Any]:
    """The four lanes from `first` on, which together hold a row of a or a column of b."""
    return [cuda.shfl_sync(ALL, mine, first + k) for k in range(4)]


def _tf32_line(lanes: Any, near: int, far: int) -> list[Any]:
    return [lane[near] for lane in lanes] + [lane[far] for lane in lanes]


def _bf16_line(lanes: Any, near: int, far: int) -> list[Any]:
    return [x for at in (near, far) for lane in lanes for x in _halves(lane[at])]


def _simulated(line: Any) -> Any:
    def mma(c0, c1, c2, c3, a0, a1, a2, a3, b0, b1):
        lane, mine = cuda.laneid, (a0, a1, a2, a3, b0, b1)
        rows = _lines(mine, lane // 4 * 4)
        left, right = _lines(mine, lane % 4 * 8), _lines(mine, lane % 4 * 8 + 4)
        sums = []
        for near, far in ((0, 2), (1, 3)):
            row = line(rows, near, far)
            for column in (left, right):
                products = zip(row, line(column, 4, 5), strict=True)
                sums.append(sum(float(x) * float(y) for x, y in products))
        return c0 + sums[0], c1 + sums[1], c2 + sums[2], c3 + sums[3]

    return mma


tf32 = device(build=lambda: _assembly("cvt.rna.tf32.f32 $0, $1;", "r", "f"), simulate=_round_tf32)
pair = device(
    build=lambda: _assembly("cvt.rn.bf16x2.f32 $0, $2, $1;", "r", "ff"), simulate=_pair_simulated
)
mma_tf32 = device(build=lambda: _mma("m16n8k8", "tf32"), simulate=_simulated(_tf32_line))
mma_bf16 = device(build=lambda: _mma("m16n8k16", "bf16"), simulate=_simulated(_bf16_line))
