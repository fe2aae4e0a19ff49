"""A case: one call of a public function, with what is needed to check it on any backend.

How to add one (cases.py collects every `CASES` list of the files `cases_*.py`):
1. Choose the family's file `cases_<family>.py`, or start one; keep it under 450 lines.
2. Append `Case("name what is special", [inputs], oracle, {kwargs})`; the first word of the name is
   the function, etude.functional's and torch's (`torch=` another name, a callable, or None).
3. Inputs are draws (`t`, `apart`, `ints`, `bools`, `exactly`), plain values, or lists of these.
4. The oracle takes the same arguments as float64 NumPy arrays. None means torch in float64.
5. `python -m pytest tests/test_conformance.py -k "name"` runs its checks on every backend.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOATS = ("float32", "float64")
INTEGERS = ("int32", "int64")
NUMBERS = FLOATS + INTEGERS
ALL = (*NUMBERS, "bool")

# The only tolerances of the suite, (relative, absolute) by the dtype of the result; `Case.loose`
# multiplies both. What float64 leaves is the oracle's own rounding.
TOLERANCE = {
    "float32": (2e-5, 2e-6),
    "float64": (1e-11, 1e-12),
    "int32": (0.0, 0.0),
    "int64": (0.0, 0.0),
    "bool": (0.0, 0.0),
}


@dataclass(frozen=True, eq=False)
class Draw:
    """How to make one input. `dtype` None follows the case; `grad` False wants no gradient."""

    shape: tuple[int, ...]
    kind: str = "uniform"
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None
    grad: bool = True
    values: Any = None

    def make(self, rng: np.random.Generator, dtype: str, shape: Any = None) -> np.ndarray:
        """The values, in `shape` if the check asks for another than the draw's own."""
        dtype = self.dtype or dtype
        if self.kind == "exact":
            return np.array(self.values, dtype)
        size = self.shape if shape is None else shape
        if dtype == "bool":
            return np.asarray(rng.random(size) < 0.5)
        if self.kind == "apart":
            order = rng.permutation(int(np.prod(size))).reshape(size)
            gap = (self.high - self.low) / max(order.size, 1)
            x = self.low + (order + 0.37) * gap
            return np.asarray(np.round(x * 100) if dtype in INTEGERS else x, dtype)
        if dtype in INTEGERS:
            return rng.integers(round(self.low), round(self.high), size, dtype, endpoint=True)
        return np.asarray(rng.uniform(self.low, self.high, size), dtype)

    def differentiable(self) -> bool:
        return self.grad and (self.dtype is None or self.dtype in FLOATS)


def t(
    *shape: int, low: float = -2.0, high: float = 2.0, dtype: str | None = None, grad: bool = True
) -> Draw:
    """Uniform numbers in [low, high); whole ones (high included) in integer dtypes."""
    return Draw(shape, "uniform", low, high, dtype, grad)


def apart(*shape: int, low: float = -2.0, high: float = 2.0, grad: bool = True) -> Draw:
    """Numbers no two of which are close, and none close to 0: for kinks, extremes and sorting."""
    return Draw(shape, "apart", low, high, None, grad)


def ints(*shape: int, low: int = 0, high: int = 4) -> Draw:
    """Whole numbers low ... high, int64: labels and indices."""
    return Draw(shape, "uniform", low, high, "int64", False)


def bools(*shape: int) -> Draw:
    """True and False."""
    return Draw(shape, dtype="bool", grad=False)


def exactly(values: Any, dtype: str | None = None, grad: bool = True) -> Draw:
    """These values."""
    return Draw(np.shape(values), "exact", dtype=dtype, grad=grad, values=values)


@dataclass(frozen=True, eq=False)
class Case:
    """One row of the table. `name` is unique and begins with the function that it is about."""

    name: str
    inputs: Sequence[Any]
    oracle: Callable[..., Any] | str | None = None  # "same": call `function` on NumPy arrays
    kwargs: dict[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None  # instead of etude.functional's; also torch's
    torch: Callable[..., Any] | str | None = (
        "same"  # its name in torch; None: torch has no such thing
    )
    dtypes: Sequence[str] = FLOATS
    grad: bool = True  # has a gradient, checked against finite differences and torch
    second: bool = True  # and a gradient of it
    smooth: bool = True  # False at a kink, where torch alone says what the gradient is
    elementwise: bool = (
        False  # takes any shapes that broadcast; nan, inf, huge and tiny go through it
    )
    reduction: bool = False  # nan, inf, huge and tiny in the first input reach the result
    random: bool = False  # equal on all backends to the bit, for the seed
    in_place: Sequence[int] = ()  # positions of the inputs that the function changes
    loose: float = 1.0
    result: str | None = None  # dtype of the result; None: torch's

    @property
    def subject(self) -> str:
        """The public name that the case is about."""
        return self.name.split()[0]

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def arrays(self, dtype: str, shape: Any = None) -> list[Any]:
        """The inputs as NumPy arrays (draws) and plain values, the same in each run."""
        rng = self.rng()
        return map_draws(lambda draw: draw.make(rng, dtype, shape), self.inputs)

    def draws(self) -> list[Draw]:
        """The draws among the inputs, in order."""
        found: list[Draw] = []
        map_draws(found.append, self.inputs)
        return found

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def map_draws(function: Callable[[Any], Any], inputs: Any, kind: type = Draw) -> Any:
    """The inputs with `function` applied to each Draw (or other kind), inside lists too."""
    if isinstance(inputs, kind):
        return function(inputs)
    if isinstance(inputs, (list, tuple)):
        return type(inputs)(map_draws(function, part, kind) for part in inputs)
    return inputs
