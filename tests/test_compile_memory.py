"""All passes on whole training steps, on every backend; the memory plan and recomputation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_graph import Lstm

import etude
from etude import functional as F
from etude import nn, optim
from etude.backends.base import RANDOM, Knob, Value
from etude.backends.numpy_backend import NumpyBackend
from etude.framework import models
from etude.framework.compile.passes import EXACT, PASSES, optimize
from etude.framework.compile.passes.epilogue import epilogue
from etude.framework.compile.passes.memory import plan
from etude.framework.compile.passes.recompute import recompute
from etude.framework.compile.passes.transposes import transposes
from etude.framework.graph import record
from etude.framework.graph.lives import eager_peak, peak

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
NUMPY = etude.backends.get("numpy")


def lenet():
    return models.create("lenet5"), etude.rand(4, 1, 32, 32), etude.tensor([0, 3, 9, 1])


def resnet():
    return models.create("resnet20"), etude.rand(2, 3, 16, 16), etude.tensor([1, 2])


def lstm():
    return Lstm(5, 4), etude.rand(6, 3, 5), etude.tensor([0, 1, 2])


def dropout():
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 3))
    return model, etude.rand(5, 6), etude.tensor([0, 1, 2, 1, 0])


class Attention(nn.Module):
    """A block of a transformer whose loss is composed: log-softmax, then the labels."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        y, _ = self.attention(x, x, x, need_weights=False)
        return F.log_softmax(self.out(F.gelu(self.norm(x + y))).mean(0), 1)


def attention():
    return Attention(), etude.rand(4, 3, 8), etude.tensor([2, 0, 1])


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=0.01),
}


def step_of(build, optimizer="sgd"):
    """A training step, its inputs and its state, after a first step."""
    model, x, y = build()
    opt = OPTIMIZERS[optimizer](model.parameters())
    loss_of = F.nll_loss if build is attention else F.cross_entropy

    def step(x, y):
        opt.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        opt.step()
        return loss

    step(x, y)
    return step, (x, y), [model, opt]


