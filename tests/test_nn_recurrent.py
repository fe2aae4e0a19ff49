"""RNN, LSTM, GRU and their cells are torch's: values, gradients, names, loaded weights, repr."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import nn
from etude.framework.graph import record

torch = pytest.importorskip("torch")
BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
KINDS = ["RNN", "LSTM", "GRU"]
D, H, N, T = 3, 4, 2, 5

LAYERS = [
    {},
    {"num_layers": 2},
    {"bias": False},
    {"batch_first": True, "bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "dropout": 0.5},
]


def both(kind, *args, **options):
    """The same module here and in torch, in float64, with torch's weights loaded here."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(*args, **options).double()
    ours = getattr(nn, kind)(*args, **options).double()
    keys = ours.load_state_dict(theirs.state_dict())
    assert keys == ([], [])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours.eval(), theirs.eval()


def pair(*shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return etude.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)


def flat(result):
    """Tensors of a nested result, in order."""
    if isinstance(result, tuple):
        return [t for part in result for t in flat(part)]
    return [result]


def close(ours, theirs):
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12
    )


def same(results, modules, inputs):
    """Values; gradients of a weighted sum of all results for all parameters and inputs."""
    ours, theirs = flat(results[0]), flat(results[1])
    losses = [0.0, 0.0]
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        close(a, b)
        weight = np.random.default_rng(k).standard_normal(b.shape)
        losses[0] = losses[0] + (a * etude.tensor(weight)).sum()
        losses[1] = losses[1] + (b * torch.tensor(weight)).sum()
    for loss in losses:
        loss.backward()
    for a, b in zip(modules[0].parameters(), modules[1].parameters(), strict=True):
        close(a.grad, b.grad)
    for a, b in inputs:
        close(a.grad, b.grad)


def state(kind, first):
    given = first if kind.startswith("LSTM") else first[:1]
    ours, theirs = (tuple(s[k] for s in given) for k in (0, 1))
    return (ours, theirs) if kind.startswith("LSTM") else (ours[0], theirs[0])


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [False, True])
def test_layers(kind, options, given):
    ours, theirs = both(kind, D, H, **options)
    x = pair(*((N, T, D) if options.get("batch_first") else (T, N, D)))
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    first = [pair(count, N, H, seed=k + 1) for k in range(2 if kind == "LSTM" else 1)]
    if given:
        states = state(kind, first)
        results = ours(x[0], states[0]), theirs(x[1], states[1])
    else:
        results = ours(x[0]), theirs(x[1])
    same(results, (ours, theirs), [x, *(first if given else [])])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_one_sequence_without_a_batch(kind, batch_first):
    ours, theirs = both(kind, D, H, batch_first=batch_first, bidirectional=True)
    x, first = pair(T, D), [pair(2, H, seed=k) for k in (1, 2)]
    states = state(kind, first)
    used = first if kind == "LSTM" else first[:1]
    same((ours(x[0], states[0]), theirs(x[1], states[1])), (ours, theirs), [x, *used])
    close(ours(x[0])[0], theirs(x[1])[0])


def test_relu_networks():
    ours, theirs = both("RNN", D, H, 2, nonlinearity="relu")
    x = pair(T, N, D)
    same((ours(x[0]), theirs(x[1])), (ours, theirs), [x])


@pytest.mark.parametrize("options", [{}, {"bias": False}], ids=str)
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("batched", [True, False])
def test_cells(kind, options, batched):
    ours, theirs = both(kind, D, H, **options)
    x = pair(*((N, D) if batched else (D,)))
    first = [pair(*((N, H) if batched else (H,)), seed=k) for k in (1, 2)]
    states = state(kind, first)
    used = first if kind == "LSTMCell" else first[:1]
    same((ours(x[0], states[0]), theirs(x[1], states[1])), (ours, theirs), [x, *used])
    for a, b in zip(flat(ours(x[0])), flat(theirs(x[1])), strict=True):
        close(a, b)


def test_relu_cell():
    ours, theirs = both("RNNCell", D, H, nonlinearity="relu")
    x = pair(N, D)
    same((ours(x[0]), theirs(x[1])), (ours, theirs), [x])


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_step_by_step(kind):
    layer, cell = getattr(nn, kind)(D, H).double(), getattr(nn, kind + "Cell")(D, H).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = etude.randn(T, N, D, dtype=etude.float64)
    carried = None
    outputs = []
    for step in x.unbind(0):
        carried = cell(step, carried)
        outputs.append(carried[0] if kind == "LSTM" else carried)
    close(F.stack(outputs), layer(x)[0])


@pytest.mark.parametrize("kind", [*KINDS, "RNNCell", "LSTMCell", "GRUCell"])
def test_second_gradients(kind):
    module = getattr(nn, kind)(2, 2).double()
    x = etude.randn(*((2, 1, 2) if kind in KINDS else (1, 2)), dtype=etude.float64)
    names = [name for name, _ in module.named_parameters()]
    inputs = [x.requires_grad_(), *(p.detach().requires_grad_() for p in module.parameters())]

    def loss(x, *weights):
        vars(module).update(zip(names, weights, strict=True))
        return sum((t * t).sum() for t in flat(module(x)))

    assert etude.gradcheck(loss, inputs)
    assert etude.gradgradcheck(loss, inputs)


def test_dropout_between_layers_only_while_training():
    layer = nn.LSTM(D, H, 2, dropout=1.0)
    x = etude.randn(T, N, D)
    assert not np.allclose(layer(x)[0].detach().numpy(), layer.eval()(x)[0].detach().numpy())
    one = nn.LSTM(D, H, 1, dropout=1.0)
    assert (one(x)[0] != 0).any()


@pytest.mark.parametrize(
    "kind, args, options",
    [
        ("RNN", (3, 4), {}),
        ("LSTM", (3, 4, 2), {"batch_first": True, "bidirectional": True}),
        ("GRU", (3, 4), {"bias": False}),
        ("RNNCell", (3, 4), {"nonlinearity": "relu"}),
        ("LSTMCell", (3, 4), {"bias": False}),
        ("GRUCell", (3, 4), {}),
    ],
)
def test_they_print_as_in_torch(kind, args, options):
    assert repr(getattr(nn, kind)(*args, **options)) == repr(
        getattr(torch.nn, kind)(*args, **options)
    )


@pytest.mark.parametrize("kind, backend", list(product(KINDS, BACKENDS)))
def test_a_recorded_step_replays_to_the_bit(kind, backend):
    with etude.use_backend(backend):
        etude.manual_seed(0)
        module, x = getattr(nn, kind)(D, H, bidirectional=True), etude.randn(T, N, D)

        def step(x):
            module.zero_grad()
            y = module(x)[0]
            (y * y).sum().backward()
            return y

        y = step(x)
        grads = [p.grad.tolist() for p in module.parameters()]
        program = record(step, x, state=[module])
        assert program(x).tolist() == y.tolist()
        assert [p.grad.tolist() for p in module.parameters()] == grads
        assert program.flops > 0
