"""The cases of the table as recorded programs: their results, and the gradients of these."""

from __future__ import annotations

from typing import Any

from case import Case
from conformance import call, outputs, tensors

import etude
from etude.framework.graph import Program, record


def leaves(nest: Any) -> list[Any]:
    """The tensors of a nest of lists and tuples."""
    if isinstance(nest, etude.Tensor):
        return [nest]
    return [t for part in nest for t in leaves(part)] if isinstance(nest, (list, tuple)) else []


def filled(nest: Any, values: Any) -> Any:
    """The nest with other tensors in the places of its own."""
    if isinstance(nest, etude.Tensor):
        return next(values)
    return type(nest)(filled(p, values) for p in nest) if isinstance(nest, (list, tuple)) else nest


def program_of(case: Case, dtype: str) -> tuple[Program, list[Any]]:
    """A case's program and the tensors to call it with; an empty one if it reads values."""
    given = tensors(case, case.arrays(dtype), "numpy", grad=True)

    def run(*values: Any) -> list[Any]:
        found = leaves(outputs(call(case, filled(given, iter(values)))))
        wanted = [t for t in values if t.requires_grad]
        for y in [y for y in found if y.requires_grad] if case.grad and wanted else []:
            found += leaves(
                etude.grad(y, wanted, etude.ones_like(y), retain_graph=True, allow_unused=True)
            )
        return found

    try:
        return record(run, *leaves(given)), leaves(given)
    except etude.errors.GradError:  # its course depends on values
        return Program(), []
