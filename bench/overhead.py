"""What one operation costs beside its arithmetic: a chain of 100 additions of ten numbers."""

from __future__ import annotations

import etude

from .options import Options
from .report import Table, race_rows
from .timing import Competitor, Step, race

LENGTH = 100  # additions
SIZE = 10  # numbers
MICROSECOND = 1e-6


def run(options: Options) -> list[Table]:
    """One table for the recorded forward pass, one for forward and backward."""
    tables = []
    for title, pick in (("forward, recorded", 0), ("forward and backward", 1)):
        competitors = [
            Competitor(name, steps[pick], LENGTH) for name, steps in chains(options).items()
        ]
        race(competitors, options.rounds, options.say)
        peers = [c for c in competitors if c.name in options.peers]
        reference = peers[0] if peers else competitors[0]
        tables.append(
            Table(
                f"{LENGTH} additions of {SIZE} float32 numbers: {title}, microseconds each",
                ["", "median", "best", "spread", f"{reference.name}/this"],
                race_rows(competitors, reference, MICROSECOND),
            )
        )
    return tables


def chains(options: Options) -> dict[str, tuple[Step, Step]]:
    """For each competitor the two steps."""
    found = {f"etude {name}": _etude(name) for name in options.backends}
    for name in options.backends:
        found[f"etude {name}, compiled"] = _compiled(found[f"etude {name}"])
    if "torch" in options.peers:
        found["torch"] = _torch()
    found["numpy, no graph"] = _numpy()
    return found


def _etude(backend: str) -> tuple[Step, Step]:
    x = etude.ones(SIZE, backend=backend, requires_grad=True)
    step = etude.ones(SIZE, backend=backend)
    g = etude.ones(SIZE, backend=backend)

    def forward() -> etude.Tensor:
        y = x
        for _ in range(LENGTH):
            y = y + step
        return y

    def both() -> None:
        x.grad = None
        forward().backward(g)

    return forward, both


def _compiled(steps: tuple[Step, Step]) -> tuple[Step, Step]:
    forward, both = steps
    return etude.compile(forward), etude.compile(both)


def _torch() -> tuple[Step, Step]:
    import torch

    x = torch.ones(SIZE, requires_grad=True)
    step, g = torch.ones(SIZE), torch.ones(SIZE)

    def forward() -> torch.Tensor:
        y = x
        for _ in range(LENGTH):
            y = y + step
        return y

    def both() -> None:
        x.grad = None
        forward().backward(g)

    return forward, both


def _numpy() -> tuple[Step, Step]:
    import numpy as np

    x, step = np.ones(SIZE, np.float32), np.ones(SIZE, np.float32)

    def forward() -> None:
        y = x
        for _ in range(LENGTH):
            y = y + step

    return forward, forward
