"""What a CUDA kernel is: plain data, and the names that stand for the device in kernel code.

A kernel is a Python function that says what one thread does. It is written against the names below,
which mean nothing by themselves: `rewrite.py` swaps them for numba's when the function is compiled
and for the simulator's when it is simulated. So kernel files import no compiler.

Source: NVIDIA, "CUDA C++ Programming Guide", sections 2 (programming model) and 10 (language).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(frozen=True)
class Name:
    """A name that only has a meaning inside a kernel."""

    name: str

    def __call__(self, *_: Any) -> NoReturn:
        raise TypeError(f"[cuda] {self.name}(...) only has a meaning inside a kernel")


class Namespace:
    """`cuda` in kernel code: threadIdx, syncthreads, shared.array, shfl_down_sync, ..."""

    def __repr__(self) -> str:
        return "<the names of the device>"


cuda = Namespace()
boolean, int32, int64, uint32, uint64, float32, float64 = (
    Name(name) for name in ("boolean", "int32", "int64", "uint32", "uint64", "float32", "float64")
)
TYPES = {kind.name: kind for kind in (boolean, int32, int64, uint32, uint64, float32, float64)} | {
    "bool": boolean
}


@dataclass(frozen=True, eq=False)
class Device:
    """A helper of kernels that needs more than its Python source.

    `function` is compiled, or what `build()` makes of numba (an intrinsic, inline PTX) is called;
    the simulator runs `simulate` in its place, where there is one.
    """

    function: Callable[..., Any] | None = None
    build: Callable[[], Any] | None = None
    simulate: Callable[..., Any] | None = None

    def __call__(self, *_: Any) -> NoReturn:
        raise TypeError(f"[cuda] {self!r} only has a meaning inside a kernel")


def device(
    function: Callable[..., Any] | None = None,
    *,
    build: Callable[[], Any] | None = None,
    simulate: Callable[..., Any] | None = None,
) -> Any:
    """Mark a helper of kernels; plain functions need no mark.

    As `@device`, `@device(simulate=stand_in)`, or `load4 = device(build=make, simulate=stand_in)`.
    """
    if function is not None or build is not None:
        return Device(function, build, simulate)
    return lambda marked: Device(marked, None, simulate)


@dataclass(frozen=True)
class Kernel:
    """A kernel and how it is compiled.

    `signature` has an entry for each argument: "float32*" (a pointer to the first element),
    "int32", "float64", ... `block` is the threads per block it is written for (it may be launched
    with fewer), `blocks` how many should fit on a multiprocessor, `registers` a cap for each
    thread, `shared` the bytes of dynamic shared memory. `narrow` makes Python's float constants
    float32, `contract=False` forbids a*b+c in one rounding, `fastmath` allows approximate division
    and roots.
    """

    name: str
    function: Callable[..., None]
    signature: tuple[str, ...]
    block: tuple[int, int, int] = (256, 1, 1)
    shared: int = 0
    registers: int | None = None
    blocks: int | None = None
    narrow: bool = False
    contract: bool = True
    fastmath: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def threads(self) -> int:
        """Threads in a block."""
        return self.block[0] * self.block[1] * self.block[2]
