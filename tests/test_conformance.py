"""Every case of the table, by every check, on every backend: a new backend needs no line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from case import Case
from cases import CASES
from conformance import CHECKS

import etude

BACKENDS: list[Any] = [
    pytest.param(name, marks=[] if why is None else pytest.mark.skip(reason=why))
    for name, why in etude.backends.available().items()
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_case(case: Case, backend: str, check: Callable[[Case, str], None]) -> None:
    check(case, backend)
