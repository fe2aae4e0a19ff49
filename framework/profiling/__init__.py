"""Where the time goes: calls of the backends, by op, module and pass, as a table and a trace."""

from __future__ import annotations

from etude.backends import registry

from .profiler import Profile

__all__ = ["Profile", "profile"]


def profile(ceilings: registry.Ceilings | None = None) -> Profile:
    """Time every call of a backend inside the `with`, of eager code and of compiled.

    `p.table(by=..., sort_by=...)` shows calls, time and share by op, shape, module, stage (forward,
    backward, update) or backend; GFLOP/s, GB/s, the part of what the machine can do (the roofline
    of `ceilings`, measured when first needed), and the memory that results took. Sort by time,
    calls, mean, flops, bytes, memory, ceiling or name. `p.records()` is the same as plain data, and
    `p.save("trace.json")` writes a trace for ui.perfetto.dev or chrome://tracing.

    What a call takes is all that the backend does, its Python included; the line "outside the
    backends" is etude's core, your code, and what profiling itself costs. Compiled functions and
    loaded programs run on the C backend as they do otherwise, on its tape, which then reads the
    clock around each kernel (0.05 microseconds each); on other backends in the plain loop, call by
    call. Where nothing is profiled, nothing is spent on it.

    >>> import etude
    >>> with etude.profile() as p:
    ...     etude.ones(2, 3).relu().sum().item()
    6.0
    >>> [(r["name"], r["calls"], r["flops"]) for r in sorted(p.records(), key=lambda r: r["name"])]
    [('full', 1, 0), ('reduce sum', 1, 6), ('to_host', 1, 0), ('unary relu', 1, 6)]
    """
    return Profile(ceilings)
