"""Models on every backend, beside NumPy's, and trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework import models
from etude.framework.data import DataLoader, TensorDataset
from etude.framework.errors import ArgumentError
from etude.framework.models.googlenet import googlenet_loss
from etude.framework.tensor import Tensor
from etude.framework.training import Trainer

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
W = 1 / 32
SHORT = (1, 1, 1, 1)


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def words(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, size, (2, 4))


# Each architecture's layers, as small as they go: what makes the model, and its inputs.
CASES: dict[str, tuple[Callable[[], Any], tuple[np.ndarray, ...]]] = {
    "alexnet": (
        lambda: models.AlexNet(3, image_size=227, groups=2, lrn=True, width=1 / 16),
        (pixels(1, 3, 67, 67),),
    ),
    "googlenet": (lambda: models.GoogLeNet(3, width=W), (pixels(1, 3, 17, 17),)),
    "se_resnet": (
        lambda: models.se_resnet50(3, reduction=4, width=W, layers=SHORT),
        (pixels(1, 3, 17, 17),),
    ),
    "densenet": (
        lambda: models.DenseNet(3, 3, 2, (2, 1), 4),
        (pixels(1, 3, 17, 17),),
    ),
    "fcn": (
        lambda: models.FCN(models.VGG(11, small=True, width=W), 2, 8),
        (pixels(1, 3, 32, 32),),
    ),
    "nin": (lambda: models.NetworkInNetwork(3, width=W), (pixels(1, 3, 8, 8),)),
    "neocognitron": (lambda: models.Neocognitron(3, planes=(2, 3)), (abs(pixels(1, 1, 14, 14)),)),
    "siamese": (
        lambda: models.Siamese(etude.nn.Sequential(etude.nn.Flatten(), etude.nn.Linear(9, 4)), 4,
                               "logit"),
        (pixels(2, 1, 3, 3), pixels(2, 1, 3, 3) + 1),
    ),
    "rpn": (lambda: models.RPN(3, (8.0,), (1.0, 2.0)), (pixels(1, 3, 3, 4),)),
    "char_lstm": (lambda: models.CharRNN("lstm", 7, 3, 4), (words(7),)),
    "tagger": (lambda: models.Tagger(7, 3, 3, 4), (words(7),)),
    "transformer": (lambda: models.Transformer(7, 4, 1, 2, 4, 0.0), (words(7),)),
}  # fmt: skip


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "numpy"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_numpys(case: str, backend: str) -> None:
    expected, found = results(case, "numpy"), results(case, backend)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        size = np.abs(value).max()
        assert np.abs(found[name] - value).max() <= 1e-4 * size + 1e-7, name


def results(case: str, backend: str) -> dict[str, np.ndarray]:
    """Outputs, and gradients of the sum of their squares."""
    make, inputs = CASES[case]
    etude.manual_seed(0)
    with etude.use_backend(backend):
        model = make().eval()
        out = model(*(etude.tensor(x) for x in inputs))
        outputs = [t for t in (out if isinstance(out, tuple) else [out]) if isinstance(t, Tensor)]
        sum((y * y).sum() for y in outputs).backward()
    found = {f"output {i}": y.detach().numpy() for i, y in enumerate(outputs)}
    found |= {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None}
    return found


def test_googlenet_trains_with_its_auxiliary_heads() -> None:
    etude.manual_seed(0)
    model = models.GoogLeNet(2, aux_logits=True, width=W)
    data = TensorDataset(etude.tensor(pixels(8, 3, 17, 17)), etude.arange(8) % 2)
    optimizer = etude.optim.SGD(model.parameters(), lr=0.01)
    trainer = Trainer(model, optimizer, googlenet_loss)
    history = trainer.fit(DataLoader(data, 4), 1)
    assert all(0.0 <= step.accuracy <= 1.0 for step in history.steps)
    assert all(model.get_submodule(f"aux{i}").fc2.weight.grad is not None for i in (1, 2))
    assert trainer.evaluate(DataLoader(data, 4)).samples == 8


def test_googlenets_loss_by_hand() -> None:
    y = etude.tensor([0, 1])
    logits = [etude.tensor(pixels(3, 2, 2)[i]) for i in range(3)]
    parts = [etude.nn.functional.cross_entropy(x, y).item() for x in logits]
    found = googlenet_loss(models.GoogLeNetOutputs(*logits), y)
    assert found.item() == pytest.approx(parts[0] + 0.3 * (parts[1] + parts[2]))
    assert googlenet_loss(models.GoogLeNetOutputs(logits[0], None, None), y).item() == (
        pytest.approx(parts[0])
    )
    assert googlenet_loss(logits[0], y).item() == pytest.approx(parts[0])


def test_googlenet_takes_images_as_its_weights_want_them() -> None:
    model = models.GoogLeNet(3, width=W, transform_input=True).eval()
    x = np.random.default_rng(1).random((2, 3, 17, 17)).astype(np.float32)
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in
                 ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))  # fmt: skip
    found = model(etude.tensor((x - mean) / std)).tolist()
    model.transform_input = False
    np.testing.assert_allclose(found, model(etude.tensor(x * 2.0 - 1.0)).tolist(), 1e-4, 1e-5)
    with pytest.raises(ArgumentError, match="expected 3 channels for transform_input, got 1"):
        models.GoogLeNet(3, 1, width=W, transform_input=True)


@pytest.mark.parametrize("gone", [[3, 4], [6, 7], [3, 4, 6, 7], [2, 5]])
def test_alexnet_without_some_layers(gone: list[int]) -> None:
    model = models.AlexNet(3, width=W, without=gone)
    assert model.eval()(etude.tensor(pixels(1, 3, 63, 63))).shape == (1, 3)
    names = {2: "features.3", 3: "features.6", 4: "features.8", 5: "features.10"}
    names |= {6: "classifier.1", 7: "classifier.4"}
    left = {name.rpartition(".")[0] for name in model.state_dict()}
    assert left == {"features.0", "classifier.6"} | {names[i] for i in names if i not in gone}


def test_options_of_resnet_and_densenet() -> None:
    model = models.resnet50(layers=SHORT, width=W, zero_init_residual=True)
    assert all(w.abs().max().item() == 0.0 for n, w in model.state_dict().items()
               if n.endswith("bn3.weight"))  # fmt: skip
    model = models.resnet18(layers=SHORT, width=W, zero_init_residual=True)
    assert model.layer1[0].bn2.weight.abs().max().item() == 0.0
    model = models.DenseNet(3, 3, 2, (2, 1), 4, drop_rate=0.5)
    assert model(etude.tensor(pixels(2, 3, 33, 33))).shape == (2, 3)
    wide = models.DenseNet(3, 3, 4, (1,), 64).features.denseblock1.denselayer1.conv1.weight
    assert wide.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.15)  # by fan_in, as torch's
    form = models.NetworkInNetwork(4, form="imagenet", width=W)
    assert form(etude.tensor(pixels(1, 3, 67, 67))).shape == (1, 4)
