"""The passes one by one: small programs before and after, and where a pass must not fire."""

from __future__ import annotations

import pytest

import etude
from etude import functional as F
from etude import optim
from etude.backends.base import Knob
from etude.framework.compile.passes import EXACT, PASSES, optimize
from etude.framework.compile.passes.common import common
from etude.framework.compile.passes.dead import dead
from etude.framework.compile.passes.fold import fold
from etude.framework.compile.passes.fuse import fuse, reductions
from etude.framework.compile.passes.optimizer import optimizer
from etude.framework.compile.passes.transposes import copies, transposes
from etude.framework.compile.wording import line, namer
from etude.framework.graph import Recorder, record
from etude.framework.graph.rewrite import Merged

NUMPY = etude.backends.get("numpy")


def lines(program):
    """The instructions without the types of what they make."""
    name = namer(program)
    texts = []
    for i in program.instructions:
        left = ", ".join(map(repr, i.outputs))
        texts.append(f"{left} = {line(i, name).split(' = ', 1)[1]}" if left else line(i, name))
    return [text.split("  # ")[0] for text in texts]


def made(function, *inputs, state=()):
    return record(function, *inputs, state=state)


X = etude.tensor([[0.5, -1.0, 2.0], [3.0, 0.25, -2.0]])


# dead ---------------------------------------------------------------------------------------------
def test_dead_code_goes():
    program = made(lambda x: (x.exp(), -x)[1], X)
    assert lines(program) == ["%1 = exp(input0)", "%2 = neg(input0)"]
    assert lines(dead(program)) == ["%2 = neg(input0)"]
    assert len(program.instructions) == 2


def test_gradients_that_nobody_reads_are_not_asked_for():
    w, b = etude.ones(4, 3, requires_grad=True), etude.ones(4, requires_grad=True)

    def f(x):
        y = F.linear(x, w, b)
        return etude.grad(y.sum(), [w, b])[0]

    program = made(f, X, state=[w, b])
    assert "needs=(False, True, True)" in lines(program)[-1]
    after = dead(program)
    assert "needs=(False, True, False)" in lines(after)[-1]
    assert len(after.instructions[-1].outputs) == 1
    assert after.flops < program.flops
    assert after(X).tolist() == program(X).tolist()


def test_what_changes_memory_or_checks_stays():
    w = etude.ones(2, requires_grad=True)
    opt = optim.SGD([w], lr=0.1)

    def f(x):
        opt.zero_grad()
        (w * x).sum().backward()
        opt.step()
        F.embedding(etude.tensor([0, 1]), w.detach().reshape(2, 1))

    program = made(f, X[0, :2], state=[w, opt])
    methods = [i.method for i in dead(program).instructions]
    assert methods[-2:] == ["sgd_steps", "check_range"]
    assert "gather" not in methods


def test_random_numbers_keep_their_places():
    program = made(lambda x: (etude.rand(3), etude.rand(3))[1] + x[0], X)
    after = dead(program)
    assert len(after.instructions) == len(program.instructions) - 1
    assert after.random_blocks == program.random_blocks
    etude.manual_seed(3)
    expected = program(X).tolist()
    etude.manual_seed(3)
    assert after(X).tolist() == expected


# common -------------------------------------------------------------------------------------------
def test_common_work_is_done_once():
    program = made(lambda x: x.exp() + x.exp(), X)
    assert lines(common(program)) == ["%1 = exp(input0)", "%3 = add(%1, %1)"]


def test_a_parameter_before_and_after_its_step_is_not_the_same():
    w = etude.ones(2, requires_grad=True)
    opt = optim.SGD([w], lr=0.1)

    def f(x):
        opt.zero_grad()
        before = w.detach() * 2.0
        (w * x).sum().backward()
        opt.step()
        return before + w.detach() * 2.0

    program = made(f, X[0, :2], state=[w, opt])
    twice = [text for text in lines(common(program)) if "mul(tensor0, 2.0)" in text]
    assert len(twice) == 2


def test_two_results_keep_memory_of_their_own():
    program = made(lambda x: (x.exp(), x.exp()), X)
    assert common(program) is program
    program = made(lambda x: (x.exp(), x.exp().sum()), X)
    assert len(common(program).instructions) == 2


