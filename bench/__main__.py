"""python -m etude.bench SUITE: run benchmarks and show what came out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec

from . import machine, report
from .options import Options, named

SUITES = {
    "ops": "single kernels, each beside torch and NumPy",
    "models": "training steps of whole models",
    "train": "training on digits until a given accuracy",
    "overhead": "what one small operation costs",
    "memory": "the memory of ten LeNet-5 steps",
    "recording": "what compiling a step takes, and the memory it saves",
    "imports": "how long `import etude` takes",
}
ALIASES = {"import": "imports"}
PEERS = ("torch", "numpy", "torch.compile")  # the last takes minutes: only where it is named
QUICK = {"rounds": 2, "scale": 0.3}
Results = dict[str, list[report.Table]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that the command line names; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["report"]:
        code: int = import_module("etude.bench.page").main(words[1:])
        return code
    if words[:1] == ["claims"]:
        tried: int = import_module("etude.bench.claims.runner").main(words[1:])
        return tried
    if words[:1] == ["cuda"]:
        proved: int = import_module("etude.bench.cuda").main(words[1:])
        return proved
    if words[:1] == ["cuda-resources"]:
        done: int = import_module("etude.bench.cuda_resources").main(words[1:])
        return done
    parser = _parser()
    given = parser.parse_args(words)
    if given.threads:
        for name in machine.THREADS:
            os.environ[name] = str(given.threads)
    options = _options(parser, given)
    suites = tuple(SUITES) if given.suite == "all" else (ALIASES.get(given.suite, given.suite),)
    return _run(given, options, suites)


def _run(given: argparse.Namespace, options: Options, suites: Sequence[str]) -> int:
    """The suites, one after the other."""
    results: Results = {}
    code = 0
    try:
        for name in suites:
            results[name] = []
            _collect(import_module(f"etude.bench.{name}").run(options), results[name])
    except KeyboardInterrupt:
        report.progress("")
        print("stopped; what was finished is kept", file=sys.stderr)
        code = 130
    return _deliver(given, options, results) or code


def _collect(tables: Iterable[report.Table], found: list[report.Table]) -> None:
    """Show each table when it is ready."""
    for table in tables:
        found.append(table)
        report.progress("")
        report.show(table)


def _deliver(given: argparse.Namespace, options: Options, results: Results) -> int:
    """What is asked for at the end; 2 where it cannot be written."""
    if given.goals:
        results["goals"] = [import_module("etude.bench.goals").table(results)]
        report.show(results["goals"][0])
    try:
        if given.json:
            report.save(given.json, machine.fingerprint(options.peers), results)
        if given.plots:
            import_module("etude.bench.plots").save_all(given.plots, results)
    except OSError as error:
        print(f"etude.bench: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"etude.bench: {error}; pip install etude[plots]", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    lines = [f"  {name:10} {what}" for name, what in SUITES.items()]
    lines += ["  all        all of these", "", "report FILES --out PAGE makes a page of JSON files"]
    lines += ["claims tries what the courses say (claims --help)"]
    lines += ["cuda proves and times the CUDA backend, --simulate without a GPU (cuda --help)"]
    parser = argparse.ArgumentParser(
        prog="python -m etude.bench",
        description="suites:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("suite", choices=(*SUITES, *ALIASES, "all"), metavar="SUITE")
    add("--backend", help="etude's, separated by commas (all here but python)")
    add("--peers", help="torch, numpy, torch.compile or none, by commas (torch, numpy)")
    add("--case", default="", help="parts of names or patterns, separated by commas (all)")
    add("--family", default="", help="families of ops, separated by commas (all)")
    add("--rounds", type=_count, help="turns of each competitor (7)")
    add("--quick", action="store_true", help="fewer and shorter turns")
    add("--threads", type=_count, help="threads of every competitor (all cores)")
    add("--goals", action="store_true", help="also show the goals and what came of them")
    add("--json", metavar="FILE", help="also write the results there")
    add("--plots", metavar="FOLDER", help="also draw a roofline and bar charts there")
    return parser


def _options(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Options:
    from etude.backends import available

    from . import cases, models, players

    peers = _names(parser, "peer", _peers(given.peers), PEERS)
    try:
        players.load_first(peers)
    except ImportError as error:
        parser.error(f"peer torch: {error}; pip install torch==2.13.0, or choose other --peers")
    reasons = available()
    here = tuple(name for name, why in reasons.items() if why is None and name != "cuda")
    if "cuda" in (given.backend or "").split(","):
        parser.error("a GPU's clock is its own: python -m etude.bench cuda")
    backends = given.backend or ",".join(name for name in here if name != "python")
    quick = QUICK if given.quick else {"rounds": 7, "scale": 1.0}
    return Options(
        backends=_names(parser, "backend", backends, here),
        peers=peers,
        cases=_cases(parser, given.case, [case.name for case in cases.CASES] + [*models.NAMES]),
        families=_names(parser, "family", given.family, cases.FAMILIES),
        rounds=given.rounds or int(quick["rounds"]),
        scale=quick["scale"],
        threads=given.threads,
        say=report.progress,
        tell=_line,
    )


def _count(given: str) -> int:
    if not given.isdigit() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {given!r}")
    return int(given)


def _names(
    parser: argparse.ArgumentParser, what: str, given: str, known: tuple[str, ...]
) -> tuple[str, ...]:
    names = tuple(name for name in given.split(",") if name)
    for name in names:
        if name not in known:
            parser.error(f"no {what} is called {name!r}; {_hint(name, known)}")
    return names


def _cases(parser: argparse.ArgumentParser, given: str, known: Sequence[str]) -> tuple[str, ...]:
    parts = tuple(part for part in given.split(",") if part)
    for part in parts:
        if not any(named(name, part) for name in known):
            parser.error(f"no case has {part!r} in its name; {_hint(part, known[:5])}, ...")
    return parts


def _hint(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"


def _peers(given: str | None) -> str:
    if given is None:
        return ",".join(name for name in PEERS[:2] if find_spec(name))
    return "" if given == "none" else given


def _line(text: str) -> None:
    """A line of progress that stays."""
    report.progress("")
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
