"""Programs on the C backend's tape: equal to the plain loop to the bit, in every method."""

from __future__ import annotations

import gc
import os
import threading
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest
from case import FLOATS, Case
from cases import CASES
from conformance import call, has_gradient, leaves, outputs, sum_of_squares, tensors

import etude
from etude import functional as F
from etude import nn
from etude.backends.base import Instruction, Knob, Value
from etude.backends.replay import replay
from etude.framework.compile.passes import optimize
from etude.framework.errors import EtudeError
from etude.framework.graph import record
from etude.framework.graph.program import Program

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
GROUPS = 16  # of cases: one test each would take longer to start than to run


def c() -> Any:
    return etude.backends.get("c")


def taped(program: Any) -> Any:
    from etude.backends.c_tape import Tape

    tape = c().load(program)
    assert isinstance(tape, Tape)
    return tape


def buffer(values: Any, dtype: str = "float32") -> Any:
    array = np.asarray(values, dtype)
    return c().from_host(memoryview(array), array.shape, dtype)


def values(x: Any) -> Any:
    return np.array(c().to_host(x), c().dtype(x)).reshape(x.shape).tolist()


def program_of(case: Case, dtype: str) -> tuple[Any, list[Any]]:
    """A case's values and gradients as a program, and its inputs; None where it reads values."""
    grad = has_gradient(case) and dtype in FLOATS
    inputs = tensors(case, case.arrays(dtype), "c", grad)
    flat = leaves(inputs, etude.Tensor)

    def function(*given: Any) -> Any:
        fill = dict(zip(map(id, flat), given))
        found = outputs(call(case, replaced(inputs, fill)))
        made = [y for y in found if isinstance(y, etude.Tensor)]
        total = sum_of_squares(made)
        wanted = [x for x in given if x.requires_grad]
        if isinstance(total, etude.Tensor) and wanted:
            made += [g for g in etude.grad(total, wanted, allow_unused=True) if g is not None]
        return made

    try:
        return record(function, *flat), [x.buffer for x in flat]
    except EtudeError:
        return None, []


def replaced(x: Any, fill: dict[int, Any]) -> Any:
    """Nested inputs with other tensors in the places of theirs."""
    if isinstance(x, etude.Tensor):
        return fill[id(x)]
    return type(x)(replaced(part, fill) for part in x) if isinstance(x, (list, tuple)) else x


