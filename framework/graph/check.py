"""Whether an instruction is one that every backend can run: its method, arguments, and results.

Programs that etude records are, because ops check their inputs. A program from a file need not be,
and kernels trust what they are given. Argument by argument the contract's own annotations say what
may come; forms.py and rules.py say how shapes go together, and so what shapes the results have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from inspect import Parameter, signature
from math import prod
from typing import Any

from etude.backends.base import RANDOM, Backend, Expression, Value

from ..shape import MOST
from .forms import FORMS, Misfit, Spec, fit, need, one_dtype, typed
from .rules import KINDS, RULES

MOST_AXES = 64  # as in NumPy, and what the C kernels have room for
FAR = 2**62  # beyond any position, and still a whole number to a kernel

# What the plain arguments of some methods are chosen from.
CHOICES: dict[tuple[str, str], tuple[Any, ...]] = {
    ("linear", "activation"): (None, "relu", "sigmoid", "tanh", "gelu"),
    ("conv", "activation"): (None, "relu", "sigmoid", "tanh", "gelu"),
    ("bias_activation", "name"): tuple(name for name, kind in KINDS.items() if kind != "bool"),
    ("rnn", "name"): ("tanh", "relu"),
    ("rnn_grad", "name"): ("tanh", "relu"),
    ("reduce", "name"): ("sum", "prod", "max", "min", "any", "all"),
    ("arg_reduce", "name"): ("argmax", "argmin"),
    ("scan", "name"): ("cumsum", "cumprod"),
}
LEAST = {"size": 1, "rows": 0}


def _int(x: Any) -> bool:
    return type(x) is int and -FAR < x < FAR


def _size(x: Any) -> bool:
    return _int(x) and 0 <= x < MOST


def _number(x: Any) -> bool:
    return isinstance(x, (int, float))


def _several(x: Any, one: Callable[[Any], bool], most: float = float("inf")) -> bool:
    return isinstance(x, (tuple, list)) and len(x) <= most and all(map(one, x))


def _pair(x: Any) -> bool:
    return _several(x, _size) and len(x) == 2


def _value(x: Any) -> bool:
    return isinstance(x, Value)


def _values(x: Any) -> bool:
    return _several(x, _value) and len(x) > 0


def _bools(x: Any) -> bool:
    return _several(x, lambda b: isinstance(b, bool)) and len(x) == 3


def _text(x: Any) -> bool:
    return isinstance(x, str)


# The contract's annotations, and what may stand there.
TAKES: dict[str, Callable[[Any], bool]] = {
    "Buffer": _value,
    "Buffer | None": lambda x: x is None or _value(x),
    "Buffer | Number": lambda x: _value(x) or _number(x),
    "Sequence[Buffer]": _values,
    "list[Buffer]": _values,
    "Number": _number,
    "Shape": lambda x: _several(x, _size, MOST_AXES),
    "Sequence[int]": lambda x: _several(x, _int, MOST_AXES),
    "Pairs": lambda x: _several(x, _pair, MOST_AXES),
    "tuple[bool, bool, bool]": _bools,
    "bool": lambda x: isinstance(x, bool),
    "int": _int,
    "float": lambda x: isinstance(x, float) or _int(x),
    "str": _text,
    "str | None": lambda x: x is None or _text(x),
    "Expression": lambda x: isinstance(x, Expression),
}


@cache
def parameters(method: str) -> dict[str, Parameter]:
    """The arguments of a method of the contract, without self and out."""
    found = dict(signature(getattr(Backend, method)).parameters)
    return {name: p for name, p in found.items() if name not in ("self", "out", "outs")}


def refusal(method: str) -> str:
    """Why a method cannot be part of an inference program, or nothing if it can."""
    if method in RANDOM:
        return "it draws random numbers"
    if method in FORMS or method in RULES:
        return ""
    if not method.startswith("_") and callable(getattr(Backend, method, None)):
        return "it changes memory in place or is no computation"
    return "there is no such method; a newer etude may have it"


def infer(method: str, arguments: Sequence[Any]) -> list[Spec]:
    """Shape and dtype of each result of an instruction. Raises Misfit if it is not a good one."""
    reason = refusal(method)
    if reason:
        raise Misfit(reason)
    known = parameters(method)
    least = sum(p.default is Parameter.empty for p in known.values())
    count = len(arguments)
    need(least <= count <= len(known), f"{least} to {len(known)} arguments", count)
    buffers: list[Any] = []
    for (name, p), given in zip(known.items(), arguments, strict=False):
        kind = str(p.annotation)
        need(TAKES[kind](given), f"{name} as {kind}", repr(given)[:80])
        if (method, name) in CHOICES:
            choices = CHOICES[method, name]
            need(given in choices, f"{name} among {', '.join(map(str, choices))}", repr(given)[:80])
        if kind.startswith("Buffer"):
            buffers.append(given)
        if name == "axis":
            shape, _ = typed(arguments[0][0] if method == "cat" else buffers[0])
            need(0 <= given < len(shape), f"an axis of {shape}", given)
        if name in LEAST:
            need(LEAST[name] <= given < MOST, f"{name} from {LEAST[name]}", given)
    if method == "linear" and len(arguments) > 3 and arguments[3] is not None:
        one_dtype(*buffers)
    made = fit(FORMS[method], buffers) if method in FORMS else RULES[method](*arguments)
    for shape, _ in made:
        need(len(shape) <= MOST_AXES, f"at most {MOST_AXES} axes", len(shape))
        need(prod(n for n in shape if n) < MOST, "a result that fits into memory", shape)
    return made
