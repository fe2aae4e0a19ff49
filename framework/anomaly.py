"""Anomaly mode: the first op that makes nan or inf is named, with its module and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from etude.backends import registry

from .autograd import Node, Op, no_grad, visiting
from .errors import EtudeError
from .whereabouts import Site, site

if TYPE_CHECKING:
    from .tensor import Tensor


class AnomalyError(EtudeError, ArithmeticError):
    """An operation made nan or inf out of finite numbers."""


def count_bad(t: Tensor) -> int:
    """How many elements are nan or infinite."""
    if not t.dtype.is_floating_point or prod(t.shape) == 0:
        return 0
    with no_grad():
        finite = t.detach().isfinite()
        return int((~finite).sum().item())


class Watch:
    """Checks every result; remembers where each node was made, for errors in its gradient."""

    def __init__(self, observed: Any) -> None:
        self.sites: WeakKeyDictionary[Node, Site] = WeakKeyDictionary()
        self.busy = False
        self.next = observed

    def __call__(self, op: Op, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        if self.busy:
            return
        self.busy = True
        try:
            for t in outputs:
                if t.node is not None and visiting.get() is None:
                    self.sites[t.node] = site()
                if count_bad(t) and not any(map(count_bad, tensors(inputs))):
                    raise AnomalyError(self.message(op, inputs, t))
        finally:
            self.busy = False

    def message(self, op: Op, inputs: Sequence[Any], t: Tensor) -> str:
        """What was made, by which op, in which pass and where."""
        bad, node = count_bad(t), visiting.get()
        came = ", ".join(f"{tuple(x.shape)} in {span(x)}" for x in tensors(inputs))
        what = f"{bad} of {prod(t.shape)} elements are nan or inf, from inputs {came}"
        if node is None:
            return f"[{op.name}] first anomaly, in the forward pass: {what}; {site()}"
        made = self.sites.get(node)
        where = f"; the forward op was called {made}" if made is not None else ""
        return f"[{op.name}] first anomaly, in the backward pass of {node.op.name!r}: {what}{where}"


def tensors(inputs: Sequence[Any]) -> list[Tensor]:
    """The tensors among an op's inputs."""
    return [x for x in inputs if hasattr(x, "buffer")]


def span(t: Tensor) -> str:
    """The range of the finite values, as text."""
    if prod(t.shape) == 0:
        return "[]"
    values = [v for v in _flat(t) if v == v and abs(v) != float("inf")]
    return f"[{min(values):.4g}, {max(values):.4g}]" if values else "[no finite value]"


def _flat(t: Tensor) -> list[Any]:
    values: list[Any] = t.backend.to_host(t.buffer).tolist()
    return values


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Inside this context, the first op that makes nan or inf of finite inputs raises AnomalyError.

    The message names the op, the pass (forward, or backward of which op), the module and the line.
    Every result is checked, so this is slow; it watches all threads.

    >>> import etude
    >>> with etude.detect_anomaly():
    ...     etude.tensor([1.0, 0.0]).log()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    etude.framework.anomaly.AnomalyError: [log] first anomaly, in the forward pass: 1 of 2 ...
    """
    engines = [registry.get(name) for name, reason in registry.available().items() if not reason]
    before = [e.observe for e in engines]
    for e in engines:
        e.observe = Watch(e.observe)
    try:
        yield
    finally:
        for e, observe in zip(engines, before, strict=True):
            e.observe = observe
        visiting.set(None)
