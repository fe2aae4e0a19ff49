"""What torch's functions take, by Python's introspection or the first lines of the docstring."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

REQUIRED = inspect.Parameter.empty


class Parameter(NamedTuple):
    """A named parameter; `order` counts those that may be given by position."""

    default: Any
    order: int | None


Parameters = dict[str, Parameter]

# Where the values go and what they are kept in is not asked in etude, or is said in another way.
NOT_TAKEN = {"out", "inplace", "layout", "device", "memory_format", "pin_memory", "sparse_grad"}
DEPRECATED = {"size_average", "reduce", "_stacklevel"}
OURS = {"backend", "generator", "requires_grad", "dtype"}  # taken wherever it makes sense


def of(function: Callable[..., Any]) -> tuple[Parameters, bool]:
    """The named parameters, and whether any number of others may come."""
    parameters = inspect.signature(function).parameters.values()
    wild = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {
        p.name: Parameter(p.default, None if p.kind == p.KEYWORD_ONLY else i)
        for i, p in enumerate(named)
    }, wild


def overloads(name: str) -> list[Parameters]:
    """Every signature under which torch has a function of this name."""
    import torch

    found = []
    for place in (torch.nn.functional, torch):
        function = getattr(place, name, None)
        if function is None:
            continue
        lines = re.findall(
            rf"^(?:\.\. function::)?\s*{name}\((.*?)\)\s*->", function.__doc__ or "", re.M
        )
        found += [parsed(line) for line in lines]
        try:
            parameters, wild = of(function)
        except (TypeError, ValueError):
            continue
        if not wild:
            found.append(parameters)
    return found + schemas(name) if found else []


def schemas(name: str) -> list[Parameters]:
    """What the operator of this name takes, in each of its forms."""
    import torch

    packet = getattr(torch.ops.aten, name, None)
    if packet is None:
        return []
    found = []
    for form in packet.overloads():
        arguments = getattr(packet, form)._schema.arguments
        found.append(
            {
                "input" if a.name == "self" else a.name: Parameter(
                    a.default_value if a.has_default_value() else REQUIRED,
                    None if a.kwarg_only else order,
                )
                for order, a in enumerate(arguments)
            }
        )
    return found


def parsed(line: str) -> Parameters:
    """The parameters in a line such as `input: Tensor, dim=None, *, out=None`."""
    found: Parameters = {}
    order: int | None = 0
    for part in re.split(r",\s*(?![^\[(]*[\])])", line.replace("\\", "")):
        name, _, default = part.partition("=")
        name = name.partition(":")[0].strip()
        if name == "*":
            order = None
        elif name.isidentifier():
            found[name] = Parameter(literal(default.strip()) if default else REQUIRED, order)
            order = None if order is None else order + 1
    return found


def literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None  # torch.strided and the like


def complaints(ours: Parameters, torch: Parameters, known: set[str]) -> list[str]:
    """What differs from one of torch's signatures; one function of ours may stand for several."""
    theirs = [name for name in torch if name not in NOT_TAKEN | DEPRECATED]
    common = [name for name in theirs if name in ours]
    found = [f"lacks {name}" for name in theirs if name not in ours and name not in OURS]
    extra = [name for name in ours if name not in known | OURS | NOT_TAKEN]
    found += [f"has {name}" for name in extra]
    by_position = [name for name in common if torch[name].order is not None]
    if any(ours[name].order is None for name in by_position) or by_position != sorted(
        by_position, key=lambda name: ours[name].order or 0
    ):
        found.append(f"does not take {by_position} by position")
    for name in common:
        mine, other = ours[name].default, torch[name].default
        mine = list(mine) if isinstance(mine, tuple) else mine
        if mine != other and other is not REQUIRED and name not in OURS:
            found.append(f"has {name}={mine!r}, not {other!r}")
    return found
