"""Transfer learning: weights that partly fit, new last layers, features kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude
from etude import nn
from etude.framework import models, transfer, weights
from etude.framework.data import TensorDataset
from etude.framework.errors import ArgumentError, ShapeError, StateMismatch

pytest.importorskip("safetensors")
BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


def small(num_classes: int = 3) -> Any:
    return models.resnet18(num_classes, layers=(1, 1, 1, 1), width=1 / 16)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_weights_load_from_both_kinds_of_file(suffix: str, tmp_path: Path) -> None:
    etude.manual_seed(0)
    source, model = small(), small()
    path = weights.save(source.state_dict(), tmp_path / f"w.{suffix}")
    report = transfer.load_weights(model, path)
    assert report.loaded == list(source.state_dict())
    assert report[1:] == ([], [], [])
    for name, t in source.state_dict().items():
        assert model.state_dict()[name].tolist() == t.tolist(), name


def test_a_file_of_numpy_loads(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3))
    arrays = {"0.weight": np.ones((3, 2), np.float32), "0.bias": np.arange(3, dtype=np.float32)}
    np.savez(tmp_path / "w.npz", **arrays)
    transfer.load_weights(model, tmp_path / "w.npz")
    assert model(etude.ones(1, 2)).tolist() == [[2.0, 3.0, 4.0]]


def test_what_does_not_fit_is_reported(tmp_path: Path) -> None:
    etude.manual_seed(0)
    source, model = small(5), small(3)
    state = source.state_dict()
    del state["conv1.weight"]
    state["extra"] = etude.zeros(1)
    path = weights.save(state, tmp_path / "w.safetensors")
    before = {name: t.tolist() for name, t in model.state_dict().items()}
    with pytest.raises(StateMismatch, match="size mismatch fc"):
        transfer.load_weights(model, path)
    assert {name: t.tolist() for name, t in model.state_dict().items()} == before
    report = transfer.load_weights(model, path, strict=False)
    assert report.missing == ["conv1.weight"]
    assert report.unexpected == ["extra"]
    assert sorted(report.mismatched) == [("fc.bias", (3,), (5,)), ("fc.weight", (3, 32), (5, 32))]
    assert len(report.loaded) == len(before) - 3
    now = model.state_dict()
    for name in ("conv1.weight", "fc.weight", "fc.bias"):
        assert now[name].tolist() == before[name]
    assert now["layer4.0.conv1.weight"].tolist() == state["layer4.0.conv1.weight"].tolist()
    lines = str(report).splitlines()
    assert lines[0] == f"loaded {len(report.loaded)} of {len(before)} tensors"
    assert "  other shape fc.bias: (3,) in the model, (5,) in the file" in lines
    assert "  missing     conv1.weight" in lines
    assert "  unexpected  extra" in lines


LAST = [
    ("resnet18", {"layers": (1, 1, 1, 1)}, "fc", 33),
    ("vgg11", {}, "classifier.6", 32),
    ("vgg11_small", {}, "classifier", 32),
    ("densenet121", {"block_config": (1, 1)}, "classifier", 33),
    ("googlenet", {"aux_logits": True}, "fc", 33),
    ("nin", {}, "features.20", 16),
]


@pytest.mark.parametrize("name, options, layer, size", LAST, ids=[row[0] for row in LAST])
def test_the_last_layer_is_replaced(
    name: str, options: dict[str, Any], layer: str, size: int
) -> None:
    etude.manual_seed(0)
    if name != "densenet121":
        options = {**options, "width": 1 / 16}
    model = models.create(name, num_classes=4, **options).requires_grad_(False)
    found, new = transfer.replace_last_layer(model, 7)
    assert found == layer
    assert model.get_submodule(layer) is new
    assert model.eval()(etude.randn(2, 3, size, size)).shape == (2, 7)
    learned = [key for key, p in model.named_parameters() if p.requires_grad]
    assert learned == [f"{layer}.weight", f"{layer}.bias"]


def test_a_layer_is_replaced_by_its_name() -> None:
    model = models.create("fcn8s", num_classes=4, width=1 / 16)
    heads = {name: m for name, m in model.named_modules() if name.startswith("score")}
    name = next(iter(heads))
    found, new = transfer.replace_last_layer(model, 7, name)
    assert (found, model.get_submodule(name)) == (name, new)
    assert new.out_channels == 7


def test_frozen_layers_stay_and_the_last_learns() -> None:
    etude.manual_seed(0)
    model = small().requires_grad_(False)
    _, head = transfer.replace_last_layer(model, 2)
    kept = model.conv1.weight.tolist()
    optimizer = etude.optim.SGD(head.parameters(), lr=0.1)
    nn.functional.cross_entropy(
        model.eval()(etude.randn(2, 3, 33, 33)), etude.tensor([0, 1])
    ).backward()
    before = head.weight.tolist()
    optimizer.step()
    assert model.conv1.weight.grad is None
    assert model.conv1.weight.tolist() == kept
    assert head.weight.tolist() != before


class Watched(TensorDataset):
    """Remembers which samples were asked for in batches."""

    def __init__(self, *tensors: Any) -> None:
        super().__init__(*tensors)
        self.asked: list[int] = []

    def batch(self, indices: Any) -> Any:
        self.asked += indices
        return super().batch(indices)


def images() -> Watched:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10, 3, 16, 16)).astype(np.float32)
    return Watched(etude.tensor(x), etude.arange(10))


def net() -> Any:
    etude.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(4, 5),
    )  # fmt: skip


def test_features_are_what_enters_the_last_layer(tmp_path: Path) -> None:
    model, data = net(), images()
    model[1].eval()
    found = transfer.bottleneck_features(model, data, tmp_path, batch_size=3, part_size=4)
    assert model.training
    assert not model[1].training  # as it was
    expected = model.eval()[:6](data.tensors[0]).detach()
    np.testing.assert_allclose(found.tensors[0].numpy(), expected.numpy(), rtol=1e-5, atol=1e-7)
    assert found.tensors[1].tolist() == list(range(10))
    assert not found.tensors[0].requires_grad
    np.testing.assert_allclose(
        model[6](found.tensors[0]).tolist(), model(data.tensors[0]).tolist(), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("at", ["3", ""])
def test_features_of_another_layer(at: str, tmp_path: Path) -> None:
    model, data = net(), images()
    found = transfer.bottleneck_features(model, data, tmp_path, at=at).tensors[0]
    wanted = model.eval()(data.tensors[0]) if at == "" else model.eval()[:3](data.tensors[0])
    np.testing.assert_allclose(found.tolist(), wanted.tolist(), rtol=1e-4, atol=1e-6)


def test_a_broken_run_goes_on_where_it_was(tmp_path: Path) -> None:
    model, data = net(), images()
    whole = transfer.bottleneck_features(model, data, tmp_path / "a", batch_size=2, part_size=4)
    assert data.asked == list(range(10))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == [f"features-0000{i}.safetensors" for i in range(3)]
    broken = images()
    calls = iter(range(100))

    def stop(*_: Any) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt

    handle = model.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        transfer.bottleneck_features(model, broken, tmp_path / "b", batch_size=2, part_size=4)
    handle.remove()
    assert [path.name for path in (tmp_path / "b").iterdir()] == files[:1]
    broken.asked.clear()
    found = transfer.bottleneck_features(model, broken, tmp_path / "b", batch_size=2, part_size=4)
    assert broken.asked == list(range(4, 10))
    assert found.tensors[0].tolist() == whole.tensors[0].tolist()
    broken.asked.clear()
    transfer.bottleneck_features(model, broken, tmp_path / "b", batch_size=2, part_size=4)
    assert broken.asked == []


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    model, data = net(), images()
    whole = transfer.bottleneck_features(model, data, tmp_path, part_size=4)
    path = tmp_path / "features-00001.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    data.asked.clear()
    again = transfer.bottleneck_features(model, data, tmp_path, part_size=4)
    assert data.asked == [4, 5, 6, 7]
    assert again.tensors[0].tolist() == whole.tensors[0].tolist()


def test_features_of_another_model_or_data_are_not_taken(tmp_path: Path) -> None:
    model, data = net(), images()
    transfer.bottleneck_features(model, data, tmp_path)
    other = net()
    with etude.no_grad():
        other[0].bias.copy_(other[0].bias + 1.0)
    shifted = TensorDataset(data.tensors[0] + 1.0, data.tensors[1])
    labels = etude.tensor([*range(9, -1, -1)])  # others, but for what the ends say
    labels = etude.cat([data.tensors[1][:1], labels[1:-1], data.tensors[1][-1:]])
    relabelled = TensorDataset(data.tensors[0], labels)
    for arguments in ((other, data), (model, shifted), (model, relabelled)):
        with pytest.raises(ArgumentError, match="features of another model"):
            transfer.bottleneck_features(*arguments, tmp_path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_features_on_every_backend(backend: str, tmp_path: Path) -> None:
    model = net().to(backend)
    data = TensorDataset(images().tensors[0][:2, :, :5, :5], etude.arange(2))
    found = transfer.bottleneck_features(model, data, tmp_path)
    assert found.tensors[0].shape == (2, 4)
    assert {t.backend.name for t in found.tensors} == {backend}


class Twice(nn.Module):
    """Calls its last layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        return self.fc(self.fc(x))


def of_two(model: Any, folder: Path, **options: Any) -> Any:
    return transfer.bottleneck_features(model, TensorDataset(etude.ones(2, 2)), folder, **options)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="one tensor to enter the layer 'fc', got 2 calls"):
        of_two(Twice(), tmp_path)
    with pytest.raises(ArgumentError, match="batch_size as a whole number >= 1, got"):
        of_two(Twice(), tmp_path, batch_size=0)
    with pytest.raises(ArgumentError, match="expected a data set with samples, got none"):
        transfer.bottleneck_features(Twice(), TensorDataset(etude.ones(0, 2)), tmp_path)
    with pytest.raises(ArgumentError, match="wrap a single layer"):
        transfer.last_layer(nn.Linear(2, 2))
    with pytest.raises(ArgumentError, match="name of a Linear or Conv2d, got 'head'"):
        transfer.replace_last_layer(Twice(), 2, "head")
