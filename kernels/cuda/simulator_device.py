"""The simulator's stand-ins for `cuda`, numba's types and `math`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

WARP = 32


class KernelFault(RuntimeError):
    """A kernel did what it must not do."""


class Position:
    """threadIdx and its like: made once, and never changed."""

    __slots__ = ("x", "y", "z")

    def __init__(self, x: int, y: int, z: int) -> None:
        self.x, self.y, self.z = x, y, z

    def __repr__(self) -> str:
        return f"({self.x}, {self.y}, {self.z})"


class Now:
    """Which thread runs, and how many barriers it has passed."""

    def __init__(self) -> None:
        self.thread = self.block = self.epoch = 0
        self.stamp = 0, 0, 0, 0  # of the running thread: block, thread, barriers passed
        self.warp_epochs: list[int] = []
        self.threads: tuple[Position, ...] = ()
        self.arena: Any = None
        self.hub: Any = None  # the greenlet that threads give way to

    def start(self, grid: tuple[int, int, int], block: tuple[int, int, int], arena: Any) -> None:
        CUDA.gridDim, CUDA.blockDim = Position(*grid), Position(*block)
        self.threads = threads_of(block)
        self.warps = -(-len(self.threads) // WARP)
        self.arena = arena

    def enter_block(self, number: int, place: tuple[int, int, int]) -> None:
        self.block, self.epoch, self.warp_epochs = number, 0, [0] * self.warps
        CUDA.blockIdx = Position(*place)
        self.arena.enter_block()

    def enter_thread(self, number: int) -> None:
        self.thread = number
        self.stamp = self.block, number, self.epoch, self.warp_epochs[number // WARP]
        CUDA.threadIdx = self.threads[number]

    def pass_barrier(self) -> None:
        self.epoch += 1

    def where(self) -> str:
        """Block and thread as an error names them."""
        wide, high = CUDA.blockDim.x, CUDA.blockDim.y
        x, y, z = self.thread % wide, self.thread // wide % high, self.thread // (wide * high)
        return f"block {CUDA.blockIdx}, thread ({x}, {y}, {z})"


@cache
def threads_of(block: tuple[int, int, int]) -> tuple[Position, ...]:
    """threadIdx of each thread of a block, in order."""
    return tuple(Position(x, y, z) for z, y, x in product(*map(range, reversed(block))))


class Request(NamedTuple):
    """What a thread waits for: a barrier (no mask), or an operation of the lanes in `mask`."""

    name: str
    value: Any = None
    mask: int | None = None
    argument: int = 0
    combine: Callable[[list[Any]], Any] = lambda results: True


def meet(request: Request) -> Any:
    """Stop this thread until the others have come."""
    return now.hub.switch(request)


BARRIER = Request("cuda.syncthreads")


class Arrays:
    """cuda.shared and cuda.local."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def array(self, shape: Any, dtype: Any, alignment: int | None = None) -> Any:
        return now.arena.array(self.kind, shape, dtype)


