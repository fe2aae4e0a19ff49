"""Wrong calls of losses, dropout and random numbers: labels, targets, probabilities."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import ArgumentError, CallError, DTypeError, IndexOutOfRange, ShapeError


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape, **kwargs)


def labels(*values: int) -> Any:
    return etude.tensor(list(values), dtype=etude.int64)


SCORES = x(2, 3)


def entropy(**given: Any) -> Any:
    return lambda: F.cross_entropy(SCORES, labels(0, 1), **given)


LOSSES = [
    Wrong(
        "cross_entropy label too large",
        lambda: F.cross_entropy(SCORES, labels(0, 3)),
        IndexOutOfRange,
        "3",
        "last layer",
    ),
    Wrong(
        "cross_entropy negative label",
        lambda: F.cross_entropy(SCORES, labels(-1, 0)),
        IndexOutOfRange,
        "-1",
    ),
    Wrong(
        "cross_entropy label too large with weights",
        lambda: F.cross_entropy(SCORES, labels(0, 3), weight=x(3)),
        IndexOutOfRange,
        "3",
    ),
    Wrong(
        "cross_entropy label too large with smoothing",
        lambda: F.cross_entropy(SCORES, labels(0, 7), label_smoothing=0.1),
        IndexOutOfRange,
        "7",
    ),
    Wrong(
        "cross_entropy too few labels",
        lambda: F.cross_entropy(SCORES, labels(0)),
        ShapeError,
        "(2,)",
        "(1,)",
    ),
    Wrong(
        "cross_entropy labels in a column",
        lambda: F.cross_entropy(SCORES, etude.zeros(2, 1, dtype=int)),
        ShapeError,
        "(2, 1)",
    ),
    Wrong(
        "cross_entropy float labels",
        lambda: F.cross_entropy(SCORES, x(2)),
        ShapeError,
        "(2,)",
        "float32",
        "labels are int64",
    ),
    Wrong(
        "cross_entropy bool labels", lambda: F.cross_entropy(SCORES, x(2) > 0), DTypeError, "bool"
    ),
    Wrong(
        "cross_entropy labels in a list",
        lambda: F.cross_entropy(SCORES, [0, 1]),
        CallError,
        "target",
        "[0, 1]",
        "etude.tensor",
    ),
    Wrong(
        "cross_entropy logits of whole numbers",
        lambda: F.cross_entropy(labels(1, 2, 3), labels(0)),
        DTypeError,
        "int64",
    ),
    Wrong(
        "cross_entropy scalar logits",
        lambda: F.cross_entropy(etude.tensor(1.0), etude.tensor(0)),
        ShapeError,
        "()",
    ),
    Wrong(
        "cross_entropy weights of another size", entropy(weight=x(4)), ShapeError, "(4,)", "(3,)"
    ),
    Wrong("cross_entropy smoothing above 1", entropy(label_smoothing=1.5), ArgumentError, "1.5"),
    Wrong("cross_entropy negative smoothing", entropy(label_smoothing=-0.1), ArgumentError, "-0.1"),
    Wrong(
        "cross_entropy unknown reduction",
        entropy(reduction="avg"),
        ArgumentError,
        "'avg'",
        "'mean'",
    ),
    Wrong("cross_entropy ignore_index a string", entropy(ignore_index="none"), CallError, "'none'"),
    Wrong("cross_entropy no target", lambda: F.cross_entropy(SCORES), CallError, "no 'target'"),
    Wrong(
        "nll_loss label too large", lambda: F.nll_loss(SCORES, labels(0, 3)), IndexOutOfRange, "3"
    ),
    Wrong("nll_loss too few labels", lambda: F.nll_loss(SCORES, labels(0)), ShapeError, "(1,)"),
    Wrong("nll_loss float labels", lambda: F.nll_loss(SCORES, x(2)), DTypeError, "float32"),
    Wrong(
        "nll_loss unknown reduction",
        lambda: F.nll_loss(SCORES, labels(0, 1), reduction="all"),
        ArgumentError,
        "'all'",
    ),
    Wrong("mse_loss other shapes", lambda: F.mse_loss(x(4, 1), x(4)), ShapeError, "(4, 1)", "(4,)"),
    Wrong("mse_loss with a number", lambda: F.mse_loss(x(4), 1.0), CallError, "the number 1.0"),
    Wrong(
        "mse_loss unknown reduction",
        lambda: F.mse_loss(x(4), x(4), reduction="men"),
        ArgumentError,
        "'men'",
    ),
    Wrong("l1_loss other shapes", lambda: F.l1_loss(x(4, 1), x(4)), ShapeError, "(4, 1)"),
    Wrong(
        "smooth_l1_loss negative beta",
        lambda: F.smooth_l1_loss(x(4), x(4), beta=-1.0),
        ArgumentError,
        "-1",
    ),
    Wrong("huber_loss delta 0", lambda: F.huber_loss(x(4), x(4), delta=0.0), ArgumentError, "0"),
    Wrong(
        "binary_cross_entropy other shapes",
        lambda: F.binary_cross_entropy(x(4), x(3)),
        ShapeError,
        "(4,)",
        "(3,)",
    ),
    Wrong(
        "binary_cross_entropy above 1",
        lambda: F.binary_cross_entropy(x(4) * 2, x(4)),
        ArgumentError,
        "2.0",
        "binary_cross_entropy_with_logits",
    ),
    Wrong(
        "kl_div unknown reduction",
        lambda: F.kl_div(x(4), x(4), reduction="max"),
        ArgumentError,
        "'max'",
    ),
]

DRAWS = [
    Wrong("dropout probability above 1", lambda: F.dropout(SCORES, 1.5), ArgumentError, "1.5"),
    Wrong("dropout negative probability", lambda: F.dropout(SCORES, -0.5), ArgumentError, "-0.5"),
    Wrong("dropout probability a string", lambda: F.dropout(SCORES, "half"), CallError, "'half'"),
    Wrong("dropout of labels", lambda: F.dropout(labels(1, 2)), DTypeError, "int64"),
    Wrong("dropout of a list", lambda: F.dropout([1.0, 2.0]), CallError, "[1.0, 2.0]"),
    Wrong("rand negative size", lambda: etude.rand(-1), ArgumentError, "(-1,)"),
    Wrong("rand of whole numbers", lambda: etude.rand(2, dtype=etude.int64), DTypeError, "int64"),
    Wrong("randn a string", lambda: etude.randn("2"), ArgumentError, "'2'"),
    Wrong(
        "backend unknown for randn",
        lambda: etude.randn(2, backend="cudda"),
        ArgumentError,
        "'cudda'",
    ),
    Wrong(
        "randint bounds in the wrong order",
        lambda: etude.randint(5, 3, (2,)),
        ArgumentError,
        "5 and 3",
    ),
    Wrong(
        "randint nothing to choose from", lambda: etude.randint(0, (2,)), ArgumentError, "0 and 0"
    ),
    Wrong("randint too wide", lambda: etude.randint(0, 2**40, (2,)), ArgumentError, str(2**40)),
    Wrong("randint fractional bound", lambda: etude.randint(0, 2.5, (2,)), CallError, "2.5"),
    Wrong(
        "randint unknown dtype",
        lambda: etude.randint(3, (2,), dtype="in64"),
        DTypeError,
        "'in64'",
        "int64",
    ),
    Wrong("randperm negative", lambda: etude.randperm(-1), ArgumentError, "-1"),
    Wrong("randperm fractional", lambda: etude.randperm(2.5), ArgumentError, "2.5"),
    Wrong("bernoulli of whole numbers", lambda: etude.bernoulli(labels(0, 1)), DTypeError, "int64"),
    Wrong(
        "multinomial negative weights",
        lambda: etude.multinomial(x(3) * -1, 1),
        ArgumentError,
        "weights >= 0",
    ),
    Wrong(
        "multinomial too many samples",
        lambda: etude.multinomial(x(3), 4),
        ArgumentError,
        "num_samples=4",
        "3",
    ),
    Wrong(
        "normal negative deviation", lambda: etude.normal(0.0, -1.0, (2,)), ArgumentError, "-1.0"
    ),
    Wrong("manual_seed a string", lambda: etude.manual_seed("today"), CallError, "'today'"),
    Wrong("manual_seed a fraction", lambda: etude.manual_seed(0.5), CallError, "0.5"),
    Wrong("set_rng_state a seed", lambda: etude.set_rng_state(3), CallError, "the number 3"),
    Wrong(
        "set_rng_state three numbers",
        lambda: etude.set_rng_state((1, 2, 3)),
        CallError,
        "(1, 2, 3)",
    ),
]

WRONG = [*LOSSES, *DRAWS]
