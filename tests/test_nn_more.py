"""Activations, norms, dropout, losses and attention as layers, against torch's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import nn
from etude.framework.errors import EtudeError

torch = pytest.importorskip("torch", reason="the layers are compared with torch's")
import test_nn_torch as base  # noqa: E402

Layer, near = base.Layer, base.near

LAYERS = [
    *(
        Layer(f"nn.{name}", (2, 4, 3))
        for name in (
            *("SELU()", "SELU(inplace=True)", "Mish()", "Mish(True)", "Hardswish(True)"),
            *("CELU()", "CELU(0.5, True)", "PReLU()", "PReLU(4, init=0.1)", "Softsign()"),
            *("Hardshrink()", "Hardshrink(0.1)", "Softshrink(0.2)", "Tanhshrink()"),
            *(
                "Threshold(0.1, 2.0)",
                "Threshold(0.1, 2.0, True)",
                "LogSigmoid()",
                "Softmin(dim=-1)",
            ),
            *("GLU(1)", "LayerNorm(3)", "LayerNorm((4, 3), 0.1)", "LayerNorm([3], bias=False)"),
            *("LayerNorm(3, elementwise_affine=False)", "RMSNorm(3)", "RMSNorm((4, 3), 0.1)"),
            *("RMSNorm(3, elementwise_affine=False)", "GroupNorm(2, 4)", "GroupNorm(4, 4, 0.1)"),
            *("GroupNorm(1, 4, affine=False)", "GroupNorm(2, 4, bias=False)"),
            *("InstanceNorm1d(4)", "InstanceNorm1d(4, affine=True, track_running_stats=True)"),
            *("LocalResponseNorm(3)", "LocalResponseNorm(2, 0.5, 0.6, 2.0)"),
        )
    ),
    Layer("nn.GLU()", (2, 4)),
    Layer("nn.RReLU(0.2, 0.2)", (3, 4)),
    Layer("nn.Embedding(7, 3, max_norm=1.0)", (2, 4), 7),
    Layer("nn.Embedding(7, 3, 2, 1.5, 1.0, scale_grad_by_freq=True)", (9,), 7),
    Layer("nn.Softmax2d()", (2, 3, 2, 2)),
    Layer("nn.Softmax2d()", (3, 2, 2)),
    Layer("nn.InstanceNorm1d(4)", (4, 3)),
    Layer("nn.InstanceNorm2d(3, affine=True)", (2, 3, 2, 4)),
    Layer("nn.InstanceNorm2d(3, track_running_stats=True, momentum=0.3)", (2, 3, 2, 4)),
    Layer("nn.InstanceNorm2d(3, affine=True, bias=False)", (3, 2, 4)),
    Layer("nn.InstanceNorm3d(2)", (1, 2, 2, 3, 2)),
    *(
        Layer(f"nn.{name}({p})", (2, 3, 4, 2))
        for name, p in itertools.product(("Dropout2d", "AlphaDropout"), (0.0, 1.0))
    ),
    Layer("nn.Dropout1d(0.0)", (2, 3, 4)),
    Layer("nn.Dropout3d(1.0, inplace=True)", (1, 3, 2, 2, 2)),
    Layer("nn.FeatureAlphaDropout(1.0)", (2, 3, 4)),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_layers_are_torch_s(layer: Any) -> None:
    base.test_values_and_gradients_are_torch_s(layer)
    base.test_state_goes_both_ways(layer)
    base.test_repr_is_torch_s(layer)


def test_hardsigmoid_is_torch_s() -> None:  # whose gradient has 1/6 in float32
    x = np.linspace(-4.0, 4.0, 9)
    near(nn.Hardsigmoid()(etude.tensor(x)), torch.nn.Hardsigmoid()(torch.tensor(x)))
    assert repr(nn.Hardsigmoid(True)) == repr(torch.nn.Hardsigmoid(True))


DROPOUTS = ("Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "RReLU")


@pytest.mark.parametrize("name", DROPOUTS)
def test_random_layers_are_their_functions(name: str) -> None:
    layer = getattr(nn, name)()
    function = {"AlphaDropout": F.alpha_dropout, "RReLU": F.rrelu}.get(name)
    function = function or getattr(F, name.replace("FeatureAlpha", "feature_alpha_").lower())
    x = etude.randn(*((2, 3, 4) if name != "Dropout3d" else (2, 3, 4, 1, 2)))
    etude.manual_seed(5)
    y = layer(x)
    etude.manual_seed(5)
    assert y.tolist() == function(x, training=True).tolist() != x.tolist()
    assert layer.eval()(x).tolist() == function(x, training=False).tolist()


def test_hard_threshold_has_gradient_0() -> None:
    x = etude.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = nn.HardThreshold(0.5)(x)
    assert y.tolist() == [0.0, 1.0, 1.0]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    assert repr(nn.HardThreshold(0.5)) == "HardThreshold(threshold=0.5)"


# losses -------------------------------------------------------------------------------------------
RNG = np.random.default_rng(0)
A, B, C = RNG.standard_normal((3, 5, 4))
P, Q = RNG.uniform(0.1, 0.9, (2, 5, 4))
W = "vector([0.5, 1.0, 2.0, 0.25])"
SIGNS, SIDES = np.sign(A), np.sign(B[:, 0])
LABELS, LISTED = RNG.integers(0, 4, 5), np.array([[2, 0, -1, 1]] * 5)

LOSSES: list[tuple[str, list[Any]]] = [
    ("nn.BCELoss()", [P, Q]),
    (f"nn.BCELoss({W}, reduction='sum')", [P, Q]),
    ("nn.BCEWithLogitsLoss()", [A, Q]),
    (f"nn.BCEWithLogitsLoss({W}, pos_weight={W})", [A, Q]),
    ("nn.KLDivLoss(reduction='batchmean')", [A, P]),
    ("nn.KLDivLoss(reduction='sum', log_target=True)", [A, B]),
    ("nn.GaussianNLLLoss()", [A, B, P]),
    ("nn.GaussianNLLLoss(full=True, eps=0.3, reduction='none')", [A, B, P]),
    ("nn.PoissonNLLLoss()", [A, P]),
    ("nn.PoissonNLLLoss(False, True, eps=0.1)", [P, Q]),
    ("nn.SmoothL1Loss()", [A, B]),
    ("nn.SmoothL1Loss(beta=0.3, reduction='sum')", [A, B]),
    ("nn.HuberLoss()", [A, B]),
    ("nn.HuberLoss('sum', 0.4)", [A, B]),
    ("nn.HingeEmbeddingLoss()", [A, SIGNS]),
    ("nn.HingeEmbeddingLoss(2.0, reduction='none')", [A, SIGNS]),
    ("nn.MarginRankingLoss()", [A, B, SIGNS]),
    ("nn.MarginRankingLoss(0.5)", [A, B, SIGNS]),
    ("nn.SoftMarginLoss()", [A, SIGNS]),
    ("nn.MultiMarginLoss()", [A, LABELS]),
    (f"nn.MultiMarginLoss(2, 0.7, {W})", [A, LABELS]),
    ("nn.MultiLabelMarginLoss(reduction='sum')", [A, LISTED]),
    ("nn.MultiLabelSoftMarginLoss()", [A, P.round()]),
    (f"nn.MultiLabelSoftMarginLoss({W})", [A, P.round()]),
    ("nn.CosineEmbeddingLoss()", [A, B, SIDES]),
    ("nn.CosineEmbeddingLoss(0.2, reduction='none')", [A, B, SIDES]),
    ("nn.TripletMarginLoss()", [A, B, C]),
    ("nn.TripletMarginLoss(2.0, 1.0, 0.1, True)", [A, B, C]),
    ("nn.TripletMarginWithDistanceLoss(margin=2.0)", [A, B, C]),
    ("nn.TripletMarginWithDistanceLoss(distance_function=nn.CosineSimilarity())", [A, B, C]),
    ("nn.CosineSimilarity()", [A, B]),
    ("nn.CosineSimilarity(0, 0.1)", [A, B]),
    ("nn.PairwiseDistance()", [A, B]),
    ("nn.PairwiseDistance(1.0, 0.1, True)", [A, B]),
]


@pytest.mark.parametrize("make, arrays", LOSSES, ids=[make for make, _ in LOSSES])
def test_losses_are_torch_s(make: str, arrays: list[Any]) -> None:
    ours = eval(make, {"nn": nn, "vector": lambda v: etude.tensor(v, etude.float64)})
    theirs = eval(make, {"nn": torch.nn, "vector": lambda v: torch.tensor(v).double()})
    x, tx = etude.tensor(arrays[0]), torch.tensor(arrays[0])
    x.requires_grad_(), tx.requires_grad_()
    y = ours(x, *map(etude.tensor, arrays[1:]))
    ty = theirs(tx, *map(torch.tensor, arrays[1:]))
    near(y, ty)
    y.sum().backward(), ty.sum().backward()
    near(x.grad, tx.grad)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)


def test_contrastive_loss_is_its_function() -> None:
    a, b, y = etude.tensor(A), etude.tensor(B), etude.tensor(SIDES)
    assert nn.ContrastiveLoss(2.0)(a, b, y).item() == F.contrastive_loss(a, b, y, 2.0).item()


# attention ----------------------------------------------------------------------------------------
N, L, S, E, H = 2, 3, 5, 6, 2
Q6, K6, V6 = RNG.standard_normal((N, L, E)), *RNG.standard_normal((2, N, S, E))
K4, V3 = RNG.standard_normal((N, S, 4)), RNG.standard_normal((N, S, 3))
SEEN = np.arange(S) >= 4
ATTENTION: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("batch_first=True", [Q6, K6, V6], {}),
    ("batch_first=True", [Q6, Q6, Q6], {}),
    ("", [Q6.swapaxes(0, 1), K6.swapaxes(0, 1), V6.swapaxes(0, 1)], {}),
    ("bias=False", [Q6[0], K6[0], V6[0]], {}),
    ("kdim=4, vdim=3, batch_first=True", [Q6, K4, V3], {}),
    ("kdim=4, vdim=3, bias=False", [Q6[0], K4[0], V3[0]], {}),
    ("add_bias_kv=True, batch_first=True", [Q6, K6, V6], {}),
    ("add_zero_attn=True, add_bias_kv=True, batch_first=True", [Q6, K6, V6], {}),
]
CALLS: list[dict[str, Any]] = [
    {},
    {"need_weights": False},
    {"average_attn_weights": False},
    {"attn_mask": np.triu(np.ones((L, S), bool), 1)},
    {"attn_mask": RNG.standard_normal((L, S)), "need_weights": False},
    {"key_padding_mask": "padding"},
    {"key_padding_mask": "padding", "attn_mask": np.triu(np.ones((L, S), bool), 3)},
    {"attn_mask": "per head"},
]


@pytest.mark.parametrize(
    "options, arrays, _", ATTENTION, ids=[o or "sequence first" for o, *_ in ATTENTION]
)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: "-".join(call) or "plain")
def test_attention_is_torch_s(
    options: str, arrays: list[Any], _: Any, call: dict[str, Any]
) -> None:
    make = f"nn.MultiheadAttention({E}, {H}, {options})"
    ours, theirs = base.both(Layer(make, ()))
    batched, self_attention = arrays[0].ndim == 3, arrays[0] is arrays[1]
    size = L if self_attention else S
    heads = N * H if batched else H
    call = dict(call)
    if isinstance(call.get("key_padding_mask"), str):
        call["key_padding_mask"] = np.tile(SEEN[-size:], (N, 1)) if batched else SEEN[-size:]
    if isinstance(call.get("attn_mask"), str):
        call["attn_mask"] = np.random.default_rng(3).standard_normal((heads, L, size))
    elif "attn_mask" in call:
        call["attn_mask"] = call["attn_mask"][:, :size]
    found = compare(ours, theirs, arrays, call)
    assert (found is None) == (call.get("need_weights") is False)


def compare(ours: Any, theirs: Any, arrays: list[Any], call: dict[str, Any]) -> Any:
    """Output, weights and all gradients; returns the weights."""

    def run(layer: Any, tensor: Callable[[Any], Any]) -> Any:
        distinct = {id(a): tensor(a).requires_grad_() for a in arrays}
        masks = {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in call.items()}
        y, weights = layer(*[distinct[id(a)] for a in arrays], **masks)
        ((y + 0.5) * (y + 0.5)).sum().backward()
        return y, weights, list(distinct.values())

    y, weights, xs = run(ours, etude.tensor)
    ty, tweights, txs = run(theirs, torch.tensor)
    near(y, ty)
    assert (weights is None) == (tweights is None)
    if weights is not None:
        near(weights, tweights)
    for x, tx in zip([*xs, *ours.parameters()], [*txs, *theirs.parameters()], strict=True):
        near(x.grad, tx.grad)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return weights


def test_causal_attention_sees_nothing_later_and_a_blind_query_gets_nothing() -> None:
    layer = nn.MultiheadAttention(E, H, dropout=0.5, batch_first=True).double().eval()
    x = etude.tensor(Q6)
    _, weights = layer(x, x, x, is_causal=True)
    assert (weights.triu(1) == 0).all()
    blind = etude.ones(L, L).bool()
    y, weights = layer(x, x, x, attn_mask=blind)
    assert (weights == 0).all()
    near(y, layer.out_proj.bias.expand(*y.shape))
    layer.train()
    etude.manual_seed(1)
    dropped = layer(x, x, x)[1]
    assert 0 < (dropped == 0).to(etude.float64).mean().item() < 1


# messages -----------------------------------------------------------------------------------------
WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: nn.CELU(0.0), "[CELU] expected alpha other than 0"),
    (lambda: nn.PReLU(0), "[PReLU] expected num_parameters as a whole number >= 1"),
    (lambda: nn.RReLU(0.5, 0.1), "[RReLU] expected upper as a number >= 0.5"),
    (lambda: nn.Softmax2d()(etude.zeros(2, 3)), "[Softmax2d] expected x (N, C, H, W)"),
    (lambda: nn.LayerNorm(()), "[LayerNorm] expected normalized_shape of one axis"),
    (lambda: nn.LayerNorm(4)(etude.zeros(2, 3)), "use normalized_shape=(3,)"),
    (lambda: nn.GroupNorm(3, 4), "[GroupNorm] expected num_groups that divides num_channels"),
    (lambda: nn.InstanceNorm2d(3)(etude.zeros(2, 4, 3, 3)), "with C=3, got (2, 4, 3, 3)"),
    (lambda: nn.LocalResponseNorm(0), "[LocalResponseNorm] expected size as a whole number"),
    (lambda: nn.Dropout2d(1.5), "p (the probability to drop) as a number >= 0 and <= 1"),
    (lambda: nn.BCELoss(reduction="men"), "did you mean 'mean'?"),
    (lambda: nn.BCELoss()(etude.tensor([2.0]), etude.tensor([1.0])), "use binary_cross_entropy_w"),
    (lambda: nn.MultiMarginLoss(3), "[MultiMarginLoss] expected p = 1 or p = 2, got 3"),
    (lambda: nn.TripletMarginLoss(0.0), "expected margin as a number > 0"),
    (lambda: nn.MultiheadAttention(5, 2), "embed_dim divisible by num_heads, got 5 and 2"),
    (lambda: nn.MultiheadAttention(4, 2)(*[etude.zeros(3, 1, 6)] * 3), "(L, N, 4)"),
    (
        lambda: nn.MultiheadAttention(4, 2)(*[etude.zeros(3, 4)] * 3, attn_mask=etude.zeros(2, 2)),
        "expected attn_mask (3, 3) or (2, 3, 3), got (2, 2)",
    ),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[message for _, message in WRONG])
def test_wrong_arguments_are_explained(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(EtudeError) as caught:
        call()
    assert message in str(caught.value)
