"""Programs in words for people: values by name, functions nested, plain arguments left out.

%23: float32[64, 6, 28, 28] = conv(input0, conv1.weight, conv1.bias, activation='relu')
%9: float32[16] = add(mul(bn1.running_mean, 0.9), mul(%4, 0.1))        one fused call
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from etude.backends.base import Backend, Expression, Instruction, Register, Value

from ..graph.program import Program, declared

NAMED = ("unary", "binary", "reduce", "arg_reduce", "scan")  # whose first argument says what
MOST = 4  # parts of a list that are shown
Namer = Callable[[Value], str]


def namer(program: Program) -> Namer:
    """What values are called: inputs and state by name, others by number."""
    names = {v: f"input{at}" for at, v in enumerate(program.inputs)}
    names |= {s.first: s.name for s in program.state}
    return lambda v: names.get(v, repr(v))


def line(i: Instruction, name: Namer) -> str:
    """One instruction on one line."""
    made = [declared(v) for v in i.outputs]
    if len(made) > MOST:
        made = [*made[:MOST], f"... {len(made) - MOST} more"]
    call = _fused(i, name) if i.method == "fused" else _call(i, name)
    text = f"{', '.join(made)} = {call}" if made else call
    scope = i.scope
    if i.forward is not None and not scope and i.forward.scope:
        scope = f"gradient of {i.forward.scope}"
    return f"{text}  # {scope}" if scope else text


def _call(i: Instruction, name: Namer) -> str:
    contract = list(signature(getattr(Backend, i.method)).parameters.values())[1:]
    method, shown = i.method, []
    for p, a in zip(contract, i.arguments, strict=False):
        if i.method in NAMED and p is contract[0]:
            method = a
        elif i.method == "cast" and p.name == "dtype":
            method = f"to_{a}"
        elif not _plain(p.name, a, p.default):
            text = _argument(a, name)
            shown.append(text if _is_value(a) or i.method in NAMED else f"{p.name}={text}")
    return f"{method}({', '.join(shown)})"


def _plain(key: str, a: Any, default: Any) -> bool:
    """Whether an argument says nothing: as usual, or absent."""
    if key == "needs":
        return all(a)
    usual = {"stride": 1, "dilation": 1, "groups": 1, "padding": 0}
    if key in usual and key != "groups":
        flat = [n for part in a for n in (part if isinstance(part, tuple) else (part,))]
        return all(n == usual[key] for n in flat)
    return a is None or a is False or (key == "groups" and a == 1) or a is default or a == default


def _is_value(a: Any) -> bool:
    parts = a if isinstance(a, (list, tuple)) and a else (a,)
    return all(isinstance(v, Value) for v in parts)


def _argument(a: Any, name: Namer) -> str:
    if isinstance(a, Value):
        return name(a)
    if isinstance(a, (list, tuple)) and any(isinstance(v, Value) for v in a):
        return _listed(["-" if v is None else name(v) for v in a])
    return str(a) if isinstance(a, Expression) else repr(a)


def _listed(parts: Sequence[str]) -> str:
    if len(parts) > MOST:
        parts = [*parts[: MOST - 1], f"... {len(parts) - MOST + 1} more"]
    return f"[{', '.join(parts)}]"


def _fused(i: Instruction, name: Namer) -> str:
    """The expression of a fused call: what one step alone reads is written into it."""
    e, inputs, _ = i.arguments
    results = dict(zip(e.results, i.outputs, strict=True))
    reduced = e.results[-1] if e.reduce else None
    reads = [r.index for s in e.steps for r in s.operands if isinstance(r, Register)]
    text = {at: name(v) for at, v in enumerate(inputs)}
    parts: list[str] = []
    for at, step in enumerate(e.steps, len(inputs)):
        shown = [text[o.index] if isinstance(o, Register) else o.text for o in step.operands]
        call = f"{'to_' * (step.kind == 'cast')}{step.name}({', '.join(shown)})"
        if at == reduced:
            call = f"{e.reduce[0]}({call}, axes={e.reduce[1]})"
        alone = len(e.results) == 1
        if at in results and not (alone and reads.count(at) == 0):
            text[at] = name(results[at])
            parts.append(f"{text[at]} = {call}")
        elif reads.count(at) > 1 and len(call) > 24:
            text[at] = f"t{at - len(inputs)}"
            parts.append(f"{text[at]} = {call}")
        else:
            text[at] = call
            if at in results:
                parts.append(call)
    if len(parts) > MOST:
        parts = [*parts[:MOST], f"... {len(parts) - MOST} more"]
    return f"one {'generated ' * e.generated}call: {'; '.join(parts)}"
