"""Each picture is a Figure with the axes, labels and titles that it should have."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_visualize_training import history

import etude
from etude import functional as F
from etude import nn, optim
from etude import visualize as V
from etude.framework.errors import MissingLibrary

etude.manual_seed(0)
X = etude.randn(3, 1, 6, 6)
Y = etude.tensor([0, 1, 2])
NET = nn.Sequential(
    nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 3)
)
COLOURED = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(32, 3))
LSTM = nn.LSTM(2, 3)
DECODER = nn.Linear(2, 16)
BOWL = V.Surface(lambda x, y: x * x + y * y, (1.0, 1.0), None, (-1.0, 1.0, -1.0, 1.0))
RACE = {"SGD": lambda p: optim.SGD(p, 0.01)}


def loss(model: Any) -> Any:
    return F.cross_entropy(model(X), Y)


def snapshot() -> Any:
    return V.gan_snapshot(lambda z: z, F.sigmoid, etude.randn(50, 1), lambda x: x * 0.0 + 0.2)


# name: (call, number of axes, texts that must be there)
FIGURES: dict[str, tuple[Callable[[], Any], int, list[str]]] = {
    "activations": (V.plot_activations, 8, ["sigmoid", "x", "g(x)", "g'(x)"]),
    "activations one": (lambda: V.plot_activations(F.tanh, -1.0, 1.0), 1, ["tanh"]),
    "activations five": (lambda: V.plot_activations(dict.fromkeys("abcde", F.relu)), 8, ["e"]),
    "history": (lambda: V.plot_history(history()), 2, ["epoch", "validation", "best: epoch 2"]),
    "history named": (
        lambda: V.plot_history({"a": history(False), "b": history()}),
        2,
        ["a, training", "b, validation", "accuracy (fraction right)"],
    ),
    "gradient_norms": (
        lambda: V.plot_gradient_norms(NET, loss),
        2,
        ["root mean square of dL/dW", "root mean square of dL/dy", "0.weight", "4"],
    ),
    "gradient_norms named": (lambda: V.plot_gradient_norms({"a": NET}, loss), 2, ["a"]),
    "filters": (lambda: V.plot_filters(NET), 5, ["0.weight, 3 of 3", "weight"]),
    "filters coloured": (lambda: V.plot_filters(COLOURED), 2, ["0.weight, 2 of 2"]),
    "feature_maps": (lambda: V.plot_feature_maps(NET, X), 12, ["0\n(6, 6)", "2\n(3, 3)"]),
    "feature_maps chosen": (lambda: V.plot_feature_maps(NET, X, ["1"], most=2), 3, ["1\n(6, 6)"]),
    "histograms": (lambda: V.plot_histograms(NET), 2, ["Weights", "how many"]),
    "histograms of outputs": (lambda: V.plot_histograms(NET, X), 8, ["how many"]),
    "saliency": (lambda: V.plot_saliency(NET, X, Y), 6, ["class 2", "image", "saliency"]),
    "saliency coloured": (lambda: V.plot_saliency(COLOURED, etude.randn(1, 3, 6, 6)), 2, []),
    "occlusion": (
        lambda: V.plot_occlusion(NET, X, size=2),
        3,
        ["centre of the square (pixels)", "probability of the class"],
    ),
    "maximised": (lambda: V.plot_maximised(NET, [0, 2], (1, 6, 6), steps=2), 2, ["unit 2"]),
    "fooling": (lambda: V.plot_fooling(NET, [1], (1, 6, 6), confidence=0.4), 1, ["class 1: "]),
    "deconvolution": (lambda: V.plot_deconvolution(NET, X, "1", [0, 2], 2), 8, ["channel 2"]),
    "adversarial": (lambda: V.plot_adversarial(NET, X, Y, 0.2), 9, ["change", "most 0.2"]),
    "adversarial in steps": (lambda: V.plot_adversarial(NET, X, Y, 0.2, 3, most=2), 6, ["image"]),
    "universal": (lambda: V.plot_universal(NET, X, X[0]), 8, ["of 3 images", "the change"]),
    "loss_line": (
        lambda: V.plot_loss_line({"a": NET, "b": NET}, loss, points=3),
        1,
        ["loss", "distance from the weights (filter norms)", "b"],
    ),
    "loss_line of one": (lambda: V.plot_loss_line(NET, loss, points=3), 1, ["loss"]),
    "loss_surface": (
        lambda: V.plot_loss_surface(NET, loss, points=3),
        2,
        ["loss", "direction 1 (filter norms)", "direction 2 (filter norms)"],
    ),
    "race": (lambda: V.plot_race("beale", steps=2), 2, ["x", "y", "step", "AdaGrad"]),
    "race of one's own": (
        lambda: V.plot_race(BOWL, RACE, 2),
        2,
        ["SGD", "f(x, y) above the minimum"],
    ),
    "ablation": (
        lambda: V.plot_ablation({"all layers": 0.9, "fc": [0.5, 0.7]}),
        1,
        ["fc", "0.6 (-0.3)", "accuracy (fraction right)"],
    ),
    "dropout_ablation": (
        lambda: V.plot_dropout_ablation({"fc": [0.9, 0.5]}, [0.0, 0.5]),
        1,
        ["part of the outputs that is dropped", "fc"],
    ),
    "invariance": (
        lambda: V.plot_invariance(NET, X[:1], kinds=["rotation"], layers=["0"]),
        2,
        ["rotation (degrees, counter-clockwise)", "probability of the class", "relative distance"],
    ),
    "invariance of maps": (lambda: V.plot_invariance(NET[:1], X[:1], kinds=["scale"]), 2, []),
    "manifold": (lambda: V.plot_manifold(DECODER, 3), 1, ["z[0]", "z[1]", "0.0"]),
    "traversals": (lambda: V.plot_traversals(DECODER, X[0, 0, 0, :2], [0, 1], [0, 1]), 4, ["z[1]"]),
    "interpolation": (
        lambda: V.plot_interpolation(DECODER, etude.zeros(2), etude.ones(2), 3),
        3,
        ["t = 0.5", "Between two codes"],
    ),
    "arithmetic": (
        lambda: V.plot_arithmetic(DECODER, *(etude.randn(2, 2) for _ in range(3))),
        4,
        ["A - B + C"],
    ),
    "gan_steps": (
        lambda: V.plot_gan_steps([snapshot(), snapshot()]),
        2,
        ["p_data", "p_g", "D", "D*", "moment 2", "x above, z below"],
    ),
    "gan_steps named": (lambda: V.plot_gan_steps({str(i): snapshot() for i in range(5)}), 8, ["4"]),
    "confusion": (
        lambda: V.plot_confusion(etude.tensor([[3, 1], [0, 4]]), ["cat", "a dog"]),
        2,
        ["87.5 % right", "true class", "predicted class", "a dog", "3"],
    ),
    "confusion in percent": (
        lambda: V.plot_confusion(etude.tensor([[3, 1], [0, 4]]), normalise=True),
        2,
        ["75", "25", "100"],
    ),
    "mistakes": (lambda: V.plot_mistakes(NET, X, F.argmin(NET(X), 1), list("abc")), 3, ["of 3"]),
    "mistakes none": (lambda: V.plot_mistakes(NET, X, F.argmax(NET(X), 1)), 1, ["of 0 mistakes"]),
    "graph": (lambda: V.plot_graph(NET, X), 1, ["input 0\n3 x 1 x 6 x 6", "0.weight\n3 x 1"]),
    "graph of a function": (lambda: V.plot_graph(lambda x: x.sum() + 1.0, X), 1, ["sum\nnumber"]),
    "graph of a program": (
        lambda: V.plot_graph(etude.graph.record(lambda x: x * 2.0, X)),
        1,
        ["mul\n3 x 1 x 6 x 6", "output 0"],
    ),
    "gates": (lambda: V.plot_gates(LSTM, etude.randn(4, 2)), 12, ["forget gate", "step", "unit"]),
    "text_activations": (
        lambda: V.plot_text_activations("a $b\n\t\x00", etude.randn(7), "unit 3", 5),
        2,
        ["unit 3", "activation", "$", "\u21b5", "\u2192", "\u00b7"],
    ),
    "attention": (
        lambda: V.plot_attention(F.softmax(etude.randn(2, 3, 3), -1), ["a", "b", "c"]),
        3,
        ["head 1", "query", "key", "b"],
    ),
    "attention of one head": (
        lambda: V.plot_attention(F.softmax(etude.randn(3, 4), -1)), 2, ["query"],
    ),
}  # fmt: skip


def texts(figure: Figure) -> str:
    return "\n".join(t.get_text() for t in figure.findobj(Text))


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_has_its_axes_and_labels(name: str) -> None:
    call, axes, labels = FIGURES[name]
    figure = call()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == axes
    FigureCanvasAgg(figure).draw()
    found = texts(figure)
    assert [label for label in labels if label not in found] == []


def test_every_picture_is_drawn_here() -> None:
    pictures = {n.removeprefix("plot_") for n in V.__all__ if n.startswith("plot_")}
    assert pictures == {name.split()[0] for name in FIGURES}


def test_all_names_are_there_and_say_what_they_do() -> None:
    for name in V.__all__:
        value = getattr(V, name)
        if inspect.isfunction(value):
            assert value.__doc__, name


@pytest.mark.parametrize("name", ["activations", "race", "confusion", "graph", "gates"])
def test_without_matplotlib_a_picture_says_how_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingLibrary, match=r"needs matplotlib.*pip install 'etude\[plots\]'"):
        FIGURES[name][0]()


def test_images_are_shown_in_their_own_colours() -> None:
    from etude.framework.visualize import canvas

    axes = Figure().subplots()
    unit = etude.rand(3, 4, 4)
    assert (canvas.show_image(axes, unit).get_array() == unit.numpy().transpose(1, 2, 0)).all()
    wide = canvas.show_image(axes, unit * 5.0 - 1.0).get_array()
    assert 0.0 <= wide.min() <= wide.max() <= 1.0
    assert not canvas.stretched(etude.ones(2).numpy()).any()


def test_an_epoch_without_a_number_is_not_the_best() -> None:
    broken = history()
    broken.epochs[0] = replace(broken.epochs[0], val_loss=float("nan"))
    ax = V.plot_history(broken).axes[0]
    assert "best: epoch 2" in [line.get_label() for line in ax.lines]
    broken.epochs = broken.epochs[:1]
    assert len(V.plot_history(broken).axes[0].lines) == 2
