"""The table of benchmark cases, at a small size: all who race compute the same."""

from __future__ import annotations

import numpy as np
import pytest

from etude.backends import available
from etude.bench import ops
from etude.bench.case import Case, largest_error
from etude.bench.cases import CASES
from etude.bench.players import etude_player, peer, play_once

pytestmark = pytest.mark.no_cover  # other tests reach the same lines, and tracing doubles the time

BACKENDS = [name for name, reason in available().items() if reason is None]
LARGEST = 5e-5  # of the largest value: what Winograd convolution costs


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_etude_agrees_with_the_reference(case: Case, backend: str) -> None:
    found, work = play_once(etude_player(backend), case)
    assert largest_error(found, ops.reference(work)) < LARGEST


@pytest.mark.parametrize("name", ["torch", "numpy"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_peers_agree_with_the_reference(case: Case, name: str) -> None:
    pytest.importorskip(name)
    player, work = peer(name), case.work(small=True)
    if player.plays(work):
        found = player.arrays(player.prepare(work)())
        assert largest_error(found, ops.reference(work)) < LARGEST


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inputs_are_the_same_each_time_and_stay_as_they_are(case: Case) -> None:
    work, again = case.work(small=True), case.work(small=True)
    etude_player("numpy").prepare(work)()
    for x, y in zip(work.inputs, again.inputs):
        np.testing.assert_array_equal(x, y)


def test_names_are_unique_and_have_no_comma() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "," in name]


def test_the_largest_error() -> None:
    y = np.array([1.0, -4.0])
    assert largest_error([y + 0.02], [y]) == pytest.approx(0.005)
    assert largest_error([np.array([1, 2])], [np.array([1, 3])]) == np.inf
    assert largest_error([np.array([np.nan, 1.0])], [y]) == np.inf
    assert largest_error([y[:1]], [y]) == np.inf
    assert largest_error([y, y], [y]) == np.inf
    assert largest_error([np.zeros(0)], [np.zeros(0)]) == 0