def trained(build, optimizer, backend, names, budget=None):
    """Losses, state and gradients of three steps, eager if `names` is None."""
    with etude.use_backend(backend):
        etude.manual_seed(5)
        step, inputs, (model, opt) = step_of(build, optimizer)
        if names is not None:
            program = record(step, *inputs, state=[model, opt])
            step = optimize(program, etude.backends.get(backend), names, budget)
        losses = []
        for lr in (0.05, 0.02, 0.02):
            opt.param_groups[0]["lr"] = lr
            losses.append(step(*inputs).detach().numpy())
        return [
            np.array(a)
            for a in (
                *losses,
                *(t.detach().numpy() for t in model.state_dict().values()),
                *(p.grad.numpy() for p in model.parameters()),
            )
        ]


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("build", [lenet, resnet, lstm, dropout, attention])
@pytest.mark.parametrize("backend", BACKENDS)
def test_training_steps_agree_with_eager_ones(build, backend):
    if backend == "python" and build is resnet:
        build = lstm  # plain Python takes a minute for a ResNet step
    optimizer = "adam" if build in (lenet, lstm) else "sgd"
    eager = trained(build, optimizer, backend, None)
    exact = trained(build, optimizer, backend, EXACT)
    assert [a.tobytes() for a in exact] == [a.tobytes() for a in eager]
    for a, b in zip(trained(build, optimizer, backend, PASSES), eager, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", [n for n in PASSES if n != "recompute"])
def test_each_pass_alone_agrees(name):
    for build in (dropout, attention):
        eager = trained(build, "sgd", "numpy", None)
        for a, b in zip(trained(build, "sgd", "numpy", [name]), eager, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_epilogues_round_as_separate_calls_do(backend, dtype):
    with etude.use_backend(backend):
        for m, k, n in ((1, 1, 1), (3, 5, 2), (17, 33, 10), (64, 100, 48), (2, 300, 70)):
            x, w = etude.randn(m, k, dtype=dtype), etude.randn(n, k, dtype=dtype)
            b = etude.randn(n, dtype=dtype)
            for activation in (F.relu, F.tanh, F.sigmoid, F.gelu):

                def f(x, w=w, b=b, activation=activation):
                    return activation(F.linear(x, w) + b)

                program = record(f, x, state=[w, b])
                after = epilogue(program)
                assert len(after.instructions) == 1
                assert after(x).numpy().tobytes() == program(x).numpy().tobytes()


# memory -------------------------------------------------------------------------------------------
def poisoned(program, given):
    """Run a program in its arena on NumPy; memory that nothing alive is in is filled with nan."""
    places = program.plan.offsets
    arena = np.full(program.plan.size, 0xFF, np.uint8)
    env = dict(zip(program.reads, given, strict=True))
    root = {v: v for v in env}
    env |= {v: NUMPY.from_host(*c) for v, c in program.constants.items()}
    last = {}
    for at, i in enumerate(program.instructions):
        for v in i.outputs:
            root[v] = root.get(i.arguments[0], i.arguments[0]) if i.method == "reshape" else v
        last.update({root.get(v, v): at for v in (*i.inputs, *i.outputs)})
    last.update({root.get(v, v): len(program.instructions) for v in program.returns})
    live = {}

    def buffers(a):
        if isinstance(a, (list, tuple)):
            return type(a)(map(buffers, a))
        return env[a] if isinstance(a, Value) else a.read() if isinstance(a, Knob) else a

    for at, i in enumerate(program.instructions):
        arguments = [*map(buffers, i.arguments)]
        if i.method in RANDOM:
            arguments[0] = 1
        result = getattr(NUMPY, i.method)(*arguments)
        several = result if isinstance(result, (tuple, list)) else (result,)
        made = [r for r in several if r is not None]
        for v in [v for v in live if last[v] <= at]:
            begin, end = live.pop(v)
            arena[begin:end] = 0xFF
        for v, r in zip(i.outputs, made, strict=True):
            env[v] = r
            if v in places and i.method != "reshape":
                begin, end = places[v], places[v] + r.nbytes
                assert begin % 64 == 0
                assert end <= arena.size
                assert all(end <= b or e <= begin for b, e in live.values()), (v, i)
                live[v] = begin, end
                env[v] = np.ndarray(r.shape, r.dtype, arena, begin)
                env[v][...] = r
    return [env[v] for v in program.returns]


def check_plan(program, *inputs):
    """The plan holds no two live values in one place, and results are the same with it."""
    planned = plan(program)
    assert planned.plan.offsets.keys().isdisjoint(program.returns)
    given = [t.buffer for t in (*(s.tensor for s in program.state), *inputs)]
    plain = [np.array(r) for r in NUMPY.load(program)([np.array(g) for g in given], 1, 0)]
    filled = poisoned(planned, [np.array(g) for g in given])
    run = NumpyBackend().load(planned)
    again = [run([np.array(g) for g in given], 1, 0) for _ in range(2)]
    for a, b, c, d in zip(plain, filled, *again, strict=True):
        assert a.tobytes() == np.asarray(b).tobytes() == c.tobytes() == d.tobytes()


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("build", [lenet, resnet, lstm, dropout, attention])
@pytest.mark.parametrize("names", [(), EXACT], ids=["recorded", "passes"])
def test_plans_of_training_steps_hold(build, names):
    step, inputs, state = step_of(build)
    program = record(step, *inputs, state=state)
    check_plan(optimize(program, NUMPY, set(names) - {"memory"}), *inputs)


OPS = [
    lambda a, b: a + b,
    lambda a, b: a * 0.5 - b,
    lambda a, b: a.tanh(),
    lambda a, b: a @ b.t() @ b,
    lambda a, b: a.reshape(-1).reshape(3, 4) * 2.0,
    lambda a, b: a.reshape(4, 3).t(),
    lambda a, b: a + b.sum(0),
    lambda a, b: etude.where(a > b, a, b[:1].expand(3, 4)),
    lambda a, b: F.softmax(a, 1),
    lambda a, b: etude.cat([a, b], 1)[:, 2:6],
    lambda a, b: (a - b.mean(1, keepdim=True)).exp(),
]


@pytest.mark.no_cover  # long, and every line is reached by others
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 99), st.integers(0, 99)), max_size=14),
    st.integers(0, 99),
    st.booleans(),
)
def test_plans_of_random_programs_hold(calls, result, backward):
    x = etude.arange(12).float().reshape(3, 4) / 12.0
    w = (x - 0.5).requires_grad_()

    def f(x):
        w.grad = None
        values = [x, w]
        for op, a, b in calls:
            values.append(op(values[a % len(values)], values[b % len(values)]))
        y = values[result % len(values)] + values[-1] * w
        if backward:
            y.sum().backward()
        return y

    program = record(f, x, state=[w])
    check_plan(program, x)
    check_plan(optimize(program, NUMPY, set(EXACT) - {"memory"}), x)
    after = optimize(program, NUMPY, EXACT)
    assert after(x).numpy().tobytes() == program(x).detach().numpy().tobytes()
    assert np.allclose(optimize(program, NUMPY)(x).numpy(), program(x).detach().numpy(), atol=1e-5)


