"""Programs on the C backend's tape: equal to the plain loop to the bit, in every method."""

from __future__ import annotations

from typing import Any

import pytest
from case import FLOATS, Case
from cases import CASES
from conformance import call, has_gradient, leaves, outputs, sum_of_squares, tensors

import etude
from etude.backends.base import Backend
from etude.framework.errors import EtudeError
from etude.framework.graph import record

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
GROUPS = 16  # of cases: one test each would take longer to start than to run


def program_of(case: Case, dtype: str) -> tuple[Any, list[Any]]:
    """A case's values and gradients as a program, and its inputs; None where it reads values."""
    grad = has_gradient(case) and dtype in FLOATS
    inputs = tensors(case, case.arrays(dtype), "c", grad)
    flat = leaves(inputs, etude.Tensor)

    def function(*given: Any) -> Any:
        fill = dict(zip(map(id, flat), given))
        found = outputs(call(case, replaced(inputs, fill)))
        made = [y for y in found if isinstance(y, etude.Tensor)]
        total = sum_of_squares(made)
        wanted = [x for x in given if x.requires_grad]
        if isinstance(total, etude.Tensor) and wanted:
            made += [g for g in etude.grad(total, wanted, allow_unused=True) if g is not None]
        return made

    try:
        return record(function, *flat), [x.buffer for x in flat]
    except EtudeError:
        return None, []


def replaced(x: Any, fill: dict[int, Any]) -> Any:
    """Nested inputs with other tensors in the places of theirs."""
    if isinstance(x, etude.Tensor):
        return fill[id(x)]
    return type(x)(replaced(part, fill) for part in x) if isinstance(x, (list, tuple)) else x


def ends(backend: Backend, run: Any, buffers: list[Any]) -> list[bytes] | str:
    """What a run gives back, to the bit, or the error that it raises."""
    try:
        found = run(buffers, 11, (1 << 64) - 2)
    except (IndexError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return [backend.dtype(y).encode() + repr(y.shape).encode() + backend.to_host(y) for y in found]


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_case_equals_the_plain_loop(group: int) -> None:
    from etude.backends.c_tape import Tape
    from etude.backends.replay import replay

    c = etude.backends.get("c")
    for case in CASES[group::GROUPS]:
        for dtype in case.dtypes:
            program, buffers = program_of(case, dtype)
            if program is None:
                continue
            expected = ends(c, replay(c, program), buffers)
            tape = c.load(program)
            assert isinstance(tape, Tape)
            assert ends(c, tape, buffers) == expected, f"{case} {dtype}"
            assert ends(c, tape, buffers) == expected, f"{case} {dtype}, run again"
