"""Wrong calls of the functions that look inside."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import nn
from etude import visualize as V
from etude.framework.errors import ArgumentError, CallError, ShapeError
from etude.framework.visualize.canvas import picture

X = etude.ones(2, 1, 4, 4)
MODEL = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


class Forked(nn.Module):
    """Two layers beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)

    def forward(self, x: Any) -> Any:
        return self.left(x) + self.right(x)


def net(*layers: Any) -> Any:
    return nn.Sequential(*layers)


def score(model: Any) -> float:
    return float(model(X).sum())


def deep(x: Any) -> Any:
    for _ in range(200):
        x = x + 1.0
    return x


IMAGES = [
    Wrong("input_gradient axes", lambda: V.saliency(MODEL, X[0]), ShapeError, "(1, 4, 4)"),
    Wrong("input_gradient a list", lambda: V.saliency(MODEL, [1.0]), CallError, "[1.0]"),
    Wrong("input_gradient a label", lambda: V.saliency(MODEL, X, 3), ArgumentError, "below 3", "3"),
    Wrong("input_gradient labels", lambda: V.saliency(MODEL, X, [0, 1, 2]), ArgumentError, "2 w"),
    Wrong("input_gradient maps", lambda: V.saliency(MODEL[:1], X), ShapeError, "(2, 2, 2, 2)"),
    Wrong("occlusion_map size", lambda: V.occlusion_map(MODEL, X[:1], size=9), ArgumentError, "9"),
    Wrong("occlusion_map two", lambda: V.occlusion_map(MODEL, X), ArgumentError, "x[:1]"),
    Wrong("maximise a unit", lambda: V.maximise(MODEL, [3], (1, 4, 4)), ArgumentError, "below 3"),
    Wrong("maximise none", lambda: V.maximise(MODEL, [], (1, 4, 4)), ArgumentError, "0 units"),
    Wrong("maximise blur", lambda: V.maximise(MODEL, [0], (16,), blur=1.0), ArgumentError, "(16,)"),
    Wrong(
        "maximise a layer",
        lambda: V.maximise(MODEL, [0], (1, 4, 4), "conv"),
        ArgumentError,
        "'conv'",
    ),
    Wrong(
        "fooling_image a label",
        lambda: V.fooling_image(MODEL, 5, (1, 4, 4)),
        ArgumentError,
        "below 3",
        "5",
    ),
    Wrong("fgsm eps", lambda: V.fgsm(MODEL, X, eps=-0.1), ArgumentError, "eps", "-0.1"),
    Wrong("deepfool two images", lambda: V.deepfool(MODEL, X), ArgumentError, "(2, 1, 4, 4)"),
    Wrong(
        "smallest_perturbation target",
        lambda: V.smallest_perturbation(MODEL, X[:1], 7),
        ArgumentError,
        "target",
        "7",
    ),
    Wrong(
        "universal_perturbation norm",
        lambda: V.universal_perturbation(MODEL, X, 1.0, "l1"),
        ArgumentError,
        "'l1'",
    ),
    Wrong("deconvolution a name", lambda: V.deconvolution(MODEL, X, "7"), ArgumentError, "'7'"),
    Wrong(
        "deconvolution a channel",
        lambda: V.deconvolution(MODEL, X, "0", 2),
        ArgumentError,
        "below 2",
    ),
    Wrong("deconvolution a fork", lambda: V.deconvolution(Forked(), X, "right"), ArgumentError,
          "'right'", "'left'"),
    Wrong("deconvolution a group", lambda: V.deconvolution(net(MODEL), X, "0"), ArgumentError,
          "'0'"),
    Wrong("deconvolution softmax", lambda: V.deconvolution(
        net(nn.Softmax(1), nn.Conv2d(1, 1, 1)), X, "1"), ArgumentError, "Softmax"),
    Wrong("deconvolution a function", lambda: V.deconvolution(lambda x: x, X, "0"), ArgumentError,
          "nn.Module"),
    Wrong("feature_maps a linear layer", lambda: V.feature_maps(MODEL, X, "3"), ArgumentError,
          "(2, 3)"),
    Wrong("feature_maps unknown", lambda: V.feature_maps(MODEL, X, "9"), ArgumentError, "'9'"),
    Wrong("plot_feature_maps none", lambda: V.plot_feature_maps(net(nn.Flatten()), X),
          ArgumentError, "got none"),
    Wrong("histogram nan", lambda: V.histogram(etude.tensor([float("nan")])), ArgumentError,
          "(1,)"),
    Wrong("plot_histograms nothing", lambda: V.plot_histograms(nn.ReLU()), ArgumentError),
    Wrong("plot_filters nothing", lambda: V.plot_filters(nn.Linear(5, 2)), ShapeError),
    Wrong("visualize two channels", lambda: picture(etude.ones(2, 4, 4)), ShapeError, "(2, 4, 4)"),
    Wrong("transformed scale 0", lambda: V.transformed(X, "scale", 0.0), ArgumentError, "amount"),
    Wrong("transformed kind", lambda: V.transformed(X, "turn", 1.0), ArgumentError, "'turn'"),
    Wrong("invariance nothing", lambda: V.invariance(MODEL, X, amounts=[]), ArgumentError, "[]"),
    Wrong("invariance layer", lambda: V.invariance(MODEL, X, layers=["9"]), ArgumentError, "'9'"),
]  # fmt: skip

