"""Saving and loading an optimizer's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..creation import tensor
from ..errors import EtudeError, StateMismatch, fail
from ..tensor import Tensor

if TYPE_CHECKING:
    from .optimizer import Optimizer


def save(optimizer: Optimizer) -> dict[str, Any]:
    """`Optimizer.state_dict`: parameters are numbered through all groups."""
    numbers: dict[int, int] = {}
    groups = []
    for group in optimizer.param_groups:
        for p in group["params"]:
            numbers[id(p)] = len(numbers)
        groups.append({**group, "params": [numbers[id(p)] for p in group["params"]]})
    state = {numbers[id(p)]: dict(found) for p, found in optimizer.state.items()}
    return {"state": state, "param_groups": groups}


def load(optimizer: Optimizer, given: Any) -> None:
    """`Optimizer.load_state_dict`."""
    if not isinstance(given, Mapping) or not {"state", "param_groups"} <= set(given):
        raise _bad(optimizer, "expected {'state': ..., 'param_groups': ...}, as state_dict() gives")
    own, groups = optimizer.param_groups, given["param_groups"]
    if any("params" not in group for group in groups):
        raise _bad(optimizer, "a group lacks its 'params'")
    sizes = [len(g["params"]) for g in own], [len(g["params"]) for g in groups]
    if sizes[0] != sizes[1]:
        raise _bad(
            optimizer,
            f"expected groups of {sizes[0]} parameters, got {sizes[1]}; build the "
            "optimizer on the same model with the same groups",
        )
    fresh = []
    for mine, theirs in zip(own, groups, strict=True):
        fresh.append({**mine, **_options(optimizer, mine, theirs)})
        optimizer.check(fresh[-1])
    by_number = {
        n: p
        for mine, theirs in zip(own, groups, strict=True)
        for n, p in zip(theirs["params"], mine["params"], strict=True)
    }
    state = {}
    for number, values in given["state"].items():
        if int(number) not in by_number:
            raise _bad(optimizer, f"it holds a state for parameter {number}, which no group has")
        p = by_number[int(number)]
        state[p] = {key: _value(optimizer, key, value, p) for key, value in values.items()}
    optimizer.state = state
    for mine, new in zip(own, fresh, strict=True):
        mine.update(new)


def _options(optimizer: Optimizer, mine: dict[str, Any], theirs: Any) -> dict[str, Any]:
    """The options that this optimizer has too; torch saves others, of which some must be off."""
    found = {}
    for key, value in theirs.items():
        if key in mine or key == "initial_lr":
            found[key] = tuple(value) if isinstance(value, list) else value
        elif bool(value) != optimizer.foreign.get(key, bool(value)):
            raise _bad(optimizer, f"its option {key}={value!r} has no counterpart here")
    found.pop("params", None)
    return found


def _value(optimizer: Optimizer, key: str, value: Any, p: Tensor) -> Any:
    """A state tensor of its own beside p; a count as a whole number."""
    if value is None or isinstance(value, (int, float)):
        return value
    if hasattr(value, "__array__") and not isinstance(value, Tensor):
        value = value.__array__()
    try:
        t = tensor(value)
    except EtudeError as error:
        raise _bad(optimizer, f"cannot read {key!r}: {error}") from error
    if key == "step":
        return int(t.item())
    if t.shape != p.shape:
        raise _bad(optimizer, f"expected {key} {p.shape}, as its parameter, got {t.shape}")
    return t.to(p.backend, dtype=p.dtype)


def _bad(optimizer: Optimizer, message: str) -> EtudeError:
    return fail(
        StateMismatch, "load_state_dict", f"the state does not fit {optimizer.name}: {message}"
    )
