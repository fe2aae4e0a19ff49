"""The passes: functions Program -> Program that make a recorded program faster, or smaller.

PASSES names them in the order in which they run. A pass that `reorders` may round differently,
because another kernel or another order of additions gives the result; without those, results are
equal to the bit to eager ones on the same backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from etude.backends.base import Backend

from ...graph.program import Program
from .common import common
from .cross_entropy import cross_entropy
from .dead import dead
from .early import early
from .epilogue import epilogue, scales
from .fold import fold
from .fuse import fuse, reductions
from .lanes import lanes
from .memory import plan
from .norms import norms
from .optimizer import optimizer
from .pools import pools
from .recompute import recompute
from .transposes import copies, transposes


class Pass(NamedTuple):
    """A pass: its function, whether it may round differently, and what it does in plain words."""

    function: Callable[..., Program]
    reorders: bool
    does: str


PASSES = {
    "copies": Pass(copies, False, "drop copies and reshapes that change nothing"),
    "transposes": Pass(
        transposes, True, "let products read operands where they lie, rows for columns"
    ),
    "scales": Pass(scales, True, "take batch norm after training into the weights before it"),
    "fold": Pass(fold, False, "settle what is known before the first run"),
    "common": Pass(common, False, "compute what is computed twice only once"),
    "dead": Pass(dead, False, "drop what nobody reads"),
    "pools": Pass(pools, False, "take relu after max pooling, where there is less of it"),
    "cross_entropy": Pass(cross_entropy, True, "make log-softmax and the pick of labels one call"),
    "epilogue": Pass(epilogue, False, "take bias and activation into the product before them"),
    "norms": Pass(norms, False, "take relu and the sum before it into batch norm"),
    "fuse": Pass(fuse, False, "make elementwise functions that follow one another one call"),
    "reductions": Pass(reductions, True, "take sums of elementwise results into their call"),
    "optimizer": Pass(optimizer, False, "move all parameters in one call"),
    "early": Pass(early, False, "let weights step while their gradient is in the cache"),
    "recompute": Pass(recompute, False, "make values again rather than keep them"),
    "lanes": Pass(lanes, True, "let NumPy lay the examples of a batch side by side"),
    "memory": Pass(plan, False, "give each value its place in memory"),
}
EXACT = tuple(name for name, p in PASSES.items() if not p.reorders)


def stages(
    program: Program,
    backend: Backend | None = None,
    names: Iterable[str] | None = None,
    budget: int | None = None,
) -> Iterator[tuple[str, Program]]:
    """The name of each pass and the program after it, in order.

    names: the passes to run, all if None. backend: where work on constants is done, before the
    first run; without one it stays in the program. budget: bytes for `recompute`, which without one
    does nothing.
    """
    chosen = set(PASSES if names is None else names) - ({"recompute"} if budget is None else set())
    given: dict[str, Any] = {"fold": {"backend": backend}, "recompute": {"budget": budget}}
    for name, p in PASSES.items():
        if name in chosen:
            program = p.function(program, **given.get(name, {}))
            yield name, program


def optimize(
    program: Program,
    backend: Backend | None = None,
    names: Iterable[str] | None = None,
    budget: int | None = None,
) -> Program:
    """The program after the last of `stages`."""
    return [program, *(p for _, p in stages(program, backend, names, budget))][-1]
