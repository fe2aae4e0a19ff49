"""FCN, siamese, Neocognitron and text models: beside the same in plain torch, and by use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework import models
from etude.framework.errors import ArgumentError, IndexOutOfRange, ShapeError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch_classifiers as plain  # noqa: E402
from agreement import agree  # noqa: E402
from test_models_torch import images  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

W = 1 / 16


def up(y: Any, like: Any) -> Any:
    return F.interpolate(y, like.shape[-2:], mode="bilinear", align_corners=False)


class Fcn(nn.Module):
    """torchvision's FCN on a ResNet, and Long et al.'s skips."""

    def __init__(self, skips: int, aux: bool) -> None:
        super().__init__()
        self.backbone = plain.ResNet((1, 1, 2, 2), 4, 0, W, dilated=skips == 0, head=False)
        for name, m in (("classifier", 128), ("aux_classifier", 64))[: 1 + aux]:
            head = [nn.Conv2d(m, m // 4, 3, padding=1, bias=False), nn.BatchNorm2d(m // 4)]
            last = nn.Conv2d(m // 4, 3, 1)
            self.add_module(name, nn.Sequential(*head, nn.ReLU(), nn.Dropout(0.1), last))
        for i in range(1, skips + 1):
            self.add_module(f"score{i}", nn.Conv2d(128 // 2**i, 3, 1))
        self.skips = skips

    def forward(self, x: Any) -> Any:
        maps = self.backbone.maps(x)
        y = self.classifier(maps[-1])
        for i in range(1, self.skips + 1):
            y = up(y, maps[-1 - i]) + getattr(self, f"score{i}")(maps[-1 - i])
        return up(y, x)


@pytest.mark.parametrize("skips", [0, 1, 2])
def test_fcn_is_torchs(skips: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    if skips == 0:
        model = models.fcn_resnet50(3, aux=True, width=W, layers=(1, 1, 2, 2))
    else:
        backbone = models.resnet50(layers=(1, 1, 2, 2), width=W)
        model = models.FCN(backbone, 3, 32 // 2**skips)
    agree(model, Fcn(skips, skips == 0), tmp_path, images(2, 33))


def test_fcn_gives_its_auxiliary_logits_in_training() -> None:
    model = models.fcn_resnet50(3, aux=True, width=W, layers=(1, 1, 1, 1))
    out = model(etude.tensor(images(2, 33)))
    assert isinstance(out, models.FCNOutputs)
    assert out.out.shape == out.aux.shape == (2, 3, 33, 33)


def test_fcn_takes_a_vgg() -> None:
    model = models.fcn8s(5, width=W).eval()
    assert model(etude.tensor(images(1, 40))).shape == (1, 5, 40, 40)
    assert not any(name.startswith("backbone.classifier") for name in model.state_dict())


class Koch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, out = plain.rounded(W, 64, 128, 128, 256, 4096)
        pool = nn.MaxPool2d(2)
        self.tower = nn.Sequential(
            nn.Conv2d(1, a, 10), nn.ReLU(), pool, nn.Conv2d(a, b, 7), nn.ReLU(), pool,
            nn.Conv2d(b, c, 4), nn.ReLU(), pool, nn.Conv2d(c, d, 4), nn.ReLU(), nn.Flatten(),
            nn.Linear(d * 36, out), nn.Sigmoid(),
        )  # fmt: skip
        self.fc = nn.Linear(out, 1)

    def forward(self, a: Any, b: Any) -> Any:
        return self.fc((self.tower(a) - self.tower(b)).abs())[:, 0]


def test_siamese_is_torchs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    a, b = (images(2, 105)[:, i : i + 1].copy() for i in range(2))
    twin = Koch()
    with torch.no_grad():  # so that the two embeddings differ by more than rounding
        for p in twin.tower.parameters():
            p.mul_(2.5)
    agree(models.siamese(width=W), twin, tmp_path, a, b)


def test_siamese_pairs_and_one_shot() -> None:
    etude.manual_seed(0)
    model = models.Siamese(etude.nn.Flatten())
    x = etude.randn(5, 1, 3, 3)
    left, right = model(x, x)
    assert left.shape == right.shape == (5, 9)
    order = [3, 0, 4]
    assert model.one_shot(x[order] + 0.01, x).tolist() == order


class SCell(nn.Module):
    """Fukushima's equations 1 to 3 on torch's unfold, cell by cell."""

    def __init__(self, m: int, n: int, k: int) -> None:
        super().__init__()
        self.inhibit = nn.Parameter(torch.rand(n))
        self.excite = nn.Conv2d(m, n, k, bias=False)
        nn.init.uniform_(self.excite.weight, 0.0, 4.0 / (m * k * k))
        self.k = k

    def forward(self, x: Any) -> Any:
        windows = F.unfold(x, self.k)
        v = (windows.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()
        e = torch.einsum("ok,nkl->nol", self.excite.weight.flatten(1), windows)
        y = torch.relu((1 + e) / (1 + self.inhibit.reshape(1, -1, 1) * v) - 1)
        return y.reshape(*y.shape[:2], x.shape[2] - self.k + 1, -1)


class NeocognitronTwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s1, self.s2, self.fc = SCell(1, 3, 5), SCell(3, 4, 3), nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = torch.relu(x)
        for layer in (self.s1, self.s2):
            s = F.avg_pool2d(layer(x), 3, 2, 1)
            z = torch.relu((1 + s) / (1 + s.mean(1, keepdim=True)) - 1)
            x = z / (0.2 + z)
        return self.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))


def test_neocognitron_is_its_equations(tmp_path: Path) -> None:
    torch.manual_seed(0)
    twin = NeocognitronTwin()
    agree(models.Neocognitron(planes=(3, 4)), twin, tmp_path, images(2, 20)[:, :1].copy())


class Recurrent(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.encoder, self.rnn = nn.Embedding(11, 5), kind(5, 6, batch_first=True)
        self.decoder = nn.Linear(6, 11)

    def forward(self, tokens: Any) -> Any:
        return self.decoder(self.rnn(self.encoder(tokens))[0])


class LogitsAlone(etude.nn.Module):
    """A CharRNN without its state."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.__dict__["model"] = model
        self.state_dict, self.load_state_dict = model.state_dict, model.load_state_dict
        self.named_parameters = model.named_parameters

    def forward(self, tokens: Any) -> Any:
        return self.model(tokens)[0]


