"""Batches in lanes: examples side by side in memory, from the first layer to the loss.

before    %1: float32[64, 6, 28, 28] = conv(%x, %w, %b)      each image by itself in memory
          %2, %3 = max_pool(%1)

after     the same calls; of %1, %2 and what follows them, memory holds the numbers of all 64 images
          at one position, then those at the next

What a convolution or a pool does to one position, it does then to a whole vector, whatever the
kernel and the stride; an affine layer multiplies its weights as they lie. Only NumPy lays batches
so, which otherwise gathers numbers one by one. Other instructions know one order only: what they
exchange with the rest is copied, and if that is much, everything stays as it is. Sums are made in
another order.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from etude.backends.base import Instruction, Value, able, batches, in_lanes, made

from ...graph.lives import Memory
from ...graph.program import Program, spec

PRODUCTS = ("linear", "linear_grad", "linear_grad_sgd", "linear_grad_adam")  # read either order
LIKE = ("unary", "reshape", "cross_entropy_mean", "cross_entropy_mean_grad")  # as what they read
MOST = 4  # one of this many numbers is copied at most


def lanes(program: Program) -> Program:
    """The program with the values that may lie so, if few of their numbers must be copied."""
    facts = Memory(program)
    changed = {v for v, root in facts.root.items() if root in facts.changed}
    fixed = facts.shown | changed | _places(program)
    laid: set[Value] = set()
    for i in program.instructions:
        y = made(i) if able(i) else None
        if y is not None and _fits(i, laid):
            batch = {*i.outputs} if i.method in ("max_pool", "fused") else {y}
            laid |= set() if batch & fixed else batch
    copied = _copied(program, laid)
    much = MOST * sum(prod(spec(v)[0]) for v in copied) > sum(prod(spec(v)[0]) for v in laid)
    if not laid or much or copied & changed:
        return program
    return replace(program, lanes=frozenset(laid))


def _fits(i: Instruction, laid: set[Value]) -> bool:
    """Whether what an instruction reads lies in lanes; of products and windows it need not."""
    found = [v in laid for v in batches(i) if isinstance(v, Value)]
    if i.method in ("binary", "fused"):
        return all(found) or (any(found) and len(spec(i.outputs[0])[0]) == 4)
    if i.method == "max_pool_grad":
        return found[1]
    return found[0] if i.method in LIKE else True


def _places(program: Program) -> set[Value]:
    """Positions of maxima that are read by others than the gradient of a pool that can be laid."""
    found = {i.outputs[1] for i in program.instructions if i.method == "max_pool"}
    read: set[Value] = set()
    for i in program.instructions:
        inner = i.method == "max_pool_grad" and able(i)
        read |= {v for v in i.inputs if not inner or v is not i.arguments[1]}
    return found & read


def _copied(program: Program, laid: set[Value]) -> set[Value]:
    """The values that are read in another order than they are laid in."""
    found: set[Value] = set()
    for i in program.instructions:
        inside = batches(i) if in_lanes(i, laid) else []
        for v in i.inputs:
            within = any(v is x for x in inside)
            if (v in laid) is not within and not (within and i.method in PRODUCTS):
                found.add(v)
    return found
