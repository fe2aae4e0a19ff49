"""The timed part of `python -m etude.bench cuda`: ceilings, kernels, training steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from . import cuda_devices, cuda_models, cuda_report
from .case import Case, Work, largest_error, results
from .cuda_cases import CASES, LOWER
from .cuda_models import MODELS, Model, Ours, Theirs
from .cuda_race import ROUND, Side, race
from .cuda_report import OURS, Record
from .report import Cell, Table

ROUNDS, QUICK_ROUNDS = 9, 3
LARGEST_ERROR = 1e-4
LOWER_ERROR = 2e-2  # products of ten bits of mantissa, or eight
STEP_ROUNDS = 5
MODEL_ERROR = 2e-3  # of a loss, beside torch in float64
EAGER = ("tiny",)  # families whose eager time is of interest


class Asked(Protocol):
    """What a run was asked for."""

    quick: bool
    say: Callable[[str], None]

    def late(self, part: str) -> Callable[[], bool]: ...


def tables(run: Asked) -> Iterator[Table]:
    """The ceilings, a table of kernels, one in lower precision, and one of training steps."""
    run.say("measuring the device's ceilings")
    ceilings = cuda_devices.ceilings()
    yield ceilings_table(ceilings)
    sides = cuda_devices.sides()
    late = run.late("timings")
    cases = CASES[::3] if run.quick else CASES
    yield kernels_table("Kernels, float32", cases, sides, ceilings, run, late)
    for precision in ("high", "medium"):
        with cuda_devices.precision(precision):
            title = f"Products and convolution at precision {precision!r}"
            yield kernels_table(title, LOWER, sides, ceilings, run, late, LOWER_ERROR)
    yield steps_table(run, sides, run.late("steps"))


def ceilings_table(ceilings: Record) -> Table:
    """What the device can do at most."""
    rows: list[list[Cell]] = [
        ["copy", ceilings["copy"] / 1e9, "GB/s read and written"],
        ["multiply-adds, float32", ceilings["flops"] / 1e9, "GFLOP/s"],
    ]
    remarks = ["measured in this run: the best of several copies of 1 GiB, and chains of fma"]
    return Table("Ceilings of this device", ["", "", "unit"], rows, remarks, [ceilings])


def kernels_table(
    title: str,
    cases: Sequence[Case],
    sides: Sequence[Side],
    ceilings: Record,
    run: Asked,
    late: Callable[[], bool],
    limit: float = LARGEST_ERROR,
) -> Table:
    """Check each case at its full size, then time it."""
    records, remarks = list[Record](), list[str]()
    rounds = QUICK_ROUNDS if run.quick else ROUNDS
    for number, case in enumerate(cases):
        if late():
            remarks.append(f"left out for want of time: {len(cases) - number} cases")
            break
        run.say(f"{case.name}: checking")
        work = case.work()
        try:
            error, moved = checked(work, sides)
        except Exception as failure:  # one that fails must not end the run
            remarks.append(f"{case.name}: {type(failure).__name__}: {failure}")
            records.append({"case": case.name, "right": False})
            continue
        if not error <= limit:
            remarks.append(f"{case.name}: wrong by {error:.1e}, and was not timed")
            records.append({"case": case.name, "right": False})
            continue
        run.say(f"{case.name}: timing")
        failed = lambda name, e, case=case: remarks.append(f"{case.name}: {name} failed: {e}")  # noqa: E731
        eager = case.family in EAGER
        timings = race(work, sides, ceilings["cache"], rounds, eager, failed)
        found = cuda_report.record(case, work, moved, timings, ceilings, error)
        if found is not None:
            records.append(found)
        cuda_devices.release()
    shown = [r for r in records if OURS in r]
    table = cuda_report.table(title, shown, remarks)
    table.records = records
    return table


def checked(work: Work, sides: Sequence[Side]) -> tuple[float, float]:
    """The error of etude's result at full size, and the bytes that a step moves.

    The reference is torch in float64 on the device, where it has the work, or the case's own on the
    CPU, where that is small; otherwise the small sizes, which were checked before, have to do.
    """
    ours = sides[0]
    found = cuda_devices.arrays(results(ours.steps(work, 1)[0]()))
    moved = work.bytes
    if moved is None:
        moved = float(sum(x.nbytes for x in (*work.inputs, *found)))
    true = cuda_devices.reference(work)
    return (0.0 if true is None else largest_error(found, true)), moved


# training steps -----------------------------------------------------------------------------------
def steps_table(run: Asked, sides: Sequence[Side], late: Callable[[], bool]) -> Table:
    """Each model: etude eager, etude by graph, torch eager; torch's time over theirs."""
    columns = ["model", "", "ms", "spread", "torch eager/this", "error"]
    table = Table("One training step", columns)
    peers = len(sides) > 1
    for model in MODELS:
        if late():
            table.remarks.append(f"left out for want of time: {model.name}")
            continue
        run.say(f"{model.name}: checking")
        try:
            add_steps(table, model, sides, peers, run)
        except Exception as failure:  # one that fails must not end the run
            table.remarks.append(f"{model.name}: {type(failure).__name__}: {failure}")
            table.records.append({"case": model.name, "right": False})
        cuda_devices.release()
    return table


def add_steps(table: Table, model: Model, sides: Sequence[Side], peers: bool, run: Asked) -> None:
    """Check and time one model."""
    true = Theirs(model, "cuda", "float64").losses(3) if peers else None
    timed: dict[str, tuple[float, float, float]] = {}
    for name, trainee, side in trainees(model, sides):
        losses = trainee.losses(3)
        error = 0.0 if true is None else cuda_models.difference(losses, true)
        if not error <= MODEL_ERROR:
            table.remarks.append(f"{model.name}: {name} is wrong by {error:.1e}, was not timed")
            table.records.append({"case": f"{model.name}, {name}", "right": False})
            continue
        run.say(f"{model.name}: {name}")
        seconds, spread = steady(trainee.step, side, QUICK_ROUNDS if run.quick else STEP_ROUNDS)
        timed[name] = seconds, spread, error
    eager = timed.get("torch eager", (None,))[0]
    for name, (seconds, spread, error) in timed.items():
        ratio = None if eager is None else eager / seconds
        cells = [1e3 * seconds, f"{100 * spread:.0f} %", ratio, f"{error:.0e}"]
        table.rows.append([model.name, name, *cells])
        shares = {"eager": ratio} if name == "etude, graph" and ratio else {}
        table.records.append(
            {
                "case": model.name,
                "family": "model",
                "by": name,
                "seconds": seconds,
                "spread": spread,
                "error": error,
                "shares": shares,
            }
        )


def trainees(model: Model, sides: Sequence[Side]) -> Iterator[tuple[str, Any, Side]]:
    """Who trains it, one after the other: a large model has the memory for itself."""
    yield "etude, graph", Ours(model, "cuda", compiled=True), sides[0]
    yield "etude, eager", Ours(model, "cuda"), sides[0]
    for side in sides[1:]:
        yield "torch eager", Theirs(model, "cuda"), side


def steady(step: Callable[[], Any], side: Side, rounds: int) -> tuple[float, float]:
    """Median seconds of a step, and from the fastest round to the slowest over it."""
    side.elapsed(step, 2)
    once = side.elapsed(step, 2) / 2
    times = max(3, min(100, round(20 * ROUND / max(once, 1e-7))))
    found = sorted(side.elapsed(step, times) / times for _ in range(rounds))
    middle = found[len(found) // 2]
    return middle, (found[-1] - found[0]) / middle
