"""What a model loses when parts of it are taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import functional as F
from ..checks import choice, real
from ..errors import ArgumentError, fail
from ..guard import came
from ..nn import Module
from ..ops.sampling import Generator, rand_like
from ..tensor import Tensor
from .canvas import colour, panels, style
from .inputs import evaluating, find_layer, leaves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Score = Callable[[Any], Any]  # of a model: a number, the higher the better


def layer_ablation(
    model: Module,
    score: Score,
    layers: Sequence[str | Sequence[str]] | None = None,
    how: str = "bypass",
) -> dict[str, float]:
    """The score of a trained model without some of its layers, which are not trained again.

    Args: score(model), a number such as the accuracy on test data; layers by name, or tuples of
    names to remove together; None for every layer with weights, one at a time; how: "bypass" hands
    a layer's input on as its output (their shapes must be the same), "silence" gives zeros.
    Returns: the scores by the names of what was removed ("conv1 + conv2"), after "all layers".
    Raises: ArgumentError for an unknown layer, or one that cannot be bypassed.
    Source: Zeiler & Fergus 2014, section 4.3 (who train again); Veit et al. 2016 (who do not).
    Decks: D3
    """
    op = "layer_ablation"
    choice(op, "how", how, ("bypass", "silence"))
    named = leaves(model, op)
    if layers is None:
        layers = [name for name, module in named.items() if list(module.parameters())]

    def removed(name: str) -> Callable[..., Tensor]:
        def change(module: Module, args: tuple[Any, ...], out: Any) -> Tensor:
            if how == "silence":
                return out * 0.0  # type: ignore[no-any-return]
            if args[0].shape != out.shape:
                raise fail(
                    ArgumentError,
                    op,
                    f"expected layers that keep their input's shape, got {name!r} from "
                    f"{args[0].shape} to {out.shape}; name others, or use how='silence'",
                )
            return args[0]  # type: ignore[no-any-return]

        return change

    with evaluating(model):
        found = {"all layers": float(score(model))}
        for entry in layers:
            group = [entry] if isinstance(entry, str) else list(entry)
            parts = [(name, find_layer(model, name, op)) for name in group]
            handles = [m.register_forward_hook(removed(name)) for name, m in parts]
            try:
                found[" + ".join(group)] = float(score(model))
            finally:
                for handle in handles:
                    handle.remove()
    return found


def dropout_ablation(
    model: Module,
    score: Score,
    rates: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, list[float]]:
    """The score when a part of a layer's outputs is set to zero at random, in evaluation.

        y <- m y / (1 - p),  m = 0 with probability p

    A model trained with dropout loses less.

    Args: score(model), a number; rates p in [0, 1); layers by name, None for all with weights but
    the last (whose outputs are the model's).
    Returns: for each layer its scores, one for each rate.
    Source: Srivastava et al. 2014; Morcos et al. 2018, section 3 (cumulative ablation). Decks: D0,
    D3, D4
    """
    op = "dropout_ablation"
    for p in rates:
        real(op, "rates", p, 0.0, 1.0, ")")
    if layers is None:
        weighted = [n for n, m in leaves(model, op).items() if list(m.parameters())]
        layers = weighted[:-1]
    found: dict[str, list[float]] = {}
    with evaluating(model):
        for name in layers:
            module, scores = find_layer(model, name, op), []
            for p in rates:
                with module.register_forward_hook(_dropping(p, Generator(seed))):
                    scores.append(float(score(model)))
            found[name] = scores
    return found


def _dropping(p: float, generator: Generator) -> Callable[..., Tensor]:
    def change(module: Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        keep = rand_like(out, generator=generator) >= p
        kept: Tensor = F.where(keep, out * (1.0 / (1.0 - p)), 0.0)
        return kept

    return change


def plot_ablation(
    scores: Mapping[str, float | Sequence[float]], label: str = "accuracy (fraction right)"
) -> Figure:
    """Bars of the scores of a model and of its variants; the first is the whole model.

    Args: scores by name, as `layer_ablation` gives them, or of models trained anew; several of one
    variant (one for each seed) give the bar their mean and a line from least to most.
    Returns: Figure; each bar says how far it is below the first.
    Source: Zeiler & Fergus 2014, table 3. Decks: D3
    """
    if not isinstance(scores, Mapping) or not scores:
        raise fail(
            ArgumentError,
            "plot_ablation",
            f"expected scores by name, got {came(scores)}; use {{'all layers': 0.98, ...}}",
        )
    several = {n: list(s) if isinstance(s, Sequence) else [s] for n, s in scores.items()}
    means = [sum(s) / len(s) for s in several.values()]
    figure, (ax,) = panels(1, 1, (6.0, 0.8 + 0.36 * len(means)), "Parts removed")
    places = range(len(means))
    ax.barh(places, means, color=[colour(0), *[colour(5)] * (len(means) - 1)])
    for i, (mean, group) in enumerate(zip(means, several.values(), strict=True)):
        if len(group) > 1:
            ax.plot([min(group), max(group)], [i, i], color="black", linewidth=1.5)
        gap = "" if i == 0 else f" ({mean - means[0]:+.3g})"
        ax.annotate(f"{mean:.3g}{gap}", (max([mean, *group]), i), (4, 0),
                    textcoords="offset points", va="center", fontsize="small")  # fmt: skip
    ax.set_yticks(places, list(several))
    ax.invert_yaxis()
    ax.set_xlabel(label)
    ax.margins(x=0.25)
    return figure


def plot_dropout_ablation(
    curves: Mapping[str, Sequence[float]],
    rates: Sequence[float],
    label: str = "accuracy (fraction right)",
) -> Figure:
    """The score by the part of outputs dropped, a curve for each layer (or model).

    Args: curves as `dropout_ablation` gives them, for these rates.
    Returns: Figure. Source: Srivastava et al. 2014. Decks: D0, D3, D4
    """
    for name, values in curves.items():
        if len(values) != len(rates):
            raise fail(
                ArgumentError,
                "plot_dropout_ablation",
                f"expected a score for each of {len(rates)} rates, got {len(values)} for {name!r}; "
                "pass the rates that dropout_ablation was called with",
            )
    figure, (ax,) = panels(1, 1, (5.0, 3.6), "Outputs of a layer dropped at random")
    for i, (name, values) in enumerate(curves.items()):
        ax.plot(rates, values, style(i), marker="o", markersize=4, color=colour(i), label=name)
    ax.set(xlabel="part of the outputs that is dropped", ylabel=label)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return figure
