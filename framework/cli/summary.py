"""etude summary MODEL: layers, shapes, parameters, cost and memory, without allocating weights."""

from __future__ import annotations

from .. import models
from ..graph.summary import Summary, summarize
from .show import console, say, table

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def summary(model: str, size: tuple[int, ...] | None) -> int:
    """Print the table of a model's layers, for a batch of one; the exit code."""
    entry = models.entry(model)
    shape = size or entry.input_shape
    found = summarize(lambda: models.create(model), [(1, *shape)] * entry.inputs, entry.dtype)
    out = console()
    what = "input" if entry.inputs == 1 else f"{entry.inputs} inputs"
    say(out, f"{model}: {what} (N, {', '.join(map(str, shape))}); cost and memory for N = 1")
    say(out)
    rows = [
        (
            layer.name,
            layer.kind,
            f"(N, {', '.join(map(str, layer.shape[1:]))})",
            f"{layer.parameters:,}",
            amount(layer.flops),
            amount(layer.bytes),
        )
        for layer in found.layers
    ]
    headings = ["layer", "kind", "output", "parameters", "FLOPs", "bytes"]
    out.print(table(headings, rows, left=(0, 1, 2)))
    for line in totals(found):
        say(out, line)
    return 0


def totals(found: Summary) -> list[str]:
    """The lines under the table."""
    return [
        "",
        f"{found.parameters:,} parameters ({found.trainable:,} trainable), "
        f"{found.parameter_bytes / 1e6:.2f} MB",
        f"{amount(found.flops)}FLOPs forward (a multiply-add is two); "
        f"{amount(found.multiply_adds).strip()} multiply-adds in convolutions and products, "
        "as papers count",
        f"activations {found.activation_bytes / 1e6:.2f} MB if all are kept for a backward pass, "
        f"{found.peak_bytes / 1e6:.2f} MB at once in a forward pass alone",
    ]


def amount(n: int) -> str:
    """A count with three digits and a unit: 173 M."""
    for size, unit in UNITS:
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n} "
