"""The recorder: programs print, count, draw, and replay to the bit on every backend."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import prod
from shutil import which

import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude.backends.base import Plan
from etude.framework import models
from etude.framework.graph import Recorder, record, to_dot, to_png
from etude.framework.graph.summary import summarize

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


class Lstm(nn.Module):
    """One layer over a sequence (T, N, D), gates i, f, g, o. Hochreiter & Schmidhuber 1997."""

    def __init__(self, size, hidden):
        super().__init__()
        self.hidden = hidden
        self.x = nn.Linear(size, 4 * hidden)
        self.h = nn.Linear(hidden, 4 * hidden, bias=False)
        self.out = nn.Linear(hidden, 3)

    def forward(self, sequence):
        h = c = sequence[0][:, : self.hidden] * 0.0
        for x in sequence.unbind(0):
            i, f, g, o = (self.x(x) + self.h(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.out(h)


def lenet():
    model = models.create("lenet5")
    return model, etude.rand(4, 1, 32, 32), etude.tensor([0, 3, 9, 1]), 4


def resnet():
    return models.create("resnet20"), etude.rand(2, 3, 16, 16), etude.tensor([1, 2]), 2


def lstm():
    return Lstm(5, 4), etude.rand(6, 3, 5), etude.tensor([0, 1, 2]), 3


def dropout():
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 3))
    return model, etude.rand(5, 6), etude.tensor([0, 1, 2, 1, 0]), 3


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=0.01),
}


def trained(build, optimizer, backend, replay):
    """Three steps, eager or (after a first eager one) replayed: losses and all state at the end."""
    with etude.use_backend(backend):
        etude.manual_seed(5)
        model, x, y, _ = build()
        model.train()
        opt = OPTIMIZERS[optimizer](model.parameters())

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            return loss

        losses = [step(x, y).item()]
        run = record(step, x, y, state=[model, opt]) if replay else step
        for lr in (0.05, 0.02):
            opt.param_groups[0]["lr"] = lr
            losses.append(run(x, y).item())
        state = {name: t.numpy().tobytes() for name, t in model.state_dict().items()}
        grads = [p.grad.numpy().tobytes() for p in model.parameters()]
        return losses, state, grads, etude.get_rng_state()


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("build", [lenet, resnet, lstm, dropout])
@pytest.mark.parametrize("backend", BACKENDS)
def test_training_steps_replay_to_the_bit(build, optimizer, backend):
    if backend == "python" and build is resnet:
        build = lstm  # plain Python takes a minute for a ResNet step
    assert trained(build, optimizer, backend, True) == trained(build, optimizer, backend, False)


def planned(program):
    """Every result inside the run in memory of its own within one arena, but for one in place."""
    inside = [v for i in program.instructions for v in i.outputs if v not in program.returns]
    offsets, at = {}, 0
    for v in inside:
        offsets[v], at = at, at + -(-4 * prod(v.shape) // 64) * 64
    last = program.instructions[-1]
    assert (last.method, last.arguments[0]) == ("reduce", "sum")
    square, product = program.instructions[-2], program.instructions[-3]
    offsets[square.outputs[0]] = offsets[product.outputs[0]]
    return Plan(at, offsets)


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_inside_a_run_lie_in_the_arena_of_the_plan(backend):
    with etude.use_backend(backend):
        w = etude.rand(3, 5)

        def f(x):
            y = (x @ w + 1.0).tanh()
            return y, (y * y).square().sum()

        x, z = etude.rand(4, 3), etude.rand(4, 3)
        expected = [[part.tolist() for part in f(t)] for t in (x, z)]
        program = record(f, x, state=[w])
        program.plan = planned(program)
        run = x.backend.load(program)
        first, second = run([w.buffer, x.buffer], 0, 0), run([w.buffer, z.buffer], 0, 0)
        for made, wanted in zip((first, second), expected):
            y, total = (x.backend.to_host(b).tolist() for b in made)
            assert y == [v for row in wanted[0] for v in row]
            assert total == [wanted[1]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_planned_program_runs_in_several_threads_at_once(backend):
    with etude.use_backend(backend):
        program = record(lambda x: (x * 2.0 + 1.0).square().sum(), etude.zeros(50))
        program.plan = planned(program)
        run = etude.zeros(1).backend.load(program)
        xs = [etude.full((50,), float(i)) for i in range(8)]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda x: run([x.buffer], 0, 0)[0], xs * 5))
        assert [x.backend.to_host(b)[0] for b in made for x in xs[:1]] == [
            50.0 * (2 * i + 1) ** 2 for i in range(8)
        ] * 5


def test_a_constant_that_a_step_changes_is_new_at_each_run():
    def f(x):
        w = etude.tensor([1.0, 2.0], requires_grad=True)
        (w * x).sum().backward()
        optim.SGD([w], lr=1.0).step()
        return w.detach()

    x = etude.ones(2)
    program = record(f, x)
    assert program(x).tolist() == program(x).tolist() == f(x).tolist()


def test_recording_leaves_no_trace():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout())
    opt = optim.Adam(model.parameters())
    before = {k: t.tolist() for k, t in model.state_dict().items()}
    rng = etude.get_rng_state()

    def step(x):
        loss = model(x).square().sum()
        loss.backward()
        opt.step()
        return loss

    record(step, etude.ones(4, 3), state=[model])
    assert {k: t.tolist() for k, t in model.state_dict().items()} == before
    assert etude.get_rng_state() == rng
    assert all(p.grad is None and p.backend.name == "numpy" for p in model.parameters())
    assert opt.param_groups[0]["lr"] == 1e-3


def small():
    w = etude.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)

    def f(x):
        return {"y": (x @ w).relu(), "pair": (x.sum(), 3)}

    return w, f, etude.tensor([[1.0, -1.0]])


def test_program_prints_and_returns_what_the_function_did():
    w, f, x = small()
    program = record(f, x, state=[w])
    assert str(program).splitlines() == [
        "inputs   %1: float32[1, 2]",
        "state    %0: float32[2, 2] tensor0",
        "%2: float32[1, 2] = matmul(%1, %0, transpose_a=False, transpose_b=False)",
        "%3: float32[1, 2] = unary(name='relu', %2)",
        "%4: float32[] = reduce(name='sum', %1, axes=(0, 1))",
        "return   %3, %4",
    ]
    out = program(x)
    assert out["y"].tolist() == f(x)["y"].tolist()
    assert out["pair"][0].item() == 0.0
    assert out["pair"][1] == 3


def test_program_counts():
    w, f, x = small()
    program = record(f, x, state=[w])
    assert program.flops == 2 * 2 * 2 + 2 + 2
    assert program.bytes == 4 * ((2 + 4 + 2) + (2 + 2) + (2 + 1))
    assert program.state_bytes == 16
    assert program.peak_memory() == 4 * (2 + 2 + 2)


def test_program_runs_on_other_values_and_shapes_are_checked():
    w, f, x = small()
    program = record(f, x, state=[w])
    assert program(etude.tensor([[0.0, 5.0]]))["y"].tolist() == [[15.0, 20.0]]
    with pytest.raises(etude.errors.ShapeError, match="record again for another shape"):
        program(etude.ones(2, 2))
    with pytest.raises(etude.errors.ArgumentError, match="expected 1 inputs"):
        program()
    with pytest.raises(etude.errors.BackendMismatch, match=r"\.to\('numpy'\)"):
        program(x.to("python"))


def test_reading_a_value_while_recording_is_refused():
    with pytest.raises(etude.errors.GradError, match="depends on no computed value"):
        record(lambda x: x if x.sum().item() > 0 else -x, etude.ones(2))


def test_a_tensor_that_was_not_declared_is_named():
    w = etude.ones(2)
    with pytest.raises(etude.errors.BackendMismatch):
        record(lambda x: x * w, etude.ones(2))


def test_constants_are_part_of_the_program():
    program = record(lambda x: x * etude.tensor([1.0, 2.0]) + etude.arange(2), etude.ones(2))
    assert program(etude.ones(2)).tolist() == [1.0, 3.0]


def test_double_backward_is_recorded():
    def f(x):
        (g,) = etude.grad((x**3).sum(), [x], create_graph=True)
        (h,) = etude.grad(g.sum(), [x])
        return h

    x = etude.tensor([2.0, 3.0], requires_grad=True)
    assert record(f, x)(x).tolist() == [12.0, 18.0]


def test_dot_names_every_instruction():
    w, f, x = small()
    dot = to_dot(record(f, x, state=[w]))
    assert dot.startswith('digraph "program" {')
    assert all(word in dot for word in ("matmul", "relu", "sum", "input 0", "tensor0", "output 1"))


def test_png_needs_graphviz(tmp_path, monkeypatch):
    w, f, x = small()
    program = record(f, x, state=[w])
    if which("dot"):
        assert to_png(program, tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(etude.errors.ArgumentError, match="install the system package graphviz"):
        to_png(program, tmp_path / "q.png")


def test_scopes_name_the_modules():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    program = record(model, etude.ones(1, 2), state=[model])
    assert [i.scope for i in program.instructions] == ["Sequential.0", "Sequential.1.0"]


def test_summary_allocates_no_weights():
    s = summarize(lambda: nn.Sequential(nn.Linear(10**6, 10**6), nn.ReLU()), [(1, 10**6)])
    assert s.parameters == 10**12 + 10**6
    assert s.flops == 2 * 10**12 + 2 * 10**6
    assert [layer.shape for layer in s.layers] == [(1, 10**6)] * 2


def test_summary_counts_a_shared_layer_once():
    def make():
        layer = nn.Linear(3, 3)
        return nn.Sequential(layer, layer)

    s = summarize(make, [(1, 3)])
    assert (s.parameters, [row.parameters for row in s.layers]) == (12, [12, 0])


def test_recorder_writes_what_backends_call():
    r = Recorder()
    x = r.value((2,), "float32")
    y = r.uniform(0, 0, (2,), "float32")
    assert [i.method for i in r.program.instructions] == ["uniform"]
    assert (y.shape, y.dtype, x.number, y.number) == ((2,), "float32", 0, 1)
