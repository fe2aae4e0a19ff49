"""Benchmarks of single kernels: checks before races, ratios, ceilings, goals, what Ctrl-C keeps.

No test looks at how long anything took.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude
from etude.backends import ceilings
from etude.backends.ceilings import Ceilings
from etude.bench import __main__ as command
from etude.bench import goals, models, ops, timing
from etude.bench.case import Case
from etude.bench.cases import CASES
from etude.bench.ceilings import table
from etude.bench.options import Options, named
from etude.bench.report import Table

NAMES = ("matmul 32x32x32 NN", "relu 16M", "Adam 10M", "cross-entropy 64x10")
FAKE = Ceilings(1e12, ((1000, 4e9), (2000, 2e9)), "nobody")


@pytest.fixture(autouse=True)
def small_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four small cases, turns of one measurement, ceilings of nobody's."""
    for name in ("LONGEST_REST", "WARM_UP", "TURN"):
        monkeypatch.setattr(timing, name, 0.0)
    monkeypatch.setattr(timing, "others", lambda: 0.0)
    monkeypatch.setattr(ops, "AT_ONCE", 0.0)
    monkeypatch.setattr(ops, "measure", lambda: FAKE)
    small = [replace(case, sizes=case.small) for case in CASES if case.name in NAMES]
    monkeypatch.setattr(ops, "CASES", small)


def tables(**options: Any) -> list[Table]:
    return list(ops.run(Options(rounds=2, **options)))


def records(found: list[Table]) -> list[dict[str, Any]]:
    return [record for table in found for record in table.records if "ratios" in record]


def test_every_backend_has_a_row_and_a_ratio_to_each_peer() -> None:
    found = tables(peers=("numpy",), families=("matmul",))
    assert [table.title for table in found] == [
        "Ceilings of this machine",
        "matmul: " + ops.threads(Options()),
    ]
    (row,) = found[1].rows
    assert found[1].columns[-1] == "numpy/ours"
    assert row[:2] == ["matmul 32x32x32 NN", "numpy"]
    ours, theirs = records(found)
    assert [ours["by"], theirs["by"]] == ["etude numpy", "numpy"]
    assert ours["ratios"] == {"numpy": theirs["seconds"] / ours["seconds"]}
    assert row[-1] == ours["ratios"]["numpy"]
    assert found[1].remarks[0].startswith("geometric mean of numpy: numpy/ours ")


def test_torch_races_too() -> None:
    pytest.importorskip("torch")
    found = records(tables(peers=("torch", "numpy")))
    assert {r["case"] for r in found if r["by"] == "torch"} == set(NAMES)
    assert all(r["error"] < 1e-5 for r in found)


def test_columns_that_nobody_fills_are_dropped() -> None:
    (_, table) = tables(cases=("relu",))
    assert "GFLOP/s" not in table.columns
    assert len(table.rows[0]) == len(table.columns)


def test_who_is_wrong_or_fails_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in ops.CASES if case.family == "matmul")

    def make(rng: np.random.Generator, *sizes: Any) -> Any:
        work = case.make(rng, *sizes)
        work.numpy = lambda numpy, x, y: lambda: 1.001 * (x @ y)
        work.ours = lambda backend, x, y: lambda: backend.no_such_method(x, y)
        return work

    monkeypatch.setattr(ops, "CASES", [replace(case, make=make)])
    (_, table) = tables(peers=("numpy",))
    assert table.rows == []
    failed, wrong = table.remarks
    assert "etude numpy failed (AttributeError: " in failed
    assert wrong == "matmul 32x32x32 NN: numpy is wrong by 1.0e-03 and was not timed"


def test_disturbed_rounds_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "race", lambda *given: timing.race(*given) + 2)
    (_, table) = tables(cases=("matmul",))
    assert table.remarks[0] == "other processes disturbed rounds of matmul 32x32x32 NN"
    table.records = [{"case": name, "by": "torch", "disturbed": 1} for name in "abcde"]
    ops.finish(table, Options())
    assert table.remarks[-1] == "other processes disturbed rounds of a, b, c and 2 more"


def test_the_first_calls_of_numba_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("t", ["a"], [[1.0]])
    figures = {"by": "etude numba", "first": 1.5, "seconds": 0.5, "ratios": {}}
    table.records = [figures, figures]
    ops.finish(table, Options(backends=("numba",)))
    assert table.remarks == ["numba: first calls took 2.00 s more than later ones"]


def test_ctrl_c_keeps_the_finished_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    done: list[Case] = []

    def add(table: Table, case: Case, *rest: Any) -> None:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(case)
        original(table, case, *rest)

    original = ops.add
    monkeypatch.setattr(ops, "add", add)
    path = tmp_path / "x.json"
    given = ["ops", "--backend", "numpy", "--peers", "none", "--quick", "--json", str(path)]
    assert command.main(given) == 130
    stored = json.loads(path.read_text(encoding="utf-8"))["suites"]["ops"]
    assert [row[0] for table in stored[1:] for row in table["rows"]] == [done[0].name]
    assert "stopped" in capsys.readouterr().err