@pytest.mark.parametrize("cell, kind", [("rnn", "RNN"), ("lstm", "LSTM"), ("gru", "GRU")])
def test_char_rnn_is_torchs(cell: str, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = models.CharRNN(cell, 11, 5, 6)
    agree(LogitsAlone(model), Recurrent(getattr(nn, kind)), tmp_path, tokens(11))


def tokens(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, size, (3, 7))


class TaggerTwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(11, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(12, 4)

    def forward(self, words: Any) -> Any:
        return self.hidden2tag(self.lstm(self.word_embeddings(words))[0])


def test_tagger_is_torchs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    agree(models.Tagger(11, 4, 5, 6), TaggerTwin(), tmp_path, tokens(11))


class GptBlock(nn.Module):
    def __init__(self, e: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(e)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(e, 3 * e), "c_proj": nn.Linear(e, e)})
        self.ln_2 = nn.LayerNorm(e)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(e, 4 * e), "c_proj": nn.Linear(4 * e, e)})

    def forward(self, x: Any) -> Any:
        n, t, e = x.shape
        q, k, v = (
            part.reshape(n, t, 2, e // 2).transpose(1, 2)
            for part in self.attn["c_attn"](self.ln_1(x)).split(e, 2)
        )
        scores = q @ k.transpose(2, 3) / (e // 2) ** 0.5
        scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), float("-inf"))
        y = (scores.softmax(3) @ v).transpose(1, 2).reshape(n, t, e)
        x = x + self.attn["c_proj"](y)
        h = F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh")
        return x + self.mlp["c_proj"](h)


class Gpt(nn.Module):
    def __init__(self, v: int, t: int, e: int, layers: int) -> None:
        super().__init__()
        parts = {"wte": nn.Embedding(v, e), "wpe": nn.Embedding(t, e)}
        blocks = nn.ModuleList(GptBlock(e) for _ in range(layers))
        self.transformer = nn.ModuleDict({**parts, "h": blocks, "ln_f": nn.LayerNorm(e)})
        self.lm_head = nn.Linear(e, v, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, tokens: Any) -> Any:
        parts = self.transformer
        x = parts["wte"](tokens) + parts["wpe"].weight[: tokens.shape[1]]
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))


def small_transformer(**options: Any) -> models.Transformer:
    return models.Transformer(11, 8, 2, 2, 6, **options)


def test_transformer_is_torchs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    agree(small_transformer(), Gpt(11, 8, 6, 2), tmp_path, tokens(11))


