"""A GAN in one dimension, where its densities and its discriminator can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

from .. import functional as F
from ..autograd import no_grad
from ..checks import real
from ..checks import tensor as expect_tensor
from ..creation import linspace
from ..errors import ArgumentError, ShapeError, fail
from ..guard import came
from ..tensor import Tensor
from .canvas import array, colour, grid_shape, panels
from .inputs import evaluating

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[[Tensor], Tensor]


class GanSnapshot(NamedTuple):
    """Places x (G,), the densities p_data and p_g there, D, D*, and some z with their G(z)."""

    x: Tensor
    data: Tensor
    generated: Tensor
    discriminator: Tensor
    optimal: Tensor
    z: Tensor
    images: Tensor


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """D*(x) = p_data(x) / (p_data(x) + p_g(x)), and 1/2 where both are 0.

    The best discriminator against a fixed generator.
    Source: Goodfellow et al. 2014, proposition 1. Decks: D4
    """
    total = p_data + p_g
    some = total > 0
    best: Tensor = F.where(some, p_data / F.where(some, total, 1.0), 0.5)
    return best


def density(samples: Tensor, x: Tensor, width: float | None = None) -> Tensor:
    """The density of samples (N,) at places x (G,): the mean of Gaussians around the samples.

    Args: width, their deviation; by default Silverman's 1.06 s N^(-1/5).
    Returns: (G,). Source: Silverman 1986, section 3.4.
    """
    op = "density"
    points = expect_tensor(op, "samples", samples).detach().reshape(-1)
    count = len(points)
    if not count:
        raise fail(ArgumentError, op, "expected one sample or more, got none; draw some")
    if width is None:
        spread = float(((points - points.mean()) ** 2).mean()) ** 0.5
        width = 1.06 * spread * count**-0.2 or 1e-3
    real(op, "width", width, 0.0, open_ends="(")
    gap = (x.detach().reshape(-1, 1) - points.reshape(1, -1)) * (1.0 / width)
    return F.exp(gap * gap * -0.5).mean(1) * (1.0 / (width * sqrt(2.0 * pi)))


def gan_snapshot(
    generator: Function,
    discriminator: Function,
    z: Tensor,
    p_data: Function,
    low: float = -4.0,
    high: float = 4.0,
    points: int = 201,
    logits: bool = False,
    width: float | None = None,
) -> GanSnapshot:
    """What a GAN of one dimension is at a moment of its training, to be drawn later.

    Args: generator from z (N, Z) to x (N, 1); discriminator from (N, 1) to (N, 1), probabilities
    that x is real, or their logits if `logits`; z, noise from the prior, many draws for a smooth
    p_g; p_data, the density of the data as a function of x (G,); low ... high, the window;
    width of the kernels that estimate p_g.
    Returns: GanSnapshot. Raises: ShapeError.
    Source: Goodfellow et al. 2014, figure 1. Decks: D4
    """
    op = "gan_snapshot"
    noise: Tensor = expect_tensor(op, "z", z)
    x = linspace(low, high, points, dtype=noise.dtype, backend=noise.backend)
    with evaluating(generator, discriminator), no_grad():
        made, seen = generator(noise), discriminator(x.reshape(-1, 1))
        for name, t, n in (("generator", made, len(noise)), ("discriminator", seen, points)):
            if not isinstance(t, Tensor) or t.numel() != n:
                raise fail(
                    ShapeError,
                    op,
                    f"expected a {name} that gives ({n}, 1) for {n} rows, got {came(t)}; "
                    "this view is for data of one dimension",
                )
        judged = F.sigmoid(seen) if logits else seen
        real_density = p_data(x)
        fake = density(made, x, width)
    best = optimal_discriminator(real_density, fake)
    first = noise.reshape(len(noise), -1)[:, 0]
    return GanSnapshot(x, real_density, fake, judged.reshape(-1), best, first, made.reshape(-1))


def plot_gan_steps(
    snapshots: Mapping[str, GanSnapshot] | Sequence[GanSnapshot], lines: int = 30
) -> Figure:
    """A GAN's training in one dimension, a panel for each moment.

    Above: the densities of the data (dotted) and of the generator (solid), the discriminator D
    (dashed) and the best one, D* (pale). Below: where the generator sends the noise, z to G(z).
    Training ends with p_g = p_data and D = 1/2 everywhere.

    Args: snapshots by title, or in a list; lines, how many z are followed.
    Returns: Figure. Source: Goodfellow et al. 2014, figure 1. Decks: D4
    """
    if not snapshots:
        raise fail(
            ArgumentError,
            "plot_gan_steps",
            "expected one snapshot or more, got none; make them with gan_snapshot",
        )
    if not isinstance(snapshots, Mapping):
        snapshots = {f"moment {i + 1}": s for i, s in enumerate(snapshots)}
    rows, columns = grid_shape(len(snapshots), 4)
    figure, axes = panels(rows, columns, (3.6, 3.6))
    for ax, (title, s) in zip(axes, snapshots.items(), strict=False):
        x = array(s.x)
        ax.plot(x, array(s.data), ":", color="black", linewidth=2, label="p_data")
        ax.plot(x, array(s.generated), "-", color=colour(2), label="p_g")
        ax.plot(x, array(s.optimal), "-", color=colour(0), alpha=0.3, linewidth=4, label="D*")
        ax.plot(x, array(s.discriminator), "--", color=colour(0), label="D")
        top = max(1.05, 1.05 * float(s.data.max()), 1.05 * float(s.generated.max()))
        low, high = float(x[0]), float(x[-1])
        order = sorted(zip(s.z.tolist(), s.images.tolist(), strict=True))
        least, most = order[0][0], order[-1][0]
        for z, image in order[:: max(len(order) // lines, 1)]:
            at = low + (z - least) / ((most - least) or 1.0) * (high - low)
            if low <= image <= high:
                ax.plot([at, image], [-0.4, -0.08], color="0.6", linewidth=0.6)
        for level in (-0.08, -0.4):
            ax.axhline(level, color="black", linewidth=0.8)
        ax.set(title=title, xlim=(low, high), ylim=(-0.45, top), xlabel="x above, z below")
        ax.set_yticks([0.0, 0.5, 1.0])
    lines_of, names = axes[0].get_legend_handles_labels()
    figure.legend(lines_of, names, loc="outside upper center", ncols=4, frameon=False)
    axes[0].set_ylabel("density; D(x)")
    for ax in axes[len(snapshots) :]:
        ax.axis("off")
    return figure
