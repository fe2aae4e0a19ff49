"""Recorded programs on the CUDA backend as graphs: in the simulator, and on a made-up driver.

The simulator goes through what was recorded launch by launch; the made-up driver takes the calls of
the graph API, as cuda_exec.py makes them, and does their work in host memory. Both have to leave
what eager execution leaves, to the bit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiled import train
from cuda_device import cuda_backend

import etude
from etude import functional as F
from etude import nn, optim

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def cuda() -> Iterator[Any]:
    with cuda_backend() as engine:
        yield engine


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every graph that is loaded."""
    pytest.importorskip("greenlet")
    from etude.backends.cuda_graph import CudaGraphs, Graph

    found: list[Any] = []

    def load(self: Any, program: Any) -> Any:
        found.append(Graph(self, program))
        return found[-1]

    monkeypatch.setattr(CudaGraphs, "load", load)
    return found


def kinds(graph: Any) -> list[str]:
    """What a run of a recording consists of."""
    return [type(part).__name__ for part in graph.recording.parts]


# whole training steps -----------------------------------------------------------------------------
def convnet() -> nn.Module:
    """LeNet-5's kinds of layers on 1x8x8."""
    etude.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 3, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(12, 4),
    )  # fmt: skip


def curve(backend: str, compiled: bool, steps: int) -> tuple[list[float], list[Any]]:
    """Losses of training on another batch at each step, and the weights that are left."""
    rng = np.random.default_rng(0)
    with etude.use_backend("numpy"):
        net = convnet()
    net = net.to(backend)
    optimizer = optim.Adam(net.parameters(), 0.01)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = etude.compile(step) if compiled else step
    losses = []
    for _ in range(steps):
        x = rng.standard_normal((3, 1, 8, 8)).astype("float32")
        batch = etude.tensor(x, backend=backend), etude.tensor([0, 2, 3], backend=backend)
        losses.append(run(*batch).item())
    return losses, [p.detach().cpu().numpy() for p in net.parameters()]


def test_a_loss_curve_is_numpys_eager_and_by_graph(cuda: Any, graphs: list[Any]) -> None:
    expected, weights = curve("numpy", False, 6)
    for compiled in (False, True):
        losses, found = curve("cuda", compiled, 6)
        np.testing.assert_allclose(losses, expected, rtol=1e-4)
        for a, b in zip(found, weights):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    (graph,) = graphs
    assert graph.called == []
    assert kinds(graph) == ["Listed", "Checked", "Listed"]


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "amsgrad", "rmsprop", "adagrad"])
def test_training_by_graph_leaves_what_eager_training_leaves(
    cuda: Any, graphs: list[Any], optimizer: str
) -> None:
    """Dropout, running statistics, clipping, schedules and step counts too: to the bit."""
    schedule = "cosine" if optimizer == "momentum" else "none"
    assert train("cuda", optimizer, schedule, True) == train("cuda", optimizer, schedule, False)
    assert [g.called for g in graphs] == [[]]


# memory -------------------------------------------------------------------------------------------
def test_inputs_that_change_are_copied_and_weights_are_not(cuda: Any, graphs: list[Any]) -> None:
    w = etude.tensor([2.0, 3.0])
    f = etude.compile(lambda x: x * w)
    for i in range(4):
        assert f(etude.tensor([float(i), 1.0])).tolist() == [2.0 * i, 3.0]
    recording = graphs[0].recording
    assert list(recording.slots) == [1]
    assert recording.bound[0] is w.buffer


def test_results_stay_when_the_graph_runs_again(cuda: Any) -> None:
    f = etude.compile(lambda x: (x + 1.0, x * 2.0))
    results = [f(etude.tensor([float(i)])) for i in range(5)]
    assert [[y.item() for y in ys] for ys in results] == [[i + 1.0, 2.0 * i] for i in range(5)]