def scaled(*numbers):
    """x times each number, in shapes that the recorder was not told; and their sum."""
    r = Recorder()
    x = r.value((2,), "float32")
    r.program.inputs = [x]
    parts = [r.binary("mul", x, n) for n in numbers]
    total = parts[0]
    for part in parts[1:]:
        total = r.binary("add", total, part)
    for i in r.program.instructions:
        i.outputs[0].shape, i.outputs[0].dtype = (2,), etude.float32
    r.program.outputs = [total]
    return r.program


def test_numbers_and_knobs_that_differ_are_told_apart():
    a, b = {"lr": 0.1}, {"lr": 0.1}
    knobs = [Knob(a, "lr"), Knob(a, "lr"), Knob(b, "lr"), Knob(b, "lr", 1)]
    for numbers, count in ((knobs, 3), ([0.0, -0.0, 0], 3), ([1.0, 1.0], 1), ([True, 1], 2)):
        methods = [i.arguments[0] for i in common(scaled(*numbers)).instructions]
        assert methods.count("mul") == count


def test_equal_random_numbers_are_drawn_once_and_others_are_not():
    r = Recorder()
    x, y, z = (r.uniform(0, c, (2,), "float32") for c in (0, 0, 1))
    r.program.outputs = [r.binary("add", r.binary("add", x, y), z)]
    assert [i.method for i in common(r.program).instructions].count("uniform") == 2


# fold ---------------------------------------------------------------------------------------------
def test_known_numbers_are_written_in():
    program = made(lambda x: x * etude.full((3,), 1.0).div(8.0), X)
    assert lines(fold(program)) == ["%3 = mul(input0, 0.125)"]
    assert fold(program).flops == 6


def test_neutral_numbers_go_where_that_is_exact():
    assert fold(made(lambda x: ((x * 1.0) / 1.0 - 0.0).exp(), X)).flops == 8 * 6
    for f in (lambda x: x + 0.0, lambda x: x - -0.0, lambda x: 1.0 / x):
        program = made(lambda x, f=f: f(x).exp(), X)
        assert fold(program) is program
    whole = made(lambda x: (x + 0) * 2, etude.tensor([1, 2]))
    assert lines(fold(whole)) == ["%2 = mul(input0, 2)"]


def test_an_input_is_not_returned_as_a_result():
    program = made(lambda x: x * 1.0, X)
    assert fold(program) is program


def test_numbers_are_rounded_to_the_dtype():
    (text,) = lines(fold(made(lambda x: x * etude.full((3,), 0.1), X)))
    assert text == "%2 = mul(input0, 0.10000000149011612)"


def test_a_number_that_keeps_no_shape_stays():
    program = made(lambda x: x[0] + etude.ones(2, 3), X)
    assert any("full" in text for text in lines(fold(program)))


def test_work_on_constants_is_done_once():
    def f(x):
        return x * etude.tensor([1.0, 2.0, 3.0]).exp().flip(0)

    program = made(f, X)
    after = fold(program, NUMPY)
    assert [i.method for i in after.instructions] == ["binary"]
    assert len(after.constants) == 1
    assert after(X).tolist() == program(X).tolist()
    assert fold(program) is program
    assert len(program.constants) == 1


def test_knobs_are_not_constants():
    group = {"lr": 1.0}
    program = scaled(Knob(group, "lr"), 2.0)
    x = program.inputs.pop()
    program.constants[x] = memoryview(bytes(8)).cast("f"), (2,), "float32"
    after = fold(program, NUMPY)
    assert [i.arguments[0] for i in after.instructions] == ["mul", "add"]
    assert len(after.constants) == 2


