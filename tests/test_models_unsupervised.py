"""Auto-encoders, VAE, GAN and InfoGAN: against closed forms, on every backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework.errors import EtudeError
from etude.framework.models import autoencoder as ae
from etude.framework.models import gan, infogan, stacked, vae
from etude.framework.models.batches import each_batch

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


def values(t: Any) -> np.ndarray:
    return np.array(t.tolist())


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The principal angles between the spaces that the columns of a and of b span, in radians."""
    q, r = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    return np.arccos(np.clip(np.linalg.svd(q.T @ r)[1], -1, 1))


# auto-encoders ------------------------------------------------------------------------------------
def test_a_linear_autoencoder_learns_the_principal_subspace() -> None:
    x = np.random.default_rng(0).normal(size=(200, 6)) * [3.0, 2.0, 1.0, 0.7, 0.5, 0.3]
    x = (x @ np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]).astype("float32")
    x -= x.mean(0)
    etude.manual_seed(0)
    model = ae.dense_autoencoder((6, 2), "identity")
    before = angles(values(model.decoder[0][1].weight), np.linalg.svd(x)[2][:2].T)
    step = ae.autoencoder_step(model, optim.Adam(model.parameters(), 0.02))
    each_batch(step, etude.tensor(x), 300, batch_size=200, compile=True)
    after = angles(values(model.decoder[0][1].weight), np.linalg.svd(x)[2][:2].T)
    assert before.max() > 0.5
    assert after.max() < 0.01


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_contractive_penalty_of_a_sigmoid_layer_is_its_closed_form(backend: str) -> None:
    """sum_j (h_j (1 - h_j))^2 |W_j|^2, and its gradient for the weights (second derivatives)."""
    with etude.use_backend(backend):
        etude.manual_seed(0)
        model = ae.dense_autoencoder((3, 2)).double()
        x = etude.randn(4, 3, dtype=etude.float64).requires_grad_()
    w, b = model.encoder[0][1].weight, model.encoder[0][1].bias
    ae.contractive(0.7)(model.encode(x), x).backward()
    found = values(w.grad), values(b.grad)
    model.zero_grad()
    h = F.sigmoid(F.linear(x.detach(), w, b))
    slope = h * (1 - h)
    ((slope * slope) @ (w * w).sum(1) * 0.7).mean().backward()
    np.testing.assert_allclose(found[0], values(w.grad), rtol=1e-9)
    np.testing.assert_allclose(found[1], values(b.grad), rtol=1e-9)


PENALTIES = {
    "plain": {},
    "masked": {"corrupt": ae.masking(0.25)},
    "noisy": {"corrupt": ae.gaussian_noise(0.1)},
    "sparse": {"penalty": ae.sparse(0.01)},
    "sparse KL": {"penalty": ae.sparse_kl(0.2, 0.1)},
    "contractive": {"penalty": ae.contractive(0.01)},
}


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_learns_and_compiles(backend: str, kind: str) -> None:
    """Compiled steps make the same numbers as eager ones; the loss falls."""
    histories = []
    for compiled in (False, True):
        with etude.use_backend(backend):
            etude.manual_seed(3)
            x = etude.rand(12, 2, 3)
            model = ae.dense_autoencoder((6, 5, 2))
            step = ae.autoencoder_step(
                model, optim.Adam(model.parameters(), 0.05), **PENALTIES[kind]
            )
            histories.append(each_batch(step, x, 5, batch_size=4, compile=compiled))
        assert model(x).shape == (12, 2, 3)
    assert histories[0][-1] < histories[0][0]
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-4)


def test_noise_and_penalties_are_what_they_say() -> None:
    etude.manual_seed(0)
    x = etude.ones(10_000)
    assert abs(ae.masking(0.3)(x).mean().item() - 0.7) < 5 * 0.46 / 100
    noisy = ae.gaussian_noise(0.5)(x)
    assert abs(noisy.std().item() - 0.5) < 0.02
    h = etude.tensor([[0.2, 0.5], [0.2, 0.1]])
    assert ae.sparse(2.0)(h, h).item() == pytest.approx(1.0)
    kl = 0.2 * math.log(0.2 / 0.3) + 0.8 * math.log(0.8 / 0.7)
    assert ae.sparse_kl(0.2, 2.0)(h, h).item() == pytest.approx(2 * kl, rel=1e-5)


def test_a_stack_is_pretrained_in_place_and_carries_a_classifier() -> None:
    etude.manual_seed(0)
    x = etude.rand(16, 1, 2, 4)
    model = ae.dense_autoencoder((8, 6, 3), output="sigmoid")
    before = [values(p) for p in model.parameters()]
    history = stacked.pretrain_stack(model, x, 4, lambda p: optim.Adam(p, 0.05), batch_size=8)
    assert [len(h) for h in history] == [4, 4]
    assert all(h[-1] < h[0] for h in history)
    assert all((values(p) != q).any() for p, q in zip(model.parameters(), before))
    net = stacked.with_classifier(model, 3, 5)
    assert net(x).shape == (16, 5)
    model.zero_grad()
    net[0].requires_grad_(False)
    net(x).sum().backward()
    assert model.encoder[0][1].weight.grad is None
    assert net[1].weight.grad is not None


