"""The C backend: kernels/c through cffi. Families are in the files c_<family>.py."""

from __future__ import annotations

from .base import Backend
from .c_library import isa
from .c_memory import FORMAT, borrowed_block, new_block
from .tier1 import Buffer, Shape


class CBackend(Backend):
    name = "c"
    isa = isa

    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        x = new_block(shape, dtype)
        if x.size:
            x.bytes()[:] = data.cast("B") if data.c_contiguous else data.tobytes()
        return x

    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        return borrowed_block(data, shape, dtype)

    def to_host(self, x: Buffer) -> memoryview:
        return x.bytes().cast(FORMAT[x.dtype]).toreadonly()

    def dtype(self, x: Buffer) -> str:
        return x.dtype  # type: ignore[no-any-return]

    def empty(self, shape: Shape, dtype: str) -> Buffer:
        return new_block(shape, dtype)

    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        return x.view(shape)  # type: ignore[no-any-return]
