"""python -m etude.bench claims: run the claims, show a table, save figures and numbers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import etude
from etude.bench import machine, report
from etude.framework.errors import nearest

from .catalog import CLAIMS
from .claim import Claim, Found, Setting
from .figures import save_figure


def main(words: Sequence[str]) -> int:
    """Run what the command line names; the exit code. A claim that does not hold is no error."""
    given = _parser().parse_args(words)
    chosen = _chosen(given.only)
    if isinstance(chosen, str):
        print(f"etude.bench: {chosen}", file=sys.stderr)
        return 2
    here = etude.backends.available()
    backend = given.backend or ("c" if here["c"] is None else "numba")
    results = []
    with etude.use_backend(backend):
        for claim in chosen:
            results.append(tried(claim, given.seeds, given.quick, given.out))
            _say(claim, results[-1], given.quick)
    shown = table(chosen, results, backend, given.quick)
    report.show(shown)
    if given.out:
        record = {"machine": machine.fingerprint(()), "backend": backend, "claims": results}
        path = Path(given.out) / "claims.json"
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m etude.bench claims",
        description="what the courses say, tried on small real data; a claim that does not hold "
        "is reported as such",
    )
    names = ", ".join(claim.name for claim in CLAIMS)
    parser.add_argument("--only", default="", help=f"claims, separated by commas: {names}")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--out", metavar="DIR", help="save a picture of each and claims.json there")
    parser.add_argument("--quick", action="store_true", help="tiny: tries the code, not the claims")
    parser.add_argument("--backend", help="etude's (c, or numba without it)")
    return parser


def _chosen(only: str) -> list[Claim] | str:
    names = [name for name in only.split(",") if name]
    known = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in known:
            return f"no claim is called {name!r}; {nearest(name, known)}"
    return [known[name] for name in names] if names else list(CLAIMS)


def tried(claim: Claim, seeds: int, quick: bool, out: str | None) -> dict[str, Any]:
    """Run an experiment for each seed; its record."""
    started, runs = perf_counter(), []
    for seed in range(1, (1 if quick else max(seeds, 1)) + 1):
        report.progress(f"{claim.name}, seed {seed}")
        etude.manual_seed(seed)
        runs.append(claim.run(Setting(seed, quick)))
    effects = {k: [_finite(run.effects[k]) for run in runs] for k in runs[0].effects}
    picture = _drawn(claim, runs, effects, out) if out else None
    return {
        "name": claim.name,
        "decks": claim.decks,
        "statement": claim.statement,
        "data": claim.data,
        "criterion": claim.verdict.words,
        "effects": effects,
        "holds": claim.verdict.holds(effects),
        "seconds": perf_counter() - started,
        "figure": picture,
    }


def _finite(value: float) -> float:
    return float(value) if isfinite(value) else 1e30


def _drawn(claim: Claim, runs: list[Found], effects: dict[str, list[float]], out: str) -> str:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    return save_figure(folder, claim, runs, effects).name


def spread(name: str, values: Sequence[float]) -> str:
    """An effect as "name 1.2 ± 0.3": mean and standard deviation over the seeds."""
    width = f" ± {stdev(values):.2g}" if len(values) > 1 else ""
    return f"{name} {mean(values):.3g}{width}"


def _say(claim: Claim, record: dict[str, Any], quick: bool) -> None:
    report.progress("")
    word = "tried" if quick else "holds" if record["holds"] else "DOES NOT HOLD"
    print(f"{claim.name} ({record['seconds']:.0f} s): {word}", file=sys.stderr, flush=True)


def table(
    claims: Sequence[Claim], results: Sequence[dict[str, Any]], backend: str, quick: bool
) -> report.Table:
    """One row for each claim."""
    rows: list[list[report.Cell]] = []
    for claim, found in zip(claims, results, strict=True):
        verdict = "tried only" if quick else "holds" if found["holds"] else "does not hold"
        effects = [spread(k, v) for k, v in found["effects"].items()]
        rows.append([claim.name, claim.decks, claim.data, verdict, effects[0]])
        rows += [["", "", "", "", effect] for effect in effects[1:]]
    seeds = len(next(iter(results[0]["effects"].values()))) if results else 0
    held = sum(found["holds"] for found in results)
    remarks = [f"{c.name}: {c.statement}. Criterion: {c.verdict.words}." for c in claims]
    if not quick:
        remarks.append(f"{held} of {len(results)} claims hold.")
    return report.Table(
        f"Claims of the courses, {seeds} seeds, backend {backend}",
        ["claim", "decks", "data", "verdict", "measured, mean ± deviation"],
        rows,
        remarks,
    )
