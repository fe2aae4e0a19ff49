"""What is taught and its own tests try on one backend only: the same numbers on every other one.

Each entry is a small computation whose values on NumPy other tests compare with torch or a closed
form; here every backend gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import etude
from etude import data, models, nn, optim, training, transfer
from etude import functional as F
from etude import visualize as V
from etude.framework.tensor import Tensor

T = data.transforms

OTHERS = [
    name for name, why in etude.backends.available().items() if why is None and name != "numpy"
]


def pixels(*shape: int) -> Tensor:
    return etude.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def learnt(model: Any, *inputs: Tensor) -> list[Any]:
    """Outputs, and the gradients of the sum of their squares."""
    out = model(*inputs)
    out = [t for t in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(t, Tensor)]
    sum((y * y).sum() for y in out).backward()
    return [*out, *(p.grad for p in model.parameters() if p.grad is not None)]


def small() -> Any:
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))


X, Y = (4, 2, 2, 2), [0, 1, 2, 0]


def labelled() -> tuple[Tensor, Tensor]:
    return pixels(*X), etude.tensor(Y)


def steps(optimizer: Any, model: Any, count: int = 3) -> Callable[[], Tensor]:
    x, y = labelled()

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


# graph, descent, schedules ------------------------------------------------------------------------
class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(2, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x: Any, state: Any = None) -> Any:
        y, state = self.rnn(x, state)
        return self.head(y), state


def through_time() -> list[Any]:
    model = Recurrent()
    found: list[Any] = []
    for window in (None, 2):
        model.zero_grad()
        loss, _ = training.bptt(model, pixels(2, 4, 2), pixels(2, 4, 2), F.mse_loss, window=window)
        found += [loss, *(p.grad for p in model.parameters())]
    return found


def sampled() -> list[Any]:
    rows = data.sample_indices(8, 4, replacement=False), data.sample_indices(8, 4)
    easy = data.curriculum_indices([0.3, 0.1, 0.2, 0.4], 1, 3)
    batches = data.DataLoader(
        data.TensorDataset(pixels(5, 2), etude.arange(5)), 2, shuffle=True, seed=1,
        backend=etude.default_backend(),
    )  # fmt: skip
    return [*rows, easy, *(t for batch in batches for t in batch)]


def rates() -> list[Any]:
    model = small()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = steps(optimizer, model)
    return [
        optim.lr_range_test(step, optimizer, 0.01, 1.0, 4).losses,
        optim.try_rates(step, optimizer, (0.3, 0.1), 2).losses,
        *model.parameters(),
    ]


def restarted() -> list[Any]:
    model = small()
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    restart = optim.RestartFromBest(optim.TimeDecayLR(optimizer, 0.1), patience=1)
    step = steps(optimizer, model)
    for loss in (1.0, 0.5, 0.8, 0.9):
        step()
        restart.step(loss)
    return list(model.parameters())


def started() -> list[Any]:
    w = etude.zeros(4, 3)
    fills: list[Callable[[Any], Any]] = [
        nn.init.zeros_, lambda t: nn.init.constant_(t, 0.1), nn.init.normal_, nn.init.uniform_,
        nn.init.lecun_normal_, nn.init.xavier_normal_, nn.init.kaiming_normal_,
        lambda t: nn.init.kumar_normal_(t, F.softplus),
    ]  # fmt: skip
    return [fill(w).clone() for fill in fills]


def checked() -> list[Any]:
    """Right and wrong gradients are told apart: the wrong one is half of the slope."""
    x = etude.tensor([0.5, -1.0], dtype=etude.float64, requires_grad=True)
    half = lambda t: t * t * 0.5 + (t * t * 0.5).detach()  # noqa: E731
    return [
        etude.gradcheck(lambda t: t * t, (x,)),
        etude.gradcheck(half, (x,), raise_exception=False),
    ]


def derived() -> list[Any]:
    """Shared parts, and the first three derivatives."""
    x = pixels(5).requires_grad_()
    shared = F.tanh(x)
    found = [shared * shared + shared]
    for _ in range(3):
        found.append(etude.grad(found[-1].sum(), x, create_graph=True)[0])
    return found


def same() -> list[Any]:
    x = pixels(2, 3).requires_grad_()
    return [*learnt(nn.Identity(), x), x.grad]


# layers and models --------------------------------------------------------------------------------
def trunk() -> list[Any]:
    heads = {"a": nn.Linear(6, 2), "b": nn.Linear(6, 3)}
    out = nn.MultiTask(small()[:3], heads)(pixels(*X))
    return [out["a"], out["b"]]


def averaged() -> list[Any]:
    nets = [small() for _ in range(3)]
    average = nn.MovingAverage(nets[0], 0.5)
    average.update(nets[1])
    mean = nn.average_models(nets)
    return [*mean.parameters(), *average.module.parameters(), nn.Ensemble(nets)(pixels(*X))]


class Backbone(nn.Module):
    map_channels = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, 4, padding=1)

    def maps(self, x: Any) -> list[Any]:
        return [self.conv(x).relu()]


def detector() -> list[Any]:
    sizes = {"scales": (8.0,), "ratios": (1.0,), "size": 2, "hidden": 4, "proposals": 4}
    model = models.FasterRCNN(Backbone(), 3, -1, 4, samples=8, **sizes)
    boxes = etude.tensor([[2.0, 3.0, 11.0, 12.0]])
    losses = model(pixels(1, 1, 16, 16), [(boxes, etude.tensor([1]))])
    sum(losses.values()).backward()
    return [*losses.values(), *(p.grad for p in model.parameters())]


def stacked() -> list[Any]:
    model = models.dense_autoencoder((6, 4, 3))
    models.pretrain_stack(model, pixels(8, 6), 2, lambda p: optim.SGD(p, 0.1), 4)
    return learnt(models.with_classifier(model, 3, 2), pixels(8, 6))


def linear_code() -> list[Any]:
    model = models.dense_autoencoder((6, 2), "identity")
    step = models.autoencoder_step(model, optim.Adam(model.parameters(), 0.01))
    return [*models.each_batch(step, pixels(8, 6), 3, 8), *model.parameters()]


def informed() -> list[Any]:
    model = models.InfoGAN(6, 3, 3, 1, (4,))
    players = [optim.SGD(model.player(g), 0.05) for g in (True, False)]
    step = models.infogan_step(model, *players)
    return [step(pixels(4, 6).sigmoid()), *model.parameters()]


def machines() -> list[Any]:
    model = models.DBN((6, 4, 3))
    optimizer = lambda p: optim.SGD(p, 0.1)  # noqa: E731
    models.pretrain_dbn(model, (pixels(8, 6) > 0).float(), 2, optimizer, 4)
    return [*model.parameters(), *learnt(models.dbn_classifier(model, 2), pixels(3, 6).sigmoid())]


# data, transfer, recipes --------------------------------------------------------------------------
def augmented() -> list[Any]:
    x = pixels(2, 3, 6, 6)
    changes = [
        T.Normalize((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), T.RandomFlip(), T.RandomCrop((4, 4), 1),
        T.RandomRotation(20.0), T.RandomZoom(0.2), T.RandomBrightness(0.3), T.RandomContrast(0.3),
        T.GaussianNoise(0.1), T.Lighting.fit(data.TensorDataset(x, etude.arange(2))),
    ]  # fmt: skip
    views = list(T.googlenet_views(x[:1], 4, (5,)))
    return [*(change(x) for change in changes), *T.ten_crop(x, (4, 4)), *views[:6]]


def handed_on() -> list[Any]:
    model = small().requires_grad_(False)
    transfer.replace_last_layer(model, 2)
    x = pixels(*X)
    F.cross_entropy(model(x), etude.tensor([0, 1, 1, 0])).backward()
    assert [p.grad is None for p in model.parameters()] == [True, True, False, False]
    other = nn.Sequential(nn.Flatten(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 5))
    transfer.load_weights(other, dict(model.state_dict()), strict=False)
    return [*(p.grad for p in model.parameters() if p.grad is not None), other(x)]


def trained() -> list[Any]:
    model = small()
    loader = data.DataLoader(data.TensorDataset(*labelled()), 2, seed=3)
    stop = training.EarlyStopping(patience=1)
    trainer = training.Trainer(model, optim.Adam(model.parameters(), 0.1), callbacks=[stop])
    history = trainer.fit(loader, 4, validation=loader)
    return [[epoch.loss for epoch in history.epochs], *model.parameters()]


# looking inside -----------------------------------------------------------------------------------
def looked_at() -> list[Any]:
    model, (x, y) = small(), labelled()
    norms = V.gradient_norms(model, lambda m: F.cross_entropy(m(x), y))
    return [
        list(norms[0].values()), list(norms[1].values()), V.saliency(model, x),
        V.fgsm(model, x, y, 0.1), V.maximise(model, [0], X[1:], steps=3),
        V.fooling_image(model, 1, X[1:], steps=3)[0], V.universal_perturbation(model, x, 1.0),
        V.invariance(model, x, amounts=(0.0, 1.0), labels=y).probability,
        *V.activation_values(F.tanh, etude.linspace(-1.0, 1.0, 5)),
    ]  # fmt: skip


def undone() -> list[Any]:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2))
    return [V.deconvolution(model, pixels(1, 1, 6, 6), "3")]


def explored() -> list[Any]:
    model, (x, y) = small(), labelled()
    loss = lambda m: F.cross_entropy(m(x), y).item()  # noqa: E731
    directions = [{n: p.detach() * s for n, p in model.named_parameters()} for s in (1.0, 0.5)]
    removed = V.layer_ablation(model, loss, ["1"], "silence")
    return [
        V.loss_line(model, loss, directions[0], (-1.0, 0.0, 1.0)),
        V.loss_surface(model, loss, *directions, amounts=(0.0, 1.0)),
        list(removed.values()), *V.dropout_ablation(model, loss, (0.0, 0.5)).values(),
        *V.race("quadratic", {"SGD": lambda p: optim.SGD(p, lr=0.05)}, steps=4).values(),
    ]  # fmt: skip


def decoded() -> list[Any]:
    model = models.VAE(4, (3,), 2)
    z, critic = pixels(5, 1), nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1))
    snapshot = V.gan_snapshot(
        lambda t: t * 0.5, critic, z, lambda t: F.exp(-t * t), points=5, logits=True
    )
    found = [snapshot.discriminator, snapshot.optimal]
    return [
        *found,
        V.manifold(model.decode, 3),
        V.traversal(model.decode, pixels(2), 0, (-1.0, 1.0)),
    ]


ENTRIES: dict[str, Callable[[], list[Any]]] = {
    "identity": same,
    "gradcheck": checked,
    "derivatives": derived,
    "through-time": through_time,
    "samples": sampled,
    "rates": rates,
    "restarts": restarted,
    "starts": started,
    "unit-length": lambda: [nn.L2Normalize()(pixels(3, 4))],
    "heads": trunk,
    "averages": averaged,
    "RNN": lambda: learnt(nn.RNN(2, 3), pixels(3, 2, 2)),
    "LSTM": lambda: learnt(nn.LSTM(2, 3), pixels(3, 2, 2)),
    "GRU": lambda: learnt(nn.GRU(2, 3), pixels(3, 2, 2)),
    "detector": detector,
    "stack": stacked,
    "linear-code": linear_code,
    "InfoGAN": informed,
    "DBN": machines,
    "augmentation": augmented,
    "transfer": handed_on,
    "trainer": trained,
    "looks": looked_at,
    "deconvolution": undone,
    "landscape": explored,
    "codes": decoded,
}


def numbers(entry: str, backend: str) -> list[np.ndarray]:
    etude.manual_seed(0)
    with etude.use_backend(backend):
        found = ENTRIES[entry]()
    assert {v.backend.name for v in found if isinstance(v, Tensor)} <= {backend}
    return [
        v.detach().numpy() if isinstance(v, Tensor) else np.asarray(v, "float64") for v in found
    ]


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_backend_gives_the_numbers_of_numpy(entry: str, backend: str) -> None:
    expected, found = numbers(entry, "numpy"), numbers(entry, backend)
    assert len(found) == len(expected) > 0
    for got, value in zip(found, expected, strict=True):
        assert got.shape == value.shape
        assert np.isfinite(value).all()
        size = np.abs(value).max() if value.size else 0.0
        np.testing.assert_allclose(got, value, rtol=0, atol=1e-4 * size + 1e-6)
