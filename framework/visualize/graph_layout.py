"""A recorded program as a drawing: boxes in layers, each below what it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etude.backends.base import Value

from ..errors import ArgumentError, fail
from ..graph import Program, record
from ..graph.draw import NAMED
from ..nn import Module
from ..tensor import Tensor
from .canvas import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 150  # boxes that can be read
SWEEPS = 8


@dataclass
class Box:
    """A node: its text, what it is, its row from the top, its place in the row, what it reads."""

    label: str
    kind: str  # "input", "weight", "constant", "op" or "output"
    sources: list[int]
    row: int = 0
    place: float = 0.0


def graph_layout(program: Program) -> list[Box]:
    """The boxes of a program with their places, so that edges point down and cross little.

    Rows by the longest way from an input; weights and constants one row above their first use;
    the order in a row by the mean place of the neighbours, swept down and up (Sugiyama's method).
    Raises: ArgumentError for more than 150 boxes.
    Source: Sugiyama, Tagawa & Toda 1981.
    """
    boxes: list[Box] = []
    made: dict[Value, int] = {}

    def add(label: str, kind: str, sources: list[int], *results: Value) -> None:
        boxes.append(Box(label, kind, sources))
        made.update(dict.fromkeys(results, len(boxes) - 1))

    for i, v in enumerate(program.inputs):
        add(f"input {i}\n{shape_text(v)}", "input", [], v)
    for slot in program.state:
        add(f"{slot.name}\n{shape_text(slot.first)}", "weight", [], slot.first)
    for v in program.constants:
        add(f"constant\n{shape_text(v)}", "constant", [], v)
    for step in program.instructions:
        name = str(step.arguments[0]) if step.method in NAMED else step.method
        label = "\n".join([name, *map(shape_text, step.results[:1])])
        add(label, "op", list(dict.fromkeys(made[v] for v in step.inputs)), *step.results)
    for i, v in enumerate(program.outputs):
        add(f"output {i}", "output", [made[v]])
    read = {s for b in boxes for s in b.sources}
    used = [i for i, b in enumerate(boxes) if i in read or b.kind in ("op", "output", "input")]
    if len(used) > MOST:
        raise fail(
            ArgumentError,
            "plot_graph",
            f"expected a graph of {MOST} boxes at most, got {len(used)}; record a part of the "
            "model, or write etude.graph.to_dot(program) for Graphviz",
        )
    number = {old: new for new, old in enumerate(used)}
    kept = [boxes[i] for i in used]
    for box in kept:
        box.sources = [number[s] for s in box.sources]
    _rows(kept)
    _order(kept)
    return kept


def shape_text(v: Value) -> str:
    """A value's shape: 3 x 5 x 5, or "number"."""
    return " x ".join(map(str, v.shape or ())) or "number"


def _rows(boxes: list[Box]) -> None:
    """Each box one row below the lowest that it reads; leaves just above who reads them first."""
    for box in boxes:
        box.row = max((boxes[s].row + 1 for s in box.sources), default=0)
    shift = 0
    for i, box in enumerate(boxes):
        if box.kind in ("weight", "constant"):
            box.row = min((b.row for b in boxes if i in b.sources), default=1) - 1
            shift = max(shift, -box.row)
    for box in boxes:
        box.row += shift


def _order(boxes: list[Box]) -> None:
    """Places in each row: integers first, then centred, swept towards the neighbours' mean."""
    rows: dict[int, list[int]] = {}
    for i, box in enumerate(boxes):
        rows.setdefault(box.row, []).append(i)
    readers: list[list[int]] = [[] for _ in boxes]
    for i, box in enumerate(boxes):
        for s in box.sources:
            readers[s].append(i)
    for members in rows.values():
        _spread(boxes, members)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in sorted(rows, reverse=not down):
            for i in rows[row]:
                near = boxes[i].sources if down else readers[i]
                if near:
                    boxes[i].place = sum(boxes[n].place for n in near) / len(near)
            rows[row].sort(key=lambda i: boxes[i].place)
            _spread(boxes, rows[row])


def _spread(boxes: list[Box], members: list[int]) -> None:
    """Boxes of a row at least one place apart, about the mean of where they want to be."""
    wanted = [boxes[i].place for i in members]
    places: list[float] = []
    for want in wanted:
        places.append(max(want, places[-1] + 1.0) if places else want)
    shift = (sum(wanted) - sum(places)) / max(len(places), 1)
    for i, place in zip(members, places, strict=True):
        boxes[i].place = place + shift


FILLS = {
    "input": "#cfe6f5", "weight": "#fae3b5", "constant": "#eeeeee", "op": "white",
    "output": "#cdebd9",
}  # fmt: skip


def plot_graph(graph: Program | Callable[..., Any], *inputs: Tensor) -> Figure:
    """The graph of a computation: boxes are operations, rounded ones inputs, weights and outputs.

    Args: a Program of `etude.graph.record`, or a model or function, which is recorded on `inputs`
    (of which only the shapes count).
    Returns: Figure. Raises: ArgumentError for more than 150 boxes.
    Decks: D0, D3
    """
    if isinstance(graph, Program):
        program = graph
    elif callable(graph) and inputs:
        program = record(graph, *inputs, state=[graph] if isinstance(graph, Module) else [])
    else:
        raise fail(
            ArgumentError,
            "plot_graph",
            "expected a Program, or a model and the tensors to call it with, got a model without "
            "inputs or something else; use plot_graph(model, x)",
        )
    boxes = graph_layout(program)
    left, right = min(b.place for b in boxes), max(b.place for b in boxes)
    depth = max(b.row for b in boxes) + 1
    figure = new_figure(max(1.5 * (right - left + 1.4), 3.0), max(0.72 * depth, 1.5))
    ax = figure.subplots()
    ax.set(xlim=(left - 0.7, right + 0.7), ylim=(depth - 0.5, -0.5))
    ax.axis("off")
    for box in boxes:
        for s in box.sources:
            source = boxes[s]
            ax.annotate(
                "", (box.place, box.row - 0.26), (source.place, source.row + 0.26),
                arrowprops={"arrowstyle": "-|>", "color": "0.4", "linewidth": 0.8},
            )  # fmt: skip
    for box in boxes:
        corner = "square" if box.kind == "op" else "round"
        edge = COLOURS[0] if box.kind == "op" else "0.5"
        ax.text(
            box.place, box.row, _short(box.label), ha="center", va="center", fontsize=6.5,
            bbox={"boxstyle": f"{corner},pad=0.3", "facecolor": FILLS[box.kind], "edgecolor": edge},
        )  # fmt: skip
    return figure


def _short(label: str, most: int = 20) -> str:
    """Lines cut to what a box holds; of a dotted name the end says most."""
    lines = label.split("\n")
    return "\n".join(t if len(t) <= most else "..." + t[-most + 3 :] for t in lines)
