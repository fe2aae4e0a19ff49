"""The benchmarks: that they compute the same as what they race, and say what they found.

No test looks at how long anything took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import etude
from etude.bench import __main__ as command
from etude.bench import (
    imports,
    machine,
    memory,
    models,
    ops,
    overhead,
    recording,
    report,
    timing,
    train,
    training,
)
from etude.bench.options import Options
from etude.bench.report import Table
from etude.bench.timing import Competitor

QUICK = Options(rounds=1)
NAMES = ("mlp", "lenet5", "resnet20", "vgg11_small")  # that are written by hand too
SMALL = ("mlp", "lenet5")  # whose steps are made, not only their gradients
KNOWN = sorted({models.MODELS[name][0] for name in models.NAMES})


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LONGEST_REST", "WARM_UP", "TURN"):
        monkeypatch.setattr(timing, name, 0.0)
    monkeypatch.setattr(timing, "others", lambda: 0.0)


# races --------------------------------------------------------------------------------------------
def test_competitors_take_turns() -> None:
    calls: list[str] = []
    said: list[str] = []

    def runner(name: str) -> Callable[[], None]:
        return lambda: calls.append(name)

    competitors = [Competitor("a", runner("a")), Competitor("b", runner("b"), units=10)]
    timing.race(competitors, 2, said.append)
    assert calls == ["a"] * 4 + ["b"] * 4 + ["a"] * 4 + ["b"] * 4
    assert [len(c.times) for c in competitors] == [6, 6]
    assert said[-1] == "round 2 of 2: b"


def test_a_disturbed_round_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "AWAY", 0.0)
    at_work = iter([0.0, 9.0, 9.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr(timing, "others", lambda: next(at_work))
    competitor = Competitor("a", int)
    assert timing.race([competitor], 2, lambda _: None) == 0
    assert len(competitor.times) == 6
    monkeypatch.setattr(timing, "others", lambda seen=[0.0]: seen.append(seen[-1] + 9) or seen[-1])
    assert timing.race([competitor], 4, lambda _: None) == 4


def test_who_else_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.undo()
    assert timing.others() >= 0
    monkeypatch.setattr(timing, "Path", lambda _: tmp_path / "missing")
    assert timing.others() == 0


def test_a_rest_lasts_until_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LONGEST_REST", 0.5)
    monkeypatch.setattr(timing, "LOOK", 0.001)
    used = iter([0.0, 1.0, 1.0, 1.0, 9.0])
    monkeypatch.setattr(timing.time, "process_time", lambda: next(used))
    timing.rest()
    assert next(used) == 9.0


def test_statistics_of_a_competitor() -> None:
    c = Competitor("a", int, times=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert (c.median, c.best) == (4.0, 1.0)
    assert c.spread == pytest.approx(1.0)


# training steps -----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_by_hand_agrees_with_etude_in_float64(name: str) -> None:
    case = training.make_case(name, 2 if name in SMALL else 1)
    ours = training.Etude(case, "numpy", "float64")
    reference = training.ByHand(case, "float64")
    truth = reference.loss_and_gradients()
    assert training.disagreement(ours.loss_and_gradients(), truth) < 1e-9
    for _ in range(2 if name in SMALL else 0):
        assert ours.step() == pytest.approx(reference.step(), rel=1e-9)


@pytest.mark.parametrize("name", KNOWN)
def test_torch_makes_the_same_steps(name: str) -> None:
    pytest.importorskip("torch")
    from etude.bench.torch_models import Torch

    case = training.make_case(name, 2)
    ours, theirs = training.Etude(case, "numpy"), Torch(case, fused=False)
    for _ in range(2 if name in SMALL else 1):
        assert ours.step() == pytest.approx(theirs.step(), rel=1e-4)


def test_whoever_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(training.Etude):
        def loss_and_gradients(self) -> training.Found:
            loss, gradients = super().loss_and_gradients()
            return 1.1 * loss, gradients

    monkeypatch.setattr(models, "Etude", Wrong)
    (table,) = models.run(Options(rounds=1, cases=("mlp",)))
    assert [row[1] for row in table.rows if "b64 Adam" not in row[0]] == ["numpy by hand"]
    wrong = "mlp b64: etude numpy{} is wrong by 1.0e-01 and was not timed"
    assert {wrong.format(""), wrong.format(", compiled")} <= set(table.remarks)


# suites -------------------------------------------------------------------------------------------
def test_models_are_compared_with_those_by_hand() -> None:
    (table,) = models.run(Options(rounds=1, cases=("mlp b64",)))
    names = ["etude numpy", "etude numpy, compiled", "numpy by hand"]
    rows = [row for row in table.rows if row[0] == "mlp b64"]
    assert [row[1] for row in rows] == names
    assert rows[2][6] == 1.0
    assert len(rows[0]) == len(table.columns)
    assert table.records[0]["ratios"]["numpy by hand"] == rows[0][6]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_compiled_steps_are_those_of_eager_code(optimizer: str) -> None:
    case = training.make_case("lenet5", 4, optimizer)
    eager, compiled = (training.Etude(case, "numpy", compiled=c) for c in (False, True))
    for _ in range(4):
        assert compiled.step() == pytest.approx(eager.step(), rel=1e-5)


RACERS = ["etude numpy", "etude numpy, compiled", "numpy, no graph"]


def test_overhead_has_a_row_for_each_competitor() -> None:
    forward, both = overhead.run(QUICK)
    for table in (forward, both):
        assert [row[0] for row in table.rows] == RACERS
        assert table.columns[-1] == "etude numpy/this"
    pytest.importorskip("torch")
    forward, _ = overhead.run(Options(rounds=1, peers=("torch",)))
    assert forward.columns[-1] == "torch/this"
    assert "torch" in [row[0] for row in forward.rows]


def test_memory_is_flat_from_the_second_step_on() -> None:
    (table,) = memory.run(QUICK)
    peaks = [float(str(row[1])) for row in table.rows]
    assert len(peaks) == memory.STEPS
    assert max(peaks[1:]) < 1.02 * min(peaks[1:])
    assert "from step 2 on" in table.remarks[0]


def test_memory_of_the_process(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    held = memory.resident_bytes()
    assert held is None or held > 10 * memory.MEGABYTE

    class Nowhere:
        def __init__(self, _: str) -> None: ...

        def read_text(self, encoding: str) -> str:
            raise OSError

    monkeypatch.setattr(memory, "Path", Nowhere)
    assert memory.resident_bytes() is None


def test_what_recording_takes_and_saves(capfd: pytest.CaptureFixture[str]) -> None:
    peers = ("torch",) if find_spec("torch") else ()
    times, needs = recording.run(Options(cases=("lenet5",), backends=("numpy",), peers=peers))
    ((name, backend, step, first, ratio),) = times.rows
    assert (name, backend) == ("lenet5 b64", "numpy")
    assert float(str(ratio)) == pytest.approx(float(str(first)) / float(str(step)))
    ((_, eager, planned, ratio, torchs),) = needs.rows
    assert float(str(ratio)) == float(str(planned)) / float(str(eager)) < 0.7
    assert (torchs is None) == (not peers)
    if peers:  # its graph holds much the same as etude's eager one
        assert 0.8 < float(str(torchs)) / float(str(eager)) < 1.2
    assert capfd.readouterr().err == ""


def test_imports_run_in_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fresh(statement: str, bytecode: str) -> tuple[float, list[str]]:
        asked.append(statement)
        return 0.001 * len(asked), ["numpy"] if "numpy" in statement else []

    monkeypatch.setattr(imports, "fresh", fresh)
    (table,) = imports.run(QUICK)
    assert len(asked) == 3 * (imports.LEAST + 1)
    assert [row[4] for row in table.rows] == ["numpy", "none", "none"]
    assert table.rows[0][3] == 0


def test_importing_etude_loads_no_large_library(tmp_path: Any) -> None:
    seconds, loaded = imports.fresh("import etude", str(tmp_path))
    assert seconds > 0
    assert loaded == []
    assert imports.fresh("import etude; etude.zeros(1)", str(tmp_path))[1] == ["numpy"]


# reports ------------------------------------------------------------------------------------------
def test_numbers_are_shown_to_three_digits() -> None:
    cells = [None, 3, 0.123456, 12.3456, 1234.5, "x"]
    assert [report.text(cell) for cell in cells] == ["-", "3", "0.123", "12.3", "1234", "x"]


@pytest.mark.parametrize("rich", [True, False])
def test_tables(rich: bool, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    if rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    report.show(Table("A title", ["name", "number"], [["first", 1.5], ["second", None]], ["so"]))
    out = capsys.readouterr().out
    for word in ("A title", "name", "number", "first", "1.5", "second", "-", "so"):
        assert word in out


def test_what_is_written_can_be_read(tmp_path: Any) -> None:
    path = tmp_path / "out.json"
    report.save(str(path), machine.fingerprint(("torch",)), {"s": [Table("t", ["a"], [[1.5]])]})
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["suites"]["s"][0]["rows"] == [[1.5]]
    assert set(found["machine"]) >= {"cpu", "cores", "blas", "python", "versions", "load"}
    assert found["machine"]["versions"]["numpy"] == np.__version__
    assert "torch" in found["machine"]["versions"]


def test_the_machine_where_the_system_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nowhere:
        def __init__(self, _: str) -> None: ...

        def read_text(self, encoding: str) -> str:
            raise OSError

    monkeypatch.setattr(machine, "Path", Nowhere)
    for name in ("sysconf", "sched_getaffinity", "getloadavg"):
        monkeypatch.delattr(machine.os, name, raising=False)
    found = machine.fingerprint(("no-such-thing",))
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_gb"] is None
    assert found["versions"]["no-such-thing"] is None


# the command --------------------------------------------------------------------------------------
def fake_suite(monkeypatch: pytest.MonkeyPatch, run: Callable[[Options], list[Table]]) -> None:
    monkeypatch.setattr(memory, "run", run)


def test_a_suite_by_name(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    seen: list[Options] = []

    def run(options: Options) -> list[Table]:
        seen.append(options)
        return [Table("found", ["a"], [["b"]])]

    fake_suite(monkeypatch, run)
    path = str(tmp_path / "x.json")
    arguments = ["memory", "--backend", "numpy,python", "--peers", "none", "--rounds", "3"]
    assert command.main([*arguments, "--case", "mlp", "--json", path]) == 0
    assert seen[0].backends == ("numpy", "python")
    assert (seen[0].peers, seen[0].cases, seen[0].rounds) == ((), ("mlp",), 3)
    assert "found" in capsys.readouterr().out
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["suites"].keys() == {
        "memory"
    }


def test_all_suites(monkeypatch: Any, capsys: Any) -> None:
    ran: list[str] = []
    for module in (ops, models, train, overhead, memory, recording, imports):
        name = module.__name__.rpartition(".")[2]
        monkeypatch.setattr(module, "run", lambda options, name=name: ran.append(name) or [])
    assert command.main(["all"]) == 0
    assert ran == list(command.SUITES)
    assert command.main(["import"]) == 0
    assert ran[-1] == "imports"


def test_ctrl_c_keeps_what_is_finished(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    def stop(_: Options) -> list[Table]:
        raise KeyboardInterrupt

    fake_suite(monkeypatch, stop)
    path = tmp_path / "x.json"
    assert command.main(["memory", "--json", str(path)]) == 130
    assert json.loads(path.read_text(encoding="utf-8"))["suites"] == {"memory": []}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["modles"], "invalid choice: 'modles'"),
        (["models", "--backend", "nmpy"], "no backend is called 'nmpy'; did you mean 'numpy'?"),
        (["ops", "--backend", "cuda"], "its own: python -m etude.bench cuda"),
        (["models", "--peers", "jax"], "no peer is called 'jax'; choose from torch, numpy"),
        (["models", "--case", "lenet6"], "no case has 'lenet6' in its name"),
        (["ops", "--family", "matmull"], "no family is called 'matmull'; did you mean 'matmul'?"),
        (["models", "--rounds", "0"], "expected a whole number from 1 on, got '0'"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as exit:
        command.main(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    fake_suite(monkeypatch, lambda _: [])
    assert command.main(["memory", "--json", str(tmp_path / "no" / "x.json")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_progress_on_a_terminal(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    report.progress("round 1")
    assert capsys.readouterr().err.endswith("round 1")


def test_the_reference_is_independent_of_etude() -> None:
    """Only then does agreement with it mean something."""
    for module in ("handwritten_layers", "handwritten_numpy"):
        path = __import__(f"etude.bench.{module}", fromlist=["x"]).__file__
        with open(str(path), encoding="utf-8") as file:
            assert "import etude" not in file.read()
    assert etude.__version__


def test_torch_is_loaded_before_backends_that_share_its_openmp(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # so that importing it fails
    with pytest.raises(SystemExit) as exit:
        command.main(["ops", "--peers", "numpy,torch", "--case", "LSTM cell 32"])
    assert exit.value.code == 2
    said = capsys.readouterr().err
    assert "peer torch: " in said
    assert "pip install torch==2.13.0, or choose other" in said