# copies and transposes ----------------------------------------------------------------------------
def test_transposes_of_transposes_go():
    program = made(lambda x: x.t().t().exp(), X)
    assert lines(copies(program)) == ["%3 = exp(input0)"]
    program = made(lambda x: x.reshape(3, 2).reshape(6).exp(), X)
    assert lines(copies(program)) == ["%2 = reshape(input0, shape=(6,))", "%3 = exp(%2)"]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.permute(2, 0, 1)[1:, :, 1].t().exp(),
        lambda x: x[:, 1:, ::2][:, 0].exp(),
        lambda x: x.flip(1).permute(2, 1, 0).exp(),
        lambda x: x[1].expand(3, 3, 4).permute(1, 0, 2)[2].exp(),
        lambda x: x.reshape(6, 4)[1::2].t()[2:].exp(),
        lambda x: x[:, :, :2].reshape(12)[3:9].exp(),
        lambda x: x.permute(1, 0, 2).reshape(6, 4).t()[1].exp(),
        lambda x: x[:1].permute(1, 2, 0).reshape(12).exp(),
    ],
)
def test_windows_on_windows_read_the_same(f):
    x = etude.arange(24).float().reshape(2, 3, 4) / 8.0
    program = made(f, x)
    after = copies(program)
    assert len(after.instructions) <= len(program.instructions)
    assert after(x).tolist() == f(x).tolist()


def test_copies_of_state_that_is_returned_or_changed_stay():
    w = etude.ones(2, requires_grad=True)
    average = etude.zeros(2)
    opt = optim.SGD([w], lr=0.1)

    def f(x):
        opt.zero_grad()
        (w * x).sum().backward()
        before = w.detach().clone()
        opt.step()
        with etude.no_grad():
            average.copy_(w.detach())
        return before * 2.0

    program = made(f, X[0, :2], state=[w, average, opt])
    after = optimize(program, NUMPY)
    assert [i.method for i in after.instructions].count("strided") == 2
    assert after(X[0, :2]).tolist() == [2.0, 2.0]
    assert average.tolist() == w.tolist() != [1.0, 1.0]
    opt.step()
    assert average.tolist() != w.tolist()


def test_a_product_reads_the_other_way_round():
    w = etude.ones(4, 3)
    program = made(lambda x: x @ w.t(), X, state=[w])
    assert lines(transposes(program)) == ["%3 = matmul(input0, tensor0, transpose_b=True)"]
    swapped = made(lambda x: x.permute(0, 2, 1) @ x, etude.ones(2, 3, 4))
    assert "transpose_a=True" in lines(transposes(swapped))[0]
    turned = made(lambda x: x.permute(1, 0, 2) @ x.permute(1, 2, 0), etude.ones(3, 3, 3))
    assert transposes(turned) is turned


def test_a_transpose_from_before_the_step_is_kept():
    w = etude.ones(4, 3, requires_grad=True)
    opt = optim.SGD([w], lr=0.1)

    def f(x):
        opt.zero_grad()
        before = w.detach().t()
        F.linear(x, w).sum().backward()
        opt.step()
        return x @ before

    program = made(f, X, state=[w, opt])
    assert "transpose_b=True" not in lines(transposes(program))[-1]


def test_broadcast_operands_are_not_written_out():
    program = made(lambda x: x + x[0].sum().expand(3), X)
    assert "expand" in [i.method for i in program.instructions]
    after = copies(program)
    assert "expand" not in [i.method for i in after.instructions]
    assert after(X).tolist() == program(X).tolist()


# fusion -------------------------------------------------------------------------------------------
def test_elementwise_functions_become_one_call():
    program = made(lambda x: (x * 2.0 + 1.0).tanh(), X)
    after = fuse(program)
    assert lines(after) == ["%3 = one call: tanh(add(mul(input0, 2.0), 1.0))"]
    assert after.flops == program.flops
    assert after.bytes == 2 * 24
    assert isinstance(after.instructions[0].op, Merged)
    assert after(X).tolist() == program(X).tolist()


def test_several_results_casts_and_choices():
    def f(x):
        big = x > 0.3
        return etude.where(big, x.exp(), 0.0), big.float() * x[0], big

    after = fuse(made(f, X))
    assert [i.method for i in after.instructions].count("fused") == 1
    for a, b in zip(after(X), f(X), strict=True):
        assert a.tolist() == b.tolist()


