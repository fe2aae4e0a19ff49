"""What an instruction is called with, and what a function returns, as strict JSON and back.

Numbers, text and None are themselves, but for {"number": "nan"}, "inf" and "-inf". Lists and tuples
are lists, and come back as tuples where no value is among them. A value is {"value": 3}, a tensor
of the result {"output": 0}, and the result's tuples and dicts are {"tuple": [...]} and
{"dict": {...}}. An expression is {"inputs": ..., "steps": ..., "results": ..., "reduce": ...}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from etude.backends.base import Constant, Expression, Register, Step, Value

from ..errors import ArgumentError, fail
from ..graph.forms import Misfit, need
from ..guard import came

NUMBERS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


class Output(int):
    """The place of a result that is to be filled in."""


def pack(argument: Any) -> Any:
    """An argument of an instruction as JSON."""
    if isinstance(argument, Value):
        return {"value": argument.number}
    if isinstance(argument, Expression):
        return _pack_expression(argument)
    if isinstance(argument, (tuple, list)):
        return [pack(a) for a in argument]
    if isinstance(argument, float) and not isfinite(argument):
        return {"number": repr(float(argument))}
    return argument


def unpack(data: Any, values: Mapping[int, Value]) -> Any:
    """The opposite of `pack`, with the values that exist so far by number."""
    if isinstance(data, list):
        parts = [unpack(d, values) for d in data]
        return parts if any(isinstance(p, Value) for p in parts) else tuple(parts)
    if not isinstance(data, dict):
        return data
    if data.keys() == {"value"}:
        return lookup(data["value"], values)
    if data.keys() == {"number"}:
        return _number(data)
    return _unpack_expression(data)


def lookup(number: Any, values: Mapping[int, Value]) -> Value:
    """The value of a number. Raises Misfit if there is none yet."""
    if type(number) is not int or number not in values:
        raise Misfit(f"expected a value that exists by then, got %{str(number)[:40]}")
    return values[number]


def _number(data: Any) -> Any:
    if not isinstance(data, dict):
        need(isinstance(data, (int, float)), "a number", str(data)[:40])
        return data
    name = data.get("number")
    need(isinstance(name, str) and name in NUMBERS, f"one of {', '.join(NUMBERS)}", name)
    return NUMBERS[data["number"]]


def _pack_expression(e: Expression) -> dict[str, Any]:
    steps = [
        [
            s.kind,
            s.name,
            [
                {"register": o.index} if isinstance(o, Register) else pack(o.value)
                for o in s.operands
            ],
            s.dtype,
        ]
        for s in e.steps
    ]
    return {"inputs": e.inputs, "steps": steps, "results": e.results, "reduce": e.reduce}


def _unpack_expression(data: dict[str, Any]) -> Expression:
    """An expression, which checks itself once its parts are of the types that they should be."""
    need(data.keys() == {"inputs", "steps", "results", "reduce"}, "an expression", sorted(data))
    steps = tuple(
        Step(_text(kind), _text(name), tuple(map(_operand, _list(operands))), _text(dtype))
        for kind, name, operands, dtype in map(_list, _list(data["steps"]))
    )
    reduce = data["reduce"]
    if reduce is not None:
        name, axes = _list(reduce)
        reduce = _text(name), tuple(map(whole, _list(axes)))
    inputs = tuple(map(_text, _list(data["inputs"])))
    return Expression(inputs, steps, tuple(map(whole, _list(data["results"]))), reduce)


def _operand(data: Any) -> Register | Constant:
    if isinstance(data, dict) and data.keys() == {"register"}:
        return Register(whole(data["register"]))
    return Constant(_number(data))


def _list(data: Any) -> list[Any]:
    need(isinstance(data, list), "a list", came(data))
    return list(data)


def _text(data: Any) -> str:
    need(isinstance(data, str), "text", came(data))
    return str(data)


def whole(data: Any) -> int:
    """A whole number from 0, and no bool."""
    need(type(data) is int and 0 <= data < 2**62, "a whole number", str(data)[:40])
    return int(data)


# results ------------------------------------------------------------------------------------------
def pack_result(value: Any) -> Any:
    """What a function returned, with Outputs in the places of its tensors, as JSON."""
    if isinstance(value, Output):
        return {"output": int(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return pack(value)
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: pack_result(v) for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        parts = [pack_result(v) for v in value]
        return {"tuple": parts} if isinstance(value, tuple) else parts
    raise fail(
        ArgumentError,
        "save",
        "expected a function that returns Tensors, numbers, text, None, and dicts, lists and "
        f"tuples of them, got {came(value)}; return the tensors alone",
    )


def unpack_result(data: Any, count: int) -> Callable[[Sequence[Any]], Any]:
    """A function that puts `count` tensors into their places."""
    if isinstance(data, list):
        parts = [unpack_result(d, count) for d in data]
        return lambda tensors: [p(tensors) for p in parts]
    if not isinstance(data, dict):
        return lambda tensors: data
    need(len(data) == 1, "an output, a tuple or a dict", sorted(data))
    ((kind, content),) = data.items()
    if kind == "output":
        need(whole(content) < count, f"an output below {count}", content)
        return lambda tensors: tensors[content]
    if kind == "number":
        number = _number(data)
        return lambda tensors: number
    if kind == "tuple":
        listed = unpack_result(_list(content), count)
        return lambda tensors: tuple(listed(tensors))
    need(kind == "dict" and isinstance(content, dict), "an output, a tuple or a dict", kind)
    named = {k: unpack_result(v, count) for k, v in content.items()}
    return lambda tensors: {k: p(tensors) for k, p in named.items()}
