"""python -m etude.bench report FILES --out PAGE: stored results as one page, whole in itself.

What is fast, and beside whom; the goals; the machine; and, in a clone of the repository, for each
op and backend whether forward and gradient are right, the largest error, and the speed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from typing import Any

from etude.backends import available

from .conformity import Findings, findings
from .goals import judged
from .ops import geometric_mean
from .report import progress

Stored = dict[str, Any]
Record = dict[str, Any]
STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fdfdfc; --line: #d8d8d4;
  --soft: #6a6a66; --good: #d5ecd3; --bad: #f6dcd2; --best: #a9d8a6 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e0; --paper: #191a1b; --line: #3c3d3f;
  --soft: #9a9a95; --good: #21422a; --bad: #55302a; --best: #2c6238 } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.25rem; margin-top: 2.2rem } h3 { font-size: 1rem }
.scroll { overflow-x: auto } .soft, caption { color: var(--soft) }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums }
th, td { padding: .16rem .6rem; border-bottom: 1px solid var(--line); text-align: left }
th { position: sticky; top: 0; background: var(--paper) } td.n, th.n { text-align: right }
td.best { background: var(--best) } td.good { background: var(--good) }
td.bad { background: var(--bad) } summary { cursor: pointer; font-weight: 600; margin: .8rem 0 }
"""
# Which benchmark cases say how fast an op is.
SPEEDS = {
    "add": "add *",
    "avg_pool2d": "average pool * forward",
    "batch_norm": "batch norm * forward",
    "conv2d": "conv * forward",
    "cross_entropy": "cross-entropy *",
    "embedding": "gather *",
    "exp": "exp *",
    "gelu": "gelu *",
    "index_select": "gather *",
    "layer_norm": "layer norm * forward",
    "linear": "linear+relu *",
    "log": "log 1*",
    "matmul": "matmul *",
    "max": "max 4096x4096 *",
    "max_pool2d": "max pool * forward",
    "mean": "mean 4096x4096 *",
    "relu": "relu *",
    "sigmoid": "sigmoid *",
    "softmax": "softmax *",
    "sum": "sum 4096x4096 *",
    "tanh": "tanh *",
    "transpose": "transpose *",
}
Cell = tuple[str, str]  # text and class


def main(arguments: Sequence[str]) -> int:
    """Write the page; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m etude.bench report", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="written by --json")
    parser.add_argument("--out", required=True, metavar="PAGE", help="the HTML file to write")
    parser.add_argument("--backend", help="of the table of ops, separated by commas (all here)")
    given = parser.parse_args(arguments)
    try:
        runs = [read(path) for path in given.files]
        ops, why = checked(given.backend)
        Path(given.out).write_text(page(runs, ops, why), encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"etude.bench: {error}", file=sys.stderr)
        return 2
    progress("")
    if why:
        print(f"etude.bench: the table of ops is left out: {why}", file=sys.stderr)
    print(given.out)
    return 0


def read(path: str) -> Stored:
    """A stored run. Raises OSError, or ValueError where it is none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict) or not {"machine", "suites"} <= found.keys():
        raise ValueError(f"{path} holds no results of python -m etude.bench")
    return {**found, "file": Path(path).name}


def checked(given: str | None) -> tuple[Findings, str]:
    """What is found of each op, or why nothing can be."""
    works = [name for name, reason in available().items() if reason is None]
    names = works if given is None else [name for name in given.split(",") if name]
    for name in names:
        if name not in works:
            raise ValueError(f"backend {name!r}: expected some of {', '.join(works)}")
    try:
        return findings(names, progress), ""
    except (FileNotFoundError, ImportError) as error:
        return {}, str(error)


def page(runs: Sequence[Stored], ops: Findings, why: str) -> str:
    """The HTML."""
    parts = ["<h1>etude: what was measured</h1>", LEGEND]
    for run in runs:
        parts += machine(run)
        parts += goals(run)
        parts += speeds(run)
        parts += others(run)
    records = [record for run in runs for record in records_of(run)]
    parts += table_of_ops(ops, records) if ops else [f"<h2>Ops</h2><p>Left out: {escape(why)}.</p>"]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>etude: benchmarks</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


