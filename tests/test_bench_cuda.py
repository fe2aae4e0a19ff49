"""`python -m etude.bench cuda`: its timed part with a made-up clock, for no GPU is at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("greenlet", reason="the simulator needs greenlet: etude[cudasim]")

from cuda_device import cuda_backend
from test_cuda_graph import FakeApi, FakeDriver

from etude.bench import (
    cuda,
    cuda_cases,
    cuda_checks,
    cuda_devices,
    cuda_goals,
    cuda_models,
    cuda_race,
    cuda_timings,
    ops,
    report,
)
from etude.bench.case import Case, Work
from etude.bench.players import Player, etude_player, play_once
from etude.kernels.cuda import probe, toolchain

CEILINGS = {"copy": 1e9, "flops": 1e10, "cache": 1 << 20}


class Made:
    """A side on NumPy whose every step takes as long as it says."""

    def __init__(self, name: str, seconds: float, captures: bool = True) -> None:
        self.name, self.seconds, self.captures, self.calls = name, seconds, captures, 0
        self.player: Player = etude_player("numpy")

    def steps(self, work: Work, copies: int) -> list[Any]:
        return [self.player.prepare(work) for _ in range(copies)]

    def capture(self, steps: Sequence[Any]) -> Any:
        whole = cuda_race.in_turn(steps)
        return (lambda: whole()) if self.captures else None

    def elapsed(self, step: Any, times: int) -> float:
        step()
        self.calls += 1
        return times * self.seconds


class Broken(Made):
    def steps(self, work: Work, copies: int) -> list[Any]:
        raise LookupError("no work for it")


def small(case: Case) -> Case:
    """The case with its small sizes alone."""
    return Case(case.name, case.family, case.make, case.small, case.small)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[Made]:
    """The device replaced: etude takes 2 s a call, torch 3 s, and all is small."""

    @contextmanager
    def precision(name: str) -> Iterator[None]:
        yield

    sides = [Made("etude", 2.0), Made("torch", 3.0)]
    monkeypatch.setattr(cuda_devices, "ceilings", lambda: CEILINGS)
    monkeypatch.setattr(cuda_devices, "sides", lambda: sides)
    monkeypatch.setattr(cuda_devices, "precision", precision)
    monkeypatch.setattr(cuda_devices, "release", lambda: None)
    monkeypatch.setattr(cuda_devices, "reference", ops.reference)
    monkeypatch.setattr(cuda_devices, "arrays", list)
    monkeypatch.setattr(cuda_timings, "CASES", [small(c) for c in cuda_cases.CASES])
    monkeypatch.setattr(cuda_timings, "LOWER", [small(cuda_cases.LOWER[0])])
    monkeypatch.setattr(cuda_timings, "MODELS", cuda_models.TINY[:1])

    def trainees(model: Any, both: Any) -> Iterator[Any]:
        yield "etude, graph", cuda_models.Ours(model, "numpy", compiled=True), both[0]
        yield "torch eager", cuda_models.Ours(model, "numpy"), both[1]

    monkeypatch.setattr(cuda_timings, "trainees", trainees)
    double = lambda model, where, dtype: cuda_models.Ours(model, "numpy", dtype)  # noqa: E731
    monkeypatch.setattr(cuda_timings, "Theirs", double)
    return sides


def asked(late: bool = False) -> Any:
    return SimpleNamespace(quick=True, say=lambda _: None, late=lambda part: lambda: late)


def test_all_that_is_timed_is_right_and_has_shares(timed: list[Made]) -> None:
    tables = list(cuda_timings.tables(asked()))
    assert [t.title for t in tables] == [
        "Ceilings of this device", "Kernels, float32",
        "Products and convolution at precision 'high'",
        "Products and convolution at precision 'medium'", "One training step",
    ]  # fmt: skip
    kernels, steps = tables[1], tables[-1]
    assert not kernels.remarks
    assert len(kernels.records) == len(cuda_cases.CASES[::3])
    assert {r["shares"]["torch"] for r in kernels.records} == {1.5}
    assert all("eager" in r["shares"] for r in kernels.records if r["family"] == "tiny")
    assert steps.rows[0][:5] == ["tiny lenet", "etude, graph", 2000.0, "0 %", 1.5]
    for table in tables:
        json.dumps(table.records)
        report.show(table)


def test_what_is_late_or_wrong_is_left_out_and_said(
    timed: list[Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = list(cuda_timings.tables(asked(late=True)))
    assert "left out for want of time" in late[1].remarks[0]
    assert late[-1].remarks == ["left out for want of time: tiny lenet"]
    monkeypatch.setattr(
        cuda_devices, "reference", lambda work: [y + 1 for y in ops.reference(work)]
    )
    monkeypatch.setattr(cuda_timings, "CASES", cuda_timings.CASES[:4])
    monkeypatch.setattr(cuda_timings, "MODEL_ERROR", -1.0)
    tables = list(cuda_timings.tables(asked()))
    assert "wrong by" in tables[1].remarks[0]
    assert not tables[1].rows
    assert len(cuda_checks.wrong(tables)) == 2 + 2 + 2
    monkeypatch.setattr(cuda_devices, "arrays", lambda found: found[99])
    table = list(cuda_timings.tables(asked()))[1]
    assert table.remarks[0].endswith("IndexError: list index out of range")


def test_sides_take_turns_and_one_that_fails_is_left_out() -> None:
    work = small(cuda_cases.TINY[0]).work()
    said: list[str] = []
    sides = [Made("etude", 1.0), Made("torch", 2.0, captures=False), Broken("third", 1.0)]
    timings = cuda_race.race(work, sides, 0, 3, True, lambda name, e: said.append(f"{name}: {e}"))
    assert said == ["third: no work for it"]
    assert [(t.name, t.how) for t in timings] == [("etude", "graph"), ("torch", "eager")]
    assert [len(t.rounds) for t in timings] == [len(t.eager) for t in timings] == [3, 3]
    assert timings[0].seconds == 1.0
    assert timings[0].spread == 0.0
    assert sides[0].calls == sides[1].calls


def test_inputs_rotate_past_the_cache() -> None:
    work = Work([np.zeros(256, np.float32)], lambda *_: None, lambda *_: None)
    assert cuda_race.copies(work, 0) == 1
    assert cuda_race.copies(work, 4096) == 12
    assert cuda_race.copies(work, 1 << 30) == cuda_race.MOST_COPIES


def test_goals_are_shares_of_what_was_timed() -> None:
    records = [
        {"case": "a", "family": "gemm large", "shares": {"torch": 0.8}},
        {"case": "b", "family": "gemm large", "shares": {"torch": 1.25}},
        {"case": "lenet5 b64", "family": "model", "shares": {"eager": 2.0}},
        {"case": "resnet18", "family": "model", "shares": {"eager": 9.0}},
    ]
    found = {f["work"]: f for f in cuda_goals.judged(records)}
    large = found["fp32 GEMM from 2048"]
    assert large["measured"] == pytest.approx(1.0)
    assert (large["verdict"], large["worst"], large["cases"]) == ("met", 0.8, 2)
    assert found["LeNet-5 step, batch 64, by graph replay"]["verdict"] == "missed"
    assert found["norms"]["verdict"] == "not measured"
    families = {c.family for c in (*cuda_cases.CASES, *cuda_cases.LOWER)} | {"model"}
    assert {g.family for g in cuda_goals.GOALS} <= families
    report.show(cuda_goals.table(records))


@pytest.mark.parametrize("case", cuda_cases.CASES, ids=str)
def test_cases_are_right_where_they_are_small(case: Case) -> None:
    found, work = play_once(etude_player("numpy"), case)
    assert ops.largest_error(found, ops.reference(work)) < 1e-5


def test_checks_name_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    never = lambda: False  # noqa: E731
    table = cuda_checks.ops_table("numpy", 3, lambda _: None, never, 60)
    assert not table.rows
    assert table.remarks[0].startswith("22 of ")
    player = etude_player("numpy")
    good = cuda_checks.work_table(player, cuda_cases.CASES[:3], lambda _: None, never)
    assert good.remarks == ["3 right of 3; 3 cases in all"]
    monkeypatch.setattr(cuda_checks, "play_once", lambda *_: 1 / 0)
    bad = cuda_checks.work_table(player, cuda_cases.CASES[:2], lambda _: None, never)
    assert bad.rows[0][3] == "ZeroDivisionError: division by zero"
    assert cuda_checks.wrong([good, bad]) == [c.name for c in cuda_cases.CASES[:2]]
    json.dumps([bad.records, table.records])


def test_several_processes_share_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets a share, and what they find is put together."""

    class Here:
        def __init__(self, workers: int, context: Any) -> None:
            assert context.get_start_method() == "spawn"

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def submit(self, f: Any, *given: Any) -> Any:
            return SimpleNamespace(result=lambda: f(*given))

    @contextmanager
    def opened(simulate: bool) -> Iterator[None]:
        yield

    monkeypatch.setattr(cuda_checks, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(cuda_checks.machine, "cores", lambda: 3)
    monkeypatch.setattr(cuda_devices, "opened", opened)
    monkeypatch.setattr(cuda_devices, "poisoned", lambda: opened(False))
    say, never = lambda _: None, lambda: False
    findings = cuda_checks.conformity.findings
    on_numpy = lambda names, *given: {  # noqa: E731
        op: {"cuda": by["numpy"]} for op, by in findings(("numpy",), *given).items()
    }
    monkeypatch.setattr(cuda_checks.conformity, "findings", on_numpy)
    alone = cuda_checks.ops_table("cuda", 3, say, never, 40)
    shared = cuda_checks.ops_table("cuda", 3, say, never, 40, 60.0)
    assert shared.remarks == alone.remarks
    assert sorted(r["op"] for r in shared.records) == sorted(r["op"] for r in alone.records)
    finding = cuda_checks.conformity.Finding
    wrong = finding(forward=False, gradient=None, error=2.0, cases=1, problem="why")
    both = cuda_checks.merged(
        [{"f": {"cuda": finding(True, True, 1.0, 2)}}, {"f": {"cuda": wrong}}]
    )
    assert both["f"]["cuda"] == finding(False, True, 2.0, 3, "why")


def test_the_sanitizer_is_run_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_checks, "sanitizer", lambda: None)
    assert "not installed" in cuda_checks.sanitizer_table(1.0).remarks[0]
    monkeypatch.setattr(cuda_checks, "sanitizer", lambda: "/bin/sanitizer")
    codes = iter([0, 9])

    def run(command: Any, **_: Any) -> Any:
        assert command[-2:] == ["-m", "etude.bench.cuda_checks"]
        return SimpleNamespace(stdout="", stderr="== ERROR SUMMARY: n", returncode=next(codes))

    table = cuda_checks.sanitizer_table(1.0, run)
    assert [row[:2] for row in table.rows] == [["memcheck", "clean"], ["racecheck", "ERRORS"]]
    assert cuda_checks.wrong([table]) == ["racecheck"]
    names = [c.name for c in cuda_checks.sanitized_cases()]
    assert len(names) < 40 < len(cuda_cases.CASES)


