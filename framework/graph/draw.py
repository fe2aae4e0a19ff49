"""Drawing a Program: text for Graphviz, and a PNG where Graphviz is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

from etude.backends.base import Value

from ..errors import ArgumentError, fail
from .program import Program

NAMED = {"unary", "binary", "reduce", "arg_reduce", "scan"}


def to_dot(program: Program, title: str = "program") -> str:
    """The graph in the DOT language: boxes are instructions, edges carry shapes."""
    lines = [f'digraph "{title}" {{', "  rankdir=TB; node [fontname=Helvetica, fontsize=10];"]
    made: dict[Value, str] = {}

    def declare(v: Value, label: str, style: str) -> None:
        made[v] = f"v{v.number}"
        lines.append(f'  v{v.number} [label="{label}\\n{list(v.shape or ())}", {style}];')

    for i, v in enumerate(program.inputs):
        declare(v, f"input {i}", "shape=ellipse, style=filled, fillcolor=lightblue")
    for slot in program.state:
        declare(slot.first, slot.name, "shape=ellipse, style=filled, fillcolor=wheat")
    for v in program.constants:
        declare(v, "constant", "shape=ellipse")
    for at, instruction in enumerate(program.instructions):
        label = instruction.method
        if label in NAMED:
            label = str(instruction.arguments[0])
        lines.append(f'  i{at} [label="{label}", shape=box];')
        for v in instruction.inputs:
            lines.append(f'  {made[v]} -> i{at} [label="{list(v.shape or ())}", fontsize=8];')
        for v in instruction.results:
            made[v] = f"i{at}"
    for i, v in enumerate(program.outputs):
        lines.append(
            f'  o{i} [label="output {i}", shape=ellipse, style=filled, fillcolor=palegreen];'
        )
        lines.append(f"  {made[v]} -> o{i};")
    return "\n".join([*lines, "}"])


def to_png(program: Program, path: str | Path, title: str = "program") -> Path:
    """Draw into a PNG file with Graphviz's `dot`."""
    if which("dot") is None:
        raise fail(
            ArgumentError,
            "to_png",
            "needs Graphviz, whose `dot` was not found; install the system package graphviz, "
            "or use to_dot() and any DOT viewer",
        )
    target = Path(path)
    subprocess.run(
        ["dot", "-Tpng", "-o", str(target)], input=to_dot(program, title), text=True, check=True
    )
    return target
