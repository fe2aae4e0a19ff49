"""A profile as a trace in the JSON form of Chrome's "Trace Event Format", which Perfetto reads too.

Each call is a complete event ("ph": "X") with its begin and length in microseconds. Calls of
modules lie around those of the backend; gradients and optimizer steps, which no module calls, get
events of their own around calls that follow one another and belong together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_atomic

if TYPE_CHECKING:
    from .profiler import Call, Profile, Span

Event = dict[str, Any]


def save(profile: Profile, path: str | Path) -> Path:
    """Write the trace. Returns the path; raises BadFile if that cannot be done."""
    content = {"traceEvents": events(profile), "displayTimeUnit": "ms"}
    return write_atomic(path, json.dumps(content, allow_nan=False), "profile")


def events(profile: Profile) -> list[Event]:
    """All events, by when they begin; those that hold others before those."""
    made = [_span(profile, s) for s in profile.spans]
    made += _stages(profile)
    made += [_call(profile, c) for c in profile.calls]
    made.sort(key=lambda e: (e["ts"], -e["dur"]))
    names = {e["tid"] for e in made}
    return [*_names(profile, names), *made]


def _event(profile: Profile, thread: int, start: int, end: int) -> Event:
    return {
        "ph": "X",
        "pid": os.getpid(),
        "tid": thread,
        "ts": (start - profile.start) / 1e3,
        "dur": (end - start) / 1e3,
    }


def _span(profile: Profile, s: Span) -> Event:
    event = _event(profile, s.thread, s.start, s.end)
    return {**event, "name": s.path, "cat": "module", "args": {"kind": s.kind}}


def _call(profile: Profile, c: Call) -> Event:
    about = {
        "module": c.scope,
        "stage": c.stage,
        "backend": c.backend,
        "inputs": c.shapes,
        "operations": c.flops,
        "bytes moved": c.moved,
        "bytes made": c.made,
    }
    event = _event(profile, c.thread, c.start, c.end)
    return {**event, "name": c.name, "cat": c.stage, "args": about}


def _stages(profile: Profile) -> Iterator[Event]:
    """An event around each backward pass and update, and in a backward pass around each module."""
    by_thread = sorted(profile.calls, key=lambda c: (c.thread, c.start))
    for (thread, stage), run in groupby(by_thread, key=lambda c: (c.thread, c.stage)):
        calls = list(run)
        if stage == "forward":
            continue
        yield _around(profile, thread, stage, calls)
        if stage == "backward":
            for scope, part in groupby(calls, key=lambda c: c.scope):
                if scope:
                    yield _around(profile, thread, f"{scope} backward", part)


def _around(profile: Profile, thread: int, name: str, calls: Iterable[Call]) -> Event:
    inside = list(calls)
    event = _event(profile, thread, inside[0].start, inside[-1].end)
    return {**event, "name": name, "cat": "stage", "args": {"calls": len(inside)}}


def _names(profile: Profile, threads: Iterable[int]) -> list[Event]:
    """Metadata: what the process and its threads are called."""
    made: list[Event] = [
        {"ph": "M", "pid": os.getpid(), "tid": 0, "name": "process_name", "args": {"name": "etude"}}
    ]
    for number, thread in enumerate(sorted(threads)):
        about = {"name": f"thread {number}"}
        made.append(
            {"ph": "M", "pid": os.getpid(), "tid": thread, "name": "thread_name", "args": about}
        )
    return made