def test_without_a_device_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cuda_devices.driver, "missing", lambda: "no driver: install one")
    assert cuda.main([]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no driver: install one; --simulate checks" in said


def test_a_simulated_run_checks_and_times_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cuda_models, "TINY", cuda_models.TINY[:1])
    monkeypatch.setattr(cuda, "CASES", cuda_cases.CASES[::30])
    late = lambda self, part: lambda: part == "ops"  # noqa: E731
    monkeypatch.setattr(cuda.Run, "late", late)
    with cuda_backend() as engine:
        monkeypatch.setattr("etude.bench.players.get", lambda name: engine)
        monkeypatch.setattr(cuda_devices, "get", lambda name: engine)
        assert cuda.main(["--simulate", "--json", str(tmp_path / "run.json")]) == 0
    found = cuda.load(tmp_path / "run.json")
    assert found["machine"]["device"] == {"name": "simulator", "timed": False}
    assert "seconds" not in json.dumps(found["suites"])
    out = capsys.readouterr().out
    assert "nothing was timed" in out
    assert "tiny lenet" in out
    assert list(cuda.RESULTS.glob("*simulator*")) == []


def test_a_run_that_finds_something_wrong_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = report.Table("t", ["a"], [["x"]], [], [{"case": "x", "right": False}])
    monkeypatch.setattr(cuda, "parts", lambda run: iter([wrong]))
    monkeypatch.setattr(cuda_devices, "get", lambda name: None)
    assert cuda.main(["--simulate", "--json", str(tmp_path / "a.json")]) == 1
    assert "WRONG: x" in capsys.readouterr().out
    assert cuda.main(["--simulate", "--json", str(tmp_path / "no" / "a.json")]) == 2


