"""What all looks inside share: the model in evaluation, its layers' outputs, checked arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import functional as F
from ..autograd import enable_grad, no_grad
from ..checks import tensor as expect_tensor
from ..creation import tensor
from ..dtypes import int64
from ..errors import ArgumentError, ShapeError, fail, nearest
from ..guard import came
from ..nn import Module
from ..sweep import grad
from ..tensor import Tensor

Model = Callable[..., Any]  # a Module, or any function of a batch


@contextmanager
def evaluating(*models: Any) -> Iterator[None]:
    """Modules in evaluation mode (no dropout, running statistics); then as they were."""
    modes = [(m, m.training) for model in models if isinstance(model, Module)
             for m in model.modules()]  # fmt: skip
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def batch_of_images(op: str, x: Any) -> Tensor:
    """A batch (N, C, H, W) of floats, outside any graph."""
    given: Tensor = expect_tensor(op, "x", x)
    if len(given.shape) != 4 or not given.dtype.is_floating_point or 0 in given.shape:
        raise fail(
            ShapeError,
            op,
            f"expected x as float images (N, C, H, W), got {given.dtype} of shape {given.shape}; "
            "a single image needs .unsqueeze(0), whole numbers .float()",
        )
    return given.detach()


def logits_of(op: str, model: Model, x: Tensor) -> Tensor:
    """Scores (N, K) of a batch; of several outputs, the first."""
    out = model(x)
    if isinstance(out, (tuple, list)) and out:
        out = out[0]
    if not isinstance(out, Tensor) or len(out.shape) != 2 or out.shape[0] != x.shape[0]:
        raise fail(
            ShapeError,
            op,
            f"expected a model that gives scores (N, K) for x {x.shape}, got {came(out)}; "
            "wrap it in a function that returns one row of scores for each input",
        )
    return out


def labels_for(op: str, labels: Any, scores: Tensor, name: str = "labels") -> Tensor:
    """Labels (N,) int64 below K: those given, one for all, or the best scored where None."""
    n, k = scores.shape
    if labels is None:
        return F.argmax(scores.detach(), 1)
    if isinstance(labels, Tensor):
        found = labels.detach()
    else:
        many = isinstance(labels, Sequence) and not isinstance(labels, str)
        found = tensor(labels if many else [labels] * n, backend=scores.backend)
    if found.shape == () or (found.shape == (1,) and n > 1):
        found = found.reshape(-1).expand(n)
    whole = not found.dtype.is_floating_point
    if found.shape != (n,) or not whole or not _in_range(found, k):
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as {n} whole numbers below {k}, one for each image, got "
            f"{came(labels)}; use the indices of classes",
        )
    return found.to(int64)


def _in_range(labels: Tensor, k: int) -> bool:
    values: list[int] = labels.tolist()
    return not values or (min(values) >= 0 and max(values) < k)


def gradient(objective: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """d objective(x) / dx of a scalar; parameters' `.grad` stay as they are."""
    leaf = x.detach().requires_grad_()
    with enable_grad():
        (found,) = grad(objective(leaf), leaf)
    assert found is not None
    return found


def picked(scores: Tensor, labels: Tensor) -> Tensor:
    """scores[i, labels[i]] for each i: (N,)."""
    return F.gather(scores, 1, labels.reshape(-1, 1)).reshape(-1)


# layers ---------------------------------------------------------------------------------------
def leaves(model: Any, op: str) -> dict[str, Module]:
    """The modules without children, by dotted name; a model that is one layer is "(model)"."""
    if not isinstance(model, Module):
        raise fail(
            ArgumentError,
            op,
            f"expected model as an nn.Module, whose layers can be watched, got {came(model)}; "
            "put the function into the forward of a Module",
        )
    return {
        name or "(model)": module
        for name, module in model.named_modules()
        if not list(module.children())
    }


def find_layer(model: Any, layer: str, op: str) -> Module:
    """The module of a dotted name, with or without children."""
    leaves(model, op)
    named: dict[str, Module] = {name or "(model)": m for name, m in model.named_modules()}
    if layer not in named:
        raise fail(
            ArgumentError,
            op,
            f"expected the name of a layer of the model, got {came(layer)}; "
            f"{nearest(str(layer), named)}",
        )
    return named[layer]


Call = tuple[str, Module, tuple[Any, ...], Any]  # name, module, arguments, output


@contextmanager
def watching(named: dict[str, Module]) -> Iterator[list[Call]]:
    """A list that fills with the calls of these modules, in order."""
    calls: list[Call] = []

    def note(name: str) -> Callable[..., None]:
        return lambda module, args, out: calls.append((name, module, args, out))

    handles = [module.register_forward_hook(note(name)) for name, module in named.items()]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def calls_of(model: Any, x: Tensor, op: str) -> list[Call]:
    """The calls of the model's layers on x, in evaluation and without a graph."""
    named = leaves(model, op)
    with evaluating(model), no_grad(), watching(named) as calls:
        model(x)
    return calls


def numbered(calls: Sequence[Call]) -> dict[str, Tensor]:
    """The outputs of calls by name, the second of one layer as "name (2)", the third ..."""
    found: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for name, _, _, out in calls:
        counts[name] = counts.get(name, 0) + 1
        value = out[0] if isinstance(out, (tuple, list)) and out else out
        if isinstance(value, Tensor):
            found[name if counts[name] == 1 else f"{name} ({counts[name]})"] = value
    return found


def layer_outputs(model: Module, x: Tensor) -> dict[str, Tensor]:
    """The output of every layer (module without children) for a batch, in the order of calls.

    In evaluation, outside any graph. A layer that is called again has "name (2)" and so on as its
    next keys; outputs that are no tensors are left out, and of several the first counts.
    """
    outputs = numbered(calls_of(model, x, "layer_outputs"))
    return {name: out.detach() for name, out in outputs.items()}
