"""Chains of functions as code that the backend makes for them, where the user asks for it.

before    %4 = fused('r1 = mul(r0, 2.0); ...', ...)      an interpreter walks over the steps
after     the same call of the same expression, marked   the backend compiles a loop for it
"""

from __future__ import annotations

from dataclasses import replace

from etude.backends.base import Backend, Expression, Instruction

from ..graph.program import Program

DOES = "let the backend compile a loop for each chain of functions"


def generate(program: Program, backend: Backend) -> Program:
    """The program with each expression marked of which this backend makes code.

    Raises ImportError, with the reason, where it would and the machine lacks a compiler.
    """
    marked = [_marked(i, backend) for i in program.instructions]
    if all(a is b for a, b in zip(marked, program.instructions, strict=True)):
        return program
    return replace(program, instructions=marked)


def _marked(i: Instruction, backend: Backend) -> Instruction:
    if i.method != "fused":
        return i
    expression: Expression = backend.generated(i.arguments[0])
    if not expression.generated:
        return i
    return replace(i, arguments=(expression, *i.arguments[1:]))