def test_elementwise_results_take_the_place_of_their_input():
    w = etude.ones(4, 4)
    program = plan(record(lambda x: (x @ w).exp().neg() @ w, etude.ones(4, 4), state=[w]))
    assert program.plan.size == 64
    assert len(set(program.plan.offsets.values())) == 1
    both = plan(record(lambda x: (y := x @ w).exp() @ y, etude.ones(4, 4), state=[w]))
    assert both.plan.size == 128


def wide_resnet():
    """A recorded step with a batch of 32: recording computes nothing."""
    step, _, state = step_of(resnet)
    return record(step, etude.zeros(32, 3, 32, 32), etude.zeros(32, dtype="int64"), state=state)


def test_a_resnet_step_takes_less_memory_than_eager():
    program = wide_resnet()
    assert peak(optimize(program, NUMPY)) < 0.7 * eager_peak(program)


def test_recomputation_keeps_to_the_budget_and_to_the_bits():
    program = optimize(wide_resnet(), NUMPY, set(PASSES) - {"memory"})
    budget = int(0.6 * peak(program))
    after = recompute(program, budget)
    assert peak(after) <= budget
    assert len(after.instructions) > len(program.instructions)
    assert after.flops < 1.1 * program.flops
    assert recompute(program, peak(program)) is program
    eager = trained(lenet, "sgd", "numpy", None)
    made = trained(lenet, "sgd", "numpy", EXACT, 100_000)
    assert [a.tobytes() for a in made] == [a.tobytes() for a in eager]


def test_dropout_is_recomputed_with_the_same_numbers():
    model = nn.Sequential(nn.Linear(20, 400), nn.Dropout(0.5), nn.Tanh(), nn.Linear(400, 2))
    x = etude.rand(30, 20)

    def f(x):
        model.zero_grad()
        model(x).square().mean().backward()

    program = record(f, x, state=[model])
    after = recompute(program, int(0.6 * peak(program)))
    assert peak(after) < peak(program)
    assert sum(i.method == "uniform" for i in after.instructions) == 2
    found = []
    for p in (program, after):
        etude.manual_seed(1)
        p(x)
        found.append([p.grad.numpy().tobytes() for p in model.parameters()])
    assert found[0] == found[1]


def test_passes_are_not_slow():
    """Each walks over a program a few times: thousands of instructions do not take minutes."""

    def f(x):
        for _ in range(500):
            x = (x * 1.5).tanh()
        return x.sum()

    program = record(f, etude.ones(3))
    assert len(optimize(transposes(program), NUMPY).instructions) < 60
