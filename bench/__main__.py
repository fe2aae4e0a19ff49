"""python -m etude.bench SUITE: run benchmarks and show what came out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec

from etude.backends import available

from . import machine, report
from .options import Options

SUITES = {
    "overhead": "what one small operation costs",
    "models": "training steps of MLP, LeNet-5 and ResNet-20",
    "memory": "the memory of ten LeNet-5 steps",
    "imports": "how long `import etude` takes",
}
ALIASES = {"import": "imports"}
PEERS = ("torch",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that the command line names; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    suites = tuple(SUITES) if given.suite == "all" else (ALIASES.get(given.suite, given.suite),)
    options = Options(
        backends=_names(parser, "backend", given.backend, tuple(_backends())),
        peers=_names(parser, "peer", _peers(given.peers), PEERS),
        cases=_names(parser, "case", given.case, import_module("etude.bench.models").NAMES),
        rounds=given.rounds,
        say=_progress,
    )
    results: dict[str, list[report.Table]] = {}
    code = 0
    try:
        for name in suites:
            results[name] = import_module(f"etude.bench.{name}").run(options)
            _progress("")
            for table in results[name]:
                report.show(table)
    except KeyboardInterrupt:
        _progress("")
        print("stopped; what was finished is kept", file=sys.stderr)
        code = 130
    if given.json:
        try:
            report.save(given.json, machine.fingerprint(options.peers), results)
        except OSError as error:
            print(f"etude.bench: cannot write {given.json}: {error.strerror}", file=sys.stderr)
            return 2
    return code


def _parser() -> argparse.ArgumentParser:
    lines = [f"  {name:10} {what}" for name, what in SUITES.items()]
    parser = argparse.ArgumentParser(
        prog="python -m etude.bench",
        description="suites:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", choices=(*SUITES, *ALIASES, "all"), metavar="SUITE")
    parser.add_argument("--backend", default="numpy", help="etude's, separated by commas (numpy)")
    parser.add_argument(
        "--peers", help="torch or none (torch where it is installed), separated by commas"
    )
    parser.add_argument("--case", default="", help="models to run, separated by commas (all)")
    parser.add_argument("--rounds", type=_count, default=9, help="turns of each competitor (9)")
    parser.add_argument("--json", metavar="FILE", help="also write the results there")
    return parser


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
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
            parser.error(f"no {what} is called {name!r}; {hint}")
    return names


def _backends() -> list[str]:
    return [name for name, reason in available().items() if reason is None]


def _peers(given: str | None) -> str:
    if given is None:
        return ",".join(name for name in PEERS if find_spec(name))
    return "" if given == "none" else given


def _progress(text: str) -> None:
    """One line that is written over, on terminals only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