def ends(run: Any, buffers: list[Any], counter: int = (1 << 64) - 2) -> list[bytes] | str:
    """What a run gives back, to the bit, or the error that it raises."""
    backend = c()
    try:
        found = run(buffers, 11, counter)
    except (IndexError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return [backend.dtype(y).encode() + repr(y.shape).encode() + backend.to_host(y) for y in found]


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("group", range(GROUPS))
def test_every_case_equals_the_plain_loop(group: int) -> None:
    """As recorded, and after all passes: with chains, epilogues and a plan of memory."""
    for case in CASES[group::GROUPS]:
        for dtype in case.dtypes:
            program, buffers = program_of(case, dtype)
            for made in [] if program is None else [program, optimize(program, c())]:
                expected = ends(replay(c(), made), buffers)
                tape = taped(made)
                assert tape.called == []
                assert ends(tape, buffers) == expected, f"{case} {dtype}"
                assert ends(tape, buffers) == expected, f"{case} {dtype}, run again"


# programs by hand: what no recording of one step shows -------------------------------------------
class Writing:
    """A program that is written line by line."""

    def __init__(self) -> None:
        self.program = Program()
        self.count = 0

    def value(self, shape: tuple[int, ...], dtype: str = "float32") -> Value:
        self.count += 1
        return Value(self.count, shape, dtype)

    def input(self, shape: tuple[int, ...], dtype: str = "float32") -> Value:
        self.program.inputs.append(self.value(shape, dtype))
        return self.program.inputs[-1]

    def constant(self, numbers: Any, dtype: str = "float32") -> Value:
        array = np.asarray(numbers, dtype)
        v = self.value(array.shape, dtype)
        self.program.constants[v] = memoryview(array), array.shape, dtype
        return v

    def __call__(self, method: str, *arguments: Any, like: Value | None = None) -> Any:
        outputs = () if like is None else (self.value(like.shape or (), like.dtype or ""),)
        self.program.instructions.append(Instruction(method, arguments, outputs))
        return outputs[0] if outputs else None

    def returning(self, *outputs: Value) -> Any:
        self.program.outputs = list(outputs)
        return self.program


def test_results_are_not_touched_by_the_next_run() -> None:
    w = Writing()
    x = w.input((3,))
    y = w("unary", "neg", x, like=x)
    tape = taped(w.returning(y, w("unary", "exp", y, like=y), y, x))
    first = tape([buffer([1, 2, 3])], 0, 0)
    kept = [values(y) for y in first]
    second = tape([buffer([4, 5, 6])], 0, 0)
    assert [values(y) for y in first] == kept
    assert (values(first[0]), values(second[0])) == ([-1, -2, -3], [-4, -5, -6])
    assert first[0] is first[2]
    assert values(second[3]) == [4, 5, 6]


def test_an_operand_gives_its_memory_away_only_where_it_ends() -> None:
    w = Writing()
    x = w.input((1000,))
    a = w("unary", "neg", x, like=x)
    b = w("unary", "abs", a, like=x)  # not over a, which is read again
    d = w("binary", "add", a, b, like=x)  # over a or b
    e = w("binary", "mul", d, b, like=x)
    tape = taped(w.returning(w("binary", "add", e, e, like=x)))
    assert tape.size == 2 * 4032
    assert values(tape([buffer([-3.0] * 1000)], 0, 0)[0])[0] == 36.0


def test_a_comparison_does_not_take_over_wider_memory() -> None:
    w = Writing()
    x = w.input((4,))
    a = w("unary", "neg", x, like=x)  # 16 bytes, as the 16 truths
    column = w("reshape", a, (4, 1), like=w.value((4, 1)))
    truth = w("binary", "lt", column, a, like=w.value((4, 4), "bool"))
    other = w("unary", "logical_not", truth, like=w.value((4, 4), "bool"))
    found = taped(w.returning(w("cast", other, "int32", like=w.value((4, 4), "int32"))))
    assert values(found([buffer([3, 1, 2, 0])], 0, 0)[0]) == [
        [1, 0, 0, 0],
        [1, 1, 1, 0],
        [1, 0, 1, 0],
        [1, 1, 1, 1],
    ]


def test_a_knob_is_read_at_each_run() -> None:
    group = {"lr": 0.5, "step": 3}
    w = Writing()
    p, g = w.input((2,)), w.input((2,))
    w("sgd_steps", [p], [g], [None], Knob(group, "lr"), 0.0, 0.0, 0.0, False)
    tape = taped(w.returning(w("binary", "mul", g, Knob(group, "step", 1), like=g)))
    assert tape.called == []
    parameter, gradient = buffer([1, 2]), buffer([1, 1])
    assert values(tape([parameter, gradient], 0, 0)[0]) == [4, 4]
    assert values(parameter) == [0.5, 1.5]
    group.update(lr=0.25, step=10)
    assert values(tape([parameter, gradient], 0, 0)[0]) == [11, 11]
    assert values(parameter) == [0.25, 1.25]


def knobs_in_whole_numbers() -> tuple[Any, dict[str, int]]:
    """x * knob of int64 rounds the knob in Python, so it cannot be written; before it, x + x."""
    group = {"n": 2}
    w = Writing()
    x = w.input((2,), "int64")
    twice = w("binary", "add", x, x, like=x)
    y = w("binary", "mul", twice, Knob(group, "n"), like=x)
    z = w("binary", "add", w("reshape", y, (2,), like=x), twice, like=x)
    return w.returning(z, y), group


def test_what_cannot_be_written_is_called_between_two_parts() -> None:
    program, group = knobs_in_whole_numbers()
    tape = taped(program)
    assert tape.called == ["binary"]
    assert [values(y) for y in tape([buffer([1, 2], "int64")], 0, 0)] == [[6, 12], [4, 8]]
    group["n"] = 5
    assert [values(y) for y in tape([buffer([1, 2], "int64")], 0, 0)] == [[12, 24], [10, 20]]


def test_without_shapes_the_plain_loop_is_left() -> None:
    program, group = knobs_in_whole_numbers()
    program.instructions[1].outputs[0].shape = None
    run = c().load(program)
    group["n"] = 3
    assert [values(y) for y in run([buffer([1, 2], "int64")], 0, 0)] == [[8, 16], [6, 12]]


def test_a_count_is_whole() -> None:
    group = {"step": 1}
    w = Writing()
    p, g, m, v = (w.input((1,)) for _ in range(4))
    rule = 0.1, 0.9, 0.99, 1e-8, 0.0, False
    w("adam_steps", [p], [g], [m], [v], Knob(group, "step"), *rule)
    tape, given = taped(w.returning()), [buffer([1.0]) for _ in range(4)]
    assert tape(given, 0, 0) == []
    group["step"] = 1.5  # type: ignore[assignment]
    with pytest.raises(TypeError):
        tape(given, 0, 0)


def test_constants_that_change_have_their_values_at_each_run() -> None:
    w = Writing()
    x, mean = w.input((2,)), w.constant([1, 2])
    w("binary", "add", mean, x, mean, like=mean)
    w("assign", w.constant([9, 9]), x)
    tape = taped(w.returning(w("unary", "neg", mean, like=mean), mean, w.constant([7])))
    for _ in range(2):
        found = tape([buffer([10, 20])], 0, 0)
        assert [values(y) for y in found] == [[-11, -22], [11, 22], [7]]
        c().assign(found[2], buffer([0]))


@pytest.mark.parametrize("label", [7, -1])
def test_a_wrong_label_in_the_middle_raises_the_eager_error(label: int) -> None:
    x = etude.zeros(2, 3, backend="c", requires_grad=True)
    labels = etude.tensor([0, 1], backend="c")

    def step(x: Any, labels: Any) -> Any:
        return etude.grad(F.cross_entropy(x + 1.0, labels), [x])

    tape = taped(record(step, x, labels))
    good = ends(tape, [x.buffer, labels.buffer])
    wrong = buffer([2, label], "int64")
    with pytest.raises(IndexError) as eager:
        c().cross_entropy_mean(x.buffer, wrong)
    with pytest.raises(IndexError) as replayed:
        tape([x.buffer, wrong], 0, 0)
    assert str(replayed.value) == str(eager.value) == f"index {label} is out of range 0 ... 2"
    assert ends(tape, [x.buffer, labels.buffer]) == good


@pytest.mark.parametrize("index", [5, -6])
def test_a_wrong_index_raises_the_eager_error(index: int) -> None:
    w = Writing()
    x, at = w.input((5, 2)), w.input((3,), "int64")
    w("check_range", at, -5, 5)
    tape = taped(w.returning(w("gather", x, at, like=w.value((3, 2)))))
    rows = buffer(np.arange(10).reshape(5, 2))
    assert values(tape([rows, buffer([4, -5, 0], "int64")], 0, 0)[0]) == [[8, 9], [0, 1], [0, 1]]
    with pytest.raises(IndexError, match=rf"index {index} is out of range -5 \.\.\. 4"):
        tape([rows, buffer([0, index, 0], "int64")], 0, 0)


def test_what_a_kernel_refuses_may_go_another_way() -> None:
    """Positions that count from the end are for the composition."""
    w = Writing()
    g, at = w.input((1, 1, 2)), w.input((1, 1, 2), "int64")
    twice = w("binary", "add", g, g, like=g)
    grad = w("max_pool_grad", twice, at, (1, 1, 4), like=w.value((1, 1, 4)))
    tape = taped(w.returning(w("unary", "neg", grad, like=grad)))
    for places in ([0, 2], [0, -2], [0, 2]):
        found = tape([buffer([[[1, 2]]]), buffer([[places]], "int64")], 0, 0)
        assert values(found[0]) == [[[-2, 0, -4, 0]]]


def test_a_run_that_is_timed_gives_the_same_and_when_each_instruction_ran() -> None:
    program, _ = knobs_in_whole_numbers()
    tape, given = taped(program), [buffer([1, 2], "int64")]
    found, times = tape.timed(given, 0, 0)
    assert [values(y) for y in found] == [values(y) for y in tape(given, 0, 0)]
    first, _, _, last = program.instructions  # the second is called, the third has no record
    assert [i for i, _, _ in times] == [first, last]
    (_, a, b), (_, c_, d) = times
    assert a <= b <= c_ <= d <= perf_counter_ns()
    program, inputs = lenet_step()
    run_step(program, inputs, tape := taped(program))
    times = tape.timed([s.tensor.buffer for s in program.state] + inputs, 0, 0)[1]
    assert len(times) == sum(bool(step.records) for step in tape.steps)
    assert sum(end - begin for _, begin, end in times) <= times[-1][2] - times[0][1]


def test_what_refuses_is_not_timed() -> None:
    w = Writing()
    g, at = w.input((1, 1, 2)), w.input((1, 1, 2), "int64")
    grad = w("max_pool_grad", g, at, (1, 1, 4), like=w.value((1, 1, 4)))
    tape = taped(w.returning(w("unary", "neg", grad, like=grad)))
    for places, known in ([0, 2], 2), ([0, -2], 1):
        assert len(tape.timed([buffer([[[1, 2]]]), buffer([[places]], "int64")], 0, 0)[1]) == known


def lenet_step() -> tuple[Any, list[Any]]:
    """A recorded step of LeNet with dropout, and its buffers."""
    with etude.use_backend("c"):
        etude.manual_seed(0)
        model = etude.models.LeNet5()
        step = nn.Sequential(model, nn.Dropout(0.5))
        optimizer = etude.optim.Adam(model.parameters(), lr=0.01)
        x, labels = etude.randn(8, 1, 32, 32), etude.tensor([1] * 8)

        def train(x: Any, labels: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(step(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        train(x, labels)
        program = record(train, x, labels, state=[model, optimizer])
    return program, [x.buffer, labels.buffer]


def run_step(program: Any, inputs: list[Any], run: Any, times: int = 3) -> list[Any]:
    """The ends of some runs on copies of the state: results, and the state after each."""
    state = [c().from_host(c().to_host(s.tensor.buffer), s.tensor.shape, s.tensor.dtype)
             for s in program.state]  # fmt: skip
    found = []
    for turn in range(times):
        found.append(ends(run, state + inputs, turn * 100))
        found.append([bytes(c().to_host(x)) for x in state])
    return found


def test_threads_do_not_matter() -> None:
    program, inputs = lenet_step()
    tape, threads = taped(program), etude.get_num_threads()
    found = []
    try:
        for number in (1, 2, 5):
            etude.set_num_threads(number)
            found.append(run_step(program, inputs, tape))
    finally:
        etude.set_num_threads(threads)
    assert found[0] == found[1] == found[2] == run_step(program, inputs, replay(c(), program))
    assert found[0][0] != found[0][2]  # dropout goes on


def test_several_callers_take_turns() -> None:
    program, inputs = lenet_step()
    tape = taped(program)
    expected = run_step(program, inputs, tape)
    found: list[Any] = []
    callers = [
        threading.Thread(target=lambda: found.append(run_step(program, inputs, tape)))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [expected] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_runs_it_too() -> None:
    program, inputs = lenet_step()
    tape = taped(program)
    expected = run_step(program, inputs, tape)
    child = os.fork()
    if child == 0:
        same = run_step(program, inputs, tape) == expected
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_dropped_tape_gives_its_memory_back() -> None:
    from etude.backends.c_library import lib

    w = Writing()
    x = w.input((1 << 18,))
    y = w("binary", "add", w("unary", "exp", x, like=x), w.constant([1.0] * (1 << 18)), like=x)
    program, given = (
        w.returning(w("reduce", "sum", y, (0,), like=w.value(()))),
        buffer([1] * (1 << 18)),
    )
    gc.collect()
    gc.disable()  # what is in no cycle goes at once
    try:
        before = lib.memory_in_use()
        tape = taped(program)
        result = tape([given], 0, 0)
        assert lib.memory_in_use() > before + (2 << 20)
        del tape, result
        assert lib.memory_in_use() == before
    finally:
        gc.enable()


def test_no_memory() -> None:
    w = Writing()
    x = w.input(())
    large = w.value((1 << 44,))
    results = taped(
        w.returning(
            w("unary", "neg", x, like=x), w("full", large.shape, 0.0, "float32", like=large)
        )
    )
    with pytest.raises(
        MemoryError, match="no memory for a program's results: 70,368,744,177,668 b"
    ):
        results([buffer(1.0)], 0, 0)
    w = Writing()
    x = w.input(())
    y = w("expand", x, (1 << 44,), like=large)
    program = w.returning(w("reduce", "max", y, (0,), like=x))
    with pytest.raises(MemoryError, match="70,368,744,177,664 bytes"):
        c().load(program)
    w = Writing()
    larger = w.value((1 << 50,))
    called = taped(w.returning(w("full", larger.shape, 0.0, "float32", like=larger)))
    with pytest.raises(MemoryError, match="bytes asked for"):
        called([], 0, 0)
