"""Tier 2's affine layer, recurrent cells and clipping, on the plain-Python backend, against torch.

Beside test_backend_defaults.py, which has the other families.
"""

from __future__ import annotations

import numpy as np
import pytest
from python_buffers import B, into, near, normal, put

torch = pytest.importorskip("torch")
F = torch.nn.functional


def leaf(a):
    return torch.tensor(a, requires_grad=True)


@pytest.mark.parametrize("name", [None, "relu", "sigmoid", "tanh", "gelu"])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias, name):
    x, w, b = normal(3, 5), normal(4, 5), normal(4)
    expected = F.linear(torch.tensor(x), torch.tensor(w), torch.tensor(b) if bias else None)
    if name is not None:
        expected = getattr(F if name == "gelu" else torch, name)(expected)
    near(into(B.linear, put(x), put(w), put(b) if bias else None, name), expected)
    if bias and name is not None:
        near(into(B.bias_activation, put(x @ w.T), put(b), name), expected)


def test_linear_grad():
    x, w, b, g = leaf(normal(3, 5)), leaf(normal(4, 5)), leaf(normal(4)), normal(3, 4)
    F.linear(x, w, b).backward(torch.tensor(g))
    buffers = put(g), put(x.detach().numpy()), put(w.detach().numpy())
    for got, t in zip(B.linear_grad(*buffers, (True, True, True)), (x, w, b)):
        near(got, t.grad)
    assert B.linear_grad(*buffers, (False, False, False)) == (None, None, None)


def test_lstm_cell():
    n, h = 3, 4
    gates, c, gh, gc = leaf(normal(n, 4 * h)), leaf(normal(n, h)), normal(n, h), normal(n, h)
    i, f, g, o = gates.chunk(4, 1)
    c2 = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h2 = o.sigmoid() * c2.tanh()
    torch.autograd.backward([h2, c2], [torch.tensor(gh), torch.tensor(gc)])
    got_h, got_c, act = B.lstm_cell(put(gates.detach().numpy()), put(c.detach().numpy()))
    near(got_h, h2)
    near(got_c, c2)
    near(act, torch.cat([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], 1))
    ggates, gc_before = B.lstm_cell_grad(put(gh), put(gc), act, put(c.detach().numpy()), got_c)
    near(ggates, gates.grad)
    near(gc_before, c.grad)


def test_lstm_cell_is_torch_s():
    cell = torch.nn.LSTMCell(2, 3).double()
    x, h, c = (torch.tensor(normal(4, k)) for k in (2, 3, 3))
    gates = F.linear(x, cell.weight_ih, cell.bias_ih) + F.linear(h, cell.weight_hh, cell.bias_hh)
    got_h, got_c, _ = B.lstm_cell(put(gates.detach().numpy()), put(c.numpy()))
    expected_h, expected_c = cell(x, (h, c))
    near(got_h, expected_h)
    near(got_c, expected_c)


def test_gru_cell_is_torch_s():
    cell = torch.nn.GRUCell(2, 3).double()
    x, h, g = torch.tensor(normal(4, 2)), leaf(normal(4, 3)), normal(4, 3)
    gi = F.linear(x, cell.weight_ih, cell.bias_ih).detach().requires_grad_()
    gh = F.linear(h, cell.weight_hh, cell.bias_hh).detach().requires_grad_()
    (a_r, a_z, a_n), (u_r, u_z, u_n) = gi.chunk(3, 1), gh.chunk(3, 1)
    r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
    n = (a_n + r * u_n).tanh()
    h2 = (1 - z) * n + z * h
    torch.testing.assert_close(h2, cell(x, h))
    h2.backward(torch.tensor(g))
    got, act = B.gru_cell(*(put(t.detach().numpy()) for t in (gi, gh, h)))
    near(got, h2)
    near(act, torch.cat([r, z, n, u_n], 1))
    gradients = B.gru_cell_grad(put(g), act, put(h.detach().numpy()))
    for actual, t in zip(gradients, (gi, gh, h)):
        near(actual, t.grad)


def test_sum_squares_and_scale_all():
    xs = [normal(3, 4), normal(5), normal(), np.zeros((0, 2))]
    buffers = [put(x) for x in xs]
    near(B.sum_squares(buffers), np.asarray(sum((x**2).sum() for x in xs)))
    near(B.sum_squares(buffers[-1:]), np.zeros(()))
    for got, x in zip(B.scale_all(buffers, put(np.array(0.5))), xs):
        near(got, x * 0.5)