def test_a_run_keeps_to_its_time() -> None:
    now = [0.0]
    run = cuda.Run(False, False, 0, lambda _: None, lambda: now[0])
    late = run.late("timings")
    assert not late()
    now[0] = cuda.SHARES["timings"][0] + 1
    assert late()
    assert sum(share for share, _ in cuda.SHARES.values()) <= cuda.LIMIT < 480
    assert sum(share for _, share in cuda.SHARES.values()) < 180


def test_multiply_adds_are_as_many_as_are_counted() -> None:
    y = np.full(32, np.nan, np.float32)
    with toolchain.simulated():
        toolchain.launch(probe.multiply_adds(), 1, y, 3, 0.5, 0.25, block=32)
    np.testing.assert_allclose(y, 4.0, rtol=1e-3)
    assert probe.flops(32, 3) == 2 * 64 * 32 * 3


# etude's side, over the driver that tests of graphs make up ---------------------------------------
class Clock(FakeDriver):
    """With events, of which each is a second after the one before, and a device's numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.handle, self.now = 0, 0
        numbers = SimpleNamespace(
            CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE="l2", CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT="sm"
        )
        self.api = SimpleNamespace(**vars(FakeApi), CUdevice_attribute=numbers)

    def cuEventCreate(self, flags: int) -> list[int]:
        return [0]

    def cuEventRecord(self, event: list[int], stream: str) -> None:
        assert stream == self.stream
        self.now += 1
        event[0] = self.now

    def cuEventSynchronize(self, event: list[int]) -> None:
        assert event[0]

    def cuEventElapsedTime(self, begin: list[int], end: list[int]) -> float:
        return 1e3 * (end[0] - begin[0])

    def cuEventDestroy(self, event: list[int]) -> None:
        event.clear()

    def cuDeviceGetAttribute(self, kind: str, handle: int) -> int:
        return {"l2": 4096, "sm": 1}[kind]

    def cuDriverGetVersion(self) -> int:
        return 13000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    with cuda_backend(Clock()) as engine:
        monkeypatch.setattr("etude.bench.players.get", lambda name: engine)
        monkeypatch.setattr(cuda_devices, "get", lambda name: engine)
        monkeypatch.setattr(cuda_devices, "peer", lambda: None)
        from etude.backends import cuda_runtime

        yield cuda_runtime.device()


@pytest.mark.parametrize("name", ["add 1k", "matmul 64x84x10 NT", "Adam LeNet-5", "softmax 64x10"])
def test_steps_are_captured_and_timed_by_the_devices_events(clock: Clock, name: str) -> None:
    case = next(small(c) for c in cuda_cases.TINY if c.name == name)
    (side,) = cuda_devices.sides()
    work = case.work()
    steps = side.steps(work, 2)
    graph = side.capture(steps)
    assert graph is not None
    assert side.elapsed(graph, 3) == 1.0
    assert clock.counts["cuGraphLaunch"] == 3
    (timing,) = cuda_race.race(work, [side], cuda_devices.cache(), 3)
    assert (timing.name, timing.how, len(timing.rounds)) == ("etude", "graph", 3)


def test_memory_is_poisoned_and_then_is_not(clock: Clock) -> None:
    engine, filled = cuda_devices.get("cuda"), list[int]()
    clock.fill = lambda address, byte, size: filled.append(byte)
    with cuda_devices.poisoned():
        engine.empty((5,), "float32")
    assert filled == [0xFF]
    engine.empty((5,), "float32")
    assert filled == [0xFF]


def test_ceilings_and_fingerprint(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_devices, "COPY", 1 << 10)
    monkeypatch.setattr(cuda_devices, "CHAIN", 1)
    monkeypatch.setattr(cuda_devices.probe, "BLOCK", 2048)
    monkeypatch.setattr(cuda_devices.runtime, "launch", lambda *_: None)
    found = cuda_devices.ceilings()
    assert set(found["copies"]) == {"memcpy", "kernel"}
    assert found["cache"] == 4096
    assert cuda_devices.fingerprint(False)["name"] == "made up"
