"""Tier 2 as composed in backends/defaults, on the plain-Python backend, against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from python_buffers import RNG, B, get, into, near, normal, put, same

torch = pytest.importorskip("torch")
F = torch.nn.functional


def tensor(a):
    return torch.tensor(a, requires_grad=a.dtype.kind == "f")


# convolution: (x shape, w shape, stride, (before, after) per axis, dilation, groups)
CONVOLUTIONS = [
    ((2, 3, 5, 5), (4, 3, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 1, 6, 5), (2, 1, 3, 2), (2, 1), ((1, 1), (2, 2)), (1, 2), 1),
    ((1, 4, 5, 6), (6, 2, 2, 3), (1, 2), ((1, 0), (0, 2)), (2, 1), 2),
    ((2, 3, 4, 4), (3, 1, 1, 1), (3, 1), ((0, 0), (0, 0)), (1, 1), 3),
    ((2, 2, 9), (3, 2, 4), (2,), ((3, 1),), (2,), 1),
    ((1, 2, 3, 4, 3), (2, 2, 2, 3, 1), (1, 1, 2), ((1, 1), (0, 1), (0, 0)), (1, 1, 1), 1),
    ((0, 3, 5, 5), (4, 3, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
]


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("x_shape, w_shape, stride, padding, dilation, groups", CONVOLUTIONS)
def test_conv(x_shape, w_shape, stride, padding, dilation, groups, dtype, tolerance):
    x, w, b = normal(*x_shape, dtype=dtype), normal(*w_shape, dtype=dtype), normal(w_shape[0])
    b = b.astype(dtype)
    geometry = (stride, padding, dilation, groups)
    tx, tw = tensor(x), tensor(w)
    conv = getattr(F, f"conv{len(stride)}d")
    sides = [side for pair in reversed(padding) for side in pair]
    y = conv(F.pad(tx, sides), tw, None, stride, 0, dilation, groups)
    near(into(B.conv, put(x), put(w), None, *geometry), y, tolerance)
    with_bias = y.detach().numpy() + b.reshape(1, -1, *[1] * len(stride))
    near(into(B.conv, put(x), put(w), put(b), *geometry), with_bias, tolerance)
    g = normal(*y.shape, dtype=dtype)
    y.backward(torch.tensor(g))
    near(into(B.conv_input_grad, put(g), put(w), x_shape, *geometry), tx.grad, tolerance)
    near(into(B.conv_weight_grad, put(x), put(g), w_shape, *geometry), tw.grad, 3 * tolerance)


def test_conv_input_grad_is_the_transposed_convolution():
    x, w = normal(2, 4, 3, 5), normal(4, 3, 3, 2)
    expected = F.conv_transpose2d(tensor(x), tensor(w), None, (2, 1), (1, 0), (1, 0))
    y = B.conv_input_grad(put(x), put(w), (2, 3, 6, 6), (2, 1), ((1, 1), (0, 0)), (1, 1), 1)
    near(y, expected)


# pooling


@pytest.mark.parametrize(
    "shape, kernel, stride, padding, dilation",
    [
        ((2, 3, 6, 6), (2, 2), (2, 2), (0, 0), (1, 1)),
        ((2, 3, 7, 5), (3, 2), (2, 1), (1, 1), (1, 2)),
        ((1, 2, 9), (3,), (1,), (1,), (2,)),
        ((1, 2, 4, 5, 3), (2, 3, 2), (1, 2, 1), (1, 0, 1), (1, 1, 1)),
        ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1)),
    ],
)
def test_max_pool(shape, kernel, stride, padding, dilation):
    x = normal(*shape)
    tx = tensor(x)
    pool = getattr(F, f"max_pool{len(kernel)}d")
    y, where = pool(tx, kernel, stride, padding, dilation, return_indices=True)
    values, positions = B.max_pool(put(x), kernel, stride, tuple((p, p) for p in padding), dilation)
    near(values, y, 0)
    near(positions, where, 0)
    g = normal(*y.shape)
    y.backward(torch.tensor(g))
    near(into(B.max_pool_grad, put(g), positions, shape), tx.grad)
    picked = torch.tensor(x).flatten(2).gather(2, where.flatten(2))
    near(into(B.max_pool_pick, put(x), positions), picked.view(where.shape))


@pytest.mark.parametrize("fill", [-np.inf, np.nan])
def test_max_pool_never_answers_with_padding(fill):
    x = np.full((1, 2, 3, 3), fill)
    pad = ((1, 1), (1, 1))
    values, positions = B.max_pool(put(x), (2, 2), (1, 1), pad, (1, 1))
    _, expected = F.max_pool2d(torch.tensor(x), 2, 1, 1, return_indices=True)
    same(values, np.full((1, 2, 4, 4), fill))
    if fill < 0:
        same(positions, expected.numpy())
    assert get(positions).min() >= 0
    lowest = np.full((1, 1, 2), np.iinfo(np.int32).min, np.int32)
    values, positions = B.max_pool(put(lowest), (3,), (1,), ((1, 1),), (1,))
    same(positions, np.zeros((1, 1, 2), np.int64))


@pytest.mark.parametrize(
    "shape, kernel, stride, padding",
    [
        ((2, 3, 6, 6), (2, 2), (2, 2), (0, 0)),
        ((2, 1, 7, 5), (3, 2), (2, 1), (1, 1)),
        ((1, 2, 9), (3,), (1,), (1,)),
        ((1, 2, 4, 5, 3), (2, 3, 2), (1, 2, 1), (1, 0, 1)),
    ],
)
def test_sum_pool_averages(shape, kernel, stride, padding):
    x = normal(*shape)
    tx = tensor(x)
    y = getattr(F, f"avg_pool{len(kernel)}d")(tx, kernel, stride, padding)
    geometry = (kernel, stride, tuple((p, p) for p in padding), 1 / math.prod(kernel))
    near(into(B.sum_pool, put(x), *geometry), y)
    g = normal(*y.shape)
    y.backward(torch.tensor(g))
    near(into(B.sum_pool_grad, put(g), shape, *geometry), tx.grad)


# norms, softmax, losses


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (6, 2), (3, 2, 4), (2, 1, 2, 2, 2)])
def test_batch_norm(shape, affine):
    x, w, b = normal(*shape) + 3, normal(shape[1]), normal(shape[1])
    tx, tw, tb = tensor(x), tensor(w), tensor(b)
    scale, shift = (put(w), put(b)) if affine else (None, None)
    y = F.batch_norm(tx, None, None, *((tw, tb) if affine else (None, None)), True, 0.1, 1e-5)
    actual, mean, var = B.batch_norm(put(x), scale, shift, 1e-5)
    axes = (0, *range(2, len(shape)))
    near(actual, y)
    near(mean, x.mean(axes))
    near(var, x.var(axes))
    g = normal(*shape)
    y.backward(torch.tensor(g))
    gx, gw, gb = B.batch_norm_grad(put(g), put(x), scale, mean, var, 1e-5)
    near(gx, tx.grad)
    if affine:
        near(gw, tw.grad)
        near(gb, tb.grad)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    "shape, axis", [((3, 4), 1), ((3, 4), 0), ((2, 3, 5), 1), ((0, 3), 1), ((2, 0), 1)]
)
def test_softmax(name, shape, axis):
    x = normal(*shape) * 200
    tx = tensor(x)
    y = getattr(F, name)(tx, axis)
    actual = into(getattr(B, name), put(x), axis)
    near(actual, y)
    g = normal(*shape)
    y.backward(torch.tensor(g))
    near(into(getattr(B, f"{name}_grad"), put(g), actual, axis), tx.grad, 1e-10)


def test_softmax_of_infinities_is_torch_s():
    x = np.array(
        [[0, -np.inf, 1], [-np.inf] * 3, [np.inf, 0, 0], [np.nan, 0, 0], [1e308, -1e308, 0]]
    )
    near(B.softmax(put(x), 1), F.softmax(torch.tensor(x), 1))
    near(B.log_softmax(put(x), 1), F.log_softmax(torch.tensor(x), 1))


@pytest.mark.parametrize("n, c", [(5, 3), (1, 1), (0, 4)])
def test_cross_entropy(n, c):
    x, labels = normal(n, c), RNG.integers(0, c, n)
    tx = tensor(x)
    y = F.cross_entropy(tx, torch.tensor(labels), reduction="none")
    losses, p = B.cross_entropy(put(x), put(labels))
    near(losses, y)
    near(p, F.softmax(tx, 1))
    g = normal(n)
    y.backward(torch.tensor(g))
    near(into(B.cross_entropy_grad, put(g), p, put(labels)), tx.grad)


@pytest.mark.parametrize("bad", [3, -1])
def test_cross_entropy_names_a_label_out_of_range(bad):
    with pytest.raises(IndexError, match=f"^index {bad} is out of range 0 ... 2$"):
        B.cross_entropy(put(normal(2, 3)), put(np.array([0, bad])))


# optimizer steps


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    ],
)
def test_sgd_steps_are_torch_s(options):
    p = normal(3, 2)
    tp = torch.nn.Parameter(torch.tensor(p))
    optimizer = torch.optim.SGD([tp], lr=0.1, **options)
    decay, momentum = options.get("weight_decay", 0.0), options.get("momentum", 0.0)
    damping, nesterov = options.get("dampening", 0.0), options.get("nesterov", False)
    x = v = None
    for step in range(4):
        g = normal(3, 2)
        tp.grad = torch.tensor(g)
        optimizer.step()
        if step == 0:  # torch's first velocity is the gradient, which is the caller's to arrange
            x = put(tp.detach().numpy())
            v = put(optimizer.state[tp]["momentum_buffer"].numpy()) if momentum else None
            continue
        gradient = put(g)
        B.sgd_step(x, gradient, v, 0.1, momentum, damping, decay, nesterov)
        near(x, tp.detach())
        same(gradient, g)


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_steps_are_torch_s(decay, decoupled):
    p = normal(3, 2)
    tp = torch.nn.Parameter(torch.tensor(p))
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([tp], lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=decay)
    x, m, v = put(p), put(np.zeros_like(p)), put(np.zeros_like(p))
    for step in range(1, 5):
        g = normal(3, 2)
        tp.grad = torch.tensor(g)
        optimizer.step()
        gradient = put(g)
        B.adam_step(x, gradient, m, v, step, 0.01, 0.8, 0.95, 1e-6, decay, decoupled)
        near(x, tp.detach())
        same(gradient, g)
