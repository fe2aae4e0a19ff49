"""python -m etude.bench cuda: everything about the CUDA backend that needs a GPU, in one run.

First whether it is right (cuda_checks.py, cuda_models.py), then how fast it is beside torch and
beside what the device can do (cuda_race.py), then the goals. Under eight minutes, no network.

With --simulate the checks run in the simulator, on tiny shapes, and nothing is timed: how long the
simulator takes says nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import cuda_checks, cuda_devices, cuda_goals, cuda_models, machine, report
from .cuda_cases import CASES
from .players import etude_player
from .report import Table

LIMIT = 450.0  # seconds of a run; what would come later is left out, and said to be
SHARES = {  # of these, on a device and in the simulator (where the processor's count)
    "ops": (90.0, 80.0),
    "work": (30.0, 30.0),
    "models": (20.0, 40.0),
    "sanitizer": (50.0, 0.0),
    "timings": (180.0, 0.0),
    "steps": (70.0, 0.0),
}
RESULTS = Path(__file__).parent / "results"
WRONG, UNAVAILABLE = 1, 2


@dataclass
class Run:
    """What was asked for, and when it began."""

    simulate: bool
    quick: bool
    seed: int
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    start: float = 0.0

    def late(self, part: str) -> Callable[[], bool]:
        """A function that says when a part has had its time, or the run all of its."""
        share = SHARES[part][self.simulate] * (0.3 if self.quick and not self.simulate else 1.0)
        end = min(self.clock() + share, self.start + LIMIT)
        return lambda: self.clock() > end


def main(words: Sequence[str]) -> int:
    """The exit code: 0 if all is right, 1 if something is wrong, 2 without device and simulator."""
    given = _parser().parse_args(words)
    reason = cuda_devices.unavailable(given.simulate)
    if reason is not None:
        print(f"etude.bench cuda: {reason}", file=sys.stderr)
        return UNAVAILABLE
    seed = secrets.randbits(32) if given.seed is None else given.seed
    # A busy machine makes the simulator slow, and then as much is to be checked as on an idle one.
    clock = time.process_time if given.simulate else time.monotonic
    run = Run(given.simulate, given.quick, seed, report.progress, clock, clock())
    with cuda_devices.opened(given.simulate):
        tables = []
        for table in parts(run):
            tables.append(table)
            report.progress("")
            show(table)
        wrong = cuda_checks.wrong(tables)
        _say_verdict(wrong, run)
        found = machine.fingerprint(("torch", "numba", "numba-cuda", "cuda-core"))
        found["device"] = cuda_devices.fingerprint(given.simulate)
    try:
        for path in _paths(given.json, given.simulate, found["device"]):
            report.save(str(path), found, {"cuda": tables})
            print(f"saved in {path}")
    except OSError as error:
        print(f"etude.bench: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return UNAVAILABLE
    return WRONG if wrong else 0


def show(table: Table) -> None:
    """A table, or its remarks alone where there is nothing to complain about."""
    if table.rows:
        report.show(table)
    else:
        print(f"{table.title}: {'; '.join(table.remarks) or 'nothing'}")


def parts(run: Run) -> Iterator[Table]:
    """All tables, in order; the goals last."""
    poison = cuda_devices.poisoned
    part = 5 if run.quick else 1
    shared = None if run.simulate else SHARES["ops"][0] * (0.3 if run.quick else 1.0)
    yield cuda_checks.ops_table("cuda", run.seed, run.say, run.late("ops"), part, shared)
    cases = CASES[:: 4 if run.quick else 1]
    player = etude_player("cuda")
    yield cuda_checks.work_table(player, cases, run.say, run.late("work"), poison)
    yield cuda_models.check_table("cuda", run.say, run.late("models"))
    if run.simulate:
        return
    yield cuda_checks.sanitizer_table(SHARES["sanitizer"][0] * (0.3 if run.quick else 1.0))
    from . import cuda_timings

    records: list[dict[str, Any]] = []
    for table in cuda_timings.tables(run):
        records += table.records
        yield table
    yield cuda_goals.table(records)


def _say_verdict(wrong: Sequence[str], run: Run) -> None:
    """One line on what was found."""
    if wrong:
        more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        print(f"WRONG: {', '.join(wrong[:8])}{more}")
    elif run.simulate:
        print("all that was checked is right; nothing was timed, for this was the simulator")
    else:
        print("all that was checked is right")


def _paths(given: str | None, simulate: bool, device: dict[str, Any]) -> list[Path]:
    """Where the JSON goes: where it was asked for, and beside the results of other devices."""
    paths = [Path(given)] if given else []
    if not simulate:
        RESULTS.mkdir(exist_ok=True)
        name = "".join(c if c.isalnum() else "-" for c in str(device.get("name", "gpu"))).lower()
        day = datetime.now(UTC).strftime("%Y%m%d-%H%M")
        paths.append(RESULTS / f"cuda-{name}-{day}.json")
    return paths


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m etude.bench cuda",
        description="Check the CUDA backend against float64, then time it beside torch.",
        epilog="exit code: 0 all right, 1 something wrong, 2 neither device nor simulator",
    )
    add = parser.add_argument
    add("--simulate", action="store_true", help="check tiny shapes in the simulator, time nothing")
    add("--quick", action="store_true", help="every fifth case, fewer rounds")
    add("--seed", type=int, help="of the random inputs (another one at each run)")
    add("--json", metavar="PATH", help="also write the results there")
    return parser


def load(path: str | Path) -> dict[str, Any]:
    """A saved run."""
    found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return found
