"""The contract between the core and its backends.

`Tier1` (tier1.py) is abstract: what every backend writes. Tier 2 (defaults/, one family a file) is
concrete: structured operations composed from Tier 1. **A fast kernel is an overridden Tier 2
method and nothing else**: no flag, no hook, no query of capabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .arena import place
from .defaults.conv import ConvDefaults
from .defaults.fused import FusedDefaults
from .defaults.layout import row_major
from .defaults.linear_optim import LinearOptimDefaults
from .defaults.loss import LossDefaults
from .defaults.norm import NormDefaults
from .defaults.pool import PoolDefaults
from .defaults.sampling import SamplingDefaults, words_per_number
from .defaults.sequence import SequenceDefaults
from .defaults.softmax import SoftmaxDefaults
from .expression import Constant, Expression, Register, Step
from .lanes import able, batches, in_lanes, made
from .program import (
    IN_PLACE,
    RANDOM,
    Formula,
    Instruction,
    Knob,
    Loadable,
    Part,
    Plan,
    Runner,
    Value,
)
from .replay import replay
from .tier1 import Buffer, Number, Pairs, Shape, Tier1, window_count

__all__ = [
    "IN_PLACE",
    "RANDOM",
    "Backend",
    "Buffer",
    "Constant",
    "Expression",
    "Formula",
    "Instruction",
    "Knob",
    "Number",
    "Pairs",
    "Part",
    "Plan",
    "Runner",
    "Register",
    "Shape",
    "Step",
    "Tier1",
    "Value",
    "able",
    "batches",
    "in_lanes",
    "made",
    "place",
    "row_major",
    "window_count",
    "words_per_number",
]


class Backend(
    ConvDefaults,
    FusedDefaults,
    NormDefaults,
    PoolDefaults,
    SoftmaxDefaults,
    LinearOptimDefaults,
    LossDefaults,
    SequenceDefaults,
    SamplingDefaults,
):
    """A way to carry the operations out. Subclasses write Tier 1 and override Tier 2 for speed."""

    observe: Callable[[Any, Any, Any], None] | None = None  # told (op, inputs, outputs) of each op
    device: tuple[int, int] = (1, 0)  # where buffers are, in DLPack's numbers: host memory

    @property
    def compile_seconds(self) -> float:
        """What compiling kernels or loading them took in this process; 0 where they are ready."""
        return 0.0

    def set_threads(self, threads: int) -> None:
        """Use this many threads from now on; nothing where a backend has none of its own."""

    def release_memory(self) -> None:
        """Give memory that is kept for later buffers back to the system; nothing if none is."""

    def lend(self, x: Buffer, stream: Any = None) -> Any:
        """A DLPack capsule over a buffer outside host memory; `stream` is who will use it."""
        raise NotImplementedError

    def borrow(self, other: Any) -> Buffer:
        """A buffer over the memory of another library's array on the same device."""
        raise NotImplementedError

    def interface(self, x: Buffer) -> dict[str, Any]:
        """What __cuda_array_interface__ says of a buffer."""
        raise NotImplementedError

    def load(self, program: Loadable) -> Runner:
        """Prepare a recorded program: runner(given, key, counter) returns its results."""
        return replay(self, program)

    def arena(self, size: int) -> Any:
        """Memory of `size` bytes into which `in_arena` lays buffers; as it is, one for each."""
        return {}

    def in_arena(self, arena: Any, offset: int, shape: Shape, dtype: str) -> Buffer:
        """The buffer at a byte offset; its values last until one that overlaps it is written."""
        key = offset, shape, dtype
        if key not in arena:
            arena[key] = self.empty(shape, dtype)
        return arena[key]

    def __repr__(self) -> str:
        return f"<backend {self.name}>"
