"""Optimizers on surfaces of two variables, where one can watch them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from .. import functional as F
from ..autograd import enable_grad
from ..checks import choice, whole
from ..creation import linspace, tensor
from ..errors import ArgumentError, fail
from ..guard import came
from ..optim import SGD, Adagrad, Adam, Optimizer, RMSprop
from ..sweep import grad
from ..tensor import Tensor
from .canvas import array, colour, panels, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-16  # heights below it are rounding
Function = Callable[[Tensor, Tensor], Tensor]
Maker = Callable[[list[Tensor]], Optimizer]


@dataclass(frozen=True)
class Surface:
    """f(x, y), elementwise; a start; the minimum, if there is one; the window (x0, x1, y0, y1)."""

    function: Function
    start: tuple[float, float]
    minimum: tuple[float, float] | None
    window: tuple[float, float, float, float]


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """(1 - x)^2 + 100 (y - x^2)^2: a bent valley with its minimum 0 at (1, 1). Rosenbrock 1960."""
    return (1.0 - x) ** 2 + (y - x * x) ** 2 * 100.0


def quadratic(x: Tensor, y: Tensor, condition: float = 20.0) -> Tensor:
    """(x^2 + condition y^2) / 2: a long valley, whose curvatures are 1 and `condition`."""
    return (x * x + y * y * condition) * 0.5


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """x^2 - y^2 + y^4 / 4: flat at the saddle (0, 0), minima -1 at (0, +-sqrt 2)."""
    return x * x - y * y + y**4 * 0.25


def beale(x: Tensor, y: Tensor) -> Tensor:
    """(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2: plateaus and cliffs.

    Its minimum 0 is at (3, 0.5). Beale 1958.
    """
    terms = ((1.5, y), (2.25, y * y), (2.625, y**3))
    first, second, third = ((c - x + x * p) ** 2 for c, p in terms)
    return first + second + third


SURFACES = {
    "rosenbrock": Surface(rosenbrock, (-1.5, 2.0), (1.0, 1.0), (-2.0, 2.0, -1.0, 3.0)),
    "quadratic": Surface(quadratic, (-9.0, 1.5), (0.0, 0.0), (-10.0, 2.0, -2.5, 2.5)),
    "saddle": Surface(saddle, (1.5, 0.001), (0.0, 2.0**0.5), (-2.0, 2.0, -2.2, 2.2)),
    "beale": Surface(beale, (1.0, 1.5), (3.0, 0.5), (-0.5, 4.0, -1.0, 2.0)),
}
RACERS: dict[str, dict[str, Maker]] = {
    "rosenbrock": {
        "SGD": lambda p: SGD(p, 0.001),
        "momentum 0.9": lambda p: SGD(p, 0.0005, momentum=0.9),
        "RMSProp": lambda p: RMSprop(p, 0.02),
        "Adam": lambda p: Adam(p, 0.1),
    },
    "quadratic": {
        "SGD": lambda p: SGD(p, 0.095),
        "momentum 0.6": lambda p: SGD(p, 0.09, momentum=0.6),
        "Nesterov 0.6": lambda p: SGD(p, 0.05, momentum=0.6, nesterov=True),
        "AdaGrad": lambda p: Adagrad(p, 1.0),
        "Adam": lambda p: Adam(p, 0.4),
    },
    "saddle": {
        "SGD": lambda p: SGD(p, 0.05),
        "momentum 0.9": lambda p: SGD(p, 0.02, momentum=0.9),
        "RMSProp": lambda p: RMSprop(p, 0.03),
        "Adam": lambda p: Adam(p, 0.1),
    },
    "beale": {
        "SGD": lambda p: SGD(p, 0.005),
        "momentum 0.9": lambda p: SGD(p, 0.002, momentum=0.9),
        "AdaGrad": lambda p: Adagrad(p, 0.5),
        "Adam": lambda p: Adam(p, 0.15),
    },
}


def find_surface(op: str, surface: Surface | str) -> Surface:
    """A surface, or the one of a name."""
    if isinstance(surface, Surface):
        return surface
    return SURFACES[choice(op, "surface", surface, SURFACES)]


def race(
    surface: Surface | str,
    optimizers: Mapping[str, Maker],
    steps: int = 100,
    start: Sequence[float] | None = None,
    backend: Any = None,
) -> dict[str, Tensor]:
    """The paths of optimizers over a surface, each from the same start.

    Args: surface, one of SURFACES by name or one of your own; optimizers: by name, what makes each
    from the list of its one parameter, a point (2,): {"SGD": lambda p: optim.SGD(p, lr=0.1)};
    steps of each; start (x, y), by default the surface's.
    Returns: by name a path (steps + 1, 2) float64, shorter where an optimizer left for infinity.
    Source: lecture only. Decks: D0, D2, D4
    """
    op = "race"
    ground = find_surface(op, surface)
    first = list(ground.start if start is None else start)
    if len(first) != 2 or not isinstance(optimizers, Mapping) or not optimizers:
        raise fail(
            ArgumentError,
            op,
            "expected a start (x, y), and optimizers as a dict from names to functions, "
            f"got {came(start)} and {came(optimizers)}; "
            "use {'SGD': lambda p: etude.optim.SGD(p, lr=0.1)}",
        )
    found = {}
    for name, make in optimizers.items():
        p = tensor([float(v) for v in first], dtype="float64", backend=backend).requires_grad_()
        optimizer = make([p])
        path = [p.detach().clone()]
        for _ in range(whole(op, "steps", steps)):
            with enable_grad():
                height = ground.function(p[0], p[1])
            (p.grad,) = grad(height, p)
            optimizer.step()
            if not all(map(isfinite, p.tolist())):
                break
            path.append(p.detach().clone())
        found[name] = F.stack(path)
    return found


def plot_race(
    surface: Surface | str = "quadratic",
    optimizers: Mapping[str, Maker] | None = None,
    steps: int = 100,
    start: Sequence[float] | None = None,
) -> Figure:
    """Optimizers on a surface of two variables: their paths, and the height by the step.

    Args: as for `race`; optimizers None stands for those that suit a surface of SURFACES.
    Returns: Figure: contours with the paths (circle: start, star: minimum), and f on a log scale.
    Decks: D0, D2, D4
    """
    ground = find_surface("plot_race", surface)
    if optimizers is None:
        optimizers = RACERS[surface if isinstance(surface, str) else "quadratic"]
    paths = race(ground, optimizers, steps, start)
    title = surface if isinstance(surface, str) else "a race"
    figure, (left, right) = panels(1, 2, (5.6, 4.0), f"Optimizers on {title}, {steps} steps")
    lowest = _contours(left, ground)
    for i, (name, path) in enumerate(paths.items()):
        points = array(path)
        left.plot(points[:, 0], points[:, 1], style(i), color=colour(i), label=name,
                  marker=".", markersize=4, linewidth=1.2)  # fmt: skip
        heights = array(ground.function(path[:, 0], path[:, 1])) - lowest
        heights[heights < FLOOR] = float("nan")
        right.plot(range(len(heights)), heights, style(i), color=colour(i), label=name)
    left.plot(*array(next(iter(paths.values())))[0], "o", color="black", markersize=7)
    if ground.minimum is not None:
        left.plot(*ground.minimum, "*", color="black", markersize=12)
    x0, x1, y0, y1 = ground.window
    left.set(xlim=(x0, x1), ylim=(y0, y1), xlabel="x", ylabel="y")
    right.set(xlabel="step", ylabel="f(x, y) above the minimum", yscale="log")
    right.grid(alpha=0.3)
    right.legend(frameon=False)
    return figure


def _contours(ax: Any, ground: Surface) -> float:
    """Draw lines of equal height, evenly on a log scale above the minimum, which is returned."""
    import numpy as np

    x0, x1, y0, y1 = ground.window
    across, up = linspace(x0, x1, 121, dtype="float64"), linspace(y0, y1, 121, dtype="float64")
    heights = array(ground.function(across.reshape(1, -1), up.reshape(-1, 1)))
    lowest = float(heights.min())
    if ground.minimum is not None:
        x, y = (tensor(v, dtype="float64") for v in ground.minimum)
        lowest = float(ground.function(x, y))
    above = np.log10(heights - lowest + 1e-3)
    ax.contour(array(across), array(up), above, levels=18, cmap="Greys", alpha=0.55, linewidths=0.8)
    return lowest
