"""What compiling a training step takes once, and the memory that its plan saves at each step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from statistics import median
from time import perf_counter
from typing import Any

from etude.framework.graph.lives import eager_peak, peak

from .models import MODELS, NAMES
from .options import Options
from .report import Table
from .training import Case, Etude, make_case

STEPS = 5  # eager ones, timed for comparison
MILLISECOND, MEGABYTE = 1e-3, 1e6
TIMES = ["model", "backend", "eager step, ms", "recording, ms", "in eager steps"]
MEMORY = ["model", "eager, MB", "planned, MB", "planned/eager", "torch, MB"]


def run(options: Options) -> Iterator[Table]:
    """Two tables: how long the call takes that records, and the most memory of a step."""
    cases = {name: make_case(*MODELS[name]) for name in NAMES if options.wants(name)}
    times = Table("Recording a training step, with all passes, and its first replay", TIMES)
    times.remarks.append("the first row is the first recording of the process, which loads modules")
    for name, case in cases.items():
        for backend in options.backends:
            options.say(f"{name} on {backend}")
            step, first = timed(case, backend)
            times.rows.append(
                [name, backend, step / MILLISECOND, first / MILLISECOND, first / step]
            )
            times.records.append(
                {"case": name, "by": f"etude {backend}", "eager": step, "recording": first}
            )
    yield times
    memory = Table(
        "The most memory at once in a step, without weights and their velocities", MEMORY
    )
    for name, case in cases.items():
        options.say(f"memory of {name}")
        eager, planned = needed(case, options.backends[0])
        torchs = torch_needs(case) if "torch" in options.peers else None
        cells = [None if n is None else n / MEGABYTE for n in (eager, planned, torchs)]
        memory.rows.append([name, cells[0], cells[1], planned / eager, cells[2]])
        memory.records.append({"case": name, "eager": eager, "planned": planned, "torch": torchs})
    yield memory


def timed(case: Case, backend: str) -> tuple[float, float]:
    """Seconds of an eager step, the median, and of the call that records the step."""
    eager = Etude(case, backend)
    seconds = []
    for _ in range(STEPS + 1):
        start = perf_counter()
        eager.step()
        seconds.append(perf_counter() - start)
    compiled = Etude(case, backend, compiled=True)
    compiled.step()  # the optimizer's first, which makes its state and is not recorded
    start = perf_counter()
    compiled.step()
    return median(seconds[1:]), perf_counter() - start


def needed(case: Case, backend: str) -> tuple[int, int]:
    """Bytes that eager execution of a step takes at once, and its plan."""
    compiled = Etude(case, backend, compiled=True)
    for _ in range(2):
        compiled.step()
    programs: Any = compiled.whole_step.programs  # type: ignore[attr-defined]
    return eager_peak(programs[0][1]), peak(programs[-1][1])


def torch_needs(case: Case) -> int | None:
    """The same of torch, from what its profiler sees allocated; None where it lacks the model."""
    if not find_spec("torch"):
        return None
    import torch

    from .torch_models import BUILDERS, Torch

    if case.name not in BUILDERS:
        return None
    trainee = Torch(case, fused=True)
    for _ in range(2):
        trainee.step()
    trainee.optimizer.zero_grad()  # the profiler does not see the end of what began before it
    with silence(), torch.profiler.profile(profile_memory=True) as profile:
        trainee.step()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most + trainee.x.nbytes + trainee.labels.nbytes


@contextmanager
def silence() -> Iterator[None]:
    """Nothing on the standard error, where torch's profiler writes when it begins and ends."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