# VAE ----------------------------------------------------------------------------------------------
def linear_vae(w: np.ndarray, noise: float) -> vae.VAE:
    """x = w z + e with z and e standard normal; q(z | x) its exact posterior, wider by `noise`."""
    model = vae.VAE(len(w), (), 1, likelihood="gaussian").double()
    precision = 1.0 + w @ w
    zeros = np.zeros
    weights = {
        "mean.weight": (w / precision)[None], "mean.bias": zeros(1),
        "log_var.weight": zeros((1, len(w))), "log_var.bias": [-math.log(precision) + noise],
        "decoder.0.weight": w[:, None], "decoder.0.bias": zeros(len(w)),
    }  # fmt: skip
    model.load_state_dict({k: np.asarray(v) for k, v in weights.items()})
    return model


def test_the_elbo_meets_the_likelihood_at_the_exact_posterior() -> None:
    """log p(x) = log N(x; 0, w w^T + 1); a q that is wider loses KL(q || posterior)."""
    w, x = np.array([0.8, -0.5, 1.2]), np.array([0.3, 0.4, 1.0])
    cov = np.outer(w, w) + np.eye(3)
    quadratic = x @ np.linalg.solve(cov, x)
    exact = -0.5 * (quadratic + np.linalg.slogdet(cov)[1] + 3 * math.log(2 * math.pi))
    rows = etude.tensor(np.tile(x, (40_000, 1)))
    for wider, loss in ((0.0, 0.0), (1.0, 0.5 * (math.e - 2.0))):
        etude.manual_seed(0)
        with etude.no_grad():
            found = linear_vae(w, wider).elbo(rows).item()
        assert found == pytest.approx(exact - loss, abs=0.03)


@pytest.mark.parametrize("mean, log_var", [(0.0, 0.0), (1.5, -2.0), (-0.7, 1.2)])
def test_the_divergence_of_gaussians_is_its_integral(mean: float, log_var: float) -> None:
    """KL = integral of q log(q / p), by the trapezoid rule."""
    z = np.linspace(-30, 30, 60_001)
    sigma = math.exp(log_var / 2)
    log_q = -0.5 * ((z - mean) / sigma) ** 2 - math.log(sigma * math.sqrt(2 * math.pi))
    log_p = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    exact = np.trapezoid(np.exp(log_q) * (log_q - log_p), z)
    m, lv = (etude.tensor([[v]], dtype=etude.float64) for v in (mean, log_var))
    assert F.gaussian_kl(m, lv).item() == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_elbo_rises_and_samples_have_the_datas_mean(backend: str) -> None:
    with etude.use_backend(backend):
        etude.manual_seed(1)
        x = etude.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]] * 8).reshape(16, 1, 3)
        model = vae.VAE(3, (6,), 2)
        step = vae.vae_step(model, optim.Adam(model.parameters(), 0.05))
        history = each_batch(step, x, 30, batch_size=8, compile=backend != "python")
        assert history[-1] > history[0] + 0.3
        y, mean, log_var = model(x)
        assert (y.shape, mean.shape, log_var.shape) == ((16, 1, 3), (16, 2), (16, 2))
        assert model.sample(64).mean(0).tolist() == pytest.approx([0.5, 1.0, 0.5], abs=0.25)
        assert vae.VAE(3, (), 2, likelihood="gaussian").sample(2).shape == (2, 3)


# GAN ----------------------------------------------------------------------------------------------
def test_a_discriminator_finds_d_star_in_one_dimension() -> None:
    """p = N(-1, 1) against q = N(1, 1): D* = p / (p + q) = sigmoid(-2 x), which a linear logit has.

    The samples are quantiles, so that nothing is drawn."""
    quantiles = normal_quantiles(4000)
    real, fake = (etude.tensor(quantiles + m).reshape(-1, 1) for m in (-1.0, 1.0))
    layer = nn.Linear(1, 1).double()
    optimizer = optim.SGD(layer.parameters(), 1.0, momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        F.gan_discriminator_loss(layer(real), layer(fake)).backward()
        optimizer.step()
    places = etude.linspace(-3, 3, 25, dtype=etude.float64)
    p, q = (F.exp((places - m) ** 2 * -0.5) for m in (-1.0, 1.0))
    found = values(F.sigmoid(layer(places.reshape(-1, 1))))[:, 0]
    np.testing.assert_allclose(found, values(F.optimal_discriminator(p, q)), atol=0.01)


def normal_quantiles(n: int) -> np.ndarray:
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])


def counted(optimizer: Any) -> list[int]:
    """Where the number of steps of an optimizer is counted."""
    count, step = [0], optimizer.step

    def counting(*args: Any) -> Any:
        count[0] += 1
        return step(*args)

    optimizer.step = counting
    return count


