"""`explain`: what the passes made of a program, told to someone who has never seen a compiler."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from textwrap import fill

from etude.backends.base import Instruction, Value

from ..graph.lives import eager_peak, peak
from ..graph.program import Program, declared, nbytes
from ..graph.rewrite import Merged
from . import generate
from .passes import PASSES
from .wording import Namer, line, namer

SHOWN, LISTED = 6, 60  # changes of a pass, lines of a program
WIDTH = 120
DOES = {name: p.does for name, p in PASSES.items()}
DOES |= {"recorded": "what the function called", "generate": generate.DOES}

HOW_TO_READ = """\
A program is the list of calls that one run of the function makes. %7: float32[64, 10] is a value
with its dtype and shape, named by a number; parameters and other state go by their names. A call
reads the values in brackets and makes those on the left; behind the # stands the module that asked
for it. A number in <> is read anew at each run. Each pass below takes the program of the one before
it and gives one that computes the same."""


def explain(programs: list[tuple[str, Program]]) -> str:
    """The program as recorded, the cost after each pass in a table, and what each pass changed."""
    recorded, last = programs[0][1], programs[-1][1]
    parts = [HOW_TO_READ, _table(programs), _listing("as recorded", recorded)]
    for (_, before), (name, after) in pairwise(programs):
        if after is not before:
            parts.append(_chapter(name, before, after))
    if last is not recorded:
        parts.append(_listing("in the end", last))
    return "\n".join(map(_wrapped, "\n\n".join(parts).split("\n")))


def _wrapped(text: str) -> str:
    """A long line as several, of which the others are indented."""
    if len(text) <= WIDTH:
        return text
    indent = " " * (len(text) - len(text.lstrip(" -+")) + 6)
    return fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _table(programs: list[tuple[str, Program]]) -> str:
    """Calls, arithmetic, traffic and memory after each pass."""
    recorded = programs[0][1]
    unit, prefix = (1e6, "M") if recorded.bytes > 1e6 else (1e3, "k")
    head = f"{'':<15}{'calls':>5} {prefix + 'FLOP':>8} {prefix + 'B moved':>8} {'at once':>8}"
    rows = [head, f"{'eager':<15}{_costs(recorded, eager_peak(recorded), unit)}"]
    before = None
    for name, program in programs:
        star = "*" if name in PASSES and PASSES[name].reorders else ""
        costs = f"{'-':>5}{'':27}"
        if program is not before:
            costs = _costs(program, peak(program), unit)
        rows.append(f"{name + star:<15}{costs}  {DOES[name]}")
        before = program
    rows += [
        "",
        f"{prefix}B moved: if each call reads and writes each of its arrays once. At once: the",
        "most memory that inputs, results and all between take. Eager code holds what the graph",
        "holds until backward has passed; a program knows who reads a value last. -: no change.",
    ]
    if any(n in PASSES and PASSES[n].reorders for n, _ in programs):
        rows.append("*: may round differently than eager code; the others give equal bits.")
    return "\n".join(rows)


def _costs(program: Program, most: int, unit: float) -> str:
    numbers = [program.flops, program.bytes, most]
    return f"{len(program.instructions):>5} " + " ".join(f"{n / unit:>8.2f}" for n in numbers)


def _listing(title: str, program: Program) -> str:
    """All calls of a program, or its first and last ones."""
    name = namer(program)
    lines = [line(i, name) for i in program.instructions]
    if len(lines) > LISTED:
        half = LISTED // 2
        lines = [*lines[:half], f"... {len(lines) - LISTED} more ...", *lines[-half:]]
    inputs = [f"{name(v)} = {declared(v)}" for v in program.inputs]
    returned = [f"return {', '.join(map(name, program.outputs))}"] if program.outputs else []
    kept = [f"{name(s.first)} becomes {s.last!r}" for s in program.changed]
    grads = [name(v) for _, v in program.grads]
    ends = [f"gradients {', '.join(grads[:8])}{' ...' if len(grads) > 8 else ''}"] if grads else []
    kept = [*kept[:3], f"... {len(kept) - 3} more"] if len(kept) > 4 else kept
    return "\n".join([f"== {title} ==", *inputs, *lines, *returned, *kept, *ends])


def _chapter(name: str, before: Program, after: Program) -> str:
    """What one pass changed, as lines that went (-) and came (+)."""
    title = f"== {name}: {DOES[name]} =="
    if after.plan is not before.plan:
        return "\n".join([title, *_planned(before, after)])
    if after.lanes is not before.lanes:
        return "\n".join([title, *_laid(after)])
    changes = list(_changes(before, after))
    shown = ["\n".join(c) for c in changes[:SHOWN]]
    if len(changes) > SHOWN:
        shown.append(f"  ... and {len(changes) - SHOWN} more changes")
    return "\n".join([title, *shown])


def _changes(before: Program, after: Program) -> Iterable[list[str]]:
    """For each new instruction what it stands for; then what went without any."""
    old_name, new_name = namer(before), namer(after)
    maker = {v: i for i in before.instructions for v in i.outputs}
    old = {id(i): i for i in before.instructions}
    same = {id(i) for i in after.instructions}
    gone = {k: i for k, i in old.items() if k not in same}
    for i in after.instructions:
        if id(i) in old:
            continue
        parts = _stands_for(i, old, maker)
        went = [p for p in parts if gone.pop(id(p), None) is not None]
        yield [*_lines("-", went, old_name), f"  + {line(i, new_name)}"]
    for i in gone.values():
        yield _lines("-", [i], old_name)


def _stands_for(
    i: Instruction, old: dict[int, Instruction], maker: dict[Value, Instruction]
) -> list[Instruction]:
    """The instructions of the program before of which a new one does the work."""
    found: list[Instruction] = []
    waiting = [i]
    while waiting:
        part = waiting.pop(0)
        if id(part) in old:
            found.append(part)
        elif isinstance(part.op, Merged):
            waiting = [*part.op.parts, *waiting]
    return found or list({id(m): m for v in i.outputs if (m := maker.get(v))}.values())


def _lines(sign: str, instructions: list[Instruction], name: Namer) -> list[str]:
    """A few lines with a sign before each."""
    shown = [f"  {sign} {line(i, name)}" for i in instructions[:SHOWN]]
    more = len(instructions) - SHOWN
    return [*shown, f"  {sign} ... {more} more"] if more > 0 else shown


def _laid(after: Program) -> list[str]:
    """The values that lie in lanes."""
    made = [repr(v) for i in after.instructions for v in i.outputs if v in after.lanes]
    more = ", ..." if len(made) > 2 * SHOWN else ""
    return [f"  side by side: {', '.join(made[: 2 * SHOWN])}{more}"]


def _planned(before: Program, after: Program) -> list[str]:
    """The memory plan in words."""
    places = {} if after.plan is None else after.plan.offsets
    if after.plan is None or not places:
        return ["  every value leaves the program, or is made by a call that brings its own memory"]
    lines = [
        f"  {len(places)} values, {sum(map(nbytes, places)):,} bytes if each had memory of its "
        f"own, share {after.plan.size:,} bytes.",
    ]
    name = namer(after)
    for i in after.instructions:
        for v in i.outputs:
            over = [x for x in i.inputs if v in places and places.get(x) == places[v]]
            if over:
                lines.append(f"  {v!r} overwrites {name(over[0])}, which nobody reads later")
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"  ... {len(lines) - SHOWN} more"]
