"""Restricted Boltzmann machines and deep belief nets, against sums over all states."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import etude
from etude import nn, optim
from etude.framework.errors import ArgumentError
from etude.framework.models.batches import each_batch
from etude.framework.models.dbn import DBN, dbn_classifier, pretrain_dbn
from etude.framework.models.rbm import RBM, contrastive_divergence, rbm_step

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
V, H = 3, 2


def states(n: int) -> np.ndarray:
    return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def machine(backend: str = "numpy") -> RBM:
    with etude.use_backend(backend):
        etude.manual_seed(1)
        model = RBM(V, H).double()
        for p in model.parameters():
            nn.init.normal_(p, std=1.0)
    return model


def parts(model: RBM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.array(p.tolist()) for p in model.parameters())  # type: ignore[return-value]


def joint(model: RBM) -> np.ndarray:
    """p(v, h) of all states, written out from the energy."""
    w, b, c = parts(model)
    v, h = states(V), states(H)
    energy = -(v @ b)[:, None] - (h @ c)[None] - v @ w.T @ h.T
    p = np.exp(-energy)
    return p / p.sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_energies_and_conditionals_are_those_of_the_joint(backend: str) -> None:
    model, p = machine(backend), joint(machine())
    v = etude.tensor(states(V), backend=backend)
    given = p / p.sum(1, keepdims=True)
    np.testing.assert_allclose(model(v).tolist(), given @ states(H), rtol=1e-9)
    h = etude.tensor(states(H), backend=backend)
    given = p / p.sum(0)
    np.testing.assert_allclose(model.visible(h).tolist(), given.T @ states(V), rtol=1e-9)
    free = np.exp(-np.array(model.free_energy(v).tolist()))
    np.testing.assert_allclose(free / free.sum(), p.sum(1), rtol=1e-9)
    pairs = [model.energy(v[i : i + 1].expand(2**H, V), h).tolist() for i in range(2**V)]
    free = np.exp(-np.array(pairs))
    np.testing.assert_allclose(free / free.sum(), p, rtol=1e-9)


def negative_log_likelihood_gradient(model: RBM, data: np.ndarray) -> list[np.ndarray]:
    """<h v> of the model minus <h v> of the data, and so for b and c: exact, by enumeration."""
    p = joint(model)
    v, h = states(V), states(H)
    up = 1 / (1 + np.exp(-(data @ parts(model)[0].T + parts(model)[2])))
    w = np.einsum("ij,ia,jb->ba", p, v, h) - up.T @ data / len(data)
    return [w, p.sum(1) @ v - data.mean(0), p.sum(0) @ h - up.mean(0)]


def test_the_gradient_of_free_energies_is_that_of_the_likelihood() -> None:
    """F(data) - sum_v p(v) F(v), its expectation written out, has the gradient of -log p."""
    model, data = machine(), states(V)[[1, 3, 3, 6]]
    p = etude.tensor(joint(model).sum(1))
    loss = model.free_energy(etude.tensor(data)).mean()
    (loss - (p * model.free_energy(etude.tensor(states(V)))).sum()).backward()
    for q, expected in zip(model.parameters(), negative_log_likelihood_gradient(model, data)):
        np.testing.assert_allclose(q.grad.tolist(), expected, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 3])
def test_contrastive_divergence_has_the_gradient_of_the_chain(steps: int) -> None:
    """Against the exact distribution after k steps, powers of the transition matrix, within five
    standard errors of the mean over 40,000 chains."""
    model, p = machine(), joint(machine())
    up, down = p / p.sum(1, keepdims=True), (p / p.sum(0)).T
    start = np.zeros(2**V)
    start[[1, 6]] = 0.5
    end = start @ np.linalg.matrix_power(up @ down, steps)
    v = states(V)
    probability = up @ states(H)
    expected = probability.T @ np.diag(end - start) @ v
    chains = 40_000
    etude.manual_seed(7)
    data = np.repeat(v[[1, 6]], chains // 2, axis=0)
    contrastive_divergence(model, etude.tensor(data), steps).backward()
    np.testing.assert_allclose(model.weight.grad.tolist(), expected, atol=5 * 0.5 / chains**0.5)
    bias = np.array(model.visible_bias.grad.tolist())
    np.testing.assert_allclose(bias, (end - start) @ v, atol=5 * 0.5 / chains**0.5)


def test_a_long_chain_draws_from_the_model() -> None:
    model = machine()
    etude.manual_seed(2)
    drawn = np.array(model.gibbs(etude.zeros(20_000, V, dtype=etude.float64), 30).tolist())
    counts = (drawn @ [4, 2, 1]).astype(int)
    share = np.bincount(counts, minlength=8) / len(drawn)
    np.testing.assert_allclose(share, joint(model).sum(1), atol=5 * 0.5 / 20_000**0.5)


def stripes(backend: str) -> etude.Tensor:
    """Synthetic: 4x4 images with one bright column, 32 of them."""
    x = np.zeros((32, 4, 4), "float32")
    x[np.arange(32), :, np.arange(32) % 4] = 1.0
    return etude.tensor(x, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_machine_learns_to_reconstruct(backend: str) -> None:
    with etude.use_backend(backend):
        etude.manual_seed(0)
        model = RBM(16, 6)
        step = rbm_step(model, optim.SGD(model.parameters(), 0.5, momentum=0.5))
        errors = each_batch(step, stripes(backend), 20, batch_size=16, compile=backend != "python")
    assert 3.0 < errors[0] <= 4.0  # probabilities of 1/2 miss by 16 / 4
    assert errors[-1] < errors[0] / 2


def test_a_belief_net_is_trained_greedily_and_becomes_a_classifier() -> None:
    etude.manual_seed(0)
    x = stripes("numpy")
    model = DBN((16, 8, 6))
    errors = pretrain_dbn(model, x, 30, lambda p: optim.SGD(p, 0.5, momentum=0.5), batch_size=16)
    assert len(errors) == 2
    assert errors[0][-1] < errors[0][0] / 2
    assert model.sample(x[:5], 3).shape == (5, 16)
    net = dbn_classifier(model, 4)
    code = model(x)
    np.testing.assert_allclose(net[:-1](x).tolist(), code.tolist(), rtol=1e-6)
    assert net(x).shape == (32, 4)
    net[1].weight.detach().mul_(0.0)
    assert (model.layers[0].weight != 0).any()


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ArgumentError, match="sizes of two layers or more, got"):
        DBN((5,))
    with pytest.raises(ArgumentError, match="visible as a whole number >= 1, got the number 0"):
        RBM(0, 2)
    with pytest.raises(ArgumentError, match="steps as a whole number >= 1, got the number 0"):
        RBM(2, 2).gibbs(etude.zeros(1, 2), 0)
    with pytest.raises(ArgumentError, match="batch_size as a whole number >= 1, got the number 0"):
        each_batch(lambda x: x, etude.zeros(1, 2), 1, batch_size=0)
