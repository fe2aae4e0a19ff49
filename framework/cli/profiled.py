"""etude profile MODEL: where the time of its steps goes, on random images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import functional as F
from .. import models, optim
from ..autograd import no_grad
from ..checks import choice
from ..compile import compile as compile_
from ..creation import as_backend, use_backend
from ..models.catalog import classifier
from ..nn import Module
from ..ops.sampling import manual_seed, rand, randint
from ..profiling import profile
from ..profiling.report import GROUPS, ORDERS
from ..tensor import Tensor
from .show import console, say
from .threads import limit_threads

WARM_UP = 3  # steps before: what is made at first, and recorded
CLASSES = 10


def profiled(
    *,
    model: str,
    size: tuple[int, ...] | None,
    backend: str | None,
    batch_size: int,
    steps: int,
    seed: int,
    forward: bool,
    compiled: bool,
    by: str,
    sort_by: str,
    threads: int | None,
    out: str | None,
) -> int:
    """Print the table of a few steps, and write their trace; the exit code."""
    choice("profile", "by", by, GROUPS)
    choice("profile", "sort", sort_by, ORDERS)
    classifier(model, "profile")
    limit_threads(threads)
    engine = as_backend(backend)
    manual_seed(seed)
    with use_backend(engine):
        x = rand(batch_size, *(size or models.entry(model).input_shape))
        run = _step(models.create(model), x, randint(0, CLASSES, (batch_size,)), forward)
        step: Callable[[], Any] = compile_(run) if compiled else run
        for _ in range(WARM_UP):
            step()
        with profile() as p:
            for _ in range(steps):
                step()
    screen = console()
    what = "forward passes" if forward else "training steps"
    how = ", compiled" if compiled else ""
    say(screen, f"{steps} {what} of {model} on {engine.name}, input {x.shape}{how}\n")
    screen.print(p.table(by, sort_by), soft_wrap=True)
    if out is not None:
        say(screen, f"\n{p.save(out)}: open it at https://ui.perfetto.dev or chrome://tracing")
    return 0


def _step(net: Module, x: Tensor, y: Tensor, forward: bool) -> Callable[[], Any]:
    """A step of training, or a forward pass in evaluation mode."""
    if forward:
        net.eval()

        def only_forward() -> Any:
            with no_grad():
                return net(x)

        return only_forward
    optimizer = optim.Adam(net.parameters())

    def train() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return train
