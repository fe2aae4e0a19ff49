"""Epilogues: what follows a product or a convolution is done while its result is in the cache.

epilogue    before    %2 = linear(%0, %1, %b)          after    %3 = linear(%0, %1, %b, 'relu')
                      %3 = unary('relu', %2)

scales      before    %2 = conv(%0, %1, None)          after    %5 = binary('mul', %1, %s)
                      %3 = binary('mul', %2, %s)                %4 = conv(%0, %5, %t)
                      %4 = binary('add', %3, %t)

The second is batch norm after training, a number s and a number t for each channel: numbers that
come out of a product can as well go into its weights, which rounds elsewhere. Where the weights are
constants, that is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from etude.backends.base import IN_PLACE, Instruction, Value

from ...graph.program import Program, spec
from .rewrite import SIGNATURES, Merged, finished, namer, readers

ACTIVATIONS = ("relu", "sigmoid", "tanh", "gelu")
PRODUCTS = ("matmul", "linear", "conv")
ACTIVATION = {name: SIGNATURES[name].index("activation") for name in ("linear", "conv")}
Found = dict[Value, Instruction]  # products that one instruction reads, by their results
Join = Callable[[Instruction, Found], "tuple[Value, list[Instruction]] | None"]


def epilogue(program: Program) -> Program:
    """Take the bias and the activation after a product into it."""
    return _joined(program, lambda i, found: _activated(i, found) or _biased(i, found))


def scales(program: Program) -> Program:
    """Take a factor and a shift for each channel after a product into its weights."""
    value, flat = namer(program), _flat(program)
    return _joined(program, lambda i, found: _scaled(i, found, flat, value))


def _joined(program: Program, join: Join) -> Program:
    """Replace a product and its one reader by what join makes of them, at the reader's place.

    Nothing is carried over a change in place: an optimizer may change the operands.
    """
    uses = readers(program)
    found: Found = {}
    gone: set[int] = set()
    made: list[Instruction] = []
    for i in program.instructions:
        if i.method in IN_PLACE:
            found.clear()
        joined = join(i, found) if i.method in ("unary", "binary") else None
        if joined is not None:
            gone.add(id(found.pop(joined[0])))
            made += joined[1]
            i = made.pop()
        made.append(i)
        if i.method in PRODUCTS and uses[i.outputs[0]] == 1:
            found[i.outputs[0]] = i
    return finished(program, [i for i in made if id(i) not in gone], {})


def _activation(i: Instruction) -> Any:
    """The activation that a product has, or None."""
    at = ACTIVATION.get(i.method, len(i.arguments))
    return i.arguments[at] if len(i.arguments) > at else None


def _activated(i: Instruction, found: Found) -> tuple[Value, list[Instruction]] | None:
    """An activation after linear or conv."""
    if i.method != "unary" or i.arguments[0] not in ACTIVATIONS or i.arguments[1] not in found:
        return None
    y = i.arguments[1]
    before = found[y]
    if before.method not in ACTIVATION or _activation(before) is not None:
        return None
    arguments = before.arguments[: ACTIVATION[before.method]]
    return y, [merged(before.method, (*arguments, i.arguments[0]), before, i)]


def _biased(i: Instruction, found: Found) -> tuple[Value, list[Instruction]] | None:
    """A sum with one number for each column, after a product of matrices or linear without bias."""
    if i.method != "binary" or i.arguments[0] != "add":
        return None
    for y, b in (i.arguments[1:3], i.arguments[2:0:-1]):
        before = found.get(y) if isinstance(y, Value) else None
        if before is None or before.method == "conv" or not isinstance(b, Value):
            continue
        x, w, *rest = before.arguments
        plain = rest == [False, True] if before.method == "matmul" else rest in ([None], [None] * 2)
        if plain and len(x.shape) == len(w.shape) == 2 and b.shape == y.shape[1:]:
            return y, [merged("linear", (x, w, b), before, i)]
    return None


def merged(method: str, arguments: tuple[Any, ...], *parts: Instruction) -> Instruction:
    """One instruction for the results of the last of several, at the cost of all."""
    scope = next((p.scope for p in parts if p.scope), "")
    return Instruction(method, arguments, parts[-1].outputs, Merged(method, *parts), scope)


def _flat(program: Program) -> dict[Value, Value]:
    """The vectors behind reshapes such as (C,) -> (1, C, 1, 1)."""
    reshapes = [i for i in program.instructions if i.method == "reshape"]
    return {i.outputs[0]: i.arguments[0] for i in reshapes if len(spec(i.arguments[0])[0]) == 1}


def _channel(v: Any, y: Value, flat: dict[Value, Value]) -> Value | None:
    """The vector with one number for each channel (axis 1) of y that v is, or None."""
    if not isinstance(v, Value):
        return None
    channels, rest = spec(y)[0][1], len(spec(y)[0]) - 2
    if v.shape == (1, channels, *(1,) * rest):
        return flat.get(v)
    return v if v.shape == (channels,) and not rest else None


def _scaled(
    i: Instruction, found: Found, flat: dict[Value, Value], value: Callable[[Any, Any], Value]
) -> tuple[Value, list[Instruction]] | None:
    """A factor or a sum for each channel, after linear or conv without activation."""
    if i.method != "binary" or i.arguments[0] not in ("mul", "add"):
        return None
    name, *operands = i.arguments
    y, v = operands[:2] if operands[0] in found else operands[1::-1]
    before = found.get(y) if isinstance(y, Value) else None
    s = None if before is None else _channel(v, y, flat)
    if before is None or s is None or before.method == "matmul" or _activation(before) is not None:
        return None
    x, w, b, *rest = before.arguments
    extra: list[Instruction] = []

    def emit(method: str, arguments: tuple[Any, ...], shape: Any) -> Value:
        cost = Merged(method, more=prod(shape) * (method == "binary"))
        extra.append(Instruction(method, arguments, (value(shape, y.dtype),), cost, i.scope))
        return extra[-1].outputs[0]

    if name == "add":
        b = s if b is None else emit("binary", ("add", b, s), s.shape)
        return y, [*extra, merged(before.method, (x, w, b, *rest), before, i)]
    if prod(w.shape) > prod(y.shape or ()):
        return None
    shape = (*spec(s)[0], *(1,) * (len(w.shape) - 1))
    w = emit("binary", ("mul", w, emit("reshape", (s, shape), shape)), w.shape)
    b = b if b is None else emit("binary", ("mul", b, s), s.shape)
    last = merged(before.method, (x, w, b, *rest), before, i)
    last.op = before.op
    return y, [*extra, last]
