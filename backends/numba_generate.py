"""Python for a chain of elementwise functions, which Numba compiles, if it is asked for.

It takes the place of the interpreter's walk over the steps of a block, and of nothing else:
kernels/numba_cpu/expression.py still cuts blocks, shares them and spreads what is broadcast. A
reduction behind the chain is a kernel of its own, as it is there.
"""

from __future__ import annotations

from typing import Any

from ..kernels.numba_cpu import generated
from .expression import Constant, Expression, Operand, Step
from .expression_plan import LIBRARY

SOURCE = """# {what}
def chain(at, zeros, c, d, e, first, last):
    wide()
{before}
    for i in range(first, last):
{group}
"""


def able(e: Expression) -> bool:
    """Whether all steps are arithmetic. Calls of the C library would only be the same calls."""
    reads = [o.index for s in e.steps for o in s.operands if not isinstance(o, Constant)]
    return max(map(reads.count, set(reads))) <= generated.ZEROS and all(
        step.kind in ("where", "cast")
        or (step.name not in LIBRARY and generated.known(step.name, read(e, step)))
        for step in e.steps
    )


def read(e: Expression, step: Step) -> str:
    """The dtype of what a step reads."""
    return e.dtypes[[o.index for o in step.operands if not isinstance(o, Constant)][-1]]


class Writer:
    """Writes the source of an expression, and finds what its names stand for."""

    def __init__(self, e: Expression, alone: list[bool], slots: list[int]) -> None:
        """alone, slots: as for `source`."""
        self.names: dict[str, Any] = {}
        self.before: list[str] = []  # once for a block
        self.group: list[str] = []  # for each number
        self.constants, self.uses, self.first = 0, [0] * len(e.dtypes), len(e.inputs)
        for k, dtype in enumerate(e.inputs):
            self.point(f"x{k}", dtype, k)
            if alone[k]:
                self.before.append(f"r{k} = take(x{k}, 0)")
            else:
                self.group.append(f"r{k} = take(x{k}, i)")
        for k, step in enumerate(e.steps, self.first):
            line = f"r{k} = {self.call(step, read(e, step))}"
            (self.before if alone[k] else self.group).append(line)
        for r, slot in zip(e.results, slots, strict=True):
            self.point(f"y{r}", e.dtypes[r], slot)
            if alone[r]:
                self.before.append(f"put(y{r}, 0, r{r})")
            else:
                self.group.append(f"put(y{r}, i, r{r})")

    def point(self, name: str, dtype: str, slot: int) -> None:
        """Let a name be the pointer in a slot of the table."""
        self.names[f"pointer_{dtype}"] = generated.pointer(dtype)
        self.before.append(f"{name} = pointer_{dtype}(take(at, {slot}))")

    def operand(self, x: Operand, dtype: str) -> str:
        """The name of an operand; a number comes from the table."""
        if not isinstance(x, Constant):
            return f"r{x.index}"
        name = f"c{self.constants}"
        self.point(f"p{name}", dtype, self.first + self.constants)
        self.before.append(f"{name} = take(p{name}, 0)")
        self.constants += 1
        return name

    def apart(self, x: Operand, name: str, dtype: str) -> str:
        """An operand by itself: another 0 for each time that a register is read."""
        use = 0
        if not isinstance(x, Constant):
            use, self.uses[x.index] = self.uses[x.index], self.uses[x.index] + 1
        if (line := f"z{use} = take(zeros, {use})") not in self.before:
            self.before.append(line)
        self.names[f"apart_{dtype}"] = generated.apart(dtype)
        return f"apart_{dtype}({name}, z{use})"

    def call(self, step: Step, dtype: str) -> str:
        """The right side of a step's line."""
        given = [self.operand(x, dtype) for x in step.operands]
        if step.kind == "where":
            return f"{given[1]} if {given[0]} else {given[2]}"
        f, kind = generated.step(step.kind, step.name, dtype)
        fused = step.kind != "cast" and dtype in ("float32", "float64")
        if fused and step.name not in generated.ONCE:
            pairs = zip(step.operands, given, strict=True)
            given = [self.apart(x, name, dtype) for x, name in pairs]
        name = f"{step.kind}_{step.name}_{dtype}"
        into = f"into_{step.dtype}"
        self.names |= {name: f, kind: generated.NUMBERS[kind], into: generated.into(step.dtype)}
        return f"{into}({name}({', '.join(f'{kind}({x})' for x in given)}))"


def source(e: Expression, alone: list[bool], slots: list[int]) -> tuple[str, dict[str, Any]]:
    """The Python of an expression, and what the names in it stand for.

    alone: for each register whether it is one number for the whole block; slots: of the results in
    the table of addresses, where inputs come first, then constants.
    """
    w = Writer(e, alone, slots)
    before = "\n".join(f"    {line}" for line in w.before)
    group = "\n".join(f"        {line}" for line in w.group)
    return SOURCE.format(what=e, before=before, group=group), w.names


def generate(e: Expression, alone: list[bool], slots: list[int]) -> int:
    """The address of the machine code for an expression."""
    return generated.chain(*source(e, alone, slots))