TRAINING = [
    Wrong("learning_curves empty", lambda: V.learning_curves(etude.training.History()),
          ArgumentError, "without epochs"),
    Wrong("learning_curves a list", lambda: V.plot_history([1.0]), ArgumentError, "[1.0]"),
    Wrong("plot_activations ends", lambda: V.plot_activations(low=1.0, high=0.0), ArgumentError,
          "1 and 0"),
    Wrong("gradient_norms a batch", lambda: V.gradient_norms(MODEL, lambda m: m(X)), ArgumentError,
          "(2, 3)"),
    Wrong("gradient_norms of nothing", lambda: V.gradient_norms(MODEL, lambda m: X.sum()),
          ArgumentError, "depends on the model"),
    Wrong("loss_line a direction", lambda: V.loss_line(MODEL, score, {}, [0.0]), ArgumentError,
          "'0.weight'"),
    Wrong("loss_surface points", lambda: V.plot_loss_surface(MODEL, score, points=1),
          ArgumentError, "1"),
    Wrong("direction_to another", lambda: V.direction_to(MODEL, {}), ArgumentError, "'0.weight'"),
    Wrong("race unknown", lambda: V.race("hill", {"a": None}), ArgumentError, "'hill'"),
    Wrong("race nobody", lambda: V.race("beale", {}), ArgumentError, "optim.SGD"),
    Wrong("race a start", lambda: V.race("beale", {"a": None}, start=[1.0]), ArgumentError,
          "[1.0]"),
    Wrong("layer_ablation shapes", lambda: V.layer_ablation(MODEL, score, ["0"]), ArgumentError,
          "'0'", "(2, 1, 4, 4)"),
    Wrong("layer_ablation a name", lambda: V.layer_ablation(MODEL, score, ["z"]), ArgumentError,
          "'z'"),
    Wrong("layer_ablation how", lambda: V.layer_ablation(MODEL, score, how="cut"), ArgumentError,
          "'cut'"),
    Wrong("dropout_ablation a rate", lambda: V.dropout_ablation(MODEL, score, [1.0]),
          ArgumentError, "1.0"),
    Wrong("plot_ablation nothing", lambda: V.plot_ablation({}), ArgumentError),
    Wrong("plot_dropout_ablation rates", lambda: V.plot_dropout_ablation({"a": [1.0]}, [0.0, 0.5]),
          ArgumentError, "2 rates", "1"),
]  # fmt: skip

VIEWS = [
    Wrong("decoded a number", lambda: V.decoded(lambda z: 3, etude.zeros(2, 2)), ShapeError, "3"),
    Wrong("decoded no square", lambda: V.decoded(nn.Linear(2, 5), etude.zeros(2, 2)), ShapeError,
          "(2, 5)"),
    Wrong("manifold axes", lambda: V.manifold(nn.Linear(2, 4), axes=(0, 2)), ArgumentError,
          "(0, 2)"),
    Wrong("traversal axis", lambda: V.traversal(nn.Linear(2, 4), etude.zeros(2), 2, [0.0]),
          ArgumentError, "below 2"),
    Wrong("interpolation shapes", lambda: V.interpolation(etude.zeros(2), etude.zeros(3)),
          ShapeError, "(2,)", "(3,)"),
    Wrong("interpolation steps", lambda: V.interpolation(etude.zeros(2), etude.zeros(2), 1),
          ArgumentError, "steps"),
    Wrong("latent_arithmetic one code", lambda: V.latent_arithmetic(*[etude.zeros(3)] * 3),
          ShapeError, "(3,)"),
    Wrong("density nothing", lambda: V.density(etude.zeros(0), etude.zeros(2)), ArgumentError),
    Wrong("gan_snapshot two numbers", lambda: V.gan_snapshot(
        nn.Linear(1, 2), nn.Linear(1, 1), etude.zeros(3, 1), lambda x: x), ShapeError,
        "generator", "(3, 2)"),
    Wrong("plot_gan_steps nothing", lambda: V.plot_gan_steps([]), ArgumentError, "got none"),
    Wrong("confusion_matrix shapes", lambda: V.confusion_matrix(
        etude.tensor([0, 1]), etude.tensor([0])), ShapeError, "(2,)", "(1,)"),
    Wrong("confusion_matrix floats", lambda: V.confusion_matrix(etude.ones(2), etude.ones(2)),
          ArgumentError, "float32"),
    Wrong("confusion_matrix classes", lambda: V.confusion_matrix(
        etude.tensor([0]), etude.tensor([2]), 2), ArgumentError, "0 ... 1", "2"),
    Wrong("plot_confusion names", lambda: V.plot_confusion(etude.zeros(2, 2), ["a"]), ShapeError,
          "(2, 2)", "1 names"),
    Wrong("most_confused labels", lambda: V.most_confused(etude.ones(3), etude.ones(3)),
          ShapeError, "(3,)"),
    Wrong("plot_graph deep", lambda: V.plot_graph(deep, X), ArgumentError, "to_dot"),
    Wrong("plot_graph no input", lambda: V.plot_graph(MODEL), ArgumentError, "(model, x)"),
    Wrong("lstm_gates a GRU", lambda: V.lstm_gates(nn.GRU(2, 3), etude.zeros(4, 2)), ArgumentError,
          "GRU"),
    Wrong("plot_text_activations length", lambda: V.plot_text_activations("abc", etude.zeros(2)),
          ShapeError, "3 characters", "(2,)"),
    Wrong("plot_attention tokens", lambda: V.plot_attention(etude.zeros(2, 2), ["a"]), ShapeError,
          "(2, 2)"),
    Wrong("plot_attention a batch", lambda: V.plot_attention(etude.zeros(2, 1, 2, 2)), ShapeError,
          "(2, 1, 2, 2)"),
]  # fmt: skip

WRONG = [*IMAGES, *TRAINING, *VIEWS]
