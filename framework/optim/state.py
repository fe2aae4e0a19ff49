"""Saving and loading an optimizer's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..creation import tensor
from ..errors import EtudeError, StateMismatch, fail
from ..guard import came
from ..tensor import Tensor

if TYPE_CHECKING:
    from .optimizer import Optimizer

OWN = "pass what state_dict() returned"


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
        raise _bad(optimizer, came(given))
    pairs = _paired(optimizer, given["param_groups"])
    fresh = [{**mine, **_options(optimizer, mine, theirs)} for mine, theirs in pairs]
    for group in fresh:
        optimizer.check(group)
    by_number = {
        n: p
        for mine, theirs in pairs
        for n, p in zip(theirs["params"], mine["params"], strict=True)
    }
    state = {}
    for number, values in given["state"].items():
        if int(number) not in by_number:
            raise _bad(optimizer, f"a state for parameter {number}, which is in no group")
        p = by_number[int(number)]
        state[p] = {key: _value(optimizer, key, value, p) for key, value in values.items()}
    optimizer.state = state
    for (mine, _), new in zip(pairs, fresh, strict=True):
        mine.update(new)


def _paired(optimizer: Optimizer, groups: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(own group, saved group), which must hold as many parameters each."""
    own = optimizer.param_groups
    if any("params" not in group for group in groups):
        raise _bad(optimizer, "a group without 'params'")
    sizes = [len(g["params"]) for g in own], [len(g["params"]) for g in groups]
    if sizes[0] != sizes[1]:
        fix = "build it on the same model with the same groups"
        raise _bad(optimizer, f"groups of {sizes[1]} parameters for {sizes[0]}", fix)
    return list(zip(own, groups, strict=True))


def _options(optimizer: Optimizer, mine: dict[str, Any], theirs: Any) -> dict[str, Any]:
    """The options that this optimizer has too; torch saves others, of which some must be off."""
    theirs = {**{k: v for k, v in optimizer.own.items() if k in mine}, **theirs}
    absent = [key for key in optimizer.defaults if key not in theirs and key != "maximize"]
    if absent:
        raise _bad(optimizer, f"no option {absent[0]!r}", "load it into the optimizer it came from")
    found = {}
    for key, value in theirs.items():
        if key in mine or key == "initial_lr":
            found[key] = tuple(value) if isinstance(value, list) else value
        elif bool(value) != optimizer.foreign.get(key, bool(value)):
            raise _bad(optimizer, f"{key}={value!r}", "that option has no counterpart here")
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
    except EtudeError:
        raise _bad(optimizer, came(value)) from None
    if key == "step":
        return int(t.item())
    if t.shape != p.shape:
        raise _bad(optimizer, f"values {t.shape} for a parameter {p.shape}")
    return t.to(p.backend, dtype=p.dtype)


def _bad(optimizer: Optimizer, got: str, fix: str = OWN) -> EtudeError:
    return fail(
        StateMismatch,
        "load_state_dict",
        f"expected the state of {optimizer.name}, got {got}; {fix}",
    )
