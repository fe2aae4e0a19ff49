"""The C backend: kernels/c through cffi. Families are in the files c_<family>.py."""

from __future__ import annotations

from typing import Any

from .base import Backend
from .c_conv import CConv
from .c_elementwise import CElementwise
from .c_fused import CFused
from .c_index import CIndex
from .c_layout import CLayout
from .c_library import isa, lib
from .c_matmul import CMatmul
from .c_memory import FORMAT, borrowed_block
from .c_norm import CNorm
from .c_optim import COptim
from .c_pool import CPool
from .c_random import CRandom
from .c_recurrent import CRecurrent
from .c_reduce import CReduce
from .c_softmax import CSoftmax
from .c_unfold import CUnfold
from .program import Loadable, Runner
from .tier1 import Buffer, Shape


class CBackend(
    CConv,
    CElementwise,
    CFused,
    CIndex,
    CLayout,
    CMatmul,
    CNorm,
    COptim,
    CPool,
    CRandom,
    CRecurrent,
    CReduce,
    CSoftmax,
    CUnfold,
    Backend,
):
    name = "c"
    isa = isa

    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        x = self.empty(shape, dtype)
        if x.size:
            x.bytes()[:] = data.cast("B") if data.c_contiguous else data.tobytes()
        return x

    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        return borrowed_block(data, shape, dtype) if data.nbytes else self.empty(shape, dtype)

    def to_host(self, x: Buffer) -> memoryview:
        values: memoryview = x.bytes().cast(FORMAT[x.dtype])
        return values.toreadonly()

    def dtype(self, x: Buffer) -> str:
        return x.dtype  # type: ignore[no-any-return]

    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        return x.view(shape)

    def arena(self, size: int) -> Any:
        return self.empty((size,), "bool")

    def in_arena(self, arena: Any, offset: int, shape: Shape, dtype: str) -> Buffer:
        return arena.part(offset, shape, dtype)

    def load(self, program: Loadable) -> Runner:
        """The program as one list of C calls (c_tape.py)."""
        from .c_tape import Tape
        from .c_tape_write import Untapeable

        try:
            return Tape(self, program)
        except Untapeable:
            return super().load(program)

    def set_threads(self, threads: int) -> None:
        lib.pool_set_threads(threads)

    def release_memory(self) -> None:
        lib.memory_release()
