"""Every case of the table, by every check, on every backend: a new backend needs no line here."""

from __future__ import annotations

from typing import Any

import pytest
from case import Case
from cases import CASES
from conformance import conform, need_torch

import etude


def marks(name: str, why: str | None) -> list[Any]:
    """Skipped with the reason; traced for coverage on one backend, for that doubles the time."""
    skipped = [] if why is None else [pytest.mark.skip(reason=why)]
    return skipped if name == "numpy" else [*skipped, pytest.mark.no_cover]


BACKENDS = [
    pytest.param(name, marks=marks(name, why)) for name, why in etude.backends.available().items()
]


# The innermost parameter is the backend, so that a worker that has a case's reference values from
# the Python backend takes them for the other backends too.
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CASES])
def test_case(case: Case, backend: str) -> None:
    conform(case, backend)


def test_cases_are_compared_with_torch() -> None:
    """Skipped where the comparisons of the cases with torch are left out."""
    need_torch()


def test_the_two_first_backends_are_available() -> None:
    # An import error of our own would otherwise look like a backend that this machine lacks.
    assert [etude.backends.available()[name] for name in ("numpy", "python")] == [None, None]
