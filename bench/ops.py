"""Single kernels, from the table of cases.py: etude's backends beside torch and NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from time import perf_counter
from typing import Any

from etude.backends.ceilings import Ceilings, measure

from .case import Case, Work, largest_error, results, wide
from .cases import CASES, FAMILIES
from .ceilings import table as ceilings_table
from .options import Options
from .players import Player, etude_player, peer
from .report import Cell, Table
from .timing import Competitor, race

LARGEST_ERROR = 1e-4  # of the largest value: Winograd's transforms cost three digits of float32
AT_ONCE = 5e-5  # seconds that one reading of the clock stands for, at least
SCALE = 0.4  # turns are shorter than those of whole training steps
RACE_COLUMNS = ["case", "by", "µs", "spread", "GFLOP/s", "GB/s", "of ceiling", "error"]
Record = dict[str, Any]


@dataclass
class Entry:
    """A player that gave the right results, and how its first call went."""

    player: Player
    competitor: Competitor
    error: float
    first: float


def run(options: Options) -> Iterator[Table]:
    """One table for each family. Whoever computes something else is not timed."""
    players = [etude_player(name) for name in options.backends]
    players += [peer(name, options.threads) for name in options.peers]
    options.say("measuring the machine's ceilings")
    ceilings = measure()
    yield ceilings_table(ceilings)
    chosen = [case for case in CASES if options.wants(case.name, case.family)]
    for family in FAMILIES:
        table = Table(f"{family}: {threads(options)}", columns(options))
        try:
            for case in chosen:
                if case.family == family:
                    add(table, case, players, ceilings, options)
        except KeyboardInterrupt:
            yield finish(table, options)
            raise
        if table.rows or table.remarks:
            yield finish(table, options)


def columns(options: Options) -> list[str]:
    """Of a family's table. A ratio is their time over ours: above 1 we are faster."""
    return [*RACE_COLUMNS, *(f"{name}/ours" for name in options.peers)]


def threads(options: Options) -> str:
    """How many threads, in words."""
    from .machine import cores

    count = options.threads or cores()
    return f"{count} thread{'s' if count > 1 else ''}, float32"


def add(
    table: Table, case: Case, players: list[Player], ceilings: Ceilings, options: Options
) -> None:
    """Check, race and add the rows of one case."""
    options.say(f"{case.name}: checking against float64")
    work = case.work()
    true = reference(work)
    moved = work.bytes
    if moved is None:
        moved = float(sum(x.nbytes for x in work.inputs) + sum(map(narrow_bytes, true)))
    entries = []
    for player in players:
        if player.plays(work):
            found = check(player, work, true)
            if isinstance(found, Entry):
                entries.append(found)
            else:
                table.remarks.append(f"{case.name}: {player.name} {found} and was not timed")
                options.tell(table.remarks[-1])
    del true
    disturbed = race(
        [entry.competitor for entry in entries],
        options.rounds,
        lambda text: options.say(f"{case.name}, {text}"),
        SCALE * options.scale,
    )
    records = [record(case, work.flops, moved, entry, ceilings) for entry in entries]
    for found in records:
        found["disturbed"] = disturbed
    compare(records)
    table.records += records
    for found in records:
        if found["by"].startswith("etude"):
            table.rows.append(row(found, options))
            options.tell(line(found))


def reference(work: Work) -> list[Any]:
    """The results in float64."""
    return results(work.reference(*(wide(work.inputs) if work.widen else work.inputs)))


def narrow_bytes(y: Any) -> int:
    """The size of a result, whose floats are float32 where they are not the reference's."""
    return 4 * y.size if y.dtype.kind == "f" else int(y.nbytes)


def check(player: Player, work: Work, true: list[Any]) -> Entry | str:
    """A right player ready to race, or what is wrong with it."""
    try:
        step = player.prepare(work)
        start = perf_counter()
        found = step()
        first = perf_counter() - start
        error = largest_error(player.arrays(found), true)
    except Exception as problem:  # one that fails must not end the others' race
        return f"failed ({type(problem).__name__}: {problem})"
    if not error <= LARGEST_ERROR:
        return f"is wrong by {error:.1e}"
    del found
    times = []
    for _ in range(3):
        start = perf_counter()
        step()
        times.append(perf_counter() - start)
    repeat = max(1, round(AT_ONCE / max(min(times), 1e-7)))
    competitor = Competitor(player.name, step, repeat=repeat)
    return Entry(player, competitor, error, first)


def record(case: Case, flops: float, moved: float, entry: Entry, ceilings: Ceilings) -> Record:
    """All figures of one player on one case, for JSON; times in seconds."""
    c = entry.competitor
    return {
        "case": case.name,
        "family": case.family,
        "by": c.name,
        "seconds": c.median,
        "best": c.best,
        "spread": c.spread,
        "first": entry.first,
        "error": entry.error,
        "flops": flops,
        "bytes": moved,
        "share": ceilings.least_seconds(flops, moved) / c.median,
    }


def compare(records: list[Record]) -> None:
    """Give each record the ratios of the others' times to its own."""
    for found in records:
        found["ratios"] = {
            other["by"]: other["seconds"] / found["seconds"]
            for other in records
            if other is not found
        }


def row(found: Record, options: Options) -> list[Cell]:
    """The row of one backend."""
    seconds = found["seconds"]
    return [
        found["case"],
        found["by"].removeprefix("etude "),
        1e6 * seconds,
        f"{100 * found['spread']:.0f} %",
        found["flops"] / seconds / 1e9 if found["flops"] else None,
        found["bytes"] / seconds / 1e9,
        f"{100 * found['share']:.0f} %",
        f"{found['error']:.0e}",
        *(found["ratios"].get(name) for name in options.peers),
    ]


def line(found: Record) -> str:
    """One line of progress."""
    ratios = ", ".join(f"{name}/ours {ratio:.2f}" for name, ratio in found["ratios"].items())
    return f"{found['case']}: {found['by']} {1e6 * found['seconds']:.1f} µs; {ratios}"


def finish(table: Table, options: Options) -> Table:
    """Drop columns that nobody fills, and add the geometric means below."""
    disturbed = list(dict.fromkeys(r["case"] for r in table.records if r.get("disturbed")))
    if disturbed:
        more = f" and {len(disturbed) - 3} more" if len(disturbed) > 3 else ""
        names = ", ".join(disturbed[:3])
        table.remarks.append(f"other processes disturbed rounds of {names}{more}")
    for name in options.backends:
        mine = [r for r in table.records if r["by"] == f"etude {name}"]
        means = [
            f"{other}/ours {mean:.2f}"
            for other in options.peers
            if (mean := geometric_mean([r["ratios"][other] for r in mine if other in r["ratios"]]))
        ]
        if means:
            table.remarks.append(f"geometric mean of {name}: {', '.join(means)}")
        if name == "numba" and mine:
            extra = sum(max(0.0, r["first"] - r["seconds"]) for r in mine)
            table.remarks.append(f"numba: first calls took {extra:.2f} s more than later ones")
    filled = [any(row[i] is not None for row in table.rows) for i in range(len(table.columns))]
    table.columns = [name for name, keep in zip(table.columns, filled) if keep]
    table.rows = [[cell for cell, keep in zip(row, filled) if keep] for row in table.rows]
    return table


def geometric_mean(numbers: list[float]) -> float | None:
    """exp(mean(log x)), or None of nothing."""
    return exp(sum(map(log, numbers)) / len(numbers)) if numbers else None