def test_cases_by_part_pattern_and_family() -> None:
    assert named("matmul 32x32x32 NN", "32x32")
    assert named("matmul 32x32x32 NN", "matmul*NN")
    assert not named("matmul 32x32x32 NN", "mat*NT")
    options = Options(cases=("relu", "add"), families=("elementwise",))
    assert options.wants("relu 1k", "elementwise")
    assert not options.wants("relu 16M", "elementwise large")
    assert not options.wants("exp 1k", "elementwise")


def test_threads_are_set_for_all_libraries(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in command.machine.THREADS:
        monkeypatch.setenv(name, "7")
    given = ["ops", "--backend", "numpy", "--peers", "none", "--case", "relu", "--threads", "1"]
    assert command.main([*given, "--rounds", "1"]) == 0
    assert {command.os.environ[name] for name in command.machine.THREADS} == {"1"}
    assert "1 thread, float32" in capsys.readouterr().out


def test_the_least_time_is_that_of_arithmetic_or_of_memory() -> None:
    assert FAKE.least_seconds(1e12, 0) == 1
    assert FAKE.least_seconds(1, 500) == 500 / 4e9
    assert FAKE.least_seconds(1, 1500) == 1500 / 2e9
    assert FAKE.least_seconds(1, 9000) == 9000 / 2e9


def test_ceilings_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "SECONDS", 1e-6)
    monkeypatch.setattr(ceilings, "REPEATS", 1)
    monkeypatch.setattr(ceilings, "SIZES", (1 << 19, 1 << 20))
    here = ceilings.measure()
    estimate = ceilings.by_numpy()
    for found in (here, estimate):
        assert found.flops > 1e8
        assert [size for size, _ in found.bytes] == [1 << 19, 1 << 20]
        assert all(speed > 1e7 for _, speed in found.bytes)
        assert "measured by" in table(found).remarks[0]
    assert "NumPy, an estimate" in estimate.by


def test_without_the_c_kernels_numpy_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise ImportError

    monkeypatch.setattr(ceilings, "best_build", unavailable)
    monkeypatch.setattr(ceilings, "by_numpy", lambda: FAKE)
    assert ceilings.measure() is FAKE


def record(case: str, ratio: float, by: str = "c", peer: str = "torch") -> dict[str, Any]:
    return {"case": case, "by": f"etude {by}", "ratios": {peer: ratio}}


def test_goals_are_means_or_worst_cases() -> None:
    found = [record(f"matmul {n}x{n}x{n} NN", ratio) for n, ratio in ((512, 4.0), (1024, 0.25))]
    judged = {(f["work"], f["how"]): f for f in goals.judged(found)}
    assert judged["matrix products", "mean"]["measured"] == pytest.approx(1.0)
    assert judged["matrix products", "mean"]["verdict"] == "missed"
    assert judged["matrix products, each", "worst"]["measured"] == 0.25
    assert judged["matrix products from n = 256", "mean"]["verdict"] == "met"
    assert goals.judged([record("no such case", 9.0), record("relu 16M", 9.0, by="numpy")]) == []


def test_another_backend_may_be_the_peer() -> None:
    (found,) = goals.judged([record("lenet5 b64", 0.75, "numba", "etude c")])
    assert (found["peer"], found["verdict"]) == ("c", "met")


@pytest.mark.parametrize(
    "measured, expected",
    [(2.1, "met"), (1.5, "above the floor"), (0.9, "under the floor")],
)
def test_verdicts(measured: float, expected: str) -> None:
    goal = goals.Goal("w", ("*",), "c", "torch", 2.0, 1.0)
    assert goals.verdict(goal, measured) == expected
    assert goals.verdict(replace(goal, floor=None), 1.9) == "missed"


def test_every_goal_is_about_cases_that_exist() -> None:
    names = [case.name for case in CASES] + list(models.MODELS)
    for goal in goals.GOALS:
        assert all(any(goals.fnmatchcase(n, p) for n in names) for p in goal.cases), goal


def test_goals_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "x.json"
    given = ["ops", "--backend", "numpy", "--peers", "none", "--case", "relu 16M", "--goals"]
    assert command.main([*given, "--rounds", "1", "--json", str(path)]) == 0
    assert "goals" in json.loads(path.read_text(encoding="utf-8"))["suites"]
    assert "Goals" in capsys.readouterr().out


def test_micro_benchmarks_are_collected_without_a_second_etude() -> None:
    root = Path(str(etude.__file__)).parent
    folder = root / "bench" / "tests"
    code = (
        "import pytest, sys; "
        f"code = pytest.main(['-q', {str(folder)!r}, '-k', 'relu-1k and numpy', '-p', "
        "'no:cacheprovider', '--benchmark-disable']); "
        f"init = {str(root / '__init__.py')!r}; "
        "found = [n for n, m in sys.modules.items() if getattr(m, '__file__', None) == init]; "
        "sys.exit(code or found != ['etude'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
