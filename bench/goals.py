"""What etude's kernels are to reach, beside what users would pick instead; and what they reach.

A ratio is the other's time over ours, in one run: above 1 we are faster. A goal is the ambition; a
floor, where there is one, is what etude must not fall below. `mean` goals are about the geometric
mean of the ratios of the cases, `worst` goals about the smallest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import exp, log
from typing import Any

from .report import Cell, Table

Record = dict[str, Any]
BEST_OF_TORCH = "best of torch"  # eager, by the plain or the fused optimizer, or compiled


@dataclass(frozen=True)
class Goal:
    """`backend` against `peer` (torch, numpy, or another backend) over cases by patterns."""

    work: str
    cases: tuple[str, ...]
    backend: str
    peer: str
    goal: float | None
    floor: float | None = None
    how: str = "mean"


SIZES = ("32", "64", "96", "128", "256", "512", "1024", "2048")
SQUARES = tuple(f"matmul {n}x{n}x{n} *" for n in SIZES)
OBLONG = ("64x784x128", "64x128x784", "784x64x128", "8x25088x4096", "64x576x50176", "256x2304x196")
SGEMM = (*SQUARES, *(f"matmul {sizes} *" for sizes in OBLONG))
FROM_128, FROM_256 = SQUARES[3:], SQUARES[4:]
GRADIENTS = ("conv 3x3 8x* input gradient", "conv 3x3 8x* weight gradient")
LAYERS = ("LeNet conv1", "LeNet conv2", "AlexNet conv1", "1x1 256->1024 at 14", "depthwise 128*")
SMALL_CONV = tuple(f"conv {name} *" for name in LAYERS)
ELEMENTWISE = ("relu 16M", "add 16M", "exp 16M")
INTO_OUT = tuple(f"{name} into out" for name in ELEMENTWISE)
REDUCTIONS = ("sum 4096x4096 *", "mean 4096x4096 *", "max 4096x4096 *")
OPTIMIZERS = ("Adam 10M", "SGD momentum 10M", "Adam.step LeNet-5")
FUSED = ("batch norm *", "bias+relu 4096x1024", "cross-entropy *")
MODELS = ("mlp b64", "lenet5 b64", "resnet20 b32", "vgg11 b32", "lstm b32")
COMPILED = {"MLP": "mlp b64", "MLP, Adam": "mlp b64 Adam", "LeNet-5": "lenet5 b64"}
COMPILED |= {"ResNet-20": "resnet20 b32", "VGG-11": "vgg11 b32", "LSTM": "lstm b32"}
TIMES = {"MLP": (2.5, 2.0), "MLP, Adam": (2.5, 2.0), "LeNet-5": (4.0, 2.0)}
TIMES |= {"ResNet-20": (1.8, 1.2), "VGG-11": (1.3, 1.2), "LSTM": (1.5, 1.2)}

GOALS = [
    Goal("matrix products", SGEMM, "c", "torch", 1.05),
    Goal("matrix products, each", SGEMM, "c", "torch", 0.85, None, "worst"),
    Goal("matrix products from n = 256", FROM_256, "c", "torch", None, 0.85),
    Goal("matrix products", SGEMM, "c", "numpy", 1.25, 1.05),
    Goal("matrix products", SGEMM, "numba", "numpy", 0.95),
    Goal("matrix products from n = 128", FROM_128, "numba", "numpy", None, 0.8),
    Goal("3x3 convolution forward", ("conv 3x3 8x* forward",), "c", "torch", 1.4, 1.2),
    Goal("3x3 convolution gradients", GRADIENTS, "c", "torch", 1.2, 1.0),
    Goal("3x3 convolution", ("conv 3x3 8x*",), "numba", "torch", 0.8),
    Goal("other convolutions", SMALL_CONV, "c", "torch", 1.5),
    Goal("other convolutions, each", SMALL_CONV, "c", "torch", 0.9, 0.9, "worst"),
    Goal("LeNet conv1 input gradient", ("conv LeNet conv1 input*",), "c", "torch", 6.0),
    Goal("AlexNet conv1 input gradient", ("conv AlexNet conv1 input*",), "c", "torch", 3.0),
    Goal("other convolutions", SMALL_CONV, "numba", "torch", 0.9),
    Goal("pooling forward", ("* pool * forward",), "c", "torch", 4.0),
    Goal("pooling gradient", ("* pool * gradient",), "c", "torch", 1.2),
    Goal("pooling", ("* pool *",), "numba", "torch", 2.0),
    Goal("batch norm forward", ("batch norm * forward",), "c", "torch", 2.5),
    Goal("batch norm gradient", ("batch norm * gradient",), "c", "torch", 1.5),
    Goal("bias+relu", ("bias+relu 4096x1024",), "c", "torch", 2.0, 2.0),
    Goal("softmax + cross-entropy 64x10", ("cross-entropy 64x10",), "c", "torch", 8.0, 1.0),
    Goal("softmax + cross-entropy 128x1000", ("cross-entropy 128x1000",), "c", "torch", 2.0, 1.0),
    Goal("softmax + cross-entropy 4096x1000", ("cross-entropy 4096x1000",), "c", "torch", 1.3, 1.0),
    Goal("normalisation, bias+relu, cross-entropy", FUSED, "numba", "c", 0.8),
    Goal("reductions", REDUCTIONS, "c", "torch", 1.0),
    Goal("reductions over axis 0", tuple(f"{r}axis 0" for r in REDUCTIONS), "c", "torch", 1.4),
    Goal("reductions", REDUCTIONS, "numba", "torch", 0.95),
    Goal("elementwise 16M, fresh", ELEMENTWISE, "c", "torch", 3.0, 2.0),
    Goal("elementwise 16M, into out", INTO_OUT, "c", "torch", 1.0),
    Goal("elementwise 16M, fresh", ELEMENTWISE, "numba", "torch", 2.5),
    Goal("elementwise 16M, into out", INTO_OUT, "numba", "torch", 0.95),
    Goal("Adam, 10M parameters", ("Adam 10M",), "c", "torch", 1.0, 1.0),
    Goal("SGD with momentum, 10M", ("SGD momentum 10M",), "c", "torch", 1.0),
    Goal("Adam on LeNet-5's parameters", ("Adam.step LeNet-5",), "c", "torch", 2.5, 1.0),
    Goal("optimizers", OPTIMIZERS, "numba", "torch", 1.0),
    Goal("transposed copy", ("transpose 4096x4096",), "c", "torch", 3.0),
    Goal("transposed copy", ("transpose 4096x4096",), "numba", "torch", 2.0),
    Goal("MLP step", ("mlp b64",), "c", BEST_OF_TORCH, 1.4, 1.2),
    Goal("LeNet-5 step", ("lenet5 b64",), "c", BEST_OF_TORCH, 2.0, 1.3),
    Goal("ResNet-20 step", ("resnet20 b32",), "c", BEST_OF_TORCH, 1.2),
    Goal("VGG-11 step", ("vgg11 b32",), "c", BEST_OF_TORCH, 1.1),
    Goal("LSTM step", ("lstm b32",), "c", BEST_OF_TORCH, 1.0),
    *(Goal(f"{name} step", (name,), "numba", "c", 0.7) for name in MODELS),
    *(
        Goal(f"{name} step, compiled", (case,), "c, compiled", BEST_OF_TORCH, *TIMES[name])
        for name, case in COMPILED.items()
    ),
    *(
        Goal(f"{name} step, compiled", (case,), "numba, compiled", "c, compiled", 0.6)
        for name, case in COMPILED.items()
    ),
    *(
        Goal(f"{name} step, compiled", (COMPILED[name],), "numpy, compiled", "numpy", 1.3)
        for name in ("MLP", "LeNet-5")
    ),
]


def ratios(goal: Goal, records: Iterable[Record]) -> list[float]:
    """The peers' times over ours, of the goal's cases that were run."""
    keys = (goal.peer, f"etude {goal.peer}")
    found = []
    for record in records:
        if record.get("by") != f"etude {goal.backend}":
            continue
        if any(fnmatchcase(record["case"], pattern) for pattern in goal.cases):
            found += [record["ratios"][key] for key in keys if key in record["ratios"]][:1]
    return found


def verdict(goal: Goal, measured: float) -> str:
    """Whether a figure reaches the goal, or at least the floor."""
    if goal.goal is not None and measured >= goal.goal:
        return "met"
    if goal.floor is None:
        return "missed"
    if measured < goal.floor:
        return "under the floor"
    return "met" if goal.goal is None else "above the floor"


def judged(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Each goal with what was measured, where a case of it was run."""
    found = []
    for goal in GOALS:
        numbers = ratios(goal, records)
        if numbers:
            mean = exp(sum(map(log, numbers)) / len(numbers))
            measured = mean if goal.how == "mean" else min(numbers)
            found.append(
                {
                    "work": goal.work,
                    "backend": goal.backend,
                    "peer": goal.peer,
                    "goal": goal.goal,
                    "floor": goal.floor,
                    "how": goal.how,
                    "cases": len(numbers),
                    "measured": measured,
                    "worst": min(numbers),
                    "verdict": verdict(goal, measured),
                }
            )
    return found


def table(results: Mapping[str, Sequence[Table]]) -> Table:
    """The goals beside what the tables of a run say."""
    records = [record for tables in results.values() for t in tables for record in t.records]
    found = judged([record for record in records if "ratios" in record])
    columns = ["work", "cases", "backend", "against", "goal", "floor", "measured", "worst", ""]
    rows: list[list[Cell]] = [
        [
            f["work"],
            f["cases"],
            f["backend"],
            f["peer"],
            f["goal"],
            f["floor"],
            f["measured"],
            f["worst"],
            f["verdict"],
        ]
        for f in found
    ]
    remarks = ["geometric means of their time over ours; `each` rows: the smallest of them"]
    return Table("Goals", columns, rows, remarks, found)
