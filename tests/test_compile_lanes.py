"""Batches in lanes: what NumPy computes on them, and which programs are laid so."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from test_compile_passes import NUMPY, made

import etude
from etude import functional as F
from etude import nn, optim
from etude.backends import numpy_lanes_conv
from etude.framework.compile.passes import PASSES, optimize
from etude.framework.compile.passes.lanes import lanes

N = 16


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with etude.use_backend("numpy"):
        yield


class Net(nn.Module):
    """A convolution, a pool, another convolution of what is left, and two affine layers."""

    def __init__(self, kernel: Any, padding: Any, pool: Any, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 8, kernel, padding=padding)
        last = (1, 2) if padding else 2
        self.pool, self.conv2 = pool, nn.Conv2d(8, 6, last, bias=False)
        with etude.no_grad():
            features = self.images(etude.zeros(1, 2, *size)).numel()
        self.fc1, self.fc2 = nn.Linear(features, 6), nn.Linear(6, 3)

    def images(self, x: Any) -> Any:
        return self.conv2(self.pool(self.conv1(x)).relu()) * 0.5

    def forward(self, x: Any) -> Any:
        return self.fc2(self.fc1(self.images(x).flatten(1)).tanh())


CASES = {
    "plain": (3, 0, nn.MaxPool2d(2), (8, 10)),
    "padded": (3, 1, nn.MaxPool2d(2), (6, 8)),
    "lines only": ((3, 1), (2, 0), nn.MaxPool2d((2, 1)), (6, 5)),
    "wide": ((2, 5), (1, 3), nn.MaxPool2d(2), (7, 6)),
    "windows that overlap": (2, 0, nn.MaxPool2d(3, 2), (8, 8)),
    "windows with gaps": (2, 0, nn.MaxPool2d(2, 3), (9, 9)),
    "columns left over": (2, 0, nn.MaxPool2d(2), (8, 8)),
}


def trained(net: Any, x: Any, optimizer: str, passes: Any, compiled: bool = True) -> Any:
    """Losses, gradients and weights of three steps, and the program."""
    opt = {"sgd": optim.SGD, "adam": optim.Adam}[optimizer](net.parameters(), lr=0.01)
    labels = etude.arange(N) % 3

    def step(x):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        opt.step()
        return loss

    run = etude.compile(step, passes=passes) if compiled else step
    losses = [run(x).item() for _ in range(3)]
    arrays = [a.detach().numpy() for p in net.parameters() for a in (p, p.grad)]
    return losses, arrays, run.programs[-1][1] if compiled else None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_nets_train_in_lanes_as_in_eager_code(monkeypatch: Any, case: str, dtype: str) -> None:
    monkeypatch.setattr(numpy_lanes_conv, "BLOCK_BYTES", 5000 if "p" in case else 1 << 22)
    found = []
    with etude.use_backend("numpy"):
        for compiled in (True, False):
            etude.manual_seed(3)
            net = Net(*CASES[case]).to(dtype)
            x = etude.randn(N, 2, *CASES[case][3]).to(dtype)
            found.append(trained(net, x, "sgd", None, compiled))
    (losses, arrays, program), (expected, truth, _) = found
    methods = [i.method for i in program.instructions for v in i.outputs if v in program.lanes]
    several = ("conv", "conv_input_grad", "max_pool", "max_pool_grad", "linear", "linear_grad")
    assert {*several, "reshape"} <= {*methods}
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert losses == pytest.approx(expected, rel=tolerance)
    for a, b in zip(arrays, truth, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_large_layers_step_in_lanes(optimizer: str) -> None:
    found = []
    with etude.use_backend("numpy"):
        for compiled in (True, False):
            etude.manual_seed(3)
            net = nn.Sequential(nn.Linear(300, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
            net.append(nn.Linear(256, 3))
            found.append(trained(net, etude.randn(N, 300), optimizer, None, compiled))
    (losses, arrays, program), (expected, truth, _) = found
    inside = [i.method for i in program.instructions for v in i.outputs if v in program.lanes]
    early = "linear_grad_" + optimizer
    assert early in inside
    assert [i.method for i in program.instructions].count(early) == 2
    assert losses == pytest.approx(expected, rel=1e-5)
    for a, b in zip(arrays, truth, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


def test_pools_let_nan_and_infinities_through(monkeypatch: Any) -> None:
    monkeypatch.setattr(import_module(lanes.__module__), "MOST", 0)  # copies may be many
    x = np.random.default_rng(0).standard_normal((N, 1, 5, 5)).astype("float32")
    x[0, 0, 1, 1], x[1, 0, 2, 2], x[2, 0, :3, :3] = np.nan, np.inf, -np.inf
    x[3, 0, 0, 0] = x[3, 0, 0, 1] = np.nan
    conv, pool = nn.Conv2d(1, 8, 1, bias=False), nn.MaxPool2d(2)
    conv.weight.requires_grad_(False).fill_(1.0)
    found = []

    def f(x):
        y = pool(conv(x))
        ((y * 2.0).abs() * y).sum().backward()
        return (y * 2.0 + 1.0).flatten(1)

    for compiled in (True, False):
        t = etude.tensor(x, requires_grad=True)
        run = etude.compile(f) if compiled else f
        y = run(t)
        found.append((y.detach().numpy(), t.grad.numpy()))
        assert not compiled or len(run.programs[-1][1].lanes) > 4
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)


def conv_of(*shape: int, **options: Any) -> Any:
    conv = nn.Conv2d(2, 4, 3, **options)
    return made(lambda x: conv(x).relu() + 1.0, etude.ones(*shape), state=[conv])


def test_few_examples_strides_and_groups_stay_as_they_are() -> None:
    conv = nn.Conv2d(2, 16, 3)
    for shape, options in (
        ((2, 2, 8, 8), {}),
        ((N, 2, 8, 8), {"stride": 2}),
        ((N, 2, 8, 8), {"groups": 2}),
        ((N, 2, 8, 8), {"dilation": 2}),
        ((N, 2, 8, 8), {"padding": 3}),
    ):
        program = conv_of(*shape, **options)
        assert lanes(program) is program
    program = made(lambda x: conv(x).exp().sum(), etude.ones(N, 2, 8, 8), state=[conv])
    assert len(lanes(program).lanes) == 2
    net = nn.Sequential(conv, nn.BatchNorm2d(16), nn.Conv2d(16, 4, 3), nn.BatchNorm2d(4))
    program = made(lambda x: net(x), etude.ones(N, 2, 8, 8), state=[net])
    assert lanes(program) is program  # batch norm reads them one after the other


def test_results_and_positions_that_are_read_lie_as_always() -> None:
    conv = nn.Conv2d(1, 8, 3)
    x = etude.randn(N, 1, 8, 8)

    def pooled(x):
        y, places = F.max_pool2d(conv(x), 2, return_indices=True)
        return y.relu(), places

    program = optimize(made(pooled, x, state=[conv]), NUMPY)
    assert not {*program.returns} & program.lanes
    pools = [i for i in program.instructions if i.method == "max_pool"]
    assert not {v for i in pools for v in i.outputs} & program.lanes
    y, places = etude.compile(pooled)(x)
    expected, positions = pooled(x)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(places.numpy(), positions.numpy())


def test_what_changes_in_place_is_not_copied_before() -> None:
    x = etude.randn(N, 1, 6, 6)
    conv = nn.Conv2d(1, 3, 3)

    def f(y):
        a = conv(x).relu().sum()
        x.add_(y)
        return a + conv(x).relu().sum()

    start = x.numpy().copy()
    run = etude.compile(f, state=[x])
    found = [run(etude.ones(N, 1, 6, 6)).item() for _ in range(2)]
    x.copy_(etude.tensor(start))
    assert found == pytest.approx([f(etude.ones(N, 1, 6, 6)).item() for _ in range(2)], rel=1e-5)


def test_losses_leave_examples_out_in_lanes() -> None:
    found = []
    labels = etude.tensor([n % 5 - 2 * (n % 3) for n in range(N)]).clip(-1, 4)
    x = etude.randn(N, 20)
    for compiled in (True, False):
        etude.manual_seed(1)
        net = nn.Sequential(nn.Linear(20, 8), nn.Sigmoid(), nn.Linear(8, 5, bias=False))

        def gradients(x, net=net):
            net.zero_grad()
            loss = F.cross_entropy(net(x), labels, ignore_index=-1)
            loss.backward()
            return loss

        run = etude.compile(gradients) if compiled else gradients
        found.append([run(x).item(), *(p.grad.numpy() for p in net.parameters())])
        if compiled:
            laid = [i.method for i, _ in run.programs[-1][1].steps()]
            assert "cross_entropy_mean_grad" in laid
            assert len(run.programs[-1][1].lanes) > 5
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_labels_are_looked_at_once_for_all_losses_of_a_kind() -> None:
    labels = etude.arange(N) % 5
    net = nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 5))

    def f(x):
        net.zero_grad()
        y = net(x)
        losses = F.cross_entropy(y, labels) + F.cross_entropy(y.tanh(), labels)
        loss = losses + F.cross_entropy(y.sigmoid(), labels, ignore_index=2)
        loss.backward()
        return loss

    run, x = etude.compile(f), etude.randn(N, 20)
    expected = [f(x).item(), *(p.grad.numpy() for p in net.parameters())]
    for watched in (False, True):
        with etude.profile() if watched else nullcontext() as profile:
            found = [run(x).item(), *(p.grad.numpy() for p in net.parameters())]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    calls = [call[0].__name__ for call in run.entries[0].runner.layout.calls]
    assert calls.count("marks") == 2
    assert calls.count("cross_entropy_mean_grad") == 3
    timed = [c.method for c in profile.calls]
    assert timed.count("cross_entropy_mean") == timed.count("cross_entropy_mean_grad") == 3


def test_gradients_of_inputs_have_memory_of_their_own() -> None:
    net, labels = nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 5)), etude.arange(N) % 5

    def f(x):
        net.zero_grad()
        F.cross_entropy(net(x), labels).backward()

    run = etude.compile(f)
    pairs = []
    for _ in range(3):
        x = etude.randn(N, 20)
        twins = [etude.tensor(x.numpy(), requires_grad=True) for _ in range(2)]
        run(twins[0])
        f(twins[1])
        pairs.append([t.grad for t in twins])
    for g, expected in pairs:
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-4, atol=1e-7)
    assert run.cache_info().hits
    assert run.programs[-1][1].lanes


def test_a_gradient_keeps_its_memory_while_a_reshape_of_it_is_read() -> None:
    conv = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Conv2d(8, 1, 3))
    fc1, fc2, labels = nn.Linear(12, 36), nn.Linear(36, 5), etude.arange(N) % 5
    weights = [p for net in (conv, fc1, fc2) for p in net.parameters()]

    def f(x, z):
        for p in weights:
            p.grad = None
        images, features = conv(x), fc1(z).tanh()
        F.cross_entropy(fc2((images.flatten(1) + features).tanh()), labels).backward()

    x, z = etude.randn(N, 2, 10, 10), etude.randn(N, 12)
    f(x, z)
    expected = [p.grad.numpy().copy() for p in weights]
    run = etude.compile(f, passes=["lanes", "memory"])
    for _ in range(2):
        run(x, z)
        for p, g in zip(weights, expected, strict=True):
            np.testing.assert_allclose(p.grad.numpy(), g, rtol=1e-4, atol=1e-6)
    assert len(run.entries[0].runner.layout.home) == 2


def scorer() -> Any:
    net = nn.Sequential(nn.Conv2d(2, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    net.append(nn.Linear(144, 3))
    return etude.compile(lambda x: net(x).softmax(1))


def test_a_profile_times_what_runs_in_lanes() -> None:
    run = scorer()
    with etude.no_grad():
        x = etude.randn(N, 2, 8, 8)
        expected = run(x).numpy().copy()
        with etude.profile() as profile:
            np.testing.assert_array_equal(run(x).numpy(), expected)
    program = run.programs[-1][1]
    assert len(program.lanes) > 3
    timed = sorted(c.method for c in profile.calls if c.method != "to_host")
    assert timed == sorted(i.method for i in program.instructions)


def test_explain_names_what_lies_side_by_side() -> None:
    run = scorer()
    run(etude.randn(N, 2, 8, 8))
    assert f"== lanes: {PASSES['lanes'].does} ==\n  side by side: %" in run.explain()


# gradients of the last run ------------------------------------------------------------------------
def stepper() -> tuple[Any, Any]:
    net = nn.Linear(4, 3)
    opt = optim.SGD(net.parameters(), lr=0.1)

    def step(x, y):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()

    return net, etude.compile(step)


def test_old_gradients_go_before_new_ones_come_unless_somebody_holds_them() -> None:
    net, step = stepper()
    x, y = etude.randn(N, 4), etude.arange(N) % 3
    for _ in range(3):
        step(x, y)
    run, seen = step.entries[0].runner, []
    old = weakref.ref(net.bias.grad.buffer)
    step.entries[0].runner = lambda *given: (seen.append(old() is None), run(*given))[1]
    step(x, y)
    held = net.weight.grad
    before, old = held.numpy().copy(), weakref.ref(net.weight.grad.buffer)
    step(x, y)
    assert seen == [True, False]
    assert net.weight.grad is not held
    np.testing.assert_array_equal(held.numpy(), before)


def test_a_run_that_fails_leaves_no_gradient_without_numbers() -> None:
    net, step = stepper()
    x, y = etude.randn(N, 4), etude.arange(N) % 3
    for _ in range(3):
        step(x, y)
    weights = net.weight.detach().numpy()
    before = weights.copy()
    with pytest.raises(etude.errors.IndexOutOfRange):
        step(x, y + 1)
    assert net.weight.grad is None
    np.testing.assert_array_equal(weights, before)
    for _ in range(2):
        step(x, y)

    def interrupted(*given: Any) -> Any:
        raise KeyboardInterrupt

    run, step.entries[0].runner = step.entries[0].runner, interrupted
    with pytest.raises(KeyboardInterrupt):
        step(x, y)
    assert net.weight.grad is None
    step.entries[0].runner = run
    step(x, y)
    assert net.weight.grad.shape == (3, 4)


@pytest.mark.parametrize("name", ["renewed", "tick"])  # called before a run, and after it
def test_an_interrupt_around_a_run_leaves_no_gradient_without_numbers(name: str) -> None:
    net, step = stepper()
    x, y = etude.randn(N, 4), etude.arange(N) % 3
    for _ in range(3):
        step(x, y)
    module = import_module("etude.framework.compile.entry")
    function = getattr(module, name)

    def interrupted(*given: Any) -> Any:
        function(*given)
        assert net.weight.grad.buffer is None
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            step(x, y)
    assert net.weight.grad is None
    step(x, y)
    assert net.weight.grad.shape == (3, 4)


def test_numbers_that_overflow_warn_in_no_run_that_is_watched() -> None:
    run, x = scorer(), etude.full((N, 2, 8, 8), 3e38)
    with etude.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = run(x).numpy()
        with etude.profile():
            np.testing.assert_array_equal(run(x).numpy(), expected)
    assert run.programs[-1][1].lanes
