"""Every case of the table, by every check, on every backend: a new backend needs no line here."""

from __future__ import annotations

from typing import Any

import pytest
from case import Case
from cases import CASES
from conformance import conform, need_torch

import etude


def marks(name: str) -> list[Any]:
    """Traced for coverage on one backend, for that doubles the time."""
    return [] if name == "numpy" else [pytest.mark.no_cover]


AVAILABLE = etude.backends.available()
BACKENDS = [pytest.param(name, marks=marks(name)) for name, why in AVAILABLE.items() if why is None]


# The innermost parameter is the backend, so that a worker that has a case's reference values from
# the Python backend takes them for the other backends too.
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CASES])
def test_case(case: Case, backend: str) -> None:
    conform(case, backend)


@pytest.mark.parametrize("backend", [name for name, why in AVAILABLE.items() if why is not None])
def test_backends_that_are_left_out(backend: str) -> None:
    """Skipped, with the reason, for each backend that has none of the tests above."""
    pytest.skip(AVAILABLE[backend])


def test_cases_are_compared_with_torch() -> None:
    """Skipped where the comparisons of the cases with torch are left out."""
    need_torch()


def test_the_two_first_backends_are_available() -> None:
    # An import error of our own would otherwise look like a backend that this machine lacks.
    assert [etude.backends.available()[name] for name in ("numpy", "python")] == [None, None]
