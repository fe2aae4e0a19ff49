"""Relu after max pooling instead of before: the same numbers from a quarter of the work.

before    %2 = relu(%1)                           after    %9, %p = max_pool(%1)
          %3, %p = max_pool(%2)                            %3 = relu(%9)
          %5 = max_pool_grad(%4, %p)                       %5 = relu_grad(%4, %3)
          %6 = relu_grad(%5, %2)                           %6 = max_pool_grad(%5, %p)

Relu keeps the order of numbers, so the largest of a window is the same before and after it. Where
that is not above 0, another element of the window may be named, but its gradient is 0 then. The
large result of the relu need not be kept for the backward pass either. Nobody else may read it.
"""

from __future__ import annotations

from etude.backends.base import Instruction, Value

from ...graph.program import Program
from .rewrite import Names, namer, readers, rewritten

Pair = tuple[Instruction, Instruction]  # max_pool_grad and the relu_grad of its result


def pools(program: Program) -> Program:
    """Find max pools of relus whose gradients come one after the other; exchange both."""
    maker = {v: i for i in program.instructions for v in i.outputs}
    pairs: dict[Value, list[Pair]] = {}
    for i in program.instructions:
        if i.method == "binary" and i.arguments[0] == "relu_grad":
            before = maker.get(i.arguments[1])
            if before is not None and before.method == "max_pool_grad":
                pairs.setdefault(i.arguments[2], []).append((before, i))
    if not pairs:
        return program
    uses = readers(program)
    value = namer(program)
    new: dict[int, list[Instruction]] = {}
    for i in program.instructions:
        found = pairs.get(i.arguments[0]) if i.method == "max_pool" else None
        if found and _alone(i, found, maker, uses):
            _exchange(i, found, maker, value(i.outputs[0].shape, i.outputs[0].dtype), new)

    def rule(i: Instruction, names: Names) -> list[Instruction]:
        return new.get(id(i), [i])

    return rewritten(program, rule)


def _alone(
    pool: Instruction, pairs: list[Pair], maker: dict[Value, Instruction], uses: dict[Value, int]
) -> bool:
    """Whether only these instructions read the relu, its places and the gradients between."""
    y, p = pool.arguments[0], pool.outputs[1]
    relu = maker.get(y)
    return (
        relu is not None
        and relu.method == "unary"
        and relu.arguments[0] == "relu"
        and uses[y] == 1 + len(pairs)
        and uses[p] == len(pairs)
        and all(a.arguments[1] is p and uses[a.outputs[0]] == 1 for a, _ in pairs)
    )


def _exchange(
    pool: Instruction,
    pairs: list[Pair],
    maker: dict[Value, Instruction],
    largest: Value,
    new: dict[int, list[Instruction]],
) -> None:
    """Enter what stands for the relu, the pool, and each pair of gradients."""
    relu = maker[pool.arguments[0]]
    y, p = pool.outputs
    new[id(relu)] = []
    new[id(pool)] = [
        Instruction("max_pool", (relu.arguments[1], *pool.arguments[1:]), (largest, p), pool.op),
        Instruction("unary", ("relu", largest), (y,), relu.op, relu.scope),
    ]
    new[id(pool)][0].scope = pool.scope
    for back, mask in pairs:
        small = Value(back.outputs[0].number, y.shape, y.dtype)
        g, _, *shape = back.arguments
        first = ("relu_grad", g, y)
        last = (small, p, *shape)
        new[id(back)] = [Instruction("binary", first, (small,), mask.op, "", mask.forward)]
        new[id(mask)] = [
            Instruction("max_pool_grad", last, mask.outputs, back.op, "", back.forward)
        ]
