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

from dataclasses import dataclass, field

from etude.backends.base import Instruction, Value

from ...graph.program import Program, spec
from ...ops.softmax import CrossEntropy, CrossEntropyGrad
from .dead import dead
from .rewrite import Names, namer, readers, rewritten

IGNORE = -100  # no class has this number, and the labels that are gathered were checked


@dataclass
class Loss:
    """What was found around one log-softmax."""

    x: Value
    labels: Value
    picked: Instruction  # neg of the gathered logarithms
    grads: list[tuple[Instruction, Value]] = field(default_factory=list)  # and g of each


def cross_entropy(program: Program) -> Program:
    """Look for log-softmax, the logarithm at each label, and the gradients of both."""
    if not any(i.method == "log_softmax" for i in program.instructions):
        return program
    losses = _Search(program).losses()
    value = namer(program)
    new: dict[int, Instruction] = {}
    for loss in losses:
        i = loss.picked
        p = value(loss.x.shape, loss.x.dtype)
        arguments = (loss.x, loss.labels, IGNORE)
        outputs = (i.outputs[0], p)
        op = CrossEntropy(IGNORE, False)
        new[id(i)] = Instruction("cross_entropy", arguments, outputs, op, i.scope)
        for i, g in loss.grads:
            back = (g, p, loss.labels, IGNORE)
            grad = CrossEntropyGrad(IGNORE)
            new[id(i)] = Instruction("cross_entropy_grad", back, i.outputs, grad, i.scope)

    def rule(i: Instruction, names: Names) -> list[Instruction]:
        return [new.get(id(i), i)]

    return dead(rewritten(program, rule)) if losses else program


class _Search:
    """Who makes each value and how many read it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.uses = readers(program)
        self.maker = {v: i for i in program.instructions for v in i.outputs}
        self.reader = {v: i for i in program.instructions for v in i.inputs}

    def losses(self) -> list[Loss]:
        """The log-softmaxes of which nothing but logarithms at labels and gradients are read."""
        found: dict[Value, Loss] = {}
        for i in self.program.instructions:
            if i.method == "gather":
                logs = self.source(i.arguments[0])
                loss = self.picked(i, logs)
                if loss is not None:
                    found[logs] = loss
            elif i.method == "log_softmax_grad" and i.arguments[1] in found:
                loss = found[i.arguments[1]]
                g = self.spread(i, loss)
                if g is not None:
                    loss.grads.append((i, g))
        return [x for logs, x in found.items() if self.uses[logs] == 1 + len(x.grads)]

    def picked(self, i: Instruction, logs: Value) -> Loss | None:
        """The loss that a gather of logarithms is part of."""
        before = self.maker.get(logs)
        if before is None or before.method != "log_softmax" or before.arguments[1] != 1:
            return None
        labels = self.labels(i.arguments[1], logs)
        y = i.outputs[0]
        while self.uses[y] == 1 and y in self.reader and self.reader[y].method == "reshape":
            y = self.reader[y].outputs[0]
        after = self.reader.get(y)
        if labels is None or after is None or self.uses[y] != 1 or len(spec(logs)[0]) != 2:
            return None
        if after.method != "unary" or after.arguments[0] != "neg" or y.shape != labels.shape:
            return None
        return Loss(before.arguments[0], labels, after)

    def spread(self, i: Instruction, loss: Loss) -> Value | None:
        """The g of a gradient whose logarithms at the labels get -g, the others nothing."""
        before = self.maker.get(self.source(i.arguments[0]))
        if before is None or before.method != "scatter_add":
            return None
        minus = self.maker.get(self.source(before.arguments[0]))
        same = self.labels(before.arguments[1], i.arguments[1]) is loss.labels
        if not same or minus is None or minus.method != "unary" or minus.arguments[0] != "neg":
            return None
        g: Value = minus.arguments[1]
        return g if g.shape == loss.labels.shape else None

    def labels(self, places: Value, logs: Value) -> Value | None:
        """The labels (N,) of which flat places in logarithms (N, C) are made, n C + label."""
        total = self.maker.get(self.source(places))
        if total is None or total.method != "binary" or total.arguments[0] != "add":
            return None
        n, c = spec(logs)[0]
        for label, start in (total.arguments[1:3], total.arguments[2:0:-1]):
            known = self.program.constants.get(start)
            if known is not None and list(known[0]) == list(range(0, n * c, c)):
                labels = self.source(label)
                return labels if labels.shape == (n,) else None
        return None

    def source(self, v: Value) -> Value:
        """What a value is a reshape of."""
        while v in self.maker and self.maker[v].method == "reshape":
            v = self.maker[v].arguments[0]
        return v