class Cuda:
    """`cuda` in simulated kernels."""

    warpsize = WARP

    def __init__(self) -> None:
        self.threadIdx = self.blockIdx = self.blockDim = self.gridDim = Position(0, 0, 0)
        self.shared, self.local = Arrays("shared"), Arrays("local")

    @property
    def laneid(self) -> int:
        return now.thread % WARP

    def grid(self, axes: int) -> Any:
        here = [
            getattr(self.blockIdx, a) * getattr(self.blockDim, a) + getattr(self.threadIdx, a)
            for a in "xyz"[:axes]
        ]
        return here[0] if axes == 1 else tuple(here)

    def gridsize(self, axes: int) -> Any:
        size = [getattr(self.gridDim, a) * getattr(self.blockDim, a) for a in "xyz"[:axes]]
        return size[0] if axes == 1 else tuple(size)

    def syncthreads(self) -> None:
        meet(BARRIER)

    def syncthreads_count(self, predicate: Any) -> int:
        return meet(Request("cuda.syncthreads_count", bool(predicate), combine=sum))

    def syncthreads_and(self, predicate: Any) -> int:
        return meet(Request("cuda.syncthreads_and", bool(predicate), combine=_as_int(all)))

    def syncthreads_or(self, predicate: Any) -> int:
        return meet(Request("cuda.syncthreads_or", bool(predicate), combine=_as_int(any)))

    def threadfence(self) -> None:
        now.arena.fenced = True

    threadfence_block = threadfence_system = lambda self: None

    def syncwarp(self, mask: int = 0xFFFFFFFF) -> None:
        meet(Request("cuda.syncwarp", None, mask))

    def shfl_sync(self, mask: int, value: Any, lane: int) -> Any:
        return meet(Request("cuda.shfl_sync", value, mask, lane))

    def shfl_up_sync(self, mask: int, value: Any, delta: int) -> Any:
        return meet(Request("cuda.shfl_up_sync", value, mask, delta))

    def shfl_down_sync(self, mask: int, value: Any, delta: int) -> Any:
        return meet(Request("cuda.shfl_down_sync", value, mask, delta))

    def shfl_xor_sync(self, mask: int, value: Any, lanes: int) -> Any:
        return meet(Request("cuda.shfl_xor_sync", value, mask, lanes))

    def all_sync(self, mask: int, predicate: Any) -> bool:
        return meet(Request("cuda.all_sync", bool(predicate), mask))

    def any_sync(self, mask: int, predicate: Any) -> bool:
        return meet(Request("cuda.any_sync", bool(predicate), mask))

    def ballot_sync(self, mask: int, predicate: Any) -> int:
        return meet(Request("cuda.ballot_sync", bool(predicate), mask))

    def match_any_sync(self, mask: int, value: Any) -> int:
        return meet(Request("cuda.match_any_sync", value, mask))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return type(c)(np.longdouble(a) * np.longdouble(b) + np.longdouble(c))

    def popc(self, x: int) -> int:
        return (int(x) & 0xFFFFFFFF).bit_count()

    def clz(self, x: int) -> int:
        return 32 - (int(x) & 0xFFFFFFFF).bit_length()

    def ffs(self, x: int) -> int:
        return (int(x) & -int(x)).bit_length()

    def brev(self, x: int) -> int:
        return int(f"{int(x) & 0xFFFFFFFF:032b}"[::-1], 2)

    def selp(self, condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b


# The attributes of `cuda` at which the threads of a block wait for each other.
MEETINGS = {
    name for name in vars(Cuda) if name.endswith("_sync") or name.startswith(("syncw", "syncth"))
}

CUDA = Cuda()
now = Now()


def _as_int(combine: Callable[[list[Any]], bool]) -> Callable[[list[Any]], int]:
    return lambda results: int(combine(results))


def _signed(bits: int) -> Callable[[Any], int]:
    half, whole = 1 << bits - 1, 1 << bits
    return lambda x: (int(x) + half) % whole - half


TYPES = {
    "boolean": bool,
    "bool": bool,
    "int32": _signed(32),
    "int64": _signed(64),
    "uint32": lambda x: int(x) & 0xFFFFFFFF,
    "uint64": lambda x: int(x) & 0xFFFFFFFFFFFFFFFF,
    "float32": np.float32,
    "float64": np.float64,
}
DTYPES = {kind: name for name, kind in TYPES.items()}


def _ieee(name: str) -> Callable[..., Any]:
    """math.<name> that gives inf and nan where Python raises, in the argument's precision."""
    exact = getattr(math, name)
    array = getattr(np, {"pow": "power"}.get(name, name), None)

    def function(*arguments: Any) -> Any:
        first = arguments[0]
        kind = type(first) if isinstance(first, np.floating) else np.float64
        try:
            return kind(exact(*arguments))
        except (ValueError, OverflowError):
            if array is None:
                return kind("nan")
            return kind(array(*(np.float64(value) for value in arguments)))

    return function


class MathStandIn:
    """`math` as the device has it."""

    pi, e, inf, nan, tau = math.pi, math.e, math.inf, math.nan, math.tau
    isnan, isinf, isfinite = (
        staticmethod(getattr(math, f)) for f in ("isnan", "isinf", "isfinite")
    )


_FUNCTIONS = """
acos acosh asin asinh atan atan2 atanh copysign cos cosh erf erfc exp exp2 expm1 fabs fmod gamma
hypot ldexp lgamma log log10 log1p log2 pow sin sinh sqrt tan tanh
"""
for _name in _FUNCTIONS.split():
    setattr(MathStandIn, _name, staticmethod(_ieee(_name)))
for _name in ("ceil", "floor", "trunc"):
    setattr(MathStandIn, _name, staticmethod(getattr(np, _name)))
