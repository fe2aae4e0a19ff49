"""LeNet-5 on real digits: torch's curve, the same on every backend, and it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import etude
from etude import functional as F
from etude.framework import data, models, optim
from etude.framework.data.transforms import RandomShift
from etude.framework.training import Trainer

pytestmark = pytest.mark.no_cover  # other tests reach the same lines, and tracing doubles the time

SHAPE = (1, 32, 32)


@pytest.fixture(autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Products this small gain nothing from threads, and wait long for busy ones."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def torch() -> Iterator[Any]:
    library = pytest.importorskip("torch")
    threads = library.get_num_threads()
    library.set_num_threads(1)
    yield library
    library.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> data.Splits:
    return data.digits("random", 0, SHAPE)


def lenet(backend: str) -> etude.nn.Module:
    etude.manual_seed(0)
    with etude.use_backend(backend):
        return models.create("lenet5")


def fifty(digits: data.Splits, size: int, dtype: str) -> data.DataLoader:
    """The first 50 batches of the demo's kind, made once."""
    few = data.Subset(digits.train, range(25 * size))
    shift = RandomShift(2, digits.background)
    batches = data.DataLoader(few, size, shuffle=True, seed=0, transform=shift)
    images, labels = zip(*[batch for _ in range(2) for batch in batches], strict=True)
    whole = data.TensorDataset(F.cat(images).to(dtype), F.cat(labels))
    return data.DataLoader(whole, size)


def torch_losses(
    torch: Any, model: etude.nn.Module, batches: data.DataLoader, optimizer: str
) -> list[float]:
    """Train torch's LeNet-5 on the batches, from the model's weights."""
    nn = torch.nn
    twin = nn.Sequential()
    for layer, module in {
        "conv1": nn.Conv2d(1, 6, 5), "act1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(6, 16, 5), "act2": nn.ReLU(), "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(), "fc1": nn.Linear(400, 120), "act3": nn.ReLU(),
        "fc2": nn.Linear(120, 84), "act4": nn.ReLU(), "fc3": nn.Linear(84, 10),
    }.items():  # fmt: skip
        twin.add_module(layer, module)
    weights = {k: torch.tensor(t.numpy().copy()) for k, t in model.state_dict().items()}
    twin.to(weights["conv1.weight"].dtype).load_state_dict(weights)
    step = OPTIMIZERS[optimizer](torch.optim, twin.parameters())
    losses = []
    for x, y in batches:
        images, labels = torch.tensor(x.numpy().copy()), torch.tensor(y.numpy().copy())
        loss = nn.functional.cross_entropy(twin(images), labels)
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses


OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "adam": lambda library, p: library.Adam(p, 0.002),
    "sgd": lambda library, p: library.SGD(p, 0.01, momentum=0.9),
}


@pytest.mark.parametrize("optimizer, size", [("adam", 32), ("sgd", 48)])
@pytest.mark.parametrize("dtype, rtol", [(etude.float32, 1e-4), (etude.float64, 1e-11)])
def test_the_first_50_losses_are_torchs(
    torch: Any, digits: data.Splits, optimizer: str, size: int, dtype: str, rtol: float
) -> None:
    model = lenet("numpy").to(dtype)
    batches = fifty(digits, size, dtype)
    expected = torch_losses(torch, model, batches, optimizer)
    trainer = Trainer(model, OPTIMIZERS[optimizer](optim, model.parameters()))
    losses = trainer.fit(batches, 1).losses
    np.testing.assert_allclose(losses, expected, rtol=rtol)
    assert len(losses) == 50
    assert np.mean(losses[-10:]) < losses[0]


FAST = [
    pytest.param(name, marks=[] if why is None else pytest.mark.skip(reason=why))
    for name, why in etude.backends.available().items()
    if name not in ("numpy", "python")
]


def curve(digits: data.Splits, backend: str, images: int, size: int, epochs: int) -> list[float]:
    few = data.Subset(digits.train, range(images))
    model = lenet(backend)
    batches = data.DataLoader(few, size, shuffle=True, seed=0, backend=backend)
    trainer = Trainer(model, optim.Adam(model.parameters(), 0.002))
    return trainer.fit(batches, epochs).losses


def test_the_python_backends_curve_is_numpys(digits: data.Splits) -> None:
    python, numpy = (curve(digits, name, 12, 3, 1) for name in ("python", "numpy"))
    np.testing.assert_allclose(python, numpy, rtol=1e-5)


@pytest.mark.parametrize("backend", FAST)
def test_fifty_losses_are_numpys(digits: data.Splits, backend: str) -> None:
    found, expected = (curve(digits, name, 800, 32, 2) for name in (backend, "numpy"))
    assert len(found) == 50
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_twenty_losses_of_the_python_backend_are_numpys(digits: data.Splits) -> None:
    python, numpy = (curve(digits, name, 10, 1, 2) for name in ("python", "numpy"))
    assert len(python) == 20
    np.testing.assert_allclose(python, numpy, rtol=1e-4)


@pytest.mark.parametrize("backend", FAST)
def test_training_does_not_depend_on_the_number_of_threads(
    digits: data.Splits, backend: str
) -> None:
    before = etude.get_num_threads()
    curves = []
    for threads in (1, 2):
        etude.set_num_threads(threads)
        curves.append(curve(digits, backend, 256, 32, 1))
    etude.set_num_threads(before)
    assert curves[0] == curves[1]


def test_lenet_learns_the_digits_in_a_few_epochs(digits: data.Splits) -> None:
    model = lenet("numpy")
    batches = data.DataLoader(
        digits.train, 32, shuffle=True, seed=0, transform=RandomShift(2, digits.background)
    )
    optimizer = optim.Adam(model.parameters(), 0.002)
    schedule = optim.CosineAnnealingLR(optimizer, 3 * len(batches))
    trainer = Trainer(model, optimizer, scheduler=schedule)
    trainer.fit(batches, 3)
    score = trainer.evaluate(data.DataLoader(digits.test, 225))
    assert score.samples == 450
    assert (score.accuracy or 0.0) >= 0.93
