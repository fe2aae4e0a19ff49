"""Recorded inference programs with their weights, in one safetensors file.

The weights and constants are the file's tensors. The rest is JSON in its header: inputs with shapes
and dtypes, instructions as methods of the backend contract with their arguments, and how the result
is put together. Nothing in the file can run. Before anything is computed, every instruction is
checked by framework/graph/check.py, which also finds the shape of each result: a file cannot claim
another.

    {"format": "etude program", "version": 1,
     "inputs":  [[0, "float32", [8, 4]]],                            number, dtype, shape
     "weights": [[1, "fc.weight"]], "constants": [],                 number, tensor
     "program": [["linear", [{"value": 0}, {"value": 1}, null], [2], "Net.fc"]],
     "outputs": [2], "result": {"output": 0}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from etude.backends.base import RANDOM, Instruction, Knob, Value

from .. import weights
from ..creation import as_backend
from ..dtypes import DTYPES
from ..errors import ArgumentError, BadFile, EtudeError, fail
from ..graph.check import infer, parameters, refusal
from ..graph.forms import Misfit, need
from ..graph.program import Program, Slot, nbytes, spec
from ..shape import check_size
from ..tensor import Tensor
from .gather import Recording
from .packing import Output, lookup, pack, pack_result, unpack, unpack_result, whole
from .saved import SavedProgram

FORMAT, VERSION = "etude program", 1


# saving -------------------------------------------------------------------------------------------
def save_program(program: Program, path: str | Path) -> Path:
    """Write a program that only computes results from inputs and weights. Returns the path.

    Raises ArgumentError, with what to do, for one that trains: that leaves gradients, changes what
    it reads, draws random numbers or reads an optimizer's settings. Raises BadFile if the file
    cannot be written; one that was there before is then untouched.

    >>> import etude, os, tempfile
    >>> from etude.framework.compile.archive import load_program, save_program
    >>> from etude.framework.graph import record
    >>> program = record(lambda x: (x * 2).relu(), etude.zeros(3))
    >>> path = save_program(program, os.path.join(tempfile.mkdtemp(), "double.etude"))
    >>> load_program(path, "python")(etude.tensor([-1.0, 0.0, 2.0], backend="python"))
    tensor([0., 0., 4.], backend='python')
    """
    _refuse_training(program)
    instructions = _needed(program)
    read = {v for i in instructions for v in i.inputs} | {*program.outputs}
    tensors: dict[str, Tensor] = {}
    state = [s for s in program.state if s.first in read]
    constants = [(v, c) for v, c in program.constants.items() if v in read]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "inputs": [[v.number, v.dtype, v.shape] for v in program.inputs],
        "weights": [[s.first.number, _add(tensors, s.name, s.tensor)] for s in state],
        "constants": [
            [v.number, _add(tensors, f"constant{v.number}", _tensor(*c))] for v, c in constants
        ],
        "program": [
            [i.method, pack(i.arguments), [v.number for v in i.outputs], i.scope]
            for i in instructions
        ],
        "outputs": [v.number for v in program.outputs],
        "result": pack_result(_result(program)),
    }
    # One entry, because several are written in any order, and equal programs give equal files.
    return weights.save(tensors, path, {"etude": json.dumps(content, allow_nan=False)})


def save_recording(recording: Recording, path: str | Path) -> Path:
    """`save_program` for what `etude.compile` recorded, which may do more than its program."""
    for done, what in (
        (recording.extras, "it changes its arguments or their gradients"),
        (recording.cleared, "it clears gradients"),
        (recording.numbers, "it changes numbers of an optimizer or schedule"),
        (recording.before or recording.after, "it steps a schedule or an iterator"),
        ([how for how, _ in recording.leaves if how in ("number", "late")], "it returns a setting"),
    ):
        if done:
            raise _trains(what, "save the forward pass alone")
    return save_program(recording.program, path)


def _add(tensors: dict[str, Tensor], name: str, t: Tensor) -> str:
    """Store a tensor under its name, or one like it that is free."""
    while name in tensors:
        name += "'"
    tensors[name] = t
    return name


def _tensor(data: memoryview, shape: tuple[int, ...], dtype: str) -> Tensor:
    host = as_backend("numpy")
    return Tensor(host.from_host(data, shape, dtype), shape, DTYPES[dtype], host)


def _result(program: Program) -> Any:
    places = [Output(n) for n in range(len(program.outputs))]
    return program.structure(places) if program.structure is not None else places


def _refuse_training(program: Program) -> None:
    knobs = [a for i in program.instructions for a in i.arguments if isinstance(a, Knob)]
    changed = [s.name for s in program.state if s.last is not s.first]
    forward = "save the forward pass alone"
    if program.grads:
        raise _trains("it leaves gradients in parameters", forward)
    if knobs:
        raise _trains(f"it reads {knobs[0]!r} of an optimizer", forward)
    if program.random_blocks or any(i.method in RANDOM for i in program.instructions):
        raise _trains("it draws random numbers", "switch dropout off with model.eval()")
    if changed:
        raise _trains(f"it changes {changed[0]}", f"call model.eval() first, and {forward}")
    for i in program.instructions:
        if not i.outputs and i.method != "check_range":
            raise _trains(f"{i.method} changes memory in place", forward)


def _trains(what: str, fix: str) -> EtudeError:
    return fail(
        ArgumentError,
        "save",
        "expected a program that computes results from inputs and weights, got one that does "
        f"more: {what}; {fix}",
    )


def _needed(program: Program) -> list[Instruction]:
    """The instructions that a result depends on and checks of values, each without `out`.

    A copy is recorded with memory to copy into; in a saved program it makes its own.
    """
    wanted = {*program.outputs}
    found = []
    for i in reversed(program.instructions):
        if i.method == "check_range" or wanted.intersection(i.outputs):
            if refusal(i.method):
                raise _trains(f"{i.method}: {refusal(i.method)}", "save the forward pass alone")
            arguments = i.arguments[: len(parameters(i.method))]
            found.append(Instruction(i.method, arguments, i.outputs, scope=i.scope))
            wanted.update(found[-1].inputs)
    return found[::-1]


# loading ------------------------------------------------------------------------------------------
def load_program(
    path: str | Path, backend: Any = None, passes: Iterable[str] | None = None
) -> SavedProgram:
    """A saved program, to be called on the default backend or another one.

    passes: those that make it fast, as for `etude.compile`; None for all.

    Needs nothing of the Python source that it was recorded from. Raises BadFile for a file that is
    missing, damaged, written by a newer etude, holds an instruction that is none of this contract
    or could read outside its arguments, or needs more memory than the machine has.
    """
    facts = weights.load_metadata(path)
    try:
        content = json.loads(facts.get("etude", "{}"))
        _check_format(content, path)
        tensors = weights.load(path, backend)
        program = _program(content, tensors)
    except BadFile:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise fail(
            BadFile,
            "load_program",
            f"{path} is damaged: {error or type(error).__name__}; save it again",
        ) from None
    return SavedProgram(program, as_backend(backend), passes)


def _check_format(content: Any, path: str | Path) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise fail(
            BadFile,
            "load_program",
            f"{path} holds weights but no program; use etude.weights.load for weights, and "
            "etude.checkpoint.load for checkpoints",
        )
    version = content.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise fail(
            BadFile,
            "load_program",
            f"expected a program of version 1 ... {VERSION}, got {str(version)[:40]} in {path}; "
            "update etude, or save the program again with this one",
        )


def _program(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Program:
    """Rebuild a program, with every instruction checked. Raises ValueError, KeyError, TypeError."""
    program = Program()
    values: dict[int, Value] = {}
    for number, dtype, shape in content["inputs"]:
        need(dtype in DTYPES, "the dtype of an input", str(dtype)[:40])
        size = check_size("input", [whole(n) for n in shape])
        program.inputs.append(_define(values, number, size, DTYPES[dtype]))
    for number, name in content["weights"]:
        t = tensors[name]
        v = _define(values, number, t.shape, t.dtype)
        program.state.append(Slot(t, name, v, v))
    for number, name in content["constants"]:
        t = tensors[name]
        v = _define(values, number, t.shape, t.dtype)
        program.constants[v] = (t.backend.to_host(t.buffer), t.shape, t.dtype)
    for at, line in enumerate(content["program"]):
        try:
            program.instructions.append(_instruction(line, values))
        except (ValueError, TypeError) as error:
            method = line[0] if isinstance(line, list) and line else ""
            raise Misfit(f"instruction {at} {str(method)[:40]!r}: {error}") from None
    program.outputs = [lookup(number, values) for number in content["outputs"]]
    program.structure = unpack_result(content["result"], len(program.outputs))
    _check_memory(program)
    return program


def _define(values: dict[int, Value], number: Any, shape: Any, dtype: str) -> Value:
    """A new value."""
    need(whole(number) not in values, "each value to be made once", f"%{number} twice")
    values[number] = Value(number, shape, dtype)
    return values[number]


def _instruction(line: Any, values: dict[int, Value]) -> Instruction:
    method, packed, outputs, scope = line
    need(isinstance(method, str) and isinstance(scope, str), "a method and a scope", "none")
    arguments = unpack(packed, values)
    need(isinstance(arguments, (list, tuple)), "a list of arguments", arguments)
    specs = infer(method, arguments)
    need(len(outputs) == len(specs), f"{len(specs)} results", len(outputs))
    made = [_define(values, n, *each) for n, each in zip(outputs, specs, strict=True)]
    return Instruction(method, tuple(arguments), tuple(made), scope=scope)


def _check_memory(program: Program) -> None:
    """Raise Misfit if a run needs more memory than the machine has."""
    now = most = sum(map(nbytes, program.inputs))
    own = {*program.inputs, *(s.first for s in program.state), *program.constants}
    for instruction, ends in program.steps():
        now += sum(map(nbytes, instruction.outputs))
        most = max(most, now)
        now -= sum(nbytes(v) for v in ends if v not in own)
    there = _physical_memory()
    if there is not None and most > there:
        largest = max((v for i in program.instructions for v in i.outputs), key=nbytes)
        raise Misfit(
            f"a run needs {most:,} bytes at once, and this machine has {there:,}; the largest "
            f"result is {spec(largest)}"
        )


def _physical_memory() -> int | None:
    """Bytes of memory that the machine has, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
