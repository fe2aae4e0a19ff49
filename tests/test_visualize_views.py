"""Looking at codes, densities, mistakes, graphs and sequences, and at values in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import graph, models, nn
from etude import visualize as V
from etude.backends.registry import available
from etude.framework.graph.summary import summarize

BACKENDS = [n for n, reason in available().items() if reason is None and n != "numba"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    """The default backend, each in turn."""
    with etude.use_backend(request.param):
        etude.manual_seed(0)
        yield request.param


def close(x: Any, y: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=tolerance, atol=tolerance)


# codes --------------------------------------------------------------------------------------------
def double(codes: Any) -> Any:
    """A decoder whose four pixels are twice the first two numbers of the code, twice."""
    return F.cat([codes[:, :2] * 2.0, codes[:, :2] * 2.0], 1)


def test_a_manifold_lies_at_the_quantiles_of_the_prior(backend: str) -> None:
    found = np.asarray(V.manifold(double, side=3, size=3))
    assert found.shape == (9, 1, 2, 2)
    q = [NormalDist().inv_cdf(p) for p in (1 / 6, 1 / 2, 5 / 6)]
    close(found[:, 0, 0, 0].reshape(3, 3), 2.0 * np.array([q, q, q]))
    close(found[:, 0, 0, 1].reshape(3, 3), 2.0 * np.array([q, q, q]).T[::-1])


def test_decoders_may_give_rows_or_maps() -> None:
    codes = etude.zeros(2, 3)
    assert V.decoded(lambda z: etude.zeros(2, 12), codes, (3, 2, 2)).shape == (2, 3, 2, 2)
    assert V.decoded(lambda z: etude.zeros(2, 4, 5), codes).shape == (2, 1, 4, 5)
    assert V.decoded(lambda z: etude.zeros(2, 1, 4, 5), codes).shape == (2, 1, 4, 5)


def test_a_traversal_changes_one_number(backend: str) -> None:
    found = V.traversal(double, etude.tensor([0.5, 1.0]), 1, [-1.0, 3.0])
    close(found[:, 0, 0], [[1.0, -2.0], [1.0, 6.0]])


def test_ways_between_codes(backend: str) -> None:
    a, b = etude.tensor([1.0, 0.0]), etude.tensor([0.0, 2.0])
    close(V.interpolation(a, b, 3), [[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]])
    round_way = np.asarray(V.interpolation(a, b * 0.5, 5, spherical=True))
    close(np.linalg.norm(round_way, axis=1), np.ones(5))
    close(round_way[2], [0.5**0.5, 0.5**0.5])
    close(V.interpolation(a, a, 2, spherical=True), [[1.0, 0.0], [1.0, 0.0]])


def test_arithmetic_of_codes(backend: str) -> None:
    a, b, c = (etude.tensor(v) for v in ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], [[5.0, 0.0]]))
    close(V.latent_arithmetic(a, b, c), [6.0, 2.0])


# densities ----------------------------------------------------------------------------------------
def test_the_best_discriminator_is_the_datas_part(backend: str) -> None:
    found = V.optimal_discriminator(
        etude.tensor([1.0, 0.0, 3.0, 0.0]), etude.tensor([1.0, 2.0, 1.0, 0.0])
    )
    close(found, [0.5, 0.0, 0.75, 0.5])


def test_a_density_has_area_one_and_the_kernels_form(backend: str) -> None:
    x = etude.linspace(-6.0, 6.0, 601)
    found = np.asarray(V.density(etude.tensor([-1.0, 1.0]), x, width=0.5))
    assert np.trapezoid(found, np.asarray(x)) == pytest.approx(1.0, abs=1e-4)
    one = V.density(etude.tensor([0.0]), etude.tensor([0.0, 1.0]), 1.0)
    close(one, np.exp([0.0, -0.5]) / np.sqrt(2.0 * np.pi))
    assert np.isfinite(np.asarray(V.density(etude.zeros(3), x))).all()


def test_a_snapshot_of_a_perfect_gan_has_one_half_everywhere(backend: str) -> None:
    def normal(x: Any) -> Any:
        return F.exp(x * x * -0.5) * (2.0 * np.pi) ** -0.5

    z = etude.tensor([[NormalDist().inv_cdf((i + 0.5) / 500)] for i in range(500)])
    found = V.gan_snapshot(lambda z: z, lambda x: x * 0.0, z, normal, -2.0, 2.0, 21, logits=True)
    close(found.discriminator, np.full(21, 0.5))
    close(found.optimal, np.full(21, 0.5), 0.03)
    close(found.generated, found.data, 0.03)
    close(found.images, z[:, 0])


# mistakes -----------------------------------------------------------------------------------------
def test_confusion_counts(backend: str) -> None:
    found = V.confusion_matrix(etude.tensor([0, 1, 1, 2, 0]), etude.tensor([0, 1, 2, 2, 1]))
    assert found.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    scores = etude.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    assert V.confusion_matrix(scores, etude.tensor([0, 0])).tolist()[0] == [1, 1, 0]
    assert V.confusion_matrix(etude.tensor([0]), etude.tensor([0]), 2).tolist() == [[1, 0], [0, 0]]


def test_scores_of_classes(backend: str) -> None:
    found = V.class_scores(etude.tensor([[3, 1], [2, 4]]))
    close(found.precision, [3 / 5, 4 / 5])
    close(found.recall, [3 / 4, 4 / 6])
    close(found.f1, [2 * 3 / 9, 2 * 4 / 11])
    assert found.accuracy == pytest.approx(0.7)


def test_the_surest_mistakes_come_first(backend: str) -> None:
    scores = etude.tensor([[5.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
    found = V.most_confused(scores, etude.tensor([0, 1, 0, 1]))
    assert found.indices.tolist() == [2, 1]
    assert found.predicted.tolist() == [1, 0]
    close(found.probability, 1.0 / (1.0 + np.exp([-3.0, -1.0])))
    assert V.most_confused(scores, etude.tensor([0, 1, 0, 1]), 1).indices.tolist() == [2]
    assert V.most_confused(scores, etude.tensor([0, 0, 1, 1])).indices.tolist() == []


# the graph ----------------------------------------------------------------------------------------
def test_every_edge_of_a_drawn_graph_points_down_and_boxes_lie_apart() -> None:
    model = models.create("lenet5")
    program = graph.record(model, etude.zeros(1, 1, 32, 32), state=[model])
    boxes = V.graph_layout(program)
    kinds = [box.kind for box in boxes]
    assert kinds.count("weight") == 10
    assert kinds.count("op") == len(program.instructions)
    assert kinds.count("input") == kinds.count("output") == 1
    assert all(boxes[s].row < box.row for box in boxes for s in box.sources)
    for row in {box.row for box in boxes}:
        places = sorted(box.place for box in boxes if box.row == row)
        assert all(b - a >= 1.0 - 1e-9 for a, b in pairwise(places))
    assert boxes[0].label == "input 0\n1 x 1 x 32 x 32"


# sequences ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("bias", [True, False])
def test_the_gates_of_an_lstm_give_its_output(bias: bool, backend: str) -> None:
    lstm = nn.LSTM(3, 4, bias=bias)
    x = etude.randn(5, 3)
    found = V.lstm_gates(lstm, x)
    y, (h, c) = lstm(x.unsqueeze(1))
    close(found["output"], y[:, 0].detach())
    close(found["cell"][-1], c[0, 0].detach())
    i, f, g, o, c, h = (np.asarray(t) for t in found.values())
    close(c[1:], f[1:] * c[:-1] + i[1:] * g[1:])
    close(h, o * np.tanh(c))


def test_attention_maps_are_the_weights_of_each_call(backend: str) -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    x = etude.randn(1, 3, 4)
    found = V.attention_maps(lambda t: layer(layer(t, t, t, need_weights=False)[0], t, t), x)
    assert [t.shape for t in found] == [(1, 2, 3, 3)] * 2
    close(found[0].sum(-1), np.ones((1, 2, 3)))
    expected = layer(x, x, x, average_attn_weights=False)[1]
    close(found[0], expected.detach())
    q = etude.randn(2, 3, 4)
    (causal,) = V.attention_maps(
        lambda t: F.scaled_dot_product_attention(t, t, t, is_causal=True), q
    )
    assert not np.triu(np.asarray(causal), 1).any()
    assert V.attention_maps(lambda t: t, q) == []


# notebooks ----------------------------------------------------------------------------------------
class Cells(HTMLParser):
    """The texts of a table, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_small_tensor_is_a_table(backend: str) -> None:
    page = Cells(etude.tensor([[1.0, 2.5], [3.0, -4.0]])._repr_html_())
    assert page.tags.count("td") == 4
    assert page.texts[0].startswith("tensor (2, 2), float32, ")
    assert [t.strip() for t in page.texts[1:]] == ["1.0000", "2.5000", "3.0000", "-4.0000"]
    assert Cells(etude.tensor([1, 2])._repr_html_()).tags.count("tr") == 1
    grown = (etude.ones(2, requires_grad=True) * 2.0)._repr_html_()
    assert "grad_fn mul" in grown
    assert "requires grad" in etude.ones(2, requires_grad=True)._repr_html_()


