"""Warp operations in the simulator: 32 neighbouring threads exchange values without memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .simulator_device import WARP, KernelFault, Request, now

# Which lane each shuffle reads: (own lane, argument) -> lane.
SOURCES = {
    "cuda.shfl_sync": lambda lane, argument: argument % WARP,
    "cuda.shfl_up_sync": lambda lane, argument: lane - argument if lane >= argument else lane,
    "cuda.shfl_down_sync": lambda lane, argument: (
        lane + argument if lane + argument < WARP else lane
    ),
    "cuda.shfl_xor_sync": lambda lane, argument: lane ^ argument,
}


def answers(requests: list[Request | None], waiting: list[int]) -> Iterator[tuple[int, Any]]:
    """(thread, answer) for the groups of lanes that are complete. Raises KernelFault if none is."""
    done: set[int] = set()
    blocked = None
    for t in waiting:
        if t in done:
            continue
        base, lanes = t - t % WARP, members(requests[t].mask)
        missing = absent(requests, base, lanes, t)
        if missing is not None:
            blocked = blocked or (t, missing)
            continue
        done.update(base + lane for lane in lanes)
        now.warp_epochs[t // WARP] += 1
        yield from together(requests, base, lanes)
    if blocked and not done:
        now.thread = blocked[0]
        raise KernelFault(blocked[1])


def members(mask: int) -> list[int]:
    """The lanes that a mask names."""
    return [lane for lane in range(WARP) if mask >> lane & 1]


def absent(requests: list[Request | None], base: int, lanes: list[int], t: int) -> str | None:
    """Why the lanes of thread t's mask are not all at the same operation."""
    mine = requests[t]
    if t - base not in lanes:
        return f"{mine.name}: lane {t - base} is not in its own mask {mine.mask:#x}"
    for lane in lanes:
        where = base + lane
        if where >= len(requests):
            return f"{mine.name}: the mask {mine.mask:#x} names lane {lane}, which does not exist"
        other = requests[where]
        if other is None:
            return f"{mine.name}: the mask {mine.mask:#x} names lane {lane}, which has ended"
        if other.name != mine.name or other.mask != mine.mask:
            return f"{mine.name}: lane {lane} is at {other.name} instead"
    return None


def together(requests: list[Request], base: int, lanes: list[int]) -> Iterator[tuple[int, Any]]:
    """The answers of one operation to all its lanes."""
    values = {lane: requests[base + lane].value for lane in lanes}
    name = requests[base + lanes[0]].name
    for lane in lanes:
        if name in SOURCES:
            source = SOURCES[name](lane, int(requests[base + lane].argument))
            if source not in values:
                now.thread = base + lane
                raise KernelFault(
                    f"{name}: lane {lane} reads lane {source}, which is not in the mask"
                )
            yield base + lane, values[source]
        else:
            yield base + lane, agreed(name, values, values[lane])


def agreed(name: str, values: dict[int, Any], mine: Any) -> Any:
    """What a vote or a match gives."""
    if name == "cuda.all_sync":
        return all(values.values())
    if name == "cuda.any_sync":
        return any(values.values())
    if name == "cuda.ballot_sync":
        return sum(1 << lane for lane, value in values.items() if value)
    if name == "cuda.match_any_sync":
        return sum(1 << lane for lane, value in values.items() if value == mine)
    return True
