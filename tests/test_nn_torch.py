"""Layers against torch's: the same repr, state, values and gradients from the same weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import etude

torch = pytest.importorskip("torch", reason="the layers are compared with torch's")


class Layer(NamedTuple):
    """An expression that makes the layer from `nn`, and the shape of its input."""

    make: str
    shape: tuple[int, ...]
    whole: int = 0  # inputs are whole numbers below this

    def __str__(self) -> str:
        return self.make.replace("nn.", "")


LAYERS = [
    Layer("nn.Identity(3, a=2)", (2, 3)),
    Layer("nn.Linear(4, 3)", (2, 4)),
    Layer("nn.Linear(4, 3, bias=False)", (2, 5, 4)),
    Layer("nn.Linear(4, 3)", (4,)),
    Layer("nn.Flatten()", (2, 3, 4)),
    Layer("nn.Flatten(0, -2)", (2, 3, 4)),
    Layer("nn.Unflatten(1, (2, -1))", (3, 6, 2)),
    Layer("nn.Conv1d(2, 3, 3, stride=2, padding=1)", (2, 2, 7)),
    Layer("nn.Conv2d(3, 4, 3)", (2, 3, 5, 6)),
    Layer("nn.Conv2d(3, 4, 3)", (3, 5, 6)),
    Layer("nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, False)", (2, 4, 6, 7)),
    Layer("nn.Conv2d(2, 2, 3, padding='same', groups=2)", (1, 2, 4, 4)),
    Layer("nn.Conv2d(2, 3, (2, 4), padding='same', padding_mode='reflect')", (1, 2, 5, 5)),
    Layer("nn.Conv2d(2, 3, 3, padding='valid')", (1, 2, 5, 5)),
    Layer("nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode='replicate')", (1, 2, 5, 5)),
    Layer("nn.Conv2d(2, 3, 3, 2, padding=2, padding_mode='circular')", (1, 2, 5, 5)),
    Layer("nn.Conv3d(2, 3, (1, 2, 2), dilation=(1, 2, 1))", (1, 2, 3, 4, 4)),
    Layer("nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1)", (2, 2, 4)),
    Layer("nn.ConvTranspose2d(4, 6, 3, stride=(2, 1), padding=1, groups=2)", (2, 4, 3, 3)),
    Layer("nn.ConvTranspose2d(2, 3, (2, 3), dilation=2, bias=False)", (1, 2, 3, 3)),
    Layer("nn.ConvTranspose3d(2, 3, 2)", (1, 2, 2, 3, 2)),
    Layer("nn.MaxPool1d(2)", (2, 3, 7)),
    Layer("nn.MaxPool2d(3, stride=2, padding=1)", (2, 2, 6, 7)),
    Layer("nn.MaxPool2d((2, 3), ceil_mode=True, dilation=(2, 1))", (1, 2, 7, 7)),
    Layer("nn.MaxPool3d(2)", (1, 2, 4, 4, 5)),
    Layer("nn.AvgPool1d(3, 2, 1)", (2, 3, 7)),
    Layer("nn.AvgPool2d(2)", (2, 3, 6, 6)),
    Layer("nn.AvgPool2d(3, 2, 1, count_include_pad=False)", (2, 3, 6, 6)),
    Layer("nn.AvgPool2d((2, 3), ceil_mode=True, divisor_override=4)", (2, 3, 7, 7)),
    Layer("nn.AvgPool3d(2, padding=1)", (1, 2, 4, 4, 4)),
    Layer("nn.AdaptiveAvgPool1d(3)", (2, 3, 7)),
    Layer("nn.AdaptiveAvgPool2d(1)", (2, 3, 4, 5)),
    Layer("nn.AdaptiveAvgPool2d((None, 2))", (2, 3, 4, 5)),
    Layer("nn.AdaptiveAvgPool3d((2, 1, 2))", (1, 2, 4, 3, 4)),
    Layer("nn.BatchNorm1d(3)", (4, 3)),
    Layer("nn.BatchNorm1d(3, affine=False)", (4, 3, 5)),
    Layer("nn.BatchNorm2d(3, eps=0.1, momentum=0.3)", (4, 3, 2, 2)),
    Layer("nn.BatchNorm2d(3, bias=False)", (4, 3, 2, 2)),
    Layer("nn.BatchNorm2d(3, momentum=None)", (4, 3, 2, 2)),
    Layer("nn.BatchNorm2d(3, track_running_stats=False)", (4, 3, 2, 2)),
    Layer("nn.BatchNorm3d(2)", (2, 2, 2, 3, 2)),
    Layer("nn.Dropout(0.0)", (3, 4)),
    Layer("nn.Dropout(1.0, inplace=True)", (3, 4)),
    Layer("nn.Embedding(7, 3)", (2, 4), 7),
    Layer("nn.Embedding(7, 3, padding_idx=-2)", (5,), 7),
    *(
        Layer(f"nn.{name}", (3, 4))
        for name in (
            "ReLU()",
            "ReLU(inplace=True)",
            "ReLU6()",
            "LeakyReLU()",
            "LeakyReLU(0.1, True)",
            "ELU()",
            "ELU(0.5)",
            "Sigmoid()",
            "Tanh()",
            "Softplus()",
            "Softplus(2.0, 1.0)",
            "SiLU()",
            "GELU()",
            "GELU('tanh')",
            "Hardtanh()",
            "Hardtanh(-0.5, 0.25)",
            "Softmax(1)",
            "Softmax(dim=-2)",
            "LogSoftmax(dim=-1)",
        )
    ),
    Layer("nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))", (5, 4)),
    Layer(
        "nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),"
        " nn.Flatten(), nn.Linear(8, 2))",
        (3, 1, 6, 6),
    ),
]


def both(layer: Layer) -> tuple[Any, Any]:
    """Ours and torch's in float64, ours with torch's weights."""
    etude.manual_seed(0)
    torch.manual_seed(0)
    ours = eval(layer.make, {"nn": etude.nn})
    theirs = eval(layer.make, {"nn": torch.nn})
    ours.double(), theirs.double()
    for value in theirs.state_dict().values():  # affine weights of 1 and 0 would hide a mistake
        if value.is_floating_point():
            value.add_(torch.rand_like(value) * 0.5)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def inputs(layer: Layer) -> np.ndarray:
    rng = np.random.default_rng(1)
    if layer.whole:
        return rng.integers(0, layer.whole, layer.shape)
    return rng.standard_normal(layer.shape)


def near(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-11
    )


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_values_and_gradients_are_torch_s(layer: Layer) -> None:
    ours, theirs = both(layer)
    for training in (True, False):
        ours.train(training), theirs.train(training)
        ours.zero_grad(), theirs.zero_grad()
        data = inputs(layer)
        x = etude.tensor(data).requires_grad_(not layer.whole)
        tx = torch.tensor(data).requires_grad_(not layer.whole)
        # A copy for torch, whose inplace layers may not change a leaf.
        y, ty = ours(x), theirs(tx if layer.whole else tx * 1.0)
        near(y, ty)
        seeds = np.random.default_rng(2).standard_normal(y.shape)
        if y.requires_grad:
            y.backward(etude.tensor(seeds))
            ty.backward(torch.tensor(seeds))
        for p, tp in zip(ours.parameters(), theirs.parameters(), strict=True):
            near(p.grad, tp.grad)
        if not layer.whole and x.grad is not None:
            near(x.grad, tx.grad)
        for b, tb in zip(ours.buffers(), theirs.buffers(), strict=True):
            near(b, tb)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_state_goes_both_ways(layer: Layer) -> None:
    ours, theirs = both(layer)
    state, other = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(other)
    for key, value in state.items():
        assert value.shape == tuple(other[key].shape)
        assert str(value.dtype) == str(other[key].dtype).removeprefix("torch.")
        near(value, other[key])
    fresh = eval(layer.make, {"nn": torch.nn}).double()
    fresh.load_state_dict({key: torch.tensor(value.numpy()) for key, value in state.items()})
    for key, value in fresh.state_dict().items():
        near(state[key], value)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_repr_is_torch_s(layer: Layer) -> None:
    ours, theirs = both(layer)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    "make",
    [
        "nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3), nn.ReLU(), nn.Linear(1, 1)])",
        "nn.ModuleList([])",
        "nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Sequential(nn.Tanh(), nn.Sequential())})",
        "nn.Sequential(nn.ModuleList([nn.ReLU(), nn.ReLU()]), nn.ReLU())",
        "nn.CrossEntropyLoss()",
        "nn.MSELoss(reduction='sum')",
    ],
)
def test_repr_of_containers_is_torch_s(make: str) -> None:
    assert repr(eval(make, {"nn": etude.nn})) == repr(eval(make, {"nn": torch.nn}))


LABELS = np.array([2, 0, 1, 2])
LOSSES = [
    ("nn.MSELoss()", None),
    ("nn.MSELoss(reduction='sum')", None),
    ("nn.L1Loss(reduction='none')", None),
    ("nn.CrossEntropyLoss()", LABELS),
    ("nn.CrossEntropyLoss(reduction='none', ignore_index=1)", LABELS),
    ("nn.CrossEntropyLoss(label_smoothing=0.2)", LABELS),
    ("nn.CrossEntropyLoss(label_smoothing=0.2)", np.full((4, 3), 1 / 3)),
    ("nn.CrossEntropyLoss(vector([0.2, 1.0, 3.0]))", LABELS),
    ("nn.NLLLoss(reduction='sum')", LABELS),
    ("nn.NLLLoss(vector([0.2, 1.0, 3.0]), ignore_index=0)", LABELS),
]


@pytest.mark.parametrize("make, target", LOSSES)
def test_losses_are_torch_s(make: str, target: np.ndarray | None) -> None:
    rng = np.random.default_rng(0)
    x, goal = rng.standard_normal((4, 3)), target
    if goal is None:
        goal = rng.standard_normal((4, 3))
    ours = eval(make, {"nn": etude.nn, "vector": lambda v: etude.tensor(v, etude.float64)})
    theirs = eval(make, {"nn": torch.nn, "vector": lambda v: torch.tensor(v, dtype=torch.double)})
    ex = etude.tensor(x, requires_grad=True)
    tx = torch.tensor(x, requires_grad=True)
    y, ty = ours(ex, etude.tensor(goal)), theirs(tx, torch.tensor(goal))
    near(y, ty)
    y.sum().backward()
    ty.sum().backward()
    near(ex.grad, tx.grad)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_output_size_of_a_transposed_convolution() -> None:
    ours = etude.nn.ConvTranspose2d(2, 3, 3, stride=3).double()
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=3).double()
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 3))
    for size in ((9, 11), (10, 9)):
        y = ours(etude.tensor(x), output_size=size)
        assert y.shape[2:] == size
        near(y, theirs(torch.tensor(x), output_size=size))


def test_max_pool_returns_indices() -> None:
    x = np.random.default_rng(0).standard_normal((1, 2, 6, 6))
    y, at = etude.nn.MaxPool2d(2, return_indices=True)(etude.tensor(x))
    ty, tat = torch.nn.MaxPool2d(2, return_indices=True)(torch.tensor(x))
    near(y, ty)
    near(at, tat)


def test_old_files_without_the_counter_of_batch_norm_load() -> None:
    """As in torch, where num_batches_tracked came in 2018."""
    layer = etude.nn.BatchNorm2d(2)
    state = {k: v for k, v in layer.state_dict().items() if k != "num_batches_tracked"}
    assert layer.load_state_dict(state) == ([], [])


def test_default_weights_have_torch_s_distribution() -> None:
    for make in ("nn.Linear(50, 400)", "nn.Conv2d(6, 64, (3, 5))", "nn.ConvTranspose2d(40, 8, 3)"):
        ours, theirs = eval(make, {"nn": etude.nn}), eval(make, {"nn": torch.nn})
        for p, tp in zip(ours.parameters(), theirs.parameters(), strict=True):
            a, b = p.detach().numpy(), tp.detach().numpy()
            assert abs(a).max() == pytest.approx(abs(b).max(), rel=0.5 if a.size < 100 else 0.1)
            if a.size > 1000:
                assert a.std() == pytest.approx(b.std(), rel=0.1)
                assert abs(a.mean()) < 0.1 * a.std()
