"""Wrong calls of activations, margin and metric losses, norms, dropout, attention and draws."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape, **kwargs)


def labels(*values: int) -> Any:
    return etude.tensor(list(values), dtype=etude.int64)


WHOLE = labels(1, 2)
ROWS, IMAGE = x(2, 3), x(2, 4, 3, 3)
FLOATS_ONLY = """
    relu6 hardtanh hardsigmoid hardswish leaky_relu rrelu elu selu celu hardshrink softshrink
    tanhshrink softsign silu mish gelu softplus logsigmoid glu gumbel_softmax hard_threshold
    normalize alpha_dropout
"""


def named(name: str) -> Any:
    return lambda: getattr(F, name)(WHOLE)


ACTIVATIONS = [
    *[Wrong(f"{n} of whole numbers", named(n), DTypeError, "int64") for n in FLOATS_ONLY.split()],
    Wrong("prelu of whole numbers", lambda: F.prelu(WHOLE, x(1)), DTypeError, "int64"),
    Wrong("hardtanh limits", lambda: F.hardtanh(ROWS, 2.0, 1.0), ArgumentError, "2.0", "swap"),
    Wrong("rrelu slopes", lambda: F.rrelu(ROWS, 0.5, 0.2), ArgumentError, "0.5 and 0.2"),
    Wrong("celu without a slope", lambda: F.celu(ROWS, 0.0), ArgumentError, "got 0"),
    Wrong("softshrink below 0", lambda: F.softshrink(ROWS, -0.1), ArgumentError, "-0.1"),
    Wrong("prelu weight", lambda: F.prelu(IMAGE, x(3)), ShapeError, "(3,)", "(4,)"),
    Wrong("gelu formula", lambda: F.gelu(ROWS, "erf"), ArgumentError, "'erf'", "'tanh'"),
    Wrong("glu of an odd size", lambda: F.glu(ROWS), ShapeError, "got 3 in (2, 3)"),
    Wrong("gumbel_softmax frozen", lambda: F.gumbel_softmax(ROWS, 0.0), ArgumentError, "got 0.0"),
    Wrong("softmin without dim", lambda: F.softmin(ROWS), ArgumentError, "(2, 3)", "dim=-1"),
    Wrong("softmin axis", lambda: F.softmin(ROWS, 2), IndexOutOfRange, "got 2"),
]

LOSSES = [
    Wrong(
        "cross_entropy probabilities and ignore_index",
        lambda: F.cross_entropy(ROWS, ROWS, ignore_index=1),
        ArgumentError,
        "ignore_index 1",
    ),
    Wrong(
        "gaussian_nll_loss variance of another shape",
        lambda: F.gaussian_nll_loss(ROWS, ROWS, x(3)),
        ShapeError,
        "got (3,)",
    ),
    Wrong(
        "gaussian_nll_loss negative variance",
        lambda: F.gaussian_nll_loss(ROWS, ROWS, -ROWS),
        ArgumentError,
        "got -1",
        "softplus",
    ),
    Wrong(
        "binary_cross_entropy of logits",
        lambda: F.binary_cross_entropy(ROWS * 2.0, ROWS),
        ArgumentError,
        "got 2",
        "binary_cross_entropy_with_logits",
    ),
    Wrong(
        "margin_ranking_loss axes",
        lambda: F.margin_ranking_loss(ROWS, ROWS, x(2)),
        ShapeError,
        "(2,)",
    ),
    Wrong(
        "multi_margin_loss power",
        lambda: F.multi_margin_loss(ROWS, labels(0, 1), p=3),
        ArgumentError,
        "got 3",
    ),
    Wrong(
        "multi_margin_loss too few labels",
        lambda: F.multi_margin_loss(ROWS, labels(0)),
        ShapeError,
        "got (1,)",
    ),
    Wrong(
        "multi_margin_loss weights of another size",
        lambda: F.multi_margin_loss(ROWS, labels(0, 1), weight=x(4)),
        ShapeError,
        "got (4,)",
    ),
    Wrong(
        "multi_margin_loss label too large",
        lambda: F.multi_margin_loss(ROWS, labels(0, 3)),
        IndexOutOfRange,
        "3",
    ),
    Wrong(
        "multilabel_margin_loss of images",
        lambda: F.multilabel_margin_loss(IMAGE, labels(0)),
        ShapeError,
        "(2, 4, 3, 3)",
    ),
    Wrong(
        "cosine_embedding_loss target",
        lambda: F.cosine_embedding_loss(ROWS, ROWS, x(2, 1)),
        ShapeError,
        "(2, 1)",
    ),
    Wrong(
        "contrastive_loss target",
        lambda: F.contrastive_loss(ROWS, ROWS, x(3)),
        ShapeError,
        "(3,)",
    ),
    Wrong("pdist of a row", lambda: F.pdist(x(3)), ShapeError, "(3,)"),
    Wrong("pdist power", lambda: F.pdist(ROWS, -1.0), ArgumentError, "-1.0"),
    Wrong(
        "triplet_margin_loss axes",
        lambda: F.triplet_margin_loss(ROWS, ROWS, x(3)),
        ShapeError,
        "(3,)",
    ),
    Wrong(
        "triplet_margin_loss without a margin",
        lambda: F.triplet_margin_loss(ROWS, ROWS, ROWS, margin=0.0),
        ArgumentError,
        "got 0.0",
    ),
]

DOUBLE = x(4, dtype=etude.float64)
NORMS = [
    Wrong(
        "batch_norm weight of another dtype",
        lambda: F.batch_norm(IMAGE, None, None, DOUBLE, training=True),
        DTypeError,
        "float64",
    ),
    Wrong(
        "batch_norm evaluation without statistics",
        lambda: F.batch_norm(IMAGE, None, None),
        ArgumentError,
        "training=True",
    ),
    Wrong("layer_norm shape", lambda: F.layer_norm(ROWS, (4,)), ShapeError, "(4,)", "(2, 3)"),
    Wrong("layer_norm of no axis", lambda: F.layer_norm(ROWS, ()), ArgumentError, "got ()"),
    Wrong(
        "layer_norm weight",
        lambda: F.layer_norm(ROWS, (3,), x(2)),
        ShapeError,
        "(2,)",
    ),
    Wrong("rms_norm shape", lambda: F.rms_norm(ROWS, 2), ShapeError, "(2,)", "(2, 3)"),
    Wrong("group_norm of a row", lambda: F.group_norm(x(4), 2), ShapeError, "(4,)"),
    Wrong("group_norm groups", lambda: F.group_norm(IMAGE, 3), ShapeError, "got 3"),
    Wrong("group_norm of one value", lambda: F.group_norm(x(1, 2), 2), ShapeError, "(1, 2)"),
    Wrong("instance_norm of rows", lambda: F.instance_norm(ROWS), ShapeError, "(2, 3)"),
    Wrong("instance_norm of a pixel", lambda: F.instance_norm(x(2, 3, 1)), ShapeError, "(2, 3, 1)"),
    Wrong(
        "instance_norm without statistics",
        lambda: F.instance_norm(IMAGE, use_input_stats=False),
        ArgumentError,
        "running_mean",
    ),
    Wrong(
        "local_response_norm of rows", lambda: F.local_response_norm(ROWS, 2), ShapeError, "(2, 3)"
    ),
    Wrong(
        "local_response_norm size",
        lambda: F.local_response_norm(IMAGE, 0),
        ArgumentError,
        "number 0",
    ),
]

Q, K = x(2, 4, 5), x(2, 3, 5)
NAME = "scaled_dot_product_attention"
LAYERS = [
    Wrong("dropout1d of an image", lambda: F.dropout1d(IMAGE), ShapeError, "(2, 4, 3, 3)"),
    Wrong("dropout2d share", lambda: F.dropout2d(IMAGE, 1.5), ArgumentError, "1.5"),
    Wrong(
        "feature_alpha_dropout of a row",
        lambda: F.feature_alpha_dropout(x(3), training=True),
        ShapeError,
        "(3,)",
        "alpha_dropout",
    ),
    Wrong(
        "embedding sparse",
        lambda: F.embedding(labels(0), ROWS, sparse=True),
        ArgumentError,
        "sparse",
    ),
    Wrong(
        "embedding padding",
        lambda: F.embedding(labels(0), ROWS, padding_idx=2),
        IndexOutOfRange,
        "2",
        "(2, 3)",
    ),
    Wrong(
        f"{NAME} of a row",
        lambda: F.scaled_dot_product_attention(x(5), K, K),
        ShapeError,
        "(5,)",
    ),
    Wrong(
        f"{NAME} sizes",
        lambda: F.scaled_dot_product_attention(Q, x(2, 3, 4), K),
        ShapeError,
        "(2, 3, 4)",
    ),
    Wrong(
        f"{NAME} with two masks",
        lambda: F.scaled_dot_product_attention(Q, K, K, x(4, 3), is_causal=True),
        ArgumentError,
        "is_causal",
    ),
    Wrong(
        f"{NAME} with a whole mask",
        lambda: F.scaled_dot_product_attention(Q, K, K, x(4, 3).long()),
        DTypeError,
        "int64",
    ),
    Wrong(
        f"{NAME} groups",
        lambda: F.scaled_dot_product_attention(x(3, 4, 5), K, K, enable_gqa=True),
        ShapeError,
        "(3, 4, 5)",
    ),
]

DRAWS = [
    Wrong("normal without a size", lambda: F.normal(0.0, 1.0), ArgumentError, "None"),
    Wrong("normal with a size too many", lambda: F.normal(ROWS, 1.0, 3), ArgumentError, "3"),
    Wrong("normal width", lambda: F.normal(0.0, -1.0, 3), ArgumentError, "-1.0"),
    Wrong("multinomial of images", lambda: F.multinomial(IMAGE, 1), ShapeError, "(2, 4, 3, 3)"),
    Wrong("multinomial of whole numbers", lambda: F.multinomial(WHOLE, 1), DTypeError, "int64"),
    Wrong("multinomial of no draw", lambda: F.multinomial(ROWS, 0), ArgumentError, "got 0"),
    Wrong("multinomial below 0", lambda: F.multinomial(-ROWS, 1), ArgumentError, "softmax"),
    Wrong("multinomial of too many", lambda: F.multinomial(ROWS, 4), ArgumentError, "4", "3"),
]

WRONG = [*ACTIVATIONS, *LOSSES, *NORMS, *LAYERS, *DRAWS]
