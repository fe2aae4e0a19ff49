"""Constant folding: what is known before the first run is settled then.

before    %1 = full((), 1.0)                      after    %4 = binary('mul', %0, 0.25)
          %2 = binary('div', %1, 4.0)                      return %4
          %3 = expand(%2, (8,))
          %4 = binary('mul', %0, %3)
          return %4

A value filled with one number stays that through reshapes, copies and exact arithmetic, and an
elementwise function takes the number itself. x * 1, x / 1, x - 0 and, on integers, x + 0 are x.
Given a backend, work on constants alone is done once, on that backend: its results are constants.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import isfinite, prod
from operator import add, mul, sub, truediv
from typing import Any

from etude.backends.base import RANDOM, Backend, Instruction, Knob, Value

from ...graph.lives import Memory, out_of
from ...graph.program import Program, spec
from ...graph.rewrite import Names, rewritten
from .dead import dead

EXACT: dict[str, Callable[[Any, Any], Any]] = {"add": add, "sub": sub, "mul": mul, "div": truediv}
SPREAD = ("reshape", "strided", "transpose", "expand")  # of equal numbers: the same numbers
NEUTRAL = {"mul": 1, "div": 1, "sub": 0}  # as the second operand
LARGEST = 1 << 16  # elements of a constant that is made here


def fold(program: Program, backend: Backend | None = None) -> Program:
    """Put numbers for values that hold one number only, and constants for work on constants."""
    facts = Memory(program)
    known: dict[Value, Any] = {}
    constants = dict(program.constants)

    def rule(i: Instruction, names: Names) -> Iterable[Instruction]:
        if len(i.outputs) != 1 or out_of(i) is not None or i.method in RANDOM:
            return (i,)
        y = i.outputs[0]
        if facts.root[y] in facts.changed:
            return (i,)
        x = _unchanged(i)
        if x is not None and facts.merge(y, x):
            names[y] = x
            return ()
        number = _number(i, known)
        if number is not None:
            known[y] = number
            shape, dtype = spec(y)
            filled = Instruction("full", (shape, number, dtype), i.outputs, None, i.scope)
            return (i if i.method == "full" else filled,)
        made = None if backend is None else _computed(i, backend, constants, known)
        if made is not None:
            constants[y] = made
            return ()
        return (_with_numbers(i, known),)

    found = rewritten(program, rule)
    if len(constants) > len(program.constants):
        found.constants = constants
    return found if found is program else dead(found)


def stored(number: Any, dtype: Any) -> Any:
    """A number as a buffer of that dtype holds it, or None where that depends on the backend."""
    if dtype == "bool":
        return bool(number)
    if dtype in ("int32", "int64"):
        bits = 31 if dtype == "int32" else 63
        fits = isfinite(number) and -(2**bits) <= number < 2**bits
        return int(number) if fits else None
    try:
        return struct.unpack(dtype.code, struct.pack(dtype.code, number))[0]
    except OverflowError:
        return None


def _number(i: Instruction, known: dict[Value, Any]) -> Any:
    """The one number that all elements of the result are, or None."""
    dtype = spec(i.outputs[0])[1]
    exact = i.method == "binary" and i.arguments[0] in EXACT and dtype != "bool"
    if not exact and i.method not in ("full", "cast", *SPREAD):
        return None
    where = {"binary": slice(1, 3), "full": slice(1, 2)}.get(i.method, slice(0, 1))
    numbers = [known.get(a) if isinstance(a, Value) else a for a in i.arguments[where]]
    if any(a is None or isinstance(a, Knob) for a in numbers):
        return None
    numbers = [stored(a, dtype) for a in numbers]
    if not exact or None in numbers:
        return None if None in numbers else numbers[0]
    inexact = i.arguments[0] == "div" and (not numbers[1] or isinstance(numbers[1], int))
    return None if inexact else stored(EXACT[i.arguments[0]](*numbers), dtype)


def _unchanged(i: Instruction) -> Value | None:
    """The operand that the result of arithmetic with 0 or 1 equals, or None."""
    if i.method != "binary":
        return None
    name, x, n = i.arguments[:3]
    if not isinstance(x, Value) or isinstance(n, (Value, Knob)):
        return None
    whole = x.dtype in ("int32", "int64")  # of floats, -0.0 + 0 is 0.0
    neutral = 0 if name == "add" and whole else NEUTRAL.get(name)
    return x if neutral is not None and n == neutral and str(n) != "-0.0" else None


def _with_numbers(i: Instruction, known: dict[Value, Any]) -> Instruction:
    """An elementwise function with a number for one operand, if the others keep its shape."""
    given = i.arguments
    if i.method in ("binary", "where") and all(isinstance(a, Value) for a in given[1:3]):
        for place in (2, 1):
            others = [*given[:place], *given[place + 1 :]]
            shapes = [v.shape for v in others if isinstance(v, Value)]
            if given[place] in known and i.outputs[0].shape in shapes:
                number = known[given[place]]
                return replace(i, arguments=(*given[:place], number, *given[place + 1 :]))
    return i


def _computed(
    i: Instruction, backend: Backend, constants: dict[Value, Any], known: dict[Value, Any]
) -> Any:
    """The result of an instruction as a constant, or None if it is too large or not known yet."""
    inputs = i.inputs
    if not inputs or not all(v in constants or v in known for v in inputs):
        return None
    shape, dtype = spec(i.outputs[0])
    if prod(shape) > LARGEST or any(isinstance(a, Knob) for a in i.arguments):
        return None

    def buffer(a: Any) -> Any:
        if isinstance(a, (list, tuple)):
            return type(a)(map(buffer, a))
        if not isinstance(a, Value):
            return a
        if a in constants:
            return backend.from_host(*constants[a])
        return backend.full(a.shape or (), known[a], str(a.dtype))

    try:
        data = backend.to_host(getattr(backend, i.method)(*map(buffer, i.arguments)))
    except IndexError:  # it is raised when the program runs, as it is in eager code
        return None
    return memoryview(bytes(data)).cast(data.format), shape, str(dtype)  # type: ignore[call-overload]
