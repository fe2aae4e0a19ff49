"""Each case of the table on each backend, by pytest-benchmark: `pytest bench/ -k "matmul and 512"`.

Backends stand side by side, in groups of one case; other libraries are raced by `python -m
etude.bench ops`. The python backend is left out: large cases would take it hours.
"""

from __future__ import annotations

from typing import Any

import pytest

from etude.backends import available
from etude.bench.case import Case, largest_error
from etude.bench.cases import CASES
from etude.bench.ops import LARGEST_ERROR, reference
from etude.bench.players import etude_player

WORKS = [name for name, reason in available().items() if reason is None and name != "python"]


@pytest.mark.benchmark(min_rounds=5, max_time=0.2, warmup=True)
@pytest.mark.parametrize("backend", WORKS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernel(case: Case, backend: str, benchmark: Any) -> None:
    benchmark.group = case.name
    player, work = etude_player(backend), case.work()
    step = player.prepare(work)
    error = largest_error(player.arrays(step()), reference(work))
    assert error <= LARGEST_ERROR
    benchmark.extra_info.update(flops=work.flops, error=error)
    benchmark(step)