def test_a_group_ends_where_others_read_it_and_grows_where_it_stands():
    w = etude.ones(3, 3)

    def f(x):
        y = (x + 1.0).exp()
        z = y @ w
        return (y * 3.0).neg() + z

    program = made(f, X, state=[w])
    assert [i.method for i in fuse(program).instructions] == ["fused", "matmul", "binary"]
    assert fuse(program)(X).tolist() == f(X).tolist()


def test_shapes_that_differ_and_knobs_are_not_fused():
    program = made(lambda x: (x[0].exp() + x).neg(), X)
    kinds = [i.method for i in fuse(program).instructions]
    assert kinds[-2:] == ["unary", "fused"]
    knob = Knob({"lr": 0.5}, "lr")
    assert [i.method for i in fuse(scaled(knob, 2.0, 3.0)).instructions] == ["binary", "fused"]


def test_no_function_moves_over_a_change_of_what_it_reads():
    w = etude.ones(3, requires_grad=True)
    opt = optim.SGD([w], lr=0.5)

    def f(x):
        opt.zero_grad()
        before = w.detach() * 2.0
        (w * x).sum().backward()
        opt.step()
        return before + w.detach() * 4.0

    program = made(f, X[0], state=[w, opt])
    twice = []
    for p in (program, optimize(program, NUMPY)):
        with etude.no_grad():
            w.copy_(etude.ones(3))
        twice.append((p(X[0]).tolist(), w.tolist()))
    assert twice[0] == twice[1]


def test_long_chains_are_cut():
    def f(x):
        for _ in range(200):
            x = (x + 1.0) * 0.5
        return x

    after = fuse(made(f, X))
    assert 8 <= len(after.instructions) <= 10
    assert after(X).tolist() == f(X).tolist()


def test_a_sum_joins_what_it_sums():
    program = fuse(made(lambda x: ((x - 1.0) * x).sum(0), X))
    after = reductions(program)
    assert lines(after) == ["%3 = one call: sum(mul(sub(input0, 1.0), input0), axes=(0,))"]
    assert after(X).tolist() == program(X).tolist()
    both = fuse(made(lambda x: [y := x * 2.0 + 1.0, y.sum()], X))
    assert reductions(both) is both


# the optimizer ------------------------------------------------------------------------------------
def steps(between, lr=(0.1, 0.1)):
    r = Recorder()
    values = [r.value((2,), "float32") for _ in range(6)]
    p, g, v, q, h, u = values
    r.program.inputs = values
    r.sgd_step(p, g, v, lr[0], 0.9, 0.0, 0.0, False)
    if between:
        r.program.outputs = [r.binary("mul", p, 2.0)]
    r.sgd_step(q, h, u, lr[1], 0.9, 0.0, 0.0, False)
    return r.program


def test_steps_of_one_kind_are_one():
    assert lines(optimizer(steps(False))) == [
        "sgd_steps([input0, input3], [input1, input4], [input2, input5], "
        "lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0)"
    ]
    for program in (steps(True), steps(False, (0.1, 0.2))):
        assert optimizer(program) is program


def test_steps_of_other_rules_join_too():
    r = Recorder()
    values = r.program.inputs = [r.value((2,), "float32") for _ in range(14)]
    for p, g, square, velocity in (values[:4], values[4:8]):
        r.rmsprop_step(p, g, square, None, velocity, 0.1, 0.9, 1e-8, 0.0, 0.5)
    for p, g, total in (values[8:11], values[11:]):
        r.adagrad_step(p, g, total, 0.1, 1e-8, 0.0)
    assert lines(optimizer(r.program)) == [
        "rmsprop_steps([input0, input4], [input1, input5], [input2, input6], "
        "means=[None, None], [input3, input7], lr=0.1, alpha=0.9, eps=1e-08, weight_decay=0.0, "
        "momentum=0.5)",
        "adagrad_steps([input8, input11], [input9, input12], [input10, input13], "
        "lr=0.1, eps=1e-08, weight_decay=0.0)",
    ]


def test_table_of_passes():
    assert set(EXACT) | {n for n, p in PASSES.items() if p.reorders} == set(PASSES)
    assert all(p.function.__doc__ and p.does for p in PASSES.values())
