"""What a model is made of, found by running it once and watching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..creation import zeros
from ..tensor import Tensor


@dataclass(frozen=True)
class Row:
    """One call of a layer: its dotted name, its class, what came out, and what it owns.

    `parameters` counts each parameter once, at the first layer that uses it.
    """

    name: str
    layer: str
    output: tuple[int, ...]
    parameters: int


def summary(model: nn.Module, input_shape: Sequence[int]) -> list[Row]:
    """One row for each call of a layer, in order, for a batch of one input of this shape."""
    rows: list[Row] = []
    counted: set[int] = set()

    def watch(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            own = [p for p in module.parameters() if id(p) not in counted]
            counted.update(map(id, own))
            shape = output.shape if isinstance(output, Tensor) else ()
            rows.append(Row(name, type(module).__name__, shape, sum(p.numel() for p in own)))

        return module.register_forward_hook(hook)

    leaves = [(name, m) for name, m in model.named_modules() if not list(m.children())]
    handles = [watch(name, m) for name, m in leaves]
    was_training = model.training
    first = next(model.parameters(), None)
    try:
        with no_grad():
            model.eval()(zeros(1, *input_shape, backend=None if first is None else first.backend))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return rows