def test_other_weights_are_taken_when_they_are_loaded(cuda: Any, graphs: list[Any]) -> None:
    layer = nn.Linear(2, 2)
    f = etude.compile(lambda x: layer(x))
    x = etude.tensor([[1.0, 2.0]])
    for round_ in range(4):
        with etude.no_grad():
            layer.weight.copy_(etude.full((2, 2), float(round_)))
            layer.bias.copy_(etude.zeros(2))
        for _ in range(3):
            assert f(x).tolist() == [[3.0 * round_] * 2]
    assert len(graphs[0].recording.slots) == 2  # what often changes moves
    assert f(etude.tensor([[0.0, 1.0]])).tolist() == [[3.0] * 2]


def test_results_that_are_inputs_or_constants(cuda: Any) -> None:
    shape = etude.compile(lambda x: (x.reshape(2), etude.tensor([7.0]), x))
    for i in range(4):
        x = etude.tensor([[float(i), 1.0]])
        y, seven, same = shape(x)
        assert (y.tolist(), seven.item(), same.tolist()) == ([i, 1.0], 7.0, [[i, 1.0]])


def test_memory_of_a_graph_is_given_back(cuda: Any, graphs: list[Any]) -> None:
    from etude.backends import cuda_runtime as runtime

    x = etude.rand(64, 64)
    f = etude.compile(lambda x: (x.relu() * 2.0).sum())
    before = runtime.pool().used
    for _ in range(3):
        f(x)
    assert runtime.pool().used > before
    graphs.clear()
    del f
    assert runtime.pool().used == before


# numbers that change ------------------------------------------------------------------------------
def test_dials_compute_and_refuse_what_needs_their_value() -> None:
    pytest.importorskip("greenlet")
    from etude.backends.cuda_dial import Register, Unrecordable, dial

    register = Register()
    t = dial(register)
    found = (1 - 0.5**t) * 2, (t + (1 << 32)) >> 32, t % 3, -t, t // 2, 7 - t, t & 1, 3 / t, t << 1
    for value in (1, 5):
        register.value = value
        expected = (
            (1 - 0.5**value) * 2, 1, value % 3, -value, value // 2, 7 - value, value & 1,
            3 / value, value << 1,
        )  # fmt: skip
        assert tuple(d.now() for d in found) == expected
    refused: list[Callable[[Any], Any]] = [bool, int, float, hash, round, lambda d: d < 2]
    for what in (*refused, lambda d: d == 2, lambda d: [0, 1][d]):
        with pytest.raises(Unrecordable, match="may change"):
            what(t)
    assert "read" in repr(t)


def test_random_numbers_go_on(cuda: Any) -> None:
    f = etude.compile(lambda x: x + etude.rand(3))
    x = etude.zeros(3)
    etude.manual_seed(5)
    found = [f(x).tolist() for _ in range(4)]
    etude.manual_seed(5)
    assert found == [etude.rand(3).tolist() for _ in range(4)]


