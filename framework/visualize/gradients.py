"""How large the gradients are from layer to layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

from ..autograd import enable_grad
from ..errors import ArgumentError, fail
from ..guard import came
from ..nn import Module
from ..sweep import grad
from ..tensor import Tensor
from .canvas import colour, panels, style
from .inputs import leaves, numbered, watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Loss = Callable[[Any], Tensor]  # of a model


def gradient_norms(model: Module, loss: Loss) -> tuple[dict[str, float], dict[str, float]]:
    """How far the loss reaches back: norms of its gradients by weight and by layer output.

        ||dL/dW||_2 / sqrt(number of elements), and the same of dL/dy for each layer's output y

    (root mean square, so that layers of different sizes compare.)

    Args: model; loss(model), a 0-d tensor, called once, with hooks on the layers.
    Returns: two dicts in the order of the forward pass: by the name of each weight of two axes or
    more, and by the name of each layer ("name (2)" for its second call). `.grad` stays as it is.
    Raises: ArgumentError if the loss is no scalar, or does not depend on the model.
    Source: Bengio, Simard & Frasconi 1994; Glorot & Bengio 2010, figure 7. Decks: D0, D1, D3
    """
    op = "gradient_norms"
    weights = {n: p for n, p in model.named_parameters() if len(p.shape) > 1 and p.requires_grad}
    with enable_grad(), watching(leaves(model, op)) as calls:
        value = loss(model)
    if not isinstance(value, Tensor) or value.shape != () or not value.requires_grad:
        raise fail(
            ArgumentError,
            op,
            f"expected loss(model) as a 0-d tensor that depends on the model, got {came(value)}; "
            "use e.g. lambda model: F.cross_entropy(model(x), y)",
        )
    outputs = {
        name: out
        for name, out in numbered(calls).items()
        if out.requires_grad and out.node is not None
    }
    found = grad(value, [*weights.values(), *outputs.values()], allow_unused=True)
    sizes = [0.0 if g is None else sqrt(float((g * g).mean())) for g in found]
    by_weight = dict(zip(weights, sizes, strict=False))
    return by_weight, dict(zip(outputs, sizes[len(weights) :], strict=True))


def plot_gradient_norms(models: Module | Mapping[str, Module], loss: Loss) -> Figure:
    """The size of the loss's gradient at each layer, on a log scale: a vanishing one falls to the
    left, an exploding one rises.

    Args: models by name, or one; loss(model) as for `gradient_norms`.
    Returns: Figure with the root mean square of dL/dW of each layer and of dL/dy of each output.
    Decks: D0, D1, D3
    """
    named = dict(models) if isinstance(models, Mapping) else {"": models}
    norms = {name: gradient_norms(model, loss) for name, model in named.items()}
    figure, axes = panels(1, 2, (5.5, 3.8), "Gradients from the input to the loss")
    for part, (ax, what) in enumerate(zip(axes, ("weights W", "layer outputs y"), strict=True)):
        longest: list[str] = []
        for i, (name, both) in enumerate(norms.items()):
            shown = both[part]
            longest = max(longest, list(shown), key=len)
            values = [v or float("nan") for v in shown.values()]
            ax.plot(
                range(len(values)), values, style(i), marker="o", markersize=4, color=colour(i),
                label=name,
            )  # fmt: skip
        few = len(longest) <= 24
        every = range(len(longest)) if few else range(0, len(longest), len(longest) // 12)
        ax.set_xticks(every, [longest[i] for i in every], rotation=60, ha="right", fontsize="small")
        letter = what[-1]
        ax.set(yscale="log", title=what, ylabel=f"root mean square of dL/d{letter}")
        ax.grid(alpha=0.3)
        if any(norms):
            ax.legend(frameon=False)
    return figure
