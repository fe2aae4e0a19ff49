"""A third backend of Tier 1 methods alone passes the whole conformance suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from case import Case
from cases import CASES
from conformance import conform
from tiny_backend import TinyBackend

import etude
from etude.backends import registry
from etude.backends.tier1 import Tier1

pytestmark = pytest.mark.no_cover  # other tests reach the same lines, and tracing doubles the time


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    """The tiny backend in the registry."""
    registry.PATHS["tiny"] = "tiny_backend:TinyBackend"
    yield
    del registry.PATHS["tiny"]


def test_it_overrides_no_default() -> None:
    own = {name for name in vars(TinyBackend) if not name.startswith("_")}
    assert own - {"name", "places", "windows"} == set(Tier1.__abstractmethods__)


def test_it_is_available() -> None:
    assert etude.backends.available()["tiny"] is None


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CASES])
def test_case(case: Case) -> None:
    conform(case, "tiny")
