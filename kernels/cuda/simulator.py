"""Kernels on the processor, thread by thread: what they compute and what they must not do.

    for each block of the grid:
        for each thread of the block:  run it to its next barrier or warp operation, or its end
        let those go on whose barrier every thread, or whose operation every lane, has reached

A kernel without such meeting points is a plain call for each thread; with them a thread is a
greenlet. What a device would pass over in silence is an error here, with kernel, block and thread:
an index outside a buffer, a barrier that some threads miss, two threads that meet in memory with no
barrier between them. Memory that nobody has written holds nan (`simulator_memory.py`). Threads run
backwards in every other block, so nothing can rest on their order. Numbers follow the device, not
Python: 1/0 is inf, int32(x) wraps, arguments fit their types; but plain int arithmetic never
overflows here.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from functools import cache
from itertools import product
from types import FunctionType
from typing import Any

import numpy as np

from .plan import NUMBERS
from .rewrite import Target, clone, uses
from .simulator_device import BARRIER, CUDA, MEETINGS, TYPES, KernelFault, MathStandIn, Request, now
from .simulator_memory import Arena, view
from .simulator_warp import answers
from .spec import Device, Kernel

__all__ = ["KernelFault", "run"]


class SimulatorTarget(Target):
    """Names as the simulator's own objects."""

    cuda = CUDA
    types = TYPES

    def helper(self, function: FunctionType) -> Any:
        return clone(function, self)

    def device(self, helper: Device) -> Any:
        function = helper.simulate or helper.function
        if function is None:
            raise TypeError(f"[cuda] {helper} has no stand-in for the simulator")
        return clone(function, self) if isinstance(function, FunctionType) else function

    def math(self, name: str) -> Any:
        return getattr(MathStandIn, name) if name else MathStandIn


TARGET = SimulatorTarget()
GRID = 2**31 - 1, 65535, 65535  # blocks that a device launches at most along x, y and z
LOCK = threading.Lock()  # there is one simulator, as there is one `cuda` in kernel code


@cache
def prepared(function: FunctionType) -> tuple[FunctionType, bool]:
    """The function over the simulator's names, and whether its threads meet."""
    return clone(function, TARGET), uses(function, MEETINGS)


def run(
    kernel: Kernel,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    arguments: tuple[Any, ...],
    races: bool = True,
    places: Iterable[tuple[int, int, int]] | None = None,
) -> None:
    """Run a launch to its end, or its blocks at `places` (z, y, x) alone. Raises KernelFault."""
    with LOCK:
        run_all(kernel, grid, block, arguments, races, places)


def run_all(
    kernel: Kernel,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    arguments: tuple[Any, ...],
    races: bool,
    places: Iterable[tuple[int, int, int]] | None,
) -> None:
    """Run a launch while no other one runs."""
    if any(n > most for n, most in zip(grid, GRID)):
        raise ValueError(f"[cuda] {kernel.name}: a grid has up to {GRID} blocks, got {grid}")
    function, meets = prepared(kernel.function)
    arena = Arena(kernel.shared, races)
    values = bound(kernel, arguments, arena)
    now.start(grid, block, arena)
    count = len(now.threads)
    run_block = run_meeting if meets else run_apart
    with np.errstate(all="ignore"):
        for number, (z, y, x) in enumerate(places or product(*map(range, reversed(grid)))):
            now.enter_block(number, (x, y, z))
            try:
                run_block(function, values, range(count) if number % 2 else range(count)[::-1])
                arena.check()
            except Exception as error:
                raise fault(kernel, error) from error


def run_apart(function: Callable[..., None], values: tuple[Any, ...], order: range) -> None:
    """A block whose threads never meet."""
    for t in order:
        now.enter_thread(t)
        function(*values)


def run_meeting(function: Callable[..., None], values: tuple[Any, ...], order: range) -> None:
    """A block of greenlets, each resumed from one meeting point to the next."""
    from greenlet import getcurrent, greenlet

    def life(_: None) -> None:
        function(*values)

    now.hub, context = getcurrent(), copy_context()  # of which np.errstate is a part
    lives = [greenlet(life, now.hub) for _ in order]
    for thread in lives:
        thread.gr_context = context
    requests: list[Request | None] = [None] * len(lives)
    ready: Iterable[tuple[int, Any]] = [(t, None) for t in order]
    everyone = [(t, None) for t in range(len(lives))]
    while ready:
        for t, answer in ready:
            now.enter_thread(t)
            requests[t] = lives[t].switch(answer)
        if requests.count(BARRIER) == len(requests):
            now.pass_barrier()
            ready = everyone
        else:
            ready = list(released(requests))


def released(requests: list[Request | None]) -> Iterator[tuple[int, Any]]:
    """The threads that may go on and what their meeting point answers. None: it has ended."""
    waiting = [t for t, request in enumerate(requests) if request is not None]
    in_warps = [t for t in waiting if requests[t].mask is not None]
    if in_warps:
        yield from answers(requests, in_warps)
    elif waiting:
        if len(waiting) < len(requests):
            missing = next(t for t, request in enumerate(requests) if request is None)
            now.thread = waiting[0]
            raise KernelFault(
                f"{len(waiting)} of {len(requests)} threads wait at {requests[waiting[0]].name}() "
                f"and thread {missing} has ended: every thread must reach each barrier"
            )
        now.pass_barrier()
        results = [requests[t].value for t in waiting]
        for t in waiting:
            yield t, requests[t].combine(results)


def bound(kernel: Kernel, arguments: tuple[Any, ...], arena: Arena) -> tuple[Any, ...]:
    """The arguments as kernel code sees them: pointers as bounded memory, numbers of their type."""
    if len(arguments) != len(kernel.signature):
        raise TypeError(
            f"[cuda] {kernel.name} takes {len(kernel.signature)} arguments, got {len(arguments)}"
        )
    seen: dict[tuple[int, str], Any] = {}
    return tuple(
        view(kernel, position, kind, value, arena, seen)
        if kind.endswith("*")
        else number(kernel, position, kind, value)
        for position, (kind, value) in enumerate(zip(kernel.signature, arguments))
    )


def number(kernel: Kernel, position: int, kind: str, value: Any) -> Any:
    """A number in its type. Raises TypeError where it does not fit, as a device's launch does."""
    try:
        return TYPES[kind](NUMBERS[kind].exact(value))
    except struct.error as error:
        raise TypeError(
            f"[cuda] argument {position} of {kernel.name} is {kind}, got {value!r}: {error}"
        ) from None


def fault(kernel: Kernel, error: Exception) -> KernelFault:
    """The error with where it happened."""
    what = str(error) if isinstance(error, KernelFault) else f"{type(error).__name__}: {error}"
    return KernelFault(f"[cuda] {kernel.name}, {now.where()}: {what}")
