"""What the CUDA backend is to reach, as shares of a library's throughput or of a ceiling.

    against "torch"     their time over ours, device time in the same run: cuBLAS, cuDNN, eager
    against "copy"      bytes per second over those of the measured copy
    against "eager"     torch's eager time over ours by graph replay

Each goal is about the geometric mean over the cases of its family that were timed; `worst` is
printed beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from math import exp, log
from typing import Any

from .report import Cell, Table

Record = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """Cases by family and a pattern of names, what they are compared with, and the share."""

    work: str
    family: str
    against: str
    share: float
    pattern: str = "*"


GOALS = [
    Goal("fp32 GEMM from 2048", "gemm large", "torch", 0.90),
    Goal("GEMM to 512, skinny, batched", "gemm small", "torch", 0.80),
    Goal("convolution fp32", "conv", "torch", 0.75),
    Goal("elementwise", "elementwise", "copy", 0.98),
    Goal("copy with transpose", "copy", "copy", 0.98),
    Goal("optimizers", "optimizer", "copy", 0.98),
    Goal("fused chains", "fused", "copy", 0.98),
    Goal("fused chains, beside eager", "fused", "torch", 1.0),
    Goal("reductions", "reduce", "copy", 0.95),
    Goal("softmax, cross-entropy", "softmax", "copy", 0.95),
    Goal("norms", "norm", "copy", 0.95),
    Goal("gather, scatter-add", "index", "copy", 0.95),
    Goal("GEMM and convolution by mma.sync", "gemm lower", "torch", 0.60),
    Goal("tiny ops by graph replay", "tiny", "eager", 1.0),
    Goal("LeNet-5 step, batch 64, by graph replay", "model", "eager", 3.0, "lenet5*"),
]


def shares(goal: Goal, records: Iterable[Record]) -> list[float]:
    """The shares of the goal's cases that were timed."""
    found = []
    for record in records:
        fits = record.get("family") == goal.family and fnmatchcase(record["case"], goal.pattern)
        if fits and record.get("shares", {}).get(goal.against):
            found.append(record["shares"][goal.against])
    return found


def judged(records: Sequence[Record]) -> list[Record]:
    """Every goal; `measured` is None where nothing was timed."""
    found = []
    for goal in GOALS:
        numbers = shares(goal, records)
        mean = exp(sum(map(log, numbers)) / len(numbers)) if numbers else None
        verdict = "not measured" if mean is None else "met" if mean >= goal.share else "missed"
        found.append(
            {
                **asdict(goal),
                "cases": len(numbers),
                "measured": mean,
                "worst": min(numbers, default=None),
                "verdict": verdict,
            }
        )
    return found


def table(records: Sequence[Record]) -> Table:
    """The goals, for the end of a run."""
    found = judged(records)
    columns = ["work", "cases", "against", "goal", "measured", "worst", ""]
    rows: list[list[Cell]] = [
        [f["work"], f["cases"], f["against"], f["share"], f["measured"], f["worst"], f["verdict"]]
        for f in found
    ]
    remarks = [
        "shares of the throughput: of torch (cuBLAS, cuDNN) by device time, of the measured copy, "
        "of torch eager by time; geometric means"
    ]
    return Table("Goals", columns, rows, remarks, found)
