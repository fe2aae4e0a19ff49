"""The table of a profile: calls, time, share, and how close to what the machine can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..checks import choice

if TYPE_CHECKING:
    from .profiler import Call, Profile

Record = dict[str, Any]

GROUPS: dict[str, Callable[[Call], str]] = {
    "op": lambda c: c.name,
    "shape": lambda c: f"{c.name} {c.shapes}",
    "module": lambda c: c.scope or "(no module)",
    "stage": lambda c: c.stage,
    "backend": lambda c: c.backend,
}
ORDERS: dict[str, Callable[[Record], Any]] = {
    "time": lambda r: -r["seconds"],
    "calls": lambda r: -r["calls"],
    "mean": lambda r: -r["seconds"] / r["calls"],
    "flops": lambda r: -r["flops"],
    "bytes": lambda r: -r["bytes"],
    "memory": lambda r: -r["memory"],
    "ceiling": lambda r: r["of_ceiling"],
    "name": lambda r: r["name"],
}
HEADINGS = ("calls", "ms", "share", "µs each", "GFLOP/s", "GB/s", "ceiling", "MB made")
WIDEST = 44  # of a name; what is longer loses its middle


def records(profile: Profile, by: str = "op") -> list[Record]:
    """One for each group, longest first: name, calls, seconds, share, flops, bytes, memory, ...

    share is of the whole time of the profile; of_ceiling, the least time that the machine needs for
    so many operations and bytes (the roofline), over the time taken.
    """
    key = GROUPS[choice("profile", "by", by, GROUPS)]
    ceilings, whole = profile.ceilings, profile.seconds
    found: dict[str, Record] = {}
    for c in profile.calls:
        r = found.setdefault(
            key(c),
            {"name": key(c), "calls": 0, "seconds": 0.0, "flops": 0, "bytes": 0, "memory": 0,
             "least": 0.0},
        )  # fmt: skip
        r["calls"] += 1
        r["seconds"] += (c.end - c.start) / 1e9
        r["flops"] += c.flops
        r["bytes"] += c.moved
        r["memory"] += c.made
        r["least"] += ceilings.least_seconds(c.flops, c.moved)
    for r in found.values():
        r["share"] = r["seconds"] / whole
        r["of_ceiling"] = r.pop("least") / r["seconds"] if r["seconds"] else 0.0
    return sorted(found.values(), key=ORDERS["time"])


def table(profile: Profile, by: str, sort_by: str, rows: int | None) -> str:
    """The records as text, with what was spent outside the backends below."""
    found = sorted(records(profile, by), key=ORDERS[choice("profile", "sort_by", sort_by, ORDERS)])
    shown = found if rows is None else found[:rows]
    left = max([len(by), *(len(_short(r["name"])) for r in shown), len("outside the backends")])
    lines = [f"{by:<{left}}" + "".join(f"{h:>10}" for h in HEADINGS)]
    lines += [f"{_short(r['name']):<{left}}" + _cells(r) for r in shown]
    rest = found[len(shown) :]
    whole, inside = profile.seconds, sum(r["seconds"] for r in found)
    if rest:
        seconds = sum(r["seconds"] for r in rest)
        lines.append(
            f"{f'{len(rest)} more':<{left}}" + _time(sum(r["calls"] for r in rest), seconds, whole)
        )
    lines.append(f"{'in the backends':<{left}}" + _time(len(profile.calls), inside, whole))
    lines.append(f"{'outside the backends':<{left}}" + _time(None, whole - inside, whole))
    return "\n".join([*lines, _remark(profile)])


def _short(name: str) -> str:
    half = WIDEST // 2 - 1
    return name if len(name) <= WIDEST else f"{name[:half]}..{name[-half:]}"


def _time(calls: int | None, seconds: float, whole: float) -> str:
    count = "" if calls is None else f"{calls:,}"
    return f"{count:>10}{1e3 * seconds:>10.2f}{100 * seconds / whole:>8.1f} %"


def _cells(r: Record) -> str:
    seconds = max(r["seconds"], 1e-9)
    speed = f"{r['flops'] / seconds / 1e9:.1f}" if r["flops"] else ""
    moved = f"{r['bytes'] / seconds / 1e9:.1f}" if r["bytes"] else ""
    ceiling = f"{100 * r['of_ceiling']:.0f} %" if r["bytes"] or r["flops"] else ""
    made = f"{r['memory'] / 1e6:.2f}" if r["memory"] else ""
    whole = r["seconds"] / r["share"] if r["share"] else 1.0
    return (
        _time(r["calls"], r["seconds"], whole)
        + f"{1e6 * r['seconds'] / r['calls']:>10.1f}{speed:>10}{moved:>10}{ceiling:>10}{made:>10}"
    )


def _remark(profile: Profile) -> str:
    ceilings = profile.ceilings
    speeds = ", ".join(
        f"{speed / 1e9:.0f} GB/s for {size / (1 << 20):g} MB" for size, speed in ceilings.bytes
    )
    return f"ceilings: {ceilings.flops / 1e9:.0f} GFLOP/s, {speeds} ({ceilings.by})"