LEGEND = (
    "<p class=\"soft\">A ratio is the other's time divided by etude's, in one run: above 1 etude "
    "is faster. Times are medians. The share of the ceiling is the least time by the machine's "
    "measured ceilings (operations, and bytes of inputs and results) over the measured time. "
    "Errors are the largest, of the largest value, against float64.</p>"
)


def machine(run: Stored) -> list[str]:
    """What a reader needs to know before comparing figures."""
    found = run["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in found.get("versions", {}).items() if v)
    facts = [
        ("processor", f"{found.get('cpu')}, {found.get('cores')} cores"),
        ("memory", f"{found.get('memory_gb')} GB"),
        ("system", str(found.get("system"))),
        ("Python", f"{found.get('python')}; {versions}"),
        ("BLAS of NumPy", str(found.get("blas"))),
        ("threads", ", ".join(f"{k}={v}" for k, v in found.get("threads", {}).items()) or "all"),
    ]
    rows = [[(name, ""), (value, "")] for name, value in facts]
    return [f"<h2>{escape(run['file'])}</h2>", html_table(None, rows)]


def records_of(run: Stored) -> list[Record]:
    """All comparisons of a run."""
    tables = [table for tables in run["suites"].values() for table in tables]
    return [r for table in tables for r in table.get("records", []) if "ratios" in r]


def goals(run: Stored) -> list[str]:
    """The goals that this run says something about."""
    found = judged(records_of(run))
    if not found:
        return []
    heads = ["work", "cases", "backend", "against", "goal", "floor", "measured", "worst", ""]
    rows = []
    for f in found:
        shown = [f["work"], f["cases"], f["backend"], f["peer"], f["goal"], f["floor"]]
        kind = {"met": "best", "above the floor": "good"}.get(f["verdict"], "bad")
        numbers: list[Cell] = [(number(f["measured"]), "n"), (number(f["worst"]), "n")]
        rows.append([*map(cell, shown), *numbers, (f["verdict"], kind)])
    return ["<h3>Goals</h3>", html_table(heads, rows)]


def speeds(run: Stored) -> list[str]:
    """A table for each family of `ops`, folded but for the geometric means."""
    records = [r for r in records_of(run) if "flops" in r]
    parts = ["<h3>Kernels</h3>"] if records else []
    for family in dict.fromkeys(r["family"] for r in records):
        rows = [r for r in records if r["family"] == family]
        ours = [r for r in rows if r["by"].startswith("etude ")]
        peers = list(dict.fromkeys(name for r in ours for name in r["ratios"]))
        heads = ["case", "backend", "µs", "spread", "GFLOP/s", "GB/s", "of ceiling", "error"]
        body = [kernel_row(r, peers) for r in ours]
        title = f"{escape(family)} <span class=soft>{escape(means(ours, peers))}</span>"
        table = html_table([*heads, *(f"{name}/this" for name in peers)], body)
        parts.append(f"<details><summary>{title}</summary>{table}</details>")
    return parts


def means(ours: Sequence[Record], peers: Iterable[str]) -> str:
    """Geometric means in words."""
    words = []
    for by in dict.fromkeys(r["by"] for r in ours):
        for name in peers:
            mean = geometric_mean(
                [r["ratios"][name] for r in ours if r["by"] == by and name in r["ratios"]]
            )
            if mean and not name.startswith("etude "):
                words.append(f"{by.removeprefix('etude ')} {mean:.2f} of {name}")
    return ", ".join(words)


def kernel_row(r: Record, peers: Sequence[str]) -> list[Cell]:
    """One case on one backend."""
    seconds = r["seconds"]
    cells = [
        (r["case"], ""),
        (r["by"].removeprefix("etude "), ""),
        (number(1e6 * seconds), "n"),
        (f"{100 * r['spread']:.0f} %", "n"),
        (number(r["flops"] / seconds / 1e9) if r["flops"] else "", "n"),
        (number(r["bytes"] / seconds / 1e9), "n"),
        (f"{100 * r['share']:.0f} %", "n"),
        (f"{r['error']:.0e}", "n"),
    ]
    return cells + [ratio_cell(r["ratios"].get(name)) for name in peers]


def ratio_cell(ratio: float | None) -> Cell:
    """Coloured: faster, within a tenth, slower."""
    if ratio is None:
        return "", "n"
    return number(ratio), "n best" if ratio >= 1.1 else "n good" if ratio >= 0.9 else "n bad"


def others(run: Stored) -> list[str]:
    """The tables of the other suites as they were shown."""
    parts = []
    for name, tables in run["suites"].items():
        for table in tables:
            if name == "goals" or (name == "ops" and "case" in table["columns"]):
                continue
            rows = [list(map(cell, row)) for row in table["rows"]]
            remarks = "".join(f'<p class="soft">{escape(r)}</p>' for r in table["remarks"])
            parts.append(f"<h3>{escape(table['title'])}</h3>")
            parts.append(html_table(table["columns"], rows) + remarks)
    return parts


def table_of_ops(ops: Findings, records: Sequence[Record]) -> list[str]:
    """Op x backend: forward, gradient, largest error, speed."""
    backends = list(next(iter(ops.values())))
    heads = ["op", "cases"]
    for name in backends:
        heads += [f"{name}: forward", "gradient", "error", "torch/this"]
    rows, problems = [], []
    for op, of_op in ops.items():
        row: list[Cell] = [(op, ""), cell(next(iter(of_op.values())).cases)]
        for name, f in of_op.items():
            row += [mark(f.forward), mark(f.gradient), (f"{f.error:.0e}" if f.error else "0", "n")]
            row.append(ratio_cell(speed(op, name, records)))
            if f.problem:
                problems.append(f"{name}, {f.problem}")
        rows.append(row)
    note = (
        f"<p>{len(ops)} ops in {sum(next(iter(o.values())).cases for o in ops.values())} cases, "
        "float32 where an op has it. Gradients are those of float32 beside float64's. The last "
        "column is the geometric mean over this op's benchmarks, where it has some.</p>"
    )
    listed = "".join(f"<li>{escape(p.splitlines()[0][:300])}</li>" for p in problems)
    return ["<h2>Ops</h2>", note, f"<ul>{listed}</ul>" * bool(listed), html_table(heads, rows)]


def speed(op: str, backend: str, records: Sequence[Record]) -> float | None:
    """The geometric mean of torch's times over this backend's in the op's benchmarks."""
    pattern = SPEEDS.get(op, "")
    return geometric_mean(
        [
            r["ratios"]["torch"]
            for r in records
            if r["by"] == f"etude {backend}"
            and "torch" in r["ratios"]
            and fnmatchcase(r["case"], pattern)
        ]
    )


def mark(good: bool | None) -> Cell:
    """Right, wrong, or there is none."""
    return ("", "") if good is None else ("✓", "good") if good else ("✗ wrong", "bad")


def number(x: float) -> str:
    """Three digits."""
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}"


def cell(x: Any) -> Cell:
    """Numbers to the right."""
    if x is None:
        return "", ""
    return (number(x), "n") if isinstance(x, (int, float)) else (str(x), "")


def html_table(heads: Sequence[str] | None, rows: Iterable[Sequence[Cell]]) -> str:
    """A table; a column is headed as its first cell stands."""
    body = list(rows)
    numeric = ["n" in kind.split() for _, kind in body[0]] if body else []
    head = "".join(
        f'<th class="{"n" if right else ""}">{escape(name)}</th>'
        for name, right in zip(heads or (), numeric or [False] * len(heads or ()))
    )
    lines = [
        "<tr>" + "".join(f'<td class="{kind}">{escape(text)}</td>' for text, kind in row) + "</tr>"
        for row in body
    ]
    top = f"<thead><tr>{head}</tr></thead>" if heads else ""
    return f'<div class="scroll"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>'