def test_gpt2s_own_files_fit() -> None:
    model = small_transformer()
    theirs = {
        name.removeprefix("transformer."): t.transpose(0, 1) if is_matrix(name) else t
        for name, t in model.state_dict().items()
        if name != "lm_head.weight"
    }
    theirs["h.0.attn.bias"] = etude.ones(1, 1, 8, 8)
    other = small_transformer()
    assert other.load_state_dict(models.gpt2_state(theirs)) == ([], [])
    for name, t in model.state_dict().items():
        assert other.state_dict()[name].tolist() == t.tolist(), name


def is_matrix(name: str) -> bool:
    return name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))


def test_a_step_of_a_transformer_sees_no_later_one() -> None:
    model = small_transformer(positions="sinusoidal").eval()
    a = etude.tensor(tokens(11))
    b = a.clone()
    b[:, 5:] = 0
    np.testing.assert_allclose(model(a)[:, :5].tolist(), model(b)[:, :5].tolist(), rtol=1e-5)


def test_sinusoidal_positions_by_their_formula() -> None:
    found = models.sinusoidal_positions(50, 6).numpy()
    angle = np.arange(50)[:, None] / 10000 ** (np.arange(3) / 3)
    np.testing.assert_allclose(found[:, ::2], np.sin(angle), atol=1e-5)
    np.testing.assert_allclose(found[:, 1::2], np.cos(angle), atol=1e-5)


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_models_write_what_they_have_learned(kind: str) -> None:
    etude.manual_seed(0)
    cycle = etude.tensor([[i % 5 for i in range(8)]])
    model = small_transformer(dropout=0.0) if kind == "transformer" else models.CharRNN("lstm", 11)
    optimizer = etude.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120 if kind == "transformer" else 15):
        optimizer.zero_grad()
        out = model(cycle[:, :-1])
        logits = out[0] if isinstance(out, tuple) else out
        loss = etude.nn.functional.cross_entropy(logits.reshape(-1, 11), cycle[0, 1:])
        loss.backward()
        optimizer.step()
    found = model.generate(etude.tensor([[0, 1, 2]]), 5, temperature=0.0)
    assert found.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2]]
    assert model.training


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_generating_leaves_every_mode_as_it_was(kind: str) -> None:
    model = small_transformer() if kind == "transformer" else models.CharRNN("lstm", 11)
    frozen = next(iter(model.children())).eval()
    with pytest.raises(IndexOutOfRange):
        model.generate(etude.tensor([[99]]), 1)
    model.generate(etude.tensor([[1]]), 1)
    assert model.training
    assert not frozen.training


def test_next_token_draws_what_is_likely() -> None:
    etude.manual_seed(0)
    logits = etude.tensor([[0.0, 1.0, 3.0, 2.0]]).expand(2000, 4)
    share = np.bincount(models.next_token(logits).numpy()[:, 0], minlength=4) / 2000
    np.testing.assert_allclose(share, np.exp([0, 1, 3, 2]) / np.exp([0, 1, 3, 2]).sum(), atol=0.04)
    assert set(models.next_token(logits, top_k=2).numpy()[:, 0]) == {2, 3}
    assert set(models.next_token(logits, 0.0).numpy()[:, 0]) == {2}


WRONG = [
    (lambda: models.FCN(etude.nn.ReLU()), ArgumentError, "a backbone with maps(x)"),
    (lambda: models.FCN(models.VGG(11, small=True, width=W), 2, 4), ArgumentError, "32, 16 or 8"),
    (lambda: models.Siamese(etude.nn.ReLU(), head="x"), ArgumentError, "'pair', 'logit'"),
    (lambda: models.CharRNN("lsm"), ArgumentError, "did you mean 'lstm'?"),
    (lambda: models.Transformer(5, 4, 1, 4, 6), ArgumentError, "use n_embd=4"),
    (lambda: small_transformer()(etude.tensor([[0] * 9])), ShapeError, "n_positions=8, got (1, 9)"),
    (lambda: models.sinusoidal_positions(3, 5), ArgumentError, "even number of features, got 5"),
    (lambda: small_transformer().generate(etude.tensor([0]), 1), ShapeError, "a prompt (N, T)"),
    (lambda: models.next_token(etude.ones(1, 2, 3)), ShapeError, "take logits[:, -1]"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[w[2] for w in WRONG])
def test_what_is_wrong_is_said(call: Any, kind: type, message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
