"""etude summary MODEL: layers, shapes, parameters."""

from __future__ import annotations

from .. import models
from ..models.summary import summary as layers
from .show import console, say, table


def summary(model: str, size: tuple[int, ...] | None) -> int:
    """Print the table of a model's layers; the exit code."""
    built = models.create(model)
    shape = size or models.entry(model).input_shape
    rows = layers(built, shape)
    out = console()
    say(out, f"{model}: input (N, {', '.join(map(str, shape))})")
    say(out)
    out.print(
        table(
            ["layer", "kind", "output", "parameters"],
            [
                (r.name, r.layer, f"(N, {', '.join(map(str, r.output[1:]))})", f"{r.parameters:,}")
                for r in rows
            ],
            left=(0, 1, 2),
        )
    )
    total = sum(p.numel() for p in built.parameters())
    size_mb = sum(p.numel() * p.dtype.itemsize for p in built.parameters()) / 1e6
    say(out, f"\n{total:,} parameters, {size_mb:.2f} MB")
    return 0