# what cannot be recorded --------------------------------------------------------------------------
def test_an_instruction_that_looks_at_values_is_called_between_two_graphs(
    cuda: Any, graphs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = type(cuda).scan

    def looking(self: Any, name: str, x: Any, axis: int, out: Any = None) -> Any:
        self.to_host(x)
        return plain(self, name, x, axis, out)

    monkeypatch.setattr(type(cuda), "scan", looking)
    f = etude.compile(lambda x: (x + 1.0).cumsum(0) * 2.0)
    for i in range(4):
        assert f(etude.tensor([float(i), 1.0])).tolist() == [2.0 * i + 2.0, 2.0 * i + 6.0]
    assert graphs[0].called == ["scan"]
    assert kinds(graphs[0]) == ["Listed", "Called", "Listed"]


def test_a_bad_index_is_an_error_before_weights_change(cuda: Any) -> None:
    net = nn.Linear(2, 3)
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    @etude.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x = etude.ones(2, 2)
    for labels in ([0, 1], [1, 2], [2, 0]):
        step(x, etude.tensor(labels))
    before = net.weight.tolist()
    with pytest.raises(IndexError, match="3"):
        step(x, etude.tensor([0, 3]))
    assert net.weight.tolist() == before
    assert np.isfinite(step(x, etude.tensor([0, 1])).item())


def test_labels_that_one_op_may_skip_are_looked_at_again_for_another(cuda: Any) -> None:
    f = etude.compile(lambda x, y: F.cross_entropy(x, y) + x[y].sum())
    x = etude.rand(3, 3)
    for labels in ([0, 1, 2], [2, 1, 0], [1, 1, 0]):
        f(x, etude.tensor(labels))
    with pytest.raises(IndexError, match="-100"):
        f(x, etude.tensor([0, -100, 1]))


def test_indices_that_stay_are_looked_at_once(cuda: Any, graphs: list[Any]) -> None:
    rows = etude.tensor([0, 2])
    f = etude.compile(lambda x: x[rows])
    for i in range(4):
        assert f(etude.tensor([[1.0], [2.0], [float(i)]])).tolist() == [[1.0], [i]]
    assert "Checked" not in kinds(graphs[0])


# the calls of the graph API -----------------------------------------------------------------------
class FakeApi:
    """The types that the driver's binding has; each is a bag of fields."""

    CUDA_KERNEL_NODE_PARAMS = CUDA_MEMCPY3D = CUDA_MEMSET_NODE_PARAMS = SimpleNamespace
    CUmemorytype = SimpleNamespace(CU_MEMORYTYPE_DEVICE=2)


class FakePlan:
    """As plan.Plan: packs arguments into memory of its own."""

    def __init__(self, kernel: Any) -> None:
        import struct
        import threading

        from etude.kernels.cuda.plan import FORMATS

        self.kernel = self.function = kernel
        self.lock = threading.Lock()
        kinds = ["Q" if k.endswith("*") else FORMATS[k] for k in kernel.signature]
        self.formats = ["=" + k for k in kinds]
        pads = (k + "x" * (8 - struct.calcsize(k)) for k in kinds)
        self.format = struct.Struct("=" + "".join(pads))
        self.memory = ctypes.create_string_buffer(max(self.format.size, 8))

    def pack(self, arguments: Any) -> None:
        plain = [0 if a is None else getattr(a, "address", a) for a in arguments]
        self.format.pack_into(self.memory, 0, *plain)


class FakeDriver:
    """A device whose memory is the host's, with the driver's graph calls; no records are listed."""

    def __init__(self) -> None:
        from etude.backends.cuda_simulated import Simulated

        self.real, self.api, self.context, self.stream = Simulated(), FakeApi, "context", "stream"
        self.simulated, self.name, self.arch = False, "made up", "sm_90"
        self.plans: dict[Any, FakePlan] = {}
        self.counts: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def enter(self) -> None:
        """Nothing to do."""

    def plan(self, kernel: Any) -> FakePlan:
        return self.plans.setdefault(kernel, FakePlan(kernel))

    def launch(self, kernel: Any, grid: Any, block: Any, arguments: Any) -> None:
        self.run(kernel, grid, block, [getattr(a, "address", a) for a in arguments])

    def run(self, kernel: Any, grid: Any, block: Any, values: Any) -> None:
        """A launch by addresses: as far as the pieces of memory that they lie in go."""
        given = [
            self.array(v, kind) if kind.endswith("*") and v else None if kind.endswith("*") else v
            for v, kind in zip(values, kernel.signature, strict=True)
        ]
        self.real.launch(kernel, grid, block, given)

    def array(self, address: int, kind: str) -> Any:
        begin = max(b for b in self.real.sizes if b <= address)
        size = begin + self.real.sizes[begin] - address
        memory = np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)
        dtype = np.dtype(kind.removesuffix("*").replace("boolean", "bool"))
        return memory[: size // dtype.itemsize * dtype.itemsize].view(dtype)

    def call(self, name: str, *given: Any) -> Any:
        self.counts[name] = self.counts.get(name, 0) + 1
        return getattr(self, name)(*given)

    def cuGraphCreate(self, flags: int) -> list[Any]:
        return []

    def add(self, graph: list[Any], after: list[Any], count: int, work: Any) -> Any:
        assert after == graph[-1:]
        assert count == len(after)
        node = SimpleNamespace(work=work)
        graph.append(node)
        return node

    def cuGraphAddKernelNode(self, graph: Any, after: Any, count: int, node: Any) -> Any:
        return self.add(graph, after, count, self.kernel(node))

    def kernel(self, node: Any) -> Any:
        """The launch that a node's fields describe, its arguments copied as the driver does."""
        import struct

        kernel = node.func
        places = (ctypes.c_void_p * len(kernel.signature)).from_address(node.kernelParams)
        formats = FakePlan(kernel).formats
        values = [
            struct.unpack(f, ctypes.string_at(at, struct.calcsize(f)))[0]
            for f, at in zip(formats, places)
        ]
        grid = node.gridDimX, node.gridDimY, node.gridDimZ
        block = node.blockDimX, node.blockDimY, node.blockDimZ
        return lambda: self.run(kernel, grid, block, values)

    def cuGraphAddMemcpyNode(self, graph: Any, after: Any, count: int, p: Any, _: Any) -> Any:
        assert (p.Height, p.Depth, p.srcMemoryType, p.dstMemoryType) == (1, 1, 2, 2)
        copy = lambda: self.real.copy(p.dstDevice, p.srcDevice, p.WidthInBytes)  # noqa: E731
        return self.add(graph, after, count, copy)

    def cuGraphAddMemsetNode(self, graph: Any, after: Any, count: int, p: Any, _: Any) -> Any:
        fill = lambda: self.real.fill(p.dst, p.value, p.width * p.elementSize)  # noqa: E731
        return self.add(graph, after, count, fill)

    def cuGraphInstantiate(self, graph: list[Any], flags: int) -> SimpleNamespace:
        return SimpleNamespace(nodes=graph)

    def cuGraphDestroy(self, graph: list[Any]) -> None:
        graph.clear()

    def cuGraphExecDestroy(self, graph: SimpleNamespace) -> None:
        assert graph.nodes, "the nodes are destroyed after the graph that is named by them"

    def cuGraphExecKernelNodeSetParams(self, graph: Any, node: Any, fields: Any) -> None:
        assert any(node is n for n in graph.nodes)
        node.work = self.kernel(fields)

    def cuGraphLaunch(self, graph: SimpleNamespace, stream: Any) -> None:
        assert stream == self.stream
        assert graph.nodes
        for node in graph.nodes:
            node.work()


def test_the_graph_api_is_asked_for_the_same_work(graphs: list[Any]) -> None:
    with cuda_backend(FakeDriver()) as engine:
        from etude.backends import cuda_runtime as runtime

        device = runtime.device()
        by_graph, eager = (train("cuda", "adam", "cosine", way) for way in (True, False))
        assert by_graph == eager
        assert engine.name == "cuda"
    assert kinds(graphs[0]) == ["Chain", "Checked", "Chain"]
    assert device.counts["cuGraphLaunch"] == 2 * 6
    assert device.counts["cuGraphExecKernelNodeSetParams"] >= 6
    graphs.clear()
    assert device.counts["cuGraphExecDestroy"] == device.counts["cuGraphDestroy"] == 2


def test_copies_and_fills_are_nodes_too() -> None:
    with cuda_backend(FakeDriver()):
        from etude.backends import cuda_runtime as runtime
        from etude.backends.cuda_exec import executable
        from etude.backends.cuda_record import Recorder, recording

        x, y, z = etude.tensor([1.0, 2.0]), etude.zeros(2), etude.ones(2)
        with recording(Recorder()) as recorder:
            runtime.copy(y.buffer, x.buffer)
            runtime.fill(z.buffer, 0)
            with pytest.raises(Exception, match="while work is recorded"):
                x.tolist()
        assert (y.tolist(), z.tolist()) == ([0.0, 0.0], [1.0, 1.0])
        executable(recorder.records).run()
        assert (y.tolist(), z.tolist()) == ([1.0, 2.0], [0.0, 0.0])
