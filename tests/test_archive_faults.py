"""Programs of all cases, with faults planted: refused, or run within their buffers."""

from __future__ import annotations

import random
import zlib

import pytest
from cases import CASES
from mutations import mutated, read, write
from recorded_cases import program_of

import etude
from etude.framework.compile import archive
from etude.framework.errors import ArgumentError, BadFile

FAULTS = 4  # for each case
MOST_BYTES = 1 << 26
TOGETHER = 25
BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
# Numba compiles a kernel for each kind of fault, so that it gets a part of the cases.
WHERE = [(first, "c") for first in range(0, len(CASES), TOGETHER) if "c" in BACKENDS]
WHERE += [(first, "numba") for first in range(0, len(CASES), 12 * TOGETHER) if "numba" in BACKENDS]


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    monkeypatch.setattr(archive, "_physical_memory", lambda: MOST_BYTES)
    monkeypatch.setattr("os.fsync", lambda file: None)  # thousands of files, which nobody keeps


def saved(case, path):
    """The case's program in a file, unless it is one that cannot be saved."""
    program, given = program_of(case, case.dtypes[0])
    if not program.instructions:
        return None
    try:
        archive.save_program(program, path)
    except ArgumentError:
        return None
    return given


def inputs_of(program, backend):
    """Tensors that fit: small whole numbers, which may be good indices or not."""
    made = []
    for v in program.program.inputs:
        x = etude.rand(v.shape, backend=backend) * 4.0 - 1.0
        made.append(x.to(getattr(etude, v.dtype)))
    return made


def same_as_inferred(program, found, *what):
    """The buffers are of the shapes and dtypes that were worked out without running."""
    for v, t in zip(program.program.outputs, found, strict=True):
        assert (t.buffer.shape, t.backend.dtype(t.buffer)) == (v.shape, v.dtype), what


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("first", range(0, len(CASES), TOGETHER))
def test_saved_cases_give_what_they_were_recorded_from(tmp_path, first):
    for case in CASES[first : first + TOGETHER]:
        given = saved(case, tmp_path / "p")
        if given is None:
            continue
        for backend in [name for name in ("numpy", "c") if name in BACKENDS]:
            program = archive.load_program(tmp_path / "p", backend)
            found = program(*[x.detach().to(backend) for x in given])
            same_as_inferred(program, found, case.name, backend)


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("first, backend", WHERE)
def test_faults_are_refused_or_harmless(tmp_path, backend, first):
    for case in CASES[first : first + TOGETHER]:
        rng = random.Random(zlib.crc32(case.name.encode()))
        if saved(case, tmp_path / "p") is None:
            continue
        content, header, body = read(tmp_path / "p")
        for _ in range(FAULTS):
            path = write(tmp_path / "q", mutated(content, rng), header, body)
            try:
                program = archive.load_program(path, backend)
            except BadFile:
                continue
            try:
                found = program(*inputs_of(program, backend))
            except (IndexError, MemoryError, OverflowError):  # a bad index, or no memory
                continue
            same_as_inferred(program, found, case.name)
