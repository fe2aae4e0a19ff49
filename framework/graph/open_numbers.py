"""Numbers that stay open while code is recorded: learning rates, counts of steps.

They stand in for the plain numbers of parameter groups. Arithmetic on them gives others that are
computed anew at each run (`lr / (1 + (step - 1) * lr_decay)`); a test of one (`if momentum:`) is
remembered, for the recording is good only as long as it comes out the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from etude.backends.base import Formula, Knob, Part

from ..capturing import capturing

COMPUTED = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "radd", "rsub", "rmul"),
    *("rtruediv", "rfloordiv", "rmod", "rpow", "neg", "pos", "abs"),
)
TESTED = ("eq", "ne", "lt", "le", "gt", "ge", "bool", "int", "float", "index", "trunc", "round")


class Real(float):
    """A float that is read again at each run."""

    knob: Knob


class Count(int):
    """A whole number that is read again at each run; counted up it stays one."""

    knob: Knob


def opened(value: Any, knob: Knob) -> Any:
    """The number as one that `knob` reads again."""
    made = Count(value) if isinstance(value, int) else Real(value)
    made.knob = knob
    return made


def open_number(owner: dict[str, Any], key: str) -> Any:
    """The number, or the few numbers, at a key of a group, open; None if it is something else."""
    value = owner[key]
    if type(value) in (int, float):
        return opened(value, Knob(owner, key))
    if type(value) in (tuple, list) and value and all(type(v) in (int, float) for v in value):
        return type(value)(opened(v, Part(owner, (key, i))) for i, v in enumerate(value))
    return None


def is_open(value: Any) -> bool:
    """Whether a number is read again at each run."""
    return isinstance(value, (Real, Count))


def plain(value: Any) -> Any:
    """An open number as it is now."""
    if isinstance(value, Real):
        return float.__pos__(value)
    return int.__pos__(value) if isinstance(value, Count) else value


def _known(operands: tuple[Any, ...]) -> bool:
    return all(isinstance(x, (int, float)) for x in operands)


def _formula(name: str, operands: tuple[Any, ...]) -> tuple[Any, Formula]:
    if name.startswith("r") and name != "round":
        name, operands = name[1:], operands[::-1]
    function: Any = getattr(operator, name, None) or {
        "bool": bool, "int": int, "float": float, "trunc": int, "round": round,
    }[name]  # fmt: skip
    parts = tuple(getattr(x, "knob", x) for x in operands)
    return function(*map(plain, operands)), Formula(function, parts)


def _computed(name: str) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        if not _known(others):
            return NotImplemented
        knob = self.knob
        if name in ("add", "radd") and type(knob) is Knob and type(others[0]) is int:
            return opened(
                plain(self) + others[0], Knob(knob.owner, knob.key, knob.ahead + others[0])
            )
        value, formula = _formula(name, (self, *others))
        return opened(value, formula)

    return method


def _tested(name: str) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        if not _known(others):
            return NotImplemented
        value, formula = _formula(name, (self, *others))
        capture = capturing.get()
        if capture is not None:
            capture.expect(formula, value)
        return value

    return method


for _kind, _base in ((Real, float), (Count, int)):
    for _name in COMPUTED:
        setattr(_kind, f"__{_name}__", _computed(_name))
    for _name in TESTED:
        if hasattr(_base, f"__{_name}__"):
            setattr(_kind, f"__{_name}__", _tested(_name))
    _kind.__hash__ = _base.__hash__  # type: ignore[method-assign]
