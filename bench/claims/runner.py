"""python -m etude.bench claims: run the claims, show a table, save figures and numbers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from math import isfinite, isnan
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import etude
from etude.bench import machine, report
from etude.framework.errors import MissingLibrary, nearest
from etude.framework.optional import require

from .catalog import CACHED, CLAIMS
from .claim import Claim, Setting
from .figures import save_figure

LARGEST = 1_000_000  # of seeds; experiments make further ones of them


def main(words: Sequence[str]) -> int:
    """Run what the command line names; the exit code. A claim that does not hold is no error."""
    parser = _parser()
    given = parser.parse_args(words)
    chosen = _chosen(parser, given.only)
    seeds = range(given.first_seed, given.first_seed + (1 if given.quick else given.seeds))
    for cached in CACHED:
        cached.cache_clear()  # of another backend, if this is not the first call
    results: list[dict[str, Any]] = []
    code = 0
    try:
        if given.out:
            require("matplotlib.figure", "plots", "claims")
            Path(given.out).mkdir(parents=True, exist_ok=True)
        with etude.use_backend(given.backend):
            for claim in chosen:
                results.append(tried(claim, seeds, given.quick, given.out))
                _say(claim, results[-1], given.quick)
                _save(given.out, given.backend, seeds, results)
    except KeyboardInterrupt:
        report.progress("")
        print("stopped; what was finished is kept", file=sys.stderr)
        code = 130
    except (MissingLibrary, OSError) as error:
        report.progress("")
        print(f"etude.bench: {error}", file=sys.stderr)
        code = 2
    if results:
        report.show(table(chosen[: len(results)], results, seeds, given.backend, given.quick))
    return code


def _save(out: str | None, backend: str, seeds: range, results: list[dict[str, Any]]) -> None:
    if out:
        record = {
            "machine": machine.fingerprint(()),
            "backend": backend,
            "seeds": list(seeds),
            "claims": results,
        }
        text = json.dumps(record, indent=1) + "\n"
        Path(out, "claims.json").write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m etude.bench claims",
        description="what the courses say, tried on small real data; a claim that does not hold "
        "is reported as such",
    )
    here = [name for name, reason in etude.backends.available().items() if reason is None]
    fastest = next(name for name in ("c", "numba", "numpy", *here) if name in here)
    names = ", ".join(claim.name for claim in CLAIMS)
    add = parser.add_argument
    add("--only", default="", help=f"claims, separated by commas: {names}")
    add("--seeds", type=_count, default=3, help="runs of each (3); a difference takes two")
    add(
        "--first-seed",
        type=_count,
        default=1,
        metavar="N",
        help="seeds N, N + 1, ... (1); experiments were made on 1 to 3, others test them",
    )
    add("--out", metavar="DIR", help="save a picture of each and claims.json there")
    add("--quick", action="store_true", help="tiny: tries the code, not the claims")
    add("--backend", choices=here, default=fastest, help=f"etude's ({fastest})")
    return parser


def _count(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= LARGEST):
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 1 to {LARGEST:,}, got {given!r}"
        )
    return int(given)


def _chosen(parser: argparse.ArgumentParser, only: str) -> list[Claim]:
    names = [name for name in only.split(",") if name]
    known = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in known:
            parser.error(f"no claim is called {name!r}; {nearest(name, known)}")
    return [known[name] for name in names] if names else list(CLAIMS)


def tried(claim: Claim, seeds: range, quick: bool, out: str | None) -> dict[str, Any]:
    """Run an experiment for each seed; its record."""
    started, runs = perf_counter(), []
    for seed in seeds:
        report.progress(f"{claim.name}, seed {seed}")
        etude.manual_seed(seed)
        runs.append(claim.run(Setting(seed, quick)))
    effects = {k: [_finite(run.effects[k]) for run in runs] for k in runs[0].effects}
    known = not any(isnan(value) for run in runs for value in run.effects.values())
    holds = known and claim.verdict.holds(effects)
    word = "tried only" if quick else "holds" if holds else "does not hold"
    picture = save_figure(Path(out), claim, runs, effects, word).name if out else None
    return {
        "name": claim.name,
        "decks": claim.decks,
        "statement": claim.statement,
        "data": claim.data,
        "criterion": claim.verdict.words,
        "effects": effects,
        "holds": holds,
        "seconds": perf_counter() - started,
        "figure": picture,
    }


def _finite(value: float) -> float:
    return float(value) if isfinite(value) else -1e30 if value < 0 else 1e30


def spread(name: str, values: Sequence[float]) -> str:
    """An effect as "name 1.2 ± 0.3": mean and standard deviation over the seeds."""
    width = f" ± {stdev(values):.2g}" if len(values) > 1 else ""
    return f"{name} {mean(values):.3g}{width}"


def _say(claim: Claim, record: dict[str, Any], quick: bool) -> None:
    report.progress("")
    word = "tried" if quick else "holds" if record["holds"] else "DOES NOT HOLD"
    print(f"{claim.name} ({record['seconds']:.0f} s): {word}", file=sys.stderr, flush=True)


def table(
    claims: Sequence[Claim],
    results: Sequence[dict[str, Any]],
    seeds: range,
    backend: str,
    quick: bool,
) -> report.Table:
    """One row for each claim."""
    rows: list[list[report.Cell]] = []
    for claim, found in zip(claims, results, strict=True):
        verdict = "tried only" if quick else "holds" if found["holds"] else "does not hold"
        effects = [spread(k, v) for k, v in found["effects"].items()]
        rows.append([claim.name, claim.decks, claim.data, verdict, effects[0]])
        rows += [["", "", "", "", effect] for effect in effects[1:]]
    held = sum(found["holds"] for found in results)
    named = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    remarks = [f"{c.name}: {c.statement}. Criterion: {c.verdict.words}." for c in claims]
    if not quick:
        remarks.append(f"{held} of {len(results)} claims hold. A t test at 5 % lets one of twenty "
                       "effects pass that are none.")  # fmt: skip
    return report.Table(
        f"Claims of the courses, {named}, backend {backend}",
        ["claim", "decks", "data", "verdict", "measured, mean ± deviation"],
        rows,
        remarks,
    )