def test_other_tensors_are_texts() -> None:
    for shape in [(), (0,), (2, 2, 2), (30, 30), (2000,)]:
        page = Cells(etude.zeros(shape)._repr_html_())
        assert "pre" in page.tags
        assert page.texts[-1] == repr(etude.zeros(shape))
    seen: list[str] = []
    graph.record(lambda x: seen.append(x._repr_html_()) or x + 1.0, etude.ones(2))
    assert "..." in seen[0]


class Loud(nn.Module):
    """A layer whose text would be a script."""

    def extra_repr(self) -> str:
        return "<script>alert('&')</script>"


def test_the_layers_of_a_model_are_rows_with_their_text_escaped() -> None:
    model = nn.Sequential(nn.Linear(2, 3), Loud())
    html = model._repr_html_()
    assert "<script>" not in html
    page = Cells(html)
    assert page.texts[0] == "Sequential: 9 parameters (9 trainable)"
    assert page.tags.count("tr") == 4
    assert "Linear(in_features=2, out_features=3, bias=True)" in page.texts
    assert "Loud(<script>alert('&')</script>)" in page.texts
    shared = nn.Linear(2, 2)
    twice = Cells(nn.Sequential(shared, nn.Sequential(shared))._repr_html_())
    assert twice.texts.count("6") == 1


def test_a_summary_is_a_table() -> None:
    found = summarize(lambda: models.create("lenet5"), [(1, 1, 32, 32)])
    page = Cells(found._repr_html_())
    assert page.texts[0].startswith("61,706 parameters (61,706 trainable)")
    assert page.tags.count("tr") == 1 + len(found.layers)
    assert "(1, 6, 28, 28)" in page.texts
