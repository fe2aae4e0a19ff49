"""The loss of a classifier in one instruction.

before    %3 = log_softmax(%x, 1)                 after    %8, %9 = cross_entropy(%x, %labels)
          %4 = reshape(%3, (N * C, 1))
          %6 = gather(%4, %labels + [0, C, 2 C, ...])
          %8 = neg(%6)

and, for the gradient, cross_entropy_grad(%g, %9, %labels) for log_softmax_grad of what scatter_add
made of -g at the same places. The softmax is computed once, where it was computed twice; that
rounds differently. Nobody else may read the logarithms.
"""

from __future__ import annotations

from typing import Any

from etude.backends.base import Value

from ...graph.patterns import Search
from ...graph.program import Program
from ...graph.rewrite import merged
from .dead import dead

IGNORE = -100  # no class has this number, and the labels that are gathered were checked
PLACES = "reshaped((places := binary('add', reshaped(labels), starts)))"  # n C + label
PICKED = f"""
(each := unary('neg', reshaped(gather(reshaped((logs := log_softmax(x, 1))), {PLACES}))))
"""
SUMS = f"reshaped((sums := scatter_add(reshaped((minus := unary('neg', each))), {PLACES}, rows)))"
SPREAD = f"log_softmax_grad({SUMS}, logs, 1)"


def cross_entropy(program: Program) -> Program:
    """Look for log-softmax, the logarithm at each label, and the gradients of both."""
    search = Search(program)
    losses = [f for f in search.all(PICKED) if _at_labels(program, **f.names)]
    grads = [f for f in search.all(SPREAD) if _at_labels(program, **f.names)] if losses else []
    for names, parts in losses:
        x, logs, labels, each = (names[n] for n in ("x", "logs", "labels", "each"))
        own = [f for f in grads if f.names["logs"] is logs and f.names["labels"] is labels]
        if search.facts.uses[logs] != 1 + len(own):
            continue
        p = search.value(x.shape, x.dtype)
        made = merged("cross_entropy", (x, labels, IGNORE), (each, p), *parts)
        search.exchange(parts[-1:], each, made)
        for f in own:
            given, (gx,) = (f.names["each"], p, labels, IGNORE), f.parts[-1].outputs
            made = merged("cross_entropy_grad", given, (gx,), *f.parts)
            search.exchange(f.parts[-1:], gx, made)
    done = search.done()
    return done if done is program else dead(done)


def _at_labels(
    program: Program, logs: Any, labels: Any, starts: Any, each: Any, **others: Any
) -> bool:
    """Whether one of each row (N, C) is meant, the one that the labels (N,) say."""
    known = program.constants.get(starts)
    if known is None or not isinstance(labels, Value) or len(logs.shape) != 2:
        return False
    n, c = logs.shape
    return list(known[0]) == list(range(0, n * c, c)) and labels.shape == each.shape == (n,)
