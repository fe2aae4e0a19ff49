"""Whether the CUDA backend is right, before anything is timed.

1. Every case of the tests' table (tests/cases*.py, in a clone of the repository), values and
   gradients in float32, on random inputs that nobody has seen before, against float64 on the CPU.
2. Every benchmark case at its small size, against its own float64 reference.
3. Some small work under NVIDIA's compute-sanitizer, where that is installed.

Memory that kernels write results into is filled with NaN before: what a kernel forgets is seen.
"""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import conformity, machine, ops
from .case import Case, largest_error
from .players import Player, play_once
from .report import Cell, Table

LARGEST_ERROR = 1e-4
MOST_PROCESSES = 8
SANITIZER = "compute-sanitizer"
PLACES = ("/usr/local/cuda/bin", "/opt/cuda/bin")
TOOLS = ("memcheck", "racecheck")
Say = Callable[[str], None]
Late = Callable[[], bool]
Poison = Callable[[], AbstractContextManager[object]]


def ops_table(
    backend: str, seed: int, say: Say, late: Late, part: int = 1, shared: float | None = None
) -> Table:
    """Every `part`-th case of the tests' table; rows for the ops with a problem.

    shared: seconds for which several processes work on a device: most of the time goes into
    compiling kernels.
    """
    title = "Ops against a float64 reference, fresh inputs, results over NaN"
    table = Table(title, ["op", "cases", "values", "gradient", "error", "problem"])
    try:
        total = len(conformity.table()[0])
    except FileNotFoundError as problem:
        table.remarks.append(f"left out: {problem}")
        return table
    if shared is None:
        found = conformity.findings((backend,), say, slice(None, None, part), seed, late)
    else:
        say("checking every op, in several processes")
        found = merged(_spread(seed, part, shared))
    done = 0
    for op, by in found.items():
        f = by[backend]
        done += f.cases
        wrong = not f.forward or f.gradient is False
        words = {True: "right", False: "WRONG", None: "-"}
        row: list[Cell] = [op, f.cases, words[f.forward], words[f.gradient], f"{f.error:.0e}"]
        if wrong:
            table.rows.append([*row, f.problem])
        table.records.append({"op": op, "right": not wrong, **vars(f)})
    gradients = sum(r["gradient"] is True for r in table.records)
    table.remarks.append(
        f"{done} of {total} cases of {len(found)} ops, {len(found) - len(table.rows)} right, "
        f"gradients of {gradients}; seed {seed}"
    )
    return table


def _spread(seed: int, part: int, seconds: float) -> list[conformity.Findings]:
    workers = max(1, min(MOST_PROCESSES, machine.cores()))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        jobs = [
            pool.submit(on_device, seed, k * part, workers * part, seconds) for k in range(workers)
        ]
        return [job.result() for job in jobs]


def on_device(seed: int, start: int, step: int, seconds: float) -> conformity.Findings:
    """A share of the cases, in a process of its own."""
    from . import cuda_devices

    end = time.monotonic() + seconds
    with cuda_devices.opened(False), cuda_devices.poisoned():
        return conformity.findings(
            ("cuda",),
            lambda _: None,
            slice(start, None, step),
            seed,
            lambda: time.monotonic() > end,
        )


def merged(shares: Iterable[conformity.Findings]) -> conformity.Findings:
    """What several processes found, op by op."""
    found: conformity.Findings = {}
    for share in shares:
        for op, by in share.items():
            for backend, f in by.items():
                before = found.setdefault(op, {}).get(backend)
                found[op][backend] = f if before is None else _both(before, f)
    return found


def _both(a: Any, b: Any) -> Any:
    gradients = [g for g in (a.gradient, b.gradient) if g is not None]
    return replace(
        a,
        forward=a.forward and b.forward,
        gradient=all(gradients) if gradients else None,
        error=max(a.error, b.error),
        cases=a.cases + b.cases,
        problem=a.problem or b.problem,
    )


def work_table(
    player: Player, cases: Sequence[Case], say: Say, late: Late, poison: Poison = nullcontext
) -> Table:
    """The benchmark cases at their small sizes; rows for those that are wrong."""
    title = "Benchmark cases, small, against a float64 reference"
    table = Table(title, ["case", "family", "error", "problem"])
    for case in cases:
        if late():
            break
        say(f"checking {case.name}, small")
        error, problem = float("inf"), ""
        try:
            with poison():
                found, work = play_once(player, case)
            error = largest_error(found, ops.reference(work))
        except Exception as failure:  # what fails is a finding
            problem = f"{type(failure).__name__}: {failure}"
        right = error <= LARGEST_ERROR
        if not right:
            table.rows.append([case.name, case.family, f"{error:.0e}", problem or "beyond 1e-4"])
        table.records.append(
            {"case": case.name, "right": right, "error": min(error, 1e308), "problem": problem}
        )
    right = sum(r["right"] for r in table.records)
    table.remarks.append(f"{right} right of {len(table.records)}; {len(cases)} cases in all")
    return table


def wrong(tables: Sequence[Table]) -> list[str]:
    """The names of what was found wrong."""
    return [
        str(r.get("op") or r.get("case"))
        for t in tables
        for r in t.records
        if r.get("right") is False
    ]


# compute-sanitizer --------------------------------------------------------------------------------
def sanitizer() -> str | None:
    """Where the program is, if anywhere."""
    places = [shutil.which(SANITIZER), *(str(Path(p) / SANITIZER) for p in PLACES)]
    return next((p for p in places if p and Path(p).is_file()), None)


def sanitizer_table(seconds: float, run: Callable[..., object] = subprocess.run) -> Table:
    """Run this file's `main` under each tool, at most so many seconds in all."""
    table = Table("compute-sanitizer on small work", ["tool", "", "what it said"])
    program = sanitizer()
    if program is None:
        table.remarks.append("left out: compute-sanitizer is not installed (CUDA toolkit)")
        return table
    for tool in TOOLS:
        command = [program, "--tool", tool, "--error-exitcode", "9"]
        command += [sys.executable, "-m", "etude.bench.cuda_checks"]
        said, code = _under(command, seconds / len(TOOLS), run)
        last = [line for line in said.splitlines() if line.strip()][-1:] or [""]
        verdict = {0: "clean", None: "not finished in time"}.get(code, "ERRORS")
        table.rows.append([tool, verdict, last[0].strip("= ")])
        right = None if code is None else code == 0
        table.records.append({"case": f"{tool}", "right": right, "said": said[-4000:]})
    return table


def _under(
    command: Sequence[str], seconds: float, run: Callable[..., object]
) -> tuple[str, int | None]:
    try:
        done = run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "", None
    return done.stdout + done.stderr, done.returncode  # type: ignore[attr-defined]


def sanitized_cases() -> Iterator[Case]:
    """One small case of each kernel family, for the sanitizer is a hundred times slower."""
    from .cuda_cases import CASES

    seen: set[tuple[str, str]] = set()
    for case in CASES:
        key = case.family, case.make.__name__
        if key not in seen:
            seen.add(key)
            yield case


def main() -> int:
    """What runs under the sanitizer: the exit code is 1 if a result is wrong."""
    from .players import etude_player

    table = work_table(etude_player("cuda"), list(sanitized_cases()), lambda _: None, lambda: False)
    print(table.remarks[-1])
    return 1 if table.rows else 0


if __name__ == "__main__":
    sys.exit(main())
