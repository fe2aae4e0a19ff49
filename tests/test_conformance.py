"""Every case of the table, by every check, on every backend: a new backend needs no line here."""

from __future__ import annotations

from typing import Any

import pytest
from case import Case
from cases import CASES
from conformance import Check, named

import etude

BACKENDS: list[Any] = [
    pytest.param(name, marks=[] if why is None else pytest.mark.skip(reason=why))
    for name, why in etude.backends.available().items()
]


@pytest.mark.parametrize("check, case", named(CASES))
@pytest.mark.parametrize("backend", BACKENDS)
def test_case(case: Case, backend: str, check: Check) -> None:
    check(case, backend)


def test_the_two_first_backends_are_available() -> None:
    # An import error of our own would otherwise look like a backend that this machine lacks.
    assert [etude.backends.available()[name] for name in ("numpy", "python")] == [None, None]