@pytest.mark.parametrize("form", ["non_saturating", "minimax"])
def test_k_discriminator_steps_for_one_of_the_generator(form: str) -> None:
    etude.manual_seed(0)
    model = gan.dense_gan(2, 3, (4,))
    g = optim.SGD(model.generator.parameters(), 0.1)
    d = optim.SGD(model.discriminator.parameters(), 0.0)
    counts = counted(g), counted(d)
    kept = [values(p) for p in model.discriminator.parameters()]
    x = etude.randn(12, 2)
    measured = gan.gan_step(model, g, d, 3, form)(x)
    assert (counts[0][0], counts[1][0]) == (1, 3)
    assert all((values(p) == q).all() for p, q in zip(model.discriminator.parameters(), kept))
    assert (measured[1].item() < 0) == (form == "minimax")


def test_a_generator_follows_the_data_in_one_dimension() -> None:
    """The discriminator's loss comes near log 4, that of D = 1/2; players circle, so only near."""
    etude.manual_seed(4)
    data = etude.randn(512, 1) * 0.5 + 3.0
    model = gan.dense_gan(1, 1, (16,))
    g = optim.Adam(model.generator.parameters(), 2e-3, betas=(0.5, 0.999))
    d = optim.Adam(model.discriminator.parameters(), 4e-3, betas=(0.5, 0.999))
    assert model.sample(512).mean().item() < 1.0
    history = each_batch(gan.gan_step(model, g, d), data, 100, batch_size=128, compile=True)
    drawn = model.sample(2000)
    assert drawn.mean().item() == pytest.approx(3.0, abs=1.0)
    assert history[-1][0] == pytest.approx(math.log(4), abs=0.3)


@pytest.mark.parametrize("size, channels", [(8, 1), (16, 3)])
def test_convolutional_pairs_have_the_size_of_the_images(size: int, channels: int) -> None:
    etude.manual_seed(0)
    model = gan.conv_gan(channels, 5, 4, size)
    x = model.sample(3)
    assert x.shape == (3, channels, size, size)
    assert model.discriminator(x).shape == (3, 1)
    assert abs(x.numpy()).max() <= 1


@pytest.mark.parametrize("kind", ["dense", "conv", "info"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_adversaries_train_alike_eagerly_and_compiled(backend: str, kind: str) -> None:
    histories = []
    for compiled in (False, True):
        with etude.use_backend(backend):
            etude.manual_seed(5)
            if kind == "info":
                model: Any = infogan.InfoGAN(16, 3, 3, 1, (6,))
                players = model.player(True), model.player(False)
            else:
                model = gan.dense_gan(16, 3, (6,)) if kind == "dense" else gan.conv_gan(1, 3, 2, 4)
                players = model.generator.parameters(), model.discriminator.parameters()
            g, d = (optim.Adam(p, 0.01) for p in players)
            make = infogan.infogan_step if kind == "info" else gan.gan_step
            x = etude.rand(12, 1, 4, 4)
            histories.append(each_batch(make(model, g, d), x, 2, batch_size=4, compile=compiled))
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-3, atol=1e-5)
    assert np.isfinite(histories[0]).all()


def test_the_code_of_an_infogan_can_be_read_back() -> None:
    """The bound on c1's information rises to nearly log 3, and Q reads c1 off the examples."""
    etude.manual_seed(0)
    model = infogan.InfoGAN(4, 2, 3, 0, (16,))
    g, d = (optim.Adam(model.player(who), 0.01) for who in (True, False))
    step = infogan.infogan_step(model, g, d)
    history = each_batch(step, etude.rand(64, 4), 40, batch_size=32, compile=True)
    assert history[0][2] < history[-1][2] <= math.log(3)
    z, c1, factors = model.draw(200)
    x = model(z, c1, factors)
    assert (model.recognise(x) == c1).float().mean().item() > 0.9
    assert model.information(x, c1, factors).item() > 0.8


WRONG = [
    (lambda: ae.dense_autoencoder((5,)), "expected sizes of input and code, got (5,)"),
    (lambda: ae.dense_autoencoder((5, 2), "rleu"), "did you mean 'relu'?"),
    (lambda: ae.masking(1.5), "expected p as a number >= 0 and <= 1"),
    (lambda: ae.gaussian_noise(-1.0), "expected sigma as a number >= 0"),
    (lambda: ae.sparse_kl(0.0), "expected rho as a number > 0 and < 1"),
    (lambda: vae.VAE(likelihood="normal"), "expected likelihood as one of 'bernoulli', 'gaussian'"),
    (lambda: gan.conv_gan(size=12), "expected a size of 4, 8, 16, ..., got 12"),
    (lambda: gan.gan_step(None, None, None, 0), "expected discriminator_steps as a whole number"),  # type: ignore[arg-type]
    (lambda: gan.gan_step(None, None, None, form="x"), "expected form as one of"),  # type: ignore[arg-type]
    (lambda: infogan.InfoGAN(classes=1), "expected classes as a whole number >= 2"),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_said(call: Any, message: str) -> None:
    with pytest.raises(EtudeError) as caught:
        call()
    assert message in str(caught.value)
