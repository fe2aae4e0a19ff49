"""Cases of the elementwise functions of two or three tensors, with broadcasting and promotion."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import ALL, FLOATS, INTEGERS, NUMBERS, Case, Draw, apart, bools, exactly, t


def fmod(a: Any, b: Any) -> Any:
    return np.where(np.isfinite(a) & np.isinf(b), a, np.fmod(a, b))


def binary(
    name: str, oracle: Any, a: Draw | None = None, b: Draw | None = None, **more: Any
) -> Case:
    more = {"dtypes": FLOATS, "elementwise": True, **more}
    return Case(name, [a or t(3, 5), b or t(3, 5)], oracle, **more)


RANKS = ("bool", "int32", "int64", "float32", "float64")
POSITIVE = t(3, 5, low=0.3, high=3.0)
WHOLE_NOT_0 = exactly([[3, -2, 1, 2, -3], [-1, 3, 2, -2, 1], [2, 1, -3, -1, 3]])

SAME_SHAPE = [
    binary("add", np.add, dtypes=NUMBERS),
    binary("sub", np.subtract, dtypes=NUMBERS),
    binary("mul", np.multiply, dtypes=NUMBERS),
    binary("div", np.true_divide, b=POSITIVE),
    binary("floor_divide", np.floor_divide, a=apart(3, 5), b=POSITIVE, grad=False),
    binary("remainder", np.remainder, a=apart(3, 5), b=POSITIVE),
    binary("fmod", np.fmod, a=apart(3, 5), b=POSITIVE),
    binary("pow", np.power, a=POSITIVE),
    binary("maximum", np.maximum, apart(3, 5), apart(3, 5, low=-1.9), dtypes=NUMBERS),
    binary("minimum", np.minimum, apart(3, 5), apart(3, 5, low=-1.9), dtypes=NUMBERS),
    binary("atan2", np.arctan2, apart(3, 5), apart(3, 5)),
    Case(
        "atan2 at the origin", [exactly([0.0, 0.0]), exactly([0.0, -1.0])], np.arctan2, smooth=False
    ),
    binary("hypot", np.hypot, apart(3, 5), apart(3, 5)),
    binary("copysign", np.copysign, apart(3, 5), apart(3, 5)),
    binary("eq", np.equal, dtypes=ALL, grad=False),
    binary("ne", np.not_equal, dtypes=ALL, grad=False),
    binary("lt", np.less, dtypes=ALL, grad=False),
    binary("le", np.less_equal, dtypes=ALL, grad=False),
    binary("gt", np.greater, dtypes=ALL, grad=False),
    binary("ge", np.greater_equal, dtypes=ALL, grad=False),
    binary("logical_and", np.logical_and, dtypes=ALL, grad=False),
    binary("logical_or", np.logical_or, dtypes=ALL, grad=False),
    binary("logical_xor", np.logical_xor, dtypes=ALL, grad=False),
    Case("where", [bools(3, 5), t(3, 5), t(3, 5)], np.where, dtypes=ALL, elementwise=True),
]

BROADCAST = [
    Case("add broadcast", [t(2, 1, 3), t(4, 1)], np.add),
    Case("add to a scalar", [t(), t(2, 3)], np.add),
    Case("sub with nothing", [t(2, 0, 3), t(3)], np.subtract),
    Case("mul broadcast", [t(3, 1), t(1, 4)], np.multiply),
    Case("div broadcast", [t(4), t(2, 3, 1, low=0.5)], np.divide),
    Case("pow broadcast", [t(3, 1, low=0.5), t(4)], np.power),
    Case("maximum broadcast", [apart(3, 1), apart(4, low=-1.7)], np.maximum),
    Case("where broadcast", [bools(3, 1), t(4), t(2, 1, 1)], np.where),
    Case("atan2 broadcast", [apart(3, 1), apart(4)], np.arctan2),
]

NUMBERS_AND_TENSORS = [
    Case("add alpha", [t(3, 4), t(4)], lambda a, b, alpha: a + alpha * b, {"alpha": 2.5}),
    Case("add a number", [t(3, 4), 2.5], np.add),
    Case("add a whole number", [t(3, 4), 3], np.add, dtypes=NUMBERS),
    Case("add a fraction to whole numbers", [t(3, 4), 2.5], np.add, dtypes=INTEGERS, grad=False),
    Case("add operator with a number first", [t(4)], "same", function=lambda x: 1.5 + x),
    Case("sub alpha", [t(3, 4), t(4)], lambda a, b, alpha: a - alpha * b, {"alpha": 2.5}),
    Case("sub operator with a number first", [t(4)], "same", function=lambda x: 1.5 - x),
    Case("mul by a number", [t(3, 4), -1.5], np.multiply),
    Case(
        "div of whole numbers",
        [t(9), exactly([1, 2, 3, -1, -2, -3, 4, 5, 7])],
        np.divide,
        dtypes=INTEGERS,
        grad=False,
    ),
    Case(
        "div by whole 0",
        [exactly([1, 0, -1]), exactly([0, 0, 0])],
        np.divide,
        dtypes=INTEGERS,
        grad=False,
    ),
    Case("div operator with a number first", [t(4, low=0.5)], "same", function=lambda x: 1.5 / x),
    Case(
        "div floor",
        [apart(9), 0.7],
        lambda a, b, rounding_mode: np.floor(a / b),
        {"rounding_mode": "floor"},
        second=False,
    ),
    Case(
        "div trunc",
        [apart(9), 0.7],
        lambda a, b, rounding_mode: np.trunc(a / b),
        {"rounding_mode": "trunc"},
        second=False,
    ),
    Case(
        "div trunc of whole numbers",
        [exactly([7, -7, 8, -8, 1]), exactly([2, 2, -3, -3, 5])],
        lambda a, b, rounding_mode: np.trunc(a / b),
        {"rounding_mode": "trunc"},
        dtypes=INTEGERS,
        grad=False,
    ),
    Case(
        "div floor of whole numbers",
        [exactly([7, -7, 8, -8, 1]), 3],
        None,
        {"rounding_mode": "floor"},
        dtypes=INTEGERS,
        grad=False,
    ),
    Case(
        "floor_divide of whole numbers",
        [t(3, 5, low=-9, high=9), WHOLE_NOT_0],
        np.floor_divide,
        dtypes=INTEGERS,
        grad=False,
    ),
    Case(
        "floor_divide by whole 0",
        [exactly([5, -5, 0]), exactly([0, 0, 0])],
        lambda a, b: np.zeros(3),
        dtypes=INTEGERS,
        grad=False,
        torch=None,
    ),
    Case(
        "remainder of whole numbers",
        [t(3, 5, low=-9, high=9), WHOLE_NOT_0],
        np.remainder,
        dtypes=INTEGERS,
        grad=False,
    ),
    Case(
        "remainder by whole 0",
        [exactly([5, -5, 0]), exactly([0, 0, 0])],
        lambda a, b: np.zeros(3),
        dtypes=INTEGERS,
        grad=False,
        torch=None,
    ),
    Case(
        "remainder operator with a number first",
        [t(4, low=0.3)],
        "same",
        function=lambda x: 2.1 % x,
        torch=None,
    ),
    Case("remainder of either sign", [apart(3, 5), WHOLE_NOT_0], np.remainder),
    Case(
        "fmod of whole numbers",
        [t(3, 5, low=-9, high=9), WHOLE_NOT_0],
        np.fmod,
        dtypes=INTEGERS,
        grad=False,
    ),
    Case("fmod of either sign", [apart(3, 5), WHOLE_NOT_0], np.fmod),
    Case("pow 2", [t(9), 2], np.power, dtypes=NUMBERS),
    Case("pow 3", [t(9), 3], np.power, dtypes=NUMBERS),
    Case("pow 0.5", [t(9, low=0.2), 0.5], np.power),
    Case("pow -1", [t(9, low=0.4), -1], np.power),
    Case("pow 0", [exactly([0.0, 1.0, -2.0]), 0], np.power),
    Case("pow 1 at 0", [exactly([0.0, 1.0, -2.0]), 1], np.power),
    Case(
        "pow of whole numbers",
        [t(9), exactly([0, 1, 2, 3, 4, 5, 1, 0, 2])],
        np.power,
        dtypes=INTEGERS,
        grad=False,
    ),
    Case("pow of a number", [2.5, t(9)], np.power),
    Case(
        "pow of 0",
        [exactly([0.0, 0.0, 0.0]), exactly([0.0, 1.0, 2.0], grad=False)],
        np.power,
        second=False,
    ),
    Case("pow operator with a number first", [t(4)], "same", function=lambda x: 1.5**x),
    Case("maximum of equals", [exactly([1.0, 2.0]), exactly([1.0, 3.0])], np.maximum, grad=False),
    Case("minimum of equals", [exactly([1.0, 2.0]), exactly([1.0, 3.0])], np.minimum, grad=False),
    Case("eq number", [t(9), 1], np.equal, dtypes=NUMBERS, grad=False),
    Case("lt number", [t(9), 0.5], np.less, dtypes=NUMBERS, grad=False),
    Case("mul of bools", [bools(9), bools(9)], np.logical_and, dtypes=("bool",), grad=False),
    Case("add of bools", [bools(9), bools(9)], np.logical_or, dtypes=("bool",), grad=False),
    Case("where with a number", [bools(9), t(9), 0.5], np.where),
    Case("where with a number first", [bools(9), -1.0, t(9)], np.where),
    Case("where with two numbers", [bools(9), 1.0, 2.0], np.where, dtypes=("float32",), grad=False),
]


def mixed(name: str, oracle: Any, a: str, b: str, result: str) -> Case:
    draws = [t(5, low=1, high=3, dtype=a, grad=False), t(5, low=1, high=3, dtype=b, grad=False)]
    return Case(f"{name} {a} {b}", draws, oracle, dtypes=("float32",), grad=False, result=result)


PROMOTION = [
    mixed("add", np.add, a, b, max(a, b, key=RANKS.index)) for a in RANKS for b in RANKS if a != b
] + [
    mixed("div", np.divide, "int64", "int32", "float32"),
    mixed("maximum", np.maximum, "int32", "float64", "float64"),
    mixed("eq", np.equal, "int32", "float64", "bool"),
    mixed("atan2", np.arctan2, "int32", "int64", "float32"),
]

CASES = SAME_SHAPE + BROADCAST + NUMBERS_AND_TENSORS + PROMOTION
