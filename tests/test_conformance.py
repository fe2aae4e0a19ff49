"""Every case of the table, by every check, on every backend: a new backend needs no line here."""

from __future__ import annotations

from typing import Any

import pytest
from case import Case
from cases import CASES
from conformance import conform, need_torch
from repeated import is_first

import etude

AVAILABLE = etude.backends.available()
BACKENDS = [name for name, why in AVAILABLE.items() if why is None]


def param(case: Case, backend: str) -> Any:
    """Traced for coverage once for each function, for that doubles the time."""
    traced = backend == "numpy" and is_first(case)
    return pytest.param(
        case, backend, id=f"{case}-{backend}", marks=[] if traced else [pytest.mark.no_cover]
    )


# All backends of a case in a row, so that a worker that has a case's reference values from the
# Python backend takes them for the other backends too.
@pytest.mark.parametrize("case, backend", [param(c, b) for c in CASES for b in BACKENDS])
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
