"""Pictures of what `ops` found: a roofline, and one bar chart of ratios for each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import atan, degrees
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .report import Table

if TYPE_CHECKING:
    from etude.framework.profiling import Profile

Record = dict[str, Any]
MARKS = "osD^vP*X"
MOST_BARS = 60  # of one chart
GREY = "0.35"


def save_all(folder: str, results: Mapping[str, Sequence[Table]]) -> list[Path]:
    """Write the pictures; their paths. Raises ImportError without matplotlib, or OSError."""
    from matplotlib import pyplot

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    tables = results.get("ops", [])
    records = [record for table in tables for record in table.records if "ratios" in record]
    ceilings = [record for table in tables for record in table.records if "ratios" not in record]
    written = []
    if records and ceilings:
        figure = roofline(pyplot, ceilings[0], records)
        written.append(saved(figure, place / "roofline.png", pyplot))
    for family in dict.fromkeys(record["family"] for record in records):
        rows = [record for record in records if record["family"] == family]
        if any(name in record["ratios"] for record in rows for name in peers_of(rows)):
            name = f"{''.join(c if c.isalnum() else '-' for c in family)}.png"
            written.append(saved(bars(pyplot, family, rows), place / name, pyplot))
    return written


def saved(figure: Any, path: Path, pyplot: Any) -> Path:
    """Write a figure and forget it."""
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return path


def roofline(pyplot: Any, ceilings: Record, records: Sequence[Record]) -> Any:
    """Speed over operations for each byte, under the two roofs.

    S. Williams, A. Waterman and D. Patterson, "Roofline", CACM 52 (4), 2009.
    """
    drawn = [r for r in records if r["flops"]]
    figure, axes = pyplot.subplots(figsize=(9, 6), layout="constrained")
    low, high = 2.0**-4, 2.0**11
    for size, speed in ceilings["bytes"]:
        corner = ceilings["flops"] / speed
        label = f"{speed / 1e9:.0f} GB/s up to {size / (1 << 20):g} MB"
        if size == ceilings["bytes"][-1][0]:
            label = f"{speed / 1e9:.0f} GB/s beyond"
        axes.plot([low, corner], [low * speed / 1e9, ceilings["flops"] / 1e9], color=GREY, lw=0.8)
        axes.text(low * 1.1, low * 1.25 * speed / 1e9, label, fontsize=7, color=GREY,
                  rotation=degrees(atan(speed / 1e9)), rotation_mode="anchor",
                  transform_rotates_text=True)  # fmt: skip
    top = ceilings["flops"] / 1e9
    axes.axhline(top, color=GREY, lw=0.8)
    axes.annotate(f"{top:.0f} GFLOP/s", (high, top), fontsize=7, ha="right", va="bottom")
    families = list(dict.fromkeys(r["family"] for r in drawn))
    players = list(dict.fromkeys(r["by"] for r in drawn))
    for place, by in enumerate(players):
        for number, family in enumerate(families):
            rows = [r for r in drawn if r["by"] == by and r["family"] == family]
            axes.scatter(
                [r["flops"] / r["bytes"] for r in rows],
                [r["flops"] / r["seconds"] / 1e9 for r in rows],
                s=18, alpha=0.75, marker=MARKS[number % len(MARKS)], color=f"C{place}",
            )  # fmt: skip
    colours = [pyplot.Line2D([], [], color=f"C{i}", lw=4, label=by) for i, by in enumerate(players)]
    shapes = [
        pyplot.Line2D([], [], color=GREY, lw=0, marker=MARKS[i % len(MARKS)], label=family)
        for i, family in enumerate(families)
    ]
    axes.legend(handles=colours + shapes, fontsize=7, loc="lower right", ncols=2)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_xlabel("operations for each byte that has to be moved")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"Roofline, ceilings by {ceilings['by'].partition(',')[0]}", fontsize=10)
    return figure


def of_profile(profile: Profile, path: str | Path) -> Path:
    """The roofline with a mark for each op of an `etude.profile`, in the colour of its stage.

    Raises ImportError without matplotlib, or OSError.
    """
    from matplotlib import pyplot

    found: dict[tuple[str, str], Record] = {}
    for call in profile.calls:
        nothing = {"by": call.stage, "family": call.method, "seconds": 0.0, "flops": 0, "bytes": 0}
        record = found.setdefault((call.stage, call.method), nothing)
        record["seconds"] += (call.end - call.start) / 1e9
        record["flops"] += call.flops
        record["bytes"] += call.moved
    figure = roofline(pyplot, asdict(profile.ceilings), list(found.values()))
    return saved(figure, Path(path), pyplot)


def peers_of(records: Sequence[Record]) -> list[str]:
    """The names of those who are no backend of etude's."""
    names = dict.fromkeys(record["by"] for record in records)
    return [name for name in names if not name.startswith("etude ")]


def bars(pyplot: Any, family: str, records: Sequence[Record]) -> Any:
    """Their time over ours, for each case, backend and peer; the line is at 1."""
    ours = [r for r in records if r["by"].startswith("etude ")]
    cases = list(dict.fromkeys(r["case"] for r in ours))[:MOST_BARS]
    series = [
        (by, peer)
        for by in dict.fromkeys(r["by"] for r in ours)
        for peer in peers_of(records)
        if any(peer in r["ratios"] for r in ours if r["by"] == by)
    ]
    figure, axes = pyplot.subplots(
        figsize=(8, 1.2 + 0.16 * len(cases) * (len(series) + 1)), layout="constrained"
    )
    height = 0.85 / len(series)
    for number, (by, peer) in enumerate(series):
        ratios = {r["case"]: r["ratios"].get(peer) for r in ours if r["by"] == by}
        drawn = [(i, ratio) for i, case in enumerate(cases) if (ratio := ratios.get(case))]
        places = [i + (number - (len(series) - 1) / 2) * height for i, _ in drawn]
        axes.barh(places, [ratio - 1 for _, ratio in drawn], height, left=1,
                  label=f"{by.removeprefix('etude ')} beside {peer}")  # fmt: skip
    axes.axvline(1, color=GREY, lw=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_yticks(range(len(cases)), cases, fontsize=7)
    axes.invert_yaxis()
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel("their time / ours: right of 1 etude is faster")
    axes.set_title(family, fontsize=10)
    figure.legend(fontsize=7, loc="outside lower center", ncols=2)
    return figure
