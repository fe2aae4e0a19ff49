"""A chain of elementwise functions as plain data: what the method `fused` is told to compute.

    register k            = input k                        for k < the number of inputs
    register inputs + s   = steps[s] of earlier registers and plain numbers

An expression says nothing of shapes: each register is as large as its operands broadcast together,
and every result as large as all inputs do. It is checked when it is made, so that nobody else need
be, and can be a key of a dictionary: backends keep what they make of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..kernels.scalar import BINARY, BOOL_RESULT, UNARY

DTYPES = ("float32", "float64", "int32", "int64", "bool")
REDUCTIONS = ("sum", "prod", "max", "min", "any", "all")
OPERANDS = {"unary": 1, "binary": 2, "where": 3, "cast": 1}
NAMES: dict[str, Collection[str]] = {
    "unary": UNARY,
    "binary": BINARY,
    "where": ("where",),
    "cast": DTYPES,
}


@dataclass(frozen=True, slots=True)
class Register:
    """An operand that is an input, or what an earlier step made."""

    index: int


@dataclass(frozen=True, slots=True)
class Constant:
    """An operand that is a plain number; it takes the dtype of the other operand.

    Two are equal if they are written alike: so 0.0 is not -0.0, 1 is not True, and nan is nan.
    """

    value: float | int | bool = field(compare=False)
    text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", repr(self.value))


Operand = Register | Constant


@dataclass(frozen=True, slots=True)
class Step:
    """One call of `unary`, `binary`, `where` or `cast`.

    kind: which of the four; name: of the function, the dtype for `cast`, "where" for `where`;
    operands: at least one of them a register, at most one a number (for `where` of the last two);
    dtype: of the result.
    """

    kind: str
    name: str
    operands: tuple[Operand, ...]
    dtype: str

    def __str__(self) -> str:
        shown = [f"r{o.index}" if isinstance(o, Register) else o.text for o in self.operands]
        return f"{self.name}({', '.join(shown)})"


@dataclass(frozen=True)
class Expression:
    """Steps over inputs; raises ValueError, naming the step, where they are not well-formed.

    inputs: the dtypes of the inputs; results: the registers of steps that are returned, each once;
    reduce: name and axes of a reduction of the last result, whose others leave its shape;
    generated: whether a backend is to run it as code made for it (`Backend.generated`).
    """

    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    results: tuple[int, ...]
    reduce: tuple[str, tuple[int, ...]] | None = None
    generated: bool = False

    def __post_init__(self) -> None:
        complaint = _complaint(self)
        if complaint:
            raise ValueError(f"[fused] {complaint}")

    @cached_property
    def _hash(self) -> int:
        return hash((self.inputs, self.steps, self.results, self.reduce, self.generated))

    def __hash__(self) -> int:  # a dictionary asks at every call: 20 steps take 10 us to hash
        return self._hash

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """The dtype of every register."""
        return (*self.inputs, *(step.dtype for step in self.steps))

    @cached_property
    def last_reads(self) -> tuple[int, ...]:
        """For each register the last step that reads it; -1 if none does."""
        last = [-1] * len(self.dtypes)
        for at, step in enumerate(self.steps):
            for operand in step.operands:
                if isinstance(operand, Register):
                    last[operand.index] = at
        return tuple(last)

    def __str__(self) -> str:
        first = len(self.inputs)
        lines = [f"r{first + at} = {step}" for at, step in enumerate(self.steps)]
        kept = ", ".join(f"r{r}" for r in self.results)
        after = f", the last by {self.reduce[0]} over {self.reduce[1]}" if self.reduce else ""
        return "; ".join([*lines, f"return {kept}{after}"])


def _complaint(e: Expression) -> str:
    """What is wrong with an expression, or nothing."""
    if not e.inputs or not e.steps:
        return "expected at least one input and one step"
    if not set(e.inputs) <= set(DTYPES):
        return f"expected inputs of {', '.join(DTYPES)}, got {e.inputs}"
    dtypes = list(e.inputs)
    for at, step in enumerate(e.steps):
        wrong = _wrong(step, dtypes)
        if wrong:
            return f"step {at}, {step.kind} {step.name}: {wrong}"
        dtypes.append(step.dtype)
    if not e.results or len({*e.results}) < len(e.results):
        return f"expected results, each once, got {e.results}"
    if not all(len(e.inputs) <= r < len(dtypes) for r in e.results):
        return f"expected results among registers {len(e.inputs)} ... {len(dtypes) - 1}, got " + (
            ", ".join(map(str, e.results))
        )
    if e.reduce and (e.reduce[0] not in REDUCTIONS or not e.reduce[1]):
        return f"expected a reduction of {', '.join(REDUCTIONS)} over axes, got {e.reduce}"
    return ""


def _wrong(step: Step, dtypes: Sequence[str]) -> str:
    """What is wrong with a step after registers of these dtypes, or nothing."""
    if step.kind not in OPERANDS or step.name not in NAMES[step.kind]:
        return "no such function"
    if len(step.operands) != OPERANDS[step.kind]:
        return f"expected {OPERANDS[step.kind]} operands, got {len(step.operands)}"
    read = [o.index for o in step.operands if isinstance(o, Register)]
    if not all(0 <= r < len(dtypes) for r in read):
        return f"expected registers below {len(dtypes)}, got {read}"
    values = step.operands[1:] if step.kind == "where" else step.operands
    kinds = {dtypes[o.index] for o in values if isinstance(o, Register)}
    if len(kinds) != 1 or len(read) < max(1, len(step.operands) - 1):
        return f"expected registers of one dtype and at most one number, got {sorted(kinds)}"
    condition = step.operands[0]
    if step.kind == "where" and not (
        isinstance(condition, Register) and dtypes[condition.index] == "bool"
    ):
        return "expected a bool register as the condition"
    expected = _result_dtype(step, kinds.pop())
    return "" if step.dtype == expected else f"expected the result {expected}, got {step.dtype}"


def _result_dtype(step: Step, dtype: str) -> str:
    if step.kind == "cast":
        return step.name
    return "bool" if step.name in BOOL_RESULT else dtype
