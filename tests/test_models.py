"""Models: published sizes, shapes in and out, names, and what create() refuses."""

from __future__ import annotations

import numpy as np
import pytest

import etude
from etude.framework import models, nn
from etude.framework.errors import ArgumentError

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]

# Models that are small enough to be built and run as they are; test_models_sizes.py has all.
PARAMETERS = {"mlp": 235_146, "lenet5": 61_706, "resnet20": 269_722, "vgg11_small": 9_225_610}


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_published(name: str) -> None:
    assert count(models.create(name)) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_images_become_logits_and_every_parameter_a_gradient(name: str) -> None:
    etude.manual_seed(0)
    model = models.create(name, num_classes=7)
    y = model(etude.randn(2, *models.entry(name).input_shape))
    assert y.shape == (2, 7)
    (y * y).sum().backward()
    for key, p in model.named_parameters():
        assert p.grad is not None, key
        assert p.grad.isfinite().all(), key
        assert (p.grad != 0).any(), key


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_seed_gives_one_lenet_on_every_backend(backend: str) -> None:
    etude.manual_seed(3)
    with etude.use_backend("numpy"):
        reference = models.create("lenet5")
    etude.manual_seed(3)
    with etude.use_backend(backend):
        model = models.create("lenet5")
    for (name, a), (_, b) in zip(
        reference.state_dict().items(), model.state_dict().items(), strict=True
    ):
        assert b.backend.name == backend
        assert a.tolist() == b.tolist(), name


OPTIONS = [
    ("lenet5", {"activation": "tanh", "pooling": "avg"}, (1, 32, 32), 61_706),
    ("lenet5", {"in_channels": 3}, (3, 32, 32), 61_706 + 2 * 150),
    ("mlp", {"in_features": 64, "hidden": (), "activation": "sigmoid"}, (1, 8, 8), 650),
    ("resnet20", {"shortcut": "B"}, (3, 32, 32), 269_722 + 16 * 32 + 32 * 64 + 2 * 96),
    ("resnet20", {"in_channels": 1}, (1, 8, 8), 269_722 - 2 * 16 * 9),
]


@pytest.mark.parametrize("name, options, shape, parameters", OPTIONS)
def test_models_have_options(
    name: str, options: dict[str, object], shape: tuple[int, ...], parameters: int
) -> None:
    model = models.create(name, **options)
    assert count(model) == parameters
    assert model(etude.zeros(1, *shape)).shape == (1, 10)


def test_a_deeper_resnet_follows_the_same_rule() -> None:
    assert count(models.CifarResNet(8)) < count(models.CifarResNet(14)) < PARAMETERS["resnet20"]


def test_resnet_layers_bear_the_names_of_torchvision() -> None:
    names = models.create("resnet20", shortcut="B").state_dict().keys()
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.bn2.bias",
            "layer2.0.downsample.0.weight", "layer3.0.downsample.1.weight",
            "fc.weight"} <= set(names)  # fmt: skip


def test_vgg_layers_bear_the_numbers_of_torchvision() -> None:
    model = models.create("vgg11_small")
    weights = {k: p.shape for k, p in model.named_parameters() if "weight" in k}
    numbers = [key.split(".")[1] for key in weights if key.startswith("features")]
    assert numbers == ["0", "3", "6", "8", "11", "13", "16", "18"]
    assert weights["features.18.weight"] == (512, 512, 3, 3)
    assert weights["classifier.weight"] == (10, 512)


@pytest.mark.parametrize(
    "options", [{}, {"activation": "tanh", "pooling": "avg"}], ids=["relu", "tanh"]
)
def test_lenet_is_torchs_with_the_same_weights(options: dict[str, str]) -> None:
    torch = pytest.importorskip("torch")
    etude.manual_seed(0)
    model = models.create("lenet5", **options)
    w = {name: torch.tensor(t.tolist()) for name, t in model.state_dict().items()}
    x = etude.randn(3, 1, 32, 32)
    f = torch.nn.functional
    act = torch.tanh if options else torch.relu
    pool = f.avg_pool2d if options else f.max_pool2d
    h = torch.tensor(x.tolist())
    for layer in ("conv1", "conv2"):
        h = pool(act(f.conv2d(h, w[f"{layer}.weight"], w[f"{layer}.bias"])), 2)
    h = h.flatten(1)
    for layer in ("fc1", "fc2"):
        h = act(f.linear(h, w[f"{layer}.weight"], w[f"{layer}.bias"]))
    expected = f.linear(h, w["fc3.weight"], w["fc3.bias"])
    np.testing.assert_allclose(model(x).detach().numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


WRONG = [
    (lambda: models.create("lenet"), "did you mean 'lenet5'?"),
    (lambda: models.create("swin"), "choose from alexnet, "),
    (lambda: models.create("lenet5", num_clases=3), "did you mean 'num_classes'?"),
    (
        lambda: models.create("lenet5", pooling="mean"),
        "expected pooling as one of 'max', 'avg', got",
    ),
    (lambda: models.create("mlp", activation="rleu"), "did you mean 'relu'?"),
    (lambda: models.create("resnet20", shortcut="C"), "choose from A, B"),
    (lambda: models.CifarResNet(21), "expected a depth of 6n + 2"),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_said(call: object, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)
